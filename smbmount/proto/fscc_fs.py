"""Information about a volume ([MS-FSCC] 2.5)."""

from dataclasses import dataclass
from enum import IntFlag
from struct import Struct
from typing import ClassVar, Self

from .errors import MalformedMessage
from .fscc_file import FixedInformation
from .layout import text, utf16, whole


@dataclass(frozen=True, slots=True)
class FileFsSizeInformation(FixedInformation):
    """[MS-FSCC] 2.5.8. Counts are allocation units."""

    _LAYOUT: ClassVar[Struct] = Struct("<QQLL")

    total_allocation_units: int
    available_allocation_units: int
    sectors_per_allocation_unit: int
    bytes_per_sector: int


@dataclass(frozen=True, slots=True)
class FileFsFullSizeInformation(FixedInformation):
    """[MS-FSCC] 2.5.4. Counts are allocation units."""

    _LAYOUT: ClassVar[Struct] = Struct("<QQQLL")

    total_allocation_units: int
    caller_available_allocation_units: int
    actual_available_allocation_units: int
    sectors_per_allocation_unit: int
    bytes_per_sector: int


@dataclass(frozen=True, slots=True)
class FileFsDeviceInformation(FixedInformation):
    """[MS-FSCC] 2.5.10."""

    _LAYOUT: ClassVar[Struct] = Struct("<LL")

    device_type: int
    characteristics: int


@dataclass(frozen=True, slots=True)
class FileFsSectorSizeInformation(FixedInformation):
    """[MS-FSCC] 2.5.7."""

    _LAYOUT: ClassVar[Struct] = Struct("<7L")

    logical_bytes_per_sector: int
    physical_bytes_per_sector_for_atomicity: int
    physical_bytes_per_sector_for_performance: int
    file_system_effective_physical_bytes_per_sector_for_atomicity: int
    flags: int
    byte_offset_for_sector_alignment: int
    byte_offset_for_partition_alignment: int


@dataclass(frozen=True, slots=True)
class FileFsControlInformation(FixedInformation):
    """[MS-FSCC] 2.5.2: quota thresholds and limits, bytes."""

    _LAYOUT: ClassVar[Struct] = Struct("<qqqqqL4x")

    free_space_start_filtering: int
    free_space_threshold: int
    free_space_stop_filtering: int
    default_quota_threshold: int
    default_quota_limit: int
    file_system_control_flags: int


@dataclass(frozen=True, slots=True)
class FileFsObjectIdInformation:
    """[MS-FSCC] 2.5.6."""

    _LAYOUT: ClassVar[Struct] = Struct("<16s48s")

    object_id: bytes
    extended_info: bytes

    def pack(self) -> bytes:
        """The structure's bytes."""
        return self._LAYOUT.pack(self.object_id, self.extended_info)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        return cls(*whole(data, cls._LAYOUT, cls.__name__))


class FileSystemAttributes(IntFlag):
    """[MS-FSCC] 2.5.1, those a client acts on."""

    CASE_SENSITIVE_SEARCH = 0x0000_0001
    CASE_PRESERVED_NAMES = 0x0000_0002
    UNICODE_ON_DISK = 0x0000_0004
    PERSISTENT_ACLS = 0x0000_0008
    FILE_COMPRESSION = 0x0000_0010
    VOLUME_QUOTAS = 0x0000_0020
    SUPPORTS_SPARSE_FILES = 0x0000_0040
    SUPPORTS_REPARSE_POINTS = 0x0000_0080
    SUPPORTS_OBJECT_IDS = 0x0001_0000
    SUPPORTS_ENCRYPTION = 0x0002_0000
    NAMED_STREAMS = 0x0004_0000
    READ_ONLY_VOLUME = 0x0008_0000
    SUPPORTS_HARD_LINKS = 0x0040_0000
    SUPPORTS_EXTENDED_ATTRIBUTES = 0x0080_0000
    SUPPORTS_OPEN_BY_FILE_ID = 0x0100_0000
    SUPPORTS_INTEGRITY_STREAMS = 0x0400_0000
    SUPPORTS_BLOCK_REFCOUNTING = 0x0800_0000
    SUPPORTS_SPARSE_VDL = 0x1000_0000


@dataclass(frozen=True, slots=True)
class FileFsAttributeInformation:
    """[MS-FSCC] 2.5.1."""

    _LAYOUT: ClassVar[Struct] = Struct("<LlL")

    file_system_attributes: FileSystemAttributes
    maximum_component_name_length: int  # UTF-16 units
    file_system_name: str

    def pack(self) -> bytes:
        """The structure's bytes."""
        name = utf16(self.file_system_name)
        return (
            self._LAYOUT.pack(
                self.file_system_attributes, self.maximum_component_name_length, len(name)
            )
            + name
        )

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        flags, longest, length = whole(data, cls._LAYOUT, cls.__name__)
        start = cls._LAYOUT.size
        if start + length > len(data):
            raise MalformedMessage(cls.__name__, "FileSystemNameLength", length)
        name = text(data[start : start + length], cls.__name__, "FileSystemName")
        return cls(FileSystemAttributes(flags), longest, name)


@dataclass(frozen=True, slots=True)
class FileFsVolumeInformation:
    """[MS-FSCC] 2.5.9."""

    _LAYOUT: ClassVar[Struct] = Struct("<qLLBx")

    volume_creation_time: int
    volume_serial_number: int
    supports_objects: int
    volume_label: str

    def pack(self) -> bytes:
        """The structure's bytes."""
        label = utf16(self.volume_label)
        fixed = self._LAYOUT.pack(
            self.volume_creation_time, self.volume_serial_number, len(label), self.supports_objects
        )
        return fixed + label

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        created, serial, length, objects = whole(data, cls._LAYOUT, cls.__name__)
        start = cls._LAYOUT.size
        if start + length > len(data):
            raise MalformedMessage(cls.__name__, "VolumeLabelLength", length)
        label = text(data[start : start + length], cls.__name__, "VolumeLabel")
        return cls(created, serial, objects, label)


@dataclass(frozen=True, slots=True)
class FileFsPosixInformation(FixedInformation):
    """SMB3 POSIX extensions: what statvfs(3) tells. 2**64 - 1 stands for "not known"."""

    _LAYOUT: ClassVar[Struct] = Struct("<LL6Q")

    optimal_transfer_size: int
    block_size: int
    total_blocks: int
    free_blocks: int
    available_blocks: int
    total_files: int
    free_files: int
    file_system_id: int
