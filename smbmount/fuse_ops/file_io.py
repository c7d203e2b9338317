"""Operations on open files: opening, reading, writing, closing."""

import errno
import os

import pyfuse3

from smbmount.client.errors import ServerError
from smbmount.client.open_file import OpenFile
from smbmount.proto.create import FileAttributes
from smbmount.proto.status import NtStatus

from . import extension
from .attributes import attributes_for_new
from .base import ShareOperations
from .errors import answered
from .inodes import Inode, is_another
from .locks.table import Owner, World
from .open_files import access_for, disposition_for, options_for
from .readahead import Buffer

_KEPT = FileAttributes.HIDDEN | FileAttributes.SYSTEM


class FileOperations(ShareOperations):
    """open, create, read, write, flush, fsync, release."""

    @answered
    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        """Open a file that is there. The kernel's pages of it are dropped: nothing vouches
        for them without a lease."""
        node = self._inodes.get(inode)
        if node.opens and not node.links:
            return await self._open_nameless(node, flags)
        kept = node.stat.attributes & _KEPT
        try:
            file = await self._open(node, flags, kept)
        except ServerError as error:
            if not flags & os.O_TRUNC or error.status != NtStatus.STATUS_ACCESS_DENIED:
                raise
            # Samba hides what gets a name with a dot first, and shows again what loses it.
            now = (await self._stat(node)).attributes & _KEPT
            if now == kept:
                raise
            file = await self._open(node, flags, now)
        if is_another(node.stat, file.stat):
            await file.close()
            raise pyfuse3.FUSEError(errno.ESTALE)
        return self._opened(node, file, flags)

    async def _open_nameless(self, node: Inode, flags: int) -> pyfuse3.FileInfo:
        """What lost its name while open is opened (/proc/PID/fd/N) by sharing a handle of it."""
        wanted = access_for(flags)
        held = next((held for held in node.opens if held.file.access & wanted == wanted), None)
        if held is None:
            raise pyfuse3.FUSEError(errno.ESTALE)
        if flags & os.O_TRUNC:
            await held.way(writing=True).set_size(0)
        node.stat = await held.file.query()
        if flags & os.O_TRUNC:
            node.content_changed()
        return pyfuse3.FileInfo(fh=self._opens.add(node, held.file, flags), keep_cache=False)

    async def _open(self, node: Inode, flags: int, attributes: FileAttributes) -> OpenFile:
        return await self._at(
            node,
            lambda path: self._share.open(
                path,
                access_for(flags),
                disposition_for(flags, create=False),
                options=options_for(flags),
                # To overwrite a hidden file one must say that it is one ([MS-FSA] 2.1.5.1.2).
                attributes=attributes,
            ),
        )

    def _opened(self, node: Inode, file: OpenFile, flags: int) -> pyfuse3.FileInfo:
        node.stat = file.stat
        if flags & os.O_TRUNC:
            node.content_changed()
        return pyfuse3.FileInfo(fh=self._opens.add(node, file, flags), keep_cache=False)

    @answered
    async def create(
        self,
        parent_inode: int,
        name: bytes,
        mode: int,
        flags: int,
        ctx: pyfuse3.RequestContext,
    ) -> tuple[pyfuse3.FileInfo, pyfuse3.EntryAttributes]:
        """Open a file, making it if it is not there."""
        parent = self._inodes.get(parent_inode)
        there = self._there(name)
        file = await self._share.open(
            parent.path_of(there),
            access_for(flags),
            disposition_for(flags, create=True),
            options=options_for(flags),
            attributes=attributes_for_new(mode, posix=self._share.posix),
            mode=mode,
        )
        node = self._made(parent, there, file.stat, mode if file.created else None)
        return self._opened(node, file, flags), self._told(node)

    @answered
    async def read(  # type: ignore[override]  # any buffer will do, pyfuse3 says bytes
        self, fh: int, off: int, size: int
    ) -> Buffer:
        """Bytes of an open file; fewer than asked for only at its end."""
        return await self._opens[fh].read(off, size)

    @answered
    async def write(self, fh: int, off: int, buf: bytes) -> int:
        """Bytes into an open file: the server has them when this returns."""
        return await self._opens[fh].write(off, buf)

    @answered
    async def flush(self, fh: int) -> None:
        """close(2) of one descriptor: its process has no POSIX lock on the file any more.

        Nothing is held back here, so nothing else is due.
        """
        request = extension.current_request()
        locks = self._opens[fh].inode.locks
        if request is not None and locks is not None:
            await locks.release(Owner(World.RANGES, request.lock_owner))

    @answered
    async def fsync(self, fh: int, datasync: bool) -> None:
        """Have the server put the file on its disk."""
        opened = self._opens[fh]
        # A server flushes what was written through a handle that may write.
        file = opened.way(writing=True) if opened.writable else self._writer(opened.inode, None)
        if file is not None:
            await file.flush()

    @answered
    async def release(self, fh: int) -> None:
        """The last descriptor is closed."""
        await self._opens.release(fh)
