"""Many processes at once on one mount."""

import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

from tests.lab import mixed_work
from tests.lab.mounts import ROOT, mounted
from tests.lab.samba import SambaServer

_PROCESSES = 20
_SECONDS = 60.0


def test_twenty_processes_work_for_a_minute_without_an_error_or_a_leak() -> None:
    with SambaServer() as server, mounted(server) as mountpoint:
        mixed_work.fill_shared(server.path_of("plain") / mixed_work.SHARED)
        homes = [(mountpoint, seed) for seed in range(_PROCESSES)]
        assert run_workers(server, homes, _SECONDS) > 20 * _PROCESSES
        _wait_for_no_handles(server)


def run_workers(server: SambaServer, homes: list[tuple[Path, int]], seconds: float) -> int:
    """Let a process work in each of `homes`, a mount and a seed; the number of steps they took.

    What each says it has written is compared with the server's disk.
    """
    disk = server.path_of("plain")
    workers = [_start(mountpoint, seed, seconds) for mountpoint, seed in homes]
    steps = 0
    for worker in workers:
        said, complaint = worker.communicate(timeout=seconds + 120)
        assert worker.returncode == 0, complaint
        report = json.loads(said)
        steps += report["steps"]
        for name, digest in report["files"].items():
            assert hashlib.sha256((disk / name).read_bytes()).hexdigest() == digest, name
    print(f"{steps} steps")
    return steps


def _start(mountpoint: Path, seed: int, seconds: float) -> "subprocess.Popen[str]":
    words = [
        sys.executable,
        "-m",
        "tests.lab.mixed_work",
        str(mountpoint),
        str(seed),
        str(_SECONDS),
    ]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
    )


def _wait_for_no_handles(server: SambaServer, seconds: float = 10) -> None:
    """The kernel releases files a moment after the last close."""
    end = time.monotonic() + seconds
    while (held := server.open_files()) and time.monotonic() < end:
        time.sleep(0.1)
    assert held == []
