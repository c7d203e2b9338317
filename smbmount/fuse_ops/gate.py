"""The mount's gate: every operation goes in and out; now and then one must be alone.

SMB moves no directory while anything below it is open, and each operation holds files open, if
only for a round trip. Whoever moves one may have to wait until all have come out, and keep those
that come waiting meanwhile.

An operation that is inside must not wait for one that has yet to come in. Those that may wait for
as long as others please (locks) are never inside; they only do not begin while somebody is alone.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

_PATIENCE = 10.0  # seconds to wait for the others; those that come wait as long


class Crowded(Exception):
    """Somebody does not come out."""


class Gate:
    """Who is inside, and whether anybody may come in."""

    def __init__(self) -> None:
        self._inside = 0
        self._turn = trio.Lock()  # of those who want to be alone
        self._left = trio.Event()  # set when somebody leaves, once it is waited for
        self._open = trio.Event()
        self._open.set()

    async def passed(self) -> None:
        """Wait until nobody is alone, or wants to be."""
        while not self._open.is_set():
            await self._open.wait()

    def __enter__(self) -> None:
        """Be inside as long as the context lasts; begun right after `passed`."""
        self._inside += 1

    def __exit__(self, *_: object) -> None:
        self._inside -= 1
        if not self._inside:
            self._left.set()

    @contextmanager
    def outside(self) -> Iterator[None]:
        """For one who is inside: leave as long as the context lasts."""
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Nobody else is inside as long as the context lasts.

        For one who is outside. Raises Crowded if somebody stays for too long.
        """
        async with self._turn:
            self._open = trio.Event()
            try:
                with trio.move_on_after(_PATIENCE) as waiting:
                    while self._inside:
                        self._left = trio.Event()
                        await self._left.wait()
                if waiting.cancelled_caught:
                    raise Crowded
                yield
            finally:
                self._open.set()
