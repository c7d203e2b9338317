"""SMB2 FLUSH: request [MS-SMB2] 2.2.17, response 2.2.18."""

from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .header import Command
from .layout import fixed_part

_REQUEST = Struct("<HHLQQ")
_RESPONSE = Struct("<HH")


@dataclass(frozen=True, slots=True)
class FlushRequest:
    """Write what is cached for this open to the disk."""

    COMMAND: ClassVar[Command] = Command.FLUSH
    payload_size: ClassVar[int] = 0

    file_id: FileId

    def pack(self) -> bytes:
        """The body."""
        return _REQUEST.pack(24, 0, 0, *self.file_id)

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        _, _, persistent, volatile = fixed_part(message, _REQUEST, "FLUSH", 24)
        return cls(FileId(persistent, volatile))


@dataclass(frozen=True, slots=True)
class FlushResponse:
    """It is on the disk."""

    def pack(self) -> bytes:
        """The body."""
        return _RESPONSE.pack(4, 0)

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        fixed_part(message, _RESPONSE, "FLUSH", 4)
        return cls()
