"""Real mounts by the real command, surely gone afterwards."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from .samba import PASSWORD, USER

COMMAND = [sys.executable, "-m", "smbmount"]
ROOT = Path(__file__).parents[2]


def daemon_of(mountpoint: Path) -> int | None:
    """The process id of the daemon behind a mount point; None if there is none."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if os.fsencode(mountpoint) in words and b"smbmount" in b" ".join(words[:4]):
            return int(entry.name)
    return None


def is_mounted(mountpoint: Path) -> bool:
    """True if the kernel has a mount there, by its own table."""
    wanted = str(mountpoint).replace(" ", "\\040")
    return any(
        line.split()[4] == wanted
        for line in Path("/proc/self/mountinfo").read_text("utf-8").splitlines()
    )


def wait_gone(pid: int, seconds: float = 5) -> float:
    """Seconds until a process ended. Raises TimeoutError."""
    start = time.monotonic()
    while Path(f"/proc/{pid}").exists() and not _is_zombie(pid):
        if time.monotonic() - start > seconds:
            raise TimeoutError(f"process {pid} is still there after {seconds} s")
        time.sleep(0.005)
    return time.monotonic() - start


def _is_zombie(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def mount(
    source: str,
    mountpoint: Path,
    options: Sequence[str] = (),
    *,
    password: str | None = PASSWORD,
    flags: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
    prefix: Sequence[str] = (),
    command: Sequence[str] = COMMAND,
) -> subprocess.CompletedProcess[str]:
    """Run the command. The password goes through the environment."""
    env = {**os.environ, **(environment or {})}
    env.pop("PASSWD", None)
    if password is not None:
        env["PASSWD"] = password
    words = ["-o", ",".join(options)] if options else []
    return subprocess.run(
        [*prefix, *command, source, str(mountpoint), *words, *flags],
        capture_output=True,
        text=True,
        env=env,
        stdin=subprocess.DEVNULL,
        cwd=ROOT,
        timeout=60,
        check=False,
    )


def unmount(mountpoint: Path) -> None:
    """Take a mount away, whatever state it is in, and its daemon with it."""
    pid = daemon_of(mountpoint)
    if is_mounted(mountpoint):
        done = subprocess.run(["umount", "-i", str(mountpoint)], capture_output=True, check=False)
        if done.returncode:
            subprocess.run(["umount", "-i", "-l", str(mountpoint)], check=False)
    if pid is not None:
        try:
            wait_gone(pid, 30)  # a busy machine frees much memory slowly
        except TimeoutError:
            os.kill(pid, 9)
            raise


class Server(Protocol):
    """Where to find a server of the lab's."""

    @property
    def address(self) -> str:
        """Name or address."""

    @property
    def port(self) -> int:
        """TCP port."""


@contextmanager
def mounted(
    server: Server,
    share: str = "plain",
    *options: str,
    port: int | None = None,
    address: str | None = None,
    password: str | None = PASSWORD,
    user: str | None = USER,
    flags: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Path]:
    """A mount of a share of the lab's; the directory to use it by."""
    with tempfile.TemporaryDirectory(prefix="smbmount-mnt-") as directory:
        mountpoint = Path(directory) / "mnt"
        mountpoint.mkdir()
        log = Path(directory) / "log"
        words = [f"port={port or server.port}", *options]
        if user is not None:
            words.append(f"username={user}")
        source = f"//{address or server.address}/{share}"
        done = mount(
            source,
            mountpoint,
            words,
            password=password,
            flags=["--log-file", str(log), *flags],
            environment=environment,
        )
        try:
            assert done.returncode == 0, done.stderr
            yield mountpoint
        finally:
            unmount(mountpoint)
            problems = log.read_text("utf-8") if log.exists() else ""
            if problems:
                print(problems)  # pytest shows it if the test fails
        assert "Traceback" not in problems, problems
