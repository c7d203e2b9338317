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
# Entries may share their strings, and servers do let them share the path. Without a limit on what
# they come to, 64 KiB of answer could be made to unfold into 128 MiB.
_MOST_SHARING = 32  # times the answer's own size
_STEP = 512  # bytes to look for a string's end in


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
        return cls(_Strings(len(data)).take(data, _REQUEST.size, "RequestFileName"), level)


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
        strings = _Strings(len(data))
        rest = data[_RESPONSE.size :]
        for _ in range(count):
            version, size, kind, entry_flags = whole(rest, _ENTRY, "DFS_REFERRAL")
            if not _ENTRY.size <= size <= len(rest):
                raise MalformedMessage("DFS_REFERRAL", "Size", size)
            entries.append(_entry(rest, version, size, kind, entry_flags, strings))
            rest = rest[size:]
        return cls(consumed, ReferralHeaderFlags(flags), tuple(entries))


class _Strings:
    """Reads the strings of one answer, and counts what they come to."""

    def __init__(self, size: int) -> None:
        self._left = _MOST_SHARING * size

    def take(self, data: memoryview, at: int, field: str) -> str:
        """A string that ends with a zero, inside `data`. Raises MalformedMessage."""
        raw = bytearray()
        while at + len(raw) < len(data):
            seen = len(raw)
            raw += data[at + seen : at + seen + _STEP]
            for end in range(seen, len(raw) - 1, 2):
                if not raw[end] and not raw[end + 1]:
                    self._left -= end + 2
                    return text(memoryview(raw)[:end], "DFS_REFERRAL", field)
            if len(raw) > self._left:
                raise MalformedMessage("DFS_REFERRAL", "size of all strings", len(raw))
        raise MalformedMessage("DFS_REFERRAL", field, at)


def _entry(
    rest: memoryview, version: int, size: int, kind: int, flags: int, strings: _Strings
) -> Referral:
    fixed = rest[_ENTRY.size : size]
    if version == 1:
        address = strings.take(rest[:size], _ENTRY.size, "ShareName")
        return Referral(1, kind, flags, 0, network_address=address)
    if version == 2:
        _, ttl, path_at, _, address_at = whole(fixed, _V2, "DFS_REFERRAL_V2")
        return Referral(
            2, kind, flags, ttl,
            strings.take(rest, path_at, "DFSPathOffset"),
            strings.take(rest, address_at, "NetworkAddressOffset"),
        )  # fmt: skip
    if version not in (3, 4):
        raise MalformedMessage("DFS_REFERRAL", "VersionNumber", version)
    if flags & _NAME_LIST:
        ttl, special_at, count, names_at = whole(fixed, _V3_NAMES, "DFS_REFERRAL_V3")
        if count > _MOST:
            raise MalformedMessage("DFS_REFERRAL_V3", "NumberOfExpandedNames", count)
        names = []
        for _ in range(count):
            name = strings.take(rest, names_at, "ExpandedNameOffset")
            names.append(name)
            names_at += len(utf16(name)) + 2
        special = strings.take(rest, special_at, "SpecialNameOffset")
        return Referral(version, kind, flags, ttl, special_name=special, names=tuple(names))
    ttl, path_at, _, address_at, _ = whole(fixed, _V3, "DFS_REFERRAL_V3")
    return Referral(
        version, kind, flags, ttl,
        strings.take(rest, path_at, "DFSPathOffset"),
        strings.take(rest, address_at, "NetworkAddressOffset"),
    )  # fmt: skip
