"""What pyfuse3 leaves out: interrupts, locks, copies, holes, and a say over the connection.

Import this before pyfuse3 (`smbmount.fuse_ops` does). A small C module then stands between
pyfuse3 and libfuse, and `install` puts it to work for the mount that pyfuse3.init() makes next.
Where it cannot be used, one line is logged and everything else still works.
docs/extension.md tells how, and what was measured.

bridge, dispatch and interrupts need the C module, and are imported only when it is there.
"""

import logging
from typing import TYPE_CHECKING, cast

import trio

from .loading import load

unavailable_because: str | None = load()
available: bool = unavailable_because is None

# Behind load(), since these import pyfuse3.
from .handlers import Caller, FileLock, Handlers  # noqa: E402
from .requests import Hints, Request  # noqa: E402
from .settings import EVERY_OPERATION, Capability, Settings  # noqa: E402

if TYPE_CHECKING:
    import pyfuse3

    from .bridge import Bridge

__all__ = [
    "EVERY_OPERATION",
    "Caller",
    "Capability",
    "FileLock",
    "Handlers",
    "Hints",
    "Request",
    "Settings",
    "available",
    "current_request",
    "hint",
    "in_place",
    "install",
    "unavailable_because",
]

_log = logging.getLogger(__name__)
_bridge: "Bridge | None" = None


def install(
    operations: "pyfuse3.Operations", handlers: Handlers, settings: Settings, nursery: trio.Nursery
) -> "pyfuse3.Operations":
    """Prepare for the pyfuse3.init() that comes next, and return what it is to be given.

    That is `operations`, made interruptible; or just `operations`, and one log line, where the
    extension is unavailable. The operations of `handlers` run in `nursery`, which is to be
    cancelled, and left, before pyfuse3.close() is called.
    """
    global _bridge
    if not available:
        _log.warning(
            "locks, interrupts and server-side copies are off: the extension cannot be used, %s",
            unavailable_because,
        )
        return operations
    from .bridge import Bridge

    _bridge = Bridge(operations, handlers, settings, nursery)
    return cast("pyfuse3.Operations", _bridge.operations)


def in_place() -> bool:
    """Whether the mount that pyfuse3.init() has made goes through the extension."""
    return _bridge is not None and _bridge.in_place


def current_request() -> Request | None:
    """The request that pyfuse3 has just started: ask before the operation's first await.

    None if the extension is not in place. Meaningless in forget and poll, which are not noted;
    the operations of Handlers are told what they need.
    """
    return _bridge.current_request() if _bridge is not None and _bridge.in_place else None


def hint(request: Request | None, hints: Hints) -> None:
    """Tell the kernel more with the reply of open, create or opendir.

    Call it right before returning: with many opens in between, the hint is lost.
    """
    if request is not None and _bridge is not None:
        _bridge.hint(request, hints)
