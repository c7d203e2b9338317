"""Callers who wait for an answer that does not come: killed, interrupted, or merely disturbed."""

import os
import select
import signal
import subprocess
import time

import pytest

from smbmount.fuse_ops import extension

from .conftest import MountedToy

pytestmark = pytest.mark.skipif(
    not extension.available, reason=f"no extension: {extension.unavailable_because}"
)
_SOON = 0.2  # seconds from the signal to the end of the process

CALLS = {
    "lookup": "import os, sys; os.stat(sys.argv[1])",
    "getattr": "import os, sys; os.stat(sys.argv[1])",
    "setattr": "import os, sys; os.truncate(sys.argv[1], 3)",
    "open": "import os, sys; os.open(sys.argv[1], os.O_RDONLY)",
    "create": "import os, sys; os.open(sys.argv[1] + '-new', os.O_CREAT | os.O_WRONLY)",
    "read": "import os, sys; os.read(os.open(sys.argv[1], os.O_RDONLY), 5)",
    "write": "import os, sys; os.write(os.open(sys.argv[1], os.O_WRONLY), b'5')",
    "fsync": "import os, sys; os.fsync(os.open(sys.argv[1], os.O_WRONLY))",
    "flush": "import os, sys; os.close(os.open(sys.argv[1], os.O_WRONLY))",
    "unlink": "import os, sys; os.unlink(sys.argv[1])",
    "rename": "import os, sys; os.rename(sys.argv[1], sys.argv[1] + '-moved')",
    "opendir": "import os, sys; os.listdir(os.path.dirname(sys.argv[1]))",
    "readdir": "import os, sys; os.listdir(os.path.dirname(sys.argv[1]))",
    "statfs": "import os, sys; os.statvfs(sys.argv[1])",
    "setlk": "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX)",
    "flock": "import fcntl, sys; fcntl.flock(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX)",
    "copy_file_range": (
        "import os, sys; f = os.open(sys.argv[1], os.O_RDWR); os.copy_file_range(f, f, 2, 0, 6)"
    ),
}
DEFAULT_SIGINT = "import signal; signal.signal(signal.SIGINT, signal.SIG_DFL)\n"


def stalled_caller(toy: MountedToy, operation: str, prefix: str = "") -> subprocess.Popen[bytes]:
    """A process that waits for `operation`."""
    (toy.mountpoint / "file").write_bytes(b"0123456789")
    if operation == "read":  # a buffered one is the kernel's read-ahead, which nobody waits for
        (toy.control / "direct").touch()
    toy.stall(operation)
    caller = toy.call(prefix + CALLS[operation])
    toy.wait_for("stalled", operation=operation)
    return caller


def seconds_to_die(caller: subprocess.Popen[bytes], number: signal.Signals) -> float:
    """How long it takes a process to be gone, signalled."""
    pidfd = os.pidfd_open(caller.pid)
    try:
        start = time.monotonic()
        caller.send_signal(number)
        gone, _, _ = select.select([pidfd], [], [], 5)
        assert gone, f"still there 5 s after {number.name}"
        return time.monotonic() - start
    finally:
        os.close(pidfd)


@pytest.mark.parametrize("operation", CALLS)
def test_a_killed_caller_is_gone_at_once(toy: MountedToy, operation: str) -> None:
    caller = stalled_caller(toy, operation)
    assert seconds_to_die(caller, signal.SIGKILL) < _SOON
    toy.wait_for("cancelled", operation=operation)


@pytest.mark.parametrize("operation", CALLS)
def test_control_c_ends_a_caller_at_once(toy: MountedToy, operation: str) -> None:
    caller = stalled_caller(toy, operation, DEFAULT_SIGINT)
    assert seconds_to_die(caller, signal.SIGINT) < _SOON
    assert caller.wait() == -signal.SIGINT


def test_a_buffered_read_can_be_killed_though_its_request_goes_on(toy: MountedToy) -> None:
    (toy.mountpoint / "file").write_bytes(b"0123456789")
    toy.stall("read")
    caller = toy.call(CALLS["read"])
    toy.wait_for("stalled", operation="read")
    assert seconds_to_die(caller, signal.SIGKILL) < _SOON


def test_a_caller_who_handles_the_signal_gets_eintr(toy: MountedToy) -> None:
    handler = (
        "import signal\n"
        "def caught(*_): raise KeyError('the handler ran')\n"
        "signal.signal(signal.SIGUSR1, caught)\n"
    )
    caller = stalled_caller(toy, "getattr", handler)
    assert seconds_to_die(caller, signal.SIGUSR1) < _SOON
    assert caller.wait() == 1


def test_a_ticking_timer_does_not_disturb_a_wait_but_a_later_kill_does(toy: MountedToy) -> None:
    timer = (
        "import signal\n"
        "signal.signal(signal.SIGALRM, lambda *_: None)\n"
        "signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)\n"
    )
    caller = stalled_caller(toy, "getattr", timer)
    time.sleep(0.2)  # ten ticks; nothing is to happen
    assert len(toy.events("stalled", operation="getattr")) == 1
    assert not toy.events("cancelled", operation="getattr")
    assert seconds_to_die(caller, signal.SIGKILL) < _SOON


def test_a_process_that_dies_with_files_open_does_not_wait_for_their_flush(
    toy: MountedToy,
) -> None:
    (toy.mountpoint / "file").write_bytes(b"0123456789")
    toy.stall("flush")
    caller = toy.call(
        "import os, sys, time; os.open(sys.argv[1], os.O_WRONLY); print('open', flush=True);"
        "time.sleep(60)"
    )
    assert caller.stdout is not None
    assert caller.stdout.readline() == b"open\n"
    assert seconds_to_die(caller, signal.SIGKILL) < _SOON


def test_a_thread_of_a_killed_process_lets_go_too(toy: MountedToy) -> None:
    threaded = "import threading, os, sys\nos_stat = os.stat\n"
    threaded += "os.stat = lambda p: [t := threading.Thread(target=os_stat, args=(p,)),"
    threaded += " t.start(), t.join()]\n"
    caller = stalled_caller(toy, "getattr", threaded)
    assert seconds_to_die(caller, signal.SIGKILL) < _SOON


def test_with_300_callers_waiting_each_can_still_be_killed(toy: MountedToy) -> None:
    (toy.mountpoint / "file").write_bytes(b"0123456789")
    toy.stall("getattr")
    callers = toy.call(
        "import os, sys, threading\n"
        "for _ in range(300): threading.Thread(target=os.stat, args=(sys.argv[1],)).start()"
    )
    while len(toy.events("stalled")) < 300:
        assert callers.poll() is None
        time.sleep(0.01)
    one_more = toy.call(CALLS["getattr"])
    while len(toy.events("stalled")) < 301:
        time.sleep(0.01)
    assert seconds_to_die(one_more, signal.SIGKILL) < _SOON
    assert seconds_to_die(callers, signal.SIGKILL) < 5 * _SOON  # 300 cancellations
    toy.release("getattr")
    assert (toy.mountpoint / "file").stat().st_size == 10
