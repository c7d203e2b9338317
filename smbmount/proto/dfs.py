"""DFS referrals: request [MS-DFSC] 2.2.2, 2.2.3, response 2.2.4 with entries 2.2.5."""

from dataclasses import dataclass
from enum import IntFlag
from struct import Struct
from typing import Self

from .errors import MalformedMessage
from .layout import text, utf16, whole

_REQUEST = Struct("<H")
_RESPONSE = Struct("<HHL")
_ENTRY = Struct("<HHHH")
_V2 = Struct("<LLHHH")
_V3 = Struct("<LHHH16s")
_V3_NAMES = Struct("<LHHH")  # TimeToLive, then SpecialName, count and expanded names
_NAME_LIST = 2  # ReferralEntryFlags: an answer about domains or controllers
_MOST = 1024


class ReferralHeaderFlags(IntFlag):
    """[MS-DFSC] 2.2.4."""

    REFERRAL_SERVERS = 1
    STORAGE_SERVERS = 2
    TARGET_FAILBACK = 4


@dataclass(frozen=True, slots=True)
class GetReferral:
    r"""Ask where \server\namespace\path is."""

    path: str
    max_level: int = 4

    def pack(self) -> bytes:
        """The input of FSCTL_DFS_GET_REFERRALS."""
        return _REQUEST.pack(self.max_level) + utf16(self.path) + b"\0\0"

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        [level] = whole(data, _REQUEST, "REQ_GET_DFS_REFERRAL")
        return cls(_string(data, _REQUEST.size, "RequestFileName"), level)


@dataclass(frozen=True, slots=True)
class Referral:
    """One target. `time_to_live` is seconds; `names` are set in name lists only."""

    version: int
    server_type: int
    flags: int
    time_to_live: int
    dfs_path: str = ""
    network_address: str = ""
    special_name: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Referrals:
    """The answer: how much of the path was resolved (bytes of UTF-16), and the targets."""

    path_consumed: int
    flags: ReferralHeaderFlags
    entries: tuple[Referral, ...]

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        consumed, count, flags = whole(data, _RESPONSE, "RESP_GET_DFS_REFERRAL")
        if count > _MOST:
            raise MalformedMessage("RESP_GET_DFS_REFERRAL", "NumberOfReferrals", count)
        entries = []
        rest = data[_RESPONSE.size :]
        for _ in range(count):
            version, size, kind, entry_flags = whole(rest, _ENTRY, "DFS_REFERRAL")
            if not _ENTRY.size <= size <= len(rest):
                raise MalformedMessage("DFS_REFERRAL", "Size", size)
            entries.append(_entry(rest, version, size, kind, entry_flags))
            rest = rest[size:]
        return cls(consumed, ReferralHeaderFlags(flags), tuple(entries))


def _entry(rest: memoryview, version: int, size: int, kind: int, flags: int) -> Referral:
    fixed = rest[_ENTRY.size : size]
    if version == 1:
        address = _string(rest[:size], _ENTRY.size, "ShareName")
        return Referral(1, kind, flags, 0, network_address=address)
    if version == 2:
        _, ttl, path_at, _, address_at = whole(fixed, _V2, "DFS_REFERRAL_V2")
        return Referral(
            2, kind, flags, ttl,
            _string(rest, path_at, "DFSPathOffset"),
            _string(rest, address_at, "NetworkAddressOffset"),
        )  # fmt: skip
    if version not in (3, 4):
        raise MalformedMessage("DFS_REFERRAL", "VersionNumber", version)
    if flags & _NAME_LIST:
        ttl, special_at, count, names_at = whole(fixed, _V3_NAMES, "DFS_REFERRAL_V3")
        if count > _MOST:
            raise MalformedMessage("DFS_REFERRAL_V3", "NumberOfExpandedNames", count)
        names = []
        for _ in range(count):
            name = _string(rest, names_at, "ExpandedNameOffset")
            names.append(name)
            names_at += len(utf16(name)) + 2
        special = _string(rest, special_at, "SpecialNameOffset")
        return Referral(version, kind, flags, ttl, special_name=special, names=tuple(names))
    ttl, path_at, _, address_at, _ = whole(fixed, _V3, "DFS_REFERRAL_V3")
    return Referral(
        version, kind, flags, ttl,
        _string(rest, path_at, "DFSPathOffset"),
        _string(rest, address_at, "NetworkAddressOffset"),
    )  # fmt: skip


def _string(data: memoryview, at: int, field: str) -> str:
    """A string that ends with a zero, inside `data`. Raises MalformedMessage."""
    if at > len(data):
        raise MalformedMessage("DFS_REFERRAL", field, at)
    raw = bytes(data[at:])
    end = 0
    while end + 2 <= len(raw) and raw[end : end + 2] != b"\0\0":
        end += 2
    if end + 2 > len(raw):
        raise MalformedMessage("DFS_REFERRAL", field, at)
    return text(memoryview(raw)[:end], "DFS_REFERRAL", field)
