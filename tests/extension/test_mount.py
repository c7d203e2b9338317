"""The extension under a real mount: the missing operations, and what the kernel is told."""

import ctypes
import errno
import fcntl
import os
import re
import struct
import subprocess
from pathlib import Path

import pytest

from smbmount.fuse_ops import extension

from .conftest import MountedToy

pytestmark = pytest.mark.skipif(
    not extension.available, reason=f"no extension: {extension.unavailable_because}"
)
_FLOCK = struct.Struct("hhqqi4x")  # struct flock on 64-bit Linux


@pytest.fixture
def file(toy: MountedToy) -> Path:
    path = toy.mountpoint / "file"
    path.write_bytes(b"0123456789")
    return path


def test_the_extension_is_in_place(toy: MountedToy) -> None:
    assert toy.wait_for("mounted")["in_place"] is True


def test_fcntl_locks_reach_the_handler(toy: MountedToy, file: Path) -> None:
    with open(file, "r+b") as open_file:
        fcntl.lockf(open_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 5, 3)
        fcntl.lockf(open_file, fcntl.LOCK_UN, 0, 3)
        with pytest.raises(BlockingIOError):
            fcntl.lockf(open_file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 13)
    taken, given, refused = toy.events("setlk")
    assert (taken["kind"], taken["start"], taken["end"]) == (fcntl.F_WRLCK, 3, 8)
    assert (given["kind"], given["start"], given["end"]) == (fcntl.F_UNLCK, 3, 2**63)
    assert taken["owner"] == given["owner"] == refused["owner"] != 0
    assert taken["pid"] == os.getpid()


def test_getlk_answers_with_the_lock_in_the_way(toy: MountedToy, file: Path) -> None:
    with open(file, "r+b") as open_file:
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 100, 0)
        answer = _FLOCK.unpack(fcntl.fcntl(open_file, fcntl.F_GETLK, asked))
        assert answer == (fcntl.F_WRLCK, os.SEEK_SET, 10, 20, os.getpid())
        asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 1000, 0, 0)
        answer = _FLOCK.unpack(fcntl.fcntl(open_file, fcntl.F_GETLK, asked))
        assert answer[0] == fcntl.F_UNLCK


def test_open_file_description_locks_have_the_description_as_owner(
    toy: MountedToy, file: Path
) -> None:
    ofd_setlk = 37  # F_OFD_SETLK
    lock = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 1, 0)
    with open(file, "r+b") as one, open(file, "r+b") as two:
        fcntl.fcntl(one, ofd_setlk, lock)
        fcntl.fcntl(two, ofd_setlk, lock)
        fcntl.fcntl(two, fcntl.F_SETLK, lock)
    owners = [told["owner"] for told in toy.events("setlk")]
    assert len(set(owners)) == 3


def test_flock_reaches_the_handler_and_release_tells_its_end(toy: MountedToy, file: Path) -> None:
    with open(file, "r+b") as open_file:
        fcntl.flock(open_file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    (told,) = toy.events("flock")
    assert told["op"] == fcntl.LOCK_SH | fcntl.LOCK_NB
    released = toy.wait_for("release", flock_release=True)
    assert (released["owner"], released["fh"]) == (told["owner"], told["fh"])


def test_flush_tells_whose_posix_locks_end(toy: MountedToy, file: Path) -> None:
    with open(file, "r+b") as open_file:
        fcntl.lockf(open_file, fcntl.LOCK_EX, 1, 0)
    owner = toy.events("setlk")[0]["owner"]
    assert toy.wait_for("flush", owner=owner)["operation"] == "flush"


def test_fallocate(toy: MountedToy, file: Path) -> None:
    with open(file, "r+b") as open_file:
        os.posix_fallocate(open_file.fileno(), 0, 5000)
        assert os.fstat(open_file.fileno()).st_size == 5000
        libc = ctypes.CDLL(None, use_errno=True)
        keep_size_and_punch = 3
        offset, length = ctypes.c_long(1), ctypes.c_long(2)
        assert libc.fallocate(open_file.fileno(), keep_size_and_punch, offset, length) == -1
        assert ctypes.get_errno() == errno.EOPNOTSUPP
    assert toy.events("fallocate", mode=3, offset=1, length=2)


def test_holes_are_asked_for(toy: MountedToy, file: Path) -> None:
    with open(file, "rb", buffering=0) as open_file:
        assert os.lseek(open_file.fileno(), 4, os.SEEK_HOLE) == 10
        assert os.lseek(open_file.fileno(), 4, os.SEEK_DATA) == 4
        with pytest.raises(OSError) as raised:
            os.lseek(open_file.fileno(), 10, os.SEEK_DATA)
    assert raised.value.errno == errno.ENXIO


def test_copies_within_the_mount_move_no_data(toy: MountedToy, file: Path) -> None:
    target = toy.mountpoint / "copy"
    with open(file, "rb") as source, open(target, "wb") as sink:
        assert os.copy_file_range(source.fileno(), sink.fileno(), 8, 2) == 8
    assert target.read_bytes() == b"23456789"
    assert toy.events("copy_file_range")[0] == {
        "event": "copy_file_range",
        "off_in": 2,
        "off_out": 0,
        "length": 8,
    }


def test_ioctl(toy: MountedToy, file: Path) -> None:
    read_write_4_bytes = 0xC0045301
    with open(file, "rb") as open_file:
        data = bytearray(b"abcd")
        assert fcntl.ioctl(open_file, read_write_4_bytes, data) == 5
        assert data == b"dcba"
        with pytest.raises(OSError) as raised:
            fcntl.ioctl(open_file, 0x5302)
    assert raised.value.errno == errno.ENOTTY


def test_a_listing_is_remembered_where_the_reply_says_so(toy: MountedToy, file: Path) -> None:
    def asked() -> int:
        before = len(toy.events("readdir"))
        assert os.listdir(toy.mountpoint) == ["file"]
        return len(toy.events("readdir")) - before

    assert asked() > 0
    assert asked() > 0
    (toy.control / "cache-listing").touch()
    assert asked() > 0
    assert asked() == 0
    (toy.control / "cache-listing").unlink()
    assert asked() > 0


def test_a_file_may_be_closed_without_flush(toy: MountedToy, file: Path) -> None:
    toy.wait_for("release")
    (toy.control / "no-flush").touch()
    before = len(toy.events("flush"))
    file.read_bytes()
    while len(toy.events("release")) < 2:
        pass
    assert len(toy.events("flush")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount fusectl to look")
def test_the_kernel_is_told_the_limits(toy: MountedToy, tmp_path: Path) -> None:
    device = os.stat(toy.mountpoint).st_dev
    control = tmp_path / "fusectl"
    control.mkdir()
    subprocess.run(["mount", "-t", "fusectl", "fusectl", control], check=True)
    try:
        limits = (control / str(os.minor(device)) / "max_background").read_text("ascii")
    finally:
        subprocess.run(["umount", control], check=True)
    assert limits.strip() == "17"


def test_unmounting_ends_waiting_lockers(toy: MountedToy, file: Path) -> None:
    toy.stall("setlk")
    locker = toy.call(
        "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX)"
    )
    toy.wait_for("stalled", operation="setlk")
    said = toy.ended()
    assert not re.search("Traceback|Fatal", said), said
    assert locker.wait(5) != 0
    assert toy.events("ended")
