"""What /proc tells of a thread's signals, asked about real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from smbmount.fuse_ops.extension.signals import is_exiting, wants_out

# Blocked signals stay pending as long as we like; unblocking would deliver them.
_STOPPED = "import os, signal, sys; print(flush=True); os.kill(os.getpid(), signal.SIGSTOP)"


@pytest.fixture
def stopped() -> Iterator[int]:
    """A stopped process: what it is sent stays pending (SIGKILL and SIGCONT apart)."""
    code = "import signal\nfor n in (10, 14, 17, 23): signal.signal(n, lambda *_: None)\n"
    child = subprocess.Popen([sys.executable, "-I", "-S", "-c", code + _STOPPED], stdout=-1)
    assert child.stdout is not None
    child.stdout.readline()
    os.waitpid(child.pid, os.WUNTRACED)
    try:
        yield child.pid
    finally:
        child.kill()
        child.communicate()


def test_nothing_pending(stopped: int) -> None:
    assert not wants_out(stopped)


@pytest.mark.parametrize("quiet", [signal.SIGALRM, signal.SIGCHLD, signal.SIGURG])
def test_timers_and_children_do_not_count(stopped: int, quiet: signal.Signals) -> None:
    os.kill(stopped, quiet)
    assert not wants_out(stopped)


def test_a_signal_that_is_meant_for_someone_counts(stopped: int) -> None:
    os.kill(stopped, signal.SIGALRM)
    os.kill(stopped, signal.SIGUSR1)
    assert wants_out(stopped)


def test_blocked_signals_do_not_count() -> None:
    code = "import signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]);"
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", code + "print(flush=True); sys.stdin.read()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.terminate()
    time.sleep(0.05)
    try:
        assert not wants_out(child.pid)
    finally:
        child.kill()
        child.communicate()


def test_who_is_not_there_wants_out() -> None:
    assert wants_out(0)  # in a namespace that cannot be seen
    assert not is_exiting(0)


def test_a_dead_process_is_exiting() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert is_exiting(child.pid)
    assert wants_out(child.pid)
    child.wait()


def test_we_are_not() -> None:
    assert not is_exiting(os.getpid())
    assert not wants_out(os.getpid())
