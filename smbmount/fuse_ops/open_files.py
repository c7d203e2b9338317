"""Files that applications hold open, by the handles that the kernel knows them by.

A write is answered when the server has it: without a lease nothing may be gathered here, for
another client could read the file meanwhile. Reads go through the file's read-ahead, which every
write of this mount to the same file empties.
"""

import logging
import os
from collections.abc import Iterator

import pyfuse3
import trio

from smbmount.client.errors import ClientError, ServerError
from smbmount.client.open_file import OpenFile
from smbmount.proto.create import AccessMask, CreateDisposition, CreateOptions
from smbmount.proto.status import NtStatus

from .gaps import expect_gap
from .gate import Gate
from .inodes import Inode, InodeTable
from .locks.node import NodeLocks
from .readahead import Budget, Buffer, ReadAhead

_log = logging.getLogger(__name__)

_READ = AccessMask.READ_DATA
_WRITE = AccessMask.WRITE_DATA | AccessMask.APPEND_DATA | AccessMask.WRITE_ATTRIBUTES
_READAHEAD_LIMIT = 128 * 1024 * 1024  # bytes for all files of a mount


def access_for(flags: int) -> AccessMask:
    """The access that open(2)'s flags need."""
    match flags & os.O_ACCMODE:
        case os.O_RDONLY:
            return _READ
        case os.O_WRONLY:
            return _WRITE
        case _:
            return _READ | _WRITE


def disposition_for(flags: int, *, create: bool) -> CreateDisposition:
    """What open(2)'s flags do if the file is there, or is not."""
    if create and flags & os.O_EXCL:
        return CreateDisposition.CREATE
    if flags & os.O_TRUNC:
        return CreateDisposition.OVERWRITE_IF if create else CreateDisposition.OVERWRITE
    return CreateDisposition.OPEN_IF if create else CreateDisposition.OPEN


def options_for(flags: int) -> CreateOptions:
    """Create options that open(2)'s flags ask for."""
    options = CreateOptions.NON_DIRECTORY_FILE
    if flags & os.O_DSYNC:
        options |= CreateOptions.WRITE_THROUGH
    return options


class OpenNode:
    """One open(2) of one node."""

    __slots__ = ("end", "file", "flags", "inode", "readahead")

    readahead: ReadAhead

    def __init__(self, inode: Inode, file: OpenFile, flags: int) -> None:
        self.inode = inode
        self.file = file
        self.flags = flags
        self.end = file.stat.size  # of the file, as far as this handle has seen it grow

    @property
    def readable(self) -> bool:
        """True if READs may go through this handle."""
        return self.flags & os.O_ACCMODE != os.O_WRONLY

    @property
    def writable(self) -> bool:
        """True if WRITEs may go through this handle."""
        return self.flags & os.O_ACCMODE != os.O_RDONLY

    def way(self, *, writing: bool) -> OpenFile:
        """The handle to read or write through: the one that locks the node, if one does."""
        locks = self.inode.locks
        return (locks.way(writing=writing) if locks is not None else None) or self.file

    async def read(self, offset: int, length: int) -> Buffer:
        """Bytes for the application. Raises ClientError."""
        return await self.readahead.read(offset, length)

    async def fetch(self, offset: int, length: int) -> memoryview:
        """Bytes of the server's. Raises ClientError."""
        return await self.way(writing=False).read(offset, length)

    async def write(self, offset: int, data: bytes) -> int:
        """Put bytes on the server; returns how many. Raises ClientError."""
        await expect_gap(self.inode, self.file, self.end, offset)
        self.end = max(self.end, offset + len(data))
        file = self.way(writing=True)
        try:
            written = await self._write(file, offset, data)
            if file is not self.file and self.flags & os.O_DSYNC:
                await file.flush()  # ours writes through, the one that locks does not
            return written
        finally:
            # Even a write that failed may have changed something.
            self.inode.content_changed()

    async def _write(self, file: OpenFile, offset: int, data: bytes) -> int:
        try:
            return await file.write(offset, data)
        except ServerError as error:
            locks = self.inode.locks
            if error.status != NtStatus.STATUS_FILE_LOCK_CONFLICT or locks is None:
                raise
            written = await locks.write_under_shared(offset, data)
            if written is None:
                raise
            return written


class OpenTable:
    """All open files of a mount, by handle."""

    def __init__(self, inodes: InodeTable, nursery: trio.Nursery, lifetime: float) -> None:
        self._inodes = inodes
        self._nursery = nursery
        self._lifetime = lifetime
        self._budget = Budget(_READAHEAD_LIMIT)
        self._by_handle: dict[int, OpenNode] = {}
        self._last_handle = 0
        self.gate = Gate()  # every operation passes it

    def __iter__(self) -> Iterator[OpenNode]:
        return iter(list(self._by_handle.values()))

    def __len__(self) -> int:
        return len(self._by_handle)

    def __getitem__(self, handle: int) -> OpenNode:
        return self._by_handle[handle]

    def add(self, inode: Inode, file: OpenFile, flags: int) -> pyfuse3.FileHandleT:
        """A handle for a file that was just opened."""
        node = OpenNode(inode, file, flags)
        node.readahead = ReadAhead(node.fetch, self._nursery, self._budget, self._lifetime)
        inode.opens.append(node)
        self._last_handle += 1
        self._by_handle[self._last_handle] = node
        return pyfuse3.FileHandleT(self._last_handle)

    async def release(self, handle: int) -> None:
        """Close on the server; the node may go. Raises ClientError."""
        node = self._by_handle.pop(handle)
        written_at = node.inode.written_at
        if not any(other is not node for other in node.inode.opens):
            node.inode.written_at = 0  # the server tells it from now on
        node.readahead.drop()
        node.inode.opens.remove(node)
        locks = node.inode.locks
        if locks is not None and not node.inode.opens:
            node.inode.locks = None
        self._inodes.retire(node.inode)
        shared = any(other.file is node.file for other in node.inode.opens)
        try:
            if locks is not None:
                await self._close_locked(handle, node, locks, shared)
            elif not shared:
                if node.file.times_set and written_at and node.inode.stat.mode is None:
                    await self._tell_of_write(node.file, written_at)
                await node.file.close()
        finally:
            while node.inode.rests and not node.inode.opens:
                await node.inode.let_go().close()

    async def _tell_of_write(self, file: OpenFile, written_at: int) -> None:
        """A write leaves times that were set through the same open before, unless there are POSIX
        extensions ([MS-FSA] 2.1.5.15.2, UserSetModificationTime)."""
        try:
            await file.set_basic(written=written_at + file.tree.session.negotiated.clock)
        except ClientError as error:
            _log.debug("%r keeps the time that was set: %s", file, error)

    async def _close_locked(
        self, handle: int, node: OpenNode, locks: NodeLocks, shared: bool
    ) -> None:
        """Close one of a node that is, or was, locked. Raises ClientError."""
        kept = shared or locks.keeps(node.file)
        if node.inode.locks is locks:
            await locks.closed(handle)
        else:
            await locks.end()
        if not kept:
            await node.file.close()

    async def release_all(self) -> None:
        """Close whatever is open still, all at once; failures count for nothing by now."""
        handles = list(self._by_handle)
        async with trio.open_nursery() as nursery:
            for handle in handles:
                nursery.start_soon(self._release_quietly, handle)

    async def _release_quietly(self, handle: int) -> None:
        try:
            await self.release(handle)
        except ClientError:
            pass
