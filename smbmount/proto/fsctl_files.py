"""Inputs and outputs of FSCTLs about files ([MS-SMB2] 2.2.31, 2.2.32, [MS-FSCC] 2.3).

Offsets and lengths are bytes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .errors import MalformedMessage
from .fscc_file import FixedInformation
from .layout import utf16, whole

_RANGE = Struct("<QQ")
_CHUNK = Struct("<QQL4x")
_COPY = Struct("<24sL4x")
_DUPLICATE = Struct("<QQQQQ")
_DUPLICATE_EX = Struct("<QQQQQQL4x")
_SNAPSHOTS = Struct("<LLL")
_TRIM = Struct("<LL")
_MOST_RANGES = 1 << 20


@dataclass(frozen=True, slots=True)
class ResumeKey:
    """Names a source file for a server-side copy ([MS-SMB2] 2.2.32.3)."""

    _LAYOUT: ClassVar[Struct] = Struct("<24sL")

    key: bytes

    def pack(self) -> bytes:
        """The output of FSCTL_SRV_REQUEST_RESUME_KEY."""
        return self._LAYOUT.pack(self.key, 0) + bytes(4)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        key, _ = whole(data, cls._LAYOUT, "SRV_REQUEST_RESUME_KEY")
        return cls(key)


@dataclass(frozen=True, slots=True)
class CopyChunk:
    """One piece of a server-side copy ([MS-SMB2] 2.2.31.1.1)."""

    source_offset: int
    target_offset: int
    length: int


@dataclass(frozen=True, slots=True)
class CopyChunkRequest:
    """Copy pieces of the file with `source_key` into the one this is sent to (2.2.31.1)."""

    source_key: bytes
    chunks: tuple[CopyChunk, ...]

    def pack(self) -> bytes:
        """The input of FSCTL_SRV_COPYCHUNK and FSCTL_SRV_COPYCHUNK_WRITE."""
        packed = b"".join(
            _CHUNK.pack(chunk.source_offset, chunk.target_offset, chunk.length)
            for chunk in self.chunks
        )
        return _COPY.pack(self.source_key, len(self.chunks)) + packed

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        key, count = whole(data, _COPY, "SRV_COPYCHUNK")
        if _COPY.size + count * _CHUNK.size > len(data):
            raise MalformedMessage("SRV_COPYCHUNK", "ChunkCount", count)
        rest = data[_COPY.size : _COPY.size + count * _CHUNK.size]
        return cls(key, tuple(CopyChunk(*fields) for fields in _CHUNK.iter_unpack(rest)))


@dataclass(frozen=True, slots=True)
class CopyChunkResponse(FixedInformation):
    """What was copied; with STATUS_INVALID_PARAMETER the server's limits (2.2.32.1)."""

    _LAYOUT: ClassVar[Struct] = Struct("<LLL")

    chunks_written: int  # or: most chunks of a request
    chunk_bytes_written: int  # or: most bytes of a chunk
    total_bytes_written: int  # or: most bytes of a request


@dataclass(frozen=True, slots=True)
class SetSparse(FixedInformation):
    """[MS-FSCC] 2.3.69."""

    _LAYOUT: ClassVar[Struct] = Struct("<?")

    sparse: bool = True


@dataclass(frozen=True, slots=True)
class SetZeroData(FixedInformation):
    """Make a range read as zeros, and give its space back if the file is sparse (2.3.71)."""

    _LAYOUT: ClassVar[Struct] = _RANGE

    offset: int
    beyond: int  # the first byte behind the range


@dataclass(frozen=True, slots=True)
class Range(FixedInformation):
    """[MS-FSCC] 2.3.52: the input of QUERY_ALLOCATED_RANGES, and one range of its output."""

    _LAYOUT: ClassVar[Struct] = _RANGE

    offset: int
    length: int


def pack_ranges(ranges: Sequence[Range]) -> bytes:
    """The output of FSCTL_QUERY_ALLOCATED_RANGES."""
    return b"".join(part.pack() for part in ranges)


def unpack_ranges(data: memoryview) -> tuple[Range, ...]:
    """The output of FSCTL_QUERY_ALLOCATED_RANGES, in order. Raises MalformedMessage."""
    name = "QUERY_ALLOCATED_RANGES"
    if len(data) % _RANGE.size or len(data) > _MOST_RANGES * _RANGE.size:
        raise MalformedMessage(name, "size", len(data))
    found = tuple(Range(*fields) for fields in _RANGE.iter_unpack(data))
    end = 0
    for part in found:
        if part.offset < end or part.offset + part.length > 1 << 63:
            raise MalformedMessage(name, "FileOffset", part.offset)
        end = part.offset + part.length
    return found


@dataclass(frozen=True, slots=True)
class DuplicateExtents:
    """Share blocks of another file ([MS-FSCC] 2.3.7)."""

    source: FileId
    source_offset: int
    target_offset: int
    length: int

    def pack(self) -> bytes:
        """The input of FSCTL_DUPLICATE_EXTENTS_TO_FILE."""
        return _DUPLICATE.pack(*self.source, self.source_offset, self.target_offset, self.length)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        persistent, volatile, *rest = whole(data, _DUPLICATE, "DUPLICATE_EXTENTS_TO_FILE")
        return cls(FileId(persistent, volatile), *rest)


@dataclass(frozen=True, slots=True)
class DuplicateExtentsEx:
    """The same, all or nothing if `flags` say so ([MS-FSCC] 2.3.9)."""

    ATOMIC: ClassVar[int] = 1

    source: FileId
    source_offset: int
    target_offset: int
    length: int
    flags: int = 0

    def pack(self) -> bytes:
        """The input of FSCTL_DUPLICATE_EXTENTS_TO_FILE_EX."""
        return _DUPLICATE_EX.pack(
            _DUPLICATE_EX.size, *self.source, self.source_offset, self.target_offset,
            self.length, self.flags,
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        name = "DUPLICATE_EXTENTS_TO_FILE_EX"
        size, persistent, volatile, *rest = whole(data, _DUPLICATE_EX, name)
        if size != _DUPLICATE_EX.size:
            raise MalformedMessage(name, "StructureSize", size)
        return cls(FileId(persistent, volatile), *rest)


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Previous versions of a share ([MS-SMB2] 2.2.32.2): "@GMT-2024.01.31-12.00.00".

    `total` counts those there are, `size` the bytes that all their names take: more than
    `names` holds if the answer had no room.
    """

    total: int
    size: int
    names: tuple[str, ...]

    def pack(self) -> bytes:
        """The output of FSCTL_SRV_ENUMERATE_SNAPSHOTS."""
        packed = b"".join(utf16(name) + b"\0\0" for name in self.names) + b"\0\0"
        return _SNAPSHOTS.pack(self.total, len(self.names), self.size) + packed

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        name = "SRV_ENUMERATE_SNAPSHOTS"
        total, returned, size = whole(data, _SNAPSHOTS, name)
        rest = bytes(data[_SNAPSHOTS.size :])
        text = rest[: len(rest) & ~1].decode("utf-16-le", "surrogatepass")
        names = tuple(part for part in text.split("\0") if part) if returned else ()
        if len(names) != returned:
            raise MalformedMessage(name, "NumberOfSnapShotsReturned", returned)
        return cls(total, size, names)


@dataclass(frozen=True, slots=True)
class FileLevelTrim:
    """Ranges whose content is not needed any more ([MS-FSCC] 2.3.17)."""

    ranges: tuple[Range, ...]

    def pack(self) -> bytes:
        """The input of FSCTL_FILE_LEVEL_TRIM."""
        return _TRIM.pack(0, len(self.ranges)) + pack_ranges(self.ranges)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        _, count = whole(data, _TRIM, "FILE_LEVEL_TRIM")
        end = _TRIM.size + count * _RANGE.size
        if end > len(data):
            raise MalformedMessage("FILE_LEVEL_TRIM", "NumRanges", count)
        ranges = _RANGE.iter_unpack(data[_TRIM.size : end])
        return cls(tuple(Range(*fields) for fields in ranges))


@dataclass(frozen=True, slots=True)
class ObjectId(FixedInformation):
    """[MS-FSCC] 2.1.3.1: the output of FSCTL_CREATE_OR_GET_OBJECT_ID."""

    _LAYOUT: ClassVar[Struct] = Struct("<16s16s16s16s")

    object_id: bytes
    birth_volume_id: bytes
    birth_object_id: bytes
    domain_id: bytes
