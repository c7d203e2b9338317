"""The SMB2 header, synchronous and asynchronous ([MS-SMB2] 2.2.1)."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Self

from .errors import MalformedMessage

HEADER_SIZE = 64
PROTOCOL_ID = b"\xfeSMB"
NEXT_COMMAND_AT = 20  # offsets of fields that are filled in after packing
SIGNATURE_AT = 48
FLAGS_AT = 16
MESSAGE_ID_AT = 24

_SYNC = Struct("<4sHHLHHLLQLLQ16s")
_ASYNC = Struct("<4sHHLHHLLQQQ16s")


class Command(IntEnum):
    """Commands ([MS-SMB2] 2.2.1.2)."""

    NEGOTIATE = 0
    SESSION_SETUP = 1
    LOGOFF = 2
    TREE_CONNECT = 3
    TREE_DISCONNECT = 4
    CREATE = 5
    CLOSE = 6
    FLUSH = 7
    READ = 8
    WRITE = 9
    LOCK = 10
    IOCTL = 11
    CANCEL = 12
    ECHO = 13
    QUERY_DIRECTORY = 14
    CHANGE_NOTIFY = 15
    QUERY_INFO = 16
    SET_INFO = 17
    OPLOCK_BREAK = 18
    SERVER_TO_CLIENT_NOTIFICATION = 19


class HeaderFlags(IntFlag):
    """Flags ([MS-SMB2] 2.2.1.2)."""

    SERVER_TO_REDIR = 0x0000_0001
    ASYNC_COMMAND = 0x0000_0002
    RELATED_OPERATIONS = 0x0000_0004
    SIGNED = 0x0000_0008
    PRIORITY_MASK = 0x0000_0070
    DFS_OPERATIONS = 0x1000_0000
    REPLAY_OPERATION = 0x2000_0000


_ASYNC_COMMAND = int(HeaderFlags.ASYNC_COMMAND)  # plain, for the hot path


@dataclass(frozen=True, slots=True)
class Header:
    """One header. `status` is ChannelSequence in requests of SMB 3.

    `async_id` stands in the place of `process_id` and `tree_id` if ASYNC_COMMAND is set.
    """

    command: int
    message_id: int = 0
    session_id: int = 0
    tree_id: int = 0
    flags: int = 0
    status: int = 0
    credit_charge: int = 0
    credits: int = 0
    next_command: int = 0
    async_id: int = 0
    process_id: int = 0xFEFF
    signature: bytes = bytes(16)

    def pack(self) -> bytes:
        """64 bytes."""
        start = (
            PROTOCOL_ID,
            HEADER_SIZE,
            self.credit_charge,
            self.status,
            self.command,
            self.credits,
            self.flags,
            self.next_command,
            self.message_id,
        )
        if self.flags & _ASYNC_COMMAND:
            return _ASYNC.pack(*start, self.async_id, self.session_id, self.signature)
        return _SYNC.pack(*start, self.process_id, self.tree_id, self.session_id, self.signature)

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse the header of `message`. Raises MalformedMessage."""
        if len(message) < HEADER_SIZE:
            raise MalformedMessage("header", "size", len(message))
        (
            protocol, size, charge, status, command, credits, flags, following, message_id,
            process_id, tree_id, session_id, signature,
        ) = _SYNC.unpack_from(message)  # fmt: skip
        if protocol != PROTOCOL_ID:
            raise MalformedMessage("header", "ProtocolId", protocol)
        if size != HEADER_SIZE:
            raise MalformedMessage("header", "StructureSize", size)
        async_id = 0
        if flags & _ASYNC_COMMAND:
            async_id, process_id, tree_id = process_id | tree_id << 32, 0xFEFF, 0
        return cls(
            command, message_id, session_id, tree_id, flags, status, charge, credits, following,
            async_id, process_id, signature,
        )  # fmt: skip
