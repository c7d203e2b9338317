"""Create contexts: requests [MS-SMB2] 2.2.13.2, responses 2.2.14.2.

Each class has the NAME it goes by on the wire; `pack` and `unpack` are about its data alone.
"""

from dataclasses import dataclass, field, fields
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .errors import MalformedMessage
from .fscc_ea import FullEa, pack_list, unpack_list
from .layout import whole

_POSIX_RESPONSE = Struct("<LLL")
_EMPTY_LEASE_KEY = bytes(16)


class Structure:
    """A context of fixed layout: its fields in wire order, `_LAYOUT` their struct."""

    __slots__ = ()
    _LAYOUT: ClassVar[Struct]
    NAME: ClassVar[bytes]

    def pack(self) -> bytes:
        """The data."""
        names = [each.name for each in fields(self)]  # type: ignore[arg-type]  # a dataclass
        return self._LAYOUT.pack(*(getattr(self, name) for name in names))

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        return cls(*whole(data, cls._LAYOUT, cls.__name__))


@dataclass(frozen=True, slots=True)
class EaBuffer:
    """Extended attributes of a new file ([MS-SMB2] 2.2.13.2.1)."""

    NAME: ClassVar[bytes] = b"ExtA"

    attributes: tuple[FullEa, ...]

    def pack(self) -> bytes:
        """The data."""
        return pack_list(self.attributes)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        return cls(unpack_list(data))


@dataclass(frozen=True, slots=True)
class SdBuffer:
    """The security descriptor of a new file ([MS-SMB2] 2.2.13.2.2), as bytes."""

    NAME: ClassVar[bytes] = b"SecD"

    descriptor: bytes = field(repr=False)

    def pack(self) -> bytes:
        """The data."""
        return self.descriptor

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Never fails: any bytes may be a descriptor."""
        return cls(bytes(data))


@dataclass(frozen=True, slots=True)
class DurableHandleRequest(Structure):
    """[MS-SMB2] 2.2.13.2.3."""

    NAME: ClassVar[bytes] = b"DHnQ"
    _LAYOUT: ClassVar[Struct] = Struct("<16s")

    reserved: bytes = bytes(16)


@dataclass(frozen=True, slots=True)
class DurableHandleReconnect:
    """[MS-SMB2] 2.2.13.2.4."""

    NAME: ClassVar[bytes] = b"DHnC"
    _LAYOUT: ClassVar[Struct] = Struct("<QQ")

    file_id: FileId

    def pack(self) -> bytes:
        """The data."""
        return self._LAYOUT.pack(*self.file_id)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        return cls(FileId(*whole(data, cls._LAYOUT, cls.__name__)))


@dataclass(frozen=True, slots=True)
class DurableHandleResponse(Structure):
    """[MS-SMB2] 2.2.14.2.3: granted."""

    NAME: ClassVar[bytes] = b"DHnQ"
    _LAYOUT: ClassVar[Struct] = Struct("<8s")

    reserved: bytes = bytes(8)


@dataclass(frozen=True, slots=True)
class DurableHandleRequestV2(Structure):
    """[MS-SMB2] 2.2.13.2.11. `timeout` is milliseconds, 0 for the server's own."""

    NAME: ClassVar[bytes] = b"DH2Q"
    _LAYOUT: ClassVar[Struct] = Struct("<LL8x16s")
    PERSISTENT: ClassVar[int] = 2

    timeout: int
    flags: int
    create_guid: bytes


@dataclass(frozen=True, slots=True)
class DurableHandleReconnectV2:
    """[MS-SMB2] 2.2.13.2.12."""

    NAME: ClassVar[bytes] = b"DH2C"
    _LAYOUT: ClassVar[Struct] = Struct("<QQ16sL")

    file_id: FileId
    create_guid: bytes
    flags: int = 0

    def pack(self) -> bytes:
        """The data."""
        return self._LAYOUT.pack(*self.file_id, self.create_guid, self.flags)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        persistent, volatile, guid, flags = whole(data, cls._LAYOUT, cls.__name__)
        return cls(FileId(persistent, volatile), guid, flags)


@dataclass(frozen=True, slots=True)
class DurableHandleResponseV2(Structure):
    """[MS-SMB2] 2.2.14.2.12. `timeout` is milliseconds."""

    NAME: ClassVar[bytes] = b"DH2Q"
    _LAYOUT: ClassVar[Struct] = Struct("<LL")

    timeout: int
    flags: int


@dataclass(frozen=True, slots=True)
class MaximalAccessRequest:
    """[MS-SMB2] 2.2.13.2.5; a timestamp of 0 is left out."""

    NAME: ClassVar[bytes] = b"MxAc"

    timestamp: int = 0

    def pack(self) -> bytes:
        """The data."""
        return self.timestamp.to_bytes(8, "little") if self.timestamp else b""

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        if len(data) not in (0, 8):
            raise MalformedMessage("MaximalAccessRequest", "size", len(data))
        return cls(int.from_bytes(data, "little"))


@dataclass(frozen=True, slots=True)
class MaximalAccessResponse(Structure):
    """[MS-SMB2] 2.2.14.2.5: an NTSTATUS, and the access if that is success."""

    NAME: ClassVar[bytes] = b"MxAc"
    _LAYOUT: ClassVar[Struct] = Struct("<LL")

    query_status: int
    maximal_access: int


@dataclass(frozen=True, slots=True)
class AllocationSize(Structure):
    """Bytes to set aside for a new file ([MS-SMB2] 2.2.13.2.6)."""

    NAME: ClassVar[bytes] = b"AlSi"
    _LAYOUT: ClassVar[Struct] = Struct("<Q")

    allocation_size: int


@dataclass(frozen=True, slots=True)
class TimewarpToken(Structure):
    """Open the file as it was at this FILETIME ([MS-SMB2] 2.2.13.2.7)."""

    NAME: ClassVar[bytes] = b"TWrp"
    _LAYOUT: ClassVar[Struct] = Struct("<Q")

    timestamp: int


@dataclass(frozen=True, slots=True)
class QueryOnDiskIdRequest:
    """Ask for the file's number ([MS-SMB2] 2.2.13.2.9)."""

    NAME: ClassVar[bytes] = b"QFid"

    def pack(self) -> bytes:
        """The data: none."""
        return b""

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        if len(data):
            raise MalformedMessage("QueryOnDiskIdRequest", "size", len(data))
        return cls()


@dataclass(frozen=True, slots=True)
class QueryOnDiskIdResponse(Structure):
    """[MS-SMB2] 2.2.14.2.9."""

    NAME: ClassVar[bytes] = b"QFid"
    _LAYOUT: ClassVar[Struct] = Struct("<QQ16x")

    disk_file_id: int
    volume_id: int


@dataclass(frozen=True, slots=True)
class LeaseV1(Structure):
    """[MS-SMB2] 2.2.13.2.8 and 2.2.14.2.10, which look the same."""

    NAME: ClassVar[bytes] = b"RqLs"
    _LAYOUT: ClassVar[Struct] = Struct("<16sLL8x")

    lease_key: bytes
    lease_state: int
    lease_flags: int = 0


@dataclass(frozen=True, slots=True)
class LeaseV2(Structure):
    """[MS-SMB2] 2.2.13.2.10 and 2.2.14.2.11, which look the same."""

    NAME: ClassVar[bytes] = b"RqLs"
    _LAYOUT: ClassVar[Struct] = Struct("<16sLL8x16sH2x")
    PARENT_KEY_SET: ClassVar[int] = 4

    lease_key: bytes
    lease_state: int
    lease_flags: int = 0
    parent_lease_key: bytes = _EMPTY_LEASE_KEY
    epoch: int = 0


def unpack_lease(data: memoryview) -> LeaseV1 | LeaseV2:
    """A server's lease, of either version: the size tells. Raises MalformedMessage."""
    return LeaseV2.unpack(data) if len(data) >= 52 else LeaseV1.unpack(data)


@dataclass(frozen=True, slots=True)
class AppInstanceId(Structure):
    """[MS-SMB2] 2.2.13.2.13."""

    NAME: ClassVar[bytes] = bytes.fromhex("45bca66aefa7f74a9008fa462e144d74")
    _LAYOUT: ClassVar[Struct] = Struct("<HH16s")

    structure_size: int = field(default=20, init=False)
    reserved: int = field(default=0, init=False)
    app_instance_id: bytes = bytes(16)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        size, _, instance = whole(data, cls._LAYOUT, cls.__name__)
        if size != 20:
            raise MalformedMessage(cls.__name__, "StructureSize", size)
        return cls(instance)


@dataclass(frozen=True, slots=True)
class AppInstanceVersion(Structure):
    """[MS-SMB2] 2.2.13.2.15."""

    NAME: ClassVar[bytes] = bytes.fromhex("b982d0b73b56074fa07b524a8116a010")
    _LAYOUT: ClassVar[Struct] = Struct("<HHLQQ")

    structure_size: int = field(default=24, init=False)
    reserved: int = field(default=0, init=False)
    padding: int = field(default=0, init=False)
    high: int = 0
    low: int = 0

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        size, _, _, high, low = whole(data, cls._LAYOUT, cls.__name__)
        if size != 24:
            raise MalformedMessage(cls.__name__, "StructureSize", size)
        return cls(high, low)


@dataclass(frozen=True, slots=True)
class PosixCreateRequest(Structure):
    """SMB3 POSIX extensions: open with POSIX semantics, and the mode of a new file."""

    NAME: ClassVar[bytes] = bytes.fromhex("93ad25509cb411e7b42383de968bcd7c")
    _LAYOUT: ClassVar[Struct] = Struct("<L")

    mode: int


@dataclass(frozen=True, slots=True)
class PosixCreateResponse:
    """SMB3 POSIX extensions: what was opened. SIDs stay bytes."""

    NAME: ClassVar[bytes] = PosixCreateRequest.NAME

    number_of_links: int
    reparse_tag: int
    mode: int
    sids: bytes = b""  # owner, then group

    def pack(self) -> bytes:
        """The data."""
        return _POSIX_RESPONSE.pack(self.number_of_links, self.reparse_tag, self.mode) + self.sids

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        links, tag, mode = whole(data, _POSIX_RESPONSE, "PosixCreateResponse")
        return cls(links, tag, mode, bytes(data[_POSIX_RESPONSE.size :]))
