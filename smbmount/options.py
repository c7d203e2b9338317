"""The options of a mount: one row each.

From the rows of `TABLE` come parsing, validation, the help text, the man page and the shell's
completion. Names and meanings are mount.cifs's.
"""

import difflib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from smbmount.client.settings import (
    ALL_CIPHERS,
    ALL_SIGNING_ALGORITHMS,
    Mechanism,
    NameMapping,
    PosixPolicy,
    SigningPolicy,
)
from smbmount.proto.negotiate import Cipher, Dialect, SigningAlgorithm

from . import option_values as values
from .option_values import BadValue


class BadOption(ValueError):
    """An option that is unknown or cannot be had; the text names it and says why."""


@dataclass(frozen=True, slots=True)
class Options:
    """All options of one mount, with their defaults."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    domain: str | None = None
    credentials: str | None = None  # path of a credentials file
    guest: bool = False
    port: int | None = None
    ip: str | None = None
    dialects: tuple[Dialect, ...] = values.DIALECTS["default"]
    mechanism: Mechanism = Mechanism.NTLM
    cruid: int | None = None  # whose default credential cache
    keytab: str | None = None  # absolute path
    spn: str | None = None
    signing: SigningPolicy = SigningPolicy.REQUIRED
    sign_demanded: bool = False  # not just the default
    seal: bool = False
    uid: int = field(default_factory=os.getuid)
    gid: int = field(default_factory=os.getgid)
    file_mode: int = 0o755
    dir_mode: int = 0o755
    posix: PosixPolicy = PosixPolicy.AUTO
    mfsymlinks: bool = False
    sfu: bool = False
    check_permissions: bool = True  # perm, noperm
    dynperm: bool = False
    force_uid: bool = False
    force_gid: bool = False
    server_inode_numbers: bool = True
    read_only: bool = False
    snapshot: int | None = None  # FILETIME
    allow_other: bool = False
    rsize: int | None = None
    wsize: int | None = None
    timeout: float = 30.0
    connect_timeout: float = 10.0
    echo_interval: float = 10.0
    max_credits: int = 512
    ciphers: tuple[Cipher, ...] = ALL_CIPHERS
    signing_algorithms: tuple[SigningAlgorithm, ...] = ALL_SIGNING_ALGORITHMS
    client_guid: bytes | None = None  # a random one if None
    actimeo: float = 1.0
    mapping: NameMapping = NameMapping.SFM
    brl: bool = True
    kernel: frozenset[str] = frozenset()  # words that the kernel's mount itself understands

    @property
    def unchanging(self) -> bool:
        """True if nothing can be written: `ro`, or a snapshot, whatever else fstab says."""
        return self.read_only or self.snapshot is not None

    @property
    def uses_kerberos(self) -> bool:
        """True if a ticket may be used."""
        return self.mechanism in (Mechanism.KERBEROS, Mechanism.NEGOTIATE)


Apply = Callable[[Options, str | None], Options]


@dataclass(frozen=True, slots=True)
class Option:
    """One row: what it is called, what it does, and a line of help."""

    name: str
    apply: Apply
    help: str
    metavar: str = ""  # empty: the option takes no value
    optional: bool = False  # the value may be left out
    aliases: tuple[str, ...] = ()
    section: str = "Signing on"
    secret: bool = False  # its value is never shown


def _sets(name: str, value: Any) -> Apply:
    """A flag."""
    return lambda options, _: replace(options, **{name: value})


def _takes(name: str, parse: Callable[[str], Any]) -> Apply:
    """An option with a value."""
    return lambda options, value: replace(options, **{name: parse(value or "")})


def _kernel(word: str) -> Apply:
    return lambda options, _: replace(options, kernel=options.kernel | {word})


def _without(word: str, other: str) -> Apply:
    return lambda options, _: replace(options, kernel=(options.kernel - {other}) | {word})


def _nothing(options: Options, _: str | None) -> Options:
    return options


def _apply_user(options: Options, value: str | None) -> Options:
    name, domain, password = values.user_name(value or "")
    if not name:
        raise BadValue("a user name is missing")
    options = replace(options, username=name)
    if domain is not None:
        options = replace(options, domain=domain)
    if password is not None:
        options = replace(options, password=password)
    return options


def _apply_sec(options: Options, value: str | None) -> Options:
    mechanism, signed = values.mechanism(value or "")
    options = replace(options, mechanism=mechanism)
    return _apply_sign(options, None) if signed else options


def _apply_sign(options: Options, value: str | None) -> Options:
    policy = SigningPolicy.REQUIRED if value is None else values.signing(value)
    return replace(options, signing=policy, sign_demanded=value is None)


def _apply_nosign(options: Options, _: str | None) -> Options:
    return replace(options, signing=SigningPolicy.OFF, sign_demanded=False)


_LOGON = "Signing on"
_NETWORK = "The connection"
_VIEW = "How files look"
_FSTAB = "Words of fstab"

TABLE: tuple[Option, ...] = (
    Option(
        "username", _apply_user,
        r"who signs on; also DOMAIN\user and user%password; without it, your login name",
        "NAME", aliases=("user",),
    ),
    Option(
        "password", _takes("password", values.text),
        "the password; better in a credentials file, in $PASSWD, or typed when asked",
        "TEXT", aliases=("pass",), secret=True,
    ),
    Option(
        "domain", _takes("domain", values.text), "the user's domain or workgroup",
        "NAME", aliases=("dom", "workgroup"),
    ),
    Option(
        "credentials", _takes("credentials", values.some_text),
        "a file with lines username=, password= and domain=", "FILE", aliases=("cred",),
    ),
    Option("guest", _sets("guest", True), "sign on without a password, as a guest"),
    Option(
        "sec", _apply_sec,
        "how to sign on: ntlmssp (NTLMv2, the default), krb5 (Kerberos), negotiate (Kerberos if "
        "there is a ticket or keytab, else NTLMv2), none (anonymous); ntlmsspi and krb5i sign "
        "every message, too", "HOW",
    ),
    Option(
        "cruid", _takes("cruid", values.user),
        "with Kerberos: use the tickets of this user's default cache", "USER",
    ),
    Option(
        "keytab", _takes("keytab", values.path),
        "with Kerberos: sign on with a key of this file, of username or the first one", "FILE",
    ),
    Option(
        "spn", _takes("spn", values.service),
        "with Kerberos: the server's service principal (cifs/SERVER)", "SERVICE/HOST",
    ),
    Option(
        "sign", _apply_sign,
        "sign every message, and refuse servers that do not (the default); sign=auto signs where "
        "the server requires it", "auto", optional=True, section=_NETWORK,
    ),
    Option(
        "nosign", _apply_nosign,
        "sign only what SMB cannot do without", section=_NETWORK,
    ),
    Option("seal", _sets("seal", True), "encrypt everything (SMB 3)", section=_NETWORK),
    Option(
        "vers", _takes("dialects", values.dialects),
        "the dialect: 2.0.2, 2.1, 3.0, 3.0.2, 3.1.1, 2 or 3 for any of these, default for all",
        "DIALECT", section=_NETWORK,
    ),
    Option("port", _takes("port", values.port), "the server's TCP port (445)", "NUMBER",
           section=_NETWORK),
    Option(
        "ip", _takes("ip", values.address),
        "connect to this address, whatever the name resolves to", "ADDRESS", aliases=("addr",),
        section=_NETWORK,
    ),
    Option(
        "rsize", _takes("rsize", values.transfer),
        "bytes of one read at most (the server's limit, up to 8 MiB)", "BYTES", section=_NETWORK,
    ),
    Option(
        "wsize", _takes("wsize", values.transfer),
        "bytes of one write at most (the server's limit, up to 8 MiB)", "BYTES", section=_NETWORK,
    ),
    Option(
        "timeout", _takes("timeout", values.waiting),
        "seconds that a silent server is given before it counts as gone (30)", "SECONDS",
        section=_NETWORK,
    ),
    Option(
        "connect_timeout", _takes("connect_timeout", values.waiting),
        "seconds that the mount may take to reach the share (10)", "SECONDS", section=_NETWORK,
    ),
    Option(
        "echo_interval", _takes("echo_interval", values.waiting),
        "seconds that the server may owe an answer before it is asked for a sign of life (10)",
        "SECONDS", section=_NETWORK,
    ),
    Option(
        "max_credits", _takes("max_credits", values.credits),
        "credits to hold at most, each worth 64 KiB under way (512)", "NUMBER", section=_NETWORK,
    ),
    Option(
        "ciphers", _takes("ciphers", values.ciphers),
        "what SMB 3.1.1 may encrypt with, the best first, colons between: aes-128-gcm, "
        "aes-256-gcm, aes-128-ccm, aes-256-ccm (all)", "NAME[:NAME...]", section=_NETWORK,
    ),
    Option(
        "signing_algorithms", _takes("signing_algorithms", values.signing_algorithms),
        "what SMB 3.1.1 may sign with: aes-gmac, aes-cmac, hmac-sha256 (all)", "NAME[:NAME...]",
        section=_NETWORK,
    ),
    Option(
        "client_guid", _takes("client_guid", values.guid),
        "by which the server knows this client (a random one)", "GUID", section=_NETWORK,
    ),
    Option("uid", _takes("uid", values.user), "the owner of all files (you)", "USER",
           section=_VIEW),
    Option("gid", _takes("gid", values.group), "the group of all files (yours)", "GROUP",
           section=_VIEW),
    Option("file_mode", _takes("file_mode", values.mode), "permissions of files (0755)", "MODE",
           section=_VIEW),
    Option("dir_mode", _takes("dir_mode", values.mode), "permissions of directories (0755)",
           "MODE", section=_VIEW),
    Option(
        "forceuid", _sets("force_uid", True),
        "uid= even for files whose owner the server tells (POSIX extensions)", section=_VIEW,
    ),
    Option("noforceuid", _sets("force_uid", False), "the server's owner, if told (the default)",
           section=_VIEW),
    Option("forcegid", _sets("force_gid", True), "likewise for groups and gid=", section=_VIEW),
    Option("noforcegid", _sets("force_gid", False), "the server's group, if told (the default)",
           section=_VIEW),
    Option(
        "posix", _sets("posix", PosixPolicy.REQUIRED),
        "refuse a share without the SMB3 POSIX extensions, which are used wherever they are",
        aliases=("unix", "linux"), section=_VIEW,
    ),
    Option(
        "noposix", _sets("posix", PosixPolicy.OFF), "do not use the SMB3 POSIX extensions",
        aliases=("nounix", "nolinux"), section=_VIEW,
    ),
    Option(
        "mfsymlinks", _sets("mfsymlinks", True),
        "keep symbolic links in files of Minshall and French's format, as macOS does; "
        "else they are reparse points", section=_VIEW,
    ),
    Option("nomfsymlinks", _sets("mfsymlinks", False), "do not (the default)", section=_VIEW),
    Option(
        "mapposix", _sets("mapping", NameMapping.SFM),
        "characters that SMB forbids in names are spelled as Services for Mac does (the default)",
        section=_VIEW,
    ),
    Option(
        "mapchars", _sets("mapping", NameMapping.SFU),
        "they are spelled as Services for Unix does", section=_VIEW,
    ),
    Option(
        "nomapchars", _sets("mapping", NameMapping.NONE),
        "they are not mapped: such a name cannot be made", aliases=("nomapposix",), section=_VIEW,
    ),
    Option(
        "nocase", _sets("posix", PosixPolicy.OFF),
        "names match in any case, where the server has it so: the POSIX extensions, which tell "
        "case apart, are not used", aliases=("ignorecase",), section=_VIEW,
    ),
    Option(
        "sfu", _sets("sfu", True),
        "keep special files as Services for Unix does, in files with the SYSTEM attribute",
        section=_VIEW,
    ),
    Option("nosfu", _sets("sfu", False), "do not (the default)", section=_VIEW),
    Option(
        "noperm", _sets("check_permissions", False),
        "let the server alone decide who may do what, modes being for show", section=_VIEW,
    ),
    Option("perm", _sets("check_permissions", True),
           "check modes here, too, before the server does (the default)", section=_VIEW),
    Option(
        "dynperm", _sets("dynperm", True),
        "remember what chmod and chown say and the server cannot keep, until the file is forgotten",
        section=_VIEW,
    ),
    Option("nodynperm", _sets("dynperm", False), "do not (the default)", section=_VIEW),
    Option("serverino", _sets("server_inode_numbers", True),
           "inode numbers are the server's (the default)", section=_VIEW),
    Option(
        "noserverino", _sets("server_inode_numbers", False),
        "inode numbers are made up here, and hard links cannot be told from copies",
        section=_VIEW,
    ),
    Option("ro", _sets("read_only", True), "read only", section=_VIEW),
    Option("rw", _sets("read_only", False), "read and write (the default)", section=_VIEW),
    Option(
        "snapshot", _takes("snapshot", values.snapshot),
        "the share as it was, read only: @GMT-YYYY.MM.DD-HH.MM.SS, a previous version that the "
        "server has, or its time in 100 ns since 1601", "TIME", section=_VIEW,
    ),
    Option(
        "allow_other", _sets("allow_other", True),
        "let other users in (needs user_allow_other in /etc/fuse.conf unless you are root)",
        section=_VIEW,
    ),
    Option(
        "actimeo", _takes("actimeo", values.seconds),
        "seconds for which names and attributes may be remembered (1)", "SECONDS", section=_VIEW,
    ),
    Option("brl", _sets("brl", True), "locks of programs are locks on the server (the default)",
           aliases=("lock", "forcemandatorylock", "forcemand"), section=_VIEW),
    Option("nobrl", _sets("brl", False),
           "locks of programs are kept to this machine, and the server knows nothing of them",
           aliases=("nolock",), section=_VIEW),
    Option("nosuid", _without("nosuid", "suid"), "set-user-id bits have no effect",
           section=_FSTAB),
    Option("suid", _without("suid", "nosuid"), "they have", section=_FSTAB),
    Option("nodev", _without("nodev", "dev"), "device nodes have no effect", section=_FSTAB),
    Option("dev", _without("dev", "nodev"), "they have", section=_FSTAB),
    Option("noexec", _without("noexec", "exec"), "no program can be run from here",
           section=_FSTAB),
    Option("exec", _without("exec", "noexec"), "programs can be run (the default)",
           section=_FSTAB),
    Option("noatime", _kernel("noatime"), "the kernel sends no access times", section=_FSTAB),
    Option("relatime", _nothing, "for mount(8): it is so anyway", section=_FSTAB),
    Option("nodiratime", _nothing, "for mount(8): directories' are the server's", section=_FSTAB),
    Option("defaults", _nothing, "nothing by itself", section=_FSTAB),
    Option("_netdev", _nothing, "for mount(8) and systemd: needs the network", section=_FSTAB),
    Option("nofail", _nothing, "for systemd: boot goes on without it", section=_FSTAB),
    Option("auto", _nothing, "for mount -a", section=_FSTAB),
    Option("noauto", _nothing, "for mount -a: not this one", section=_FSTAB),
)  # fmt: skip

_BY_NAME = {name: row for row in TABLE for name in (row.name, *row.aliases)}


def parse(texts: Iterable[str], start: Options | None = None) -> Options:
    """Options from the arguments of `-o`, later ones winning. Raises BadOption."""
    options = start or Options()
    for text in texts:
        secret = False
        for word in _split(text):
            if secret and not is_option(word):
                raise BadOption(
                    "what follows the password is not an option; a password with a comma in it "
                    "belongs in a credentials file, in $PASSWD or at the prompt"
                )
            options = _apply(options, word)
            secret = holds_secret(word)
    return options


def is_option(word: str) -> bool:
    """True if it begins with the name of an option."""
    name = word.partition("=")[0]
    return name in _BY_NAME or _is_comment(name)


def holds_secret(word: str) -> bool:
    """True if there is a password in it."""
    name, _, value = word.partition("=")
    row = _BY_NAME.get(name)
    return row is not None and (row.secret or (row.name == "username" and "%" in value))


def _split(text: str) -> list[str]:
    return [word for word in text.split(",") if word]


def _is_comment(name: str) -> bool:
    return name.startswith(("x-", "X-")) or name == "comment"  # fstab's own


def _apply(options: Options, word: str) -> Options:
    name, equals, value = word.partition("=")
    if _is_comment(name):
        return options
    row = _BY_NAME.get(name)
    if row is None:
        close = difflib.get_close_matches(name, _BY_NAME, n=1)
        hint = f"; did you mean {close[0]}?" if close else "; smbmount --help lists all"
        raise BadOption(f"there is no option {name!r}{hint}")
    if equals and not row.metavar:
        raise BadOption(f"the option {name} takes no value")
    if row.metavar and not row.optional and not equals:
        raise BadOption(f"the option {name} needs a value: {name}={row.metavar}")
    try:
        return row.apply(options, value if equals else None)
    except BadValue as error:
        shown = str(error).replace(value, "…") if row.secret and value else str(error)
        raise BadOption(f"{name}: {shown}") from None


def check(options: Options) -> None:
    """Combinations that cannot be. Raises BadOption."""
    if options.seal and max(options.dialects) < Dialect.SMB_3_0:
        raise BadOption("seal needs SMB 3, which vers= excludes")
    if options.posix is PosixPolicy.REQUIRED and max(options.dialects) < Dialect.SMB_3_1_1:
        raise BadOption("posix needs SMB 3.1.1, which vers= excludes")
    if options.echo_interval >= options.timeout:
        raise BadOption("echo_interval must be less than timeout: a server is asked, then given up")
    for name in ("cruid", "keytab", "spn"):
        if getattr(options, name) is not None and not options.uses_kerberos:
            raise BadOption(f"{name} is for Kerberos: it needs sec=krb5, krb5i or negotiate")
    if options.keytab is not None and options.cruid is not None:
        raise BadOption("keytab and cruid exclude each other: a key, or a user's tickets")
    if options.guest and options.mechanism is Mechanism.KERBEROS:
        raise BadOption("guest signs on without Kerberos, which sec= demands")
    if options.guest and options.password:
        raise BadOption("guest signs on without a password, yet one is given")
    if options.guest or options.mechanism is Mechanism.NONE:
        for name, demanded in (("seal", options.seal), ("sign", options.sign_demanded)):
            if demanded:
                raise BadOption(f"{name} needs a user: a guest's or anonymous session has no key")


def help_text() -> str:
    """The options, for --help."""
    lines: list[str] = []
    for section in dict.fromkeys(row.section for row in TABLE):
        lines.append(f"\n{section}:")
        for row in TABLE:
            if row.section == section:
                names = ", ".join(_shown(row, name) for name in (row.name, *row.aliases))
                lines += _columns(names, row.help)
    return "\n".join(lines)


def _shown(row: Option, name: str) -> str:
    if not row.metavar:
        return name
    return f"{name}[={row.metavar}]" if row.optional else f"{name}={row.metavar}"


def _columns(names: str, text: str) -> list[str]:
    import textwrap

    wrapped = textwrap.wrap(text, 52)
    if len(names) > 23:
        return [f"  {names}", *(f"{'':26}{line}" for line in wrapped)]
    return [f"  {names:24}{wrapped[0]}", *(f"{'':26}{line}" for line in wrapped[1:])]
