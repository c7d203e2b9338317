"""The mount in everyday use, judged by the server's own disk."""

import errno
import hashlib
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer


@pytest.fixture(scope="module")
def mnt(samba: SambaServer) -> Iterator[Path]:
    with mounted(samba) as directory:
        yield directory


@pytest.fixture(scope="module")
def disk(samba: SambaServer) -> Path:
    """The same directory, on the server's disk."""
    return samba.path_of("plain")


def test_what_is_written_is_on_the_servers_disk(mnt: Path, disk: Path) -> None:
    content = os.urandom(3_000_001)
    (mnt / "a file").write_bytes(content)
    assert (disk / "a file").read_bytes() == content
    assert (mnt / "a file").read_bytes() == content


def test_what_the_server_has_is_seen(mnt: Path, disk: Path) -> None:
    (disk / "theirs").mkdir()
    (disk / "theirs" / "x").write_bytes(b"hello")
    assert sorted(os.listdir(mnt / "theirs")) == ["x"]
    assert (mnt / "theirs" / "x").read_text() == "hello"


def test_metadata_is_the_servers(mnt: Path, disk: Path) -> None:
    path = disk / "dated"
    path.write_bytes(bytes(12345))
    when = 1_234_567_890_123_456_700
    os.utime(path, ns=(when, when))
    seen = (mnt / "dated").stat()
    assert (seen.st_size, seen.st_mtime_ns) == (12345, when)
    (entry,) = [entry for entry in os.scandir(mnt) if entry.name == "dated"]
    assert entry.inode() == seen.st_ino


def test_times_are_set_to_100_ns(mnt: Path, disk: Path) -> None:
    (mnt / "times").write_bytes(b"")
    os.utime(mnt / "times", ns=(1_700_000_000_000_000_100, 1_600_000_000_123_456_789))
    seen = (disk / "times").stat()
    assert seen.st_mtime_ns == 1_600_000_000_123_456_700
    assert seen.st_atime_ns == 1_700_000_000_000_000_100


def test_inode_numbers_survive_a_remount(samba: SambaServer, mnt: Path) -> None:
    (mnt / "numbered").write_bytes(b"1")
    with mounted(samba) as again:
        assert (again / "numbered").stat().st_ino == (mnt / "numbered").stat().st_ino


def test_truncate_shrinks_and_extends(mnt: Path, disk: Path) -> None:
    (mnt / "cut").write_bytes(b"0123456789")
    os.truncate(mnt / "cut", 4)
    assert (disk / "cut").read_bytes() == b"0123"
    with open(mnt / "cut", "r+b") as file:
        file.truncate(6)
        assert os.fstat(file.fileno()).st_size == 6
    assert (disk / "cut").read_bytes() == b"0123\0\0"


def test_the_write_bit_is_the_read_only_attribute(mnt: Path) -> None:
    path = mnt / "locked"
    path.write_bytes(b"x")
    path.chmod(0o444)
    assert path.stat().st_mode & 0o222 == 0
    path.chmod(0o644)
    assert path.stat().st_mode & 0o200
    path.chmod(0o444)
    path.unlink()  # POSIX asks the directory, not the file
    assert not path.exists()


def test_rename_replaces_unless_told_not_to(mnt: Path, disk: Path) -> None:
    (mnt / "old").write_bytes(b"old")
    (mnt / "new").write_bytes(b"new")
    os.rename(mnt / "old", mnt / "new")
    assert (disk / "new").read_bytes() == b"old"
    assert not (mnt / "old").exists()
    (mnt / "other").write_bytes(b"other")
    done = subprocess.run(["mv", "-n", mnt / "other", mnt / "new"], check=False)
    assert done.returncode in (0, 1)
    assert (disk / "new").read_bytes() == b"old"
    assert (mnt / "other").exists()


def test_renaming_over_directories_is_posix(mnt: Path) -> None:
    (mnt / "full" / "child").mkdir(parents=True)
    (mnt / "empty").mkdir()
    (mnt / "moving").mkdir()
    with pytest.raises(OSError) as caught:
        os.rename(mnt / "moving", mnt / "full")
    assert caught.value.errno == errno.ENOTEMPTY
    os.rename(mnt / "moving", mnt / "empty")
    assert not (mnt / "moving").exists()
    assert (mnt / "empty").is_dir()


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda d: os.mkdir(d), errno.EEXIST),
        (lambda d: os.rmdir(d), errno.ENOTEMPTY),
        (lambda d: os.unlink(d), errno.EISDIR),
        (lambda d: os.rmdir(d / "file"), errno.ENOTDIR),
        (lambda d: os.open(d / "none", os.O_RDONLY), errno.ENOENT),
        (lambda d: os.open(d / "none" / "deep", os.O_RDONLY), errno.ENOENT),
        (lambda d: os.open(d / "file", os.O_CREAT | os.O_EXCL), errno.EEXIST),
        (lambda d: os.open(d / "file" / "x", os.O_RDONLY), errno.ENOTDIR),
        (lambda d: os.open(d / ("x" * 256), os.O_CREAT), errno.ENAMETOOLONG),
        (lambda d: os.open(os.fsencode(d) + b"/\xff\xfe", os.O_CREAT), errno.EILSEQ),
    ],
)
def test_failures_have_their_errno(mnt: Path, call: object, code: int) -> None:
    directory = mnt / "errors"
    directory.mkdir(exist_ok=True)
    (directory / "file").touch()
    with pytest.raises(OSError) as caught:
        call(directory)  # type: ignore[operator]
    assert caught.value.errno == code


def test_forbidden_characters_come_back_as_they_went(mnt: Path, disk: Path) -> None:
    directory = mnt / "names"
    directory.mkdir()
    names = ['a:b*c?"<>|\\d', "ends in dot.", "ends in space ", "tab\there", "日本語", "😀"]
    for name in names:
        (directory / name).write_text(name)
    assert sorted(os.listdir(directory)) == sorted(names)
    assert all((directory / name).read_text() == name for name in names)
    assert "日本語" in os.listdir(disk / "names")


def test_statfs_is_the_servers_disk(mnt: Path, disk: Path) -> None:
    ours, theirs = os.statvfs(mnt), os.statvfs(disk)
    assert ours.f_blocks * ours.f_frsize == theirs.f_blocks * theirs.f_frsize
    assert abs(ours.f_bavail * ours.f_frsize - theirs.f_bavail * theirs.f_frsize) < 1 << 30
    assert ours.f_namemax == 255


def test_a_subdirectory_can_be_mounted(samba: SambaServer, disk: Path) -> None:
    (disk / "sub" / "dir").mkdir(parents=True)
    os.chmod(disk / "sub", 0o777)
    os.chmod(disk / "sub" / "dir", 0o777)
    with mounted(samba, "plain/sub/dir") as inner:
        (inner / "f").write_text("deep")
        os.rename(inner / "f", inner / "g")
        assert os.listdir(inner) == ["g"]
    assert (disk / "sub" / "dir" / "g").read_text() == "deep"


def test_a_read_only_share_is_read_only(samba: SambaServer) -> None:
    (samba.path_of("readonly") / "x").write_text("x")
    with mounted(samba, "readonly") as directory:
        assert (directory / "x").read_text() == "x"
        with pytest.raises(PermissionError):
            (directory / "y").touch()
    with mounted(samba, "plain", "ro") as directory:
        with pytest.raises(OSError) as caught:
            (directory / "y").touch()
        assert caught.value.errno == errno.EROFS


def test_a_guest_comes_in_where_guests_may(samba: SambaServer) -> None:
    with mounted(samba, "guest", "guest", user=None, password=None) as directory:
        (directory / "g").write_text("guest")
    assert (samba.path_of("guest") / "g").read_text() == "guest"
    with mounted(samba, "guest", "sec=none", user=None, password=None) as directory:
        assert (directory / "g").read_text() == "guest"


def test_an_encrypted_share_needs_no_option(samba: SambaServer) -> None:
    content = os.urandom(5_000_000)
    with mounted(samba, "encrypted") as directory:
        (directory / "secret").write_bytes(content)
    assert (samba.path_of("encrypted") / "secret").read_bytes() == content


def test_a_large_directory_is_listed_once_and_whole(mnt: Path, disk: Path) -> None:
    directory = disk / "many"
    directory.mkdir()
    for number in range(5000):
        (directory / f"file {number:05}").touch()
    listed = [entry.name for entry in os.scandir(mnt / "many")]
    assert len(listed) == 5000
    assert set(listed) == {f"file {number:05}" for number in range(5000)}


def test_telldir_and_seekdir_lead_back(mnt: Path, disk: Path) -> None:
    (disk / "seek").mkdir()
    for number in range(300):
        (disk / "seek" / f"{number:03}").touch()
    program = """
import ctypes, sys
c = ctypes.CDLL(None)
c.opendir.restype = ctypes.c_void_p
for name in ("readdir", "telldir", "seekdir"):
    getattr(c, name).argtypes = [ctypes.c_void_p] + [ctypes.c_long] * (name == "seekdir")
c.readdir.restype, c.telldir.restype = ctypes.c_void_p, ctypes.c_long
d = c.opendir(sys.argv[1].encode())
name = lambda e: ctypes.string_at(e + 19)
for _ in range(100): c.readdir(d)
at = c.telldir(d); first = name(c.readdir(d))
for _ in range(150): c.readdir(d)
c.seekdir(d, at)
assert name(c.readdir(d)) == first
"""
    subprocess.run(["/usr/bin/python3", "-c", program, mnt / "seek"], check=True)


def test_a_tree_of_real_files_goes_in_and_out_whole(mnt: Path, disk: Path, tmp_path: Path) -> None:
    """At least 5,000 files, by cp -r and by rsync, compared on both sides."""
    source = tmp_path / "source"
    number = 0
    for part in (Path(sysconfig.get_paths()["stdlib"]), Path(sysconfig.get_paths()["purelib"])):
        shutil.copytree(
            part,
            source / str(number),
            symlinks=False,
            ignore_dangling_symlinks=True,
            ignore=shutil.ignore_patterns("site-packages", "*.so"),
        )
        number += 1
    files = sum(len(names) for _, _, names in os.walk(source))
    while files < 5000:
        shutil.copytree(source / "0", source / str(number), symlinks=True)
        number += 1
        files = sum(len(names) for _, _, names in os.walk(source))
    subprocess.run(["cp", "-r", source, mnt / "copied"], check=True)
    subprocess.run(["diff", "-r", source, disk / "copied"], check=True)
    subprocess.run(["diff", "-r", source, mnt / "copied"], check=True)
    rsync = ["rsync", "-a", "--no-perms", "--no-owner", "--no-group"]
    subprocess.run([*rsync, f"{source}/", mnt / "synced/"], check=True)
    subprocess.run(["diff", "-r", source, disk / "synced"], check=True)
    again = subprocess.run(
        [*rsync, "--stats", f"{source}/", mnt / "synced/"], check=True, capture_output=True
    )
    assert b"Number of regular files transferred: 0\n" in again.stdout
    subprocess.run(["rm", "-rf", mnt / "copied", mnt / "synced"], check=True)
    assert not (disk / "copied").exists()
    assert not (disk / "synced").exists()


def test_a_gigabyte_sparse_file_has_exact_64_bit_sizes(mnt: Path, disk: Path) -> None:
    size = (1 << 40) + 12345
    with open(mnt / "vast", "wb") as file:
        file.seek(size - 1)
        file.write(b"!")
    assert (mnt / "vast").stat().st_size == (disk / "vast").stat().st_size == size
    with open(mnt / "vast", "rb") as file:
        file.seek(size - 1)
        assert file.read() == b"!"
    (mnt / "vast").unlink()


def test_checksums_of_a_large_file_agree(mnt: Path, disk: Path) -> None:
    content = os.urandom(1 << 20) * 40
    (mnt / "large").write_bytes(content)
    with open(mnt / "large", "rb") as file:
        assert hashlib.file_digest(file, "sha256").hexdigest() == (
            hashlib.sha256(content).hexdigest()
        )
    assert (disk / "large").read_bytes() == content
