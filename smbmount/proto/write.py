"""SMB2 WRITE: request [MS-SMB2] 2.2.21, response 2.2.22."""

from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .header import HEADER_SIZE, Command
from .layout import fixed_part, named_buffer

_REQUEST = Struct("<HHLQQQLLHHL")
_RESPONSE = Struct("<HHLLHH")
_DATA_AT = HEADER_SIZE + _REQUEST.size


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """Put `data` at byte `offset` of an open file.

    `pack` gives the fixed part only; whoever sends the request puts `data` right behind
    it, uncopied.
    """

    COMMAND: ClassVar[Command] = Command.WRITE

    file_id: FileId
    offset: int
    data: bytes | bytearray | memoryview = field(repr=False)
    flags: int = 0

    @property
    def payload_size(self) -> int:
        """Bytes sent."""
        return len(self.data)

    def pack(self) -> bytes:
        """The fixed part of the body."""
        return _REQUEST.pack(
            49, _DATA_AT, len(self.data), self.offset, *self.file_id, 0, 0, 0, 0, self.flags
        )

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        at, length, offset, persistent, volatile, _, _, _, _, flags = fixed_part(
            message, _REQUEST, "WRITE", 49
        )
        data = named_buffer(message, "WRITE", "Data", at, length, behind=_DATA_AT)
        return cls(FileId(persistent, volatile), offset, data, flags)


@dataclass(frozen=True, slots=True)
class WriteResponse:
    """How many bytes were written."""

    count: int

    def pack(self) -> bytes:
        """The body."""
        return _RESPONSE.pack(17, 0, self.count, 0, 0, 0)

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        _, count, *_ = fixed_part(message, _RESPONSE, "WRITE", 17)
        return cls(count)
