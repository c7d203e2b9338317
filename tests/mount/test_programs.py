"""Real programs at work on a mount, with POSIX extensions and without.

Each test has a slice for every run and the full size for the soak.
"""

import io
import os
import shutil
import sqlite3
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer

_SIZES = [pytest.param(False, id="slice"), pytest.param(True, id="full", marks=pytest.mark.soak)]


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    shares = {
        "unix": {"smb3 unix extensions": "yes", "mangled names": "no"},
        "plain": {"smb3 unix extensions": "no"},
    }
    with SambaServer({"smb3 unix extensions": "yes"}, shares) as samba:
        yield samba


@pytest.fixture(scope="module", params=["posix", "mfsymlinks"])
def mnt(server: SambaServer, request: pytest.FixtureRequest) -> Iterator[Path]:
    share = "unix" if request.param == "posix" else "plain"
    with mounted(server, share, str(request.param)) as directory:
        yield directory


@pytest.fixture
def place(mnt: Path, request: pytest.FixtureRequest) -> Path:
    """A directory of the test's own on the mount."""
    directory = mnt / f"{request.node.originalname}-{len(os.listdir(mnt))}"
    directory.mkdir()
    return directory


def _run(*words: str | Path, cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "HOME": "/nonexistent", **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, (words, done.stdout[-2000:], done.stderr[-2000:])
    return done.stdout


def _history(directory: Path, commits: int) -> Path:
    """A repository with so many commits on two branches."""
    repository = directory / "origin"
    _run("git", "init", "-q", "--bare", "-b", "main", repository)
    stream = io.BytesIO()
    for branch, count in (("main", commits), ("other", commits // 10)):
        for number in range(count):
            text = f"{branch} {number}\n".encode() * (number % 50 + 1)
            message = f"{branch} {number}"
            lines = [f"commit refs/heads/{branch}", f"committer T <t@t> {10**9 + number} +0000"]
            lines += [f"data {len(message)}", message]
            if number == 0 and branch == "other":
                lines.append("from refs/heads/main")
            name = f"dir{number % 20}/file{number % 170}"
            stream.write("\n".join([*lines, f"M 100644 inline {name}", ""]).encode())
            stream.write(b"data %d\n%s\n" % (len(text), text))
            if number == 1:
                stream.write(b"M 120000 inline link\ndata 9\ndir0/fi/x\n")
                stream.write(b"M 100755 inline run.sh\ndata 10\n#!/bin/sh\n\n")
    subprocess.run(
        ["git", "fast-import", "--quiet"], cwd=repository, input=stream.getvalue(), check=True
    )
    return repository


@pytest.mark.parametrize("full", _SIZES)
def test_git_clones_checks_collects_and_switches(place: Path, tmp_path: Path, full: bool) -> None:
    origin = _history(tmp_path, 1000 if full else 100)
    clone = place / "clone"
    _run("git", "clone", "-q", origin, clone)
    config = ("git", "-c", "user.name=t", "-c", "user.email=t@t")
    assert _run("git", "status", "--porcelain", cwd=clone) == ""
    assert os.readlink(clone / "link") == "dir0/fi/x"
    _run("git", "fsck", "--strict", cwd=clone)
    for branch in ("other", "main", "other"):
        _run("git", "checkout", "-q", branch, cwd=clone)
        assert _run("git", "status", "--porcelain", cwd=clone) == ""
    (clone / "dir0" / "file0").write_text("changed\n")
    (clone / "new").write_text("new\n")
    _run("git", "add", "-A", cwd=clone)
    _run(*config, "commit", "-q", "-m", "ours", cwd=clone)
    _run(*config, "merge", "-q", "-m", "merged", "-X", "ours", "main", cwd=clone)
    _run("git", "stash", "list", cwd=clone)
    _run("git", "gc", "-q", cwd=clone)
    _run("git", "fsck", "--strict", cwd=clone)
    _run("git", "push", "-q", "origin", "other:pushed", cwd=clone)
    assert _run("git", "status", "--porcelain", cwd=clone) == ""


@pytest.mark.timeout(1200)  # 10,000 transactions, each of a dozen round trips
@pytest.mark.parametrize("full", _SIZES)
def test_sqlite_keeps_every_transaction(place: Path, full: bool) -> None:
    count = 10_000 if full else 200
    database = sqlite3.connect(place / "base.db", isolation_level=None, timeout=30)
    if full:
        database.execute("pragma synchronous=off")  # the disk under the server is not the point
    database.execute("create table t (number integer primary key, text)")
    for number in range(count):
        database.execute("insert into t values (?, ?)", (number, f"text {number}" * 5))
    other = sqlite3.connect(place / "base.db", timeout=30)
    assert other.execute("select count(*), sum(number) from t").fetchone() == (
        count,
        count * (count - 1) // 2,
    )
    assert other.execute("pragma integrity_check").fetchall() == [("ok",)]
    other.close()
    database.close()


def _tree(directory: Path, files: int) -> Path:
    """Files, directories, a link, and times of the past."""
    tree = directory / "tree"
    for number in range(files):
        path = tree / f"d{number % 7}" / f"s{number % 3}" / f"file {number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(number * 37 % 9000))
        os.utime(path, ns=(10**18, 10**18 + number * 1_000_000_000))
    (tree / "link").symlink_to("d0/s0")
    (tree / "program").write_text("#!/bin/sh\n")
    (tree / "program").chmod(0o755)
    return tree


def _same(one: Path, other: Path) -> None:
    _run("diff", "-r", "--no-dereference", one, other)


@pytest.mark.parametrize("full", _SIZES)
def test_tar_and_unzip_give_back_what_went_in(place: Path, tmp_path: Path, full: bool) -> None:
    tree = _tree(tmp_path, 1500 if full else 60)
    _run("tar", "-cf", place / "a.tar", "-C", tmp_path, "tree")
    (place / "out").mkdir()
    _run("tar", "-xf", place / "a.tar", "-C", place / "out")
    _same(tree, place / "out" / "tree")
    seen, was = (place / "out/tree/d1/s1/file 1").stat(), (tree / "d1/s1/file 1").stat()
    assert seen.st_mtime_ns == was.st_mtime_ns
    _run("tar", "-cf", tmp_path / "b.tar", "-C", place / "out", "tree")
    _run("tar", "-df", tmp_path / "b.tar", "-C", place / "out")
    with zipfile.ZipFile(place / "a.zip", "w") as archive:
        for path in sorted(tree.rglob("*")):
            if path.is_file() and not path.is_symlink():
                archive.write(path, path.relative_to(tmp_path))
    _run("unzip", "-q", place / "a.zip", "-d", place / "unzipped")
    (place / "unzipped" / "tree" / "link").symlink_to("d0/s0")
    _same(tree, place / "unzipped" / "tree")


@pytest.mark.parametrize("full", _SIZES)
def test_the_second_rsync_copies_nothing(place: Path, tmp_path: Path, full: bool) -> None:
    tree = _tree(tmp_path, 1500 if full else 60)
    _run("rsync", "-a", f"{tree}/", place / "copy")
    _same(tree, place / "copy")
    second = _run("rsync", "-a", "--itemize-changes", f"{tree}/", place / "copy")
    # Without POSIX extensions modes and groups are the mount's, which rsync sees each time (".").
    changed = [line for line in second.splitlines() if not line.startswith(".")]
    assert changed == []
    (tree / "d0" / "s0" / "file 0").write_text("other")
    third = _run("rsync", "-a", "--itemize-changes", "--delete", f"{tree}/", place / "copy")
    assert [line.split(" ", 1)[1] for line in third.splitlines() if line[0] == ">"] == [
        "d0/s0/file 0"
    ]


@pytest.mark.parametrize("full", _SIZES)
def test_make_has_nothing_to_do_the_second_time(place: Path, full: bool) -> None:
    count = 60 if full else 4
    for number in range(count):
        (place / f"m{number}.c").write_text(
            f'#include "all.h"\nint f{number}(int x) {{ return x + {number}; }}\n'
        )
    (place / "all.h").write_text("".join(f"int f{n}(int x);\n" for n in range(count)))
    calls = "".join(f"x = f{n}(x);" for n in range(count))
    (place / "main.c").write_text(
        f'#include "all.h"\n#include <stdio.h>\nint main() {{ int x = 0; {calls} '
        'printf("%d\\n", x); return 0; }\n'
    )
    objects = " ".join(f"m{n}.o" for n in range(count))
    (place / "Makefile").write_text(
        textwrap.dedent(f"""\
            program: main.o {objects}
            \tcc -o $@ $^
            %.o: %.c all.h
            \tcc -c -o $@ $<
            """)
    )
    _run("make", "-j2", cwd=place)
    assert _run(place / "program") == f"{sum(range(count))}\n"
    assert "up to date" in _run("make", "-j2", cwd=place)
    os.utime(place / "m1.c")
    rebuilt = _run("make", "-j2", cwd=place)
    assert [line.split()[-1] for line in rebuilt.splitlines() if " -c " in line] == ["m1.c"]


def test_saving_like_vim_keeps_a_whole_file_at_every_moment(place: Path) -> None:
    path, temporary = place / "document", place / ".document.swp"
    path.write_text("version 0")
    with path.open() as reader:
        for number in range(1, 20):
            with temporary.open("x") as file:
                file.write(f"version {number}")
                file.flush()
                os.fsync(file.fileno())
            temporary.rename(path)
            assert path.read_text() == f"version {number}"
        assert reader.read() == "version 0"
    assert os.listdir(place) == ["document"]


@pytest.mark.skipif(shutil.which("vim") is None, reason="vim is not installed")
def test_vim_itself_saves(place: Path) -> None:
    (place / "text").write_text("one\n")
    for number in range(3):
        _run("vim", "-Nu", "NONE", "-es", "-c", f"normal oline {number}", "-c", "wq",
             place / "text")  # fmt: skip
    assert (place / "text").read_text() == "one\nline 0\nline 1\nline 2\n"
    assert os.listdir(place) == ["text"]


def _wheel(directory: Path) -> Path:
    """A package that prints, as pip installs it."""
    path = directory / "greeter-1.0-py3-none-any.whl"
    info = "greeter-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("greeter/__init__.py", "def main():\n    print('hello')\n")
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: greeter\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", "[console_scripts]\ngreet = greeter:main\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


@pytest.mark.soak
def test_a_virtual_environment_lives_on_the_mount(place: Path, tmp_path: Path) -> None:
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    _run(python if python.exists() else "python3", "-m", "venv", place / "venv")
    pip = (place / "venv/bin/python", "-m", "pip", "--disable-pip-version-check")
    _run(*pip, "install", "-q", "--no-index", "--no-cache-dir", _wheel(tmp_path))
    assert _run(place / "venv/bin/greet") == "hello\n"
    assert "greeter" in _run(*pip, "list")
    _run(*pip, "uninstall", "-q", "-y", "greeter")
    assert not (place / "venv/bin/greet").exists()


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_npm_installs_a_package_tree(place: Path, tmp_path: Path) -> None:
    (place / "package.json").write_text('{"name": "x", "version": "1.0.0", "private": true}')
    cache = f"--cache={tmp_path}"
    _run("npm", "install", "--no-audit", "--no-fund", cache, "mkdirp@3", "semver@7", cwd=place)
    script = "console.log(require('semver').satisfies('1.2.3', '^1.0.0'))"
    assert _run("node", "-e", script, cwd=place) == "true\n"
    assert _run("npm", "exec", "--offline", "semver", cache, "1.2.3", cwd=place) == "1.2.3\n"
    assert (place / "node_modules" / ".bin" / "semver").is_symlink()
    _run("npm", "uninstall", "--no-audit", cache, "semver", cwd=place)
    assert not (place / "node_modules" / "semver").exists()
