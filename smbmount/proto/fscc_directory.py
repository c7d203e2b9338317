"""Directory entries ([MS-FSCC] 2.4): one parser for all the classes that differ in a few fields.

A listing of 100,000 files comes through here, so the fixed part of each entry is unpacked by one
precompiled Struct and the entry made by position.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct

from . import chain
from .errors import MalformedMessage
from .fscc_classes import FileInformationClass as C
from .layout import text, utf16


@dataclass(frozen=True, slots=True)
class Entry:
    """A directory entry. Fields that its class does not have are 0, or empty.

    `ea_size` is the reparse tag of a reparse point ([MS-FSCC] 2.4.18) in classes that have no
    field for the tag.
    """

    file_name: str
    creation_time: int = 0
    last_access_time: int = 0
    last_write_time: int = 0
    change_time: int = 0
    end_of_file: int = 0
    allocation_size: int = 0
    file_attributes: int = 0
    ea_size: int = 0
    file_id: int = 0
    short_name: bytes = b""
    reparse_tag: int = 0


# NextEntryOffset, FileIndex, 4 times, EndOfFile, AllocationSize, FileAttributes, FileNameLength
_COMMON = "<LLqqqqQQLL"
_LAYOUTS = {
    C.FILE_DIRECTORY_INFORMATION: Struct(_COMMON),
    C.FILE_FULL_DIRECTORY_INFORMATION: Struct(_COMMON + "L"),
    C.FILE_BOTH_DIRECTORY_INFORMATION: Struct(_COMMON + "LBx24s"),
    C.FILE_ID_FULL_DIRECTORY_INFORMATION: Struct(_COMMON + "L4xQ"),
    C.FILE_ID_BOTH_DIRECTORY_INFORMATION: Struct(_COMMON + "LBx24s2xQ"),
    C.FILE_ID_EXTD_DIRECTORY_INFORMATION: Struct(_COMMON + "LLQQ"),
}
_LARGEST_FILE = 0x7FFF_FFFF_FFFF_FFFF
_NAMES = Struct("<LLL")


def entries(info_class: int, data: memoryview) -> Iterator[Entry]:
    """The entries of a QUERY_DIRECTORY answer. Raises MalformedMessage, ValueError for a class
    that has no directory entries."""
    if info_class == C.FILE_NAMES_INFORMATION:
        return _names(data)
    layout = _LAYOUTS.get(C(info_class))
    if layout is None:
        raise ValueError(f"information class {info_class} is not of directory entries")
    return _entries(C(info_class), layout, data)


def _names(data: memoryview) -> Iterator[Entry]:
    for part in chain.walk(data, _NAMES.size, "FileNamesInformation"):
        _, _, length = _NAMES.unpack_from(part)
        yield Entry(_name(part, _NAMES.size, length))


def _name(part: memoryview, start: int, length: int) -> str:
    if start + length > len(part):
        raise MalformedMessage("directory entry", "FileNameLength", length)
    return text(part[start : start + length], "directory entry", "FileName")


def _entries(info_class: C, layout: Struct, data: memoryview) -> Iterator[Entry]:
    size = layout.size
    for part in chain.walk(data, size, "directory entry"):
        fields = layout.unpack_from(part)
        name = _name(part, size, fields[9])
        if fields[6] > _LARGEST_FILE:
            raise MalformedMessage("directory entry", "EndOfFile", fields[6])
        created, accessed, written, changed, end, allocated, attributes = fields[2:9]
        ea_size, file_id, short, tag = _rest(info_class, fields[10:])
        yield Entry(
            name, created, accessed, written, changed, end, allocated, attributes, ea_size,
            file_id, short, tag,
        )  # fmt: skip


def _rest(info_class: C, more: tuple[int, ...]) -> tuple[int, int, bytes, int]:
    """EaSize, FileId, ShortName, ReparsePointTag out of what follows the common fields."""
    short: bytes
    match info_class:
        case C.FILE_ID_FULL_DIRECTORY_INFORMATION:
            return more[0], more[1], b"", 0
        case C.FILE_ID_BOTH_DIRECTORY_INFORMATION | C.FILE_BOTH_DIRECTORY_INFORMATION:
            short = more[2]  # type: ignore[assignment]  # 24 bytes, of which ShortNameLength count
            number = more[3] if len(more) > 3 else 0
            return more[0], number, short[: more[1] & ~1], 0
        case C.FILE_ID_EXTD_DIRECTORY_INFORMATION:
            # 128 bits of file id; the upper half is 0 wherever 64 bits suffice.
            return more[0], more[2], b"", more[1]
        case C.FILE_FULL_DIRECTORY_INFORMATION:
            return more[0], 0, b"", 0
        case _:
            return 0, 0, b"", 0


def pack_entries(info_class: int, listed: list[Entry]) -> bytes:
    """What `entries` parses."""
    return chain.join([_packed(C(info_class), entry)[4:] for entry in listed], 8)


def _packed(info_class: C, entry: Entry) -> bytes:
    name = utf16(entry.file_name)
    if info_class is C.FILE_NAMES_INFORMATION:
        return _NAMES.pack(0, 0, len(name)) + name
    common = (
        0, 0, entry.creation_time, entry.last_access_time, entry.last_write_time,
        entry.change_time, entry.end_of_file, entry.allocation_size, entry.file_attributes,
        len(name),
    )  # fmt: skip
    short = (entry.ea_size, len(entry.short_name), entry.short_name)
    rest: dict[C, tuple[int | bytes, ...]] = {
        C.FILE_DIRECTORY_INFORMATION: (),
        C.FILE_FULL_DIRECTORY_INFORMATION: (entry.ea_size,),
        C.FILE_BOTH_DIRECTORY_INFORMATION: short,
        C.FILE_ID_FULL_DIRECTORY_INFORMATION: (entry.ea_size, entry.file_id),
        C.FILE_ID_BOTH_DIRECTORY_INFORMATION: (*short, entry.file_id),
        C.FILE_ID_EXTD_DIRECTORY_INFORMATION: (
            entry.ea_size, entry.reparse_tag, entry.file_id, 0,
        ),
    }  # fmt: skip
    return _LAYOUTS[info_class].pack(*common, *rest[info_class]) + name
