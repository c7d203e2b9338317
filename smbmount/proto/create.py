"""SMB2 CREATE: request [MS-SMB2] 2.2.13, response 2.2.14. Contexts: create_contexts.py."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag
from struct import Struct
from typing import ClassVar, NamedTuple, Protocol, Self

from .errors import MalformedMessage
from .header import HEADER_SIZE, Command
from .layout import fixed_part, named_buffer, padding, text, utf16

_REQUEST = Struct("<HBBLQQLLLLLHHLL")
_RESPONSE = Struct("<HBBLQQQQQQLLQQLL")
_CONTEXT = Struct("<LHHHHL")
_MOST_CONTEXTS = 64
_ALL_ONES = 0xFFFF_FFFF_FFFF_FFFF


class FileId(NamedTuple):
    """SMB2_FILEID ([MS-SMB2] 2.2.14.1)."""

    persistent: int
    volatile: int


# "The file that this compound opened", or, for an FSCTL of the share itself, no file at all.
RELATED = FileId(_ALL_ONES, _ALL_ONES)


class AccessMask(IntFlag):
    """Access to files and pipes ([MS-SMB2] 2.2.13.1.1); for directories see 2.2.13.1.2."""

    READ_DATA = 0x0000_0001
    WRITE_DATA = 0x0000_0002
    APPEND_DATA = 0x0000_0004
    READ_EA = 0x0000_0008
    WRITE_EA = 0x0000_0010
    EXECUTE = 0x0000_0020
    DELETE_CHILD = 0x0000_0040
    READ_ATTRIBUTES = 0x0000_0080
    WRITE_ATTRIBUTES = 0x0000_0100
    DELETE = 0x0001_0000
    READ_CONTROL = 0x0002_0000
    WRITE_DAC = 0x0004_0000
    WRITE_OWNER = 0x0008_0000
    SYNCHRONIZE = 0x0010_0000
    ACCESS_SYSTEM_SECURITY = 0x0100_0000
    MAXIMUM_ALLOWED = 0x0200_0000
    GENERIC_ALL = 0x1000_0000
    GENERIC_EXECUTE = 0x2000_0000
    GENERIC_WRITE = 0x4000_0000
    GENERIC_READ = 0x8000_0000


class FileAttributes(IntFlag):
    """[MS-FSCC] 2.6."""

    READONLY = 0x0000_0001
    HIDDEN = 0x0000_0002
    SYSTEM = 0x0000_0004
    DIRECTORY = 0x0000_0010
    ARCHIVE = 0x0000_0020
    NORMAL = 0x0000_0080
    TEMPORARY = 0x0000_0100
    SPARSE_FILE = 0x0000_0200
    REPARSE_POINT = 0x0000_0400
    COMPRESSED = 0x0000_0800
    OFFLINE = 0x0000_1000
    NOT_CONTENT_INDEXED = 0x0000_2000
    ENCRYPTED = 0x0000_4000
    INTEGRITY_STREAM = 0x0000_8000
    NO_SCRUB_DATA = 0x0002_0000
    RECALL_ON_OPEN = 0x0004_0000
    PINNED = 0x0008_0000
    UNPINNED = 0x0010_0000
    RECALL_ON_DATA_ACCESS = 0x0040_0000


class ShareAccess(IntFlag):
    """What others may do meanwhile ([MS-SMB2] 2.2.13)."""

    READ = 1
    WRITE = 2
    DELETE = 4


class CreateDisposition(IntEnum):
    """What to do if the file is there, or is not ([MS-SMB2] 2.2.13)."""

    SUPERSEDE = 0
    OPEN = 1
    CREATE = 2
    OPEN_IF = 3
    OVERWRITE = 4
    OVERWRITE_IF = 5


class CreateOptions(IntFlag):
    """[MS-SMB2] 2.2.13."""

    DIRECTORY_FILE = 0x0000_0001
    WRITE_THROUGH = 0x0000_0002
    SEQUENTIAL_ONLY = 0x0000_0004
    NO_INTERMEDIATE_BUFFERING = 0x0000_0008
    NON_DIRECTORY_FILE = 0x0000_0040
    COMPLETE_IF_OPLOCKED = 0x0000_0100
    NO_EA_KNOWLEDGE = 0x0000_0200
    RANDOM_ACCESS = 0x0000_0800
    DELETE_ON_CLOSE = 0x0000_1000
    OPEN_BY_FILE_ID = 0x0000_2000
    OPEN_FOR_BACKUP_INTENT = 0x0000_4000
    NO_COMPRESSION = 0x0000_8000
    OPEN_REPARSE_POINT = 0x0020_0000
    OPEN_NO_RECALL = 0x0040_0000


class OplockLevel(IntEnum):
    """[MS-SMB2] 2.2.13."""

    NONE = 0x00
    LEVEL_II = 0x01
    EXCLUSIVE = 0x08
    BATCH = 0x09
    LEASE = 0xFF


class ImpersonationLevel(IntEnum):
    """[MS-SMB2] 2.2.13."""

    ANONYMOUS = 0
    IDENTIFICATION = 1
    IMPERSONATION = 2
    DELEGATE = 3


class CreateAction(IntEnum):
    """What was done ([MS-SMB2] 2.2.14)."""

    FILE_SUPERSEDED = 0
    FILE_OPENED = 1
    FILE_CREATED = 2
    FILE_OVERWRITTEN = 3


class CreateContext(Protocol):
    """One create context: its name on the wire, and its data."""

    @property
    def NAME(self) -> bytes:
        """Four bytes, or sixteen."""

    def pack(self) -> bytes:
        """The data."""


_SHARE_ALL = ShareAccess.READ | ShareAccess.WRITE | ShareAccess.DELETE


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """Open or create `name`, a path with backslashes and none at its start."""

    COMMAND: ClassVar[Command] = Command.CREATE
    payload_size: ClassVar[int] = 0

    name: str
    desired_access: int
    create_disposition: int
    file_attributes: int = 0
    share_access: int = _SHARE_ALL
    create_options: int = 0
    oplock_level: int = OplockLevel.NONE
    impersonation_level: int = ImpersonationLevel.IMPERSONATION
    contexts: tuple[CreateContext, ...] = ()

    def pack(self) -> bytes:
        """The body. An empty name still takes two bytes: the buffer may not be empty."""
        name = utf16(self.name)
        at = HEADER_SIZE + _REQUEST.size
        buffer = name
        contexts = b""
        contexts_at = 0
        if self.contexts:
            buffer += bytes(padding(len(name), 8))
            contexts_at = at + len(buffer)
            contexts = pack_contexts([(c.NAME, c.pack()) for c in self.contexts])
        fixed = _REQUEST.pack(
            57, 0, self.oplock_level, self.impersonation_level, 0, 0, self.desired_access,
            self.file_attributes, self.share_access, self.create_disposition,
            self.create_options, at, len(name), contexts_at, len(contexts),
        )  # fmt: skip
        return fixed + (buffer or (b"" if contexts else bytes(2))) + contexts

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message; contexts stay raw. Raises MalformedMessage."""
        (
            _, oplock, impersonation, _, _, access, attributes, share, disposition, options,
            name_at, name_length, contexts_at, contexts_length,
        ) = fixed_part(message, _REQUEST, "CREATE", 57)  # fmt: skip
        behind = HEADER_SIZE + _REQUEST.size
        name = named_buffer(message, "CREATE", "Name", name_at, name_length, behind=behind)
        raw = named_buffer(
            message, "CREATE", "CreateContexts", contexts_at, contexts_length, behind=behind
        )
        contexts = tuple(RawContext(n, bytes(d)) for n, d in unpack_contexts(raw))
        return cls(
            text(name, "CREATE", "Name"), access, disposition, attributes, share, options,
            oplock, impersonation, contexts,
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class CreateResponse:
    """What was opened. Times are FILETIME, sizes bytes; context data are views."""

    oplock_level: int
    flags: int
    create_action: int
    creation_time: int
    last_access_time: int
    last_write_time: int
    change_time: int
    allocation_size: int
    end_of_file: int
    file_attributes: int
    file_id: FileId
    contexts: tuple[tuple[bytes, memoryview], ...] = ()

    def pack(self) -> bytes:
        """The body."""
        at = HEADER_SIZE + _RESPONSE.size
        contexts = pack_contexts(self.contexts)
        fixed = _RESPONSE.pack(
            89, self.oplock_level, self.flags, self.create_action, self.creation_time,
            self.last_access_time, self.last_write_time, self.change_time, self.allocation_size,
            self.end_of_file, self.file_attributes, 0, *self.file_id, at if contexts else 0,
            len(contexts),
        )  # fmt: skip
        return fixed + contexts

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message. Raises MalformedMessage."""
        (
            oplock, flags, action, created, accessed, written, changed, allocated, size,
            attributes, _, persistent, volatile, at, length,
        ) = fixed_part(message, _RESPONSE, "CREATE", 89)  # fmt: skip
        if size > 0x7FFF_FFFF_FFFF_FFFF:
            raise MalformedMessage("CREATE", "EndofFile", size)
        behind = HEADER_SIZE + _RESPONSE.size
        raw = named_buffer(message, "CREATE", "CreateContexts", at, length, behind=behind)
        return cls(
            oplock, flags, action, created, accessed, written, changed, allocated, size,
            attributes, FileId(persistent, volatile), unpack_contexts(raw),
        )  # fmt: skip

    def context(self, name: bytes) -> memoryview | None:
        """The data of a context the server answered, or None."""
        return next((data for found, data in self.contexts if found == name), None)


@dataclass(frozen=True, slots=True)
class RawContext:
    """A context as bytes."""

    NAME: bytes
    data: bytes = field(repr=False)

    def pack(self) -> bytes:
        """The data."""
        return self.data


def pack_contexts(contexts: Sequence[tuple[bytes, bytes | memoryview]]) -> bytes:
    """SMB2_CREATE_CONTEXT list ([MS-SMB2] 2.2.13.2): each 8-byte aligned, data too."""
    packed = bytearray()
    for number, (name, data) in enumerate(contexts):
        start = _CONTEXT.size
        data_at = start + len(name) + padding(start + len(name), 8)
        length = data_at + len(data)
        last = number == len(contexts) - 1
        following = 0 if last else length + padding(length, 8)
        packed += _CONTEXT.pack(following, start, len(name), 0, data_at if data else 0, len(data))
        packed += name + bytes(data_at - start - len(name)) + data
        packed += bytes(0 if last else following - length)
    return bytes(packed)


def unpack_contexts(data: memoryview) -> tuple[tuple[bytes, memoryview], ...]:
    """Names and data of a context list. Raises MalformedMessage."""
    contexts: list[tuple[bytes, memoryview]] = []
    rest = data
    while rest:
        if len(rest) < _CONTEXT.size:
            raise MalformedMessage("CREATE_CONTEXT", "size", len(rest))
        following, name_at, name_length, _, data_at, length = _CONTEXT.unpack_from(rest)
        if name_at + name_length > len(rest):
            raise MalformedMessage("CREATE_CONTEXT", "NameLength", name_length)
        if length and data_at + length > len(rest):
            raise MalformedMessage("CREATE_CONTEXT", "DataLength", length)
        name = bytes(rest[name_at : name_at + name_length])
        contexts.append((name, rest[data_at : data_at + length] if length else rest[:0]))
        if not following:
            break
        if following % 8 or not _CONTEXT.size <= following <= len(rest):
            raise MalformedMessage("CREATE_CONTEXT", "Next", following)
        if len(contexts) >= _MOST_CONTEXTS:
            raise MalformedMessage("CREATE_CONTEXT", "count", len(contexts))
        rest = rest[following:]
    return tuple(contexts)
