"""SMB2 TREE_CONNECT: request [MS-SMB2] 2.2.9, response 2.2.10. TREE_DISCONNECT: 2.2.11, 2.2.12."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import ClassVar, Self

from .header import HEADER_SIZE, Command
from .layout import EmptyBody, fixed_part, named_buffer, text, utf16

_REQUEST = Struct("<HHHH")
_RESPONSE = Struct("<HBBLLL")


class ShareType(IntEnum):
    """ShareType ([MS-SMB2] 2.2.10)."""

    DISK = 1
    PIPE = 2
    PRINT = 3


class ShareFlags(IntFlag):
    """ShareFlags ([MS-SMB2] 2.2.10); caching is a field of two bits (0x30)."""

    DFS = 0x0000_0001
    DFS_ROOT = 0x0000_0002
    RESTRICT_EXCLUSIVE_OPENS = 0x0000_0100
    FORCE_SHARED_DELETE = 0x0000_0200
    ALLOW_NAMESPACE_CACHING = 0x0000_0400
    ACCESS_BASED_DIRECTORY_ENUM = 0x0000_0800
    FORCE_LEVELII_OPLOCK = 0x0000_1000
    ENABLE_HASH_V1 = 0x0000_2000
    ENABLE_HASH_V2 = 0x0000_4000
    ENCRYPT_DATA = 0x0000_8000
    IDENTITY_REMOTING = 0x0004_0000
    COMPRESS_DATA = 0x0010_0000
    ISOLATED_TRANSPORT = 0x0020_0000


class ShareCapabilities(IntFlag):
    """Capabilities ([MS-SMB2] 2.2.10)."""

    DFS = 0x08
    CONTINUOUS_AVAILABILITY = 0x10
    SCALEOUT = 0x20
    CLUSTER = 0x40
    ASYMMETRIC = 0x80
    REDIRECT_TO_OWNER = 0x100


@dataclass(frozen=True, slots=True)
class TreeConnectRequest:
    r"""`path` is \\server\share."""

    COMMAND: ClassVar[Command] = Command.TREE_CONNECT
    payload_size: ClassVar[int] = 0

    path: str
    flags: int = 0

    def pack(self) -> bytes:
        """The body."""
        path = utf16(self.path)
        return _REQUEST.pack(9, self.flags, HEADER_SIZE + _REQUEST.size, len(path)) + path

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        flags, at, length = fixed_part(message, _REQUEST, "TREE_CONNECT", 9)
        behind = HEADER_SIZE + _REQUEST.size
        path = named_buffer(message, "TREE_CONNECT", "Path", at, length, behind=behind)
        return cls(text(path, "TREE_CONNECT", "Path"), flags)


@dataclass(frozen=True, slots=True)
class TreeConnectResponse:
    """[MS-SMB2] 2.2.10."""

    share_type: int
    share_flags: ShareFlags
    capabilities: ShareCapabilities
    maximal_access: int

    def pack(self) -> bytes:
        """The body."""
        return _RESPONSE.pack(
            16, self.share_type, 0, self.share_flags, self.capabilities, self.maximal_access
        )

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        kind, _, flags, capabilities, access = fixed_part(message, _RESPONSE, "TREE_CONNECT", 16)
        return cls(kind, ShareFlags(flags), ShareCapabilities(capabilities), access)


@dataclass(frozen=True, slots=True)
class TreeDisconnectRequest(EmptyBody):
    """[MS-SMB2] 2.2.11."""

    COMMAND: ClassVar[Command] = Command.TREE_DISCONNECT
    payload_size: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class TreeDisconnectResponse(EmptyBody):
    """[MS-SMB2] 2.2.12."""
