"""Direct TCP transport: a zero byte and a 24-bit length before each message ([MS-SMB2] 2.1)."""

from .errors import MalformedMessage

LONGEST = 0xFF_FFFF


def frame_header(length: int) -> bytes:
    """The four bytes before a message of `length` bytes. Raises ValueError over 16 MiB."""
    if length > LONGEST:
        raise ValueError(f"a message of {length} bytes does not fit a frame")
    return length.to_bytes(4, "big")


def frame_length(header: memoryview) -> int:
    """The length that four bytes announce. Raises MalformedMessage if they are no SMB frame's."""
    value = int.from_bytes(header, "big")
    if value > LONGEST:
        raise MalformedMessage("frame", "type", header[0])
    return value
