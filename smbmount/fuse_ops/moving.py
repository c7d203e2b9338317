"""Moving a directory while something below it is open.

SMB refuses that ([MS-FSA] 2.1.4.2), be it for a file that an application holds or for another
operation's round trip. So the mover goes in alone, closes what this mount has open below, and
opens each again at its new place; what another client has open still forbids the move. Nothing is
closed before it was seen that all of it can be opened again, as the very file it is, and nothing
at all where a lock would be lost.
"""

import errno
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

from smbmount.client.errors import ClientError, ServerError
from smbmount.client.open_file import OpenFile, together
from smbmount.client.share import Share

from .directories import DirectoryTable
from .gate import Crowded
from .inodes import Inode, is_another
from .locks.node import LockFailed
from .open_files import OpenNode, OpenTable

_log = logging.getLogger(__name__)


class _Held(ClientError):
    """Something below must not be closed."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EACCES, reason)


class DirectoryMover:
    """Moves directories of one mount."""

    def __init__(self, share: Share, opens: OpenTable, directories: DirectoryTable) -> None:
        self._share = share
        self._opens = opens
        self._directories = directories

    async def move(
        self, node: Inode, work: Callable[[], Awaitable[None]], refused: ServerError
    ) -> None:
        """Do `work`, which moves the directory `node` and was `refused`, with nothing open below.

        For an operation that is outside the gate and will not be cancelled, or files would stay
        closed. Raises what `work` raises, and `refused` if it cannot be done.
        """
        try:
            async with self._opens.gate.alone():
                await self._without_what_is_open(node, work)
        except (_Held, Crowded, LockFailed) as error:
            _log.debug("%r stays where it is: %s", node, error)
            raise refused from error

    async def _without_what_is_open(self, node: Inode, work: Callable[[], Awaitable[None]]) -> None:
        held = [opened for opened in self._opens if opened.inode.is_below(node)]
        await self._rehearse(held)
        async with AsyncExitStack() as resting:
            for inode in {opened.inode for opened in held}:
                if inode.locks is not None:
                    await resting.enter_async_context(inode.locks.resting())
            for opened in held:
                opened.readahead.drop()
            await self._directories.close_below(node)
            try:
                await _each(held, self._close)
                await work()
            finally:
                await _each(held, self._open_again)

    async def _rehearse(self, held: list[OpenNode]) -> None:
        """Raises _Held if one of them could not be opened again."""
        try:
            await _each(held, self._try)
        except ClientError as error:
            raise _Held(str(error)) from error

    async def _try(self, opened: OpenNode) -> None:
        await (await self._same(opened)).close()

    async def _same(self, opened: OpenNode) -> OpenFile:
        """The file of `opened`, opened once more in the same way. Raises ClientError, _Held."""
        file = await self._share.open_again(opened.file, opened.inode.path)
        if is_another(opened.inode.stat, file.stat):
            await file.close()
            raise _Held(f"{opened.file!r} is another file by now")
        return file

    async def _close(self, opened: OpenNode) -> None:
        await opened.file.close()

    async def _open_again(self, opened: OpenNode) -> None:
        if not opened.file.closed:
            return
        try:
            opened.file.go_on_as(await self._same(opened))
        except (ClientError, _Held) as error:
            _log.warning(
                "%s: %r was closed to move a directory, and is lost to the programs that have it "
                "open: %s", self._share.label, opened.inode, error
            )  # fmt: skip


async def _each(held: list[OpenNode], work: Callable[[OpenNode], Awaitable[None]]) -> None:
    async def one(number: int) -> None:
        await work(held[number])

    await together(one, len(held))
