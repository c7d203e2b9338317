"""Operations on what a node is like: attributes, sizes, times, room on the volume."""

import pyfuse3
import trio

from smbmount.client.open_file import OpenFile
from smbmount.proto.filetime import from_unix_ns

from .attributes import as_set
from .errors import answered
from .gaps import expect_gap, is_gap, mark_again
from .inodes import Inode
from .names import LONGEST
from .permissions import PermissionOperations

_BLOCK = 4096  # f_bsize, where the server's own unit is no multiple of it


class MetadataOperations(PermissionOperations):
    """getattr, setattr, access, statfs."""

    @answered
    async def getattr(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.EntryAttributes:
        """The metadata now."""
        node = self._inodes.get(inode)
        node.stat = await self._stat(node)
        return self._entry(node)

    @answered
    async def setattr(
        self,
        inode: int,
        attr: pyfuse3.EntryAttributes,
        fields: pyfuse3.SetattrFields,
        fh: int | None,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        """Size, times, mode and owner: what the server can keep of them (`permissions`)."""
        node = self._inodes.get(inode)
        if node.gone and not node.opens:  # nobody else will ever see it
            node.stat = as_set(node.stat, attr, fields)
            return self._entry(node)
        file = self._writer(node, fh) or self._rest(node)
        try:
            if fields.update_size:
                await self._set_size(node, file, attr.st_size)
            attributes = await self._set_permissions(node, attr, fields)
            accessed = from_unix_ns(attr.st_atime_ns) if fields.update_atime else 0
            written = from_unix_ns(attr.st_mtime_ns) if fields.update_mtime else 0
            if attributes or accessed or written:
                await self._set_basic(node, file, accessed, written, attributes)
            if written:
                node.written_at = 0
            if attributes:
                await mark_again(node, self._share)
        finally:
            node.changed_at = trio.current_time()
        node.stat = await self._stat(node)
        return self._entry(node)

    async def _set_size(self, node: Inode, file: OpenFile | None, size: int) -> None:
        try:
            if file is not None:
                await expect_gap(node, file, node.stat.size, size)
                await file.set_size(size)
            else:
                sparse = is_gap(node.stat.size, size)
                await self._at(node, lambda path: self._share.set_size(path, size, sparse=sparse))
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
        data.f_files, data.f_ffree, data.f_favail = size.files, size.free_files, size.free_files
        data.f_namemax = LONGEST
        return data
