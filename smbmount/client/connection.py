"""One connection to a server: numbering, sending, matching answers, and noticing the end.

The way of a request: its credits are spent (which may wait), then, without an await in
between, it is numbered, packed, signed or sealed and queued on the wire. The way of an answer:
frame, unseal, split, match by message id, verify, credit, deliver. Whatever does not fit that
way ends the connection with the reason logged: a server that breaks its own protocol once
cannot be trusted to mean the next message.

What holds between two awaits: every message id sent and not answered is in `_pending`, and stays
there when its caller leaves, for the answer will still come, with credits and perhaps with an
open file that somebody has to close.
"""

import errno
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar

import trio

from smbmount.proto.compound import join, split
from smbmount.proto.echo import CancelRequest, EchoRequest
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.header import Command, Header, HeaderFlags
from smbmount.proto.negotiate import Dialect
from smbmount.proto.sealing import SealBroken, Sealer, TransformHeader, is_transform
from smbmount.proto.signing import Signer
from smbmount.proto.status import NtStatus

from .apart import Abandoned, apart
from .credits import Credits, CreditShortage, charge_of
from .errors import ClientError, ConnectionLost, TimedOut
from .tracing import answer_line, request_line
from .wire import Wire

_log = logging.getLogger(__name__)

T = TypeVar("T")
Buffer = bytes | bytearray | memoryview
_PATIENCE = 20  # time-outs that a request may be told to wait, unless it waits by its nature
# What an answer may have beside the data that was asked for: names, tokens, create contexts,
# error details; most of those have a length of 16 bits.
_ROOM = 96 * 1024
UNSOLICITED = 0xFFFF_FFFF_FFFF_FFFF  # message id of a break notification, 3.2.5.19
_SMALL_FRAME = 64 * 1024
# Before a large one ends its wait, the caller may have to be told by a signal: only these
# may stay unanswered for long by their nature, so only these are worth a CANCEL.
_WAITS_BY_NATURE = frozenset({Command.LOCK, Command.CHANGE_NOTIFY, Command.IOCTL, Command.CREATE})


class Request(Protocol):
    """Any request of `smbmount.proto`."""

    COMMAND: ClassVar[Command]

    def pack(self) -> bytes:
        """The body, without header."""

    @property
    def payload_size(self) -> int:
        """Bytes sent, or asked for, whichever is more; the credit charge follows from it."""


@dataclass(slots=True)
class Security:
    """How a session's messages are protected. One object per session, changed as it grows."""

    session_id: int
    signer: Signer | None = None
    sealer: Sealer | None = None
    sign: bool = False  # sign what we send, and require it of what comes
    seal: bool = False  # seal everything; a tree may ask for it alone


@dataclass(frozen=True, slots=True)
class Answer:
    """One answered request: the header, and the whole message for `unpack`."""

    header: Header
    message: memoryview
    asked: int | None = None  # the most bytes of data that the request allowed

    @property
    def status(self) -> int:
        """The NTSTATUS ([MS-ERREF] 2.3)."""
        return self.header.status


@dataclass(slots=True, eq=False)
class _Chain:
    """Requests that travelled together and are answered together."""

    answers: list[Answer | None]
    missing: int
    done: trio.Event = field(default_factory=trio.Event)
    lost: ConnectionLost | None = None
    on_late: Callable[[list[Answer]], None] | None = None  # set when the caller has left

    def complete(self) -> list[Answer]:
        return [answer for answer in self.answers if answer is not None]


@dataclass(slots=True, eq=False)
class _Pending:
    """One request on its way."""

    command: Command
    charge: int
    chain: _Chain
    place: int  # in the chain
    security: Security | None
    signed: bool
    sealed: bool
    tree_id: int
    sent_at: float
    asked: int  # bytes of data that the answer may have
    async_id: int = 0  # nonzero once the server answered STATUS_PENDING


class Connection:
    """A negotiated or negotiating connection. `run` must be running for anything to move."""

    def __init__(
        self, wire: Wire, *, label: str, timeout: float, echo_interval: float, max_credits: int
    ) -> None:
        self.label = label  # //server, for logs and messages
        self.dialect: Dialect | None = None  # None until negotiated
        self.multi_credit = False
        self.credits = Credits(max_credits)
        self.lost: ConnectionLost | None = None
        self.on_break: Callable[[memoryview], None] | None = None
        self.observers: list[Callable[[str, memoryview], None]] = []
        self._wire = wire
        self._timeout = timeout
        self._echo_interval = echo_interval
        self._pending: dict[int, _Pending] = {}
        self._sessions: dict[int, Security] = {}
        self._last_heard = 0.0
        self._ended = trio.Event()
        self._busy = trio.Event()  # something is due from the server
        self._nursery: trio.Nursery | None = None

    def __repr__(self) -> str:
        state = f"lost: {self.lost}" if self.lost else f"{len(self._pending)} pending"
        return f"<Connection {self.label} {state}, {self.credits.available} credits>"

    # -- life ---------------------------------------------------------------------------

    async def run(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Move messages until the connection is lost or `close` is called."""
        self._last_heard = trio.current_time()
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                nursery.start_soon(self._receive)
                nursery.start_soon(self._pump)
                nursery.start_soon(self._watch)
                task_status.started()
                await self._ended.wait()
                nursery.cancel_scope.cancel()
        finally:
            self._nursery = None
            self.fail(errno.ENOTCONN, "the connection was closed")
            self._wire.close()

    def close(self) -> None:
        """End the connection; requests in flight fail."""
        self.fail(errno.ENOTCONN, "the connection was closed")

    def fail(self, code: int, reason: str) -> None:
        """The connection is of no use any more: tell everyone who waits, once."""
        if self.lost is not None:
            return
        self.lost = ConnectionLost(code, self.label, reason)
        chains = {id(entry.chain): entry.chain for entry in self._pending.values()}
        self._pending.clear()
        for chain in chains.values():
            chain.lost = self.lost
            chain.done.set()
        self.credits.fail()
        self._ended.set()

    def in_background(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run an async callable beside the connection, e.g. to close what came too late.

        Its errors are logged: nobody waits for it, and they must not end what runs beside it.
        """
        if self._nursery is not None and self.lost is None:
            self._nursery.start_soon(self._guarded, work)

    async def _guarded(self, work: Callable[[], Awaitable[object]]) -> None:
        try:
            await work()
        except (ClientError, CreditShortage) as error:
            _log.debug("%s: work in the background failed: %s", self.label, error)
        except Exception:
            _log.exception("%s: work in the background failed", self.label)

    async def apart(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` to its end, even if the caller is cancelled meanwhile; its result.

        Raises ConnectionLost, and what `work` raises.
        """
        if self._nursery is None or self.lost is not None:
            raise self.lost or ConnectionLost(errno.ENOTCONN, self.label, "not running")
        try:
            return await apart(self._nursery, work)
        except Abandoned as error:
            raise self.lost or ConnectionLost(errno.ENOTCONN, self.label, "closed") from error

    def adopt(self, security: Security) -> None:
        """From now on, messages of this session id are checked by `security`."""
        self._sessions[security.session_id] = security

    def disown(self, session_id: int) -> None:
        """The session is over."""
        self._sessions.pop(session_id, None)

    def set_frame_limit(self, limit: int) -> None:
        """Refuse frames above `limit` bytes: nothing we ask for has a longer answer."""
        self._wire.set_limit(limit)

    @property
    def in_flight(self) -> int:
        """Requests sent and not answered."""
        return len(self._pending)

    def affordable(self, wanted: int) -> int:
        """The largest payload, up to `wanted` bytes, that the window can ever pay for."""
        if not self.multi_credit:
            return min(wanted, 64 * 1024)
        return max(64 * 1024, min(wanted, self.credits.window * 64 * 1024))

    # -- requests -----------------------------------------------------------------------

    async def exchange(
        self,
        requests: Sequence[Request],
        *,
        security: Security | None = None,
        tree_id: int = 0,
        sign: bool = False,
        seal: bool = False,
        flags: HeaderFlags = HeaderFlags(0),
        observe: Callable[[Sequence[Buffer]], None] | None = None,
        on_late: Callable[[list[Answer]], None] | None = None,
        deadline: bool = True,
    ) -> list[Answer]:
        """Send `requests` as one related compound and return their final answers.

        `sign` and `seal` ask for more than the session's rules do. `observe` sees the bytes as
        they go (for the preauthentication hash). If the caller is cancelled, `on_late` is given
        the answers when they come after all. Raises ConnectionLost, TimedOut, and CreditShortage
        if the server's window cannot pay for them.
        """
        if self.lost is not None:
            raise self.lost
        charges = [charge_of(r.payload_size) if self.multi_credit else 1 for r in requests]
        try:
            first_id = await self.credits.spend(sum(charges))
        except CreditShortage as shortage:
            if shortage.window:
                raise
            self.refuse("the server leaves us no credits")  # and so no way to get any
            assert self.lost is not None
            raise self.lost from shortage
        if self.lost is not None:
            raise self.lost
        chain = _Chain([None] * len(requests), len(requests))
        ids = self._submit(
            requests, charges, first_id, chain, security, tree_id, sign, seal, flags, observe
        )
        try:
            await self._wait(chain, ids, deadline)
        except (trio.Cancelled, TimedOut):
            self._abandon(chain, ids, on_late)
            raise
        if chain.lost is not None:
            raise chain.lost
        return chain.complete()

    async def _wait(self, chain: _Chain, ids: list[int], deadline: bool) -> None:
        """Until the chain is answered. The watch declares a silent server gone; this bounds the
        rest: a server that lives and just never answers this one."""
        if not deadline:
            await chain.done.wait()
            return
        for _ in range(_PATIENCE):
            with trio.move_on_after(self._timeout):
                await chain.done.wait()
                return
            late = [self._pending[i] for i in ids if i in self._pending]
            if not any(entry.async_id for entry in late):
                raise TimedOut(self.label, self._timeout)
            if any(entry.command in _WAITS_BY_NATURE for entry in late):
                await chain.done.wait()  # it told us to wait, as it may
                return
        raise TimedOut(self.label, _PATIENCE * self._timeout)

    def _submit(
        self,
        requests: Sequence[Request],
        charges: list[int],
        first_id: int,
        chain: _Chain,
        security: Security | None,
        tree_id: int,
        sign: bool,
        seal: bool,
        flags: HeaderFlags,
        observe: Callable[[Sequence[Buffer]], None] | None,
    ) -> list[int]:
        """Number, pack, protect and queue. No await: nothing can come between."""
        sealed = security is not None and security.sealer is not None and (seal or security.seal)
        signer = None
        if security is not None and not sealed and (sign or security.sign):
            signer = security.signer
        messages: list[list[Buffer]] = []
        ids: list[int] = []
        now = trio.current_time()
        message_id = first_id
        for place, (request, charge) in enumerate(zip(requests, charges, strict=True)):
            header_flags = flags
            if place:
                header_flags |= HeaderFlags.RELATED_OPERATIONS
            if signer is not None:
                header_flags |= HeaderFlags.SIGNED
            header = Header(
                request.COMMAND,
                message_id=message_id,
                session_id=security.session_id if security is not None else 0,
                tree_id=tree_id,
                flags=header_flags,
                credit_charge=charge if self.multi_credit else 0,
                credits=self.credits.wish(charge) if not place else charge,
            )
            messages.append([bytearray(header.pack() + request.pack())])
            data = getattr(request, "data", None) if request.COMMAND is Command.WRITE else None
            if data is not None:
                messages[-1].append(data)
            self._pending[message_id] = _Pending(
                request.COMMAND,
                charge,
                chain,
                place,
                security,
                signer is not None,
                sealed,
                tree_id,
                now,
                _asked(request),
            )
            ids.append(message_id)
            message_id += charge
        if _log.isEnabledFor(logging.DEBUG):
            for request, number in zip(requests, ids, strict=True):
                _log.debug("%s -> [%d] %s", self.label, number, request_line(request))
        parts = join(messages, signer)
        if observe is not None:
            observe(parts)
        for watcher in self.observers:
            watcher("out", memoryview(b"".join(parts)))
        if sealed:
            assert security is not None
            assert security.sealer is not None
            parts = list(security.sealer.seal(parts))
        self._wire.send(parts)
        self._busy.set()
        return ids

    def _abandon(
        self, chain: _Chain, ids: list[int], on_late: Callable[[list[Answer]], None] | None
    ) -> None:
        """The caller has left. The answers still come; see to it that nothing leaks by them."""
        if chain.missing == 0:  # they came in the same moment, and nobody has seen them
            if on_late is not None and chain.lost is None:
                on_late(chain.complete())
            return
        chain.on_late = on_late
        for number in ids:
            entry = self._pending.get(number)
            if entry is not None and (entry.async_id or entry.command in _WAITS_BY_NATURE):
                self._cancel(number, entry)
                break

    def _cancel(self, message_id: int, entry: _Pending) -> None:
        """Send CANCEL (3.2.4.24): it costs no credit and has no answer of its own."""
        flags = HeaderFlags(0)
        if entry.async_id:
            flags |= HeaderFlags.ASYNC_COMMAND
        security = entry.security
        signer = security.signer if security is not None and entry.signed else None
        if signer is not None:
            flags |= HeaderFlags.SIGNED
        header = Header(
            Command.CANCEL,
            message_id=message_id,
            session_id=security.session_id if security is not None else 0,
            tree_id=0 if entry.async_id else entry.tree_id,
            async_id=entry.async_id,
            flags=flags,
        )
        body = bytearray(header.pack() + CancelRequest().pack())
        parts = join([[body]], signer)
        _log.debug("%s -> [%d] CANCEL", self.label, message_id)
        for watcher in self.observers:
            watcher("out", memoryview(b"".join(parts)))
        if entry.sealed and security is not None and security.sealer is not None:
            parts = list(security.sealer.seal(parts))
        self._wire.send(parts)

    # -- answers ------------------------------------------------------------------------

    async def _pump(self) -> None:
        try:
            await self._wire.pump()
        except trio.ClosedResourceError:
            pass
        except OSError as error:
            self.fail(error.errno or errno.EIO, f"sending failed: {error.strerror}")

    async def _receive(self) -> None:
        try:
            while (frame := await self._wire.receive()) is not None:
                self._last_heard = trio.current_time()
                self._take_frame(frame)
                del frame  # or its buffer would count as busy while we wait
        except trio.ClosedResourceError:
            pass
        except OSError as error:
            self.fail(error.errno or errno.EIO, f"receiving failed: {error.strerror}")
        except (MalformedMessage, SealBroken) as error:
            self.refuse(str(error))
        else:
            self.fail(errno.ECONNRESET, "the server closed the connection")

    def refuse(self, reason: str) -> None:
        """The server sent what it must not: end the connection, with the reason logged."""
        if self.lost is None:
            _log.error("%s: %s: connection ended", self.label, reason)
        self.fail(errno.EPROTO, reason)

    def _take_frame(self, frame: memoryview) -> None:
        opened_by: Security | None = None
        if is_transform(frame):
            session_id = TransformHeader.unpack(frame).session_id
            opened_by = self._sessions.get(session_id)
            if opened_by is None or opened_by.sealer is None:
                raise MalformedMessage("transform", "SessionId", session_id)
            frame = opened_by.sealer.unseal(frame)
        for watcher in self.observers:
            watcher("in", frame)
        for message in split(frame):
            self._take_message(message, opened_by)
            if self.lost is not None:
                return

    def _take_message(self, message: memoryview, opened_by: Security | None) -> None:
        header = Header.unpack(message)
        if not header.flags & HeaderFlags.SERVER_TO_REDIR:
            raise MalformedMessage("header", "Flags", int(header.flags))
        if header.message_id == UNSOLICITED:
            self._take_unsolicited(header, message, opened_by)
            return
        entry = self._pending.get(header.message_id)
        if entry is None:
            raise MalformedMessage("header", "MessageId", header.message_id)
        if header.command != entry.command:
            raise MalformedMessage("header", "Command", int(header.command))
        if len(message) > _ROOM + entry.asked:
            raise MalformedMessage(entry.command.name, "size", len(message))
        self._check_protection(header, message, entry, opened_by)
        if _log.isEnabledFor(logging.DEBUG):
            line = answer_line(header, len(message))
            _log.debug("%s <- [%d] %s %s", self.label, header.message_id, entry.command.name, line)
        if header.status == NtStatus.STATUS_PENDING:
            self._take_interim(header, entry)
            return
        if entry.async_id and header.async_id != entry.async_id:
            raise MalformedMessage("header", "AsyncId", header.async_id)
        del self._pending[header.message_id]
        self.credits.settle(entry.charge)
        self.credits.grant(header.credits)
        chain = entry.chain
        chain.answers[entry.place] = Answer(header, message, entry.asked)
        chain.missing -= 1
        if chain.missing == 0:
            if chain.on_late is not None:
                chain.on_late(chain.complete())
            chain.done.set()

    def _take_interim(self, header: Header, entry: _Pending) -> None:
        """ "Wait": once for a request, and never a final answer (3.2.5.1.5).

        It is not signed, so it must not be believed in anything else.
        """
        if not header.flags & HeaderFlags.ASYNC_COMMAND:
            raise MalformedMessage(entry.command.name, "Status", "STATUS_PENDING in a final answer")
        if entry.async_id or not header.async_id:
            raise MalformedMessage("header", "AsyncId", header.async_id)
        entry.async_id = header.async_id
        # Credits that come back now are not out any more, however long the wait: who needs more
        # than the rest must not wait for it.
        returned = min(header.credits, entry.charge)
        entry.charge -= returned
        self.credits.settle(returned)
        self.credits.grant(header.credits)

    def _take_unsolicited(
        self, header: Header, message: memoryview, opened_by: Security | None
    ) -> None:
        if header.command != Command.OPLOCK_BREAK:
            raise MalformedMessage("header", "MessageId", header.message_id)
        # Most servers write no session's id there, so it cannot tell whose break it is.
        sessions = self._sessions.values()
        if opened_by is None and sessions and all(session.seal for session in sessions):
            raise MalformedMessage("OPLOCK_BREAK", "encryption", "missing")
        # A break is not signed, whatever the session asks ([MS-SMB2] 3.3.4.6, 3.3.4.7).
        self.credits.grant(header.credits)
        if self.on_break is not None:
            self.on_break(message)

    def _check_protection(
        self, header: Header, message: memoryview, entry: _Pending, opened_by: Security | None
    ) -> None:
        """What is due and missing is refused ([MS-SMB2] 3.2.5.1.1, 3.2.5.1.3)."""
        security = entry.security
        if opened_by is not None:
            if security is not opened_by or header.session_id != security.session_id:
                raise MalformedMessage(entry.command.name, "SessionId", header.session_id)
            return
        if entry.sealed:
            raise MalformedMessage(entry.command.name, "encryption", "missing")
        # The id is 0 until the server has chosen one in its first answer to a sign-on.
        expected = security.session_id if security is not None else 0
        if expected and header.session_id != expected:
            raise MalformedMessage(entry.command.name, "SessionId", header.session_id)
        if not entry.signed:
            return
        assert security is not None
        assert security.signer is not None
        if header.status == NtStatus.STATUS_PENDING:
            return  # interim answers are not signed; they carry nothing but "wait"
        if not header.flags & HeaderFlags.SIGNED:
            raise MalformedMessage(entry.command.name, "signature", "missing")
        if not security.signer.verify(message):
            raise MalformedMessage(entry.command.name, "signature", "wrong")

    # -- time ---------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Ask a server that owes answers and says nothing; give it up after `timeout`."""
        while True:
            if not self._pending:
                self._busy = trio.Event()
                await self._busy.wait()
            oldest = min((entry.sent_at for entry in self._pending.values()), default=0.0)
            silent_since = max(self._last_heard, oldest)
            silence = trio.current_time() - silent_since
            if self.credits.starved(self._timeout):
                self.fail(errno.ETIMEDOUT, "the server grants no credits, and requests wait")
                return
            if silence >= self._timeout:
                self.fail(errno.ETIMEDOUT, f"the server has been silent for {silence:.0f} s")
                return
            if silence >= self._echo_interval and self.credits.available:
                self.in_background(self._echo)
                await trio.sleep(min(self._echo_interval, self._timeout - silence) + 0.01)
            else:
                await trio.sleep(min(self._echo_interval, self._timeout - silence) / 2 + 0.01)

    async def _echo(self) -> None:
        with suppress(ConnectionLost):
            await self.exchange([EchoRequest()])

    async def echo(self) -> None:
        """Ask for a sign of life ([MS-SMB2] 2.2.28). Raises ConnectionLost."""
        await self.exchange([EchoRequest()])


def _asked(request: Request) -> int:
    """The most bytes of data that the answer to `request` may have."""
    for name in ("max_output_response", "output_buffer_length", "length"):
        asked = getattr(request, name, None)
        if asked is not None:
            return int(asked)
    return 0
