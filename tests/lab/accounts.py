"""Ordinary accounts of this machine, for tests of what needs no root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from . import mounts


@dataclass(frozen=True)
class Account:
    """A real, unprivileged account with a home directory of its own."""

    name: str
    uid: int
    gid: int
    home: Path
    command: tuple[str, ...]  # smbmount, where this account can reach it

    @property
    def prefix(self) -> tuple[str, ...]:
        """Words before a command that make it run as this account."""
        return (
            "setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups",
            "env", f"HOME={self.home}", f"USER={self.name}",
        )  # fmt: skip

    def run(self, *words: str | Path) -> "subprocess.CompletedProcess[str]":
        """Run a command as this account, in its home."""
        return subprocess.run(
            [*self.prefix, *words], capture_output=True, text=True, cwd=self.home, check=False
        )


@contextmanager
def ordinary_account(name: str = "smbmount-user") -> Iterator[Account]:
    """Create an account; remove it with its home afterwards. Needs root."""
    subprocess.run(["userdel", name], capture_output=True, check=False)  # of a killed run
    home = Path(tempfile.mkdtemp(prefix="smbmount-home-"))
    try:
        subprocess.run(
            ["useradd", "--no-create-home", "--home-dir", str(home), "--shell", "/bin/sh", name],
            check=True,
        )
        entry = pwd.getpwnam(name)
        os.chown(home, entry.pw_uid, entry.pw_gid)
        with _reachable(entry.pw_uid) as root:
            command = (str(root / ".venv/bin/python"), "-m", "smbmount")
            yield Account(name, entry.pw_uid, entry.pw_gid, home, command)
    finally:
        subprocess.run(["userdel", name], capture_output=True, check=False)
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _reachable(uid: int) -> Iterator[Path]:
    """The repository at a place that `uid` may enter: a clone in /root is closed to it."""
    probe = ["setpriv", f"--reuid={uid}", "--clear-groups", "test", "-x"]
    if subprocess.run([*probe, mounts.ROOT / ".venv/bin/python"], check=False).returncode == 0:
        yield mounts.ROOT
        return
    with tempfile.TemporaryDirectory(prefix="smbmount-repo-") as directory:
        os.chmod(directory, 0o755)
        place = Path(directory) / "repository"
        place.mkdir()
        subprocess.run(["mount", "--bind", mounts.ROOT, place], check=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", "-l", place], check=True)
