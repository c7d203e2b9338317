"""What all operations share: the mount's tables, and the ways from a node to the server.

What must hold between two awaits: a node that is used across one is either held by the kernel (it
asked about it) or by `opens`; paths are built right before the call that needs them, and a call
that finds nothing is made again if a rename of this mount moved the node meanwhile.

A node whose path leads nowhere is ESTALE, not ENOENT: the kernel then looks the names up again,
and finds what another client has moved.
"""

import errno
import stat as modes
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import pyfuse3
import trio

from smbmount.client.attributes import FileStat
from smbmount.client.errors import ServerError
from smbmount.client.open_file import OpenFile
from smbmount.client.share import Share

from .attributes import Remembered, entry_of
from .directories import DirectoryTable
from .inodes import Inode, InodeTable, is_another
from .names import from_posix, to_linux, to_posix, to_server
from .open_files import OpenTable
from .remembered import RememberedListings
from .settings import ViewSettings

T = TypeVar("T")


class ShareOperations(pyfuse3.Operations):
    """A share's tables and nodes; the operations are in the classes made from this one."""

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
        self._remembered = RememberedListings()

    def _told(self, node: Inode) -> pyfuse3.EntryAttributes:
        """The entry for the kernel, which holds one more reference from now on."""
        node.lookups += 1
        return self._entry(node)

    def _entry(self, node: Inode) -> pyfuse3.EntryAttributes:
        """What stat(2) shows of the node."""
        stat = node.stat
        if node.written_at and stat.mode is None:
            # A server may tell of a write's time only when two seconds have passed, or the file
            # is closed: without the POSIX extensions Samba does, and NTFS.
            written = max(stat.written, node.written_at + self._share.clock)
            stat = replace(stat, written=written, changed=max(stat.changed, written))
        return entry_of(node.number, stat, self._view, node.remembered, len(node.rests))

    def _there(self, name: bytes) -> str:
        """The server's spelling of a name. Raises BadName."""
        return to_posix(name) if self._share.posix else to_server(name, self._view.mapping)

    def _here(self, name: str) -> bytes:
        """Linux's spelling of a server's name. Raises BadName."""
        return from_posix(name) if self._share.posix else to_linux(name, self._view.mapping)

    def _made(self, parent: Inode, name: str, stat: FileStat, mode: int | None = None) -> Inode:
        """The node of something that this mount made just now, to have `mode`."""
        node = self._inodes.made(parent, name, stat)
        if mode is not None and self._view.dynamic and stat.mode is None:
            node.remembered = Remembered(modes.S_IMODE(mode))
        node.changed_at = trio.current_time()
        return node

    async def _stat(self, node: Inode) -> FileStat:
        """From an open file if there is one, or a name that moved would be asked for."""
        if node.opens:
            return await node.opens[-1].file.query()
        if node.gone:
            return node.stat
        stat = await self._at(node, self._share.stat)
        if is_another(node.stat, stat):
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

    def _rest(self, node: Inode) -> OpenFile | None:
        """What is left on the server of an open file that has lost its names."""
        return node.rests[-1] if node.rests and not node.links else None

    def _writer(self, node: Inode, fh: int | None) -> OpenFile | None:
        """An open file to change the node through: the caller's own, or another, or none."""
        if fh is not None and self._opens[fh].writable:
            return self._opens[fh].way(writing=True)
        return next((opened.way(writing=True) for opened in node.opens if opened.writable), None)
