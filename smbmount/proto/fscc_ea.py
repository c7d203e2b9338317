"""Extended attributes ([MS-FSCC] 2.4.16, 2.4.18) and streams (2.4.44)."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from struct import Struct

from . import chain
from .errors import MalformedMessage
from .layout import text, utf16

_FULL = Struct("<LBBH")
_GET = Struct("<LB")
_STREAM = Struct("<LLQQ")


@dataclass(frozen=True, slots=True)
class FullEa:
    """One attribute. Names are of one byte a character, at most 255; values at most 65,535 bytes.

    An empty value deletes the attribute when set.
    """

    name: bytes
    value: bytes = field(repr=False)
    flags: int = 0


def pack_list(attributes: Sequence[FullEa]) -> bytes:
    """FileFullEaInformation ([MS-FSCC] 2.4.16)."""
    return chain.join(
        [
            _FULL.pack(0, ea.flags, len(ea.name), len(ea.value))[4:] + ea.name + b"\0" + ea.value
            for ea in attributes
        ],
        4,
    )


def unpack_list(data: memoryview) -> tuple[FullEa, ...]:
    """FileFullEaInformation. Raises MalformedMessage."""
    found = []
    for part in chain.walk(data, _FULL.size + 1, "FileFullEaInformation"):
        _, flags, name_length, value_length = _FULL.unpack_from(part)
        value_at = _FULL.size + name_length + 1
        if value_at > len(part):
            raise MalformedMessage("FileFullEaInformation", "EaNameLength", name_length)
        if value_at + value_length > len(part):
            raise MalformedMessage("FileFullEaInformation", "EaValueLength", value_length)
        name = bytes(part[_FULL.size : value_at - 1])
        found.append(FullEa(name, bytes(part[value_at : value_at + value_length]), flags))
    return tuple(found)


def pack_names(names: Sequence[bytes]) -> bytes:
    """FileGetEaInformation ([MS-FSCC] 2.4.17): which attributes a query is about."""
    return chain.join([_GET.pack(0, len(name))[4:] + name + b"\0" for name in names], 4)


def unpack_names(data: memoryview) -> tuple[bytes, ...]:
    """FileGetEaInformation. Raises MalformedMessage."""
    found = []
    for part in chain.walk(data, _GET.size + 1, "FileGetEaInformation"):
        _, length = _GET.unpack_from(part)
        if _GET.size + length + 1 > len(part):
            raise MalformedMessage("FileGetEaInformation", "EaNameLength", length)
        found.append(bytes(part[_GET.size : _GET.size + length]))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a file ([MS-FSCC] 2.4.44); the nameless one is "::$DATA". Sizes are bytes."""

    name: str
    size: int
    allocation_size: int


def pack_streams(streams: Sequence[Stream]) -> bytes:
    """FileStreamInformation."""
    entries = []
    for stream in streams:
        name = utf16(stream.name)
        entries.append(_STREAM.pack(0, len(name), stream.size, stream.allocation_size)[4:] + name)
    return chain.join(entries, 8)


def unpack_streams(data: memoryview) -> tuple[Stream, ...]:
    """FileStreamInformation. Raises MalformedMessage."""
    found = []
    for part in chain.walk(data, _STREAM.size, "FileStreamInformation"):
        _, length, size, allocated = _STREAM.unpack_from(part)
        if _STREAM.size + length > len(part):
            raise MalformedMessage("FileStreamInformation", "StreamNameLength", length)
        name = part[_STREAM.size : _STREAM.size + length]
        found.append(Stream(text(name, "FileStreamInformation", "StreamName"), size, allocated))
    return tuple(found)
