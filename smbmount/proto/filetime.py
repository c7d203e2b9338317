"""FILETIME: 100 ns intervals since 1601-01-01 UTC ([MS-DTYP] 2.3.3), and Unix time."""

from datetime import UTC, datetime

_EPOCH = 116_444_736_000_000_000  # 1970-01-01 as FILETIME
_LAST = 0x7FFF_FFFF_FFFF_FFFF  # the largest that servers take; year 30828
# Values with a meaning of their own in FileBasicInformation ([MS-FSCC] 2.4.7).
_FIRST = 1


def to_unix_ns(filetime: int) -> int:
    """Nanoseconds since 1970. 0, "unknown", becomes 1970 itself."""
    return (filetime - _EPOCH) * 100 if filetime else 0


def from_unix_ns(nanoseconds: int) -> int:
    """FILETIME of a Unix time, rounded down to 100 ns, kept within what can be stored."""
    return min(max(nanoseconds // 100 + _EPOCH, _FIRST), _LAST)


_GMT = "@GMT-%Y.%m.%d-%H.%M.%S"
_SECOND = 10_000_000


def from_gmt(token: str) -> int:
    """FILETIME of a snapshot's name, "@GMT-2024.01.31-12.00.00". Raises ValueError."""
    moment = datetime.strptime(token, _GMT).replace(tzinfo=UTC)
    return int(moment.timestamp()) * _SECOND + _EPOCH


def to_gmt(filetime: int) -> str:
    """The name of the snapshot of that second ([MS-SMB2] 2.2.32.2), or digits if it has none."""
    try:
        return datetime.fromtimestamp((filetime - _EPOCH) // _SECOND, UTC).strftime(_GMT)
    except (ValueError, OverflowError, OSError):
        return str(filetime)
