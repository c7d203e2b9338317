"""SMB2 NEGOTIATE: request [MS-SMB2] 2.2.3, response 2.2.4. Contexts are next door."""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from struct import Struct
from typing import ClassVar, Self

from .errors import MalformedMessage
from .header import HEADER_SIZE, Command
from .layout import fixed_part, named_buffer, padding
from .negotiate_contexts import (
    Cipher,
    CompressionCapabilities,
    EncryptionCapabilities,
    HashAlgorithm,
    NegotiateContext,
    NetnameNegotiateContext,
    PosixExtensions,
    PreauthIntegrityCapabilities,
    RdmaTransformCapabilities,
    SigningAlgorithm,
    SigningCapabilities,
    TransportCapabilities,
    UnknownContext,
    pack_contexts,
    unpack_contexts,
)

_REQUEST = Struct("<HHHHL16sLHH")
_RESPONSE = Struct("<HHHH16sLLLLQQHHL")
_MOST_DIALECTS = 64


class Dialect(IntEnum):
    """Dialect revisions ([MS-SMB2] 2.2.3)."""

    SMB_2_0_2 = 0x0202
    SMB_2_1 = 0x0210
    SMB_3_0 = 0x0300
    SMB_3_0_2 = 0x0302
    SMB_3_1_1 = 0x0311
    WILDCARD = 0x02FF  # "some SMB 2", the answer to an SMB1 negotiate


class SecurityMode(IntFlag):
    """SecurityMode ([MS-SMB2] 2.2.3)."""

    SIGNING_ENABLED = 1
    SIGNING_REQUIRED = 2


class Capabilities(IntFlag):
    """Capabilities ([MS-SMB2] 2.2.3)."""

    DFS = 0x01
    LEASING = 0x02
    LARGE_MTU = 0x04
    MULTI_CHANNEL = 0x08
    PERSISTENT_HANDLES = 0x10
    DIRECTORY_LEASING = 0x20
    ENCRYPTION = 0x40
    NOTIFICATIONS = 0x80


@dataclass(frozen=True, slots=True)
class NegotiateRequest:
    """What the client can do. Contexts go with 3.1.1 among the dialects, and only then."""

    COMMAND: ClassVar[Command] = Command.NEGOTIATE
    payload_size: ClassVar[int] = 0

    dialects: tuple[int, ...]
    security_mode: int
    capabilities: int
    client_guid: bytes = field(repr=False)
    contexts: tuple[NegotiateContext, ...] = ()

    def pack(self) -> bytes:
        """The body; contexts 8-byte aligned behind the dialects."""
        dialects = b"".join(dialect.to_bytes(2, "little") for dialect in self.dialects)
        end = HEADER_SIZE + _REQUEST.size + len(dialects)
        start = end + padding(end, 8) if self.contexts else 0
        fixed = _REQUEST.pack(
            36, len(self.dialects), self.security_mode, 0, self.capabilities, self.client_guid,
            start, len(self.contexts), 0,
        )  # fmt: skip
        body = fixed + dialects
        if self.contexts:
            body += bytes(start - end) + pack_contexts(self.contexts)
        return body

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        count, mode, _, capabilities, guid, start, contexts, _ = fixed_part(
            message, _REQUEST, "NEGOTIATE", 36
        )
        at = HEADER_SIZE + _REQUEST.size
        if count > _MOST_DIALECTS or at + 2 * count > len(message):
            raise MalformedMessage("NEGOTIATE", "DialectCount", count)
        dialects = tuple(
            int.from_bytes(message[at + 2 * n : at + 2 * n + 2], "little") for n in range(count)
        )
        found: tuple[NegotiateContext, ...] = ()
        if Dialect.SMB_3_1_1 in dialects and contexts:
            if not at <= start <= len(message):
                raise MalformedMessage("NEGOTIATE", "NegotiateContextOffset", start)
            found = unpack_contexts(message[start:], contexts)
        return cls(dialects, SecurityMode(mode), Capabilities(capabilities), guid, found)


@dataclass(frozen=True, slots=True)
class NegotiateResponse:
    """The server's choice. Sizes are bytes, times FILETIME."""

    security_mode: int
    dialect: int
    capabilities: int
    server_guid: bytes
    max_transact_size: int
    max_read_size: int
    max_write_size: int
    system_time: int = 0
    server_start_time: int = 0
    security_buffer: bytes = field(default=b"", repr=False)
    contexts: tuple[NegotiateContext, ...] = ()

    def pack(self) -> bytes:
        """The body; contexts 8-byte aligned behind the security buffer."""
        at = HEADER_SIZE + _RESPONSE.size
        end = at + len(self.security_buffer)
        start = end + padding(end, 8) if self.contexts else 0
        fixed = _RESPONSE.pack(
            65, self.security_mode, self.dialect, len(self.contexts), self.server_guid,
            self.capabilities, self.max_transact_size, self.max_read_size, self.max_write_size,
            self.system_time, self.server_start_time, at, len(self.security_buffer), start,
        )  # fmt: skip
        body = fixed + self.security_buffer
        if self.contexts:
            body += bytes(start - end) + pack_contexts(self.contexts)
        return body

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        (
            mode, dialect, count, guid, capabilities, transact, read, write, now, started,
            at, length, start,
        ) = fixed_part(message, _RESPONSE, "NEGOTIATE", 65)  # fmt: skip
        behind = HEADER_SIZE + _RESPONSE.size
        token = named_buffer(message, "NEGOTIATE", "SecurityBuffer", at, length, behind=behind)
        contexts: tuple[NegotiateContext, ...] = ()
        if dialect == Dialect.SMB_3_1_1:
            if not behind <= start <= len(message):
                raise MalformedMessage("NEGOTIATE", "NegotiateContextOffset", start)
            contexts = unpack_contexts(message[start:], count)
        return cls(
            SecurityMode(mode), dialect, Capabilities(capabilities), guid, transact, read, write,
            now, started, bytes(token), contexts,
        )  # fmt: skip


__all__ = [
    "Capabilities",
    "Cipher",
    "CompressionCapabilities",
    "Dialect",
    "EncryptionCapabilities",
    "HashAlgorithm",
    "NegotiateContext",
    "NegotiateRequest",
    "NegotiateResponse",
    "NetnameNegotiateContext",
    "PosixExtensions",
    "PreauthIntegrityCapabilities",
    "RdmaTransformCapabilities",
    "SecurityMode",
    "SigningAlgorithm",
    "SigningCapabilities",
    "TransportCapabilities",
    "UnknownContext",
]
