"""Security descriptors ([MS-DTYP] 2.4): SIDs, access control entries and lists."""

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from struct import Struct
from typing import Self

from .errors import MalformedMessage
from .layout import whole

_SID = Struct("<BB6s")
_ACE = Struct("<BBHL")
_ACL = Struct("<BxHHxx")
_DESCRIPTOR = Struct("<BBHLLLL")
_MOST_SUBAUTHORITIES = 15
_SELF_RELATIVE = 0x8000
_DACL_PRESENT, _SACL_PRESENT = 0x0004, 0x0010


@dataclass(frozen=True, slots=True)
class Sid:
    """A security identifier ([MS-DTYP] 2.4.2)."""

    authority: int
    subauthorities: tuple[int, ...]
    revision: int = 1

    def __str__(self) -> str:
        """S-1-5-32-544 and the like."""
        numbers = (self.authority, *self.subauthorities)
        return "-".join(("S", str(self.revision), *map(str, numbers)))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The SID of a string. Raises ValueError."""
        letter, revision, authority, *rest = text.split("-")
        numbers = tuple(int(part) for part in rest)
        fits = all(0 <= number < 1 << 32 for number in numbers)
        if letter.upper() != "S" or not fits or len(numbers) > _MOST_SUBAUTHORITIES:
            raise ValueError(f"{text!r} is not a SID")
        return cls(int(authority), numbers, int(revision))

    def pack(self) -> bytes:
        """The structure's bytes."""
        head = _SID.pack(self.revision, len(self.subauthorities), self.authority.to_bytes(6, "big"))
        return head + b"".join(part.to_bytes(4, "little") for part in self.subauthorities)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        revision, count, authority = whole(data, _SID, "SID")
        if count > _MOST_SUBAUTHORITIES or _SID.size + 4 * count > len(data):
            raise MalformedMessage("SID", "SubAuthorityCount", count)
        parts = tuple(
            int.from_bytes(data[at : at + 4], "little")
            for at in range(_SID.size, _SID.size + 4 * count, 4)
        )
        return cls(int.from_bytes(authority, "big"), parts, revision)

    @property
    def size(self) -> int:
        """Bytes of its packed form."""
        return _SID.size + 4 * len(self.subauthorities)


class AceType(IntEnum):
    """[MS-DTYP] 2.4.4.1, those whose layout is mask and SID."""

    ACCESS_ALLOWED = 0
    ACCESS_DENIED = 1
    SYSTEM_AUDIT = 2
    SYSTEM_ALARM = 3
    SYSTEM_MANDATORY_LABEL = 0x11
    SYSTEM_SCOPED_POLICY_ID = 0x13


class AceFlags(IntFlag):
    """[MS-DTYP] 2.4.4.1."""

    OBJECT_INHERIT = 0x01
    CONTAINER_INHERIT = 0x02
    NO_PROPAGATE_INHERIT = 0x04
    INHERIT_ONLY = 0x08
    INHERITED = 0x10
    SUCCESSFUL_ACCESS = 0x40
    FAILED_ACCESS = 0x80


_PLAIN = frozenset(int(kind) for kind in AceType)


@dataclass(frozen=True, slots=True)
class Ace:
    """An access control entry. Of kinds with more fields than mask and SID, `rest` has the bytes
    behind the mask and `sid` is None."""

    kind: int
    flags: int
    mask: int
    sid: Sid | None
    rest: bytes = b""

    def pack(self) -> bytes:
        """The structure's bytes, a multiple of four."""
        body = (self.sid.pack() if self.sid is not None else b"") + self.rest
        body += bytes(-len(body) % 4)
        return _ACE.pack(self.kind, self.flags, _ACE.size + len(body), self.mask) + body

    @classmethod
    def unpack(cls, data: memoryview) -> tuple[Self, int]:
        """The entry at the start of `data`, and its size. Raises MalformedMessage."""
        kind, flags, size, mask = whole(data, _ACE, "ACE")
        if not _ACE.size <= size <= len(data):
            raise MalformedMessage("ACE", "AceSize", size)
        body = data[_ACE.size : size]
        if kind not in _PLAIN:
            return cls(kind, flags, mask, None, bytes(body)), size
        sid = Sid.unpack(body)
        return cls(kind, flags, mask, sid, bytes(body[sid.size :])), size


@dataclass(frozen=True, slots=True)
class Acl:
    """An access control list ([MS-DTYP] 2.4.5)."""

    entries: tuple[Ace, ...]
    revision: int = 2

    def pack(self) -> bytes:
        """The structure's bytes."""
        packed = b"".join(entry.pack() for entry in self.entries)
        return _ACL.pack(self.revision, _ACL.size + len(packed), len(self.entries)) + packed

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse the start of `data`. Raises MalformedMessage."""
        revision, size, count = whole(data, _ACL, "ACL")
        if not _ACL.size <= size <= len(data):
            raise MalformedMessage("ACL", "AclSize", size)
        rest = data[_ACL.size : size]
        if count * _ACE.size > len(rest):
            raise MalformedMessage("ACL", "AceCount", count)
        entries = []
        for _ in range(count):
            entry, length = Ace.unpack(rest)
            entries.append(entry)
            rest = rest[length:]
        return cls(tuple(entries), revision)


@dataclass(frozen=True, slots=True)
class SecurityDescriptor:
    """[MS-DTYP] 2.4.6, self-relative. What is None is absent."""

    owner: Sid | None = None
    group: Sid | None = None
    sacl: Acl | None = None
    dacl: Acl | None = None
    control: int = _SELF_RELATIVE

    def pack(self) -> bytes:
        """The structure's bytes."""
        body = b""
        offsets = []
        for part in (self.owner, self.group, self.sacl, self.dacl):
            offsets.append(_DESCRIPTOR.size + len(body) if part is not None else 0)
            body += part.pack() if part is not None else b""
        control = self.control | _SELF_RELATIVE
        control |= _SACL_PRESENT if self.sacl is not None else 0
        control |= _DACL_PRESENT if self.dacl is not None else 0
        return _DESCRIPTOR.pack(1, 0, control, *offsets) + body

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse all of `data`. Raises MalformedMessage."""
        name = "SECURITY_DESCRIPTOR"
        revision, _, control, owner, group, sacl, dacl = whole(data, _DESCRIPTOR, name)
        if revision != 1:
            raise MalformedMessage(name, "Revision", revision)
        for field, at in (
            ("OffsetOwner", owner), ("OffsetGroup", group), ("OffsetSacl", sacl),
            ("OffsetDacl", dacl),
        ):  # fmt: skip
            if at and not _DESCRIPTOR.size <= at <= len(data):
                raise MalformedMessage(name, field, at)
        return cls(
            Sid.unpack(data[owner:]) if owner else None,
            Sid.unpack(data[group:]) if group else None,
            Acl.unpack(data[sacl:]) if sacl and control & _SACL_PRESENT else None,
            Acl.unpack(data[dacl:]) if dacl and control & _DACL_PRESENT else None,
            control,
        )
