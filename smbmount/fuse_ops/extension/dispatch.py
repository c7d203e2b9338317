"""Run the operations that pyfuse3 leaves out, and send their answers."""

import errno
import fcntl
import logging
from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pyfuse3
import trio

from . import _fuse_session
from .handlers import Caller, FileLock, Handlers
from .interrupts import Interrupts
from .signals import always, wants_out

if TYPE_CHECKING:
    from ._fuse_session import Handle

_log = logging.getLogger(__name__)

_LOCKING = frozenset({"setlk", "flock"})
_NO_LOCK = FileLock(fcntl.F_UNLCK, 0, 0, 0)


def overridden(handlers: Handlers, names: frozenset[str]) -> frozenset[str]:
    """The operations that a file system really has, of those it is allowed."""
    return frozenset(
        name for name in names if getattr(type(handlers), name) is not getattr(Handlers, name)
    )


class Dispatcher:
    """Starts a task for each request, in a nursery that ends before the session does."""

    def __init__(self, handlers: Handlers, nursery: trio.Nursery, interrupts: Interrupts) -> None:
        self._handlers = handlers
        self._nursery = nursery
        self._interrupts = interrupts

    def start(
        self,
        name: str,
        handle: "Handle",
        lock_owner: int,
        caller: tuple[int, int, int, int],
        arguments: tuple[Any, ...],
    ) -> None:
        """Called by the C module within libfuse: no waiting here. A handle dropped unanswered
        answers EIO by itself."""
        number = _fuse_session.start_of_request()
        scope = trio.CancelScope()
        self._interrupts.begin(number, scope, always if name in _LOCKING else wants_out)
        try:
            self._nursery.start_soon(
                self._run, name, handle, number, scope, lock_owner, Caller(*caller), arguments
            )
        except RuntimeError:  # the nursery is closed, the mount is ending
            self._interrupts.end(number)

    async def _run(
        self,
        name: str,
        handle: "Handle",
        number: int,
        scope: trio.CancelScope,
        lock_owner: int,
        caller: Caller,
        arguments: tuple[Any, ...],
    ) -> None:
        error = errno.EINTR  # unless the scope is left in another way
        sent = 0
        try:
            with scope:
                sent = await _ANSWERS[name](self._handlers, handle, lock_owner, caller, *arguments)
                error = 0
        except pyfuse3.FUSEError as failed:
            error = failed.errno
        except Exception:
            _log.exception("%s failed for a reason that nobody foresaw", name)
            error = errno.EIO
        finally:
            self._interrupts.end(number)
        if error:
            sent = _fuse_session.reply_error(handle, error)
        if sent not in (0, errno.ENOENT):  # ENOENT: the kernel has given the request up
            _log.error("%s: the kernel refused the answer, error %d", name, sent)


async def _getlk(
    handlers: Handlers,
    handle: "Handle",
    owner: int,
    caller: Caller,
    inode: int,
    fh: int,
    *lock: int,
) -> int:
    found = await handlers.getlk(inode, fh, owner, FileLock(*lock), caller) or _NO_LOCK
    return _fuse_session.reply_lock(handle, found.kind, found.start, found.length, found.pid)


async def _setlk(
    handlers: Handlers,
    handle: "Handle",
    owner: int,
    caller: Caller,
    inode: int,
    fh: int,
    *rest: int,
) -> int:
    *lock, sleep = rest
    await handlers.setlk(inode, fh, owner, FileLock(*lock), bool(sleep), caller)
    return _fuse_session.reply_error(handle, 0)


async def _flock(
    handlers: Handlers,
    handle: "Handle",
    owner: int,
    caller: Caller,
    inode: int,
    fh: int,
    op: int,
) -> int:
    await handlers.flock(inode, fh, owner, op, caller)
    return _fuse_session.reply_error(handle, 0)


async def _fallocate(
    handlers: Handlers, handle: "Handle", owner: int, caller: Caller, *arguments: int
) -> int:
    inode, fh, mode, offset, length = arguments
    await handlers.fallocate(inode, fh, mode, offset, length, caller)
    return _fuse_session.reply_error(handle, 0)


async def _lseek(
    handlers: Handlers, handle: "Handle", owner: int, caller: Caller, *arguments: int
) -> int:
    inode, fh, offset, whence = arguments
    found = await handlers.lseek(inode, fh, offset, whence, caller)
    return _fuse_session.reply_offset(handle, found)


async def _copy_file_range(
    handlers: Handlers, handle: "Handle", owner: int, caller: Caller, *arguments: int
) -> int:
    inode_in, fh_in, off_in, inode_out, fh_out, off_out, length, flags = arguments
    copied = await handlers.copy_file_range(
        inode_in, fh_in, off_in, inode_out, fh_out, off_out, length, flags, caller
    )
    return _fuse_session.reply_count(handle, copied)


async def _ioctl(
    handlers: Handlers,
    handle: "Handle",
    owner: int,
    caller: Caller,
    inode: int,
    fh: int,
    cmd: int,
    arg: int,
    flags: int,
    data: bytes,
    room: int,
) -> int:
    result, out = await handlers.ioctl(inode, fh, cmd, arg, flags, data, room, caller)
    return _fuse_session.reply_ioctl(handle, result, out[:room])


_ANSWERS: MappingProxyType[str, Callable[..., Any]] = MappingProxyType(
    {
        "getlk": _getlk,
        "setlk": _setlk,
        "flock": _flock,
        "fallocate": _fallocate,
        "lseek": _lseek,
        "copy_file_range": _copy_file_range,
        "ioctl": _ioctl,
    }
)
