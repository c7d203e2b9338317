r"""What to mount: //server/share/dir, \\server\share\dir or smb://user@server:port/share/dir."""

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit


class BadLocation(ValueError):
    """Not the name of a share; the text says what is missing."""


@dataclass(frozen=True, slots=True)
class Location:
    """A share, perhaps a directory of it, and what a URL may say besides."""

    host: str
    share: str
    path: str = ""  # of the directory to mount, components separated by a backslash
    port: int | None = None
    username: str | None = None
    domain: str | None = None
    password: str | None = None

    def __repr__(self) -> str:
        return f"<Location {self}>"  # a password stays out of logs

    def __str__(self) -> str:
        """As mount tables show it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = "/" + self.path.replace("\\", "/") if self.path else ""
        return f"//{host}/{self.share}{path}"


def parse(text: str) -> Location:
    """Parse a location. Raises BadLocation."""
    if text[:6].lower() == "smb://":
        return _parse_url(text)
    if "://" in text:
        raise BadLocation(
            f"{without_password(text)!r} is not the name of a share: write //server/share, or "
            "smb://server/share"
        )
    unified = text.replace("\\", "/")
    if not unified.startswith("//"):
        raise BadLocation(f"{text!r} is not the name of a share: write //server/share")
    host, *parts = unified[2:].split("/")
    return _made(text, host, parts)


def _parse_url(text: str) -> Location:
    shown = without_password(text)
    try:
        url = urlsplit(text)
        port = url.port
        if port == 0:
            raise ValueError("port 0")
    except ValueError as error:  # whose text may hold half a password
        raise BadLocation(
            f"{shown!r} is not smb://[user@]server[:port]/share: a port is 1 to 65535, and '/', "
            "'?', '#' and '@' in a user or password are written as %2F, %3F, %23 and %40"
        ) from error
    if url.query or url.fragment:
        raise BadLocation(f"{shown!r} has a '?' or '#': write them as %3F and %23")
    user = unquote(url.username) if url.username is not None else None
    domain = None
    if user is not None and ";" in user:
        domain, user = user.split(";", 1)
    parts = [unquote(part) for part in url.path.split("/")[1:]]
    return _made(
        shown,
        unquote(url.hostname or ""),
        parts,
        port,
        user,
        domain,
        unquote(url.password) if url.password is not None else None,
    )


def _made(
    text: str,
    host: str,
    parts: list[str],
    port: int | None = None,
    username: str | None = None,
    domain: str | None = None,
    password: str | None = None,
) -> Location:
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    name, _, digits = host.partition(":")
    if name and digits.isdigit():
        raise BadLocation(f"{text!r}: a port is given with port={digits}, after //{name}/...")
    if not host:
        raise BadLocation(f"{text!r} names no server: write //server/share")
    names = [part for part in parts if part]
    if not names:
        raise BadLocation(f"{text!r} names no share: write //{host}/share")
    for name in names:
        if name in (".", "..") or any(c in name for c in "\0/\\"):
            raise BadLocation(f"{text!r}: {name!r} cannot be part of a share's path")
    return Location(host, names[0], "\\".join(names[1:]), port, username, domain, password)


def without_password(text: str) -> str:
    """A URL as it may be shown; what is none stays as it is.

    Also of a URL that cannot be parsed, such as one with a slash in its password.
    """
    scheme, separator, rest = text.partition("://")
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    if not at and not authority.partition(":")[2].strip("0123456789"):
        return text  # nothing, or a port, behind the colon
    if not at:
        user, at, host = rest.rpartition("@")
        slash = path = ""
    return f"{scheme}{separator}{user.split(':', 1)[0]}{at}{host}{slash}{path}"
