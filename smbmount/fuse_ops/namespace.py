"""Operations on names: looking them up, making and removing them."""

import errno
import os
import stat as modes
from collections.abc import Sequence

import pyfuse3
import trio

from smbmount.client.errors import ServerError
from smbmount.client.names import is_hidden
from smbmount.client.open_file import OpenFile
from smbmount.proto.create import CreateOptions, FileAttributes
from smbmount.proto.status import NtStatus

from .attributes import attributes_for_new
from .errors import answered
from .inodes import Inode
from .links import LinkOperations
from .names import BadName
from .open_files import access_for, disposition_for


class NameOperations(LinkOperations):
    """lookup, forget, mkdir, mknod, unlink, rmdir."""

    @answered
    async def lookup(
        self, parent_inode: int, name: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """What a name is; the kernel counts one more reference to it."""
        parent = self._inodes.get(parent_inode)
        try:
            there = self._there(name)
        except BadName as bad:
            if bad.errno == errno.ENAMETOOLONG:
                raise
            raise pyfuse3.FUSEError(errno.ENOENT) from bad  # nothing has a name that cannot be
        if is_hidden(there):
            raise pyfuse3.FUSEError(errno.ENOENT)
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

    @answered
    async def forget(self, inode_list: Sequence[tuple[int, int]]) -> None:
        """The kernel drops references."""
        for number, lookups in inode_list:
            self._inodes.forget(number, lookups)

    @answered
    async def mkdir(
        self, parent_inode: int, name: bytes, mode: int, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """A new directory."""
        parent = self._inodes.get(parent_inode)
        there = self._there(name)
        stat = await self._share.mkdir(parent.path_of(there), mode)
        return self._told(self._made(parent, there, stat, mode))

    @answered
    async def mknod(
        self, parent_inode: int, name: bytes, mode: int, rdev: int, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """A fifo, socket or device node; also a regular file that is opened later."""
        if not modes.S_ISREG(mode):
            return await self._make_special(parent_inode, name, mode, rdev)
        parent = self._inodes.get(parent_inode)
        there = self._there(name)
        file = await self._share.open(
            parent.path_of(there),
            access_for(os.O_RDONLY),
            disposition_for(os.O_EXCL, create=True),
            options=CreateOptions.NON_DIRECTORY_FILE,
            attributes=attributes_for_new(mode, posix=self._share.posix),
            mode=mode,
        )
        await file.close()
        return self._told(self._made(parent, there, file.stat, mode))

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
        there = self._there(name)
        path = parent.path_of(there)
        node = self._inodes.find(parent, there)
        try:
            hidden = await self._take_away(node, path, directory)
        except ServerError as error:
            if error.status != NtStatus.STATUS_CANNOT_DELETE:
                raise
            # SMB does not remove what is read-only; POSIX asks the directory, not the file.
            await self._make_writable(path)
            hidden = await self._take_away(node, path, directory)
        self._inodes.unlink(parent, there, hidden=hidden)
        self._directories.removed(parent, there)

    async def _take_away(self, node: Inode | None, path: str, directory: bool) -> bool:
        """Remove it; what is open here loses its name now, and the rest at the last close.

        True if there is such a rest.
        """
        if node is not None and (node.opens or self._directories.lists(node)):
            rest = await self._share.remove_open(path, directory=directory)
            return await self._left_to(node, rest)
        await self._share.remove(path, directory=directory)
        return False

    async def _left_to(self, node: Inode | None, rest: OpenFile) -> bool:
        """Keep what is left of a node for as long as it is open here; True if it is."""
        if node is not None and node.opens:
            node.rests.append(rest)
            return True
        await rest.close()
        return False

    async def _make_writable(self, path: str) -> None:
        stat = await self._share.stat(path)
        attributes = stat.attributes & ~(FileAttributes.READONLY | FileAttributes.NORMAL)
        await self._share.set_basic(path, attributes=attributes or FileAttributes.NORMAL)
