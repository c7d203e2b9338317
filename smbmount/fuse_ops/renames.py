"""Moving a name, which SMB refuses more often than POSIX does.

It replaces no directory and nothing read-only: what is in the way goes first, and comes back if the
move fails all the same. It moves no directory with something open below: `moving` knows how.
"""

import errno
from collections.abc import Awaitable, Callable
from functools import partial
from typing import NamedTuple

import pyfuse3
import trio

from smbmount.client.errors import ServerError
from smbmount.client.share import Share
from smbmount.proto.create import FileAttributes
from smbmount.proto.status import NtStatus

from .errors import answered
from .gaps import mark_again
from .inodes import Inode, InodeTable
from .moving import DirectoryMover
from .namespace import NameOperations
from .open_files import OpenTable
from .settings import ViewSettings

_IN_THE_WAY = (
    NtStatus.STATUS_ACCESS_DENIED,
    NtStatus.STATUS_OBJECT_NAME_COLLISION,
    NtStatus.STATUS_CANNOT_DELETE,
)

Undo = Callable[[], Awaitable[object]]


class _Names(NamedTuple):
    """A name, and what it shall be."""

    parent: Inode
    old: str
    target: Inode
    new: str
    replace: bool


class RenameOperations(NameOperations):
    """rename."""

    def __init__(
        self, share: Share, view: ViewSettings, inodes: InodeTable, opens: OpenTable
    ) -> None:
        super().__init__(share, view, inodes, opens)
        self._mover = DirectoryMover(share, opens, self._directories)

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
        names = _Names(
            self._inodes.get(parent_inode_old),
            self._there(name_old),
            self._inodes.get(parent_inode_new),
            self._there(name_new),
            not flags & pyfuse3.RENAME_NOREPLACE,
        )
        try:
            await self._move(names)
        except ServerError as error:
            if error.status not in _IN_THE_WAY:
                raise
            again = partial(self._move_all_the_same, names, error)
            with self._opens.gate.outside():
                await self._share.tree.connection.apart(again)

    async def _move(self, names: _Names) -> None:
        """Have the server do it, and the tables follow. Raises ServerError."""
        parent, old, target, new, replace = names
        moving = self._inodes.find(parent, old)
        replaced = self._inodes.find(target, new)
        rest = await self._share.rename(
            parent.path_of(old),
            target.path_of(new),
            replace=replace,
            special=moving is not None
            and bool(moving.stat.attributes & FileAttributes.REPARSE_POINT),
        )
        hidden = rest is not None and await self._left_to(replaced, rest)
        moved = self._inodes.rename(parent, old, target, new, hidden=hidden)
        self._directories.removed(parent, old)
        if moved is not None:
            moved.changed_at = trio.current_time()
            await mark_again(moved, self._share)

    async def _move_all_the_same(self, names: _Names, refused: ServerError) -> None:
        """Once more, with nothing in the way. Raises `refused`, or what comes of it.

        For one who is outside the gate, and goes on if its caller leaves.
        """
        gate = self._opens.gate
        undo: Undo | None = None
        try:
            await gate.passed()
            with gate:
                undo = await self._make_way(names) if names.replace else None
                if undo is not None:
                    try:
                        return await self._move(names)
                    except ServerError as error:
                        refused = error
            moving = self._inodes.find(names.parent, names.old)
            if (
                moving is None
                or not moving.stat.is_directory
                or refused.status != NtStatus.STATUS_ACCESS_DENIED
                or self._share.posix  # where what is open below is no hindrance
            ):
                raise refused
            await self._mover.move(moving, partial(self._move, names), refused)
        except BaseException:
            if undo is not None:
                with trio.CancelScope(shield=True):
                    await undo()
            raise
        return None

    async def _make_way(self, names: _Names) -> Undo | None:
        """Remove what SMB does not replace; how to bring it back, or None if nothing was there.

        The kernel has checked that a directory replaces a directory and a file a file. Raises
        ServerError for a directory that is not empty.
        """
        path = names.target.path_of(names.new)
        try:
            stat = await self._share.stat(path)
        except ServerError:
            return None
        if stat.is_directory:
            await self._take_away(self._inodes.find(names.target, names.new), path, True)
            return partial(self._share.mkdir, path)
        if stat.attributes & FileAttributes.READONLY:
            await self._make_writable(path)
            return partial(self._share.set_basic, path, attributes=stat.attributes)
        return None
