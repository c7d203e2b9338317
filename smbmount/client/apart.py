"""Work that is finished even if whoever asked for it has left.

A caller can be cancelled at every await. What must not be left half done (a lock that is swapped
for another, a file that is closed) runs in a task of its own, and the caller only waits for it.
"""

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class _Outcome(Generic[T]):
    """What came of the work, once `done` is set."""

    def __init__(self) -> None:
        self.done = trio.Event()
        self.values: list[T] = []
        self.error: BaseException | None = None


class Abandoned(Exception):
    """The nursery ended before the work did."""


async def apart(nursery: trio.Nursery, work: Callable[[], Awaitable[T]]) -> T:
    """Run `work` in `nursery` and return its result, or raise its error.

    A caller that is cancelled leaves at once, and the work goes on. Raises Abandoned if the
    nursery is cancelled first.
    """
    outcome: _Outcome[T] = _Outcome()
    nursery.start_soon(_run, work, outcome)
    await outcome.done.wait()
    if outcome.error is not None:
        raise outcome.error
    return outcome.values[0]


async def _run(work: Callable[[], Awaitable[T]], outcome: _Outcome[T]) -> None:
    try:
        outcome.values.append(await work())
    except trio.Cancelled:
        outcome.error = Abandoned()
        raise
    except Exception as error:
        outcome.error = error
    finally:
        outcome.done.set()
