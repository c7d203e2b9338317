"""What stat(2) shows: the server's metadata in Linux's terms."""

import stat as modes
from dataclasses import dataclass, replace

import pyfuse3

from smbmount.client.attributes import FileStat
from smbmount.proto.create import FileAttributes
from smbmount.proto.filetime import from_unix_ns, to_unix_ns

from .settings import ViewSettings

_WRITE_BITS = 0o222
DEFAULT_LINK_MODE = 0o777
_BLOCK = 512  # the unit of st_blocks


def mode_of(stat: FileStat, view: ViewSettings) -> int:
    """Type and permission bits: the server's where it has them, else the options'.

    The read-only attribute then takes the write bits of a file.
    """
    if stat.type == modes.S_IFLNK:
        return modes.S_IFLNK | 0o777  # as everywhere: the target's count
    if stat.mode is not None:
        return stat.type | stat.mode
    if stat.is_directory:
        return modes.S_IFDIR | view.dir_mode
    mode = view.file_mode
    if stat.attributes & FileAttributes.READONLY:
        mode &= ~_WRITE_BITS
    return stat.type | mode


@dataclass(slots=True)
class Remembered:
    """What chmod and chown said that the server cannot keep (`dynperm`); None: nothing."""

    mode: int | None = None  # permission bits
    uid: int | None = None
    gid: int | None = None


def owner_of(
    stat: FileStat, view: ViewSettings, remembered: Remembered | None = None
) -> tuple[int, int]:
    """User and group to show: the server's numbers where it tells them and nothing forces ours."""
    uid = view.uid if stat.uid is None or view.force_uid else stat.uid
    gid = view.gid if stat.gid is None or view.force_gid else stat.gid
    if remembered is not None:
        uid = uid if remembered.uid is None else remembered.uid
        gid = gid if remembered.gid is None else remembered.gid
    return uid, gid


def links_of(stat: FileStat, hidden: int) -> int:
    """How many names a file has, without the `hidden` ones that wait for its last close.

    The server counts those; but one without the extensions leaves out the one it was asked through
    (`delete_pending`), and its 0 means "not told" otherwise.
    """
    if stat.delete_pending:
        return max(stat.links - max(hidden - 1, 0), 0)
    return max(stat.links - hidden, 1 if stat.mode is None else 0)


def entry_of(
    number: int,
    stat: FileStat,
    view: ViewSettings,
    remembered: Remembered | None = None,
    hidden: int = 0,
) -> pyfuse3.EntryAttributes:
    """The answer to lookup and getattr; names and attributes may be kept for `actimeo` s.

    `hidden` is how many names wait for the last close.
    """
    entry = pyfuse3.EntryAttributes()
    entry.st_ino = pyfuse3.InodeT(number)
    entry.entry_timeout = view.actimeo
    entry.attr_timeout = view.actimeo
    mode = mode_of(stat, view)
    if remembered is not None and remembered.mode is not None:
        mode = modes.S_IFMT(mode) | remembered.mode
    entry.st_mode = pyfuse3.ModeT(mode)
    entry.st_uid, entry.st_gid = owner_of(stat, view, remembered)
    entry.st_rdev = stat.device
    entry.st_nlink = links_of(stat, hidden)
    entry.st_size = stat.size
    entry.st_blocks = -(-stat.allocated // _BLOCK)
    entry.st_blksize = 1024 * 1024  # what tools like cp ask for at a time
    entry.st_mtime_ns = to_unix_ns(stat.written)
    entry.st_atime_ns = to_unix_ns(stat.accessed or stat.written)
    entry.st_ctime_ns = to_unix_ns(stat.changed or stat.written)
    return entry


def as_set(
    stat: FileStat, attr: pyfuse3.EntryAttributes, fields: pyfuse3.SetattrFields
) -> FileStat:
    """The metadata after a setattr that no server is told of."""
    return replace(
        stat,
        size=int(attr.st_size) if fields.update_size else stat.size,
        accessed=from_unix_ns(attr.st_atime_ns) if fields.update_atime else stat.accessed,
        written=from_unix_ns(attr.st_mtime_ns) if fields.update_mtime else stat.written,
        mode=modes.S_IMODE(attr.st_mode)
        if fields.update_mode and stat.mode is not None
        else stat.mode,
    )


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


def attributes_for_new(mode: int, *, posix: bool = False) -> FileAttributes:
    """The attributes of a file made with `mode`; with POSIX extensions the mode goes as it is."""
    if posix or mode & _WRITE_BITS:
        return FileAttributes(0)
    return FileAttributes.READONLY
