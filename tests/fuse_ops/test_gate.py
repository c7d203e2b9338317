"""The gate that operations pass."""

import functools
from collections.abc import Awaitable, Callable

import pytest
import trio
import trio.testing

from smbmount.fuse_ops.gate import Crowded, Gate


def in_trio(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    """A test that waits without taking time."""

    @functools.wraps(test)
    def run() -> None:
        trio.run(test, clock=trio.testing.MockClock(autojump_threshold=0))

    return run


async def _operation(gate: Gate, seconds: float, log: list[str], name: str) -> None:
    await gate.passed()
    with gate:
        log.append(f"{name} in")
        await trio.sleep(seconds)
        log.append(f"{name} out")


@in_trio
async def test_many_are_inside_at_once() -> None:
    gate, log = Gate(), list[str]()
    async with trio.open_nursery() as nursery:
        for name in ("a", "b", "c"):
            nursery.start_soon(_operation, gate, 1, log, name)
    assert trio.current_time() < 1.5
    assert len(log) == 6


@in_trio
async def test_who_is_alone_waits_for_the_others_and_they_for_it() -> None:
    gate, log = Gate(), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_operation, gate, 2, log, "early")
        await trio.sleep(1)
        nursery.start_soon(_alone, gate, log)
        await trio.sleep(0.5)
        nursery.start_soon(_operation, gate, 1, log, "late")
    assert log == ["early in", "early out", "alone", "alone no more", "late in", "late out"]


async def _alone(gate: Gate, log: list[str]) -> None:
    async with gate.alone():
        log.append("alone")
        await trio.sleep(3)
        log.append("alone no more")


@in_trio
async def test_two_who_want_to_be_alone_are_so_one_after_the_other() -> None:
    gate, log = Gate(), list[str]()

    async def leave_and_be_alone() -> None:
        await gate.passed()
        with gate:
            await trio.sleep(1)
            with gate.outside():
                await _alone(gate, log)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_and_be_alone)
        nursery.start_soon(leave_and_be_alone)
    assert log == ["alone", "alone no more"] * 2
    await gate.passed()


@in_trio
async def test_who_stays_inside_is_not_waited_for_without_end() -> None:
    gate, log = Gate(), list[str]()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_operation, gate, 1000, log, "slow")
        await trio.sleep(1)
        with pytest.raises(Crowded):
            async with gate.alone():
                pass
        assert trio.current_time() < 20
        await gate.passed()
        nursery.cancel_scope.cancel()


@in_trio
async def test_who_is_cancelled_has_left() -> None:
    gate, log = Gate(), list[str]()
    with trio.move_on_after(1):
        await _operation(gate, 1000, log, "cut short")
    with trio.move_on_after(1):
        async with gate.alone():
            await trio.sleep(1000)
    async with gate.alone():
        log.append("alone")
    assert log == ["cut short in", "alone"]
