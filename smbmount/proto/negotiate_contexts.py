"""Negotiate contexts of 3.1.1: requests [MS-SMB2] 2.2.3.1, responses 2.2.4.1."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import ClassVar, Protocol, Self

from .errors import MalformedMessage
from .layout import padding, text, utf16

_CONTEXT = Struct("<HHL")
_MOST_CONTEXTS = 32
# The tag by which Samba and the Linux kernel know each other's POSIX extensions.
_POSIX_TAG = bytes.fromhex("93ad25509cb411e7b42383de968bcd7c")


class HashAlgorithm(IntEnum):
    """[MS-SMB2] 2.2.3.1.1."""

    SHA_512 = 1


class Cipher(IntEnum):
    """[MS-SMB2] 2.2.3.1.2."""

    AES_128_CCM = 1
    AES_128_GCM = 2
    AES_256_CCM = 3
    AES_256_GCM = 4


class SigningAlgorithm(IntEnum):
    """[MS-SMB2] 2.2.3.1.7."""

    HMAC_SHA256 = 0
    AES_CMAC = 1
    AES_GMAC = 2


class NegotiateContext(Protocol):
    """One context: its type on the wire, and its data."""

    @property
    def TYPE(self) -> int:
        """ContextType."""

    def pack(self) -> bytes:
        """The data."""


def _codes(values: Sequence[int]) -> bytes:
    return b"".join(value.to_bytes(2, "little") for value in values)


def _take_codes(data: memoryview, at: int, count: int, name: str) -> tuple[int, ...]:
    if at + 2 * count > len(data):
        raise MalformedMessage(name, "count", count)
    return tuple(int.from_bytes(data[at + 2 * n : at + 2 * n + 2], "little") for n in range(count))


def _u16(data: memoryview, at: int, name: str) -> int:
    if at + 2 > len(data):
        raise MalformedMessage(name, "size", len(data))
    return int.from_bytes(data[at : at + 2], "little")


@dataclass(frozen=True, slots=True)
class PreauthIntegrityCapabilities:
    """[MS-SMB2] 2.2.3.1.1."""

    TYPE: ClassVar[int] = 1

    hash_algorithms: tuple[int, ...]
    salt: bytes

    def pack(self) -> bytes:
        """The data."""
        counts = _codes((len(self.hash_algorithms), len(self.salt)))
        return counts + _codes(self.hash_algorithms) + self.salt

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        name = "PREAUTH_INTEGRITY_CAPABILITIES"
        count, salt = _u16(data, 0, name), _u16(data, 2, name)
        hashes = _take_codes(data, 4, count, name)
        at = 4 + 2 * count
        if at + salt > len(data):
            raise MalformedMessage(name, "SaltLength", salt)
        return cls(hashes, bytes(data[at : at + salt]))


@dataclass(frozen=True, slots=True)
class EncryptionCapabilities:
    """[MS-SMB2] 2.2.3.1.2, in order of preference; a server's answer has one, 0 for none."""

    TYPE: ClassVar[int] = 2

    ciphers: tuple[int, ...]

    def pack(self) -> bytes:
        """The data."""
        return _codes((len(self.ciphers), *self.ciphers))

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        name = "ENCRYPTION_CAPABILITIES"
        return cls(_take_codes(data, 2, _u16(data, 0, name), name))


@dataclass(frozen=True, slots=True)
class CompressionCapabilities:
    """[MS-SMB2] 2.2.3.1.3."""

    TYPE: ClassVar[int] = 3

    algorithms: tuple[int, ...]
    flags: int = 0

    def pack(self) -> bytes:
        """The data."""
        head = _codes((len(self.algorithms), 0)) + self.flags.to_bytes(4, "little")
        return head + _codes(self.algorithms)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        name = "COMPRESSION_CAPABILITIES"
        if len(data) < 8:
            raise MalformedMessage(name, "size", len(data))
        algorithms = _take_codes(data, 8, _u16(data, 0, name), name)
        return cls(algorithms, int.from_bytes(data[4:8], "little"))


@dataclass(frozen=True, slots=True)
class NetnameNegotiateContext:
    """[MS-SMB2] 2.2.3.1.4: the server's name as the client knows it."""

    TYPE: ClassVar[int] = 5

    name: str

    def pack(self) -> bytes:
        """The data."""
        return utf16(self.name)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        return cls(text(data, "NETNAME_NEGOTIATE_CONTEXT", "Data"))


@dataclass(frozen=True, slots=True)
class TransportCapabilities:
    """[MS-SMB2] 2.2.3.1.5."""

    TYPE: ClassVar[int] = 6

    flags: int

    def pack(self) -> bytes:
        """The data."""
        return self.flags.to_bytes(4, "little")

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        if len(data) < 4:
            raise MalformedMessage("TRANSPORT_CAPABILITIES", "size", len(data))
        return cls(int.from_bytes(data[:4], "little"))


@dataclass(frozen=True, slots=True)
class RdmaTransformCapabilities:
    """[MS-SMB2] 2.2.3.1.6."""

    TYPE: ClassVar[int] = 7

    transforms: tuple[int, ...]

    def pack(self) -> bytes:
        """The data."""
        return _codes((len(self.transforms), 0, 0, 0, *self.transforms))

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        name = "RDMA_TRANSFORM_CAPABILITIES"
        return cls(_take_codes(data, 8, _u16(data, 0, name), name))


@dataclass(frozen=True, slots=True)
class SigningCapabilities:
    """[MS-SMB2] 2.2.3.1.7, in order of preference; a server's answer has one."""

    TYPE: ClassVar[int] = 8

    algorithms: tuple[int, ...]

    def pack(self) -> bytes:
        """The data."""
        return _codes((len(self.algorithms), *self.algorithms))

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        name = "SIGNING_CAPABILITIES"
        return cls(_take_codes(data, 2, _u16(data, 0, name), name))


@dataclass(frozen=True, slots=True)
class PosixExtensions:
    """The SMB 3.1.1 POSIX extensions, known by a tag of 16 bytes."""

    TYPE: ClassVar[int] = 0x100

    tag: bytes = _POSIX_TAG

    def pack(self) -> bytes:
        """The data."""
        return self.tag

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        if len(data) < 16:
            raise MalformedMessage("POSIX_EXTENSIONS", "size", len(data))
        return cls(bytes(data[:16]))


@dataclass(frozen=True, slots=True)
class UnknownContext:
    """A context of a type that has no class here."""

    TYPE: int
    data: bytes

    def pack(self) -> bytes:
        """The data."""
        return self.data


_KNOWN = {
    kind.TYPE: kind
    for kind in (
        PreauthIntegrityCapabilities,
        EncryptionCapabilities,
        CompressionCapabilities,
        NetnameNegotiateContext,
        TransportCapabilities,
        RdmaTransformCapabilities,
        SigningCapabilities,
        PosixExtensions,
    )
}


def pack_contexts(contexts: Sequence[NegotiateContext]) -> bytes:
    """The list, each context 8-byte aligned to the list's start."""
    packed = bytearray()
    for context in contexts:
        packed += bytes(padding(len(packed), 8))
        data = context.pack()
        packed += _CONTEXT.pack(context.TYPE, len(data), 0) + data
    return bytes(packed)


def unpack_contexts(data: memoryview, count: int) -> tuple[NegotiateContext, ...]:
    """`count` contexts from the start of `data`. Raises MalformedMessage."""
    if count > _MOST_CONTEXTS:
        raise MalformedMessage("NEGOTIATE", "NegotiateContextCount", count)
    contexts: list[NegotiateContext] = []
    at = 0
    for _ in range(count):
        at += padding(at, 8)
        if at + _CONTEXT.size > len(data):
            raise MalformedMessage("NEGOTIATE", "NegotiateContextCount", count)
        kind, length, _ = _CONTEXT.unpack_from(data, at)
        at += _CONTEXT.size
        if at + length > len(data):
            raise MalformedMessage("NEGOTIATE_CONTEXT", "DataLength", length)
        body = data[at : at + length]
        known = _KNOWN.get(kind)
        contexts.append(known.unpack(body) if known else UnknownContext(kind, bytes(body)))
        at += length
    return tuple(contexts)
