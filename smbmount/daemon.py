"""Into the background, but not before the mount answers.

The command forks at once, before anything has threads. The child mounts and reports through a
pipe: an empty word for "it answers", or an exit code with a sentence. The parent waits for that,
shows it and exits, so a script that calls smbmount can use the mount in its next line.
"""

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

INTERRUPTED = 8  # exit codes of mount(8)
SYSTEM_ERROR = 2


class Report:
    """The child's end of the pipe."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def ready(self) -> None:
        """The mount answers: let the parent go, and the terminal too."""
        if self._descriptor < 0:
            return
        _detach()
        self._send(b"\0")

    def failed(self, code: int, sentence: str) -> None:
        """No mount: the parent shows why."""
        if self._descriptor >= 0:
            self._send(bytes([code]) + sentence.encode("utf-8", "replace"))

    @property
    def waiting(self) -> bool:
        """True while the parent has not been told anything."""
        return self._descriptor >= 0

    def _send(self, message: bytes) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        try:
            os.write(descriptor, message)
        except BrokenPipeError:
            pass  # the parent was killed; the mount goes on
        os.close(descriptor)


def run_in_background(work: Callable[[Report], int]) -> int:
    """Run `work` in a child process; its exit code if it fails before it reports to be ready.

    Returns in the parent only.
    """
    read_end, write_end = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        os.close(read_end)
        # A session of its own: Ctrl-C on the terminal is the parent's to pass on.
        os.setsid()
        _leave(work(Report(write_end)))
    os.close(write_end)
    return _wait(child, read_end)


def _leave(code: int) -> NoReturn:
    """End the child without the parent's clean-up handlers."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _wait(child: int, read_end: int) -> int:
    def pass_on(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, pass_on)
    try:
        with open(read_end, "rb") as pipe:
            message = pipe.read()
    except KeyboardInterrupt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        return INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    if message == b"\0":
        return 0
    _, status = os.waitpid(child, 0)
    if message:
        print(f"smbmount: {message[1:].decode('utf-8', 'replace')}", file=sys.stderr)
        return message[0]
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        print(f"smbmount: ended by signal {-code}", file=sys.stderr)
    return code if code > 0 else SYSTEM_ERROR


def _detach() -> None:
    """Let go of the terminal and of the directory it was called in."""
    os.chdir("/")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    if null > 2:
        os.close(null)
