"""A peer in memory that says exactly what a test wants, right or wrong.

It stands behind a `Connection` in the place of the socket, knows the session's keys, and answers
nothing by itself. Over it time can be virtual (`run`): ten minutes of silence pass at once.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import trio
import trio.testing

from smbmount.client.connection import Connection, Security
from smbmount.client.negotiation import Negotiated
from smbmount.client.session import Session
from smbmount.client.settings import ConnectionSettings, Credentials
from smbmount.client.tree import Tree
from smbmount.proto.compound import join, split
from smbmount.proto.header import Command, Header, HeaderFlags
from smbmount.proto.keys import PreauthHash
from smbmount.proto.negotiate import (
    Capabilities,
    Cipher,
    Dialect,
    NegotiateRequest,
    NegotiateResponse,
    SecurityMode,
    SigningAlgorithm,
)
from smbmount.proto.sealing import Sealer, is_transform
from smbmount.proto.signing import Signer

SESSION = 0x1122_3344_5566_7788
TREE = 0x99
_KEYS = (b"from the client!", b"from the server!")
T = TypeVar("T")


class Body(Protocol):
    """Any response of `smbmount.proto`."""

    def pack(self) -> bytes:
        """The body."""


def run(main: Callable[[], Awaitable[T]]) -> T:
    """trio.run in virtual time: it jumps ahead when every task waits. Errors come out plain."""
    try:
        return trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    except BaseExceptionGroup as group:
        error: BaseException = group
        while isinstance(error, BaseExceptionGroup):
            [error] = error.exceptions
        raise error from group


@dataclass(frozen=True, slots=True)
class Question:
    """One request as the peer received it."""

    header: Header
    message: memoryview
    sealed: bool


class Peer:
    """The server's end, and the client's `Wire` at the same time."""

    def __init__(self) -> None:
        self.signer = Signer(SigningAlgorithm.AES_CMAC, _KEYS[0])
        self.sealer = Sealer(Cipher.AES_128_GCM, _KEYS[1], _KEYS[0], SESSION)
        self.limit = 0
        self.closed = False
        self._asked_in, self._asked = trio.open_memory_channel[Question](1 << 20)
        self._said, self._heard = trio.open_memory_channel[bytes](1 << 20)

    # -- the client's side: Wire ---------------------------------------------------------

    def send(self, parts: Sequence[bytes | bytearray | memoryview]) -> None:
        """A frame of the client's."""
        frame = memoryview(b"".join(parts))
        sealed = is_transform(frame)
        if sealed:
            frame = self.sealer.unseal(frame)
        for message in split(frame):
            self._asked_in.send_nowait(Question(Header.unpack(message), message, sealed))

    async def receive(self) -> memoryview | None:
        """What the peer said next."""
        try:
            return memoryview(bytearray(await self._heard.receive()))
        except trio.EndOfChannel:
            return None

    async def pump(self) -> None:
        """Nothing is queued here."""
        await trio.sleep_forever()

    def set_limit(self, limit: int) -> None:
        """Noted."""
        self.limit = limit

    def close(self) -> None:
        """The client has hung up."""
        self.closed = True

    # -- the test's side -----------------------------------------------------------------

    async def next(self) -> Question:
        """The next request."""
        return await self._asked.receive()

    def hang_up(self) -> None:
        """End the stream."""
        self._said.close()

    def say(self, frame: bytes) -> None:
        """Send any bytes as a frame."""
        self._said.send_nowait(frame)

    def answer(self, question: Question, body: Body | bytes, **changes: Any) -> bytes:
        """Answer as a server should, apart from `changes`; returns the frame.

        `changes` are fields of the header, and `sign` and `seal`, which follow the request.
        """
        frame = self.frame(question, body, **changes)
        self.say(frame)
        return frame

    def frame(
        self,
        question: Question,
        body: Body | bytes,
        *,
        sign: bool | None = None,
        seal: bool | None = None,
        **changes: Any,
    ) -> bytes:
        """The frame that `answer` sends."""
        asked = question.header
        sign = bool(asked.flags & HeaderFlags.SIGNED) if sign is None else sign
        seal = question.sealed if seal is None else seal
        flags = HeaderFlags.SERVER_TO_REDIR | (HeaderFlags.SIGNED if sign else HeaderFlags(0))
        if changes.get("async_id") is not None:
            flags |= HeaderFlags.ASYNC_COMMAND
        fields: dict[str, Any] = {
            "command": asked.command,
            "message_id": asked.message_id,
            "session_id": asked.session_id,
            "tree_id": asked.tree_id,
            "credits": max(1, asked.credits),
            "credit_charge": asked.credit_charge,
            "flags": flags,
            **changes,
        }
        packed = body if isinstance(body, bytes) else body.pack()
        message = bytearray(Header(**fields).pack() + packed)
        parts = join([[message]], self.signer if sign else None)
        return b"".join(self.sealer.seal(parts) if seal else parts)


@asynccontextmanager
async def connected(
    *,
    sign: bool = True,
    seal: bool = False,
    credits: int = 16,
    max_credits: int = 512,
    timeout: float = 30.0,
) -> AsyncIterator[tuple[Connection, Peer, Security]]:
    """A connection of 3.1.1 with a session on it, and the peer behind it."""
    peer = Peer()
    connection = Connection(
        peer, label="//scripted", timeout=timeout, echo_interval=10.0, max_credits=max_credits
    )
    connection.dialect = Dialect.SMB_3_1_1
    connection.multi_credit = True
    connection.credits.grant(credits - 1)
    security = Security(
        SESSION,
        signer=Signer(SigningAlgorithm.AES_CMAC, _KEYS[0]),
        sealer=Sealer(Cipher.AES_128_GCM, _KEYS[0], _KEYS[1], SESSION) if seal else None,
        sign=sign,
        seal=seal,
    )
    connection.adopt(security)
    async with trio.open_nursery() as nursery:
        await nursery.start(connection.run)
        try:
            yield connection, peer, security
        finally:
            connection.close()
            nursery.cancel_scope.cancel()


def tree_of(connection: Connection, security: Security) -> Tree:
    """A connected share on a connection of `connected`."""
    settings = ConnectionSettings("scripted")
    mode = SecurityMode.SIGNING_ENABLED
    size = 1 << 20
    negotiated = Negotiated(
        dialect=Dialect.SMB_3_1_1,
        offered=NegotiateRequest((Dialect.SMB_3_1_1,), mode, Capabilities.LARGE_MTU, bytes(16)),
        answer=NegotiateResponse(
            mode, Dialect.SMB_3_1_1, Capabilities.LARGE_MTU, bytes(16), size, size, size
        ),
        cipher=Cipher.AES_128_GCM,
        signing_algorithm=SigningAlgorithm.AES_CMAC,
        preauth=PreauthHash(),
        max_transact=size,
        max_read=size,
        max_write=size,
    )
    session = Session(connection, negotiated, settings, Credentials("user", "secret"))
    session.security = security
    tree = Tree(session, "share")
    tree.tree_id = TREE
    return tree


__all__ = ["Command", "Peer", "Question", "connected", "run", "tree_of"]
