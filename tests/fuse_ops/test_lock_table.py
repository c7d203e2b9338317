"""The lock table against a model that knows every byte, its plans against a server that does."""

from itertools import pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from smbmount.fuse_ops.locks.plan import Plan, plan
from smbmount.fuse_ops.locks.table import Kind, LockTable, Owner, Range, Span, World
from smbmount.fuse_ops.locks.waiting import WaitGraph

S, X = Kind.SHARED, Kind.EXCLUSIVE
BYTES = 12  # enough for every way in which a few ranges can lie
OWNERS = [Owner(world, number) for world in World for number in (1, 2, 3)]

owners = st.sampled_from(OWNERS)
kinds = st.sampled_from(Kind)
stretches = st.tuples(st.integers(0, BYTES - 1), st.integers(1, BYTES)).map(
    lambda pair: (pair[0], min(pair[0] + pair[1], BYTES))
)


class Server:
    """One handle's locks as [MS-FSA] 2.1.5.7 and 2.1.5.8 have them: exact, and never both."""

    def __init__(self) -> None:
        self.held: list[Span] = []

    def lock(self, span: Span) -> None:
        for other in self.held:
            if other.start < span.end and span.start < other.end:
                assert (other.kind, span.kind) == (S, S), f"{span} is refused for {other}"
        self.held.append(span)

    def unlock(self, span: Span) -> None:
        assert span in self.held, f"{span} was not locked like this"
        self.held.remove(span)

    def follow(self, steps: Plan) -> None:
        for span in steps.kept_shared:
            self.lock(span)
        for span in steps.upgraded:
            self.unlock(span)
        for span in steps.gain:
            self.lock(span)
        for span in steps.unlock:
            self.unlock(span)
        for span in steps.again:
            self.lock(span)

    def at(self, byte: int) -> Kind | None:
        return max((s.kind for s in self.held if s.start <= byte < s.end), default=None)


class Bytewise(RuleBasedStateMachine):
    """Every owner's lock on every byte, by the plain rules."""

    def __init__(self) -> None:
        super().__init__()
        self.table = LockTable()
        self.model: dict[Owner, list[Kind | None]] = {}
        self.server = Server()

    @initialize()
    def nothing_is_locked(self) -> None:
        self.model = {owner: [None] * BYTES for owner in OWNERS}

    def _conflicts(self, owner: Owner, start: int, end: int, kind: Kind) -> set[Owner]:
        return {
            other
            for other, held in self.model.items()
            if other != owner
            and other.world is owner.world
            and any(held[at] and X in (held[at], kind) for at in range(start, end))
        }

    @rule(owner=owners, stretch=stretches, kind=kinds)
    def lock(self, owner: Owner, stretch: tuple[int, int], kind: Kind) -> None:
        start, end = stretch
        wanted = Range(start, end, kind)
        in_the_way = {other for other, _ in self.table.in_the_way(owner, wanted)}
        assert in_the_way == self._conflicts(owner, start, end, kind)
        if in_the_way:
            return
        foreseen = self.table.spans(owner, wanted)
        self.table.set(owner, wanted)
        assert self.table.spans() == foreseen
        self.model[owner][start:end] = [kind] * (end - start)

    @rule(owner=owners, stretch=stretches)
    def unlock(self, owner: Owner, stretch: tuple[int, int]) -> None:
        start, end = stretch
        self.table.clear(owner, start, end)
        self.model[owner][start:end] = [None] * (end - start)

    @rule(owner=owners)
    def close(self, owner: Owner) -> None:
        assert self.table.drop(owner) == any(self.model[owner])
        self.model[owner] = [None] * BYTES

    @invariant()
    def each_owner_holds_what_the_model_says(self) -> None:
        for owner, held in self.model.items():
            ranges = self.table.of(owner)
            found: list[Kind | None] = [None] * BYTES
            for one in ranges:
                assert found[one.start : one.end] == [None] * (one.end - one.start)
                found[one.start : one.end] = [one.kind] * (one.end - one.start)
            assert found == held
            for one, other in pairwise(ranges):
                assert one.end < other.start or (one.end, one.kind) != (other.start, other.kind)
        assert bool(self.table) == any(any(held) for held in self.model.values())

    @invariant()
    def the_server_can_be_brought_to_hold_just_that(self) -> None:
        self.server.follow(plan(self.table.spans(), self.server.held))
        for byte in range(BYTES):
            wanted = max((held[byte] or 0 for held in self.model.values()), default=0)
            assert (self.server.at(byte) or 0) == wanted
        assert not plan(self.table.spans(), self.server.held)


Bytewise.TestCase.settings = settings(max_examples=150, stateful_step_count=25, deadline=None)
TestBytewise = Bytewise.TestCase


@pytest.mark.parametrize(
    ("wanted", "held", "expected"),
    [
        pytest.param([Span(0, 9, X)], [], Plan(gain=[Span(0, 9, X)]), id="first lock"),
        pytest.param([Span(0, 9, X)], [Span(0, 9, X)], Plan(), id="nothing to do"),
        pytest.param(
            [Span(0, 9, S)], [Span(0, 4, S)], Plan(gain=[Span(4, 9, S)]), id="only what is missing"
        ),
        pytest.param([], [Span(0, 9, S)], Plan(unlock=[Span(0, 9, S)]), id="last unlock"),
        pytest.param(
            [Span(0, 9, X)],
            [Span(0, 9, S)],
            Plan(gain=[Span(0, 9, X)], upgraded=[Span(0, 9, S)]),
            id="upgrade",
        ),
        pytest.param(
            [Span(0, 9, S)],
            [Span(0, 9, X)],
            Plan(unlock=[Span(0, 9, X)], again=[Span(0, 9, S)]),
            id="downgrade",
        ),
        pytest.param(
            [Span(0, 3, X), Span(6, 9, X)],
            [Span(0, 9, X)],
            Plan(unlock=[Span(0, 9, X)], again=[Span(0, 3, X), Span(6, 9, X)]),
            id="split of an exclusive lock",
        ),
        pytest.param(
            [Span(0, 3, S)],
            [Span(0, 9, S)],
            Plan(unlock=[Span(0, 9, S)], kept_shared=[Span(0, 3, S)]),
            id="a shared lock shrinks without a gap",
        ),
        pytest.param(
            [Span(0, 3, S), Span(3, 6, X), Span(6, 9, S)],
            [Span(0, 9, S)],
            Plan(
                gain=[Span(3, 6, X)],
                upgraded=[Span(0, 9, S)],
                kept_shared=[Span(0, 3, S), Span(6, 9, S)],
            ),
            id="upgrade of the middle",
        ),
    ],
)
def test_a_plan_gives_up_no_more_than_it_must(
    wanted: list[Span], held: list[Span], expected: Plan
) -> None:
    assert plan(wanted, held) == expected


@given(st.lists(st.tuples(stretches, kinds), max_size=4), st.lists(stretches, max_size=4))
def test_ranges_that_overlap_shared_are_planned_for_as_well(
    wanted: list[tuple[tuple[int, int], Kind]], held: list[tuple[int, int]]
) -> None:
    table = LockTable()
    for number, ((start, end), kind) in enumerate(wanted):
        table.set(Owner(World.RANGES, number), Range(start, end, kind))
    server = Server()
    for start, end in held:
        server.lock(Span(start, end, S))
    server.follow(plan(table.spans(), server.held))
    expected = {span.start: span for span in table.spans()}
    for byte in range(BYTES):
        wanted_kind = next((s.kind for s in expected.values() if s.start <= byte < s.end), None)
        assert server.at(byte) is wanted_kind


def test_a_circle_is_seen_over_any_number_of_waiters() -> None:
    graph = WaitGraph()
    owners = [Owner(World.RANGES, number) for number in range(5)]
    for one, other in pairwise(owners):
        assert not graph.closes_a_circle(one, [other])
        graph.begin(one, lambda other=other: [other])  # type: ignore[misc]  # the loop's own
    assert graph.closes_a_circle(owners[4], [owners[0]])
    assert not graph.closes_a_circle(Owner(World.RANGES, 9), [owners[0]])


def test_a_wait_that_ended_closes_no_circle() -> None:
    graph = WaitGraph()
    one, other = Owner(World.RANGES, 1), Owner(World.RANGES, 2)

    def blockers() -> list[Owner]:
        return [other]

    graph.begin(one, blockers)
    assert graph.closes_a_circle(other, [one])
    graph.end(one, blockers)
    assert not graph.closes_a_circle(other, [one])
