"""Read-ahead for one open file: what a sequential reader wants next is here before it asks.

The file is cut into chunks on a fixed grid. Once two requests in a row follow each other, chunks
ahead of the reader are fetched, more of them the longer it stays sequential; a slice of a chunk
is answered as it is, uncopied. A reader that jumps pays for its own bytes only.

Chunks are as old as they may be: past `lifetime` seconds they are fetched again, and a write of
ours drops them. The kernel's page cache, which has no lease either, keeps the same bound. An
error of a chunk is raised to whoever asks for that range, and to nobody else.
"""

from collections.abc import Awaitable, Callable

import trio

Buffer = bytes | memoryview
Read = Callable[[int, int], Awaitable[memoryview]]

CHUNK = 1024 * 1024  # bytes; one READ each where the server allows it
_DEPTH = 8  # chunks ahead at most
_NEAR = 1024 * 1024  # the kernel's own read-ahead asks out of order within this


class Budget:
    """Bytes of read-ahead that all open files of a mount may hold together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class _Chunk:
    """One piece of the file, on its way or here."""

    __slots__ = ("data", "error", "fetched_at", "here", "scope")

    def __init__(self) -> None:
        self.here = trio.Event()
        self.data: memoryview | None = None
        self.error: Exception | None = None
        self.fetched_at = 0.0
        self.scope = trio.CancelScope()


class ReadAhead:
    """The window of one open file. `read` fetches for it; `nursery` holds what is on its way."""

    def __init__(self, read: Read, nursery: trio.Nursery, budget: Budget, lifetime: float) -> None:
        self._read = read
        self._nursery = nursery
        self._budget = budget
        self._lifetime = lifetime
        self._chunks: dict[int, _Chunk] = {}
        self._next = 0  # where a sequential reader goes on
        self._depth = 0  # chunks to keep ahead; 0 until the reader proves sequential
        self._end: int | None = None  # the end of the file, where a chunk came back short

    async def read(self, offset: int, length: int) -> Buffer:
        """Up to `length` bytes from `offset`. Raises what `read` raises."""
        self._follow(offset, length)
        if not self._depth or not self._lifetime:
            return await self._read(offset, length)
        self._fetch_ahead(offset)
        number = offset // CHUNK
        if (offset + length - 1) // CHUNK == number:
            return await self._slice(number, offset, length)
        return await self._across(offset, length)

    def _follow(self, offset: int, length: int) -> None:
        """Widen the window for a reader that goes on, close it for one that jumps."""
        end = offset + length
        if -_NEAR <= offset - self._next <= _NEAR and (self._next or self._depth):
            if end > self._next:
                self._depth = min(max(1, self._depth * 2), _DEPTH)
                self._next = end
        else:
            if self._depth:
                self.drop()
            self._depth = 0
            self._next = end

    def _fetch_ahead(self, offset: int) -> None:
        first = offset // CHUNK
        for number in [number for number in self._chunks if number < first - 1]:
            self._forget(number)
        for number in range(first, first + self._depth + 1):
            if self._end is not None and number * CHUNK >= self._end:
                break
            if number not in self._chunks:
                if number > first and self._budget.used + CHUNK > self._budget.limit:
                    break
                self._start(number)

    def _start(self, number: int) -> _Chunk:
        chunk = self._chunks[number] = _Chunk()
        self._budget.used += CHUNK
        self._nursery.start_soon(self._fetch, number, chunk)
        return chunk

    async def _fetch(self, number: int, chunk: _Chunk) -> None:
        with chunk.scope:
            try:
                chunk.data = await self._read(number * CHUNK, CHUNK)
                chunk.fetched_at = trio.current_time()
                if len(chunk.data) < CHUNK:
                    self._end = number * CHUNK + len(chunk.data)
            except Exception as error:
                chunk.error = error
        chunk.here.set()

    async def _slice(self, number: int, offset: int, length: int) -> Buffer:
        """Part of one chunk, fetched anew if it is too old."""
        chunk = self._chunks.get(number) or self._start(number)
        if chunk.here.is_set() and trio.current_time() - chunk.fetched_at > self._lifetime:
            self._forget(number)
            chunk = self._start(number)
        await chunk.here.wait()
        if chunk.error is not None:
            self._forget(number, chunk)
            raise chunk.error
        start = offset - number * CHUNK
        if chunk.data is None or start >= len(chunk.data):
            # Dropped while we waited, or the file ended before here when it was fetched.
            return await self._read(offset, length)
        return chunk.data[start : start + length]

    async def _across(self, offset: int, length: int) -> Buffer:
        """A request over a chunk's border: joined, the one case that copies."""
        pieces: list[Buffer] = []
        while length > 0:
            number = offset // CHUNK
            part = min(length, (number + 1) * CHUNK - offset)
            piece = await self._slice(number, offset, part)
            pieces.append(piece)
            if len(piece) < part:
                break
            offset += part
            length -= part
        return b"".join(pieces)

    def _forget(self, number: int, only: _Chunk | None = None) -> None:
        chunk = self._chunks.get(number)
        if chunk is None or (only is not None and chunk is not only):
            return
        del self._chunks[number]
        chunk.scope.cancel()
        self._budget.used -= CHUNK

    def drop(self) -> None:
        """Forget everything: the file changed, or is closed."""
        for number in list(self._chunks):
            self._forget(number)
        self._end = None
