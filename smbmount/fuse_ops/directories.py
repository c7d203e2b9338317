"""Directories that applications list.

The server's answers are passed on as they come: a directory of any size takes the memory of one
answer. The offset that telldir(3) gives is the entry's place in the listing; going on from the
last entry is what every reader does, and a reader that goes back makes the listing start anew.
"""

from collections import deque
from collections.abc import AsyncGenerator

import trio

from smbmount.client.attributes import DirectoryEntry
from smbmount.client.share import Share

from .inodes import Inode


class OpenDirectory:
    """One opendir(3)."""

    def __init__(self, inode: Inode, share: Share) -> None:
        self.inode = inode
        self._share = share
        self._batches: AsyncGenerator[list[DirectoryEntry], None] | None = None
        self._waiting: deque[DirectoryEntry] = deque()
        self._at = 0  # place of the first waiting entry
        self._ended = False
        self._turn = trio.Lock()  # threads of one process may share the directory stream

    async def seek(self, place: int) -> None:
        """Make the entry at `place` the next one, from a fresh listing if need be.

        Raises ClientError, Unlinked.
        """
        if place == 0 or place < self._at or self._batches is None:
            await self.close()
            self._batches = self._share.scan(self.inode.path)
            self._waiting.clear()
            self._at, self._ended = 0, False
        while self._at < place and await self.peek() is not None:
            self.take()

    async def peek(self) -> DirectoryEntry | None:
        """The next entry, None at the end. Raises ClientError."""
        while not self._waiting and not self._ended:
            assert self._batches is not None
            try:
                self._waiting.extend(await anext(self._batches))
            except StopAsyncIteration:
                self._ended = True
        return self._waiting[0] if self._waiting else None

    def take(self) -> int:
        """Go past the entry that `peek` showed; the place of the one behind it."""
        self._waiting.popleft()
        self._at += 1
        return self._at

    @property
    def turn(self) -> trio.Lock:
        """Hold it from `seek` to the last `take`."""
        return self._turn

    async def close(self) -> None:
        """Close on the server. Raises ClientError."""
        if self._batches is not None:
            batches, self._batches = self._batches, None
            await batches.aclose()
