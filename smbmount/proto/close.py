"""SMB2 CLOSE: request [MS-SMB2] 2.2.15, response 2.2.16."""

from dataclasses import dataclass
from enum import IntFlag
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .header import Command
from .layout import fixed_part

_REQUEST = Struct("<HHLQQ")
_RESPONSE = Struct("<HHLQQQQQQL")


class CloseFlags(IntFlag):
    """[MS-SMB2] 2.2.15."""

    POSTQUERY_ATTRIB = 1


@dataclass(frozen=True, slots=True)
class CloseRequest:
    """Close; with POSTQUERY_ATTRIB the answer holds the metadata of that moment."""

    COMMAND: ClassVar[Command] = Command.CLOSE
    payload_size: ClassVar[int] = 0

    file_id: FileId
    flags: int = 0

    def pack(self) -> bytes:
        """The body."""
        return _REQUEST.pack(24, self.flags, 0, *self.file_id)

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        flags, _, persistent, volatile = fixed_part(message, _REQUEST, "CLOSE", 24)
        return cls(FileId(persistent, volatile), flags)


@dataclass(frozen=True, slots=True)
class CloseResponse:
    """Metadata, zero unless asked for. Times are FILETIME, sizes bytes."""

    flags: int = 0
    creation_time: int = 0
    last_access_time: int = 0
    last_write_time: int = 0
    change_time: int = 0
    allocation_size: int = 0
    end_of_file: int = 0
    file_attributes: int = 0

    def pack(self) -> bytes:
        """The body."""
        return _RESPONSE.pack(
            60, self.flags, 0, self.creation_time, self.last_access_time, self.last_write_time,
            self.change_time, self.allocation_size, self.end_of_file, self.file_attributes,
        )  # fmt: skip

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        flags, _, *fields = fixed_part(message, _RESPONSE, "CLOSE", 60)
        return cls(flags, *fields)
