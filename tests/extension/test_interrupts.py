"""Interrupts without a kernel: begun, cut short, watched, over."""

import errno

import pytest
import trio
from trio.testing import MockClock

from smbmount.fuse_ops import extension

if not extension.available:
    pytest.skip(f"no extension: {extension.unavailable_because}", allow_module_level=True)

import pyfuse3

from smbmount.fuse_ops.extension import interrupts as interrupts_module
from smbmount.fuse_ops.extension.interrupts import Interrupts


def never(thread: int) -> bool:
    return False


def at_once(thread: int) -> bool:
    return True


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What start_of_request() will say, one after the other."""
    coming: list[int] = []

    class Module:
        start_of_request = staticmethod(lambda: coming.pop(0))

    monkeypatch.setattr(interrupts_module, "_fuse_session", Module)
    return coming


async def sleeper() -> str:
    await trio.sleep(3600)
    return "slept"


def test_an_interrupt_ends_its_own_operation_and_no_other(numbers: list[int]) -> None:
    numbers += [1, 2]
    interrupts = Interrupts()
    waits = interrupts.interruptible(sleeper, at_once)
    ends: list[object] = []

    async def call() -> None:
        try:
            ends.append(await waits())
        except pyfuse3.FUSEError as error:
            ends.append(error.errno)

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(call)
            nursery.start_soon(call)
            await trio.sleep(1)
            assert len(interrupts) == 2
            interrupts.interrupted(2, 0)
            await trio.sleep(1)
            assert ends == [errno.EINTR]

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert ends == [errno.EINTR, "slept"]
    assert len(interrupts) == 0


def test_an_interrupt_that_came_before_the_request_ends_it_at_its_first_wait(
    numbers: list[int],
) -> None:
    numbers.append(-7)
    interrupts = Interrupts()

    async def main() -> None:
        with pytest.raises(pyfuse3.FUSEError) as raised:
            await interrupts.interruptible(sleeper)()
        assert raised.value.errno == errno.EINTR

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert len(interrupts) == 0


def test_an_operation_that_finishes_in_spite_of_its_interrupt_gives_its_result(
    numbers: list[int],
) -> None:
    numbers.append(1)
    interrupts = Interrupts()

    async def finishes() -> str:
        interrupts.interrupted(1, 0)
        return "done"

    assert trio.run(interrupts.interruptible(finishes, at_once)) == "done"


def test_an_interrupt_after_the_reply_finds_nothing(numbers: list[int]) -> None:
    numbers.append(1)
    interrupts = Interrupts()

    async def quick() -> None:
        pass

    trio.run(interrupts.interruptible(quick, at_once))
    interrupts.interrupted(1, 0)
    interrupts.interrupted(99, 0)
    assert len(interrupts) == 0


def test_cancellation_from_outside_stays_cancellation(numbers: list[int]) -> None:
    numbers.append(1)
    interrupts = Interrupts()

    async def main() -> None:
        with trio.move_on_after(1) as scope:
            await interrupts.interruptible(sleeper)()
        assert scope.cancelled_caught

    trio.run(main, clock=MockClock(autojump_threshold=0))
    assert len(interrupts) == 0


def test_what_was_not_heeded_is_looked_at_again(numbers: list[int]) -> None:
    numbers.append(1)
    interrupts = Interrupts()
    killed: list[int] = []

    def heed(thread: int) -> bool:
        return thread in killed

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(interrupts.keep_watch)
            nursery.start_soon(_kill_at_10)
            with pytest.raises(pyfuse3.FUSEError):
                await interrupts.interruptible(sleeper, heed)()
            assert 10 <= trio.current_time() - start < 10.2
            nursery.cancel_scope.cancel()

    async def _kill_at_10() -> None:
        await trio.sleep(1)
        interrupts.interrupted(1, 4711)
        await trio.sleep(9)
        killed.append(4711)

    clock = MockClock(autojump_threshold=0)
    start = clock.current_time()
    trio.run(main, clock=clock)


def test_the_watchman_forgets_what_has_been_answered(numbers: list[int]) -> None:
    interrupts = Interrupts()
    interrupts.watch(1, 4711)
    interrupts.look()
    assert not interrupts._watched


def test_an_operation_of_handlers_is_begun_and_ended_by_its_number() -> None:
    interrupts = Interrupts()

    async def main() -> None:
        scope, early = trio.CancelScope(), trio.CancelScope()
        interrupts.begin(5, scope, never)
        interrupts.begin(-6, early, never)
        interrupts.interrupted(5, 0)
        assert not scope.cancel_called
        assert early.cancel_called
        interrupts.end(5)
        interrupts.end(-6)

    trio.run(main)
    assert len(interrupts) == 0
