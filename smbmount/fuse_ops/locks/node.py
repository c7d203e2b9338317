"""The locks of one file: decided by the table here, held on the server by one handle.

The server holds, through the node's lock handle, what the local owners hold together: shared where
the strongest of them is shared, exclusive where one is exclusive. Among themselves they need no
server. As locks bind on the server, and by handle, all reading and writing of a locked node goes
through that handle as well (`OpenNode.io`): to local processes POSIX locks are advice.

What must hold between two awaits: `_held` is what the server holds, and changes only under `_turn`,
apart from what a waiting LOCK brings. Each byte in the table is held there. Who changes what is
held does it in a task of its own (`apart`), so that no caller can leave it half done.

A request that waits stands in `_queue`, first come, first served: it waits for the local owners in
its way, and for those before it that want the same; then, as the one of its kind, at the server.
"""

import errno
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

import trio

from smbmount.client.errors import ServerError
from smbmount.client.locking import ByteRange
from smbmount.client.open_file import OpenFile
from smbmount.proto.status import NtStatus

from .plan import Plan, plan
from .table import END, Kind, LockTable, Owner, Range, Span, World, conflict
from .waiting import WaitGraph

_log = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.005, 0.2  # seconds between two attempts at an upgrade
_TRIES = 5  # at getting back what had to be given up for a moment
_NOBODY = Owner(World.RANGES, 0)
_HOPELESS = 8  # attempts at an upgrade, with another client at the same, before it is a deadlock


class LockFailed(Exception):
    """The lock cannot be had; `errno` says why."""

    def __init__(self, code: int) -> None:
        super().__init__(errno.errorcode[code])
        self.errno = code


@dataclass(frozen=True, slots=True)
class LockHandle:
    """The handle that a node is locked, read and written through."""

    file: OpenFile
    readable: bool
    writable: bool
    adopted: bool = False  # an application's own, since the node's name is gone


class Host(Protocol):
    """What the locks of a file need from around them."""

    waits: WaitGraph

    async def apart(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run to the end, whatever becomes of the caller."""

    def soon(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run in the background; errors are logged."""

    async def open(self) -> LockHandle:
        """A handle to lock through."""

    async def refresh(self) -> None:
        """Forget what was read: another client may have written since."""


@dataclass(eq=False, slots=True)
class _Request:
    owner: Owner
    wanted: Range
    turn: trio.Event = field(default_factory=trio.Event)
    given_up: bool = False
    before: list[Range] | None = None  # what the owner held, once the request was granted
    gained: bool = False  # the server was asked: somebody else may have had it meanwhile
    guards: list[ByteRange] = field(default_factory=list)  # held while it tries to upgrade
    contested: int = 0  # attempts at an upgrade that met another client's


class NodeLocks:
    """All locks of one file."""

    def __init__(self, host: Host) -> None:
        self.table = LockTable()
        self._host = host
        self._handle: LockHandle | None = None
        self._held: list[Span] = []
        self._reserved: list[Span] = []  # of these, what is meant for a request on its way
        self._queue: list[_Request] = []
        self._turn = trio.Lock()
        self._owners: dict[int, set[Owner]] = {}  # by the handles they came with

    def __repr__(self) -> str:
        return f"<NodeLocks {list(self.table)} held={self._held} waiting={len(self._queue)}>"

    @property
    def _file(self) -> OpenFile:
        if self._handle is None:  # the last descriptor was closed meanwhile
            raise LockFailed(errno.EBADF)
        return self._handle.file

    # -- asking -------------------------------------------------------------------------

    async def acquire(self, handle: int, owner: Owner, wanted: Range, *, wait: bool) -> None:
        """Lock a range for an owner, who came with `handle`.

        Raises LockFailed (EAGAIN if it is taken, EDEADLK), ClientError. If the caller is
        cancelled, the owner holds what it held before.
        """
        self._owners.setdefault(handle, set()).add(owner)
        request = _Request(owner, wanted)
        try:
            if wait:
                await self._in_turn(request)
            elif not await self._obtain(request, wait=False):
                raise LockFailed(errno.EAGAIN)
            if request.gained:
                await self._host.refresh()
        except BaseException:
            self._give_up(request)
            raise

    async def release(self, owner: Owner, start: int = 0, end: int = END) -> None:
        """Unlock a range of an owner's; the server knows when this returns. Raises ClientError."""
        if any(held.meets(start, end) for held in self.table.of(owner)):
            self.table.clear(owner, start, end)
            await self._host.apart(self._settle)

    async def blocker(self, owner: Owner, wanted: Range) -> Range | None:
        """What would keep an owner from a lock now: with pid 0 if it is on another machine."""
        local = [held for _, held in self.table.in_the_way(owner, wanted)]
        if local:
            return min(local, key=lambda held: held.start)
        return await self._host.apart(partial(self._probe, owner, wanted))

    def way(self, *, writing: bool) -> OpenFile | None:
        """The handle that reads or writes have to go through; None if there is none yet."""
        handle = self._handle
        if handle is None or not (handle.writable if writing else handle.readable):
            return None
        return handle.file

    # -- descriptors that close ---------------------------------------------------------

    def keeps(self, file: OpenFile) -> bool:
        """True for an application's handle that must outlive the application's use of it."""
        return self._handle is not None and self._handle.adopted and self._handle.file is file

    async def closed(self, handle: int) -> None:
        """The open file description is gone, and with it its own locks. Raises ClientError."""
        dropped = [self.table.drop(owner) for owner in self._owners.pop(handle, ())]
        if any(dropped):
            await self._host.apart(self._settle)

    async def end(self) -> None:
        """Nobody has the file open any more. Raises ClientError."""
        await self._host.apart(self._end)

    async def _end(self) -> None:
        async with self._turn:
            handle, self._handle = self._handle, None
            if handle is None:
                return
            held, self._held = self._held, []
            try:
                if held:  # closing would do, but Samba does not tell those who wait
                    await handle.file.unlock(_ranges(held))
            finally:
                await handle.file.close()

    @asynccontextmanager
    async def resting(self) -> AsyncIterator[None]:
        """Have no handle as long as the context lasts; who wants a lock waits for its end.

        Raises LockFailed (EBUSY) if there is a lock, or somebody waits for one; ClientError.
        """
        async with self._turn:
            handle = self._handle
            if self._held or self._queue or (handle is not None and handle.adopted):
                raise LockFailed(errno.EBUSY)
            if handle is not None:
                self._handle = None
                await handle.file.close()
            yield

    # -- waiting ------------------------------------------------------------------------

    async def _in_turn(self, request: _Request) -> None:
        waits, owner = self._host.waits, request.owner
        blockers = partial(self._blockers, request)
        self._queue.append(request)
        try:
            while True:
                ahead = blockers()
                if not ahead:
                    if await self._obtain(request, wait=True):
                        return
                    continue
                if owner.world is World.RANGES and waits.closes_a_circle(owner, ahead):
                    raise LockFailed(errno.EDEADLK)
                waits.begin(owner, blockers)
                try:
                    await request.turn.wait()
                finally:
                    waits.end(owner, blockers)
                request.turn = trio.Event()
        finally:
            self._queue.remove(request)
            self._wake()

    def _blockers(self, request: _Request) -> list[Owner]:
        """Whom a request has to wait for: holders, and those who wanted the same earlier.

        Not for one who waits for the requester: the two would wait for each other.
        """
        owner, wanted = request.owner, request.wanted
        ahead = [other for other, _ in self.table.in_the_way(owner, wanted)]
        for earlier in self._queue:
            if earlier is request:
                break
            if (
                earlier.owner != owner
                and conflict(earlier.owner, earlier.wanted, owner, wanted)
                and not self._waits_for(earlier, owner)
            ):
                ahead.append(earlier.owner)
        return ahead

    def _waits_for(self, earlier: _Request, owner: Owner) -> bool:
        holders = [other for other, _ in self.table.in_the_way(earlier.owner, earlier.wanted)]
        return self._host.waits.closes_a_circle(owner, holders)

    def _wake(self) -> None:
        for request in self._queue:
            if not self._blockers(request):
                request.turn.set()

    # -- the server ---------------------------------------------------------------------

    async def _obtain(self, request: _Request, *, wait: bool) -> bool:
        """Get it from the server; False if a local owner was faster. Raises LockFailed."""
        brought: list[Span] = []
        pause = _FIRST_PAUSE
        try:
            while True:
                missing = await self._host.apart(partial(self._attempt, request, brought))
                if missing is None:
                    return request.before is not None
                if not wait:
                    raise LockFailed(errno.EAGAIN)
                if missing.upgraded:
                    # The server cannot wait for us: what we hold is in our own way.
                    if request.contested >= _HOPELESS:
                        raise LockFailed(errno.EDEADLK)
                    await trio.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE)
                    continue
                span = missing.gain[0]  # from low to high, as everybody does it
                await self._file.lock_waiting(_range(span))
                self._held.append(span)
                self._reserved.append(span)
                brought.append(span)
                request.gained = True
        finally:
            for span in brought:
                self._reserved.remove(span)
            if request.guards:
                self._host.soon(partial(self._file.unlock, request.guards))
            if brought and request.before is None:
                self._host.soon(self._settle)

    async def _attempt(self, request: _Request, brought: Sequence[Span]) -> Plan | None:
        """Lock at once, on the server and in the table. The plan that failed if it is taken."""
        async with self._turn:
            owner, wanted = request.owner, request.wanted
            if request.given_up or any(self.table.in_the_way(owner, wanted)):
                return None
            if self._handle is None:
                self._handle = await self._host.open()
            steps = plan(self.table.spans(owner, wanted), self._ours(brought))
            if steps.gain:
                if not await self._gain(steps, request):
                    return steps
                request.gained = True
            if request.given_up:
                await self._bring_in_line()
                return None
            request.before = self.table.of(owner)
            self.table.set(owner, wanted)
            await self._bring_in_line(brought)
            self._wake()  # it may be less than it was
            return None

    def _give_up(self, request: _Request) -> None:
        """The requester has left: it holds what it held before."""
        request.given_up = True
        if request.before is not None:
            wanted = request.wanted
            self.table.clear(request.owner, wanted.start, wanted.end)
            for held in request.before:
                start, end = max(held.start, wanted.start), min(held.end, wanted.end)
                if start < end:
                    self.table.set(request.owner, Range(start, end, held.kind, held.pid))
            self._host.soon(self._settle)

    def _ours(self, brought: Sequence[Span] = ()) -> list[Span]:
        """What is held, but for what others on their way will need."""
        others, ours = list(self._reserved), list(self._held)
        for span in brought:
            others.remove(span)
        for span in others:
            ours.remove(span)
        return ours

    async def _gain(self, steps: Plan, request: _Request) -> bool:
        """Lock more than is held; False if somebody else has it."""
        if steps.upgraded:
            return await self._upgrade(steps, request)
        return await self._lock(steps.gain)

    async def _upgrade(self, steps: Plan, request: _Request) -> bool:
        """Shared becomes exclusive: given up for a moment, and taken back if that fails.

        Two clients that tried this at once would each let the other in. So whoever tries locks
        guards first, and keeps them until it has succeeded or left: the same bytes, 2**63 further
        on, where no file has any. Who meets another's guards would wait for its own lock to go.
        """
        if not request.guards:
            guards = [
                ByteRange(END + span.start, span.length, exclusive=True)
                for span in steps.gain
                if any(old.start < span.end and span.start < old.end for old in steps.upgraded)
            ]
            if not await self._file.lock(guards):
                request.contested += 1
                return False
            request.guards = guards
        if steps.kept_shared:
            await self._lock(steps.kept_shared)
        if await self._swap(steps.upgraded, steps.gain):
            return True
        await self._regain(steps.upgraded)
        return False

    async def _settle(self) -> None:
        """Less is wanted than is held: tell the server, then let waiters try."""
        try:
            async with self._turn:
                await self._bring_in_line()
        finally:
            self._wake()

    async def _bring_in_line(self, brought: Sequence[Span] = ()) -> None:
        """Hold no more than is wanted. Under `_turn`."""
        if self._handle is None:
            return  # closed, and so unlocked
        steps = plan(self.table.spans(), self._ours(brought))
        if steps.gain:  # nobody has a lock that the server did not give
            _log.error("locks of %s are not held by the server: %s", self._file.path, steps.gain)
        if steps.kept_shared:
            await self._lock(steps.kept_shared)
        going = [*steps.unlock, *steps.upgraded]
        if going and steps.again:
            if not await self._swap(going, steps.again):
                await self._regain(steps.again)
        elif going:
            await self._unlock(going)

    async def _regain(self, spans: Sequence[Span]) -> None:
        """Lock what was given up just now. Raises LockFailed (EIO) if another client was faster:
        the owners' locks are gone then."""
        for _ in range(_TRIES):
            if await self._lock(spans):
                return
            await trio.sleep(_FIRST_PAUSE)
        for owner, held in list(self.table):
            for span in spans:
                if held.meets(span.start, span.end):
                    self.table.clear(owner, span.start, span.end)
        _log.warning(
            "a lock of %s was lost to another client while it was being changed", self._file.path
        )
        raise LockFailed(errno.EIO)

    async def _probe(self, owner: Owner, wanted: Range) -> Range | None:
        async with self._turn:
            if self._handle is None:
                self._handle = await self._host.open()
            steps = plan(self.table.spans(owner, wanted), self._ours())
            if not steps.gain or steps.upgraded:
                return None  # what is held shared cannot be asked about without giving it up
            if await self._lock(steps.gain):
                await self._unlock(steps.gain)
                return None
            kind = Kind.EXCLUSIVE
            if wanted.kind is Kind.EXCLUSIVE:
                weaker = [Span(span.start, span.end, Kind.SHARED) for span in steps.gain]
                if await self._lock(weaker):
                    await self._unlock(weaker)
                    kind = Kind.SHARED
            return Range(wanted.start, wanted.end, kind)

    async def write_under_shared(self, offset: int, data: bytes) -> int | None:
        """Write to bytes that are locked shared here, which the server forbids even to the holder.

        None if no such lock is in the way, or if another client shares it. Raises ClientError.
        """
        return await self._host.apart(partial(self._write_under_shared, offset, data))

    async def _write_under_shared(self, offset: int, data: bytes) -> int | None:
        async with self._turn:
            end = offset + len(data)
            shared = [
                span
                for span in self._held
                if span.kind is Kind.SHARED and span.start < end and offset < span.end
            ]
            if not shared:
                return None
            firm = [Span(span.start, span.end, Kind.EXCLUSIVE) for span in shared]
            request = _Request(_NOBODY, Range(offset, end, Kind.EXCLUSIVE))
            try:
                if not await self._upgrade(Plan(gain=firm, upgraded=shared), request):
                    return None
                try:
                    return await self._file.write(offset, data)
                finally:
                    if not await self._swap(firm, shared):
                        await self._regain(shared)
            finally:
                if request.guards:
                    await self._file.unlock(request.guards)

    async def _lock(self, spans: Sequence[Span]) -> bool:
        if not await self._file.lock(_ranges(spans)):
            return False
        self._held.extend(spans)
        return True

    async def _unlock(self, spans: Sequence[Span]) -> None:
        for span in spans:
            self._held.remove(span)
        try:
            await self._file.unlock(_ranges(spans))
        except ServerError as error:
            if error.status != NtStatus.STATUS_RANGE_NOT_LOCKED:
                raise
            _log.error("%s: the server did not hold %s", self._file.path, spans)

    async def _swap(self, old: Sequence[Span], new: Sequence[Span]) -> bool:
        for span in old:
            self._held.remove(span)
        if not await self._file.swap_locks(_ranges(old), _ranges(new)):
            return False
        self._held.extend(new)
        return True


def _range(span: Span) -> ByteRange:
    return ByteRange(span.start, span.length, span.kind is Kind.EXCLUSIVE)


def _ranges(spans: Iterable[Span]) -> list[ByteRange]:
    return [_range(span) for span in spans]
