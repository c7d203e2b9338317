"""DCE/RPC over a named pipe: bind and request, as a client ([C706] 12.6, [MS-RPCE] 2.2.2).

Little endian, version 5.0, no authentication: the SMB session has authenticated us already.
"""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Self
from uuid import UUID

from .errors import MalformedMessage

_COMMON = Struct("<BBBB4sHHL")
_BIND = Struct("<HHLB3x")
_CONTEXT = Struct("<HBx")
_SYNTAX = Struct("<16sHH")
_BIND_ACK = Struct("<HHLH")
_RESULT = Struct("<HH16sL")
_REQUEST = Struct("<LHH")
_RESPONSE = Struct("<LHBx")
_FAULT = Struct("<LHBxL")
_LITTLE_ENDIAN = b"\x10\0\0\0"
_FIRST, _LAST = 1, 2
_NDR = UUID("8a885d04-1ceb-11c9-9fe8-08002b104860").bytes_le, 2, 0
LARGEST_FRAGMENT = 4280  # bytes, what Windows offers
MOST_STUB = 4 * 1024 * 1024  # bytes of an answer in all its fragments


class PacketType(IntEnum):
    """[C706] 12.6.4."""

    REQUEST = 0
    RESPONSE = 2
    FAULT = 3
    BIND = 11
    BIND_ACK = 12
    BIND_NAK = 13


class Fault(Exception):
    """The server's program refused the call; `status` is its code."""

    def __init__(self, status: int) -> None:
        super().__init__(f"RPC fault {status:#010x}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Interface:
    """What to bind to: a UUID, and its version."""

    uuid: UUID
    major: int
    minor: int = 0


@dataclass(frozen=True, slots=True)
class Packet:
    """One fragment: its type, whether it is the last, and what stands behind the common header."""

    kind: int
    last: bool
    call_id: int
    body: memoryview

    def pack(self, first: bool = True) -> bytes:
        """The fragment."""
        flags = (_FIRST if first else 0) | (_LAST if self.last else 0)
        size = _COMMON.size + len(self.body)
        head = _COMMON.pack(5, 0, self.kind, flags, _LITTLE_ENDIAN, size, 0, self.call_id)
        return head + self.body

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse one whole fragment. Raises MalformedMessage."""
        if len(data) < _COMMON.size:
            raise MalformedMessage("RPC", "size", len(data))
        major, _, kind, flags, order, size, auth, call_id = _COMMON.unpack_from(data)
        if major != 5:
            raise MalformedMessage("RPC", "rpc_vers", major)
        if order[0] != _LITTLE_ENDIAN[0]:
            raise MalformedMessage("RPC", "packed_drep", order[0])
        if not _COMMON.size <= size <= len(data):
            raise MalformedMessage("RPC", "frag_length", size)
        if auth:
            raise MalformedMessage("RPC", "auth_length", auth)
        return cls(kind, bool(flags & _LAST), call_id, data[_COMMON.size : size])


def fragment_size(start: memoryview) -> int:
    """How long the fragment that begins so is; it needs 16 bytes. Raises MalformedMessage."""
    if len(start) < _COMMON.size:
        raise MalformedMessage("RPC", "size", len(start))
    size = int.from_bytes(start[8:10], "little")
    if size < _COMMON.size:
        raise MalformedMessage("RPC", "frag_length", size)
    return size


def bind(interface: Interface, call_id: int) -> bytes:
    """The request to speak `interface` in NDR."""
    syntax = _SYNTAX.pack(interface.uuid.bytes_le, interface.major, interface.minor)
    context = _CONTEXT.pack(0, 1) + syntax + _SYNTAX.pack(*_NDR)
    body = _BIND.pack(LARGEST_FRAGMENT, LARGEST_FRAGMENT, 0, 1) + context
    return Packet(PacketType.BIND, True, call_id, memoryview(body)).pack()


def check_bound(packet: Packet, call_id: int) -> None:
    """Raises Fault if the server does not speak the interface, MalformedMessage."""
    if packet.call_id != call_id:
        raise MalformedMessage("RPC bind", "call_id", packet.call_id)
    if packet.kind == PacketType.BIND_NAK:
        raise Fault(int.from_bytes(packet.body[:2], "little"))
    if packet.kind != PacketType.BIND_ACK:
        raise MalformedMessage("RPC bind", "PTYPE", packet.kind)
    if len(packet.body) < _BIND_ACK.size:
        raise MalformedMessage("RPC bind", "size", len(packet.body))
    *_, length = _BIND_ACK.unpack_from(packet.body)
    at = _BIND_ACK.size + length
    at += -at % 4
    if at + 4 + _RESULT.size > len(packet.body):
        raise MalformedMessage("RPC bind", "sec_addr", length)
    result, reason, _, _ = _RESULT.unpack_from(packet.body, at + 4)
    if result:
        raise Fault(reason)


def request(operation: int, stub: bytes, call_id: int) -> bytes:
    """A call of one operation; `stub` must fit one fragment."""
    body = _REQUEST.pack(len(stub), 0, operation) + stub
    return Packet(PacketType.REQUEST, True, call_id, memoryview(body)).pack()


def answered(packet: Packet, call_id: int) -> memoryview:
    """The part of the answer in one fragment. Raises Fault, MalformedMessage."""
    if packet.call_id != call_id:
        raise MalformedMessage("RPC", "call_id", packet.call_id)
    if packet.kind == PacketType.FAULT:
        if len(packet.body) < _FAULT.size:
            raise MalformedMessage("RPC fault", "size", len(packet.body))
        raise Fault(_FAULT.unpack_from(packet.body)[3])
    if packet.kind != PacketType.RESPONSE:
        raise MalformedMessage("RPC", "PTYPE", packet.kind)
    if len(packet.body) < _RESPONSE.size:
        raise MalformedMessage("RPC", "size", len(packet.body))
    return packet.body[_RESPONSE.size :]
