"""FILETIME: 100 ns intervals since 1601-01-01 UTC ([MS-DTYP] 2.3.3), and Unix time."""

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
