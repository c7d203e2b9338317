"""Operations on links and special files: making them, and reading where a link leads."""

import errno
import stat as modes

import pyfuse3

from smbmount.client.link_formats import Special

from .attributes import DEFAULT_LINK_MODE
from .base import ShareOperations
from .errors import answered
from .names import BadName, to_linux, to_server


class LinkOperations(ShareOperations):
    """symlink, readlink, link."""

    @answered
    async def symlink(
        self, parent_inode: int, name: bytes, target: bytes, ctx: pyfuse3.RequestContext
    ) -> pyfuse3.EntryAttributes:
        """A symbolic link, as the mount's options and the server have them."""
        if not self._share.links.keeps_exactly(target):
            parts = (self._mapped(part) for part in target.split(b"/"))
            target = b"/".join(parts)
        return await self._make(
            parent_inode, name, Special(modes.S_IFLNK, target), DEFAULT_LINK_MODE
        )

    def _mapped(self, part: bytes) -> bytes:
        """A component of a target, spelled as the file it names is on the server."""
        if part in (b"", b".", b".."):
            return part
        try:
            return to_server(part).encode("utf-8", "surrogatepass")
        except BadName as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return part  # a link may lead to what cannot be

    async def _make_special(
        self, parent_inode: int, name: bytes, mode: int, rdev: int
    ) -> pyfuse3.EntryAttributes:
        """mknod of a fifo, socket or device."""
        return await self._make(
            parent_inode, name, Special(modes.S_IFMT(mode), device=rdev), modes.S_IMODE(mode)
        )

    async def _make(
        self, parent_inode: int, name: bytes, special: Special, mode: int
    ) -> pyfuse3.EntryAttributes:
        parent = self._inodes.get(parent_inode)
        there = self._there(name)
        stat = await self._share.make(parent.path_of(there), special, mode)
        return self._told(self._made(parent, there, stat, mode))

    @answered
    async def readlink(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileNameT:
        """Where a symbolic link leads."""
        node = self._inodes.get(inode)
        special = await self._at(node, lambda path: self._share.links.read(path, node.stat))
        if not special.windows:
            return pyfuse3.FileNameT(special.target)
        parts = special.target.split(b"/")
        return pyfuse3.FileNameT(
            b"/".join(
                part
                if part in (b"", b".", b"..")
                else to_linux(part.decode("utf-8", "surrogatepass"))
                for part in parts
            )
        )

    @answered
    async def link(
        self,
        inode: int,
        new_parent_inode: int,
        new_name: bytes,
        ctx: pyfuse3.RequestContext,
    ) -> pyfuse3.EntryAttributes:
        """One more name for a file."""
        node = self._inodes.get(inode)
        parent = self._inodes.get(new_parent_inode)
        there = self._there(new_name)
        stat = await self._at(
            node, lambda path: self._share.links.link(path, parent.path_of(there))
        )
        return self._told(self._made(parent, there, stat))
