"""Inputs and outputs of FSCTLs about the connection ([MS-SMB2] 2.2.31, 2.2.32)."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import ClassVar, Self

from . import chain
from .errors import MalformedMessage
from .fscc_file import FixedInformation
from .layout import text, utf16, whole

_QUESTION = Struct("<L16sHH")
_ANSWER = Struct("<L16sHH")
_INTERFACE = Struct("<LLLLQ")
_SOCKADDR_SIZE = 128
_INET_ADDRESS = Struct("<HH4s")  # the port is of no meaning here
_INET6_ADDRESS = Struct("<HHL16sL")
_INET, _INET6 = 2, 23  # families as Windows numbers them
_PIPE_WAIT = Struct("<QL?x")


@dataclass(frozen=True, slots=True)
class ValidateNegotiateInfoRequest:
    """What we negotiated, said again ([MS-SMB2] 2.2.31.4)."""

    capabilities: int
    guid: bytes
    security_mode: int
    dialects: tuple[int, ...]

    def pack(self) -> bytes:
        """The input."""
        fixed = _QUESTION.pack(self.capabilities, self.guid, self.security_mode, len(self.dialects))
        return fixed + b"".join(dialect.to_bytes(2, "little") for dialect in self.dialects)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        capabilities, guid, mode, count = whole(data, _QUESTION, "VALIDATE_NEGOTIATE_INFO")
        at = _QUESTION.size
        if at + 2 * count > len(data):
            raise MalformedMessage("VALIDATE_NEGOTIATE_INFO", "DialectCount", count)
        dialects = tuple(
            int.from_bytes(data[at + 2 * n : at + 2 * n + 2], "little") for n in range(count)
        )
        return cls(capabilities, guid, mode, dialects)


@dataclass(frozen=True, slots=True)
class ValidateNegotiateInfoResponse:
    """What the server remembers to have negotiated ([MS-SMB2] 2.2.32.6)."""

    capabilities: int
    guid: bytes
    security_mode: int
    dialect: int

    def pack(self) -> bytes:
        """The output."""
        return _ANSWER.pack(self.capabilities, self.guid, self.security_mode, self.dialect)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        return cls(*whole(data, _ANSWER, "VALIDATE_NEGOTIATE_INFO"))


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """One address of a server ([MS-SMB2] 2.2.32.5). `speed` is bits per second."""

    index: int
    capability: int  # bit 0: RSS, bit 1: RDMA
    speed: int
    address: str
    family: int = _INET

    def pack(self) -> bytes:
        """The entry without its first four bytes."""
        if self.family == _INET:
            sockaddr = _INET_ADDRESS.pack(_INET, 0, ipaddress.IPv4Address(self.address).packed)
        else:
            sockaddr = _INET6_ADDRESS.pack(
                _INET6, 0, 0, ipaddress.IPv6Address(self.address).packed, 0
            )
        fixed = _INTERFACE.pack(0, self.index, self.capability, 0, self.speed)[4:]
        return fixed + sockaddr.ljust(_SOCKADDR_SIZE, b"\0")


def pack_interfaces(interfaces: Sequence[NetworkInterface]) -> bytes:
    """The output of FSCTL_QUERY_NETWORK_INTERFACE_INFO."""
    return chain.join([interface.pack() for interface in interfaces], 8)


def unpack_interfaces(data: memoryview) -> tuple[NetworkInterface, ...]:
    """The output of FSCTL_QUERY_NETWORK_INTERFACE_INFO; families other than IP are left out.

    Raises MalformedMessage.
    """
    name = "NETWORK_INTERFACE_INFO"
    found = []
    for part in chain.walk(data, _INTERFACE.size + _SOCKADDR_SIZE, name):
        _, index, capability, _, speed = _INTERFACE.unpack_from(part)
        sockaddr = part[_INTERFACE.size :]
        family = int.from_bytes(sockaddr[:2], "little")
        if family == _INET:
            _, _, packed = _INET_ADDRESS.unpack_from(sockaddr)
            address = str(ipaddress.IPv4Address(packed))
        elif family == _INET6:
            _, _, _, packed, _ = _INET6_ADDRESS.unpack_from(sockaddr)
            address = str(ipaddress.IPv6Address(packed))
        else:
            continue
        found.append(NetworkInterface(index, capability, speed, address, family))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class PipeWaitRequest:
    """Wait until a named pipe has a free instance ([MS-FSCC] 2.3.49).

    `timeout` is in units of 100 ns, None for the server's own.
    """

    name: str
    timeout: int | None = None

    def pack(self) -> bytes:
        """The input."""
        name = utf16(self.name)
        given = self.timeout is not None
        return _PIPE_WAIT.pack(self.timeout or 0, len(name), given) + name

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        timeout, length, given = whole(data, _PIPE_WAIT, "PIPE_WAIT")
        if _PIPE_WAIT.size + length > len(data):
            raise MalformedMessage("PIPE_WAIT", "NameLength", length)
        name = data[_PIPE_WAIT.size : _PIPE_WAIT.size + length]
        return cls(text(name, "PIPE_WAIT", "Name"), timeout if given else None)


@dataclass(frozen=True, slots=True)
class ResiliencyRequest(FixedInformation):
    """Keep the open for `timeout` ms after a disconnection ([MS-SMB2] 2.2.31.3)."""

    _LAYOUT: ClassVar[Struct] = Struct("<LL")

    timeout: int
    reserved: int = 0
