"""A capture of SMB messages as they are before encryption, for Wireshark.

The file is pcapng (draft-ietf-opsawg-pcapng): one section, one interface of raw IPv4 packets,
then enhanced packet blocks. Each message becomes TCP segments of a made-up conversation between
192.0.2.1 (us) and 192.0.2.2 port 445 (the server), with sequence numbers that fit, so
that Wireshark reassembles them and needs no keys. (The addresses are of TEST-NET-1, RFC 5737.)

The disk is a thread's business: the event loop only hands messages over. If the disk cannot
follow, messages are left out, and their number is written into the file as a comment.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from typing import BinaryIO

from smbmount.proto.framing import frame_header

_log = logging.getLogger(__name__)

_SECTION = 0x0A0D0D0A
_INTERFACE = 1
_PACKET = 6
_LINKTYPE_IPV4 = 228
_OPTION_COMMENT = 1
_OPTION_RESOLUTION = 9

_BLOCK = Struct("<LL")
_SECTION_BODY = Struct("<LHHq")
_INTERFACE_BODY = Struct("<HHL")
_PACKET_BODY = Struct("<LLLLL")
_OPTION = Struct("<HH")
_IPV4 = Struct(">BBHHHBBH4s4s")
_TCP = Struct(">HHLLBBHHH")

_CLIENT = bytes((192, 0, 2, 1)), 49152
_SERVER = bytes((192, 0, 2, 2)), 445
_SEGMENT = 60_000  # bytes of TCP payload a packet carries; IPv4 ends at 65,535
_BACKLOG = 64 * 1024 * 1024  # bytes waiting for the disk before messages are left out


def _block(kind: int, body: bytes) -> bytes:
    padded = body + bytes(-len(body) % 4)
    total = _BLOCK.size + len(padded) + 4
    return _BLOCK.pack(kind, total) + padded + total.to_bytes(4, "little")


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + value + bytes(-len(value) % 4)


def file_header() -> bytes:
    """Section header and the one interface, with timestamps in nanoseconds."""
    section = _SECTION_BODY.pack(0x1A2B3C4D, 1, 0, -1)
    options = _option(_OPTION_RESOLUTION, b"\x09") + _option(0, b"")
    interface = _INTERFACE_BODY.pack(_LINKTYPE_IPV4, 0, 0) + options
    return _block(_SECTION, section) + _block(_INTERFACE, interface)


def _checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    total = sum(int.from_bytes(data[at : at + 2], "big") for at in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


class Conversation:
    """Turns messages into packets of one TCP stream with consistent sequence numbers."""

    def __init__(self) -> None:
        self._next = {"out": 1, "in": 1}

    def packets(self, direction: str, message: bytes, now_ns: int, comment: str = "") -> bytes:
        """Packet blocks for one SMB message; `direction` is "out" (ours) or "in"."""
        stream = frame_header(len(message)) + message
        segments = [stream[at : at + _SEGMENT] for at in range(0, len(stream), _SEGMENT)]
        return b"".join(
            self._packet(direction, segment, now_ns, comment if not number else "")
            for number, segment in enumerate(segments)
        )

    def _packet(self, direction: str, segment: bytes, now_ns: int, comment: str) -> bytes:
        other = "in" if direction == "out" else "out"
        source, target = (_CLIENT, _SERVER) if direction == "out" else (_SERVER, _CLIENT)
        sequence = self._next[direction]
        self._next[direction] = (sequence + len(segment)) & 0xFFFFFFFF
        tcp = _TCP.pack(
            source[1], target[1], sequence, self._next[other], 5 << 4, 0x18, 65535, 0, 0
        )
        length = _IPV4.size + len(tcp) + len(segment)
        ip = _IPV4.pack(0x45, 0, length, 0, 0x4000, 64, 6, 0, source[0], target[0])
        check = _checksum(ip).to_bytes(2, "big")
        packet = ip[:10] + check + ip[12:] + tcp + segment
        body = _PACKET_BODY.pack(0, now_ns >> 32, now_ns & 0xFFFFFFFF, len(packet), len(packet))
        body += packet + bytes(-len(packet) % 4)
        if comment:
            body += _option(_OPTION_COMMENT, comment.encode()) + _option(0, b"")
        return _block(_PACKET, body)


class Capture:
    """Writes a connection's messages to a pcapng file, created readable by its owner only."""

    def __init__(self, path: Path, clock: Callable[[], int] = time.time_ns) -> None:
        """Open `path`. Raises OSError."""
        self._clock = clock
        self._file: BinaryIO = open(path, "xb", opener=_private)  # noqa: SIM115  # closed by close()
        self._file.write(file_header())
        self._queue: queue.SimpleQueue[tuple[str, bytes, int, int] | None] = queue.SimpleQueue()
        self._backlog = 0
        self._left_out = 0
        self._failed = False
        self._conversations: dict[int, Conversation] = {}
        self._writer = threading.Thread(target=self._write, name="capture", daemon=True)
        self._writer.start()

    def observer(self) -> Callable[[str, memoryview], None]:
        """What a connection calls with each message; every connection has its own."""
        number = len(self._conversations)
        self._conversations[number] = Conversation()

        def observe(direction: str, message: memoryview) -> None:
            if self._failed or self._backlog + len(message) > _BACKLOG:
                self._left_out += 1
                return
            self._backlog += len(message)
            self._queue.put((direction, bytes(message), self._clock(), number))

        return observe

    def _write(self) -> None:
        while (item := self._queue.get()) is not None:
            direction, message, now, number = item
            self._backlog -= len(message)
            comment, self._left_out = f"{self._left_out} messages left out", 0
            text = comment if not comment.startswith("0 ") else ""
            try:
                self._file.write(self._conversations[number].packets(direction, message, now, text))
                if self._queue.empty():
                    self._file.flush()
            except OSError as error:
                if not self._failed:
                    _log.error("the capture ends here: %s", error.strerror)
                self._failed = True

    def close(self) -> None:
        """Write what is waiting, and close the file."""
        self._queue.put(None)
        self._writer.join()
        self._file.close()


def _private(path: str, flags: int) -> int:
    import os

    return os.open(path, flags, 0o600)
