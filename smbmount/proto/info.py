"""SMB2 QUERY_INFO: request [MS-SMB2] 2.2.37, response 2.2.38. SET_INFO: 2.2.39, 2.2.40."""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .header import HEADER_SIZE, Command
from .layout import fixed_part, named_buffer

_QUERY = Struct("<HBBLHHLLLQQ")
_ANSWER = Struct("<HHL")
_SET = Struct("<HBBLHHLQQ")
_SET_DONE = Struct("<H")


class InfoType(IntEnum):
    """[MS-SMB2] 2.2.37."""

    FILE = 1
    FILESYSTEM = 2
    SECURITY = 3
    QUOTA = 4


class SecurityInformation(IntFlag):
    """AdditionalInformation of a security query ([MS-SMB2] 2.2.37)."""

    OWNER = 0x001
    GROUP = 0x002
    DACL = 0x004
    SACL = 0x008
    LABEL = 0x010
    ATTRIBUTE = 0x020
    SCOPE = 0x040
    BACKUP = 0x1_0000


class QueryFlags(IntFlag):
    """Flags of an EA query ([MS-SMB2] 2.2.37)."""

    RESTART_SCAN = 1
    RETURN_SINGLE_ENTRY = 2
    INDEX_SPECIFIED = 4


@dataclass(frozen=True, slots=True)
class QueryInfoRequest:
    """Ask for one information class, of at most `output_buffer_length` bytes."""

    COMMAND: ClassVar[Command] = Command.QUERY_INFO

    file_id: FileId
    info_type: int
    info_class: int
    output_buffer_length: int
    additional_information: int = 0
    flags: int = 0
    input_data: bytes = field(default=b"", repr=False)

    @property
    def payload_size(self) -> int:
        """Bytes sent or asked for."""
        return max(self.output_buffer_length, len(self.input_data))

    def pack(self) -> bytes:
        """The body."""
        at = HEADER_SIZE + _QUERY.size if self.input_data else 0
        fixed = _QUERY.pack(
            41, self.info_type, self.info_class, self.output_buffer_length, at, 0,
            len(self.input_data), self.additional_information, self.flags, *self.file_id,
        )  # fmt: skip
        return fixed + self.input_data

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        kind, info_class, output, at, _, length, additional, flags, persistent, volatile = (
            fixed_part(message, _QUERY, "QUERY_INFO", 41)
        )
        behind = HEADER_SIZE + _QUERY.size
        data = named_buffer(message, "QUERY_INFO", "InputBuffer", at, length, behind=behind)
        return cls(
            FileId(persistent, volatile), kind, info_class, output, additional, flags, bytes(data)
        )


@dataclass(frozen=True, slots=True)
class QueryInfoResponse:
    """The information, as a view of the message."""

    data: memoryview = field(repr=False)

    def pack(self) -> bytes:
        """The body."""
        return _ANSWER.pack(9, HEADER_SIZE + _ANSWER.size, len(self.data)) + self.data

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        at, length = fixed_part(message, _ANSWER, "QUERY_INFO", 9)
        behind = HEADER_SIZE + _ANSWER.size
        return cls(named_buffer(message, "QUERY_INFO", "OutputBuffer", at, length, behind=behind))


@dataclass(frozen=True, slots=True)
class SetInfoRequest:
    """Set one information class."""

    COMMAND: ClassVar[Command] = Command.SET_INFO

    file_id: FileId
    info_type: int
    info_class: int
    data: bytes = field(repr=False)
    additional_information: int = 0

    @property
    def payload_size(self) -> int:
        """Bytes sent."""
        return len(self.data)

    def pack(self) -> bytes:
        """The body."""
        fixed = _SET.pack(
            33, self.info_type, self.info_class, len(self.data), HEADER_SIZE + _SET.size, 0,
            self.additional_information, *self.file_id,
        )  # fmt: skip
        return fixed + self.data

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        kind, info_class, length, at, _, additional, persistent, volatile = fixed_part(
            message, _SET, "SET_INFO", 33
        )
        behind = HEADER_SIZE + _SET.size
        data = named_buffer(message, "SET_INFO", "Buffer", at, length, behind=behind)
        return cls(FileId(persistent, volatile), kind, info_class, bytes(data), additional)


@dataclass(frozen=True, slots=True)
class SetInfoResponse:
    """It is set."""

    def pack(self) -> bytes:
        """The body."""
        return _SET_DONE.pack(2)

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        fixed_part(message, _SET_DONE, "SET_INFO", 2)
        return cls()
