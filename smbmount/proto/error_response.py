"""SMB2 ERROR: [MS-SMB2] 2.2.2, with the symbolic link error 2.2.2.2.1."""

from dataclasses import dataclass
from struct import Struct
from typing import Self

from .errors import MalformedMessage
from .header import HEADER_SIZE
from .layout import fixed_part, padding, text, utf16

_RESPONSE = Struct("<HBBL")
_CONTEXT = Struct("<LL")
_SYMLINK = Struct("<LLLHHHHHHL")
_SYMLINK_MAGIC = 0x4C4D5953
_TAG_SYMLINK = 0xA000_000C
_MOST_CONTEXTS = 32


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """A failure's data; for 3.1.1 a list of (id, data) contexts, before that one of id 0."""

    contexts: tuple[tuple[int, memoryview], ...] = ()
    in_contexts: bool = False  # True in the form of 3.1.1

    def pack(self) -> bytes:
        """The body."""
        if not self.in_contexts:
            data = bytes(self.contexts[0][1]) if self.contexts else b""
            return _RESPONSE.pack(9, 0, 0, len(data)) + (data or b"\0")
        packed = bytearray()
        for number, body in self.contexts:
            packed += bytes(padding(len(packed), 8)) + _CONTEXT.pack(len(body), number) + body
        return _RESPONSE.pack(9, len(self.contexts), 0, len(packed)) + packed

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        count, _, length = fixed_part(message, _RESPONSE, "ERROR", 9)
        start = HEADER_SIZE + _RESPONSE.size
        if length and start + length > len(message):
            raise MalformedMessage("ERROR", "ByteCount", length)
        data = message[start : start + length]
        if not count:
            return cls(((0, data),) if length else ())
        if count > _MOST_CONTEXTS:
            raise MalformedMessage("ERROR", "ErrorContextCount", count)
        contexts: list[tuple[int, memoryview]] = []
        at = 0
        for _ in range(count):
            at += padding(at, 8)
            if at + _CONTEXT.size > len(data):
                raise MalformedMessage("ERROR", "ErrorContextCount", count)
            size, number = _CONTEXT.unpack_from(data, at)
            at += _CONTEXT.size
            if at + size > len(data):
                raise MalformedMessage("ERROR", "ErrorDataLength", size)
            contexts.append((number, data[at : at + size]))
            at += size
        return cls(tuple(contexts), in_contexts=True)


@dataclass(frozen=True, slots=True)
class SymbolicLinkError:
    """Where a path stopped at a link ([MS-SMB2] 2.2.2.2.1)."""

    unparsed: int  # bytes of UTF-16 at the path's end that were not looked at
    substitute_name: str
    print_name: str
    relative: bool

    def pack(self) -> bytes:
        """The data."""
        substitute, printed = utf16(self.substitute_name), utf16(self.print_name)
        names = substitute + printed
        return (
            _SYMLINK.pack(
                _SYMLINK.size - 4 + len(names), _SYMLINK_MAGIC, _TAG_SYMLINK, 12 + len(names),
                self.unparsed, 0, len(substitute), len(substitute), len(printed),
                int(self.relative),
            )
            + names
        )  # fmt: skip

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        name = "symbolic link error"
        if len(data) < _SYMLINK.size:
            raise MalformedMessage(name, "size", len(data))
        (
            _, magic, tag, _, unparsed, at, length, print_at, print_length, flags,
        ) = _SYMLINK.unpack_from(data)  # fmt: skip
        if magic != _SYMLINK_MAGIC or tag != _TAG_SYMLINK:
            raise MalformedMessage(name, "SymLinkErrorTag", magic)
        names = data[_SYMLINK.size :]
        if at + length > len(names) or print_at + print_length > len(names):
            raise MalformedMessage(name, "SubstituteNameLength", length)
        return cls(
            unparsed,
            text(names[at : at + length], name, "SubstituteName"),
            text(names[print_at : print_at + print_length], name, "PrintName"),
            bool(flags & 1),
        )
