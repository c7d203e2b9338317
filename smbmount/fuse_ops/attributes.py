"""What stat(2) shows: the server's metadata in Linux's terms."""

import stat as modes

import pyfuse3

from smbmount.client.attributes import FileStat
from smbmount.proto.create import FileAttributes
from smbmount.proto.filetime import to_unix_ns

from .settings import ViewSettings

_WRITE_BITS = 0o222
_BLOCK = 512  # the unit of st_blocks


def mode_of(stat: FileStat, view: ViewSettings) -> int:
    """Type and permission bits. The read-only attribute takes the write bits of a file."""
    if stat.is_directory:
        return modes.S_IFDIR | view.dir_mode
    mode = view.file_mode
    if stat.attributes & FileAttributes.READONLY:
        mode &= ~_WRITE_BITS
    return modes.S_IFREG | mode


def entry_of(number: int, stat: FileStat, view: ViewSettings) -> pyfuse3.EntryAttributes:
    """The answer to lookup and getattr; names and attributes may be kept for `actimeo` s."""
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = pyfuse3.InodeT(number)
    entry.entry_timeout = view.actimeo
    entry.attr_timeout = view.actimeo
    entry.st_mode = pyfuse3.ModeT(mode_of(stat, view))
    entry.st_uid = view.uid
    entry.st_gid = view.gid
    entry.st_nlink = max(stat.links, 1)
    entry.st_size = stat.size
    entry.st_blocks = -(-stat.allocated // _BLOCK)
    entry.st_blksize = 1024 * 1024  # what tools like cp ask for at a time
    entry.st_mtime_ns = to_unix_ns(stat.written)
    entry.st_atime_ns = to_unix_ns(stat.accessed or stat.written)
    entry.st_ctime_ns = to_unix_ns(stat.changed or stat.written)
    return entry


def attributes_for(mode: int, current: FileAttributes) -> FileAttributes | None:
    """The attributes that a chmod to `mode` amounts to; None if they are what they were.

    As mount.cifs has it: without any write bit a file is read-only, and with one it is not.
    """
    wanted = current & ~FileAttributes.READONLY
    if not mode & _WRITE_BITS:
        wanted |= FileAttributes.READONLY
    if wanted == current:
        return None
    # 0 would mean "leave alone".
    return (wanted & ~FileAttributes.NORMAL) or FileAttributes.NORMAL


def attributes_for_new(mode: int) -> FileAttributes:
    """The attributes of a file made with `mode`."""
    if mode & _WRITE_BITS:
        return FileAttributes(0)
    return FileAttributes.READONLY
