"""Keys from a session key ([MS-SMB2] 3.1.4.2), and the preauthentication hash (3.1.4.4.1)."""

import hashlib
from dataclasses import dataclass, field
from typing import Self

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFHMAC, CounterLocation, Mode

from .negotiate import Cipher, Dialect

_KEY = 16  # bytes of every key but AES-256's
_WIDE = frozenset({Cipher.AES_256_CCM, Cipher.AES_256_GCM})


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """A session's keys, from the client's side: `encryption` is for what it sends."""

    signing: bytes = field(repr=False)
    encryption: bytes = field(repr=False)
    decryption: bytes = field(repr=False)
    application: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PreauthHash:
    """SHA-512 chained over the messages that set a session up (3.2.5.2, 3.2.5.3)."""

    digest: bytes = bytes(64)

    def update(self, message: bytes) -> Self:
        """The hash after one more message, header included."""
        return type(self)(hashlib.sha512(self.digest + message).digest())


def derive(key: bytes, label: bytes, context: bytes, length: int = _KEY) -> bytes:
    """SP800-108 in counter mode with HMAC-SHA256, as [MS-SMB2] 3.1.4.2 sets its parameters.

    `label` and `context` as the section spells them, with their own terminating zero; the
    separator between them is the function's.
    """
    return KBKDFHMAC(
        algorithm=SHA256(),
        mode=Mode.CounterMode,
        length=length,
        rlen=4,
        llen=4,
        location=CounterLocation.BeforeFixed,
        label=label,
        context=context,
        fixed=None,
    ).derive(key)


def derive_keys(
    dialect: Dialect, session_key: bytes, preauth_hash: bytes, cipher: Cipher | None
) -> SessionKeys:
    """All keys of a session.

    `session_key` is what authentication left, of any length; `preauth_hash` counts for 3.1.1
    only. Before 3.0 there is one key, for signing.
    """
    short = session_key[:_KEY].ljust(_KEY, b"\0")
    if dialect < Dialect.SMB_3_0:
        return SessionKeys(short, b"", b"", short)
    if dialect < Dialect.SMB_3_1_1:
        return SessionKeys(
            derive(short, b"SMB2AESCMAC\0", b"SmbSign\0"),
            derive(short, b"SMB2AESCCM\0", b"ServerIn \0"),
            derive(short, b"SMB2AESCCM\0", b"ServerOut\0"),
            derive(short, b"SMB2APP\0", b"SmbRpc\0"),
        )
    # AES-256 draws on the whole session key, which Kerberos makes 32 bytes long.
    source, width = (session_key, 32) if cipher in _WIDE else (short, _KEY)
    return SessionKeys(
        derive(short, b"SMBSigningKey\0", preauth_hash),
        derive(source, b"SMBC2SCipherKey\0", preauth_hash, width),
        derive(source, b"SMBS2CCipherKey\0", preauth_hash, width),
        derive(short, b"SMBAppKey\0", preauth_hash),
    )
