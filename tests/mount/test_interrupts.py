"""Signals end whoever waits for a silent server, and nothing of the wait is left afterwards."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.proxy import Proxy
from tests.lab.samba import SambaServer

# What each process does before the server falls silent, and after.
OPERATIONS = {
    "lookup": ("pass", "os.stat(d + '/other')"),
    "getattr": ("os.stat(d + '/file'); time.sleep(0.01)", "os.stat(d + '/file')"),
    "open": ("os.stat(d + '/file')", "os.open(d + '/file', os.O_RDWR)"),
    "create": ("pass", "os.open(d + '/new' + str(os.getpid()), os.O_CREAT | os.O_RDWR)"),
    "read": (
        "fd = os.open(d + '/file', os.O_RDONLY | os.O_DIRECT); b = mmap.mmap(-1, 4096)",
        "os.preadv(fd, [b], 0)",
    ),
    "buffered read": ("fd = os.open(d + '/file', os.O_RDONLY)", "os.pread(fd, 4096, 0)"),
    "write": ("fd = os.open(d + '/file', os.O_RDWR)", "os.pwrite(fd, b'x', 0)"),
    "fsync": ("fd = os.open(d + '/file', os.O_RDWR); os.write(fd, b'x')", "os.fsync(fd)"),
    "truncate": ("fd = os.open(d + '/file', os.O_RDWR)", "os.ftruncate(fd, 5)"),
    "rename": ("pass", "os.rename(d + '/old', d + '/renamed')"),
    "unlink": ("pass", "os.unlink(d + '/old')"),
    "mkdir": ("pass", "os.mkdir(d + '/directory')"),
    "readdir": ("pass", "os.listdir(d)"),
    "statfs": ("pass", "os.statvfs(d)"),
    "lock": ("fd = os.open(d + '/file', os.O_RDWR)", "fcntl.lockf(fd, fcntl.LOCK_EX)"),
    "flock": ("fd = os.open(d + '/file', os.O_RDWR)", "fcntl.flock(fd, fcntl.LOCK_EX)"),
    "unlock": (
        "fd = os.open(d + '/file', os.O_RDWR); fcntl.lockf(fd, fcntl.LOCK_EX, 1, os.getpid())",
        "fcntl.lockf(fd, fcntl.LOCK_UN)",
    ),
    "close of a locked file": (
        "fd = os.open(d + '/file', os.O_RDWR); fcntl.lockf(fd, fcntl.LOCK_SH)",
        "signal.alarm(1); os.close(fd); os.stat(d + '/more')",
    ),
    # More than what is read and written instead: the kernel heeds only SIGKILL there.
    "copy": (
        "fd = os.open(d + '/file', os.O_RDONLY); to = os.open(d + '/copy', os.O_CREAT | os.O_RDWR)",
        "os.copy_file_range(fd, to, 1 << 20)",
    ),
}
_PROGRAM = """
import fcntl, mmap, os, signal, sys, time
d = sys.argv[1]
{before}
print("ready", flush=True)
sys.stdin.readline()
{after}
"""
_SOON = 0.2  # seconds


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    with SambaServer() as server:
        yield server


@pytest.fixture(scope="module")
def proxy(server: SambaServer) -> Iterator[Proxy]:
    with Proxy(server.address, server.port) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def mountpoint(server: SambaServer, proxy: Proxy) -> Iterator[Path]:
    options = {"address": proxy.address, "port": proxy.port}
    with mounted(server, "plain", "actimeo=0", **options) as directory:  # type: ignore[arg-type]
        yield directory


def _start(name: str, mountpoint: Path) -> "subprocess.Popen[bytes]":
    before, after = OPERATIONS[name]
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(before=before, after=after), str(mountpoint)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


def _until(holds: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_signal_ends_the_wait_for_a_silent_server(
    server: SambaServer, proxy: Proxy, mountpoint: Path, name: str
) -> None:
    for file in ("file", "old"):
        (mountpoint / file).write_bytes(bytes(1 << 20))
    processes = {number: _start(name, mountpoint) for number in (signal.SIGKILL, signal.SIGINT)}
    time.sleep(0.05)
    proxy.stall()
    try:
        for process in processes.values():
            assert process.stdin is not None
            process.stdin.write(b"go\n")
            process.stdin.flush()
            # In order: the kernel lets one change a file or directory at a time, and nobody can be
            # killed who waits for that; the first is released first.
            time.sleep(0.1)
        _until(lambda: proxy.held > 0)
        time.sleep(0.2)
        for number, process in processes.items():
            assert process.poll() is None, f"{name} did not wait"
            start = time.monotonic()
            process.send_signal(number)
            process.wait(20)
            taken = time.monotonic() - start
            assert taken < _SOON, f"signal {number} took {taken:.2f} s"
    finally:
        proxy.resume()
        for process in processes.values():
            process.kill()
            process.communicate()
    _until(lambda: server.open_files() == [])
    (mountpoint / "file").write_bytes(b"works")
    assert (mountpoint / "file").read_bytes() == b"works"


_CROWD = """
import os, sys, threading
names = [f"{sys.argv[1]}/no-{n}" for n in range(300)]
for name in names:
    threading.Thread(target=lambda name=name: os.path.exists(name)).start()
print("ready", flush=True)
"""


def test_a_crowd_that_waits_for_a_silent_server_can_be_killed(
    proxy: Proxy, mountpoint: Path
) -> None:
    """Interrupts are read behind the requests before them: so all of these have to be read."""
    proxy.stall()
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", _CROWD, str(mountpoint)], stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.5)
        start = time.monotonic()
        process.kill()
        process.communicate(timeout=20)
        assert time.monotonic() - start < 2 * _SOON  # for 300
    finally:
        proxy.resume()
    assert not (mountpoint / "no-1").exists()
