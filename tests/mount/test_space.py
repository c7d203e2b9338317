"""Holes and reserved space, judged by lseek(2) and stat(2) on the server's own disk."""

import ctypes
import errno
import os
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbmount.fuse_ops import extension
from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer

pytestmark = pytest.mark.skipif(
    not extension.available, reason=f"no extension: {extension.unavailable_because}"
)
KEEP_SIZE, PUNCH_HOLE, COLLAPSE_RANGE, ZERO_RANGE = 0x01, 0x02, 0x08, 0x10
KIB, MIB = 1 << 10, 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    with SambaServer(shares={"plain": {}, "strict": {"strict allocate": "yes"}}) as server:
        yield server


@pytest.fixture(scope="module")
def mnt(server: SambaServer) -> Iterator[Path]:
    with mounted(server) as directory:
        yield directory


@pytest.fixture(scope="module")
def disk(server: SambaServer) -> Path:
    return server.path_of("plain")


def fallocate(file: int, mode: int, offset: int, length: int) -> None:
    """fallocate(2), which Python has only half of. Raises OSError."""
    if _libc.fallocate(file, mode, ctypes.c_int64(offset), ctypes.c_int64(length)):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def data_of(path: Path) -> list[tuple[int, int]]:
    """The ranges of a file that hold data, by SEEK_DATA and SEEK_HOLE."""
    found: list[tuple[int, int]] = []
    with open(path, "rb", buffering=0) as file:
        at = 0
        while True:
            try:
                start = os.lseek(file.fileno(), at, os.SEEK_DATA)
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise
                return found
            at = os.lseek(file.fileno(), start, os.SEEK_HOLE)
            found.append((start, at))


def used(path: Path) -> int:
    """Bytes that a file takes on the disk it is on, as soon as that has decided."""
    with open(path, "rb") as file:
        os.fsync(file.fileno())
    return path.stat().st_blocks * 512


def test_a_punched_hole_gives_its_space_back_on_the_server(mnt: Path, disk: Path) -> None:
    (mnt / "punched").write_bytes(os.urandom(8 * MIB))
    before = used(disk / "punched")
    with open(mnt / "punched", "r+b", buffering=0) as file:
        assert file.read(4) != bytes(4)  # these pages must go, too
        fallocate(file.fileno(), PUNCH_HOLE | KEEP_SIZE, 0, 6 * MIB)
        file.seek(0)
        assert file.read(6 * MIB) == bytes(6 * MIB)
    assert before - used(disk / "punched") >= 6 * MIB
    assert (disk / "punched").stat().st_size == 8 * MIB
    assert data_of(mnt / "punched") == data_of(disk / "punched") == [(6 * MIB, 8 * MIB)]
    assert (mnt / "punched").stat().st_blocks * 512 < 3 * MIB


def test_zeros_stay_zeros_and_grow_the_file_if_asked(mnt: Path, disk: Path) -> None:
    (mnt / "zeroed").write_bytes(b"x" * MIB)
    with open(mnt / "zeroed", "r+b") as file:
        fallocate(file.fileno(), ZERO_RANGE | KEEP_SIZE, 1000, 2 * MIB)
        assert os.fstat(file.fileno()).st_size == MIB
        fallocate(file.fileno(), ZERO_RANGE, 500, 2 * MIB)
        assert os.fstat(file.fileno()).st_size == 500 + 2 * MIB
    assert (disk / "zeroed").read_bytes() == b"x" * 500 + bytes(2 * MIB)


def test_space_is_reserved_on_a_server_that_means_it(server: SambaServer) -> None:
    disk = server.path_of("strict")
    with mounted(server, "strict") as mnt:
        with open(mnt / "reserved", "wb") as file:
            fallocate(file.fileno(), KEEP_SIZE, 0, 4 * MIB)
            assert os.fstat(file.fileno()).st_size == 0
            assert used(disk / "reserved") >= 4 * MIB
            os.posix_fallocate(file.fileno(), 0, 5 * MIB)
            assert os.fstat(file.fileno()).st_size == 5 * MIB
        assert used(disk / "reserved") >= 5 * MIB
        with open(mnt / "reserved", "r+b") as file:
            fallocate(file.fileno(), 0, MIB, MIB)  # it is there already
        assert (disk / "reserved").read_bytes() == bytes(5 * MIB)


def test_more_than_there_is_cannot_be_reserved(mnt: Path, disk: Path) -> None:
    with open(mnt / "greedy", "wb") as file, pytest.raises(OSError) as caught:
        fallocate(file.fileno(), 0, 0, 1 << 50)
    assert caught.value.errno in (errno.ENOSPC, errno.EFBIG)
    assert (disk / "greedy").stat().st_size == 0


def test_a_hole_before_the_end_is_filled_by_who_wants_it_filled(mnt: Path, disk: Path) -> None:
    with open(mnt / "filled", "w+b") as file:
        file.truncate(MIB)
        with pytest.raises(OSError) as caught:
            fallocate(file.fileno(), 0, 0, MIB)
        assert caught.value.errno == errno.EOPNOTSUPP
        os.posix_fallocate(file.fileno(), 0, MIB)  # glibc writes
    assert used(disk / "filled") >= MIB


@pytest.mark.parametrize("mode", [COLLAPSE_RANGE, PUNCH_HOLE, 0x20, 0x40])
def test_what_cannot_be_had_is_said_plainly(mnt: Path, mode: int) -> None:
    (mnt / "plain").write_bytes(bytes(64 * KIB))
    with open(mnt / "plain", "r+b") as file, pytest.raises(OSError) as caught:
        fallocate(file.fileno(), mode, 0, 4096)
    assert caught.value.errno == errno.EOPNOTSUPP


def test_a_write_farther_out_than_the_disk_goes_is_too_big(mnt: Path) -> None:
    with (mnt / "far").open("wb") as file, pytest.raises(OSError) as refused:
        os.pwrite(file.fileno(), b"x", (1 << 62) + 1)
    assert refused.value.errno == errno.EFBIG


@pytest.mark.parametrize("whence", [os.SEEK_DATA, os.SEEK_HOLE])
def test_before_the_beginning_there_is_nothing_to_seek(mnt: Path, whence: int) -> None:
    (mnt / "begin").write_bytes(b"x")
    with (mnt / "begin").open("rb") as file, pytest.raises(OSError) as refused:
        os.lseek(file.fileno(), -1, whence)
    assert refused.value.errno == errno.ENXIO


def test_behind_the_end_there_is_nothing_to_seek(mnt: Path) -> None:
    (mnt / "short").write_bytes(b"abc")
    with open(mnt / "short", "rb") as file:
        assert os.lseek(file.fileno(), 1, os.SEEK_DATA) == 1
        assert os.lseek(file.fileno(), 1, os.SEEK_HOLE) == 3
        for whence in (os.SEEK_DATA, os.SEEK_HOLE):
            with pytest.raises(OSError) as caught:
                os.lseek(file.fileno(), 3, whence)
            assert caught.value.errno == errno.ENXIO


def test_one_who_may_only_write_still_finds_holes_if_another_reads(mnt: Path) -> None:
    with open(mnt / "written only", "wb") as file:
        file.truncate(4 * MIB)
        assert os.lseek(file.fileno(), 0, os.SEEK_DATA) == 0  # no map without the right to read
        with open(mnt / "written only", "rb"), pytest.raises(OSError) as caught:
            os.lseek(file.fileno(), 0, os.SEEK_DATA)
        assert caught.value.errno == errno.ENXIO


def test_a_file_with_many_holes_is_mapped_in_linear_time(mnt: Path, disk: Path) -> None:
    with open(mnt / "many", "wb") as file:
        file.truncate(1 << 30)
    with open(disk / "many", "r+b", buffering=0) as file:
        for number in range(300):
            file.seek(number * 128 * KIB)
            file.write(b"x")
    assert data_of(mnt / "many") == data_of(disk / "many")
    assert len(data_of(mnt / "many")) == 300


SPAN = 2 * MIB


def work(path: Path, choice: random.Random, steps: int) -> bytes:
    """Random punches, zeros, writes and truncations; what the file should hold then."""
    model = bytearray()
    with open(path, "r+b", buffering=0) as file:
        for _ in range(steps):
            offset, length = choice.randrange(SPAN), choice.randrange(1, SPAN // 4)
            if choice.random() < 0.5:
                offset, length = offset & ~4095, (length + 4095) & ~4095
            end = offset + length
            match choice.choice(["punch", "zero", "grow", "write", "write", "truncate"]):
                case "punch":
                    fallocate(file.fileno(), PUNCH_HOLE | KEEP_SIZE, offset, length)
                    model[offset:end] = bytes(len(model[offset:end]))
                case "zero":
                    fallocate(file.fileno(), ZERO_RANGE | KEEP_SIZE, offset, length)
                    model[offset:end] = bytes(len(model[offset:end]))
                case "grow":
                    fallocate(file.fileno(), ZERO_RANGE, offset, length)
                    model.extend(bytes(max(0, offset - len(model))))
                    model[offset:end] = bytes(length)
                case "write":
                    data = choice.randbytes(length)
                    os.pwrite(file.fileno(), data, offset)
                    model.extend(bytes(max(0, offset - len(model))))
                    model[offset:end] = data
                case "truncate":
                    file.truncate(offset)
                    model.extend(bytes(max(0, offset - len(model))))
                    del model[offset:]
            assert os.fstat(file.fileno()).st_size == len(model)
    return bytes(model)


def check_maps(mnt: Path, disk: Path, seed: int, steps: int) -> None:
    """The mount's map and the server's own agree, and so does the content."""
    choice = random.Random(seed)
    name = f"random {seed}"
    with open(mnt / name, "wb") as file:
        file.truncate(SPAN)
        fallocate(file.fileno(), PUNCH_HOLE | KEEP_SIZE, 0, SPAN)  # marked sparse from here on
        file.truncate(0)
    model = work(mnt / name, choice, steps)
    assert (disk / name).read_bytes() == model, seed
    assert data_of(mnt / name) == data_of(disk / name), seed
    assert (mnt / name).read_bytes() == model, seed
    (mnt / name).unlink()


@pytest.mark.parametrize("seed", range(12))
def test_maps_are_the_servers_own_after_random_work(mnt: Path, disk: Path, seed: int) -> None:
    check_maps(mnt, disk, seed, 25)


@pytest.mark.soak
def test_maps_are_the_servers_own_for_a_long_time(mnt: Path, disk: Path) -> None:
    for seed in range(1000, 1300):
        check_maps(mnt, disk, seed, 40)


def sparse_source(path: Path) -> bytes:
    """A file with two islands of data; its content."""
    with open(path, "wb") as file:
        file.truncate(16 * MIB)
        file.seek(3 * MIB)
        file.write(os.urandom(MIB))
        file.seek(12 * MIB)
        file.write(os.urandom(100 * KIB))
    return path.read_bytes()


@pytest.mark.parametrize(
    "command",
    [
        ["cp", "--sparse=always"],
        ["cp", "--sparse=auto"],
        ["rsync", "-S"],
        ["rsync", "-S", "--inplace"],
    ],
)
def test_sparse_files_stay_sparse(
    mnt: Path, disk: Path, tmp_path: Path, command: list[str]
) -> None:
    content = sparse_source(tmp_path / "source")
    name = "-".join(command).replace("=", "")
    subprocess.run([*command, tmp_path / "source", mnt / f"in {name}"], check=True)
    subprocess.run([*command, mnt / f"in {name}", mnt / f"within {name}"], check=True)
    subprocess.run([*command, mnt / f"within {name}", tmp_path / "out"], check=True)
    for copy in (disk / f"in {name}", disk / f"within {name}", tmp_path / "out"):
        assert copy.read_bytes() == content
        assert used(copy) < 2 * MIB, copy
    assert data_of(mnt / f"in {name}") == data_of(disk / f"in {name}")


def test_a_gap_is_a_hole_for_other_clients_too(server: SambaServer, mnt: Path) -> None:
    with open(mnt / "gap", "wb") as file:
        file.seek(MIB)
        file.write(b"x")
    os.truncate(mnt / "gap", 4 * MIB)  # by name
    (mnt / "gapless").write_bytes(bytes(MIB))
    told = server.smbclient("plain", "allinfo gap", "allinfo gapless").stdout
    marks = [line for line in told.splitlines() if line.startswith("attributes:")]
    assert len(marks) == 2, told
    assert int(marks[0].split("(")[1].rstrip(")"), 16) & 0x200, told  # FILE_ATTRIBUTE_SPARSE_FILE
    assert not int(marks[1].split("(")[1].rstrip(")"), 16) & 0x200, told


def test_a_sparse_file_stays_so_when_it_is_renamed_or_made_read_only(mnt: Path, disk: Path) -> None:
    with open(mnt / "kept", "wb") as file:
        file.seek(MIB)
        file.write(b"x")
    (mnt / "kept").rename(mnt / "moved")
    (mnt / "moved").chmod(0o444)
    assert data_of(mnt / "moved") == data_of(disk / "moved") == [(MIB, MIB + 1)]


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("qemu-img") is None, reason="qemu-img is not installed")
def test_disk_images_stay_sparse(mnt: Path, disk: Path, tmp_path: Path) -> None:
    content = sparse_source(tmp_path / "source")
    raw, other = mnt / "image.raw", mnt / "image.qcow2"
    convert = ["qemu-img", "convert", "-f", "raw", "-O"]
    subprocess.run([*convert, "raw", tmp_path / "source", raw], check=True)
    subprocess.run([*convert, "qcow2", raw, other], check=True)
    subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw, other], check=True)
    assert (disk / "image.raw").read_bytes() == content
    for image in (disk / "image.raw", disk / "image.qcow2"):
        assert used(image) < 3 * MIB
    assert data_of(raw) == data_of(disk / "image.raw")
