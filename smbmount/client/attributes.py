"""What a share tells of its files: values that cross from the client to the floor above."""

import stat as modes
from dataclasses import dataclass

from smbmount.proto.create import FileAttributes


@dataclass(frozen=True, slots=True)
class FileStat:
    """One file's metadata ([MS-FSCC] 2.4.2 FileAllInformation, or a directory entry's).

    Sizes are bytes. Times are FILETIME, 100 ns units since 1601, 0 where unknown.
    """

    file_id: int  # 64 bits, 0 where the server has none
    attributes: FileAttributes
    size: int
    allocated: int
    links: int  # names; 0: not told, as in listings
    created: int
    accessed: int
    written: int
    changed: int
    reparse_tag: int = 0
    ea_size: int = 0
    delete_pending: bool = False
    kind: int = 0  # S_IFMT bits of a link or special file; 0: the attributes tell
    mode: int | None = None  # permission bits, where the server has them (POSIX extensions)
    uid: int | None = None  # owner and group, where the server tells them as numbers
    gid: int | None = None
    device: int = 0  # what a device node stands for, as os.makedev() makes it

    @property
    def type(self) -> int:
        """S_IFMT bits of `st_mode`."""
        if self.kind:
            return self.kind
        directory = self.attributes & FileAttributes.DIRECTORY
        return modes.S_IFDIR if directory else modes.S_IFREG

    @property
    def is_directory(self) -> bool:
        """True for a directory. A link to one has the attribute, too ([MS-FSCC] 2.6)."""
        return self.type == modes.S_IFDIR


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A name in a directory, as the server spells it, and what it names."""

    name: str
    stat: FileStat


@dataclass(frozen=True, slots=True)
class VolumeSize:
    """Room on the volume behind a share ([MS-FSCC] 2.5.4), in bytes.

    `available` is what the user may still write, `free` what is unused at all. `files` and
    `free_files` count inodes, 0 where the server does not tell.
    """

    total: int
    available: int
    free: int
    unit: int
    files: int = 0
    free_files: int = 0
