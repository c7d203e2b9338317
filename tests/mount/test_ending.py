"""Three ways to end a mount, each clean, quick, and with everything written."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.mounts import daemon_of, is_mounted, mounted, wait_gone
from tests.lab.samba import SambaServer

_PATIENCE = 2.0  # seconds that an end may take
_CONTENT = os.urandom(24 << 20)


def _run(*words: str | Path) -> None:
    subprocess.run(words, check=True)


def _terminate(mountpoint: Path) -> None:
    pid = daemon_of(mountpoint)
    assert pid is not None
    os.kill(pid, signal.SIGTERM)


_ENDS: list[Callable[[Path], None]] = [
    lambda mountpoint: _run("umount", mountpoint),
    lambda mountpoint: _run("fusermount3", "-u", mountpoint),
    _terminate,
]


def _ended(mountpoint: Path, pid: int, start: float) -> None:
    wait_gone(pid, _PATIENCE)
    assert time.monotonic() - start < _PATIENCE
    assert not is_mounted(mountpoint)
    assert os.listdir(mountpoint) == []  # the bare directory again, not a dead mount


@pytest.mark.parametrize("end", _ENDS, ids=["umount", "fusermount3", "SIGTERM"])
def test_an_end_is_clean_and_everything_is_written(
    samba: SambaServer, end: Callable[[Path], None]
) -> None:
    file = samba.path_of("plain") / "last words"
    with mounted(samba) as mountpoint:
        pid = daemon_of(mountpoint)
        assert pid is not None
        (mountpoint / file.name).write_bytes(_CONTENT)  # and no fsync
        start = time.monotonic()
        end(mountpoint)
        _ended(mountpoint, pid, start)
        assert file.read_bytes() == _CONTENT
        assert samba.open_files() == []
        assert samba.smbstatus()["sessions"] == {}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_mount_in_use_and_loses_nothing_written(
    samba: SambaServer, number: signal.Signals
) -> None:
    file = samba.path_of("plain") / "in use"
    with mounted(samba) as mountpoint:
        pid = daemon_of(mountpoint)
        assert pid is not None
        held = os.open(mountpoint / file.name, os.O_WRONLY | os.O_CREAT)
        os.write(held, _CONTENT)
        start = time.monotonic()
        os.kill(pid, number)
        _ended(mountpoint, pid, start)
        with pytest.raises(OSError):
            os.write(held, b"more")
        with pytest.raises(OSError):
            os.close(held)
        assert file.read_bytes() == _CONTENT
        assert samba.open_files() == []


def test_a_busy_mount_is_not_unmounted_by_umount(samba: SambaServer) -> None:
    with mounted(samba) as mountpoint:
        with open(mountpoint / "busy", "wb") as held:
            done = subprocess.run(["umount", mountpoint], capture_output=True, check=False)
            assert done.returncode != 0
            held.write(b"still works")
        assert (mountpoint / "busy").read_bytes() == b"still works"


def test_nothing_is_left_when_the_daemon_is_killed(samba: SambaServer) -> None:
    """The kernel answers for it: an errno at once, and the mount point can be freed."""
    with mounted(samba) as mountpoint:
        pid = daemon_of(mountpoint)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        wait_gone(pid)
        with pytest.raises(OSError):
            os.listdir(mountpoint)
        _run("fusermount3", "-uz", mountpoint)
        assert os.listdir(mountpoint) == []
