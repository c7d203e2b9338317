"""SMB2 OPLOCK_BREAK, for oplocks and leases.

Notifications [MS-SMB2] 2.2.23, acknowledgements 2.2.24, responses 2.2.25.
"""

from dataclasses import dataclass
from enum import IntFlag
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .errors import MalformedMessage
from .header import HEADER_SIZE, Command
from .layout import fixed_part

_OPLOCK = Struct("<HBBLQQ")
_LEASE_BREAK = Struct("<HHL16sLLLLL")
_LEASE = Struct("<HHL16sLQ")


class LeaseState(IntFlag):
    """[MS-SMB2] 2.2.13.2.8."""

    READ_CACHING = 1
    HANDLE_CACHING = 2
    WRITE_CACHING = 4


class LeaseFlags(IntFlag):
    """Flags of a break notification ([MS-SMB2] 2.2.23.2)."""

    ACK_REQUIRED = 1


class _Oplock:
    """The one layout of notification, acknowledgement and response of an oplock."""

    __slots__ = ()

    @classmethod
    def _fields(cls, message: memoryview) -> tuple[FileId, int]:
        level, _, _, persistent, volatile = fixed_part(message, _OPLOCK, "OPLOCK_BREAK", 24)
        return FileId(persistent, volatile), level


@dataclass(frozen=True, slots=True)
class OplockBreakNotification(_Oplock):
    """The server takes an oplock back, down to `oplock_level`."""

    file_id: FileId
    oplock_level: int

    def pack(self) -> bytes:
        """The body."""
        return _OPLOCK.pack(24, self.oplock_level, 0, 0, *self.file_id)

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        return cls(*cls._fields(message))


@dataclass(frozen=True, slots=True)
class OplockBreakAcknowledgement(OplockBreakNotification):
    """What the client keeps."""

    COMMAND: ClassVar[Command] = Command.OPLOCK_BREAK
    payload_size: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class OplockBreakResponse(OplockBreakNotification):
    """The server's last word on an oplock."""


@dataclass(frozen=True, slots=True)
class LeaseBreakNotification:
    """The server takes caching rights of a lease back."""

    new_epoch: int
    flags: int
    lease_key: bytes
    current_lease_state: int
    new_lease_state: int

    def pack(self) -> bytes:
        """The body."""
        return _LEASE_BREAK.pack(
            44, self.new_epoch, self.flags, self.lease_key, self.current_lease_state,
            self.new_lease_state, 0, 0, 0,
        )  # fmt: skip

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        epoch, flags, key, current, new, *_ = fixed_part(message, _LEASE_BREAK, "LEASE_BREAK", 44)
        return cls(epoch, flags, key, current, new)


@dataclass(frozen=True, slots=True)
class LeaseBreakAcknowledgement:
    """What the client keeps of a lease."""

    COMMAND: ClassVar[Command] = Command.OPLOCK_BREAK
    payload_size: ClassVar[int] = 0

    lease_key: bytes
    lease_state: int
    flags: int = 0

    def pack(self) -> bytes:
        """The body."""
        return _LEASE.pack(36, 0, self.flags, self.lease_key, self.lease_state, 0)

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        _, flags, key, state, _ = fixed_part(message, _LEASE, "LEASE_BREAK", 36)
        return cls(key, state, flags)


@dataclass(frozen=True, slots=True)
class LeaseBreakResponse(LeaseBreakAcknowledgement):
    """The server's last word on a lease."""


def unpack_notification(message: memoryview) -> OplockBreakNotification | LeaseBreakNotification:
    """Which of the two it is, StructureSize tells. Raises MalformedMessage."""
    if len(message) < HEADER_SIZE + 2:
        raise MalformedMessage("OPLOCK_BREAK", "size", len(message))
    if int.from_bytes(message[HEADER_SIZE : HEADER_SIZE + 2], "little") == 44:
        return LeaseBreakNotification.unpack(message)
    return OplockBreakNotification.unpack(message)
