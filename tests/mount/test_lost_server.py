"""A server that goes away while mounted: an errno in time, no hang, and an unmount that works.

In options there is no time-out to choose yet, so these tests know the defaults: 30 s for an
answer, 10 s between signs of life.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.lab.mounts import daemon_of, is_mounted, mount, mounted, wait_gone
from tests.lab.proxy import Proxy
from tests.lab.samba import USER, SambaServer

_OPERATIONS: dict[str, Callable[[Path], object]] = {
    "stat": lambda d: os.stat(d / "file"),
    "stat of what is not there": lambda d: os.stat(d / "absent"),
    "open": lambda d: os.open(d / "file", os.O_RDONLY),
    "create": lambda d: os.open(d / "new", os.O_WRONLY | os.O_CREAT),
    "listdir": os.listdir,
    "mkdir": lambda d: os.mkdir(d / "dir"),
    "rename": lambda d: os.rename(d / "file", d / "moved"),
    "unlink": lambda d: os.unlink(d / "file"),
    "truncate": lambda d: os.truncate(d / "file", 1),
    "utime": lambda d: os.utime(d / "file"),
    "statvfs": os.statvfs,
}


def _failed_within(seconds: float, call: Callable[[], object]) -> None:
    start = time.monotonic()
    with pytest.raises(OSError) as caught:
        call()
    assert caught.value.errno
    assert time.monotonic() - start < seconds


def _unmounts(mountpoint: Path) -> None:
    pid = daemon_of(mountpoint)
    assert pid is not None
    subprocess.run(["umount", mountpoint], check=True, timeout=10)
    wait_gone(pid, 5)
    assert not is_mounted(mountpoint)


def test_every_operation_fails_at_once_when_the_server_is_gone() -> None:
    with SambaServer() as server:
        (server.path_of("plain") / "file").write_bytes(bytes(1 << 20))
        with mounted(server, "plain", "actimeo=0") as mountpoint:
            with open(mountpoint / "file", "rb", buffering=0) as reading:
                assert reading.read(10) == bytes(10)
                server.stop()
                for operation in _OPERATIONS.values():
                    _failed_within(5, partial(operation, mountpoint))
            _unmounts(mountpoint)


def test_data_that_cannot_be_written_is_said_so() -> None:
    with SambaServer() as server, mounted(server) as mountpoint:
        descriptor = os.open(mountpoint / "lost", os.O_WRONLY | os.O_CREAT)
        os.write(descriptor, b"arrives")
        server.stop()

        def write_and_sync() -> None:
            os.write(descriptor, bytes(1 << 20))
            os.fsync(descriptor)

        _failed_within(5, write_and_sync)
        os.close(descriptor)  # fsync has said it already
        _unmounts(mountpoint)


def test_a_cut_connection_fails_what_waits_on_it(samba: SambaServer) -> None:
    with (
        Proxy(samba.address, samba.port) as proxy,
        mounted(samba, address=proxy.address, port=proxy.port) as mountpoint,
    ):
        (mountpoint / "x").write_bytes(b"x")
        proxy.stall()
        failed: list[OSError] = []

        def wait() -> None:
            try:
                os.stat(mountpoint / "another")
            except OSError as error:
                failed.append(error)

        waiting = threading.Thread(target=wait)
        waiting.start()
        while proxy.held == 0:
            time.sleep(0.005)  # until the request is on its way
        proxy.cut()
        waiting.join(5)
        assert failed
        _unmounts(mountpoint)


def test_a_server_that_falls_silent_is_given_up(samba: SambaServer) -> None:
    """Every operation of many at once ends with an errno within the time-out."""
    with (
        Proxy(samba.address, samba.port) as proxy,
        mounted(samba, "plain", "actimeo=0", address=proxy.address, port=proxy.port) as mountpoint,
    ):
        (mountpoint / "file").write_bytes(bytes(1 << 20))
        proxy.stall()
        start = time.monotonic()
        calls = "\n".join(f"stat {mountpoint}/{n} >/dev/null 2>&1 && echo {n} &" for n in range(20))
        done = subprocess.run(
            ["sh", "-c", f"{calls}\nwait"], capture_output=True, text=True, timeout=60, check=True
        )
        assert done.stdout == ""  # none succeeded
        assert time.monotonic() - start < 45
        _failed_within(5, lambda: os.listdir(mountpoint))
        _unmounts(mountpoint)


def test_a_silent_server_does_not_keep_sigterm_from_ending_a_mount(samba: SambaServer) -> None:
    with (
        Proxy(samba.address, samba.port) as proxy,
        mounted(samba, address=proxy.address, port=proxy.port) as mountpoint,
    ):
        (mountpoint / "file").write_bytes(b"x")
        pid = daemon_of(mountpoint)
        assert pid is not None
        proxy.stall()
        os.kill(pid, signal.SIGTERM)
        wait_gone(pid, 8)  # it waits a while for the server's goodbye
        assert not is_mounted(mountpoint)


def test_an_unmount_does_not_wait_for_what_a_silent_server_owes(samba: SambaServer) -> None:
    """Closes are under way when the mount is taken away, and nobody waits for them."""
    with (
        Proxy(samba.address, samba.port) as proxy,
        mounted(samba, address=proxy.address, port=proxy.port) as mountpoint,
    ):
        files = [(mountpoint / f"open-{n}").open("wb") for n in range(3)]
        pid = daemon_of(mountpoint)
        assert pid is not None
        proxy.stall()
        for file in files:
            file.close()
        time.sleep(0.1)
        subprocess.run(["fusermount3", "-u", mountpoint], check=True)
        wait_gone(pid, 3)


@pytest.mark.parametrize("how", ["cut", "stall", "garble"])
@pytest.mark.parametrize("number", range(5))  # NEGOTIATE, twice SESSION_SETUP, TREE_CONNECT, CREATE
def test_a_server_that_fails_at_any_answer_of_the_mount_refuses_it_in_a_sentence(
    samba: SambaServer, tmp_path: Path, how: str, number: int
) -> None:
    with Proxy(samba.address, samba.port) as proxy:

        def alter(count: int, frame: bytes) -> bytes | None:
            if count != number:
                return frame
            if how == "garble":
                return frame[:4] + bytes(byte ^ 0x5A for byte in frame[4:])
            if how == "cut":
                threading.Thread(target=proxy.cut).start()
            return None

        proxy.alter = alter
        options = [f"port={proxy.port}", f"username={USER}", "connect_timeout=1"]
        start = time.monotonic()
        done = mount(f"//{proxy.address}/plain", tmp_path, options)
        assert time.monotonic() - start < 5
        assert done.returncode == 32
        (line,) = done.stderr.splitlines()
        assert proxy.address in line
        assert not is_mounted(tmp_path)


def test_a_server_that_never_answers_is_given_up_when_mounting(
    samba: SambaServer, tmp_path: Path
) -> None:
    with Proxy(samba.address, samba.port) as proxy:
        proxy.stall()
        start = time.monotonic()
        done = mount(f"//{proxy.address}/plain", tmp_path, [f"port={proxy.port}", "username=x"])
        assert time.monotonic() - start < 20
        assert done.returncode == 32
        (line,) = done.stderr.splitlines()
        assert "did not finish within" in line
        assert not is_mounted(tmp_path)
