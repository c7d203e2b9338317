"""A mounted toy for each test, unmounted whatever happens."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_PATIENCE = 10.0  # seconds for what takes milliseconds on an idle machine
_ROOT = Path(__file__).parents[2]


def mounted(path: Path) -> bool:
    """Whether something is mounted there. A stat would ask the file system itself."""
    table = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    return any(line.split()[4] == str(path) for line in table.splitlines())


class MountedToy:
    """The toy file system, run by a process of its own."""

    def __init__(self, base: Path, module: str) -> None:
        self.mountpoint = base / "mount"
        self.control = base / "control"
        self.mountpoint.mkdir()
        self.control.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, str(self.mountpoint), str(self.control)],
            cwd=_ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.callers: list[subprocess.Popen[bytes]] = []
        self.stderr: str | None = None

    def events(self, event: str, **wanted: Any) -> list[dict[str, Any]]:
        """What has happened, of one kind."""
        try:
            text = (self.control / "events").read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        told = [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
        return [
            one
            for one in told
            if one["event"] == event and all(one.get(key) == wanted[key] for key in wanted)
        ]

    def wait_for(self, event: str, **wanted: Any) -> dict[str, Any]:
        """The first event of a kind, as soon as it has happened."""
        end = time.monotonic() + _PATIENCE
        while time.monotonic() < end:
            if found := self.events(event, **wanted):
                return found[0]
            if self.process.poll() is not None:
                break
            time.sleep(0.002)
        raise AssertionError(f"no {event} {wanted}; the toy said: {self.ended()}")

    def stall(self, operation: str) -> None:
        """Have an operation wait for ever from here on."""
        (self.control / f"stall-{operation}").touch()

    def release(self, operation: str) -> None:
        """Let it pass again. Those that wait go on waiting."""
        (self.control / f"stall-{operation}").unlink()

    def call(self, code: str, *arguments: str) -> subprocess.Popen[bytes]:
        """A process that does something with the mount; argv[1] is a file of it."""
        file = str(self.mountpoint / "file")
        caller = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", code, file, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.callers.append(caller)
        return caller

    def ended(self) -> str:
        """End it, in the worst case by force. Returns what it has written to stderr."""
        if self.stderr is not None:
            return self.stderr
        if self.process.poll() is None:
            self.process.terminate()
        try:
            self.stderr = self.process.communicate(timeout=_PATIENCE)[1]
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.stderr = self.process.communicate()[1]
        while mounted(self.mountpoint):
            subprocess.run(["umount", "-l", str(self.mountpoint)], check=True)
        for caller in self.callers:
            caller.kill()
            caller.communicate()
        return self.stderr


def mount_toy(base: Path, module: str) -> Iterator[MountedToy]:
    """Mount, hand over, unmount, and see that the process had nothing to complain of."""
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        pytest.skip("/dev/fuse cannot be used here")
    toy = MountedToy(base, module)
    try:
        toy.wait_for("mounted")
        yield toy
    finally:
        said = toy.ended()
    assert toy.process.returncode in (0, -signal.SIGTERM), said
    assert "Traceback" not in said, said


@pytest.fixture
def toy(tmp_path: Path) -> Iterator[MountedToy]:
    """A mount of the toy with the extension in place."""
    yield from mount_toy(tmp_path, "tests.extension.toy")
