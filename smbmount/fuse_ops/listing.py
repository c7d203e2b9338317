"""Operations that list directories."""

import pyfuse3

from smbmount.client.errors import ServerError

from . import extension
from .base import ShareOperations
from .directories import DOTS, Listed, OpenDirectory
from .errors import answered
from .inodes import Inode, Unlinked
from .names import BadName


class ListingOperations(ShareOperations):
    """opendir, readdir, releasedir, fsyncdir."""

    @answered
    async def opendir(self, inode: int, ctx: pyfuse3.RequestContext) -> pyfuse3.FileHandleT:
        """Nothing is opened on the server before the first entry is asked for."""
        directory = self._inodes.get(inode)
        if hints := self._remembered.hints(directory):
            extension.hint(extension.current_request(), hints)
        return self._directories.add(OpenDirectory(directory, self._share))

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
                    entry = self._entry(dots)
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
            name = self._here(listed.name)
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
        entry = self._entry(node)
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
