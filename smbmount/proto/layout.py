"""Checks that every decoder shares: fixed parts, and buffers named by offset and length."""

from struct import Struct
from typing import Any, Self

from .errors import MalformedMessage
from .header import HEADER_SIZE

_EMPTY = Struct("<HH")


def fixed_part(
    message: memoryview, layout: Struct, name: str, structure_size: int
) -> tuple[Any, ...]:
    """The fixed fields behind the header, StructureSize first, checked and left out.

    Raises MalformedMessage if the message is too short or StructureSize is another.
    """
    if len(message) < HEADER_SIZE + layout.size:
        raise MalformedMessage(name, "size", len(message))
    size, *fields = layout.unpack_from(message, HEADER_SIZE)
    if size != structure_size:
        raise MalformedMessage(name, "StructureSize", size)
    return tuple(fields)


def named_buffer(
    message: memoryview, name: str, field: str, start: int, length: int, *, behind: int
) -> memoryview:
    """`length` bytes from `start`, which must lie behind the fixed part and inside.

    An empty buffer may have any offset: servers write 0, or the end of the fixed part.
    """
    if not length:
        return message[:0]
    if start < behind:
        raise MalformedMessage(name, f"{field}Offset", start)
    if start + length > len(message):
        raise MalformedMessage(name, f"{field}Length", length)
    return message[start : start + length]


def whole(data: memoryview, layout: Struct, name: str) -> tuple[Any, ...]:
    """The fields of a structure that `data` must hold at least. Raises MalformedMessage."""
    if len(data) < layout.size:
        raise MalformedMessage(name, "size", len(data))
    return layout.unpack_from(data)


def text(data: memoryview, name: str, field: str) -> str:
    """UTF-16LE text. Lone surrogates pass: file names of some servers hold them.

    Raises MalformedMessage if the length is odd.
    """
    if len(data) % 2:
        raise MalformedMessage(name, f"{field}Length", len(data))
    return str(data, "utf-16-le", "surrogatepass")


def utf16(value: str) -> bytes:
    """`value` as UTF-16LE, lone surrogates included."""
    return value.encode("utf-16-le", "surrogatepass")


def padding(length: int, alignment: int) -> int:
    """Bytes to add to `length` so that what follows is aligned."""
    return -length % alignment


class EmptyBody:
    """A body that is only its own size: LOGOFF, TREE_DISCONNECT, ECHO, CANCEL, both ways."""

    __slots__ = ()

    def pack(self) -> bytes:
        """The body."""
        return _EMPTY.pack(_EMPTY.size, 0)

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        fixed_part(message, _EMPTY, cls.__name__, _EMPTY.size)
        return cls()
