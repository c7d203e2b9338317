"""SMB2 LOCK: request [MS-SMB2] 2.2.26, response 2.2.27."""

from dataclasses import dataclass
from enum import IntFlag
from struct import Struct
from typing import ClassVar, Self

from .create import FileId
from .errors import MalformedMessage
from .header import HEADER_SIZE, Command
from .layout import EmptyBody, fixed_part

_REQUEST = Struct("<HHLQQ")
_ELEMENT = Struct("<QQL4x")
_MOST_ELEMENTS = 4096


class LockFlags(IntFlag):
    """[MS-SMB2] 2.2.26.1."""

    SHARED = 1
    EXCLUSIVE = 2
    UNLOCK = 4
    FAIL_IMMEDIATELY = 0x10


@dataclass(frozen=True, slots=True)
class LockElement:
    """One range, in bytes, to lock or unlock."""

    offset: int
    length: int
    flags: int


@dataclass(frozen=True, slots=True)
class LockRequest:
    """Lock ranges, or unlock them, never both in one request.

    `lock_sequence` is bucket number and sequence number in one (3.2.4.19).
    """

    COMMAND: ClassVar[Command] = Command.LOCK
    payload_size: ClassVar[int] = 0

    file_id: FileId
    locks: tuple[LockElement, ...]
    lock_sequence: int = 0

    def pack(self) -> bytes:
        """The body."""
        fixed = _REQUEST.pack(48, len(self.locks), self.lock_sequence, *self.file_id)
        return fixed + b"".join(
            _ELEMENT.pack(lock.offset, lock.length, lock.flags) for lock in self.locks
        )

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        count, sequence, persistent, volatile = fixed_part(message, _REQUEST, "LOCK", 48)
        at = HEADER_SIZE + _REQUEST.size
        if count > _MOST_ELEMENTS or at + count * _ELEMENT.size > len(message):
            raise MalformedMessage("LOCK", "LockCount", count)
        found = _ELEMENT.iter_unpack(message[at : at + count * _ELEMENT.size])
        locks = tuple(LockElement(*fields) for fields in found)
        return cls(FileId(persistent, volatile), locks, sequence)


@dataclass(frozen=True, slots=True)
class LockResponse(EmptyBody):
    """It is locked, or unlocked."""
