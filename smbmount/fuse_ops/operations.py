"""The operations that pyfuse3 calls, one method each.

Thin by design: find the node, call the piece that knows, answer. What must hold between two
awaits: a node that is used across one is either held by the kernel (it asked about it) or by
`opens`; paths are built right before the call that needs them.
"""

import errno
import os
import stat as modes
from collections.abc import Sequence

import pyfuse3

from smbmount.client.attributes import FileStat
from smbmount.client.errors import ServerError
from smbmount.client.share import Share
from smbmount.proto.create import CreateOptions, FileAttributes
from smbmount.proto.filetime import from_unix_ns
from smbmount.proto.status import NtStatus

from .attributes import attributes_for, attributes_for_new, entry_of
from .directories import OpenDirectory
from .errors import answered
from .inodes import Inode, InodeTable
from .names import LONGEST, BadName, to_linux, to_server
from .open_files import OpenTable, access_for, disposition_for, options_for
from .readahead import Buffer
from .settings import ViewSettings

_BLOCK = 4096  # f_bsize, where the server's own unit is no multiple of it


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
        self._directories: dict[int, OpenDirectory] = {}
        self._last_directory = 0

    # -- names and attributes -----------------------------------------------------------

    @answered
    async def lookup(
        self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """What a name is; the kernel counts one more reference to it."""
        parent = self._inodes.get(parent_inode)
        there = to_server(name)
        try:
            stat = await self._share.stat(parent.path_of(there))
        except ServerError as error:
            if error.errno == errno.ENOENT:
                self._inodes.unlink(parent, there)
            raise
        return self._told(self._inodes.meet(parent, there, stat))

    def _told(self, node: Inode) -> pyfuse3.EntryAttributes:
        """The entry for the kernel, which holds one more reference from now on."""
        node.lookups += 1
        return entry_of(node.number, node.stat, self._view)

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
        return await self._share.stat(node.path)

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
        if fields.update_size:
            await self._set_size(node, attr.st_size, fh)
        attributes = None
        if fields.update_mode and not node.stat.is_directory:
            node.stat = await self._stat(node)
            attributes = attributes_for(attr.st_mode, FileAttributes(node.stat.attributes))
        accessed = from_unix_ns(attr.st_atime_ns) if fields.update_atime else 0
        written = from_unix_ns(attr.st_mtime_ns) if fields.update_mtime else 0
        if attributes or accessed or written:
            await self._share.set_basic(
                node.path, accessed=accessed, written=written, attributes=attributes or 0
            )
        node.stat = await self._stat(node)
        return entry_of(node.number, node.stat, self._view)

    async def _set_size(self, node: Inode, size: int, fh: int | None) -> None:
        writer = next((opened for opened in node.opens if opened.writable), None)
        if fh is not None and self._opens[fh].writable:
            writer = self._opens[fh]
        try:
            if writer is not None:
                await writer.file.set_size(size)
            else:
                await self._share.set_size(node.path, size)
        finally:
            for opened in node.opens:
                opened.readahead.drop()

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
        self._last_directory += 1
        directory = OpenDirectory(self._inodes.get(inode), self._share)
        self._directories[self._last_directory] = directory
        return pyfuse3.FileHandleT(self._last_directory)

    @answered
    async def readdir(self, fh: int, start_id: int, token: pyfuse3.ReaddirToken) -> None:
        """Names with attributes, as many as the kernel's buffer takes."""
        directory = self._directories[fh]
        async with directory.turn:
            await directory.seek(start_id)
            place = start_id
            while (entry := await directory.peek()) is not None:
                place += 1
                try:
                    name = to_linux(entry.name)
                except BadName:
                    directory.take()
                    continue
                node = self._inodes.meet(directory.inode, entry.name, entry.stat)
                attributes = entry_of(node.number, node.stat, self._view)
                if not pyfuse3.readdir_reply(token, pyfuse3.FileNameT(name), attributes, place):
                    self._inodes.retire(node)
                    return
                node.lookups += 1
                directory.take()

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
        return self._told(self._inodes.meet(parent, there, stat))

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
        self._inodes.rename(parent, old, target, new)

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
        file = await self._share.open(
            node.path,
            access_for(flags),
            disposition_for(flags, create=False),
            options=options_for(flags),
        )
        node.stat = file.stat
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
        node = self._inodes.meet(parent, there, file.stat)
        entry = self._told(node)
        return pyfuse3.FileInfo(fh=self._opens.add(node, file, flags), keep_cache=False), entry

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
        return self._told(self._inodes.meet(parent, there, file.stat))

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
        await self._opens[fh].file.flush()

    @answered
    async def release(self, fh: int) -> None:
        """The last descriptor is closed."""
        await self._opens.release(fh)

    async def close_all(self) -> None:
        """Close what is open when the mount ends."""
        for directory in self._directories.values():
            await directory.close()
        await self._opens.release_all()
