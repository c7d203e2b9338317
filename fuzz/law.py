"""The law that every decoder is under, for one input."""

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.sealing import SealBroken

from .decoders import HEADER, Decoder, weight

ALLOWED = (MalformedMessage, SealBroken)  # the protocol's own exceptions
_FACTOR = 40  # kept bytes for each byte of input: an entry of a list is all fields, no payload
_ROOM = 4096  # and so many that any message may take


class LawBroken(Exception):
    """A decoder kept more than its input accounts for."""


def split_input(data: bytes, decoders: list[Decoder]) -> tuple[Decoder, memoryview]:
    """Whom an input of the fuzzer's is for, and what it is to decode."""
    decoder = decoders[int.from_bytes(data[:2], "little") % len(decoders)]
    body = data[2:]
    return decoder, memoryview(HEADER + body if decoder.behind_header else body)


def join_input(number: int, body: bytes) -> bytes:
    """The opposite: `body` (without header) for decoder `number`."""
    return number.to_bytes(2, "little") + body


def apply(decoder: Decoder, data: memoryview) -> bool:
    """Decode under the law. True if it parsed; whatever escapes is a find."""
    try:
        value = decoder.decode(data)
    except ALLOWED:
        return False
    kept = weight(value)
    if kept > _ROOM + _FACTOR * len(data):
        raise LawBroken(f"{decoder.name} keeps {kept} bytes of {len(data)}")
    return True
