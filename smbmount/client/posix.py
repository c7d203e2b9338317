"""The SMB3 POSIX extensions on a share that has them: contexts, paths and metadata.

A CREATE with the POSIX context opens a handle with POSIX semantics: names are exact bytes with "/"
between them, an unlinked file is gone from its directory at once, and information class 100 tells
mode, owner and inode. Every CREATE of a share either has the context or none has.

On this floor and above, a backslash separates a path's components as everywhere in SMB; one that is
part of a name is spelled U+F026, as `mapposix` spells it. On the wire it is a backslash again.
"""

import os
import stat as modes

from smbmount.proto.create import CreateContext, FileAttributes
from smbmount.proto.create_contexts import PosixCreateRequest
from smbmount.proto.posix import FilePosixInformation

from .attributes import FileStat

DEFAULT_MODE = 0o755
_BACKSLASH = "\uf026"
_TO_WIRE = str.maketrans({"\\": "/", _BACKSLASH: "\\"})
_FROM_WIRE = str.maketrans({"\\": _BACKSLASH})
# The kernel's own root number, and numbers that the inode table makes itself, are left alone.
_ID_MASK = (1 << 63) - 1
_SPREAD = 0x9E37_79B9_7F4A_7C15


def path_on_wire(path: str) -> str:
    """A path as a POSIX CREATE wants it."""
    return path.translate(_TO_WIRE)


def name_from_wire(name: str) -> str:
    """A directory entry's name in this floor's spelling."""
    return name.translate(_FROM_WIRE) if "\\" in name else name


def create_contexts(mode: int) -> tuple[CreateContext, ...]:
    """What makes a CREATE a POSIX one; `mode` counts if it makes the file."""
    return (PosixCreateRequest(modes.S_IMODE(mode)),)


def stat_from(told: FilePosixInformation, device: int) -> FileStat:
    """`FileStat` of an answer. `device` is the share's root's: inodes count within one."""
    file_id = told.inode
    if told.device != device:  # another file system of the server's, mounted below the share
        file_id = (told.inode ^ (told.device * _SPREAD)) & _ID_MASK
    kind = modes.S_IFMT(told.mode)
    return FileStat(
        file_id=file_id,
        attributes=FileAttributes(told.file_attributes),
        size=told.end_of_file,
        allocated=told.allocation_size,
        links=told.number_of_links,
        created=told.creation_time,
        accessed=told.last_access_time,
        written=told.last_write_time,
        changed=told.change_time,
        reparse_tag=told.reparse_tag,
        kind=kind,
        mode=modes.S_IMODE(told.mode),
        uid=told.uid,
        gid=told.gid,
    )


def device_number(major: int, minor: int) -> int:
    """The number that Linux gives a device."""
    return os.makedev(major & 0xFFFF_FFFF, minor & 0xFFFF_FFFF)
