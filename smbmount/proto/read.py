"""SMB2 READ: request [MS-SMB2] 2.2.19, response 2.2.20."""

from dataclasses import dataclass, field
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .errors import MalformedMessage
from .header import HEADER_SIZE, Command
from .layout import fixed_part

_REQUEST = Struct("<HBBLQQQLLLHHB")
_RESPONSE = Struct("<HBBLLL")
_DATA_AT = HEADER_SIZE + _RESPONSE.size


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Ask for up to `length` bytes of an open file, from byte `offset` on."""

    COMMAND: ClassVar[Command] = Command.READ

    file_id: FileId
    offset: int
    length: int
    minimum_count: int = 0
    flags: int = 0

    @property
    def payload_size(self) -> int:
        """Bytes asked for."""
        return self.length

    def pack(self) -> bytes:
        """The body. Padding is a wish: data right behind the fixed part."""
        return _REQUEST.pack(
            49, _DATA_AT, self.flags, self.length, self.offset, *self.file_id,
            self.minimum_count, 0, 0, 0, 0, 0,
        )  # fmt: skip

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        _, flags, length, offset, persistent, volatile, least, *_ = fixed_part(
            message, _REQUEST, "READ", 49
        )
        return cls(FileId(persistent, volatile), offset, length, least, flags)


@dataclass(frozen=True, slots=True)
class ReadResponse:
    """`data` is a view of the received message and lives as long as its buffer."""

    data: memoryview = field(repr=False)

    def pack(self) -> bytes:
        """The body."""
        return _RESPONSE.pack(17, _DATA_AT, 0, len(self.data), 0, 0) + self.data

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message: its offsets count from the header.

        Raises MalformedMessage, which names the field.
        """
        start, _, length, _, _ = fixed_part(message, _RESPONSE, "READ", 17)
        if length and start < _DATA_AT:  # would serve header bytes as file content
            raise MalformedMessage("READ", "DataOffset", start)
        if start + length > len(message) and length:
            raise MalformedMessage("READ", "DataLength", length)
        return cls(message[start : start + length])
