"""SMB2 IOCTL: request [MS-SMB2] 2.2.31, response 2.2.32. The payloads of FSCTLs: fsctl.py."""

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .header import HEADER_SIZE, Command
from .layout import fixed_part, named_buffer

_REQUEST = Struct("<HHLQQLLLLLLLL")
_RESPONSE = Struct("<HHLQQLLLLLL")
_IS_FSCTL = 1


class FsctlCode(IntEnum):
    """[MS-SMB2] 2.2.31, [MS-FSCC] 2.3."""

    DFS_GET_REFERRALS = 0x0006_0194
    DFS_GET_REFERRALS_EX = 0x0006_01B0
    SET_REPARSE_POINT = 0x0009_00A4
    GET_REPARSE_POINT = 0x0009_00A8
    DELETE_REPARSE_POINT = 0x0009_00AC
    CREATE_OR_GET_OBJECT_ID = 0x0009_00C0
    SET_SPARSE = 0x0009_00C4
    QUERY_ALLOCATED_RANGES = 0x0009_40CF
    SET_ZERO_DATA = 0x0009_80C8
    FILE_LEVEL_TRIM = 0x0009_8208
    DUPLICATE_EXTENTS_TO_FILE = 0x0009_8344
    DUPLICATE_EXTENTS_TO_FILE_EX = 0x0009_83E8
    PIPE_WAIT = 0x0011_0018
    PIPE_PEEK = 0x0011_400C
    PIPE_TRANSCEIVE = 0x0011_C017
    SRV_COPYCHUNK = 0x0014_40F2
    SRV_ENUMERATE_SNAPSHOTS = 0x0014_4064
    SRV_REQUEST_RESUME_KEY = 0x0014_0078
    SRV_READ_HASH = 0x0014_41BB
    SRV_COPYCHUNK_WRITE = 0x0014_80F2
    LMR_REQUEST_RESILIENCY = 0x0014_01D4
    QUERY_NETWORK_INTERFACE_INFO = 0x0014_01FC
    VALIDATE_NEGOTIATE_INFO = 0x0014_0204


@dataclass(frozen=True, slots=True)
class IoctlRequest:
    """An FSCTL with its input, and the most bytes its answer may have."""

    COMMAND: ClassVar[Command] = Command.IOCTL

    file_id: FileId
    ctl_code: int
    input_data: bytes = field(default=b"", repr=False)
    max_output_response: int = 0
    flags: int = _IS_FSCTL

    @property
    def payload_size(self) -> int:
        """Bytes sent or asked for."""
        return max(len(self.input_data), self.max_output_response)

    def pack(self) -> bytes:
        """The body."""
        at = HEADER_SIZE + _REQUEST.size
        fixed = _REQUEST.pack(
            57, 0, self.ctl_code, *self.file_id, at, len(self.input_data), 0, at, 0,
            self.max_output_response, self.flags, 0,
        )  # fmt: skip
        return fixed + self.input_data

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        _, code, persistent, volatile, at, length, _, _, _, most, flags, _ = fixed_part(
            message, _REQUEST, "IOCTL", 57
        )
        behind = HEADER_SIZE + _REQUEST.size
        data = named_buffer(message, "IOCTL", "Input", at, length, behind=behind)
        return cls(FileId(persistent, volatile), code, bytes(data), most, flags)


@dataclass(frozen=True, slots=True)
class IoctlResponse:
    """The output, as a view of the message."""

    ctl_code: int
    file_id: FileId
    output: memoryview = field(repr=False)
    flags: int = 0

    def pack(self) -> bytes:
        """The body."""
        at = HEADER_SIZE + _RESPONSE.size
        fixed = _RESPONSE.pack(
            49, 0, self.ctl_code, *self.file_id, at, 0, at, len(self.output), self.flags, 0
        )
        return fixed + self.output

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        _, code, persistent, volatile, _, _, at, length, flags, _ = fixed_part(
            message, _RESPONSE, "IOCTL", 49
        )
        behind = HEADER_SIZE + _RESPONSE.size
        output = named_buffer(message, "IOCTL", "Output", at, length, behind=behind)
        return cls(code, FileId(persistent, volatile), output, flags)
