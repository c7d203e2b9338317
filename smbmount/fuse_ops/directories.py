"""Directories that applications list.

The server's answers are passed on as they come: a directory of any size takes the memory of one
answer, and of the names already given. The offset that telldir(3) gives is the entry's place in
the listing.

A reader goes back a little whenever the kernel asked for more than the reader's buffer took; what
the last reply held is kept for that. One that goes back further (seekdir) gets a fresh listing
without the names that came before that place: none that stayed is missed or seen twice.

What waits here can be overtaken by this mount's own doings. A name that was removed since the
server was asked is not shown; metadata that was changed since is asked for again (`Listed.asked_at`
is for that).
"""

from collections import deque
from collections.abc import AsyncGenerator
from typing import NamedTuple

import pyfuse3
import trio

from smbmount.client.attributes import DirectoryEntry, FileStat
from smbmount.client.errors import ClientError
from smbmount.client.share import Share

from .inodes import Inode

DOTS = 2  # places taken by "." and "..", which the server's listing does not have


class Listed(NamedTuple):
    """An entry as the server told it."""

    name: str
    stat: FileStat
    asked_at: float  # trio's clock, before the server was asked


class OpenDirectory:
    """One opendir(3). Places count the server's entries, from 0."""

    def __init__(self, inode: Inode, share: Share) -> None:
        self.inode = inode
        self.at = 0  # place of the next entry
        self.turn = trio.Lock()  # threads of one process may share it: held for a whole reply
        self._share = share
        self._batches: AsyncGenerator[list[DirectoryEntry], None] | None = None
        self._ended = False
        self._waiting: deque[Listed] = deque()
        self._given: list[Listed] = []  # since the reply before this one began
        self._names: list[str] = []  # of all places before `at`
        self._skip: frozenset[str] = frozenset()  # what a fresh listing must not repeat
        self._gone: dict[str, float] = {}  # names that this mount removed, and when

    async def seek(self, place: int) -> None:
        """Make the entry at `place` the next one. Raises ClientError, Unlinked."""
        back = self.at - place
        if place == 0 or (self._batches is None and not self._names):
            await self._begin([])
        elif self._batches is None:  # a reader was interrupted, and the listing with it
            await self._begin(self._names[:place])
        elif 0 < back <= len(self._given):
            self._waiting.extendleft(reversed(self._given[-back:]))
            del self._names[place:]
            self.at = place
        elif back > 0:
            await self._begin(self._names[:place])
        self._given.clear()
        while self.at < place and await self.peek() is not None:
            self.take()

    async def _begin(self, names: list[str]) -> None:
        """A fresh listing, of what comes after `names`."""
        await self.close()
        self._batches = self._share.scan(self.inode.path)
        self._waiting.clear()
        self._gone.clear()
        self._names, self._skip = names, frozenset(names)
        self.at, self._ended = len(names), False

    async def peek(self) -> Listed | None:
        """The next entry, None at the end. Raises ClientError."""
        while True:
            while self._waiting:
                listed = self._waiting[0]
                if listed.name not in self._skip and not self._is_gone(listed):
                    return listed
                self._waiting.popleft()
            if self._ended:
                return None
            await self._fetch()

    async def _fetch(self) -> None:
        assert self._batches is not None
        oldest = self._given[0].asked_at if self._given else trio.current_time()
        self._gone = {name: when for name, when in self._gone.items() if when >= oldest}
        now = trio.current_time()
        try:
            batch = await anext(self._batches)
        except StopAsyncIteration:
            self._ended = True
            return
        except BaseException:
            self._batches = None  # a listing that failed has ended: the next reader begins anew
            raise
        self._waiting.extend(Listed(entry.name, entry.stat, now) for entry in batch)

    def take(self) -> None:
        """Go past the entry that `peek` showed."""
        listed = self._waiting.popleft()
        self._given.append(listed)
        self._names.append(listed.name)
        self.at += 1

    @property
    def is_open(self) -> bool:
        """True while the server holds the listing open for us."""
        return self._batches is not None and not self._ended

    def still_next(self, listed: Listed) -> bool:
        """False if what `peek` showed was removed since."""
        return bool(self._waiting) and self._waiting[0] is listed and not self._is_gone(listed)

    def removed(self, name: str) -> None:
        """This mount removed the name, or moved it away."""
        self._gone[name] = trio.current_time()

    def _is_gone(self, listed: Listed) -> bool:
        when = self._gone.get(listed.name)
        return when is not None and when >= listed.asked_at

    async def close(self) -> None:
        """Close on the server. Raises ClientError."""
        if self._batches is not None:
            batches, self._batches = self._batches, None
            await batches.aclose()


class DirectoryTable:
    """All directories of a mount that are being listed, by handle."""

    def __init__(self) -> None:
        self._by_handle: dict[int, OpenDirectory] = {}
        self._last_handle = 0

    def __getitem__(self, handle: int) -> OpenDirectory:
        return self._by_handle[handle]

    def add(self, directory: OpenDirectory) -> pyfuse3.FileHandleT:
        """A handle for it."""
        self._last_handle += 1
        self._by_handle[self._last_handle] = directory
        return pyfuse3.FileHandleT(self._last_handle)

    def pop(self, handle: int) -> OpenDirectory:
        """The directory; its handle is over."""
        return self._by_handle.pop(handle)

    def removed(self, inode: Inode, name: str) -> None:
        """Tell everyone who lists a directory that this mount removed a name from it."""
        for directory in self._by_handle.values():
            if directory.inode is inode:
                directory.removed(name)

    def lists(self, inode: Inode) -> bool:
        """True while somebody lists a directory, so that the server has it open."""
        return any(each.inode is inode and each.is_open for each in self._by_handle.values())

    async def close_below(self, inode: Inode) -> None:
        """Close the listings of what is below a directory; they go on where they are.

        Raises ClientError.
        """
        for directory in list(self._by_handle.values()):
            if directory.is_open and directory.inode.is_below(inode):
                await directory.close()

    async def close_all(self) -> None:
        """Close whatever is open still, all at once; failures count for nothing by now."""
        async with trio.open_nursery() as nursery:
            for directory in self._by_handle.values():
                nursery.start_soon(self._close_quietly, directory)

    async def _close_quietly(self, directory: OpenDirectory) -> None:
        try:
            await directory.close()
        except ClientError:
            pass
