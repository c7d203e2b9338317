"""Parsers of option values: text in, value out, BadValue with a sentence if it will not do."""

import grp
import os
import pwd
import uuid
from collections.abc import Callable, Mapping
from typing import TypeVar

from smbmount.client.settings import Mechanism, SigningPolicy
from smbmount.proto.filetime import from_gmt
from smbmount.proto.negotiate import Cipher, Dialect, SigningAlgorithm

T = TypeVar("T")

_SMALLEST_TRANSFER = 4096
_LARGEST_TRANSFER = 8 * 1024 * 1024


class BadValue(ValueError):
    """An option's value will not do; the text says why, without the option's name."""


def text(value: str) -> str:
    """Any text."""
    return value


def _is_number(value: str) -> bool:
    return value.isascii() and value.isdigit() and len(value) <= 20  # more than 64 bits hold


def some_text(value: str) -> str:
    """Any text but none."""
    if not value:
        raise BadValue("the value is empty")
    return value


def address(value: str) -> str:
    """A host's address or name; of IPv6 also in brackets."""
    return some_text(value.removeprefix("[").removesuffix("]"))


def path(value: str) -> str:
    """A file's absolute path."""
    return os.path.abspath(some_text(value))


def seconds(value: str) -> float:
    """A time in seconds, a fraction allowed."""
    try:
        number = float(value)
    except ValueError:
        raise BadValue(f"{value!r} is not a number of seconds") from None
    if not 0 <= number < 1 << 30:
        raise BadValue(f"{value} is not between 0 and {1 << 30} seconds")
    return number


def waiting(value: str) -> float:
    """A time-out in seconds; none at all would be no time-out."""
    number = seconds(value)
    if number < 1:
        raise BadValue(f"{value} is less than 1 second")
    return number


def credits(value: str) -> int:
    """The most credits to hold ([MS-SMB2] 3.2.4.1.2): 16 pay for a request of 1 MiB."""
    if not _is_number(value) or not 10 <= int(value) <= 8192:
        raise BadValue(f"{value!r} is not a number of credits (10 to 8192)")
    return int(value)


def guid(value: str) -> bytes:
    """A GUID in its usual form, as the 16 bytes of the wire."""
    try:
        return uuid.UUID(value).bytes_le
    except ValueError:
        raise BadValue(f"{value!r} is not a GUID") from None


_CIPHERS = {
    "aes-128-ccm": Cipher.AES_128_CCM,
    "aes-128-gcm": Cipher.AES_128_GCM,
    "aes-256-ccm": Cipher.AES_256_CCM,
    "aes-256-gcm": Cipher.AES_256_GCM,
}
_SIGNING = {
    "hmac-sha256": SigningAlgorithm.HMAC_SHA256,
    "aes-cmac": SigningAlgorithm.AES_CMAC,
    "aes-gmac": SigningAlgorithm.AES_GMAC,
}


def ciphers(value: str) -> tuple[Cipher, ...]:
    """Ciphers, the one to prefer first."""
    return _several(value, _CIPHERS)


def signing_algorithms(value: str) -> tuple[SigningAlgorithm, ...]:
    """Signing algorithms, the one to prefer first."""
    return _several(value, _SIGNING)


def _several(value: str, known: Mapping[str, T]) -> tuple[T, ...]:
    words = value.lower().split(":")
    for word in words:
        if word not in known:
            raise BadValue(f"{word!r} is not one of {', '.join(known)}")
    return tuple(known[word] for word in dict.fromkeys(words))


def port(value: str) -> int:
    """A TCP port."""
    if not _is_number(value) or not 0 < int(value) < 65536:
        raise BadValue(f"{value!r} is not a port (1 to 65535)")
    return int(value)


def snapshot(value: str) -> int:
    """A previous version's time, as FILETIME: @GMT-YYYY.MM.DD-HH.MM.SS or the number itself."""
    if _is_number(value) and 0 < int(value) < 1 << 63:
        return int(value)
    try:
        return from_gmt(value)
    except ValueError:
        raise BadValue(
            f"{value!r} is neither @GMT-YYYY.MM.DD-HH.MM.SS nor a number of 100 ns since 1601"
        ) from None


def mode(value: str) -> int:
    """Permission bits in octal."""
    try:
        bits = int(value, 8)
    except ValueError:
        raise BadValue(f"{value!r} is not an octal mode such as 0644") from None
    if not 0 <= bits <= 0o7777:
        raise BadValue(f"{value!r} is not a mode (0 to 7777, octal)")
    return bits


def transfer(value: str) -> int:
    """Bytes of one read or write."""
    if not _is_number(value):
        raise BadValue(f"{value!r} is not a number of bytes")
    size = int(value)
    if not _SMALLEST_TRANSFER <= size <= _LARGEST_TRANSFER:
        raise BadValue(f"{value} is not between {_SMALLEST_TRANSFER} and {_LARGEST_TRANSFER} bytes")
    return size


def user(value: str) -> int:
    """A user id, or a user's name."""
    return _id(value, "user", lambda name: pwd.getpwnam(name).pw_uid)


def group(value: str) -> int:
    """A group id, or a group's name."""
    return _id(value, "group", lambda name: grp.getgrnam(name).gr_gid)


def _id(value: str, kind: str, look_up: Callable[[str], int]) -> int:
    if _is_number(value):
        if int(value) >= 2**32 - 1:
            raise BadValue(f"{value} is not a {kind} id")
        return int(value)
    try:
        return look_up(value)
    except KeyError:
        raise BadValue(f"there is no {kind} {value!r} here") from None


_V2 = (Dialect.SMB_2_0_2, Dialect.SMB_2_1)
_V3 = (Dialect.SMB_3_0, Dialect.SMB_3_0_2, Dialect.SMB_3_1_1)
DIALECTS: Mapping[str, tuple[Dialect, ...]] = {
    "default": (*_V2, *_V3),
    "2": _V2,
    "2.0": (Dialect.SMB_2_0_2,),
    "2.0.2": (Dialect.SMB_2_0_2,),
    "2.02": (Dialect.SMB_2_0_2,),
    "2.1": (Dialect.SMB_2_1,),
    "3": _V3,
    "3.0": (Dialect.SMB_3_0,),
    "3.0.2": (Dialect.SMB_3_0_2,),
    "3.02": (Dialect.SMB_3_0_2,),
    "3.1.1": (Dialect.SMB_3_1_1,),
    "3.11": (Dialect.SMB_3_1_1,),
}


def dialects(value: str) -> tuple[Dialect, ...]:
    """Dialects by mount.cifs's words."""
    if value == "1.0" or value == "1":
        raise BadValue("SMB 1 is not safe, and not supported; the server must speak SMB 2 or 3")
    if value not in DIALECTS:
        raise BadValue(f"{value!r} is not one of {', '.join(DIALECTS)}")
    return DIALECTS[value]


def mechanism(value: str) -> tuple[Mechanism, bool]:
    """How to sign on, and whether a trailing "i" asks for signed messages."""
    words = {
        "ntlmssp": (Mechanism.NTLM, False),
        "ntlmsspi": (Mechanism.NTLM, True),
        "krb5": (Mechanism.KERBEROS, False),
        "krb5i": (Mechanism.KERBEROS, True),
        "negotiate": (Mechanism.NEGOTIATE, False),
        "none": (Mechanism.NONE, False),
    }
    if value not in words:
        raise BadValue(f"{value!r} is not one of {', '.join(words)}")
    return words[value]


def service(value: str) -> str:
    """A service principal: SERVICE/HOST, or SERVICE/HOST@REALM."""
    name, slash, host = value.partition("/")
    if not name or not slash or not host or "/" in host:
        raise BadValue(f"{value!r} is not a service's name such as cifs/server.example.com")
    return value


def signing(value: str) -> SigningPolicy:
    """`sign=`: only "auto" has a meaning of its own."""
    if value == "auto":
        return SigningPolicy.AUTO
    raise BadValue(f"{value!r} is not auto; sign alone requires signing, nosign goes without")


def user_name(value: str) -> tuple[str, str | None, str | None]:
    r"""User, domain and password of user, DOMAIN\user, DOMAIN/user or user%password."""
    name, percent, password = value.partition("%")
    domain = None
    for separator in "\\/":
        if separator in name:
            domain, name = name.split(separator, 1)
            break
    return name, domain, password if percent else None
