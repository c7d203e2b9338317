"""The shares of a server: NetrShareEnum at level 1 ([MS-SRVS] 3.1.4.8), in NDR ([C706] 14)."""

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from uuid import UUID

from .dcerpc import Interface
from .errors import MalformedMessage
from .layout import utf16

SRVSVC = Interface(UUID("4b324fc8-1670-01d3-1278-5a47bf6ee188"), 3)
SHARE_ENUM = 15  # the operation's number
_MOST_SHARES = 10_000
_MOST_LETTERS = 64 * 1024
_NAME = "NetrShareEnum"
_LONG = Struct("<L")
_ENTRY = Struct("<LLL")
_ARRAY = Struct("<LLL")


class ShareKind(IntEnum):
    """The lowest bits of a share's type ([MS-SRVS] 2.2.2.4)."""

    DISK = 0
    PRINTER = 1
    DEVICE = 2
    IPC = 3


_SPECIAL = 0x8000_0000


@dataclass(frozen=True, slots=True)
class ServerShare:
    """One share: its name, its type, and what its administrator says of it."""

    name: str
    kind: int
    remark: str

    @property
    def for_people(self) -> bool:
        """True if it holds files and is not hidden."""
        is_disk = self.kind & 0xFFFF == ShareKind.DISK and not self.kind & _SPECIAL
        return is_disk and not self.name.endswith("$")


def share_enum(server: str) -> bytes:
    """The input: all shares at level 1, as long an answer as the server likes."""
    name = utf16(server + "\0")
    letters = len(name) // 2
    packed = _LONG.pack(0x20000) + _ARRAY.pack(letters, 0, letters) + name
    packed += bytes(-len(packed) % 4)
    # Level, the union's choice, the container (count, no array), wished length, no handle.
    container = _LONG.pack(1) + _LONG.pack(1) + _LONG.pack(0x20004) + _LONG.pack(0) + _LONG.pack(0)
    return packed + container + _LONG.pack(0xFFFF_FFFF) + _LONG.pack(0)


def shares(stub: memoryview) -> tuple[ServerShare, ...]:
    """The output. Raises MalformedMessage, and PermissionError if the server says no."""
    reader = _Reader(stub)
    if reader.long("Level") != 1 or reader.long("switch") != 1:
        raise MalformedMessage(_NAME, "Level", 0)
    found: tuple[ServerShare, ...] = ()
    if reader.long("container"):
        found = _container(reader)
    # TotalEntries, and the resume handle: a pointer, and its value if it is not null.
    reader.long("TotalEntries")
    if reader.long("ResumeHandle"):
        reader.long("ResumeHandle")
    if status := reader.long("status"):
        raise PermissionError(f"{_NAME} failed with {status}")
    return found


def _container(reader: "_Reader") -> tuple[ServerShare, ...]:
    count = reader.long("EntriesRead")
    if not reader.long("Buffer"):
        return ()
    if reader.long("max_count") != count or count > _MOST_SHARES:
        raise MalformedMessage(_NAME, "EntriesRead", count)
    entries = [
        (reader.long("netname"), reader.long("type"), reader.long("remark")) for _ in range(count)
    ]
    found = []
    for name, kind, remark in entries:
        found.append(
            ServerShare(
                reader.string("netname") if name else "",
                kind,
                reader.string("remark") if remark else "",
            )
        )
    return tuple(found)


class _Reader:
    """Reads NDR from the front, each read checked against what is left."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def _take(self, size: int, field: str) -> memoryview:
        if self._at + size > len(self._data):
            raise MalformedMessage(_NAME, field, size)
        part = self._data[self._at : self._at + size]
        self._at += size
        return part

    def long(self, field: str) -> int:
        """An aligned number of 32 bits."""
        self._take(-self._at % 4, field)
        return int.from_bytes(self._take(4, field), "little")

    def string(self, field: str) -> str:
        """A conformant varying string, its zero at the end left out."""
        most, start, count = (self.long(field) for _ in range(3))
        if start or count > most or count > _MOST_LETTERS:
            raise MalformedMessage(_NAME, field, count)
        return str(self._take(2 * count, field), "utf-16-le", "surrogatepass").rstrip("\0")
