"""Memory for received messages, used again instead of asked for again.

A fresh megabyte costs 256 page faults; on a virtual machine that is dearer than the
network. So large buffers come back to a pool, and nobody has to hand them back: a buffer is
free when nothing but the pool refers to it. Every memoryview of a buffer, and every slice
of that view, holds one reference to the buffer as long as it lives, so data that a
reader still sees can never be overwritten.
"""

import sys

_GRANULE = 128 * 1024  # sizes are rounded up to this, so that neighbours share a shelf
_SMALL = 64 * 1024  # below this, the allocator's own free lists are as good


def _references(shelf: list[bytearray]) -> list[int]:
    """How many refer to each buffer, the shelf and the counting itself included."""
    return [sys.getrefcount(buffer) for buffer in shelf]


# What an idle buffer counts differs between Python versions, so it is measured.
_IDLE = _references([bytearray()])[0]


class BufferPool:
    """Hands out buffers of a wanted size; keeps at most `limit` bytes of them."""

    def __init__(self, limit: int = 64 * 1024 * 1024) -> None:
        self._limit = limit
        self._kept = 0  # bytes on all shelves, lent or idle
        self._shelves: dict[int, list[bytearray]] = {}

    def take(self, size: int) -> memoryview:
        """A writable view of `size` bytes, contents undefined."""
        if size < _SMALL:
            return memoryview(bytearray(size))
        capacity = -(-size // _GRANULE) * _GRANULE
        shelf = self._shelves.setdefault(capacity, [])
        for at, references in enumerate(_references(shelf)):
            if references == _IDLE:
                return memoryview(shelf[at])[:size]
        fresh = bytearray(capacity)
        if self._kept + capacity <= self._limit or self._drop_idle(capacity):
            shelf.append(fresh)
            self._kept += capacity
        return memoryview(fresh)[:size]

    @property
    def lent(self) -> int:
        """Bytes of the kept buffers that somebody still refers to."""
        return sum(
            capacity * sum(count > _IDLE for count in _references(shelf))
            for capacity, shelf in self._shelves.items()
        )

    def _drop_idle(self, wanted: int) -> bool:
        """Forget idle buffers of other sizes until `wanted` bytes fit; False if they do not."""
        for capacity, shelf in self._shelves.items():
            if capacity == wanted:
                continue
            counts = _references(shelf)
            busy = [shelf[at] for at, count in enumerate(counts) if count > _IDLE]
            self._kept -= capacity * (len(shelf) - len(busy))
            shelf[:] = busy
        return self._kept + wanted <= self._limit
