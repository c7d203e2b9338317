"""Whole messages over a byte stream: direct TCP transport ([MS-SMB2] 2.1).

Sending never waits: what the socket does not take at once is queued, and a task of the
connection's sends it on. The queue is bounded by the credits the server gave, for
nothing is queued that was not paid for. Receiving reads a little ahead, so that a small answer
costs one system call; a large one goes straight into the buffer it will live in.
"""

import socket
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import trio

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.framing import frame_header, frame_length

from .buffers import BufferPool

_STAGING = 16 * 1024
_FRAME_HEADER = 4
_TURN = 256 * 1024  # bytes received without waiting before other tasks get a turn
_SENDMSG_PARTS = 512  # well under IOV_MAX (1024 on Linux)


class Wire(Protocol):
    """What a connection needs of its stream; tests put memory behind it."""

    def send(self, parts: Sequence[bytes | bytearray | memoryview]) -> None:
        """Queue one message. Its parts must not change until they are sent."""

    async def receive(self) -> memoryview | None:
        """The next whole message; None at the end of the stream."""

    async def pump(self) -> None:
        """Send what is queued, until cancelled or the stream breaks (OSError)."""

    def set_limit(self, limit: int) -> None:
        """Refuse longer messages from now on."""

    def close(self) -> None:
        """Drop the stream at once."""


class SocketWire:
    """A Wire over a connected TCP socket, which it owns."""

    def __init__(self, sock: socket.socket, pool: BufferPool, limit: int) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._sock = sock
        self._pool = pool
        self._limit = limit
        self._queue: deque[memoryview] = deque()
        self._queued = trio.Event()
        self._staging = memoryview(bytearray(_STAGING))
        self._from = self._to = 0  # what of the staging area is not consumed yet
        self._unyielded = 0
        self._greeting = b""

    @property
    def greeting(self) -> bytes:
        """The first bytes that ever came, for telling what a server is that is not SMB."""
        return self._greeting

    def send(self, parts: Sequence[bytes | bytearray | memoryview]) -> None:
        """Queue one message, and send at once what the socket takes without waiting."""
        total = sum(len(part) for part in parts)
        self._queue.append(memoryview(frame_header(total)))
        self._queue.extend(memoryview(part) for part in parts)
        try:
            self._send_some()
        except OSError:
            pass  # the pump meets the same error, and its task reports it
        if self._queue:
            self._queued.set()

    def _send_some(self) -> None:
        while self._queue:
            batch = [self._queue[at] for at in range(min(len(self._queue), _SENDMSG_PARTS))]
            try:
                sent = self._sock.sendmsg(batch)
            except BlockingIOError:
                return
            while self._queue and sent >= len(self._queue[0]):
                sent -= len(self._queue.popleft())
            if sent:
                self._queue[0] = self._queue[0][sent:]

    async def pump(self) -> None:
        """Send what is queued, until cancelled. Raises OSError when the stream is broken."""
        while True:
            await self._queued.wait()
            while self._queue:
                await trio.lowlevel.wait_writable(self._sock)
                self._send_some()
            self._queued = trio.Event()

    def set_limit(self, limit: int) -> None:
        """Refuse messages longer than `limit` bytes from now on."""
        self._limit = limit

    async def receive(self) -> memoryview | None:
        """The next whole message; None at the end of the stream.

        Raises MalformedMessage for a frame that is not SMB or over the limit, OSError if the
        stream breaks.
        """
        while self._to - self._from < _FRAME_HEADER:
            if not await self._fill():
                return None
        header = self._staging[self._from : self._from + _FRAME_HEADER]
        length = frame_length(header)
        if length > self._limit:
            raise MalformedMessage("frame", "length", length)
        self._from += _FRAME_HEADER
        message = self._pool.take(length)
        have = min(length, self._to - self._from)
        message[:have] = self._staging[self._from : self._from + have]
        self._from += have
        while have < length:
            received = await self._receive_into(message[have:])
            if not received:
                return None
            have += received
        return message

    async def _fill(self) -> bool:
        if self._from:
            rest = bytes(self._staging[self._from : self._to])
            self._staging[: len(rest)] = rest
            self._from, self._to = 0, len(rest)
        received = await self._receive_into(self._staging[self._to :])
        self._to += received
        if not self._greeting:
            self._greeting = bytes(self._staging[:16])[: self._to]
        return received > 0

    async def _receive_into(self, view: memoryview) -> int:
        if self._unyielded >= _TURN:
            self._unyielded = 0
            await trio.lowlevel.checkpoint()
        while True:
            try:
                received = self._sock.recv_into(view)
            except BlockingIOError:
                self._unyielded = 0
                await trio.lowlevel.wait_readable(self._sock)
            else:
                self._unyielded += received
                return received

    def close(self) -> None:
        """Drop the connection at once; waiting tasks see ClosedResourceError."""
        trio.lowlevel.notify_closing(self._sock)
        self._sock.close()
