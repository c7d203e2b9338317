"""fcntl and flock locks: the kernel's requests, and what they need of the share.

The decisions are in `locks`. A node gets its `NodeLocks` with the first request for it, and loses
them when the last open file description of it goes.
"""

import errno
import fcntl
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import pyfuse3
import trio

from smbmount.client.apart import Abandoned, apart
from smbmount.client.errors import ClientError, ServerError
from smbmount.client.share import Share
from smbmount.proto.create import AccessMask, CreateOptions

from .errors import answered_at_length
from .extension import Caller, FileLock, Handlers
from .inodes import Inode, InodeTable, Unlinked, is_another
from .locks.node import LockFailed, LockHandle, NodeLocks
from .locks.table import END, Kind, Owner, Range, World
from .locks.waiting import WaitGraph
from .open_files import OpenTable

_log = logging.getLogger(__name__)

T = TypeVar("T")

_READ = AccessMask.READ_DATA
_WRITE = AccessMask.WRITE_DATA | AccessMask.APPEND_DATA | AccessMask.WRITE_ATTRIBUTES
_ACCESSES = (_READ | _WRITE, _READ, _WRITE)  # the more, the better: all I/O goes through it
_KINDS = {fcntl.F_RDLCK: Kind.SHARED, fcntl.F_WRLCK: Kind.EXCLUSIVE}
_CODES = {kind: code for code, kind in _KINDS.items()}


class LockRoom:
    """What all locks of a mount share."""

    def __init__(self, share: Share, nursery: trio.Nursery) -> None:
        self.waits = WaitGraph()
        self._share = share
        self._nursery = nursery

    def of(self, node: Inode) -> NodeLocks:
        """The locks of a node, from its first one on."""
        if node.locks is None:
            node.locks = NodeLocks(_NodeHost(self, node))
        return node.locks

    async def apart(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run to the end, whatever becomes of the caller. Raises what `work` raises."""
        try:
            return await apart(self._nursery, work)
        except Abandoned as error:
            raise LockFailed(errno.EINTR) from error

    def soon(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run in the background."""
        self._nursery.start_soon(self._quietly, work)

    async def _quietly(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except (ClientError, LockFailed) as error:
            _log.warning("%s: unlocking: %s", self._share.label, error)

    async def open(self, node: Inode) -> LockHandle:
        """A handle of the node to lock through.

        One of its own, so that it can be used for whatever any of them may do; where the name
        is gone, the best of theirs. Raises ServerError.
        """
        for access in _ACCESSES:
            try:
                file = await self._share.open(
                    node.path, access, options=CreateOptions.NON_DIRECTORY_FILE
                )
            except Unlinked:
                break
            except ServerError as error:
                if error.errno == errno.EACCES:
                    continue
                break
            if not is_another(node.stat, file.stat):
                return LockHandle(file, bool(access & _READ), bool(access & _WRITE))
            await file.close()
            break
        if not node.opens:
            raise LockFailed(errno.EBADF)
        best = max(node.opens, key=lambda held: held.readable + 2 * held.writable)
        return LockHandle(best.file, best.readable, best.writable, adopted=True)

    async def refresh(self, node: Inode) -> None:
        """Nothing that was read before the lock was had is worth anything after.

        In a thread: the kernel waits for pages that are being read, by us.
        """
        for opened in node.opens:
            opened.readahead.drop()
        await trio.to_thread.run_sync(_forget_pages, node.number, abandon_on_cancel=True)


class _NodeHost:
    """A `LockRoom` as the locks of one node see it."""

    def __init__(self, room: LockRoom, node: Inode) -> None:
        self.waits = room.waits
        self.apart = room.apart
        self.soon = room.soon
        self.open = partial(room.open, node)
        self.refresh = partial(room.refresh, node)


def _forget_pages(number: int) -> None:
    try:
        pyfuse3.invalidate_inode(pyfuse3.InodeT(number))
    except OSError as error:
        if error.errno != errno.ENOENT:  # the kernel does not know the node
            _log.warning("the kernel keeps the pages of inode %d: %s", number, error)


class LockHandlers(Handlers):
    """getlk, setlk, flock."""

    _inodes: InodeTable
    _opens: OpenTable
    _locks: LockRoom

    @answered_at_length
    async def getlk(
        self, inode: int, fh: int, lock_owner: int, lock: FileLock, ctx: Caller
    ) -> FileLock | None:
        """F_GETLK: the server is asked by trying, since SMB has no question for it."""
        wanted = Range(lock.start, lock.end, _KINDS[lock.kind], lock.pid)
        locks = self._locks.of(self._opens[fh].inode)
        held = await locks.blocker(Owner(World.RANGES, lock_owner), wanted)
        if held is None:
            return None
        length = 0 if held.end == END else held.end - held.start
        return FileLock(_CODES[held.kind], held.start, length, held.pid)

    @answered_at_length
    async def setlk(
        self, inode: int, fh: int, lock_owner: int, lock: FileLock, sleep: bool, ctx: Caller
    ) -> None:
        """F_SETLK, F_SETLKW, and their OFD kind, which comes with the description as owner."""
        node, owner = self._opens[fh].inode, Owner(World.RANGES, lock_owner)
        if lock.kind == fcntl.F_UNLCK:
            if node.locks is not None:
                await node.locks.release(owner, lock.start, lock.end)
            return
        wanted = Range(lock.start, lock.end, _KINDS[lock.kind], lock.pid)
        await self._locks.of(node).acquire(fh, owner, wanted, wait=sleep)

    @answered_at_length
    async def flock(self, inode: int, fh: int, lock_owner: int, op: int, ctx: Caller) -> None:
        """flock(2): on the server, the whole file is locked.

        A lock of the other kind is given up first, and lost if the new one cannot be had: this
        is how flock is.
        """
        node, owner = self._opens[fh].inode, Owner(World.WHOLE_FILES, lock_owner)
        if op & fcntl.LOCK_UN:
            if node.locks is not None:
                await node.locks.release(owner)
            return
        kind = Kind.EXCLUSIVE if op & fcntl.LOCK_EX else Kind.SHARED
        locks = self._locks.of(node)
        if any(held.kind is kind for held in locks.table.of(owner)):
            return
        await locks.release(owner)
        await locks.acquire(fh, owner, Range(0, END, kind, ctx.pid), wait=not op & fcntl.LOCK_NB)
