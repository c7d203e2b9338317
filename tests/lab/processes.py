"""Starting servers so that they cannot outlive us."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

# Waits until its standard input ends, which it does when we end in whatever way, then ends a
# process group and removes a directory. A death signal would reach the group's first process only.
# Samba's RPC servers, started on demand, are a group of their own, with its number in a file.
_GUARD = """
read -r _
kill -s TERM -- "-$1" 2>/dev/null && sleep 1
kill -s KILL -- "-$1" 2>/dev/null
for file in "$2"/pid/*.pid; do
    [ -e "$file" ] && kill -s KILL -- "-$(tr -dc 0-9 < "$file")" 2>/dev/null
done
rm -rf --one-file-system "$2"
"""


_guards: dict[int, "subprocess.Popen[bytes]"] = {}  # by the process id they watch over


class DidNotStart(Exception):
    """A server did not come up; the text holds the end of its log."""


def start(
    command: Sequence[str],
    log: Path,
    environment: dict[str, str] | None = None,
    *,
    ours: Path | None = None,
) -> "subprocess.Popen[bytes]":
    """Start a server in a session of its own, its output in `log`.

    If `ours` is given, the server ends with us even when we are killed, and that directory is
    removed then.
    """
    with log.open("ab") as out:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    if ours is not None:
        _guards[process.pid] = guard(_GUARD, str(process.pid), str(ours))
    return process


def guard(script: str, *arguments: str) -> "subprocess.Popen[bytes]":
    """A shell that waits with its first line, `read`, for us to end in whatever way.

    Whoever no longer needs it kills it and calls `communicate`.
    """
    return subprocess.Popen(
        ["sh", "-c", script, "guard", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
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


def stop(process: "subprocess.Popen[bytes]", seconds: float = 5, pids: Path | None = None) -> None:
    """End a process and all of its session, and the groups that have their numbers in `pids`."""
    others = [int(file.read_text().strip("\0\n ")) for file in pids.glob("*.pid")] if pids else []
    watcher = _guards.pop(process.pid, None)
    if watcher is not None:
        # A guard that goes on would end whatever gets this process id later.
        watcher.kill()
        watcher.communicate()
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
    for left in (group, *others):  # children that a server left behind
        try:
            os.killpg(left, signal.SIGKILL)
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
