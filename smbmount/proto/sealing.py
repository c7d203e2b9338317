"""Encrypted messages: the transform header [MS-SMB2] 2.2.41, the sealing 3.1.4.3 and 3.1.5.1."""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

from .errors import MalformedMessage
from .negotiate_contexts import Cipher
from .signing import Buffer

TRANSFORM_SIZE = 52
_PROTOCOL_ID = b"\xfdSMB"
_TRANSFORM = Struct("<4s16s16sLHHQ")
_AUTHENTICATED = slice(20, TRANSFORM_SIZE)  # from the nonce on
_TAG = 16
_ENCRYPTED = 1
# Nonces count up and never repeat with one key. 2**64 messages are out of reach, yet the counter is
# checked: a repeated nonce would give the key away.
_LAST_NONCE = 2**64 - 1


class SealBroken(Exception):
    """A message that its key does not open: altered, replayed elsewhere, or not the server's."""


@dataclass(frozen=True, slots=True)
class TransformHeader:
    """What stands before an encrypted message."""

    signature: bytes
    nonce: bytes
    original_size: int
    flags: int
    session_id: int

    def pack(self) -> bytes:
        """52 bytes."""
        return _TRANSFORM.pack(
            _PROTOCOL_ID, self.signature, self.nonce.ljust(16, b"\0"), self.original_size, 0,
            self.flags, self.session_id,
        )  # fmt: skip

    @classmethod
    def unpack(cls, frame: memoryview) -> Self:
        """Parse the start of a frame. Raises MalformedMessage."""
        if len(frame) < TRANSFORM_SIZE:
            raise MalformedMessage("transform", "size", len(frame))
        protocol, signature, nonce, size, _, flags, session_id = _TRANSFORM.unpack_from(frame)
        if protocol != _PROTOCOL_ID:
            raise MalformedMessage("transform", "ProtocolId", protocol)
        if flags != _ENCRYPTED:
            raise MalformedMessage("transform", "Flags", flags)
        if size != len(frame) - TRANSFORM_SIZE:
            raise MalformedMessage("transform", "OriginalMessageSize", size)
        return cls(signature, nonce, size, flags, session_id)


def is_transform(frame: memoryview) -> bool:
    """True if `frame` is an encrypted message."""
    return bytes(frame[:4]) == _PROTOCOL_ID


class Sealer:
    """Seals what one session sends and opens what it receives. No key is in its repr."""

    def __init__(
        self, cipher: Cipher, encryption_key: bytes, decryption_key: bytes, session_id: int
    ) -> None:
        self.cipher = cipher
        self._session_id = session_id
        self._counter = 0
        self._out: AESGCM | AESCCM
        self._in: AESGCM | AESCCM
        if cipher in (Cipher.AES_128_GCM, Cipher.AES_256_GCM):
            self._out, self._in = AESGCM(encryption_key), AESGCM(decryption_key)
            self._nonce_size = 12
        else:
            self._out, self._in = AESCCM(encryption_key), AESCCM(decryption_key)
            self._nonce_size = 11

    def __repr__(self) -> str:
        return f"<Sealer {self.cipher.name} session {self._session_id:#x}>"

    def seal(self, parts: Sequence[Buffer]) -> list[Buffer]:
        """The transform header and the ciphertext of the message that `parts` make up."""
        if self._counter >= _LAST_NONCE:
            raise SealBroken("the nonces of this key are used up")
        self._counter += 1
        nonce = self._counter.to_bytes(self._nonce_size, "little")
        size = sum(len(part) for part in parts)
        header = TransformHeader(bytes(16), nonce, size, _ENCRYPTED, self._session_id).pack()
        sealed = memoryview(self._out.encrypt(nonce, b"".join(parts), header[_AUTHENTICATED]))
        return [header[:4] + bytes(sealed[-_TAG:]) + header[20:], sealed[:-_TAG]]

    def unseal(self, frame: memoryview) -> memoryview:
        """The message inside `frame`.

        Raises SealBroken if its tag is wrong, MalformedMessage if its header is.
        """
        header = TransformHeader.unpack(frame)
        if header.session_id != self._session_id:
            raise MalformedMessage("transform", "SessionId", header.session_id)
        nonce = header.nonce[: self._nonce_size]
        # The tag belongs behind the ciphertext for the library: move it there, if there is room.
        sealed = b"".join((frame[TRANSFORM_SIZE:], header.signature))
        try:
            return memoryview(self._in.decrypt(nonce, sealed, bytes(frame[_AUTHENTICATED])))
        except InvalidTag:
            raise SealBroken("a message whose seal is broken arrived") from None
