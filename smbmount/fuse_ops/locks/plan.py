"""From what the server holds for us to what it is to hold: which ranges to unlock, which to lock.

SMB's locks are exact: a range is unlocked as it was locked, whole ([MS-SMB2] 3.3.5.14.1). So a
held range stays if every byte of it is wanted in just its kind; any other goes, and what is still
wanted of it is locked anew. Where that means to give something up before it is taken again, another
client can come in between; `Plan` keeps these cases apart, and `node.py` deals with each.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from .table import Kind, Span


@dataclass(slots=True)
class Plan:
    """Steps towards what is wanted, in the order in which they are safe."""

    gain: list[Span] = field(default_factory=list)  # more than is held: the server may refuse
    upgraded: list[Span] = field(default_factory=list)  # shared, to be unlocked for `gain` first
    kept_shared: list[Span] = field(default_factory=list)  # of unlocked shared ranges: lock first
    unlock: list[Span] = field(default_factory=list)  # no longer wanted as they are
    again: list[Span] = field(default_factory=list)  # of these, what is to be locked anew

    def __bool__(self) -> bool:
        return bool(self.gain or self.upgraded or self.unlock)


def plan(wanted: list[Span], held: Iterable[Span]) -> Plan:
    """The steps from `held` to `wanted`. `wanted` is sorted and disjoint.

    Shared ranges that are held may overlap each other, which the server allows to one handle.
    """
    kept: list[Span] = []
    going: list[Span] = []
    for span in held:
        (kept if _is_wanted(span, wanted) else going).append(span)
    result = Plan()
    edges = sorted({edge for span in (*wanted, *kept, *going) for edge in (span.start, span.end)})
    for start, end in pairwise(edges):
        want = _kind_at(wanted, start)
        if want is None or want is _kind_at(kept, start):
            continue
        had = _kind_at(going, start)
        if had is None or had < want:
            _append(result.gain, start, end, want)
        elif had is Kind.SHARED:
            _append(result.kept_shared, start, end, want)
        else:
            _append(result.again, start, end, want)
    for span in going:
        in_the_way = span.kind is Kind.SHARED and any(
            gained.start < span.end and span.start < gained.end for gained in result.gain
        )
        (result.upgraded if in_the_way else result.unlock).append(span)
    return result


def _is_wanted(span: Span, wanted: list[Span]) -> bool:
    """True if each byte of it is wanted in its kind."""
    return any(
        want.kind is span.kind and want.start <= span.start and span.end <= want.end
        for want in wanted
    )


def _kind_at(spans: list[Span], at: int) -> Kind | None:
    return max((span.kind for span in spans if span.start <= at < span.end), default=None)


def _append(spans: list[Span], start: int, end: int, kind: Kind) -> None:
    if spans and spans[-1].end == start and spans[-1].kind is kind:
        spans[-1] = Span(spans[-1].start, end, kind)
    else:
        spans.append(Span(start, end, kind))
