"""Where a password comes from: the credentials file, the environment, a pipe or file, a prompt.

The order is mount.cifs's: options first, then the file, then PASSWD, PASSWD_FD and PASSWD_FILE,
and at last a question on the terminal.
"""

import codecs
import getpass
import sys
from collections.abc import MutableMapping
from dataclasses import replace
from pathlib import Path

from smbmount.client.kerberos import NoTicket, find_ticket
from smbmount.client.settings import Credentials, Mechanism

from . import tickets
from .option_values import user_name
from .options import Options

_LONGEST = 4096  # bytes of a password, and of a line of a credentials file


class NoCredentials(Exception):
    """Credentials cannot be had; the text says why and what to do."""


def read_file(path: str) -> dict[str, str]:
    """Username, password and domain out of a credentials file.

    A line is name=value; of a password, what follows the first "=" counts to the end of the line,
    blanks included. Empty lines and lines with "#" first are skipped. Raises NoCredentials.
    """
    names = {
        "username": "username", "user": "username", "password": "password", "pass": "password",
        "domain": "domain", "dom": "domain", "workgroup": "domain",
    }  # fmt: skip
    try:
        content = Path(path).read_bytes().removeprefix(codecs.BOM_UTF8)
    except OSError as error:
        raise NoCredentials(
            f"the credentials file {path} cannot be read: {error.strerror}"
        ) from error
    found: dict[str, str] = {}
    for number, raw in enumerate(content.split(b"\n"), 1):
        line = raw.decode("utf-8", "surrogateescape").rstrip("\r").lstrip()
        if not line or line.startswith("#"):
            continue
        name, equals, value = line.partition("=")
        if not equals or name.strip() not in names:
            raise NoCredentials(
                f"the credentials file {path} has no username=, password= or domain= in line "
                f"{number}"
            )
        if len(value) > _LONGEST:
            raise NoCredentials(f"the credentials file {path}: line {number} is too long")
        found.update(_meant(names[name.strip()], value))
    return found


def _meant(name: str, value: str) -> dict[str, str]:
    r"""What a line says: a user may be DOMAIN\user or user%password, as in an option."""
    if name == "password":
        return {name: value}
    if name == "domain":
        return {name: value.strip()}
    parts = zip(("username", "domain", "password"), user_name(value.strip()), strict=True)
    return {name: part for name, part in parts if part is not None}


def complete(options: Options, where: str, environment: MutableMapping[str, str]) -> Credentials:
    """The credentials for a mount of `where`, asking on the terminal if need be.

    Raises NoCredentials.
    """
    known = _gathered(options, where, environment)
    for name in ("username", "password", "domain"):
        try:
            (getattr(known, name) or "").encode("utf-16-le")
        except UnicodeEncodeError:  # whose text would show a piece of it
            raise NoCredentials(
                f"the {name} is not UTF-8: was it, or its file, written in another encoding?"
            ) from None
    return known


def _gathered(options: Options, where: str, environment: MutableMapping[str, str]) -> Credentials:
    if options.credentials:
        found = read_file(options.credentials)
        # An option on the command line wins over the file.
        options = replace(
            options,
            username=options.username or found.get("username"),
            password=options.password if options.password is not None else found.get("password"),
            domain=options.domain or found.get("domain"),
        )
    if options.mechanism is Mechanism.NONE:
        return Credentials(mechanism=Mechanism.NONE)
    if options.guest:
        return Credentials(options.username or "", "", options.domain or "", guest=True)
    password = options.password
    if password is None:
        password = from_environment(environment)
    if options.uses_kerberos:
        known = _for_kerberos(options, password, environment)
        if known is not None:
            return known
    username = options.username or _login_name(environment)
    if password is None:
        password = _ask(username, where)
    mechanism = options.mechanism
    if mechanism is Mechanism.NEGOTIATE:
        mechanism = Mechanism.NTLM
    return Credentials(username, password, options.domain or "", mechanism, spn=options.spn)


def _login_name(environment: MutableMapping[str, str]) -> str:
    return environment.get("USER") or getpass.getuser()


def _for_kerberos(
    options: Options, password: str | None, environment: MutableMapping[str, str]
) -> Credentials | None:
    """What Kerberos can do without a question; None if a password has to be asked for.

    Raises NoCredentials if nobody is there to be asked.
    """
    tickets.make_absolute(environment)
    try:
        cache = tickets.cache_of(options.cruid) if options.cruid is not None else None
    except tickets.NoCache as error:
        raise NoCredentials(str(error)) from error
    known = Credentials(
        options.username or "", password, options.domain or "", options.mechanism,
        ccache=cache, keytab=options.keytab, spn=options.spn,
    )  # fmt: skip
    if known.keytab is not None:
        return known
    if password is not None and options.mechanism is Mechanism.KERBEROS:
        # A ticket is of no more use than the password, unless a user's was asked for.
        if cache is not None:
            return replace(known, password=None)
        return replace(known, username=known.username or _login_name(environment))
    try:
        find_ticket(replace(known, password=None))
    except NoTicket as error:
        if options.mechanism is Mechanism.KERBEROS and (cache or not sys.stdin.isatty()):
            raise NoCredentials(str(error)) from error
        return None
    return known


def from_environment(environment: MutableMapping[str, str]) -> str | None:
    """PASSWD, or what PASSWD_FD or PASSWD_FILE lead to. Raises NoCredentials."""
    if "PASSWD" in environment:
        return environment["PASSWD"]
    try:
        if "PASSWD_FD" in environment:
            with open(int(environment["PASSWD_FD"]), "rb") as stream:
                return _first_line(stream.read(_LONGEST))
        if "PASSWD_FILE" in environment:
            return _first_line(Path(environment["PASSWD_FILE"]).read_bytes()[:_LONGEST])
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a number"
        name = "PASSWD_FD" if "PASSWD_FD" in environment else "PASSWD_FILE"
        raise NoCredentials(
            f"the password cannot be read from {environment[name]!r}, which {name} names: {reason}"
        ) from error
    return None


def _first_line(content: bytes) -> str:
    return content.split(b"\n", 1)[0].decode("utf-8", "surrogateescape").rstrip("\r")


def _ask(username: str, where: str) -> str:
    if not sys.stdin.isatty():
        raise NoCredentials(
            f"no password for {username!r}: give one in a credentials file (credentials=FILE) or "
            "in $PASSWD, or mount as a guest (guest)"
        )
    try:
        return getpass.getpass(f"Password for {username}@{where.removeprefix('//')}: ")
    except EOFError:
        raise NoCredentials(f"no password for {username!r} was typed") from None
