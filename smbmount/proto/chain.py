"""Lists whose entries point at the next one: directories, streams, EAs ([MS-FSCC] 2.1, 2.4)."""

from collections.abc import Iterator, Sequence

from .errors import MalformedMessage
from .layout import padding


def walk(data: memoryview, smallest: int, name: str) -> Iterator[memoryview]:
    """Each entry of a chain, from its start to the next entry's or the end.

    The first four bytes of an entry are the offset of the next, 0 in the last. Each entry has
    `smallest` bytes at least, so the chain ends. Raises MalformedMessage.
    """
    rest = data
    while rest:
        if len(rest) < smallest:
            raise MalformedMessage(name, "size", len(rest))
        following = int.from_bytes(rest[:4], "little")
        if not following:
            yield rest
            return
        if not smallest <= following <= len(rest):
            raise MalformedMessage(name, "NextEntryOffset", following)
        yield rest[:following]
        rest = rest[following:]


def join(entries: Sequence[bytes], alignment: int) -> bytes:
    """Entries, each without its first four bytes, chained and aligned."""
    packed = bytearray()
    for number, entry in enumerate(entries):
        length = 4 + len(entry)
        last = number == len(entries) - 1
        pad = 0 if last else padding(length, alignment)
        following = 0 if last else length + pad
        packed += following.to_bytes(4, "little") + entry + bytes(pad)
    return bytes(packed)
