"""Information about one file ([MS-FSCC] 2.4), queried and set.

Times are FILETIME, sizes and offsets bytes. `pack` and `unpack` are each other's inverse.
"""

from dataclasses import astuple, dataclass
from enum import IntFlag
from struct import Struct
from typing import ClassVar, Self

from .errors import MalformedMessage
from .layout import text, utf16, whole

_LARGEST_FILE = 0x7FFF_FFFF_FFFF_FFFF
_RENAME = Struct("<B7xQL")
_NAME = Struct("<L")


class FixedInformation:
    """A class of fixed layout: the fields in wire order, `_LAYOUT` their struct."""

    __slots__ = ()
    _LAYOUT: ClassVar[Struct]

    def pack(self) -> bytes:
        """The structure's bytes."""
        return self._LAYOUT.pack(*astuple(self))  # type: ignore[call-overload]  # a dataclass

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        return cls(*whole(data, cls._LAYOUT, cls.__name__))


@dataclass(frozen=True, slots=True)
class FileBasicInformation(FixedInformation):
    """[MS-FSCC] 2.4.7. When set, 0 leaves a field as it is; -1 stops its updates."""

    _LAYOUT: ClassVar[Struct] = Struct("<qqqqL4x")

    creation_time: int
    last_access_time: int
    last_write_time: int
    change_time: int
    file_attributes: int


@dataclass(frozen=True, slots=True)
class FileStandardInformation(FixedInformation):
    """[MS-FSCC] 2.4.41."""

    _LAYOUT: ClassVar[Struct] = Struct("<QQLBB2x")

    allocation_size: int
    end_of_file: int
    number_of_links: int
    delete_pending: int
    directory: int

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        told = cls(*whole(data, cls._LAYOUT, cls.__name__))
        if told.end_of_file > _LARGEST_FILE:
            raise MalformedMessage(cls.__name__, "EndOfFile", told.end_of_file)
        return told


@dataclass(frozen=True, slots=True)
class FileInternalInformation(FixedInformation):
    """[MS-FSCC] 2.4.26: the file's number on its volume."""

    _LAYOUT: ClassVar[Struct] = Struct("<Q")

    index_number: int


@dataclass(frozen=True, slots=True)
class FileEaInformation(FixedInformation):
    """[MS-FSCC] 2.4.13."""

    _LAYOUT: ClassVar[Struct] = Struct("<L")

    ea_size: int


@dataclass(frozen=True, slots=True)
class FileAccessInformation(FixedInformation):
    """[MS-FSCC] 2.4.1: the access this open has."""

    _LAYOUT: ClassVar[Struct] = Struct("<L")

    access_flags: int


@dataclass(frozen=True, slots=True)
class FilePositionInformation(FixedInformation):
    """[MS-FSCC] 2.4.35."""

    _LAYOUT: ClassVar[Struct] = Struct("<Q")

    current_byte_offset: int


@dataclass(frozen=True, slots=True)
class FileModeInformation(FixedInformation):
    """[MS-FSCC] 2.4.31."""

    _LAYOUT: ClassVar[Struct] = Struct("<L")

    mode: int


@dataclass(frozen=True, slots=True)
class FileAlignmentInformation(FixedInformation):
    """[MS-FSCC] 2.4.3."""

    _LAYOUT: ClassVar[Struct] = Struct("<L")

    alignment_requirement: int


@dataclass(frozen=True, slots=True)
class FileAllocationInformation(FixedInformation):
    """[MS-FSCC] 2.4.4."""

    _LAYOUT: ClassVar[Struct] = Struct("<Q")

    allocation_size: int


@dataclass(frozen=True, slots=True)
class FileEndOfFileInformation(FixedInformation):
    """[MS-FSCC] 2.4.14."""

    _LAYOUT: ClassVar[Struct] = Struct("<Q")

    end_of_file: int


@dataclass(frozen=True, slots=True)
class FileValidDataLengthInformation(FixedInformation):
    """[MS-FSCC] 2.4.49."""

    _LAYOUT: ClassVar[Struct] = Struct("<Q")

    valid_data_length: int


@dataclass(frozen=True, slots=True)
class FileDispositionInformation(FixedInformation):
    """[MS-FSCC] 2.4.11."""

    _LAYOUT: ClassVar[Struct] = Struct("<?")

    delete_pending: bool


class DispositionFlags(IntFlag):
    """[MS-FSCC] 2.4.12."""

    DELETE = 0x01
    POSIX_SEMANTICS = 0x02
    FORCE_IMAGE_SECTION_CHECK = 0x04
    ON_CLOSE = 0x08
    IGNORE_READONLY_ATTRIBUTE = 0x10


@dataclass(frozen=True, slots=True)
class FileDispositionInformationEx(FixedInformation):
    """[MS-FSCC] 2.4.12."""

    _LAYOUT: ClassVar[Struct] = Struct("<L")

    flags: int


@dataclass(frozen=True, slots=True)
class FileNetworkOpenInformation(FixedInformation):
    """[MS-FSCC] 2.4.34."""

    _LAYOUT: ClassVar[Struct] = Struct("<qqqqQQL4x")

    creation_time: int
    last_access_time: int
    last_write_time: int
    change_time: int
    allocation_size: int
    end_of_file: int
    file_attributes: int


@dataclass(frozen=True, slots=True)
class FileAttributeTagInformation(FixedInformation):
    """[MS-FSCC] 2.4.6."""

    _LAYOUT: ClassVar[Struct] = Struct("<LL")

    file_attributes: int
    reparse_tag: int


@dataclass(frozen=True, slots=True)
class FileCompressionInformation(FixedInformation):
    """[MS-FSCC] 2.4.9."""

    _LAYOUT: ClassVar[Struct] = Struct("<QHBBB3x")

    compressed_file_size: int
    compression_format: int
    compression_unit_shift: int
    chunk_shift: int
    cluster_shift: int


@dataclass(frozen=True, slots=True)
class FileStandardLinkInformation(FixedInformation):
    """[MS-FSCC] 2.4.42."""

    _LAYOUT: ClassVar[Struct] = Struct("<LLBB2x")

    number_of_accessible_links: int
    total_number_of_links: int
    delete_pending: int
    directory: int


@dataclass(frozen=True, slots=True)
class FilePipeInformation(FixedInformation):
    """[MS-FSCC] 2.4.36."""

    _LAYOUT: ClassVar[Struct] = Struct("<LL")

    read_mode: int
    completion_mode: int


@dataclass(frozen=True, slots=True)
class FilePipeLocalInformation(FixedInformation):
    """[MS-FSCC] 2.4.37."""

    _LAYOUT: ClassVar[Struct] = Struct("<10L")

    named_pipe_type: int
    named_pipe_configuration: int
    maximum_instances: int
    current_instances: int
    inbound_quota: int
    read_data_available: int
    outbound_quota: int
    write_quota_available: int
    named_pipe_state: int
    named_pipe_end: int


@dataclass(frozen=True, slots=True)
class FileIdInformation:
    """[MS-FSCC] 2.4.25: the file's number in 128 bits."""

    _LAYOUT: ClassVar[Struct] = Struct("<Q16s")

    volume_serial_number: int
    file_id: bytes

    def pack(self) -> bytes:
        """The structure's bytes."""
        return self._LAYOUT.pack(self.volume_serial_number, self.file_id)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        return cls(*whole(data, cls._LAYOUT, cls.__name__))


@dataclass(frozen=True, slots=True)
class FileNameInformation:
    """A name with its length before it ([MS-FSCC] 2.1.7).

    Also FileAlternateName-, FileNormalizedName- and FileShortNameInformation.
    """

    file_name: str

    def pack(self) -> bytes:
        """The structure's bytes."""
        name = utf16(self.file_name)
        return _NAME.pack(len(name)) + name

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        [length] = whole(data, _NAME, "FileNameInformation")
        if _NAME.size + length > len(data):
            raise MalformedMessage("FileNameInformation", "FileNameLength", length)
        name = data[_NAME.size : _NAME.size + length]
        return cls(text(name, "FileNameInformation", "FileName"))


_BASIC_AT, _STANDARD_AT, _INTERNAL_AT, _EA_AT, _ACCESS_AT, _POSITION_AT, _MODE_AT, _ALIGNMENT_AT = (
    0, 40, 64, 72, 76, 80, 88, 92,
)  # fmt: skip
_ALL_NAME_AT = 96


@dataclass(frozen=True, slots=True)
class FileAllInformation:
    """[MS-FSCC] 2.4.2. The name, last, may be cut short by the size asked for; it is left out."""

    basic: FileBasicInformation
    standard: FileStandardInformation
    internal: FileInternalInformation
    ea: FileEaInformation
    access: FileAccessInformation
    position: FilePositionInformation
    mode: FileModeInformation
    alignment: FileAlignmentInformation

    def pack(self) -> bytes:
        """The structure's bytes, with an empty name."""
        parts = (
            self.basic, self.standard, self.internal, self.ea, self.access, self.position,
            self.mode, self.alignment,
        )  # fmt: skip
        return b"".join(part.pack() for part in parts) + _NAME.pack(0)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        if len(data) < _ALL_NAME_AT:
            raise MalformedMessage("FileAllInformation", "size", len(data))
        return cls(
            FileBasicInformation.unpack(data[_BASIC_AT:]),
            FileStandardInformation.unpack(data[_STANDARD_AT:]),
            FileInternalInformation.unpack(data[_INTERNAL_AT:]),
            FileEaInformation.unpack(data[_EA_AT:]),
            FileAccessInformation.unpack(data[_ACCESS_AT:]),
            FilePositionInformation.unpack(data[_POSITION_AT:]),
            FileModeInformation.unpack(data[_MODE_AT:]),
            FileAlignmentInformation.unpack(data[_ALIGNMENT_AT:]),
        )


@dataclass(frozen=True, slots=True)
class FileRenameInformation:
    """[MS-FSCC] 2.4.39 as SMB2 wants it, and FileLinkInformation, 2.4.28, which looks the same."""

    target: str  # from the share's root
    replace_if_exists: bool = False

    def pack(self) -> bytes:
        """The structure's bytes. Windows wants 24 of them at least."""
        name = utf16(self.target)
        return (_RENAME.pack(self.replace_if_exists, 0, len(name)) + name).ljust(24, b"\0")

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        replace, _, length = whole(data, _RENAME, "FileRenameInformation")
        if _RENAME.size + length > len(data):
            raise MalformedMessage("FileRenameInformation", "FileNameLength", length)
        name = data[_RENAME.size : _RENAME.size + length]
        return cls(text(name, "FileRenameInformation", "FileName"), bool(replace))


class RenameFlags(IntFlag):
    """[MS-FSCC] 2.4.40."""

    REPLACE_IF_EXISTS = 0x01
    POSIX_SEMANTICS = 0x02
    SUPPRESS_PIN_STATE_INHERITANCE = 0x04
    IGNORE_READONLY_ATTRIBUTE = 0x40


@dataclass(frozen=True, slots=True)
class FileRenameInformationEx:
    """[MS-FSCC] 2.4.40."""

    _LAYOUT: ClassVar[Struct] = Struct("<L4xQL")

    target: str
    flags: int = 0

    def pack(self) -> bytes:
        """The structure's bytes."""
        name = utf16(self.target)
        return (self._LAYOUT.pack(self.flags, 0, len(name)) + name).ljust(24, b"\0")

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        flags, _, length = whole(data, cls._LAYOUT, "FileRenameInformationEx")
        start = cls._LAYOUT.size
        if start + length > len(data):
            raise MalformedMessage("FileRenameInformationEx", "FileNameLength", length)
        name = data[start : start + length]
        return cls(text(name, "FileRenameInformationEx", "FileName"), flags)
