"""SMB2 SESSION_SETUP: request [MS-SMB2] 2.2.5, response 2.2.6. LOGOFF: 2.2.7, 2.2.8."""

from dataclasses import dataclass, field
from enum import IntFlag
from struct import Struct
from typing import ClassVar, Self

from .header import HEADER_SIZE, Command
from .layout import EmptyBody, fixed_part, named_buffer

_REQUEST = Struct("<HBBLLHHQ")
_RESPONSE = Struct("<HHHH")


class SessionFlags(IntFlag):
    """SessionFlags of the response ([MS-SMB2] 2.2.6)."""

    IS_GUEST = 1
    IS_NULL = 2
    ENCRYPT_DATA = 4


class SetupFlags(IntFlag):
    """Flags of the request ([MS-SMB2] 2.2.5)."""

    BINDING = 1


@dataclass(frozen=True, slots=True)
class SessionSetupRequest:
    """One token towards the server. Tokens stay out of the repr."""

    COMMAND: ClassVar[Command] = Command.SESSION_SETUP
    payload_size: ClassVar[int] = 0

    security_buffer: bytes = field(repr=False)
    security_mode: int
    capabilities: int = 0
    flags: int = 0
    previous_session_id: int = 0

    def pack(self) -> bytes:
        """The body."""
        at = HEADER_SIZE + _REQUEST.size
        return (
            _REQUEST.pack(
                25, self.flags, self.security_mode, self.capabilities, 0, at,
                len(self.security_buffer), self.previous_session_id,
            )
            + self.security_buffer
        )  # fmt: skip

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        flags, mode, capabilities, _, at, length, previous = fixed_part(
            message, _REQUEST, "SESSION_SETUP", 25
        )
        behind = HEADER_SIZE + _REQUEST.size
        token = named_buffer(message, "SESSION_SETUP", "SecurityBuffer", at, length, behind=behind)
        return cls(bytes(token), mode, capabilities, flags, previous)


@dataclass(frozen=True, slots=True)
class SessionSetupResponse:
    """One token from the server."""

    session_flags: SessionFlags
    security_buffer: bytes = field(repr=False)

    def pack(self) -> bytes:
        """The body."""
        at = HEADER_SIZE + _RESPONSE.size
        fixed = _RESPONSE.pack(9, self.session_flags, at, len(self.security_buffer))
        return fixed + self.security_buffer

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        flags, at, length = fixed_part(message, _RESPONSE, "SESSION_SETUP", 9)
        behind = HEADER_SIZE + _RESPONSE.size
        token = named_buffer(message, "SESSION_SETUP", "SecurityBuffer", at, length, behind=behind)
        return cls(SessionFlags(flags), bytes(token))


@dataclass(frozen=True, slots=True)
class LogoffRequest(EmptyBody):
    """[MS-SMB2] 2.2.7."""

    COMMAND: ClassVar[Command] = Command.LOGOFF
    payload_size: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class LogoffResponse(EmptyBody):
    """[MS-SMB2] 2.2.8."""
