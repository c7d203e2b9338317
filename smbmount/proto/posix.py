"""SMB3 POSIX extensions: what a file or directory entry is like (information class 100).

The extensions have no section in [MS-SMB2]; what Samba 4.22 and the Linux kernel agree on counts.
The mode's low twelve bits are the permissions, the four above them a number of their own for the
type: 0 is a regular file.
"""

import stat as modes
from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Self

from . import chain
from .errors import MalformedMessage
from .layout import text, utf16, whole
from .security import Sid

_FIXED = Struct("<qqqqQQLQLLLLL")
_ENTRY = Struct("<LL")
_LENGTH = Struct("<L")
_LARGEST_FILE = 0x7FFF_FFFF_FFFF_FFFF
_TYPES = (
    modes.S_IFREG, modes.S_IFDIR, modes.S_IFLNK, modes.S_IFCHR, modes.S_IFBLK, modes.S_IFIFO,
    modes.S_IFSOCK,
)  # fmt: skip
_UNIX_AUTHORITY, _UNIX_USER, _UNIX_GROUP = 22, 1, 2
_NFS_AUTHORITY, _NFS, _NFS_USER, _NFS_GROUP, _NFS_MODE = 5, 88, 1, 2, 3


def mode_from_wire(mode: int) -> int:
    """`st_mode` of a mode on the wire. Raises MalformedMessage for a type that there is not."""
    kind = mode >> 12
    if kind >= len(_TYPES):
        raise MalformedMessage("POSIX information", "Mode", mode)
    return _TYPES[kind] | (mode & 0o7777)


def mode_to_wire(mode: int) -> int:
    """The wire's form of `st_mode`."""
    return _TYPES.index(modes.S_IFMT(mode)) << 12 | modes.S_IMODE(mode)


def user_sid(uid: int) -> Sid:
    """The SID of a Unix user."""
    return Sid(_UNIX_AUTHORITY, (_UNIX_USER, uid))


def group_sid(gid: int) -> Sid:
    """The SID of a Unix group."""
    return Sid(_UNIX_AUTHORITY, (_UNIX_GROUP, gid))


def mode_sid(mode: int) -> Sid:
    """The SID that says a mode in an access control list, as NFS servers on Windows began."""
    return Sid(_NFS_AUTHORITY, (_NFS, _NFS_MODE, mode))


def uid_of(sid: Sid) -> int | None:
    """The user id in a SID; None if there is none in it."""
    return _id_of(sid, _UNIX_USER, _NFS_USER)


def gid_of(sid: Sid) -> int | None:
    """The group id in a SID; None if there is none in it."""
    return _id_of(sid, _UNIX_GROUP, _NFS_GROUP)


def _id_of(sid: Sid, unix: int, nfs: int) -> int | None:
    match sid.authority, sid.subauthorities:
        case (22, (kind, number)) if kind == unix:
            return number
        case (5, (88, kind, number)) if kind == nfs:
            return number
        case _:
            return None


@dataclass(frozen=True, slots=True)
class FilePosixInformation:
    """One file. Times are FILETIME, sizes bytes; `mode` is `st_mode`, type bits included."""

    creation_time: int
    last_access_time: int
    last_write_time: int
    change_time: int
    end_of_file: int
    allocation_size: int
    file_attributes: int
    inode: int
    device: int
    number_of_links: int
    reparse_tag: int
    mode: int
    owner: Sid
    group: Sid

    def pack(self) -> bytes:
        """The structure's bytes."""
        fixed = _FIXED.pack(
            self.creation_time, self.last_access_time, self.last_write_time, self.change_time,
            self.end_of_file, self.allocation_size, self.file_attributes, self.inode, self.device,
            0, self.number_of_links, self.reparse_tag, mode_to_wire(self.mode),
        )  # fmt: skip
        return fixed + self.owner.pack() + self.group.pack()

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        return cls._measured(data)[0]

    @classmethod
    def _measured(cls, data: memoryview) -> tuple[Self, int]:
        """The structure at the start of `data`, and its size."""
        *head, _, links, tag, mode = whole(data, _FIXED, "FilePosixInformation")
        if head[4] > _LARGEST_FILE:
            raise MalformedMessage("FilePosixInformation", "EndOfFile", head[4])
        owner = Sid.unpack(data[_FIXED.size :])
        at = _FIXED.size + owner.size
        group = Sid.unpack(data[at:])
        fields = (*head, links, tag, mode_from_wire(mode), owner, group)
        return cls(*fields), at + group.size

    @property
    def uid(self) -> int | None:
        """The owner's user id, where the server's SID has one."""
        return uid_of(self.owner)

    @property
    def gid(self) -> int | None:
        """The group's id, where the server's SID has one."""
        return gid_of(self.group)


def posix_entries(data: memoryview) -> Iterator[tuple[str, FilePosixInformation]]:
    """Names and files of a QUERY_DIRECTORY answer. Raises MalformedMessage."""
    name = "POSIX directory entry"
    for part in chain.walk(data, _ENTRY.size + _FIXED.size, name):
        told, size = FilePosixInformation._measured(part[_ENTRY.size :])
        at = _ENTRY.size + size
        [length] = whole(part[at:], _LENGTH, name)
        at += _LENGTH.size
        if at + length > len(part):
            raise MalformedMessage(name, "FileNameLength", length)
        yield text(part[at : at + length], name, "FileName"), told


def pack_posix_entries(listed: list[tuple[str, FilePosixInformation]]) -> bytes:
    """What `posix_entries` parses."""
    packed = []
    for name, told in listed:
        encoded = utf16(name)
        packed.append(_ENTRY.pack(0, 0)[4:] + told.pack() + _LENGTH.pack(len(encoded)) + encoded)
    return chain.join(packed, 8)
