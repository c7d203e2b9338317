"""What a share tells of its files: values that cross from the client to the floor above."""

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
    links: int
    created: int
    accessed: int
    written: int
    changed: int
    reparse_tag: int = 0
    ea_size: int = 0
    delete_pending: bool = False

    @property
    def is_directory(self) -> bool:
        """True for a directory, by the attribute bit ([MS-FSCC] 2.6)."""
        return bool(self.attributes & FileAttributes.DIRECTORY)


@dataclass(frozen=True, slots=True)
class DirectoryEntry:
    """A name in a directory, as the server spells it, and what it names."""

    name: str
    stat: FileStat


@dataclass(frozen=True, slots=True)
class VolumeSize:
    """Room on the volume behind a share ([MS-FSCC] 2.5.4), in bytes.

    `available` is what the user may still write, `free` what is unused at all.
    """

    total: int
    available: int
    free: int
    unit: int
