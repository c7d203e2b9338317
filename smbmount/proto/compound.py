"""Several messages in one frame ([MS-SMB2] 3.2.4.1.4, 3.2.5.1.9)."""

from collections.abc import Sequence

from .errors import MalformedMessage
from .header import HEADER_SIZE, NEXT_COMMAND_AT, SIGNATURE_AT
from .signing import Buffer, Signer

_ALIGNMENT = 8
_MOST = 64  # messages; we never ask for so many in one frame


def join(messages: Sequence[list[Buffer]], signer: Signer | None = None) -> list[Buffer]:
    """Chain messages, sign each if there is a signer, and return the parts in order.

    Each message is a list of parts, the first a bytearray that starts with the header and is
    changed here. Padding belongs to the message before it, and so to what is signed.
    """
    parts: list[Buffer] = []
    for number, message in enumerate(messages):
        head = message[0]
        assert isinstance(head, bytearray)
        if number < len(messages) - 1:
            length = sum(len(part) for part in message)
            pad = -length % _ALIGNMENT
            if pad and len(message) == 1:
                head += bytes(pad)
            elif pad:
                message.append(bytes(pad))
            head[NEXT_COMMAND_AT : NEXT_COMMAND_AT + 4] = (length + pad).to_bytes(4, "little")
        if signer is not None:
            head[SIGNATURE_AT : SIGNATURE_AT + 16] = signer.signature(message)
        parts += message
    return parts


def split(frame: memoryview) -> list[memoryview]:
    """The messages of a frame. Raises MalformedMessage if the chain leaves the frame."""
    messages: list[memoryview] = []
    rest = frame
    while True:
        if len(rest) < HEADER_SIZE:
            raise MalformedMessage("compound", "size", len(rest))
        following = int.from_bytes(rest[NEXT_COMMAND_AT : NEXT_COMMAND_AT + 4], "little")
        if not following:
            messages.append(rest)
            return messages
        if following % _ALIGNMENT or not HEADER_SIZE <= following < len(rest):
            raise MalformedMessage("compound", "NextCommand", following)
        if len(messages) >= _MOST:
            raise MalformedMessage("compound", "count", len(messages))
        messages.append(rest[:following])
        rest = rest[following:]
