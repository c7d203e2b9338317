"""A private Active Directory domain: Samba as its controller, in a network namespace of its own.

The namespace has the ports that Kerberos, LDAP, DNS and SMB must have, and two addresses join it
to us: a veth pair, one end here, one there. Nothing of the machine's Kerberos is touched: clients
are told by KRB5_CONFIG.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from . import processes

REALM = "LAB.EXAMPLE"
ADMINISTRATOR = "Administrator"
PASSWORD = "Correct-horse-1"  # the administrator's
_HOST = "dc1.lab.example"
_SHARES: Mapping[str, Mapping[str, str]] = {
    "plain": {},
    "encrypted": {"server smb encrypt": "required"},
}
# Samba's own processes leave its process group, but not its namespace.
_TAKE_DOWN = """
ip netns pids "$1" 2>/dev/null | xargs -r kill -s KILL 2>/dev/null
ip link delete "$2" 2>/dev/null
ip netns delete "$1" 2>/dev/null
"""
# Samba's own parts look for winbind at a fixed place; `ip netns exec` gives us mounts of our own.
# Among these are copies of the mounts under test, whose daemons would wait for them to go, too.
_IN_PRIVATE = """
while read -r _ at type _; do
    case "$type" in fuse.*) umount -l "$at" ;; esac
done </proc/self/mounts
mkdir -p /run/samba && mount --bind "$1" /run/samba || exit
exec samba --foreground --no-process-group --debug-stdout --configfile="$2"
"""
_GUARD = "read -r _\n" + _TAKE_DOWN + 'rm -rf --one-file-system "$3"\n'


@dataclass
class Domain:
    """A domain and its controller, up inside the `with`, gone without a trace outside.

    Anything in `options` goes into the [global] section of its smb.conf.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    shares: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: dict(_SHARES))

    realm = REALM
    host = _HOST
    port = 445

    def __post_init__(self) -> None:
        number = os.getpid() % (1 << 15)
        # 198.18/15 is set aside for benchmarks: no real host is hidden by it.
        base = f"198.{18 + (number >> 14)}.{number >> 6 & 255}."
        self.our_address = base + str((number & 63) * 4 + 1)
        self.address = base + str((number & 63) * 4 + 2)
        self.namespace = f"smbmount-{os.getpid()}"
        self._link = f"sm{os.getpid()}"
        self.directory = Path(tempfile.mkdtemp(prefix="smbmount-domain-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The smb.conf."""
        return self.directory / "etc" / "smb.conf"

    def path_of(self, share: str) -> Path:
        """A share's directory on the server's own disk."""
        return self.directory / "shares" / share

    def log(self) -> str:
        """All that the controller has said."""
        return (self.directory / "log").read_text("utf-8", "replace")

    def __enter__(self) -> Self:
        try:
            self.directory.chmod(0o755)
            self._guard = processes.guard(_GUARD, self.namespace, self._link, str(self.directory))
            self._lay_cable()
            self._provision()
            self.start()
        except BaseException:
            self._clean()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._clean()

    def _clean(self) -> None:
        self.stop()
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
        subprocess.run(
            ["sh", "-c", _TAKE_DOWN, "sh", self.namespace, self._link],
            capture_output=True,
            check=False,
        )
        shutil.rmtree(self.directory, ignore_errors=True)

    # -- setting up ---------------------------------------------------------------------

    def _lay_cable(self) -> None:
        inner = ["-n", self.namespace]
        for words in (
            ["netns", "add", self.namespace],
            ["link", "add", self._link, "type", "veth", "peer", "eth0", "netns", self.namespace],
            ["addr", "add", f"{self.our_address}/30", "dev", self._link],
            ["link", "set", self._link, "up"],
            [*inner, "addr", "add", f"{self.address}/30", "dev", "eth0"],
            [*inner, "link", "set", "eth0", "up"],
            [*inner, "link", "set", "lo", "up"],
        ):
            done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
            if done.returncode:
                raise processes.DidNotStart(f"ip {' '.join(words)}: {done.stderr.strip()}")

    def _provision(self) -> None:
        self._tool(
            "domain", "provision", f"--targetdir={self.directory}", f"--realm={REALM}",
            "--domain=LAB", "--server-role=dc", "--dns-backend=SAMBA_INTERNAL",
            f"--adminpass={PASSWORD}", f"--host-name={_HOST.partition('.')[0]}",
            f"--host-ip={self.address}", configured=False,
        )  # fmt: skip
        for name in ("pid", "ncalrpc", "run", "tickets", "shares"):
            (self.directory / name).mkdir(mode=0o755)
        for share in self.shares:
            self.path_of(share).mkdir()
            self.path_of(share).chmod(0o777)
        self.configure({})
        self._tool("domain", "passwordsettings", "set", "--complexity=off", "--max-pwd-age=0")
        self.krb5_conf()

    def configure(self, options: Mapping[str, str]) -> None:
        """Write the smb.conf with more global options; `stop` and `start` make them count."""
        at = self.directory
        words = {
            "realm": REALM,
            "workgroup": "LAB",
            "netbios name": "DC1",
            "server role": "active directory domain controller",
            # No name service of old and no time service: they want the machine's own places.
            "server services": "s3fs, rpc, ldap, cldap, kdc, winbindd, dns",
            "disable netbios": "yes",
            "prefork children": "1",
            "binddns dir": str(at / "bind-dns"),
            "cache directory": str(at / "cache"),
            "lock directory": str(at),
            "ncalrpc dir": str(at / "ncalrpc"),
            "pid directory": str(at / "pid"),
            "private dir": str(at / "private"),
            "state directory": str(at / "state"),
            **self.options,
            **options,
        }
        lines = ["[global]", *(f"  {name} = {value}" for name, value in words.items())]
        shares = {
            "sysvol": {"path": str(at / "state" / "sysvol"), "read only": "no"},
            **{
                share: {"path": str(self.path_of(share)), "read only": "no", **extra}
                for share, extra in self.shares.items()
            },
        }
        for share, told in shares.items():
            lines += [f"[{share}]", *(f"  {name} = {value}" for name, value in told.items())]
        self.config.write_text("\n".join(lines) + "\n")

    def start(self) -> None:
        """Start the controller and wait until it signs users on. Raises DidNotStart."""
        log = self.directory / "log"
        self._process = processes.start(
            [
                "ip", "netns", "exec", self.namespace, "sh", "-c", _IN_PRIVATE, "sh",
                str(self.directory / "run"), str(self.config),
            ],
            log,
            ours=None,
        )  # fmt: skip
        for port in (88, 389, self.port):
            processes.wait_until(
                lambda port=port: processes.listens(self.address, port),  # type: ignore[misc]
                self._process,
                log,
            )
        processes.wait_until(self._signs_on, self._process, log)

    def _signs_on(self) -> bool:
        cache = self.directory / "tickets" / "probe"
        return self.kinit(ADMINISTRATOR, PASSWORD, cache, check=False).returncode == 0

    def stop(self) -> None:
        """End the controller with all its processes, files kept."""
        if self._process is None:
            return
        process, self._process = self._process, None
        processes.stop(process)
        # Some of Samba's processes have a session of their own.
        told = subprocess.run(
            ["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=False
        )
        for pid in map(int, told.stdout.split()):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    # -- its administration -------------------------------------------------------------

    def _tool(self, *words: str, configured: bool = True) -> str:
        """samba-tool, on the controller's files. Raises DidNotStart with what it said."""
        where = [f"--configfile={self.config}"] if configured else ["--configfile=/dev/null"]
        done = subprocess.run(
            ["samba-tool", *words, *where], capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise processes.DidNotStart(
                f"samba-tool {' '.join(words[:2])}: {(done.stderr + done.stdout)[-2000:]}"
            )
        return done.stdout

    def add_user(self, name: str, password: str) -> None:
        """A user of the domain."""
        self._tool("user", "create", name, password)

    def tool(self, *words: str) -> str:
        """Any other samba-tool command; what it printed."""
        return self._tool(*words)

    def export_keytab(self, path: Path, principal: str) -> None:
        """Write the keys of a principal into a keytab."""
        self._tool("domain", "exportkeytab", str(path), f"--principal={principal}")

    # -- its clients --------------------------------------------------------------------

    def krb5_conf(
        self, name: str = "krb5.conf", *, lifetime: int | None = None, kdc: str | None = None
    ) -> Path:
        """Write a client's configuration; tickets live `lifetime` seconds at most."""
        life = f" ticket_lifetime = {lifetime}s\n" if lifetime else ""
        path = self.directory / name
        path.write_text(
            "[libdefaults]\n"
            f" default_realm = {REALM}\n"
            " dns_lookup_kdc = false\n dns_lookup_realm = false\n"
            " rdns = false\n dns_canonicalize_hostname = false\n"
            " udp_preference_limit = 1\n"
            f"{life}"
            f"[realms]\n {REALM} = {{\n  kdc = {kdc or self.address}\n }}\n"
            f"[domain_realm]\n .lab.example = {REALM}\n"
        )
        return path

    def environment(self, cache: Path | None = None, **variant: int | str) -> dict[str, str]:
        """What a client's environment needs; `cache` is where its tickets are.

        A `variant` is what `krb5_conf` takes.
        """
        name = "-".join(["krb5", *(f"{key}-{value}" for key, value in variant.items())])
        name = name.replace(":", "-")  # KRB5_CONFIG is a list
        config = self.krb5_conf(name + ".conf", **variant)  # type: ignore[arg-type]
        return {
            "KRB5_CONFIG": str(config),
            "KRB5CCNAME": f"FILE:{cache or self.directory / 'tickets' / 'none'}",
        }

    def kinit(
        self,
        user: str,
        password: str,
        cache: Path,
        *,
        lifetime: int | None = None,
        service: str | None = None,
        check: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        """Get a user's ticket, by MIT's own program; for one `service` alone, if it is given."""
        life: Sequence[str] = ["-l", f"{lifetime}s"] if lifetime else []
        alone = ["-S", service] if service else []
        return subprocess.run(
            ["kinit", *life, *alone, "-c", str(cache), user],
            input=password + "\n",
            text=True,
            capture_output=True,
            env={**os.environ, "KRB5_CONFIG": str(self.directory / "krb5.conf")},
            check=check,
        )

    def smbclient(
        self, share: str, *commands: str, user: str, password: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run commands in Samba's own client, the unrelated judge, by Kerberos."""
        return subprocess.run(
            [
                "smbclient", f"//{_HOST}/{share}", f"--ip-address={self.address}",
                "-U", f"{user}@{REALM}%{password}", "--use-kerberos=required",
                "-c", ";".join(commands),
            ],
            capture_output=True,
            text=True,
            env={**os.environ, **self.environment()},
            check=False,
        )  # fmt: skip


def is_there(namespace: str) -> bool:
    """True if the machine has a network namespace of that name."""
    told = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=True)
    return namespace in told.stdout.split()


def has_interface(address: str) -> bool:
    """True if an address is one of this machine's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
        return True
