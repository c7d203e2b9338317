"""A private Samba: its own configuration, state, users, port and loopback address."""

import itertools
import json
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from . import processes

USER = "smbmount-lab"
PASSWORD = "correct horse"
_addresses = itertools.count(os.getpid() % 200 * 250 + 512)

# Words of smb.conf for what a server can be pinned to.
DIALECTS = {
    "2.0.2": "SMB2_02",
    "2.1": "SMB2_10",
    "3.0": "SMB3_00",
    "3.0.2": "SMB3_02",
    "3.1.1": "SMB3_11",
}
CIPHERS = ("aes-128-ccm", "aes-128-gcm", "aes-256-ccm", "aes-256-gcm")
SIGNING = ("hmac-sha256", "aes-128-cmac", "aes-128-gmac")

SHARES: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "encrypted": {"server smb encrypt": "required"},
    "readonly": {"read only": "yes"},
    "guest": {"guest ok": "yes", "force user": USER},
}


def has_user() -> bool:
    """True if this machine has the account that the lab's files belong to."""
    try:
        pwd.getpwnam(USER)
    except KeyError:
        return False
    return True


def ensure_user() -> None:
    """Samba's users need an account of the system; make it once. Needs root."""
    if not has_user():
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", USER],
            check=True,
        )


def remove_user() -> None:
    """Take the account away again."""
    if has_user():
        subprocess.run(["userdel", USER], check=True)


def account() -> tuple[int, int]:
    """User and group id of the lab's account."""
    entry = pwd.getpwnam(USER)
    return entry.pw_uid, entry.pw_gid


def version() -> tuple[int, int]:
    """The installed Samba's: (4, 22)."""
    told = subprocess.run(["smbd", "--version"], check=True, capture_output=True, text=True)
    major, minor, *_ = told.stdout.split()[1].split(".")
    return int(major), int(minor)


def _address() -> str:
    number = next(_addresses) % (1 << 16)
    return f"127.{64 + os.getpid() % 64}.{number >> 8}.{number & 255 or 1}"


def pinned(dialect: str, cipher: str | None = None, signing: str | None = None) -> dict[str, str]:
    """Global options of a server that speaks one dialect, cipher and signing algorithm."""
    options = {
        "server min protocol": DIALECTS[dialect],
        "server max protocol": DIALECTS[dialect],
    }
    if cipher:
        options["server smb3 encryption algorithms"] = cipher
    if signing:
        options["server smb3 signing algorithms"] = signing
    return options


@dataclass
class SambaServer:
    """One smbd. A context manager: up inside, gone with all its files outside."""

    options: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: dict(SHARES))
    port: int = 0
    outlives_us: bool = False  # stays up when we end; else it goes, even if we are killed

    def __post_init__(self) -> None:
        self.address = _address()
        self.directory = Path(tempfile.mkdtemp(prefix="smbmount-samba-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The smb.conf."""
        return self.directory / "smb.conf"

    def path_of(self, share: str) -> Path:
        """A share's directory on the server's own disk."""
        return self.directory / "shares" / share

    def log(self) -> str:
        """All the server has logged."""
        logs = sorted(path for path in (self.directory / "log").iterdir() if path.is_file())
        return "\n".join(log.read_text("utf-8", "replace") for log in logs)

    def __enter__(self) -> Self:
        try:
            self.directory.chmod(0o755)
            self._configure()
            self.start()
        except BaseException:
            self._clean()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None or not self.outlives_us:
            self._clean()

    @property
    def pid(self) -> int:
        """Of the main smbd, whose process group all of them are in."""
        assert self._process is not None
        return self._process.pid

    def _clean(self) -> None:
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _configure(self) -> None:
        if os.geteuid() != 0:
            raise processes.DidNotStart("the lab's Samba needs root")
        ensure_user()
        for name in ("private", "state", "cache", "lock", "pid", "ncalrpc", "log", "shares"):
            (self.directory / name).mkdir(mode=0o755)
        self.port = self.port or processes.free_port(self.address)
        words = {
            "workgroup": "LAB",
            "server role": "standalone server",
            "interfaces": f"{self.address}/8",
            "bind interfaces only": "yes",
            "smb ports": str(self.port),
            "private dir": str(self.directory / "private"),
            "state directory": str(self.directory / "state"),
            "cache directory": str(self.directory / "cache"),
            "lock directory": str(self.directory / "lock"),
            "pid directory": str(self.directory / "pid"),
            "ncalrpc dir": str(self.directory / "ncalrpc"),
            "log file": str(self.directory / "log" / "smbd"),
            "log level": "1",
            "passdb backend": "tdbsam",
            "disable spoolss": "yes",
            "load printers": "no",
            "printcap name": "/dev/null",
            "map to guest": "Bad User",
            "guest account": "nobody",
            "disable netbios": "yes",
            **self.options,
        }
        lines = ["[global]", *(f"  {name} = {value}" for name, value in words.items())]
        for share, extra in self.shares.items():
            path = self.path_of(share)
            path.mkdir()
            os.chown(path, *account())
            told = {"path": str(path), "read only": "no", **extra}
            lines += [f"[{share}]", *(f"  {name} = {value}" for name, value in told.items())]
        self.config.write_text("\n".join(lines) + "\n")
        self.add_user(USER, PASSWORD)

    def add_user(self, name: str, password: str) -> None:
        """A user of this server; the account of the system must exist."""
        subprocess.run(
            ["smbpasswd", "-c", str(self.config), "-s", "-a", name],
            input=f"{password}\n{password}\n".encode(),
            check=True,
            capture_output=True,
        )

    def empty(self) -> None:
        """Remove all that is in the shares."""
        for share in self.shares:
            for path in self.path_of(share).iterdir():
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def start(self) -> None:
        """Start smbd, and wait until it answers. Raises DidNotStart."""
        log = self.directory / "log" / "start"
        self._process = processes.start(
            ["smbd", "--foreground", "--no-process-group", f"--configfile={self.config}"],
            log,
            ours=None if self.outlives_us else self.directory,
        )
        processes.wait_until(lambda: processes.listens(self.address, self.port), self._process, log)

    def stop(self) -> None:
        """End smbd with all its children, files kept."""
        if self._process is not None:
            processes.stop(self._process, pids=self.directory / "pid")
            self._process = None

    def smbstatus(self) -> dict[str, Any]:
        """What the server says of its sessions, opens and locks."""
        done = subprocess.run(
            ["smbstatus", f"--configfile={self.config}", "--json"],
            check=True,
            capture_output=True,
        )
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def open_files(self) -> list[str]:
        """Paths that some client holds open."""
        return [entry["filename"] for entry in self.smbstatus().get("open_files", {}).values()]

    def smbclient(
        self,
        share: str,
        *commands: str,
        user: str = f"{USER}%{PASSWORD}",
        options: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Run commands in Samba's own client, the unrelated judge."""
        return subprocess.run(
            [
                "smbclient", f"//{self.address}/{share}", "-p", str(self.port), "-U", user,
                *options, "-c", ";".join(commands),
            ],
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
