"""Operations end when their caller is signalled or killed.

Each operation that may be cut short runs in a trio.CancelScope, filed under the number of its
request; the kernel's interrupt names the number. Numbers are never used twice, so an interrupt
that comes after the reply finds nothing, and one that comes before the start is told by
start_of_request(). No request pointer is kept in Python.

An interrupt that does not matter (`signals.py`) and a caller that dies in close(2) both leave a
request that only looking again can release: a watchman does that, while there is one to watch.
"""

import errno
import functools
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import pyfuse3
import trio

from . import _fuse_session
from .signals import is_exiting, wants_out

P = ParamSpec("P")
T = TypeVar("T")
Heed = Callable[[int], bool]  # of a thread id: is it to be released?

# release, releasedir and forget have no caller who waits, flush is a case of its own.
WAITING = (
    "lookup",
    "getattr",
    "setattr",
    "readlink",
    "mknod",
    "mkdir",
    "unlink",
    "rmdir",
    "symlink",
    "rename",
    "link",
    "open",
    "read",
    "write",
    "fsync",
    "opendir",
    "readdir",
    "fsyncdir",
    "statfs",
    "setxattr",
    "getxattr",
    "listxattr",
    "removexattr",
    "access",
    "create",
)
_ROUND = 0.05  # seconds between two looks of the watchman


class Interrupts:
    """The operations that run now, and how each is cut short."""

    def __init__(self) -> None:
        self._waits: dict[int, tuple[trio.CancelScope, Heed]] = {}
        self._watched: dict[int, int] = {}  # number: thread
        self._something = trio.Event()

    def __len__(self) -> int:
        return len(self._waits)

    def begin(self, number: int, scope: trio.CancelScope, heed: Heed = wants_out) -> None:
        """File an operation. `number` is start_of_request()'s: negative if interrupted already."""
        if number < 0:
            scope.cancel()
        self._waits[abs(number)] = (scope, heed)

    def end(self, number: int) -> None:
        """The operation is over: nothing can reach its scope from here on."""
        self._waits.pop(abs(number), None)

    def interrupted(self, number: int, thread: int) -> None:
        """The kernel says that a thread which waits for a request has a signal to handle."""
        wait = self._waits.get(number)
        if wait is None:
            return
        scope, heed = wait
        if heed(thread):
            scope.cancel()
        else:
            self.watch(number, thread)

    def watch(self, number: int, thread: int) -> None:
        """Look every now and then whether the thread is to be released."""
        self._watched[number] = thread
        self._something.set()

    async def keep_watch(self) -> None:
        """The watchman. Runs until cancelled, and sleeps while there is nothing to watch."""
        while True:
            await self._something.wait()
            while self._watched:
                await trio.sleep(_ROUND)
                self.look()
            self._something = trio.Event()

    def look(self) -> None:
        """Release those of the watched who are to be released; forget those who are answered."""
        for number, thread in list(self._watched.items()):
            wait = self._waits.get(number)
            if wait is None:
                del self._watched[number]
            elif wait[1](thread):
                wait[0].cancel()
                del self._watched[number]

    def interruptible(
        self, operation: Callable[P, Coroutine[Any, Any, T]], heed: Heed = wants_out
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Wrap an operation: cut short, it raises FUSEError(EINTR).

        One that has finished in spite of the interrupt gives its result.
        """
        waits = self._waits
        start_of_request = _fuse_session.start_of_request

        @functools.wraps(operation)
        async def cut_short(*args: P.args, **kwargs: P.kwargs) -> T:
            number = start_of_request()
            scope = trio.CancelScope()
            if number < 0:
                scope.cancel()
                number = -number
            waits[number] = (scope, heed)
            try:
                with scope:
                    return await operation(*args, **kwargs)
            finally:
                del waits[number]
            raise pyfuse3.FUSEError(errno.EINTR)

        return cut_short

    def released_when_exiting(
        self, operation: Callable[P, Coroutine[Any, Any, T]]
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Wrap flush: besides interrupts, its caller's exit ends it, which no interrupt tells."""
        inner = self.interruptible(operation, _out_or_exiting)

        @functools.wraps(operation)
        async def watched(*args: P.args, **kwargs: P.kwargs) -> T:
            number, _, _, _, thread, _, _ = _fuse_session.current_request()
            self.watch(number, thread)
            return await inner(*args, **kwargs)

        return watched


class InterruptibleOperations:
    """What pyfuse3 calls in place of a file system's own operations.

    A thing apart, since a wrapped method may only be called by pyfuse3: the current request is
    known at its very start only. What the file system calls of itself stays unwrapped.
    """

    def __init__(self, operations: pyfuse3.Operations, interrupts: Interrupts) -> None:
        self._operations = operations
        for name in WAITING:
            setattr(self, name, interrupts.interruptible(getattr(operations, name)))
        self.flush = interrupts.released_when_exiting(operations.flush)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._operations, name)


def _out_or_exiting(thread: int) -> bool:
    return is_exiting(thread) or wants_out(thread)
