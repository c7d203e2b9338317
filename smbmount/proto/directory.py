"""SMB2 QUERY_DIRECTORY: request [MS-SMB2] 2.2.33, response 2.2.34."""

from dataclasses import dataclass, field
from enum import IntFlag
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .header import HEADER_SIZE, Command
from .layout import fixed_part, named_buffer, text, utf16

_REQUEST = Struct("<HBBLQQHHL")
_RESPONSE = Struct("<HHL")


class QueryDirectoryFlags(IntFlag):
    """[MS-SMB2] 2.2.33."""

    RESTART_SCANS = 0x01
    RETURN_SINGLE_ENTRY = 0x02
    INDEX_SPECIFIED = 0x04
    REOPEN = 0x10


@dataclass(frozen=True, slots=True)
class QueryDirectoryRequest:
    """Ask for the next entries that match `pattern`, of at most so many bytes."""

    COMMAND: ClassVar[Command] = Command.QUERY_DIRECTORY

    file_id: FileId
    info_class: int
    pattern: str = "*"
    flags: int = 0
    output_buffer_length: int = 64 * 1024
    file_index: int = 0

    @property
    def payload_size(self) -> int:
        """Bytes asked for."""
        return self.output_buffer_length

    def pack(self) -> bytes:
        """The body."""
        pattern = utf16(self.pattern)
        fixed = _REQUEST.pack(
            33, self.info_class, self.flags, self.file_index, *self.file_id,
            HEADER_SIZE + _REQUEST.size, len(pattern), self.output_buffer_length,
        )  # fmt: skip
        return fixed + pattern

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        info_class, flags, index, persistent, volatile, at, length, output = fixed_part(
            message, _REQUEST, "QUERY_DIRECTORY", 33
        )
        behind = HEADER_SIZE + _REQUEST.size
        pattern = named_buffer(message, "QUERY_DIRECTORY", "FileName", at, length, behind=behind)
        name = text(pattern, "QUERY_DIRECTORY", "FileName")
        return cls(FileId(persistent, volatile), info_class, name, flags, output, index)


@dataclass(frozen=True, slots=True)
class QueryDirectoryResponse:
    """Entries as bytes, for `fscc_directory.entries`."""

    data: memoryview = field(repr=False)

    def pack(self) -> bytes:
        """The body."""
        return _RESPONSE.pack(9, HEADER_SIZE + _RESPONSE.size, len(self.data)) + self.data

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        at, length = fixed_part(message, _RESPONSE, "QUERY_DIRECTORY", 9)
        behind = HEADER_SIZE + _RESPONSE.size
        return cls(
            named_buffer(message, "QUERY_DIRECTORY", "OutputBuffer", at, length, behind=behind)
        )
