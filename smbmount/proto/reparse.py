"""Reparse points ([MS-FSCC] 2.1.2): links, mount points, and what WSL and NFS servers store."""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Self

from .errors import MalformedMessage
from .layout import text, utf16, whole

_HEADER = Struct("<LHH")
_SYMLINK = Struct("<HHHHL")
_MOUNT_POINT = Struct("<HHHH")
_LX_SYMLINK_VERSION = 2
_NFS = Struct("<Q")
_RELATIVE = 1


class ReparseTag(IntEnum):
    """[MS-FSCC] 2.1.2.1."""

    MOUNT_POINT = 0xA000_0003
    SYMLINK = 0xA000_000C
    DEDUP = 0x8000_0013
    NFS = 0x8000_0014
    LX_SYMLINK = 0xA000_001D
    AF_UNIX = 0x8000_0023
    LX_FIFO = 0x8000_0024
    LX_CHR = 0x8000_0025
    LX_BLK = 0x8000_0026


class NfsType(IntEnum):
    """[MS-FSCC] 2.1.2.6: four letters each, read backwards."""

    LNK = 0x0000_0000_014B_4E4C
    CHR = 0x0000_0000_0052_4843
    BLK = 0x0000_0000_004B_4C42
    FIFO = 0x0000_0000_4F46_4946
    SOCK = 0x0000_0000_4B43_4F53


@dataclass(frozen=True, slots=True)
class ReparsePoint:
    """A tag and its data, as bytes."""

    tag: int
    data: bytes

    def pack(self) -> bytes:
        """The input of FSCTL_SET_REPARSE_POINT."""
        return _HEADER.pack(self.tag, len(self.data), 0) + self.data

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """The output of FSCTL_GET_REPARSE_POINT. Raises MalformedMessage."""
        tag, length, _ = whole(data, _HEADER, "REPARSE_DATA_BUFFER")
        if _HEADER.size + length > len(data):
            raise MalformedMessage("REPARSE_DATA_BUFFER", "ReparseDataLength", length)
        return cls(tag, bytes(data[_HEADER.size : _HEADER.size + length]))


@dataclass(frozen=True, slots=True)
class SymbolicLink:
    """[MS-FSCC] 2.1.2.4."""

    substitute_name: str
    print_name: str
    relative: bool

    def point(self) -> ReparsePoint:
        """The reparse point for it."""
        substitute, printed = utf16(self.substitute_name), utf16(self.print_name)
        fixed = _SYMLINK.pack(
            0, len(substitute), len(substitute), len(printed), _RELATIVE if self.relative else 0
        )
        return ReparsePoint(ReparseTag.SYMLINK, fixed + substitute + printed)

    @classmethod
    def of(cls, point: ReparsePoint) -> Self:
        """The link in a reparse point. Raises MalformedMessage."""
        data = memoryview(point.data)
        at, length, print_at, print_length, flags = whole(data, _SYMLINK, "symbolic link")
        names = data[_SYMLINK.size :]
        substitute = _named(names, at, length, "SubstituteName")
        return cls(
            substitute, _named(names, print_at, print_length, "PrintName"), bool(flags & _RELATIVE)
        )


@dataclass(frozen=True, slots=True)
class MountPoint:
    """[MS-FSCC] 2.1.2.5: a junction, always absolute."""

    substitute_name: str
    print_name: str

    def point(self) -> ReparsePoint:
        """The reparse point for it. Windows wants a zero behind each name."""
        substitute, printed = utf16(self.substitute_name), utf16(self.print_name)
        fixed = _MOUNT_POINT.pack(0, len(substitute), len(substitute) + 2, len(printed))
        data = fixed + substitute + b"\0\0" + printed + b"\0\0"
        return ReparsePoint(ReparseTag.MOUNT_POINT, data)

    @classmethod
    def of(cls, point: ReparsePoint) -> Self:
        """The junction in a reparse point. Raises MalformedMessage."""
        data = memoryview(point.data)
        at, length, print_at, print_length = whole(data, _MOUNT_POINT, "mount point")
        names = data[_MOUNT_POINT.size :]
        return cls(
            _named(names, at, length, "SubstituteName"),
            _named(names, print_at, print_length, "PrintName"),
        )


def _named(names: memoryview, at: int, length: int, field: str) -> str:
    if at + length > len(names):
        raise MalformedMessage("reparse point", f"{field}Length", length)
    return text(names[at : at + length], "reparse point", field)


@dataclass(frozen=True, slots=True)
class LxSymlink:
    """A link of the Windows Subsystem for Linux: a version, and the target in UTF-8."""

    target: bytes

    def point(self) -> ReparsePoint:
        """The reparse point for it."""
        version = _LX_SYMLINK_VERSION.to_bytes(4, "little")
        return ReparsePoint(ReparseTag.LX_SYMLINK, version + self.target)

    @classmethod
    def of(cls, point: ReparsePoint) -> Self:
        """The link in a reparse point. Raises MalformedMessage."""
        version = int.from_bytes(point.data[:4], "little")
        if len(point.data) < 4 or version != _LX_SYMLINK_VERSION:
            raise MalformedMessage("WSL link", "version", version)
        return cls(point.data[4:])


@dataclass(frozen=True, slots=True)
class NfsFile:
    """A link, device, fifo or socket as NFS servers store it ([MS-FSCC] 2.1.2.6)."""

    kind: int
    data: bytes = b""

    def point(self) -> ReparsePoint:
        """The reparse point for it."""
        return ReparsePoint(ReparseTag.NFS, _NFS.pack(self.kind) + self.data)

    @classmethod
    def of(cls, point: ReparsePoint) -> Self:
        """The file in a reparse point. Raises MalformedMessage."""
        [kind] = whole(memoryview(point.data), _NFS, "NFS reparse point")
        if kind in (NfsType.CHR, NfsType.BLK) and len(point.data) < _NFS.size + 8:
            raise MalformedMessage("NFS reparse point", "size", len(point.data))
        return cls(kind, point.data[_NFS.size :])

    @property
    def target(self) -> str:
        """Where a link leads. Raises MalformedMessage."""
        return text(memoryview(self.data), "NFS reparse point", "DataBuffer")

    @property
    def device(self) -> tuple[int, int]:
        """Major and minor number of a device."""
        return int.from_bytes(self.data[:4], "little"), int.from_bytes(self.data[4:8], "little")
