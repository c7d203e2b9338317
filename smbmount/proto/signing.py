"""Signing a message ([MS-SMB2] 3.1.4.1, 3.1.5.1)."""

import hmac
from collections.abc import Callable, Sequence

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.cmac import CMAC

from .header import FLAGS_AT, HEADER_SIZE, MESSAGE_ID_AT, SIGNATURE_AT, Command, HeaderFlags
from .negotiate_contexts import SigningAlgorithm

Buffer = bytes | bytearray | memoryview

_SIGNATURE = slice(SIGNATURE_AT, SIGNATURE_AT + 16)
_COMMAND_AT = 12
_ZEROS = bytes(16)
_FROM_SERVER = 1  # bits of the GMAC nonce behind the message id
_CANCEL = 2


class Signer:
    """Signs with one key. The key is nowhere in its repr."""

    def __init__(self, algorithm: SigningAlgorithm, key: bytes) -> None:
        self.algorithm = algorithm
        self._mac: Callable[[Sequence[Buffer]], bytes]
        if algorithm is SigningAlgorithm.HMAC_SHA256:
            self._fresh_hmac = hmac.new(key, digestmod="sha256")
            self._mac = self._hmac
        elif algorithm is SigningAlgorithm.AES_CMAC:
            self._fresh_cmac = CMAC(AES(key))
            self._mac = self._cmac
        else:
            self._gcm = AESGCM(key)
            self._mac = self._gmac

    def __repr__(self) -> str:
        return f"<Signer {self.algorithm.name}>"

    def signature(self, parts: Sequence[Buffer]) -> bytes:
        """16 bytes for the message that `parts` make up.

        The first part starts with the whole header; its signature field counts as zero,
        whatever it holds.
        """
        head = parts[0]
        if bytes(head[_SIGNATURE]) != _ZEROS:
            head = bytearray(head)
            head[_SIGNATURE] = _ZEROS
            parts = [head, *parts[1:]]
        return self._mac(parts)

    def verify(self, message: memoryview) -> bool:
        """True if the signature inside `message` is right. Takes as long for any wrong one."""
        head = bytearray(message[:HEADER_SIZE])
        given = bytes(head[_SIGNATURE])
        head[_SIGNATURE] = _ZEROS
        return hmac.compare_digest(self._mac([head, message[HEADER_SIZE:]]), given)

    def _hmac(self, parts: Sequence[Buffer]) -> bytes:
        mac = self._fresh_hmac.copy()
        for part in parts:
            mac.update(part)
        return mac.digest()[:16]

    def _cmac(self, parts: Sequence[Buffer]) -> bytes:
        mac = self._fresh_cmac.copy()
        for part in parts:
            mac.update(part)  # type: ignore[arg-type]  # takes any buffer, says bytes
        return mac.finalize()

    def _gmac(self, parts: Sequence[Buffer]) -> bytes:
        head = parts[0]
        flags = int.from_bytes(head[FLAGS_AT : FLAGS_AT + 4], "little")
        command = int.from_bytes(head[_COMMAND_AT : _COMMAND_AT + 2], "little")
        bits = _FROM_SERVER if flags & HeaderFlags.SERVER_TO_REDIR else 0
        if command == Command.CANCEL:
            bits |= _CANCEL
        nonce = bytes(head[MESSAGE_ID_AT : MESSAGE_ID_AT + 8]) + bits.to_bytes(4, "little")
        # AESGCM wants its associated data in one piece; the tag is all that comes out.
        return self._gcm.encrypt(nonce, b"", b"".join(parts))
