"""chmod and chown: on the server where it has modes and owners, else as mount.cifs does.

Without POSIX extensions a mode's write bits are the read-only attribute, and nothing else of it
is kept; an owner is not kept at all. Neither fails, or tar and cp as root would. With `dynperm`
both are remembered for as long as the kernel knows the file.
"""

import errno
import stat as modes
from collections.abc import Awaitable, Callable

import pyfuse3

from smbmount.client.errors import ServerError

from .attributes import Remembered, attributes_for, owner_of
from .base import ShareOperations
from .inodes import Inode


class PermissionOperations(ShareOperations):
    """The part of setattr that is about permissions."""

    async def _set_permissions(
        self, node: Inode, attr: pyfuse3.EntryAttributes, fields: pyfuse3.SetattrFields
    ) -> int:
        """chmod and chown; the attributes that are to be set with the times, 0 for none.

        Raises ClientError, and EPERM where the server lets only others do it.
        """
        uid = int(attr.st_uid) if fields.update_uid else None
        gid = int(attr.st_gid) if fields.update_gid else None
        if uid is not None or gid is not None:
            await self._chown(node, uid, gid)
        return await self._chmod(node, int(attr.st_mode)) if fields.update_mode else 0

    async def _chmod(self, node: Inode, mode: int) -> int:
        if self._share.posix:
            if self._rest(node) is not None:  # no client can open it any more
                self._remember(node).mode = modes.S_IMODE(mode)
                return 0
            await self._at(
                node,
                lambda path: _permitted(lambda: self._share.set_mode(path, modes.S_IMODE(mode))),
            )
            return 0
        if self._view.dynamic:
            self._remember(node).mode = modes.S_IMODE(mode)
        if node.stat.type != modes.S_IFREG:
            return 0
        node.stat = await self._stat(node)  # another client may have changed the attributes
        return attributes_for(mode, node.stat.attributes) or 0

    async def _chown(self, node: Inode, uid: int | None, gid: int | None) -> None:
        shown_uid, shown_gid = owner_of(node.stat, self._view, node.remembered)
        uid = None if uid == shown_uid else uid
        gid = None if gid == shown_gid else gid
        if uid is None and gid is None:
            return
        if self._share.posix and self._rest(node) is None:
            await self._give(node, uid, gid)
        elif self._share.posix or self._view.dynamic:
            remembered = self._remember(node)
            remembered.uid = remembered.uid if uid is None else uid
            remembered.gid = remembered.gid if gid is None else gid

    def _remember(self, node: Inode) -> Remembered:
        node.remembered = node.remembered or Remembered()
        return node.remembered

    async def _give(self, node: Inode, uid: int | None, gid: int | None) -> None:
        """chown on the server.

        The mount's own uid and gid stand for the account that signed on, whose numbers nobody
        knows here: to give a file to them is to leave it, if the server says no.
        """
        try:
            await self._at(
                node, lambda path: _permitted(lambda: self._share.set_owner(path, uid, gid))
            )
        except pyfuse3.FUSEError as error:
            to_us = uid in (None, self._view.uid) and gid in (None, self._view.gid)
            if error.errno != errno.EPERM or not to_us:
                raise


async def _permitted(work: Callable[[], Awaitable[None]]) -> None:
    """Do it; what the server denies is EPERM, as chmod(2) and chown(2) have it, not EACCES."""
    try:
        await work()
    except ServerError as error:
        if error.errno == errno.EACCES:
            raise pyfuse3.FUSEError(errno.EPERM) from error
        raise
