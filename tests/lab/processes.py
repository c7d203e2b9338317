"""Starting servers so that they cannot outlive us."""

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class DidNotStart(Exception):
    """A server did not come up; the text holds the end of its log."""


def _die_with_parent() -> None:
    """Runs in the child: the kernel ends it when the thread that started it ends."""
    os.setsid()
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def start(
    command: Sequence[str], log: Path, environment: dict[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Start a server in a session of its own, its output in `log`."""
    with log.open("ab") as out:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            preexec_fn=_die_with_parent,
        )


def wait_until(
    ready: Callable[[], bool], process: "subprocess.Popen[bytes]", log: Path, seconds: float = 20
) -> None:
    """Until `ready`. Raises DidNotStart if the process ends or the time is over."""
    end = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None or time.monotonic() > end:
            tail = log.read_text("utf-8", "replace")[-2000:]
            raise DidNotStart(f"{process.args!r} exited {process.poll()}:\n{tail}")
        time.sleep(0.02)


def stop(process: "subprocess.Popen[bytes]", seconds: float = 5) -> None:
    """End a process and all of its session."""
    group = process.pid
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(group, number)
        except ProcessLookupError:
            break
        try:
            process.wait(seconds)
            break
        except subprocess.TimeoutExpired:
            continue
    process.wait()
    try:
        os.killpg(group, signal.SIGKILL)  # children that a server left behind
    except ProcessLookupError:
        pass


def listens(address: str, port: int) -> bool:
    """True if something accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((address, port)) == 0


def free_port(address: str) -> int:
    """A TCP port that nothing uses at this moment."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
