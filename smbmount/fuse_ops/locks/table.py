"""The locks of one file, by POSIX's rules: who holds what, and who stands in whose way.

An owner is a process (fcntl), an open file description (F_OFD_...), or such a description again,
as holder of a flock(2) lock. The last kind is a world of its own: flock and fcntl locks do not see
each other, as on a local file system.

For each owner the ranges are sorted, do not overlap, and neighbours of one kind are one range.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum

END = 1 << 63  # the first byte that no file offset reaches


class Kind(IntEnum):
    """How a range is locked. A higher kind allows whatever a lower one does."""

    SHARED = 1
    EXCLUSIVE = 2


class World(Enum):
    """Locks of one world are nothing to the other."""

    RANGES = "fcntl"
    WHOLE_FILES = "flock"


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose locks they are, by the kernel's number."""

    world: World
    number: int


@dataclass(frozen=True, slots=True)
class Range:
    """Bytes `start` up to, and without, `end`."""

    start: int
    end: int
    kind: Kind
    pid: int = 0  # of whoever set it, for F_GETLK

    def meets(self, start: int, end: int) -> bool:
        """True if they have a byte in common."""
        return self.start < end and start < self.end


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes that are locked in one way, whoever holds them."""

    start: int
    end: int
    kind: Kind

    @property
    def length(self) -> int:
        """Bytes."""
        return self.end - self.start


class LockTable:
    """All that is held of one file."""

    def __init__(self) -> None:
        self._ranges: dict[Owner, list[Range]] = {}

    def __bool__(self) -> bool:
        return bool(self._ranges)

    def __iter__(self) -> Iterator[tuple[Owner, Range]]:
        for owner, ranges in self._ranges.items():
            for held in ranges:
                yield owner, held

    def of(self, owner: Owner) -> list[Range]:
        """What an owner holds."""
        return list(self._ranges.get(owner, ()))

    def in_the_way(self, owner: Owner, wanted: Range) -> Iterator[tuple[Owner, Range]]:
        """What others hold that forbids `wanted`."""
        for other, held in self:
            if other != owner and conflict(other, held, owner, wanted):
                yield other, held

    def set(self, owner: Owner, wanted: Range) -> None:
        """The owner holds `wanted`; what it held of these bytes is replaced."""
        ranges = [*_without(self.of(owner), wanted.start, wanted.end), wanted]
        self._ranges[owner] = _joined(ranges)

    def clear(self, owner: Owner, start: int, end: int) -> None:
        """The owner holds none of these bytes any more."""
        rest = list(_without(self.of(owner), start, end))
        if rest:
            self._ranges[owner] = rest
        else:
            self._ranges.pop(owner, None)

    def drop(self, owner: Owner) -> bool:
        """The owner holds nothing any more; whether it held anything."""
        return self._ranges.pop(owner, None) is not None

    def spans(self, owner: Owner | None = None, wanted: Range | None = None) -> list[Span]:
        """How each byte is locked, by the strongest of its locks; as if `owner` had `wanted`."""
        held = [
            piece
            for other, ranges in self._ranges.items()
            for piece in (
                _without(ranges, wanted.start, wanted.end)
                if wanted is not None and other == owner
                else ranges
            )
        ]
        if wanted is not None:
            held.append(wanted)
        return strongest(held)


def conflict(one: Owner, held: Range, other: Owner, wanted: Range) -> bool:
    """True if two owners cannot have both."""
    return (
        one.world is other.world
        and Kind.EXCLUSIVE in (held.kind, wanted.kind)
        and held.meets(wanted.start, wanted.end)
    )


def strongest(ranges: Iterable[Range | Span]) -> list[Span]:
    """What ranges that may overlap come to: sorted, disjoint, joined where kinds are equal."""
    edges: list[tuple[int, int, Kind]] = []
    for held in ranges:
        edges.append((held.start, 1, held.kind))
        edges.append((held.end, -1, held.kind))
    edges.sort()
    open_now = {Kind.SHARED: 0, Kind.EXCLUSIVE: 0}
    spans: list[Span] = []
    since = 0
    for at, change, kind in edges:
        level = next((k for k in (Kind.EXCLUSIVE, Kind.SHARED) if open_now[k]), None)
        if level is not None and at > since:
            if spans and spans[-1].end == since and spans[-1].kind is level:
                spans[-1] = Span(spans[-1].start, at, level)
            else:
                spans.append(Span(since, at, level))
        since = at
        open_now[kind] += change
    return spans


def _without(ranges: Iterable[Range], start: int, end: int) -> Iterator[Range]:
    """What is left of ranges when some bytes are taken out: 0, 1 or 2 pieces of each."""
    for held in ranges:
        if not held.meets(start, end):
            yield held
            continue
        if held.start < start:
            yield Range(held.start, start, held.kind, held.pid)
        if end < held.end:
            yield Range(end, held.end, held.kind, held.pid)


def _joined(ranges: list[Range]) -> list[Range]:
    """Sorted, with neighbours of one kind made one."""
    joined: list[Range] = []
    for held in sorted(ranges, key=lambda held: held.start):
        last = joined[-1] if joined else None
        if last is not None and last.end == held.start and last.kind is held.kind:
            joined[-1] = Range(last.start, held.end, held.kind, held.pid)
        else:
            joined.append(held)
    return joined
