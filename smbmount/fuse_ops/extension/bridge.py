"""The decisions that the C module leaves to Python, for the one mount of this process."""

import logging

import pyfuse3
import trio

from . import _fuse_session
from .dispatch import Dispatcher, overridden
from .handlers import Handlers
from .interrupts import InterruptibleOperations, Interrupts
from .requests import Hints, Request
from .settings import Capability, Settings

_log = logging.getLogger(__name__)

# libfuse's layout of what we touch changed once, with 3.17 and libfuse3.so.4.
_OLDEST, _CHANGED, _NEWEST = 312, 317, 317


class Bridge:
    """What stands between pyfuse3 and libfuse, from `install` to the end of the mount."""

    def __init__(
        self,
        operations: pyfuse3.Operations,
        handlers: Handlers,
        settings: Settings,
        nursery: trio.Nursery,
    ) -> None:
        self._settings = settings
        self.interrupts = interrupts = Interrupts()
        self.in_place = False
        self.capable = Capability(0)  # what the kernel offered, once it has
        self.want = Capability(0)  # and what was taken of it
        names = overridden(handlers, settings.operations)
        dispatcher = Dispatcher(handlers, nursery, interrupts)
        self.operations = InterruptibleOperations(operations, interrupts)
        nursery.start_soon(interrupts.keep_watch)
        _fuse_session.arm(
            self._on_table, self._on_connection, interrupts.interrupted, dispatcher.start, names
        )

    def _on_table(self, version: int, built_for: int, size: int, least: int, most: int) -> bool:
        """pyfuse3 hands over its table of operations: whether to put ours in its place."""
        reason = refusal(version, built_for, size, least, most)
        if reason is None:
            self.in_place = True
        else:
            _log.warning(
                "locks, interrupts and server-side copies are off for this mount: %s", reason
            )
        return self.in_place

    def _on_connection(
        self, capable: int, want: int, background: int, congestion: int, readahead: int
    ) -> tuple[int, int, int, int]:
        """The kernel says hello: what is wanted of it."""
        answer = self._settings.applied(capable, want, readahead)
        self.capable, self.want = Capability(capable), Capability(answer[0])
        _log.debug("the kernel offers %r; taken: %r", self.capable, self.want)
        return answer

    def current_request(self) -> Request:
        """The request whose coroutine pyfuse3 has just started."""
        number, operation, owner, flags, pid, flush, unlock = _fuse_session.current_request()
        return Request(number, operation or "", owner, flags, pid, bool(flush), bool(unlock))

    def hint(self, request: Request, hints: Hints) -> None:
        """To be added to the reply of open, create or opendir."""
        _fuse_session.hint(request.number, hints)


def refusal(version: int, built_for: int, size: int, least: int, most: int) -> str | None:
    """Why the table of operations is better left alone; None if it is what we know.

    `version` is the running libfuse's, `built_for` that of our headers, both as 100 * major +
    minor; `size` the table's bytes, to be within `least` and `most`.
    """
    if not _OLDEST <= version <= _NEWEST:
        return f"libfuse {version // 100}.{version % 100} is not one that is known"
    if (version >= _CHANGED) != (built_for >= _CHANGED):
        return (
            f"the extension was built for libfuse {built_for // 100}.{built_for % 100}, "
            f"and this is {version // 100}.{version % 100}"
        )
    if not least <= size <= most:
        return f"pyfuse3's table of operations has {size} bytes, not {least} to {most}"
    return None
