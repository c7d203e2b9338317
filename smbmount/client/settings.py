"""What a mount is told before it connects: where to, as whom, and how careful to be."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum

from smbmount.proto.negotiate import Cipher, Dialect, SigningAlgorithm

Observer = Callable[[str, memoryview], None]  # called with "out" or "in", and the message

ALL_DIALECTS = (
    Dialect.SMB_2_0_2,
    Dialect.SMB_2_1,
    Dialect.SMB_3_0,
    Dialect.SMB_3_0_2,
    Dialect.SMB_3_1_1,
)
# GCM before CCM: seven times as fast on today's processors, and no weaker.
ALL_CIPHERS = (
    Cipher.AES_128_GCM,
    Cipher.AES_256_GCM,
    Cipher.AES_128_CCM,
    Cipher.AES_256_CCM,
)
ALL_SIGNING_ALGORITHMS = (
    SigningAlgorithm.AES_GMAC,
    SigningAlgorithm.AES_CMAC,
    SigningAlgorithm.HMAC_SHA256,
)


class SigningPolicy(Enum):
    """Whether messages must be signed ([MS-SMB2] 3.2.1.1, RequireMessageSigning)."""

    REQUIRED = "required"  # refuse a session that cannot sign, a guest's apart
    AUTO = "auto"  # sign if the server requires it
    OFF = "off"  # sign only what the protocol cannot go without


class PosixPolicy(Enum):
    """Whether to use the SMB3 POSIX extensions."""

    AUTO = "auto"  # where the server and the share have them
    REQUIRED = "required"  # refuse a share without
    OFF = "off"


class NameMapping(Enum):
    """What becomes of characters that SMB forbids in names. Values are mount.cifs's words."""

    SFM = "mapposix"
    SFU = "mapchars"
    NONE = "nomapchars"  # names with them cannot be had


class Mechanism(Enum):
    """How to prove who we are. Values are mount.cifs's words for `sec=`."""

    NTLM = "ntlmssp"
    KERBEROS = "krb5"
    NEGOTIATE = "negotiate"  # Kerberos if there is a ticket, else NTLM
    NONE = "none"  # an anonymous session


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who signs on. The password is left out of the repr, and so of every log."""

    username: str = ""
    password: str | None = field(default=None, repr=False)
    domain: str = ""
    mechanism: Mechanism = Mechanism.NTLM
    guest: bool = False  # a guest session is accepted, because it was asked for
    ccache: str | None = None  # Kerberos credential cache, KRB5CCNAME's syntax
    keytab: str | None = None  # path of a keytab with the user's key
    spn: str | None = None  # service principal, when not cifs/HOST

    @property
    def anonymous(self) -> bool:
        """True if the session is to have no user at all."""
        return self.mechanism is Mechanism.NONE


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """How to reach a server and what to accept from it."""

    host: str
    port: int = 445
    address: str | None = None  # ip=: connect there, whatever `host` resolves to
    dialects: tuple[Dialect, ...] = ALL_DIALECTS
    signing: SigningPolicy = SigningPolicy.REQUIRED
    seal: bool = False
    ciphers: tuple[Cipher, ...] = ALL_CIPHERS  # in order of preference
    signing_algorithms: tuple[SigningAlgorithm, ...] = ALL_SIGNING_ALGORITHMS
    timeout: float = 30.0  # seconds a silent server is given before it counts as gone
    connect_timeout: float = 10.0  # seconds from the first SYN to the share
    echo_interval: float = 10.0  # seconds of silence, with answers due, before we ask
    max_read: int | None = None  # rsize: bytes; the server's own limit if None
    max_write: int | None = None  # wsize
    max_credits: int = 512  # the most credits to hold, each worth 64 KiB in flight
    posix: PosixPolicy = PosixPolicy.AUTO
    mfsymlinks: bool = False  # links in files of Minshall and French's format
    snapshot: int | None = None  # FILETIME of a previous version: mount the share as it was
    sfu: bool = False  # special files as Services for Unix stores them
    # For each connection, one observer of its messages as they are before encryption.
    observer: Callable[[], Observer] | None = field(default=None, repr=False, compare=False)
    client_guid: bytes = field(default_factory=lambda: secrets.token_bytes(16), repr=False)
