"""cp within a mount: the server copies, judged by its disk and by what went over the wire."""

import errno
import fcntl
import hashlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from smbmount.fuse_ops import extension
from tests.lab.impacket_server import PASSWORD, USER, ImpacketServer
from tests.lab.mounts import mount, mounted, unmount
from tests.lab.proxy import Proxy
from tests.lab.samba import SambaServer, account

pytestmark = pytest.mark.skipif(
    not extension.available, reason=f"no extension: {extension.unavailable_because}"
)
MIB = 1 << 20
_SOON = 0.2  # seconds from the signal to the end of the process


class Place(NamedTuple):
    """A mount through a proxy that counts."""

    server: SambaServer
    proxy: Proxy
    mnt: Path
    disk: Path

    def carried(self) -> int:
        """Bytes on the wire so far, both ways."""
        return self.proxy.to_server + self.proxy.to_client

    def put(self, name: str, size: int) -> str:
        """Put a file of random bytes on the server's disk; its checksum."""
        block = os.urandom(MIB)
        digest = hashlib.sha256()
        with open(self.disk / name, "wb") as file:
            for number in range(size // MIB):
                part = number.to_bytes(8, "big") + block[8:]
                file.write(part)
                digest.update(part)
        os.chown(self.disk / name, *account())
        return digest.hexdigest()


def checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with (
        SambaServer() as server,
        Proxy(server.address, server.port) as proxy,
        mounted(server, port=proxy.port, address=proxy.address) as mnt,
    ):
        yield Place(server, proxy, mnt, server.path_of("plain"))


@pytest.fixture(scope="module")
def long(place: Place) -> str:
    """The checksum of `long`, a file that takes a second to copy."""
    return place.put("long", 1024 * MIB)


def wait_until_closed(place: Place, name: str) -> None:
    """The server has no handle of a file."""
    end = time.monotonic() + 5
    while any(name in path for path in place.server.open_files()):
        assert time.monotonic() < end, f"{name} is still open on the server"
        time.sleep(0.02)


def test_cp_of_a_gibibyte_moves_next_to_nothing(place: Place, long: str) -> None:
    before = place.carried()
    subprocess.run(["cp", place.mnt / "long", place.mnt / "copy"], check=True)
    assert (place.mnt / "copy").stat().st_size == 1024 * MIB
    assert place.carried() - before < 5 * MIB
    assert checksum(place.disk / "copy") == long
    (place.mnt / "copy").unlink()


def test_a_copy_goes_into_another_directory(place: Place) -> None:
    content = place.put("here", 20 * MIB)
    (place.mnt / "there").mkdir()
    before = place.carried()
    subprocess.run(["cp", "-p", place.mnt / "here", place.mnt / "there"], check=True)
    assert place.carried() - before < MIB
    assert checksum(place.disk / "there" / "here") == content


def test_what_was_written_just_now_is_copied_and_what_was_copied_is_read(place: Place) -> None:
    target = os.open(place.mnt / "target", os.O_RDWR | os.O_CREAT)
    source = os.open(place.mnt / "growing", os.O_RDWR | os.O_CREAT)
    try:
        os.write(target, b"-" * 300_000)
        assert os.pread(target, 3, 0) == b"---"  # these pages must not stay
        os.write(source, b"one " * 50_000)
        assert os.copy_file_range(source, target, 1 << 30, 0, 0) == 200_000
        os.write(source, b"two!" * 50_000)
        assert os.copy_file_range(source, target, 1 << 30, 200_000, 200_000) == 200_000
        assert os.copy_file_range(source, target, 9, 400_000, 400_000) == 0
        assert os.fstat(target).st_size == 400_000
        assert os.pread(target, 400_001, 0) == b"one " * 50_000 + b"two!" * 50_000
    finally:
        os.close(source)
        os.close(target)


def test_a_file_is_copied_while_it_is_being_written(place: Place) -> None:
    """What cp copied is what stood there: whole blocks of one round or the next, in order."""
    code = (
        "import sys\n"
        "f = open(sys.argv[1], 'wb', buffering=0)\n"
        "for n in range(400):\n"
        "    f.write(n.to_bytes(4, 'big') * 16384)\n"
        "    if n == 100: print('on', flush=True)\n"
    )
    writer = subprocess.Popen(
        [sys.executable, "-c", code, place.mnt / "moving"], stdout=subprocess.PIPE
    )
    assert writer.stdout is not None
    assert writer.stdout.readline() == b"on\n"
    subprocess.run(["cp", place.mnt / "moving", place.mnt / "snapshot"], check=True)
    with writer:
        assert writer.wait(60) == 0
    copied = (place.disk / "snapshot").read_bytes()
    whole = (place.disk / "moving").read_bytes()
    assert len(copied) >= 100 * 65536
    assert copied == whole[: len(copied)]


def test_ranges_of_one_file_may_touch_but_not_overlap(place: Place) -> None:
    path = place.mnt / "self"
    path.write_bytes(bytes(range(256)) * 1024)
    with open(path, "r+b") as file:
        number = file.fileno()
        assert os.copy_file_range(number, number, 100_000, 0, 100_000) == 100_000
        with pytest.raises(OSError) as caught:
            os.copy_file_range(number, number, 100_000, 0, 99_999)
        assert caught.value.errno == errno.EINVAL
    whole = (place.disk / "self").read_bytes()
    assert whole[100_000:200_000] == whole[:100_000]


def test_odd_offsets_and_lengths(place: Place) -> None:
    place.put("odd", 3 * MIB)
    with open(place.mnt / "odd", "rb") as source, open(place.mnt / "odd copy", "wb") as target:
        copied = os.copy_file_range(source.fileno(), target.fileno(), 2_000_003, 1_000_001, 77)
        assert copied == 2_000_003
    expected = bytes(77) + (place.disk / "odd").read_bytes()[1_000_001:3_000_004]
    assert (place.disk / "odd copy").read_bytes() == expected


def test_locked_files_are_copied_by_who_locks_them(place: Place) -> None:
    content = place.put("locked", 8 * MIB)
    (place.mnt / "locked copy").touch()
    with (
        open(place.mnt / "locked", "r+b") as source,
        open(place.mnt / "locked copy", "r+b") as sink,
    ):
        fcntl.lockf(source, fcntl.LOCK_EX)
        fcntl.lockf(sink, fcntl.LOCK_EX)
        before = place.carried()
        done = 0
        while done < 8 * MIB:
            done += os.copy_file_range(source.fileno(), sink.fileno(), 8 * MIB - done)
        assert place.carried() - before < MIB
    assert checksum(place.disk / "locked copy") == content


def test_what_another_client_has_locked_is_not_copied_around_its_lock(place: Place) -> None:
    place.put("theirs", MIB)
    with mounted(place.server) as other, open(other / "theirs", "r+b") as holder:
        fcntl.lockf(holder, fcntl.LOCK_EX)
        with open(place.mnt / "theirs", "rb") as source, open(place.mnt / "ours", "wb") as sink:
            with pytest.raises(OSError) as caught:
                os.copy_file_range(source.fileno(), sink.fileno(), MIB)
            assert caught.value.errno == errno.EACCES
    assert (place.disk / "ours").stat().st_size == 0


def test_reflinks_are_refused_at_once(place: Place) -> None:
    """FICLONE does not come through FUSE; `--reflink=auto`, cp's own choice, then copies."""
    place.put("link", MIB)
    start = time.monotonic()
    done = subprocess.run(
        ["cp", "--reflink=always", place.mnt / "link", place.mnt / "linked"],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 1
    assert b"Operation not supported" in done.stderr
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_copy_can_be_stopped_in_the_middle(
    place: Place, long: str, number: signal.Signals
) -> None:
    target = place.disk / "stopped"
    target.unlink(missing_ok=True)
    copier = subprocess.Popen(["cp", place.mnt / "long", place.mnt / "stopped"])
    while not target.exists() or target.stat().st_size < 32 * MIB:
        assert copier.poll() is None, "cp was too quick"
    assert seconds_to_die(copier, number) < _SOON
    wait_until_closed(place, "stopped")
    size = target.stat().st_size
    assert size < 1024 * MIB
    assert (place.mnt / "stopped").stat().st_size == size
    with open(place.disk / "long", "rb") as one, open(target, "rb") as other:
        while part := other.read(MIB):
            assert part == one.read(len(part))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_copy_on_a_silent_server_can_be_stopped(place: Place, number: signal.Signals) -> None:
    place.put("silent", 256 * MIB)
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_DFL)\n"
        "a = os.open(sys.argv[1], os.O_RDONLY)\n"
        "b = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT)\n"
        "print('open', flush=True); sys.stdin.readline()\n"
        "os.copy_file_range(a, b, 1 << 28)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", code, place.mnt / "silent", place.mnt / "muted"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with caller:
        assert caller.stdin is not None
        assert caller.stdout is not None
        assert caller.stdout.readline() == b"open\n"
        place.proxy.stall()
        try:
            caller.stdin.write(b"\n")
            caller.stdin.flush()
            time.sleep(0.3)
            assert seconds_to_die(caller, number) < _SOON
        finally:
            place.proxy.resume()
    wait_until_closed(place, "muted")


def seconds_to_die(process: "subprocess.Popen[bytes]", number: signal.Signals) -> float:
    """How long it takes a process to be gone, signalled."""
    pidfd = os.pidfd_open(process.pid)
    try:
        start = time.monotonic()
        process.send_signal(number)
        gone, _, _ = select.select([pidfd], [], [], 5)
        assert gone, f"still there 5 s after {number.name}"
        return time.monotonic() - start
    finally:
        os.close(pidfd)
        process.wait()


def test_others_are_served_while_a_copy_runs(place: Place, long: str) -> None:
    (place.mnt / "small").write_bytes(b"x")
    copier = subprocess.Popen(["cp", place.mnt / "long", place.mnt / "beside"])
    waits = []
    while copier.poll() is None:
        start = time.monotonic()
        with open(place.mnt / "small", "rb", buffering=0) as file:
            file.read()
        waits.append(time.monotonic() - start)
    assert copier.returncode == 0
    assert checksum(place.disk / "beside") == long
    assert len(waits) > 5
    assert sorted(waits)[len(waits) // 2] < 0.2


def test_a_server_that_does_not_copy_has_its_files_copied_through_here(tmp_path: Path) -> None:
    content = os.urandom(3 * MIB + 5)
    mnt = tmp_path / "mnt"
    mnt.mkdir()
    with ImpacketServer() as server:
        options = [f"port={server.port}", f"username={USER}"]
        done = mount(f"//{server.address}/{server.share}", mnt, options, password=PASSWORD)
        assert done.returncode == 0, done.stderr
        try:
            (mnt / "a").write_bytes(content)
            subprocess.run(["cp", mnt / "a", mnt / "b"], check=True)
            assert (mnt / "b").read_bytes() == content
            with open(mnt / "a", "rb") as file:
                assert os.lseek(file.fileno(), 7, os.SEEK_DATA) == 7
                assert os.lseek(file.fileno(), 7, os.SEEK_HOLE) == len(content)
            os.truncate(mnt / "a", 5 * MIB)
            assert (server.path / "a").stat().st_size == 5 * MIB
        finally:
            unmount(mnt)
