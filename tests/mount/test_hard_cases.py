"""What programs take for granted of a local file system, and SMB does not give by itself.

Each case on a plain share and on one with the SMB3 POSIX extensions; judged by the server's disk.
"""

import contextlib
import errno
import mmap
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SHARES, SambaServer


@dataclass
class Place:
    """A mount, and the directory on the server's disk behind it."""

    mnt: Path
    disk: Path
    server: SambaServer
    posix: bool


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, SambaServer]]:
    with (
        SambaServer() as plain,
        SambaServer({"smb3 unix extensions": "yes"}, {"plain": SHARES["plain"]}) as posix,
    ):
        yield {"plain": plain, "posix": posix}


@pytest.fixture(params=["plain", "posix"])
def place(request: pytest.FixtureRequest, servers: dict[str, SambaServer]) -> Iterator[Place]:
    server = servers[request.param]
    disk = Path(tempfile.mkdtemp(dir=server.path_of("plain")))
    os.chown(disk, server.path_of("plain").stat().st_uid, -1)
    with mounted(server, f"plain/{disk.name}") as mnt:
        yield Place(mnt, disk, server, request.param == "posix")
    _wait_for_no_files(server)


def _wait_for_no_files(server: SambaServer) -> None:
    end = time.monotonic() + 5
    while server.open_files() and time.monotonic() < end:
        time.sleep(0.05)
    assert server.open_files() == []


def _eventually(disk: Path, names: list[str]) -> None:
    """The kernel tells of the last close after close(2) has returned."""
    end = time.monotonic() + 5
    while sorted(os.listdir(disk)) != sorted(names) and time.monotonic() < end:
        time.sleep(0.02)
    assert sorted(os.listdir(disk)) == sorted(names)


def _python(*words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen([sys.executable, "-c", *words], stdout=subprocess.PIPE, text=True)


def test_an_unlinked_file_stays_with_those_who_hold_it(place: Place) -> None:
    with open(place.mnt / "f", "w+b", buffering=0) as file:
        file.write(b"before")
        os.unlink(place.mnt / "f")
        assert not (place.mnt / "f").exists()
        assert os.listdir(place.mnt) == []
        (place.mnt / "f").write_bytes(b"another")  # the name is free at once
        file.write(b" and after")
        assert os.fstat(file.fileno()).st_size == 16
        assert os.fstat(file.fileno()).st_nlink == 0
        os.ftruncate(file.fileno(), 10)
        assert os.pread(file.fileno(), 100, 0) == b"before and"
        assert (place.mnt / "f").read_bytes() == b"another"
        os.unlink(place.mnt / "f")
    _eventually(place.disk, [])


def test_a_directory_goes_while_a_file_of_it_is_still_held(place: Place) -> None:
    (place.mnt / "d").mkdir()
    with open(place.mnt / "d" / "f", "w+b", buffering=0) as file:
        file.write(b"held")
        os.unlink(place.mnt / "d" / "f")
        os.rmdir(place.mnt / "d")
        assert os.listdir(place.mnt) == []
        assert os.pread(file.fileno(), 10, 0) == b"held"
    _eventually(place.disk, [])


def test_a_file_that_is_renamed_over_stays_with_those_who_hold_it(place: Place) -> None:
    (place.mnt / "new").write_bytes(b"new")
    with open(place.mnt / "old", "w+b", buffering=0) as file:
        file.write(b"old")
        os.rename(place.mnt / "new", place.mnt / "old")
        assert (place.mnt / "old").read_bytes() == b"new"
        assert os.listdir(place.mnt) == ["old"]
        file.write(b"er")
        assert os.pread(file.fileno(), 10, 0) == b"older"
    _eventually(place.disk, ["old"])
    assert (place.disk / "old").read_bytes() == b"new"


def test_a_file_can_be_renamed_over_while_the_new_one_is_open(place: Place) -> None:
    """What editors do: write beside, fsync, rename."""
    (place.mnt / "doc").write_bytes(b"first")
    with open(place.mnt / "doc", "rb") as reader, open(place.mnt / "doc~", "wb") as writer:
        writer.write(b"second")
        writer.flush()
        os.fsync(writer.fileno())
        os.rename(place.mnt / "doc~", place.mnt / "doc")
        assert reader.read() == b"first"
        assert (place.mnt / "doc").read_bytes() == b"second"
    _eventually(place.disk, ["doc"])


def test_the_time_of_a_write_shows_at_once_and_stays(place: Place) -> None:
    """Plain servers wait for two seconds, or for the close; and not at all once it was set."""
    path = place.mnt / "f"
    with open(path, "wb", buffering=0) as file:
        file.write(b"1")
        for set_first in (False, True):
            if set_first:
                os.utime(path, ns=(10**18, 10**18))
                assert path.stat().st_mtime_ns == 10**18
                time.sleep(1.1)
                assert path.stat().st_mtime_ns == 10**18
            before = path.stat().st_mtime_ns
            time.sleep(0.3)
            file.write(b"2")
            for pause in (0, 1.1):  # so long the kernel remembers
                time.sleep(pause)
                assert path.stat().st_mtime_ns > before
                assert os.fstat(file.fileno()).st_mtime_ns > before
                assert [e.stat().st_mtime_ns > before for e in os.scandir(place.mnt)] == [True]
            assert abs(path.stat().st_mtime - time.time()) < 5
    time.sleep(1.1)
    assert abs(path.stat().st_mtime - time.time()) < 5
    with open(path, "ab", buffering=0) as file:
        file.write(b"3")
        os.utime(file.fileno(), ns=(10**18, 10**18))
    time.sleep(1.1)
    assert path.stat().st_mtime_ns == 10**18
    assert (place.disk / "f").stat().st_mtime_ns == 10**18


def test_an_unlinked_file_is_opened_once_more_by_its_descriptor(place: Place) -> None:
    with open(place.mnt / "f", "w+b", buffering=0) as file:
        file.write(b"content")
        os.unlink(place.mnt / "f")
        again = f"/proc/self/fd/{file.fileno()}"
        for _ in range(2):
            with open(again, "rb") as reader:
                assert reader.read() == b"content"
        with open(again, "r+b") as writer:
            writer.write(b"CON")
        assert os.pread(file.fileno(), 100, 0) == b"CONtent"
        other = open(again, "rb")  # noqa: SIM115  # it outlives the first
        file.write(b"!")
    with other:
        assert other.read() == b"CONtent!"
        with open(f"/proc/self/fd/{other.fileno()}", "rb") as third:
            assert third.read() == b"CONtent!"
    assert os.listdir(place.mnt) == []


def test_a_file_that_gets_or_loses_a_dot_is_overwritten(place: Place) -> None:
    (place.mnt / "name").write_text("1")
    os.rename(place.mnt / "name", place.mnt / ".name")
    (place.mnt / ".name").write_text("2")
    os.rename(place.mnt / ".name", place.mnt / "name")
    (place.mnt / "name").write_text("3")
    assert (place.disk / "name").read_text() == "3"


@pytest.mark.parametrize("gone", ["one", "two"])
def test_the_other_name_of_a_removed_open_file_is_overwritten(place: Place, gone: str) -> None:
    (place.mnt / "one").write_text("1")
    os.link(place.mnt / "one", place.mnt / "two")
    (left,) = {"one", "two"} - {gone}
    with open(place.mnt / "one") as file:
        os.unlink(place.mnt / gone)
        (place.mnt / left).write_text("2")
        assert file.read() == "2"
    shown = place.server.smbclient("plain", f"allinfo {place.disk.name}/{left}").stdout
    attributes = shown.split("attributes: ")[1].split()[0]
    assert "H" not in attributes


def test_a_removed_directory_in_use_is_not_taken_for_a_new_one(place: Place) -> None:
    for _ in range(5):  # disks give numbers away again soon
        os.mkdir(place.mnt / "old")
        held = os.open(place.mnt / "old", os.O_RDONLY)
        os.rmdir(place.mnt / "old")
        os.mkdir(place.mnt / "new")
        (place.mnt / "new" / "file").write_text("works")
        assert os.listdir(place.mnt / "new") == ["file"]
        with pytest.raises(FileNotFoundError):
            os.open("file", os.O_RDONLY, dir_fd=held)
        os.close(held)
        shutil.rmtree(place.mnt / "new")


def test_what_is_removed_can_be_asked_and_changed_by_who_holds_it(place: Place) -> None:
    (place.mnt / "file").write_text("content")
    os.mkdir(place.mnt / "directory")
    held = [os.open(place.mnt / name, os.O_RDONLY) for name in ("file", "directory")]
    os.unlink(place.mnt / "file")
    os.rmdir(place.mnt / "directory")
    time.sleep(1.1)  # the kernel remembers no longer
    for descriptor in held:
        assert os.fstat(descriptor).st_nlink == 0
        os.utime(descriptor, ns=(10**18, 10**18 + 500))
        os.fchmod(descriptor, 0o700)
        os.fchown(descriptor, os.getuid(), os.getgid())
        time.sleep(1.1)
        told = os.fstat(descriptor)
        assert told.st_mtime_ns == 10**18 + 500
        if place.posix:
            assert told.st_mode & 0o777 == 0o700
        os.close(descriptor)


def test_a_directory_is_renamed_with_open_files_below(place: Place) -> None:
    (place.mnt / "a" / "b").mkdir(parents=True)
    with open(place.mnt / "a" / "b" / "f", "w+b", buffering=0) as file:
        file.write(b"1")
        os.rename(place.mnt / "a", place.mnt / "z")
        file.write(b"2")
        assert (place.mnt / "z" / "b" / "f").read_bytes() == b"12"
        assert not (place.mnt / "a").exists()
    assert (place.disk / "z" / "b" / "f").read_bytes() == b"12"


def test_two_processes_append_and_lose_nothing(place: Place) -> None:
    program = (
        "import os, sys\n"
        "fd = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT)\n"
        "for number in range(200): os.write(fd, f'{sys.argv[2]} {number:4}\\n'.encode())\n"
    )
    writers = [_python(program, str(place.mnt / "log"), who) for who in ("one", "two")]
    for writer in writers:
        writer.communicate(timeout=60)
        assert writer.returncode == 0
    lines = (place.disk / "log").read_text().splitlines()
    assert sorted(lines) == sorted(f"{who} {n:4}" for who in ("one", "two") for n in range(200))


def test_a_file_is_truncated_while_it_is_mapped(place: Place) -> None:
    (place.mnt / "f").write_bytes(b"a" * 20000)
    with open(place.mnt / "f", "r+b") as file, mmap.mmap(file.fileno(), 20000) as shared:
        assert shared[19999] == ord("a")
        os.truncate(place.mnt / "f", 5000)
        assert shared[4999] == ord("a")
        assert shared[5000] == 0  # the rest of the last page
        os.truncate(place.mnt / "f", 20000)
        assert shared[19999] == 0
        shared[0:5] = b"first"
        shared.flush()
    assert (place.disk / "f").read_bytes() == b"first" + b"a" * 4995 + bytes(15000)


def test_private_maps_keep_their_changes_to_themselves(place: Place) -> None:
    (place.mnt / "f").write_bytes(b"server's")
    with (
        open(place.mnt / "f", "r+b") as file,
        mmap.mmap(file.fileno(), 8, access=mmap.ACCESS_COPY) as private,
    ):
        private[:2] = b"my"
    assert (place.disk / "f").read_bytes() == b"server's"


def test_a_program_runs_from_the_mount(place: Place) -> None:
    (place.mnt / "tool").write_bytes(Path("/bin/true").resolve().read_bytes())
    os.chmod(place.mnt / "tool", 0o755)
    assert subprocess.run([place.mnt / "tool"], check=False).returncode == 0


def test_a_hole_reads_as_zeros(place: Place) -> None:
    with open(place.mnt / "f", "w+b", buffering=0) as file:
        os.pwrite(file.fileno(), b"end", 3_000_000)
        assert os.pread(file.fileno(), 100, 1_500_000) == bytes(100)
        assert os.pread(file.fileno(), 100, 2_999_990) == bytes(10) + b"end"
    assert (place.disk / "f").read_bytes() == bytes(3_000_000) + b"end"


def test_exactly_one_of_twenty_makes_the_file(place: Place) -> None:
    program = (
        "import os, sys\n"
        "try: os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_EXCL)\n"
        "except FileExistsError: print('late')\n"
        "else: print('won')\n"
    )
    racers = [_python(program, str(place.mnt / "lock")) for _ in range(20)]
    said = sorted(racer.communicate(timeout=60)[0].strip() for racer in racers)
    assert said == ["late"] * 19 + ["won"]


@pytest.mark.parametrize("count", [3000, pytest.param(100_000, marks=pytest.mark.soak)])
def test_a_listing_is_whole_while_files_come_and_go(place: Place, count: int) -> None:
    stay = {f"stays{number}" for number in range(count)}
    for name in stay:
        (place.disk / name).touch()
    for number in range(500):
        (place.mnt / f"goes{number}").touch()
    seen = []
    with os.scandir(place.mnt) as entries:
        for at, entry in enumerate(entries):
            seen.append(entry.name)
            if at % (count // 250) == 0:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(place.mnt / f"goes{at // (count // 250)}")
                (place.mnt / f"comes{at}").touch()
    assert len(seen) == len(set(seen))
    assert stay <= set(seen)


@pytest.mark.parametrize("letter", ["x", "é", "ж", "海", "🐚"])
def test_names_of_255_bytes_in_any_script(place: Place, letter: str) -> None:
    name = letter * (255 // len(letter.encode()))
    (place.mnt / name).write_bytes(b"deep")
    assert os.listdir(place.mnt) == [name]
    assert (place.disk / name).read_bytes() == b"deep"
    os.rename(place.mnt / name, place.mnt / "short")
    _eventually(place.disk, ["short"])


def test_the_deepest_path_that_the_server_takes(place: Place) -> None:
    """Relative steps, so that only the server's own limit ends it."""
    program = (
        "import os, sys\n"
        "os.chdir(sys.argv[1])\n"
        "depth = 0\n"
        "try:\n"
        "    while depth < 200:\n"
        "        os.mkdir('d' * 100); os.chdir('d' * 100); depth += 1\n"
        "except OSError as error: print(depth, error.errno)\n"
        "else: print(depth, 0)\n"
        "os.chdir('..')\n"  # room for a name
        "open('bottom', 'w').write('here')\n"
        "print(open('bottom').read(), os.stat('bottom').st_size)\n"
    )
    done = _python(program, str(place.mnt))
    depth, code, text, size = done.communicate(timeout=60)[0].split()
    assert int(depth) >= 9  # Samba takes 1,024 bytes, the share's own path included
    assert (text, size) == ("here", "4")
    assert int(code) in (0, errno.ENOENT, errno.ENAMETOOLONG, errno.EILSEQ)
    shutil.rmtree(place.disk / ("d" * 100))  # Samba makes one more than it can remove


def test_a_pair_of_hard_links_is_one_inode(place: Place) -> None:
    (place.mnt / "one").write_bytes(b"shared")
    os.link(place.mnt / "one", place.mnt / "two")
    one, two = (place.mnt / "one").stat(), (place.mnt / "two").stat()
    assert one.st_ino == two.st_ino
    assert one.st_nlink == two.st_nlink == 2
    with open(place.mnt / "one", "ab") as file:
        file.write(b" bytes")
    assert (place.mnt / "two").read_bytes() == b"shared bytes"
    os.unlink(place.mnt / "one")
    assert (place.mnt / "two").stat().st_nlink == 1


def test_make_sees_what_is_newer(place: Place) -> None:
    (place.mnt / "Makefile").write_text("out: in\n\tcp in out\n")
    (place.mnt / "in").write_text("1")

    def make() -> str:
        return subprocess.run(
            ["make", "-s", "--no-print-directory", "-C", place.mnt, "--trace"],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip

    assert "cp in out" in make()
    assert "cp in out" not in make()
    time.sleep(0.02)
    (place.mnt / "in").write_text("2")
    assert "cp in out" in make()
    assert "cp in out" not in make()
    assert (place.disk / "out").read_text() == "2"
