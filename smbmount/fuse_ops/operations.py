"""The operations that pyfuse3 calls, one method each.

Thin by design: find the node, call the piece that knows, answer. What must hold between two
awaits: a node that is used across one is either held by the kernel (it asked about it) or by
`opens`; paths are built right before the call that needs them, and a call that finds nothing is
made again if a rename of this mount moved the node meanwhile.

A node whose path leads nowhere is ESTALE, not ENOENT: the kernel then looks the names up again,
and finds what another client has moved.
"""

import errno
import os
import stat as modes
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import pyfuse3
import trio

from smbmount.client.attributes import FileStat
from smbmount.client.errors import ServerError
from smbmount.client.open_file import OpenFile
from smbmount.client.share import Share
from smbmount.proto.create import CreateOptions, FileAttributes
from smbmount.proto.filetime import from_unix_ns
from smbmount.proto.status import NtStatus

from .attributes import attributes_for, attributes_for_new, entry_of
from .directories import DOTS, DirectoryTable, Listed, OpenDirectory
from .errors import answered
from .inodes import Inode, InodeTable, Unlinked
from .names import LONGEST, BadName, to_linux, to_server
from .open_files import OpenTable, access_for, disposition_for, options_for
from .readahead import Buffer
from .settings import ViewSettings

_BLOCK = 4096  # f_bsize, where the server's own unit is no multiple of it
_KEPT = FileAttributes.HIDDEN | FileAttributes.SYSTEM

T = TypeVar("T")


class Operations(pyfuse3.Operations):
    """A share as a file system."""

    supports_dot_lookup = False
    enable_writeback_cache = False
    enable_acl = False

    def __init__(
        self, share: Share, view: ViewSettings, inodes: InodeTable, opens: OpenTable
    ) -> None:
        super().__init__()
        self._share = share
        self._view = view
        self._inodes = inodes
        self._opens = opens
        self._directories = DirectoryTable()
        self.answering = trio.Event()

    def init(self) -> None:
        """The kernel has said hello: once this has returned, the mount answers."""
        self.answering.set()

    # -- names and attributes -----------------------------------------------------------

    @answered
    async def lookup(
        self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """What a name is; the kernel counts one more reference to it."""
        parent = self._inodes.get(parent_inode)
        there = to_server(name)
        while True:
            with self._inodes.watch(parent, there) as watch:
                path = parent.path_of(there)
                try:
                    stat = await self._share.stat(path)
                except ServerError as error:
                    if error.errno != errno.ENOENT:
                        raise
                    await trio.lowlevel.checkpoint()  # a rename that was answered has its turn
                    if watch.changed or parent.path_of(there) != path:
                        continue
                    self._inodes.lose(parent, there)
                    raise
                if not watch.changed:
                    return self._told(self._inodes.meet(parent, there, stat))

    def _told(self, node: Inode) -> pyfuse3.EntryAttributes:
        """The entry for the kernel, which holds one more reference from now on."""
        node.lookups += 1
        return entry_of(node.number, node.stat, self._view)

    @answered
    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        """The kernel drops references."""
        for number, lookups in inode_list:
            self._inodes.forget(number, lookups)

    @answered
    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        """The metadata now."""
        node = self._inodes.get(inode)
        node.stat = await self._stat(node)
        return entry_of(node.number, node.stat, self._view)

    async def _stat(self, node: Inode) -> FileStat:
        """From an open file if there is one, or a name that moved would be asked for."""
        if node.opens:
            return await node.opens[-1].file.query()
        stat = await self._at(node, self._share.stat)
        if _is_another(node.stat, stat):
            raise pyfuse3.FUSEError(errno.ESTALE)
        return stat

    async def _at(self, node: Inode, work: Callable[[str], Awaitable[T]]) -> T:
        """Do `work` at the node's path; again, if a rename of ours moved it meanwhile."""
        while True:
            path = node.path
            try:
                return await work(path)
            except ServerError as error:
                if error.errno != errno.ENOENT:
                    raise
                await trio.lowlevel.checkpoint()  # a rename that was answered has its turn
                if node.path == path:
                    raise pyfuse3.FUSEError(errno.ESTALE) from error

    @answered
    async def setattr(
        self,
        inode: int,
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: int | None,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        """Size, times, and the write bit of the mode.

        Owners cannot be changed and are not: as with mount.cifs without ACLs, chown succeeds
        and nothing happens, for tar and cp as root would fail otherwise.
        """
        node = self._inodes.get(inode)
        file = self._writer(node, fh)
        try:
            if fields.update_size:
                await self._set_size(node, file, attr.st_size)
            attributes = 0
            if fields.update_mode and not node.stat.is_directory:
                node.stat = await self._stat(node)
                attributes = attributes_for(attr.st_mode, node.stat.attributes) or 0
            accessed = from_unix_ns(attr.st_atime_ns) if fields.update_atime else 0
            written = from_unix_ns(attr.st_mtime_ns) if fields.update_mtime else 0
            if attributes or accessed or written:
                await self._set_basic(node, file, accessed, written, attributes)
        finally:
            node.changed_at = trio.current_time()
        node.stat = await self._stat(node)
        return entry_of(node.number, node.stat, self._view)

    def _writer(self, node: Inode, fh: int | None) -> OpenFile | None:
        """An open file to change the node through: the caller's own, or another, or none."""
        if fh is not None and self._opens[fh].writable:
            return self._opens[fh].file
        return next((opened.file for opened in node.opens if opened.writable), None)

    async def _set_size(self, node: Inode, file: OpenFile | None, size: int) -> None:
        try:
            if file is not None:
                await file.set_size(size)
            else:
                await self._at(node, lambda path: self._share.set_size(path, size))
        finally:
            node.content_changed()

    async def _set_basic(
        self, node: Inode, file: OpenFile | None, accessed: int, written: int, attributes: int
    ) -> None:
        if file is not None:
            await file.set_basic(accessed=accessed, written=written, attributes=attributes)
            return
        await self._at(
            node,
            lambda path: self._share.set_basic(
                path, accessed=accessed, written=written, attributes=attributes
            ),
        )

    @answered
    async def access(self, inode: int, mode: int, ctx: pyfuse3.RequestContext) -> bool:
        """The kernel checks permissions itself (default_permissions); the node must exist."""
        return self._inodes.get(inode) is not None

    @answered
    async def statfs(self, ctx: pyfuse3.RequestContext) -> pyfuse3.StatvfsData:
        """Room on the share's volume."""
        size = await self._share.statfs()
        unit = size.unit if size.unit and size.unit % 512 == 0 else _BLOCK
        data = pyfuse3.StatvfsData()
        data.f_bsize = data.f_frsize = unit
        data.f_blocks = size.total // unit
        data.f_bfree = size.free // unit
        data.f_bavail = size.available // unit
        data.f_namemax = LONGEST
        return data

    # -- directories --------------------------------------------------------------------

    @answered
    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileHandleT:
        """Nothing is opened on the server before the first entry is asked for."""
        return self._directories.add(OpenDirectory(self._inodes.get(inode), self._share))

    @answered
    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        """Names with attributes, as many as the kernel's buffer takes.

        The first two are "." and "..", which the kernel takes without looking into them: they
        count no reference.
        """
        directory = self._directories[fh]
        node = directory.inode
        above = node.links[-1][0] if node.links else node
        async with directory.turn:
            for place, (name, dots) in enumerate(((b".", node), (b"..", above))):
                if start_id <= place:
                    entry = entry_of(dots.number, dots.stat, self._view)
                    if not pyfuse3.readdir_reply(token, pyfuse3.FileNameT(name), entry, place + 1):
                        return
            await directory.seek(max(start_id, DOTS) - DOTS)
            while (listed := await directory.peek()) is not None:
                if not await self._reply(token, directory, listed):
                    return

    async def _reply(
        self, token: pyfuse3.ReaddirToken, directory: OpenDirectory, listed: Listed
    ) -> bool:
        """Give the kernel one entry; False if its buffer is full."""
        try:
            name = to_linux(listed.name)
        except BadName:
            directory.take()  # no name that Linux could ask for it by
            return True
        known = self._inodes.find(directory.inode, listed.name)
        stat = listed.stat
        if known is not None and self._is_newer(known, listed):
            try:
                stat = await self._stat(known)
            except (ServerError, Unlinked, pyfuse3.FUSEError):
                directory.removed(listed.name)  # somebody removed it, or it cannot be shown
            if not directory.still_next(listed):
                return True
        node = self._inodes.meet(directory.inode, listed.name, stat)
        entry = entry_of(node.number, stat, self._view)
        if not pyfuse3.readdir_reply(
            token, pyfuse3.FileNameT(name), entry, directory.at + DOTS + 1
        ):
            self._inodes.retire(node)
            return False
        node.lookups += 1
        directory.take()
        return True

    def _is_newer(self, known: Inode, listed: Listed) -> bool:
        """True if what a name means was changed here since the server listed it.

        A file that is open here may be changing now; its handle knows best.
        """
        if known.changed_at >= listed.asked_at:
            return True
        return bool(known.opens) and known.stat.file_id == listed.stat.file_id

    @answered
    async def releasedir(self, fh: int) -> None:
        """The listing is over."""
        await self._directories.pop(fh).close()

    async def fsyncdir(self, fh: int, datasync: bool) -> None:
        """Names are on the server when it has answered."""

    @answered
    async def mkdir(
        self, parent_inode: int, name: bytes, mode: int, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """A new directory."""
        parent = self._inodes.get(parent_inode)
        there = to_server(name)
        stat = await self._share.mkdir(parent.path_of(there))
        return self._told(self._made(parent, there, stat))

    def _made(self, parent: Inode, name: str, stat: FileStat) -> Inode:
        """The node of something that this mount made just now."""
        node = self._inodes.made(parent, name, stat)
        node.changed_at = trio.current_time()
        return node

    @answered
    async def rmdir(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        """Remove an empty directory."""
        await self._remove(parent_inode, name, directory=True)

    @answered
    async def unlink(self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        """Remove a file's name."""
        await self._remove(parent_inode, name, directory=False)

    async def _remove(self, parent_inode: int, name: bytes, *, directory: bool) -> None:
        parent = self._inodes.get(parent_inode)
        there = to_server(name)
        path = parent.path_of(there)
        try:
            await self._share.remove(path, directory=directory)
        except ServerError as error:
            if error.status != NtStatus.STATUS_CANNOT_DELETE:
                raise
            # SMB does not remove what is read-only; POSIX asks the directory, not the file.
            await self._make_writable(path)
            await self._share.remove(path, directory=directory)
        self._inodes.unlink(parent, there)
        self._directories.removed(parent, there)

    async def _make_writable(self, path: str) -> None:
        stat = await self._share.stat(path)
        attributes = stat.attributes & ~(FileAttributes.READONLY | FileAttributes.NORMAL)
        await self._share.set_basic(path, attributes=attributes or FileAttributes.NORMAL)

    @answered
    async def rename(
        self,
        parent_inode_old: int,
        name_old: bytes,
        parent_inode_new: int,
        name_new: bytes,
        flags: int,
        ctx: pyfuse3.RequestContext,
    ) -> None:
        """Move a name, over another unless RENAME_NOREPLACE forbids. SMB has no exchange."""
        if flags & ~pyfuse3.RENAME_NOREPLACE:
            raise pyfuse3.FUSEError(errno.EINVAL)
        parent, target = self._inodes.get(parent_inode_old), self._inodes.get(parent_inode_new)
        old, new = to_server(name_old), to_server(name_new)
        replace = not flags & pyfuse3.RENAME_NOREPLACE
        try:
            await self._share.rename(parent.path_of(old), target.path_of(new), replace=replace)
        except ServerError as error:
            if not replace or not await self._make_way(error, target, new):
                raise
            await self._share.rename(parent.path_of(old), target.path_of(new), replace=True)
        moved = self._inodes.rename(parent, old, target, new)
        if moved is not None:
            moved.changed_at = trio.current_time()
        self._directories.removed(parent, old)

    async def _make_way(self, error: ServerError, target: Inode, name: str) -> bool:
        """SMB replaces neither a directory nor a read-only file; POSIX does. True to try again.

        The kernel has checked that a directory replaces a directory and a file a file.
        """
        if error.status not in (
            NtStatus.STATUS_ACCESS_DENIED,
            NtStatus.STATUS_OBJECT_NAME_COLLISION,
            NtStatus.STATUS_CANNOT_DELETE,
        ):
            return False
        path = target.path_of(name)
        try:
            stat = await self._share.stat(path)
        except ServerError:
            return False
        if stat.is_directory:
            await self._share.remove(path, directory=True)  # not empty: that is the answer
            return True
        if stat.attributes & FileAttributes.READONLY:
            await self._make_writable(path)
            return True
        return False

    # -- files --------------------------------------------------------------------------

    @answered
    async def open(self, inode: int, flags: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileInfo:
        """Open a file that is there. The kernel's pages of it are dropped: nothing vouches
        for them without a lease."""
        node = self._inodes.get(inode)
        file = await self._at(
            node,
            lambda path: self._share.open(
                path,
                access_for(flags),
                disposition_for(flags, create=False),
                options=options_for(flags),
                # To overwrite a hidden file one must say that it is one ([MS-FSA] 2.1.5.1.2).
                attributes=node.stat.attributes & _KEPT,
            ),
        )
        if _is_another(node.stat, file.stat):
            await file.close()
            raise pyfuse3.FUSEError(errno.ESTALE)
        return self._opened(node, file, flags)

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
        there = to_server(name)
        file = await self._share.open(
            parent.path_of(there),
            access_for(flags),
            disposition_for(flags, create=True),
            options=options_for(flags),
            attributes=attributes_for_new(mode),
        )
        node = self._made(parent, there, file.stat)
        return self._opened(node, file, flags), self._told(node)

    @answered
    async def mknod(
        self, parent_inode: int, name: bytes, mode: int, rdev: int, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """A regular file, for those who make it before they open it."""
        if not modes.S_ISREG(mode):
            raise pyfuse3.FUSEError(errno.EPERM)
        parent = self._inodes.get(parent_inode)
        there = to_server(name)
        file = await self._share.open(
            parent.path_of(there),
            access_for(os.O_RDONLY),
            disposition_for(os.O_EXCL, create=True),
            options=CreateOptions.NON_DIRECTORY_FILE,
            attributes=attributes_for_new(mode),
        )
        await file.close()
        return self._told(self._made(parent, there, file.stat))

    @answered
    async def symlink(
        self, parent_inode: int, name: bytes, target: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """Plain SMB has no symbolic links."""
        raise pyfuse3.FUSEError(errno.EOPNOTSUPP)

    @answered
    async def link(
        self,
        inode: int,
        new_parent_inode: int,
        new_name: bytes,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        """Names are not added to files yet; ENOSYS would make the kernel never ask again."""
        raise pyfuse3.FUSEError(errno.EOPNOTSUPP)

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

    async def flush(self, fh: int) -> None:
        """close(2) of one descriptor. Nothing is held back here, so nothing is due."""

    @answered
    async def fsync(self, fh: int, datasync: bool) -> None:
        """Have the server put the file on its disk."""
        opened = self._opens[fh]
        # A server flushes what was written through a handle that may write.
        file = opened.file if opened.writable else self._writer(opened.inode, None)
        if file is not None:
            await file.flush()

    @answered
    async def release(self, fh: int) -> None:
        """The last descriptor is closed."""
        await self._opens.release(fh)

    async def close_all(self) -> None:
        """Close what is open when the mount ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._directories.close_all)
            nursery.start_soon(self._opens.release_all)


def _is_another(known: FileStat, found: FileStat) -> bool:
    """True if a path leads to another file by now: another client has put it there."""
    if not known.file_id or not found.file_id:  # a server without ids
        return known.is_directory != found.is_directory
    return known.file_id != found.file_id
