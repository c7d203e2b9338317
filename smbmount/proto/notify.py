"""SMB2 CHANGE_NOTIFY: request [MS-SMB2] 2.2.35, response 2.2.36, entries [MS-FSCC] 2.7.1."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import ClassVar, Self

from . import chain
from .create import FileId
from .errors import MalformedMessage
from .header import HEADER_SIZE, Command
from .layout import fixed_part, named_buffer, text, utf16

_REQUEST = Struct("<HHLQQLL")
_RESPONSE = Struct("<HHL")
_ENTRY = Struct("<LLL")


class NotifyFlags(IntFlag):
    """[MS-SMB2] 2.2.35."""

    WATCH_TREE = 1


class CompletionFilter(IntFlag):
    """What to be told of ([MS-SMB2] 2.2.35)."""

    FILE_NAME = 0x001
    DIR_NAME = 0x002
    ATTRIBUTES = 0x004
    SIZE = 0x008
    LAST_WRITE = 0x010
    LAST_ACCESS = 0x020
    CREATION = 0x040
    EA = 0x080
    SECURITY = 0x100
    STREAM_NAME = 0x200
    STREAM_SIZE = 0x400
    STREAM_WRITE = 0x800


class NotifyAction(IntEnum):
    """What happened ([MS-FSCC] 2.7.1)."""

    ADDED = 1
    REMOVED = 2
    MODIFIED = 3
    RENAMED_OLD_NAME = 4
    RENAMED_NEW_NAME = 5
    ADDED_STREAM = 6
    REMOVED_STREAM = 7
    MODIFIED_STREAM = 8


@dataclass(frozen=True, slots=True)
class ChangeNotifyRequest:
    """Wait for changes in an open directory."""

    COMMAND: ClassVar[Command] = Command.CHANGE_NOTIFY

    file_id: FileId
    completion_filter: int
    flags: int = 0
    output_buffer_length: int = 64 * 1024

    @property
    def payload_size(self) -> int:
        """Bytes asked for."""
        return self.output_buffer_length

    def pack(self) -> bytes:
        """The body."""
        return _REQUEST.pack(
            32, self.flags, self.output_buffer_length, *self.file_id, self.completion_filter, 0
        )

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        flags, output, persistent, volatile, wanted, _ = fixed_part(
            message, _REQUEST, "CHANGE_NOTIFY", 32
        )
        return cls(FileId(persistent, volatile), wanted, flags, output)


@dataclass(frozen=True, slots=True)
class Change:
    """One change: what happened, and to which path, counted from the watched directory."""

    action: int
    file_name: str


@dataclass(frozen=True, slots=True)
class ChangeNotifyResponse:
    """Changes; none at all means that there were too many, or that the wait was ended."""

    changes: tuple[Change, ...]

    def pack(self) -> bytes:
        """The body."""
        entries = []
        for change in self.changes:
            name = utf16(change.file_name)
            entries.append(_ENTRY.pack(0, change.action, len(name))[4:] + name)
        data = chain.join(entries, 4)
        return _RESPONSE.pack(9, HEADER_SIZE + _RESPONSE.size, len(data)) + data

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        at, length = fixed_part(message, _RESPONSE, "CHANGE_NOTIFY", 9)
        behind = HEADER_SIZE + _RESPONSE.size
        data = named_buffer(message, "CHANGE_NOTIFY", "OutputBuffer", at, length, behind=behind)
        changes = []
        for part in chain.walk(data, _ENTRY.size, "FILE_NOTIFY_INFORMATION"):
            _, action, size = _ENTRY.unpack_from(part)
            if _ENTRY.size + size > len(part):
                raise MalformedMessage("FILE_NOTIFY_INFORMATION", "FileNameLength", size)
            name = part[_ENTRY.size : _ENTRY.size + size]
            changes.append(Change(action, text(name, "FILE_NOTIFY_INFORMATION", "FileName")))
        return cls(tuple(changes))
