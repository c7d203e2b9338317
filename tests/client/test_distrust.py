"""What a server must not say: the connection ends, with the reason logged, and nobody waits on."""

import errno
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
import trio
from hypothesis import given, settings
from hypothesis import strategies as st

from smbmount.client.attributes import FileStat
from smbmount.client.breaks import Breaks
from smbmount.client.connection import UNSOLICITED, Answer, Connection
from smbmount.client.credits import CreditShortage
from smbmount.client.errors import BrokenAnswer, ConnectionLost, TimedOut
from smbmount.client.open_file import OpenFile
from smbmount.client.space import find_hole
from smbmount.client.tree import accept
from smbmount.proto.create import FileAttributes, FileId, OplockLevel
from smbmount.proto.directory import QueryDirectoryRequest, QueryDirectoryResponse
from smbmount.proto.echo import EchoRequest, EchoResponse
from smbmount.proto.error_response import ErrorResponse
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass
from smbmount.proto.fscc_directory import Entry, pack_entries
from smbmount.proto.fsctl_files import Range, pack_ranges
from smbmount.proto.header import Command, Header, HeaderFlags
from smbmount.proto.info import InfoType, QueryInfoRequest, QueryInfoResponse
from smbmount.proto.ioctl import FsctlCode, IoctlRequest, IoctlResponse
from smbmount.proto.lock import LockElement, LockRequest, LockResponse
from smbmount.proto.negotiate import Cipher
from smbmount.proto.oplock import OplockBreakNotification
from smbmount.proto.read import ReadRequest, ReadResponse
from smbmount.proto.sealing import Sealer
from smbmount.proto.status import NtStatus

from .scripted import SESSION, Peer, Question, connected, run, tree_of

FILE = FileId(7, 8)
PENDING = NtStatus.STATUS_PENDING
RESPONSE = HeaderFlags.SERVER_TO_REDIR
ASYNC = HeaderFlags.ASYNC_COMMAND
_DONE = EchoResponse().pack()
_WAIT = ErrorResponse().pack()

Wrong = Callable[[Peer, Question], Any]


def _break(peer: Peer, question: Question, **changes: Any) -> None:
    fields = {"command": Command.OPLOCK_BREAK, "message_id": UNSOLICITED, "sign": False, **changes}
    peer.answer(question, OplockBreakNotification(FILE, 0).pack(), **fields)


def _twice(peer: Peer, question: Question) -> None:
    peer.say(peer.answer(question, _DONE))


def _waits(*async_ids: int) -> Wrong:
    def wrong(peer: Peer, question: Question) -> None:
        for async_id in async_ids:
            peer.answer(question, _WAIT, status=PENDING, async_id=async_id, sign=False)

    return wrong


def _another_final(peer: Peer, question: Question) -> None:
    _waits(5)(peer, question)
    peer.answer(question, _DONE, async_id=6)


def _stranger(peer: Peer, question: Question) -> None:
    peer.sealer = Sealer(Cipher.AES_128_GCM, bytes(16), bytes(16), SESSION + 1)
    peer.answer(question, _DONE, seal=True)


def _bad_tag(peer: Peer, question: Question) -> None:
    frame = bytearray(peer.frame(question, _DONE, seal=True))
    frame[-1] ^= 1
    peer.say(bytes(frame))


def _many(peer: Peer, question: Question) -> None:
    """A compound of a thousand messages."""
    header = Header(Command.ECHO, flags=RESPONSE, next_command=72, message_id=UNSOLICITED)
    peer.say((header.pack() + bytes(8)) * 1000)


WRONG_WHEN_SIGNED: dict[str, tuple[Wrong, str]] = {
    "an unsigned answer": (lambda p, q: p.answer(q, _DONE, sign=False), "signature is missing"),
    "a flag of a signature, and none": (
        lambda p, q: p.answer(q, _DONE, sign=False, flags=RESPONSE | HeaderFlags.SIGNED),
        "signature is wrong",
    ),
    "a wrong signature": (
        lambda p, q: p.say(p.frame(q, _DONE)[:-1] + b"\x01"),
        "signature is wrong",
    ),
    "another session's id": (
        lambda p, q: p.answer(q, _DONE, session_id=SESSION + 1),
        "SessionId",
    ),
    "another command": (lambda p, q: p.answer(q, _DONE, command=Command.FLUSH), "Command"),
    "a message id that was not sent": (lambda p, q: p.answer(q, _DONE, message_id=77), "MessageId"),
    "a message id of before": (
        lambda p, q: p.answer(q, _DONE, message_id=-1 % 2**64 - 1),
        "Message",
    ),
    "an answer twice": (_twice, "MessageId"),
    "a request instead of an answer": (lambda p, q: p.answer(q, _DONE, flags=0), "Flags"),
    "'wait' and 'wait' again": (_waits(5, 5), "AsyncId"),
    "'wait' without an id to wait for": (_waits(0), "AsyncId"),
    "an unsigned final answer that says 'wait'": (
        lambda p, q: p.answer(q, _WAIT, status=PENDING, sign=False),
        "STATUS_PENDING",
    ),
    "a signed final answer that says 'wait'": (
        lambda p, q: p.answer(q, _WAIT, status=PENDING),
        "STATUS_PENDING",
    ),
    "the end of another wait": (_another_final, "AsyncId"),
    "an unsolicited message that is no break": (
        lambda p, q: p.answer(q, _DONE, message_id=UNSOLICITED),
        "MessageId",
    ),
    "a seal of nobody's": (_stranger, "SessionId"),
    "too short a message": (lambda p, q: p.say(b"\xfeSMB"), "size"),
    "nothing": (lambda p, q: p.say(b""), "size"),
    "an SMB 1 message": (lambda p, q: p.say(b"\xffSMB" + bytes(60)), "ProtocolId"),
    "a compressed message, which nobody offered": (
        lambda p, q: p.say(b"\xfcSMB" + bytes(60)),
        "ProtocolId",
    ),
    "a chain that leads outside": (
        lambda p, q: p.answer(q, _DONE, next_command=800),
        "NextCommand",
    ),
    "a chain that stands still": (
        lambda p, q: p.answer(q, _DONE + bytes(80), next_command=8),
        "NextCommand",
    ),
    "a chain of a thousand": (_many, "count"),
    "an answer that is far larger than what was asked for": (
        lambda p, q: p.answer(q, _DONE + bytes(200_000)),
        "size",
    ),
}
WRONG_WHEN_SEALED: dict[str, tuple[Wrong, str]] = {
    "an answer in the clear": (
        lambda p, q: p.answer(q, _DONE, seal=False),
        "encryption is missing",
    ),
    "a signed answer in the clear": (
        lambda p, q: p.answer(q, _DONE, seal=False, sign=True),
        "encryption is missing",
    ),
    "'wait' in the clear": (
        lambda p, q: p.answer(q, _WAIT, seal=False, status=PENDING, async_id=5),
        "encryption is missing",
    ),
    "a break in the clear": (lambda p, q: _break(p, q, seal=False), "encryption is missing"),
    "a break in the clear, of no session": (
        lambda p, q: _break(p, q, seal=False, session_id=0),
        "encryption is missing",
    ),
    "a broken seal": (_bad_tag, "seal is broken"),
    "another session's id inside": (
        lambda p, q: p.answer(q, _DONE, session_id=SESSION + 1),
        "SessionId",
    ),
    "an answer twice": (_twice, "MessageId"),
}


def _ends(
    wrong: Wrong, reason: str, caplog: pytest.LogCaptureFixture, *, seal: bool = False
) -> None:
    async def main() -> None:
        async with connected(seal=seal) as (connection, peer, security), trio.open_nursery() as n:
            told: list[ConnectionLost] = []

            async def ask() -> None:
                try:
                    await connection.exchange([EchoRequest()], security=security)
                    await connection.exchange([EchoRequest()], security=security)
                except ConnectionLost as lost:
                    told.append(lost)

            n.start_soon(ask)
            wrong(peer, await peer.next())
            with trio.fail_after(5):
                while not told:
                    await trio.sleep(0.01)
            assert told[0].errno == errno.EPROTO
            assert connection.in_flight == 0

    with caplog.at_level(logging.ERROR):
        run(main)
    assert "connection ended" in caplog.text
    assert reason in caplog.text


@pytest.mark.parametrize("kind", WRONG_WHEN_SIGNED)
def test_a_signed_connection_ends_with(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    _ends(*WRONG_WHEN_SIGNED[kind], caplog)


@pytest.mark.parametrize("kind", WRONG_WHEN_SEALED)
def test_a_sealed_connection_ends_with(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    _ends(*WRONG_WHEN_SEALED[kind], caplog, seal=True)


@pytest.mark.parametrize("seal", [False, True])
def test_an_answer_of_before_replayed_ends_the_connection(
    seal: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with connected(seal=seal) as (connection, peer, security), trio.open_nursery() as n:
            frames: list[bytes] = []

            async def serve() -> None:
                for _ in range(3):
                    frames.append(peer.answer(await peer.next(), _DONE))
                await peer.next()
                peer.say(frames[0])  # instead of an answer to the fourth

            n.start_soon(serve)
            for _ in range(3):
                await connection.exchange([EchoRequest()], security=security)
            with pytest.raises(ConnectionLost, match="MessageId"):
                await connection.exchange([EchoRequest()], security=security)

    with caplog.at_level(logging.ERROR):
        run(main)


def test_a_right_answer_passes_so_the_others_failed_for_their_fault() -> None:
    async def main() -> None:
        for seal in (False, True):
            async with (
                connected(seal=seal) as (connection, peer, security),
                trio.open_nursery() as n,
            ):

                async def serve(peer: Peer = peer) -> None:
                    peer.answer(await peer.next(), _DONE)
                    question = await peer.next()
                    peer.answer(question, _WAIT, status=PENDING, async_id=5)
                    peer.answer(question, _DONE, async_id=5, credits=0)

                n.start_soon(serve)
                for _ in range(2):
                    [answer] = await connection.exchange([EchoRequest()], security=security)
                    assert answer.status == 0

    run(main)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_any_frame_is_taken_or_refused_and_nothing_else(noise: bytes, start: bool) -> None:
    async def main() -> None:
        async with connected(seal=True) as (connection, peer, _):
            peer.say(b"\xfeSMB\x40\0" + noise if start else noise)
            await trio.testing.wait_all_tasks_blocked()
            assert connection.lost is not None
            assert connection.lost.errno == errno.EPROTO

    logging.disable(logging.CRITICAL)
    try:
        run(main)
    finally:
        logging.disable(logging.NOTSET)


# -- more than was asked for ------------------------------------------------------------


def _longer(body: Any) -> Callable[[Peer], Awaitable[None]]:
    async def serve(peer: Peer) -> None:
        peer.answer(await peer.next(), body)

    return serve


_DATA = memoryview(bytes(101))
ASKED: list[tuple[Any, Any, Any]] = [
    (ReadRequest(FILE, 0, 100), ReadResponse(_DATA), ReadResponse),
    (QueryInfoRequest(FILE, InfoType.FILE, 18, 100), QueryInfoResponse(_DATA), QueryInfoResponse),
    (
        QueryDirectoryRequest(FILE, 38, output_buffer_length=100),
        QueryDirectoryResponse(_DATA),
        QueryDirectoryResponse,
    ),
    (
        IoctlRequest(FILE, FsctlCode.GET_REPARSE_POINT, b"x" * 4000, 100),
        IoctlResponse(FsctlCode.GET_REPARSE_POINT, FILE, _DATA),
        IoctlResponse,
    ),
]


@pytest.mark.parametrize(("request_", "response", "kind"), ASKED, ids=lambda v: type(v).__name__)
def test_more_data_than_was_asked_for_ends_the_connection(
    request_: Any, response: Any, kind: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with connected() as (connection, peer, security), trio.open_nursery() as nursery:
            tree = tree_of(connection, security)
            nursery.start_soon(_longer(response), peer)
            with pytest.raises(ConnectionLost, match="more than the 100 asked for"):
                await tree.call(request_, kind)

    with caplog.at_level(logging.ERROR):
        run(main)


def test_as_much_data_as_was_asked_for_is_fine() -> None:
    answer = Answer(Header(Command.READ), memoryview(bytes(64) + ReadResponse(_DATA).pack()), 101)
    assert accept(answer, ReadResponse).data == _DATA
    with pytest.raises(MalformedMessage):
        accept(Answer(answer.header, answer.message, 100), ReadResponse)


# -- listings ---------------------------------------------------------------------------


def _directory(connection: Connection, security: Any) -> OpenFile:
    stat = FileStat(
        file_id=0, attributes=FileAttributes.DIRECTORY, size=0, allocated=0, links=1, created=0,
        accessed=0, written=0, changed=0,
    )  # fmt: skip
    tree = tree_of(connection, security)
    return OpenFile(
        tree, FILE, "d", stat, created=False, root="", max_read=1 << 20, max_write=1 << 20
    )


def _listing(*names: str) -> QueryDirectoryResponse:
    packed = pack_entries(
        FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION, [Entry(name) for name in names]
    )
    return QueryDirectoryResponse(memoryview(packed))


async def _list(answers: Callable[[int], QueryDirectoryResponse | None]) -> int:
    """List a directory whose n-th answer is `answers(n)`; how many entries there were."""
    count = 0
    async with connected() as (connection, peer, security), trio.open_nursery() as nursery:

        async def serve() -> None:
            number = 0
            while True:
                question = await peer.next()
                response = answers(number)
                if response is None:
                    status = NtStatus.STATUS_NO_MORE_FILES
                    peer.answer(question, ErrorResponse(), status=status)
                else:
                    peer.answer(question, response)
                number += 1

        nursery.start_soon(serve)
        try:
            async for batch in _directory(connection, security).batches():
                count += len(batch)
        finally:
            nursery.cancel_scope.cancel()
    return count


def test_a_listing_that_begins_again_and_again_is_given_up() -> None:
    rounds = [_listing("a", "b"), _listing("c", "d")]
    with pytest.raises(BrokenAnswer, match="again and again"):
        run(lambda: _list(lambda number: rounds[number % 2]))


def test_a_listing_without_entries_and_without_end_is_given_up() -> None:
    with pytest.raises(BrokenAnswer, match="no end"):
        run(lambda: _list(lambda number: _listing(".", "..")))


def test_a_listing_of_endless_new_names_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("smbmount.client.open_file._MOST_ENTRIES", 1000)
    with pytest.raises(BrokenAnswer, match="more than 1000"):
        run(lambda: _list(lambda number: _listing(f"x{number}", f"y{number}")))


def test_an_ordinary_listing_ends() -> None:
    rounds = [_listing(".", "..", "a"), _listing("b", "c"), None]
    assert run(lambda: _list(lambda number: rounds[number])) == 3


# -- credits ----------------------------------------------------------------------------


def test_credits_that_were_not_asked_for_are_not_counted() -> None:
    async def main() -> None:
        async with connected(max_credits=64) as (connection, peer, security):
            async with trio.open_nursery() as nursery:

                async def serve() -> None:
                    while True:
                        peer.answer(await peer.next(), _DONE, credits=65535)

                nursery.start_soon(serve)
                for _ in range(100):
                    await connection.exchange([EchoRequest()], security=security)
                    assert connection.credits.window <= 64
                nursery.cancel_scope.cancel()
            assert connection.credits.available == 64

    run(main)


def test_a_server_that_takes_the_last_credit_loses_the_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def main() -> None:
        async with connected(credits=1) as (connection, peer, security):
            async with trio.open_nursery() as nursery:

                async def serve() -> None:
                    peer.answer(await peer.next(), _DONE, credits=0)

                nursery.start_soon(serve)
                await connection.exchange([EchoRequest()], security=security)
            directory = _directory(connection, security)
            for _ in range(2):
                with pytest.raises(ConnectionLost, match="no credits"):
                    await directory.read(0, 100)

    with caplog.at_level(logging.ERROR):
        run(main)


def test_a_server_that_only_chatters_and_grants_nothing_is_given_up_in_time() -> None:
    async def main() -> None:
        async with (
            connected(credits=1, timeout=30) as (connection, peer, security),
            trio.open_nursery() as nursery,
        ):

            async def ask() -> None:
                with suppress(ConnectionLost, TimedOut):
                    await connection.exchange(
                        [LockRequest(FILE, (LockElement(0, 1, 0),))],
                        security=security,
                        deadline=False,
                    )

            async def serve() -> None:
                question = await peer.next()
                peer.answer(question, _WAIT, status=PENDING, async_id=5, credits=0, sign=False)
                while True:
                    _break(peer, question, credits=0)
                    await trio.sleep(1)

            nursery.start_soon(ask)
            nursery.start_soon(serve)
            await trio.sleep(0.1)
            began = trio.current_time()
            with pytest.raises(ConnectionLost):
                await connection.exchange([EchoRequest()], security=security)
            assert trio.current_time() - began < 60
            nursery.cancel_scope.cancel()

    run(main)


def test_a_lock_that_waits_does_not_make_a_large_request_wait_for_it() -> None:
    """The wait gave its credit back: the window is what is at hand, not that and the lock's."""

    async def main() -> None:
        async with connected(credits=1, max_credits=1) as (connection, peer, security):
            async with trio.open_nursery() as nursery:

                async def lock() -> None:
                    await connection.exchange(
                        [LockRequest(FILE, (LockElement(0, 1, 0),))],
                        security=security,
                        deadline=False,
                    )

                nursery.start_soon(lock)
                question = await peer.next()
                peer.answer(question, _WAIT, status=PENDING, async_id=5, credits=1, sign=False)
                await trio.testing.wait_all_tasks_blocked()
                assert connection.affordable(1 << 20) == 64 * 1024
                with trio.fail_after(1), pytest.raises(CreditShortage):
                    await connection.exchange([ReadRequest(FILE, 0, 1 << 20)], security=security)
                peer.answer(question, LockResponse(), async_id=5, credits=0)
            assert connection.credits.window == 1

    run(main)


# -- waits ------------------------------------------------------------------------------


def test_a_read_that_is_told_to_wait_for_ever_fails_in_the_end() -> None:
    async def main() -> None:
        async with (
            connected(timeout=30) as (connection, peer, security),
            trio.open_nursery() as nursery,
        ):

            async def serve() -> None:
                question = await peer.next()
                peer.answer(question, _WAIT, status=PENDING, async_id=5, sign=False)
                while True:  # everything else it answers: it lives
                    peer.answer(await peer.next(), _DONE, command=Command.ECHO)

            nursery.start_soon(serve)
            with pytest.raises(TimedOut):
                await connection.exchange([ReadRequest(FILE, 0, 10)], security=security)
            assert 30 < trio.current_time() - connection._last_heard + 600 < 1300
            nursery.cancel_scope.cancel()

    run(main)


def test_a_lock_may_wait_as_long_as_it_likes() -> None:
    async def main() -> None:
        async with (
            connected(timeout=30) as (connection, peer, security),
            trio.open_nursery() as nursery,
        ):
            locked = trio.Event()

            async def lock() -> None:
                lock = LockRequest(FILE, (LockElement(0, 1, 0),))
                await connection.exchange([lock], security=security)
                locked.set()

            async def serve(question: Question) -> None:
                while True:
                    asked = await peer.next()
                    peer.answer(asked, _DONE)

            nursery.start_soon(lock)
            question = await peer.next()
            peer.answer(question, _WAIT, status=PENDING, async_id=5, sign=False)
            nursery.start_soon(serve, question)
            await trio.sleep(7200)
            assert not locked.is_set()
            peer.answer(question, LockResponse(), async_id=5, credits=0)
            with trio.fail_after(1):
                await locked.wait()
            nursery.cancel_scope.cancel()

    run(main)


def test_breaks_without_number_are_held_nowhere() -> None:
    async def main() -> None:
        async with connected() as (connection, peer, security), trio.open_nursery() as nursery:
            seen: list[int] = []
            connection.on_break = lambda message: seen.append(len(message))

            async def ask() -> None:
                await connection.exchange([EchoRequest()], security=security)

            nursery.start_soon(ask)
            question = await peer.next()
            for _ in range(5000):
                _break(peer, question, credits=100)
            peer.answer(question, _DONE)
        assert len(seen) == 5000
        assert connection.in_flight == 0
        assert connection.credits.window <= 512

    run(main)


# -- work beside the connection ----------------------------------------------------------


def test_a_flood_of_breaks_ends_the_connection(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with connected() as (connection, peer, security), trio.open_nursery() as nursery:
            Breaks(tree_of(connection, security))

            async def ask() -> None:
                with suppress(ConnectionLost):
                    await connection.exchange([EchoRequest()], security=security)

            nursery.start_soon(ask)
            question = await peer.next()
            for _ in range(5000):  # and no acknowledgement is ever answered
                _break(peer, question)
            await trio.sleep(1)
            assert connection.lost is not None
            assert connection.lost.errno == errno.EPROTO

    with caplog.at_level(logging.ERROR):
        run(main)
    assert "number of breaks" in caplog.text


def test_an_oplock_level_that_does_not_exist_ends_the_connection() -> None:
    async def main() -> None:
        async with connected() as (connection, peer, security), trio.open_nursery() as nursery:
            breaks = Breaks(tree_of(connection, security))

            async def serve() -> None:
                peer.answer(await peer.next(), OplockBreakNotification(FILE, 0x77))

            nursery.start_soon(serve)
            with pytest.raises(ConnectionLost, match="OplockLevel is 119"):
                await breaks.acknowledge_oplock(FILE, OplockLevel.NONE)

    run(main)


def test_an_error_in_the_background_ends_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with connected() as (connection, peer, security), trio.open_nursery() as nursery:

            async def fail() -> None:
                raise ValueError("unforeseen")

            async def serve() -> None:
                peer.answer(await peer.next(), _DONE)

            connection.in_background(fail)
            nursery.start_soon(serve)
            await connection.exchange([EchoRequest()], security=security)

    run(main)
    assert "unforeseen" in caplog.text


def test_a_map_of_holes_that_does_not_get_on_is_given_up() -> None:
    async def main() -> None:
        async with connected() as (connection, peer, security), trio.open_nursery() as nursery:

            async def serve() -> None:
                while True:
                    question = await peer.next()
                    if question.header.command == Command.QUERY_INFO:
                        peer.answer(question, QueryInfoResponse(memoryview(_all_information())))
                    else:
                        code = FsctlCode.QUERY_ALLOCATED_RANGES
                        ranges = memoryview(pack_ranges([Range(0, 0)]))
                        status = NtStatus.STATUS_BUFFER_OVERFLOW
                        peer.answer(question, IoctlResponse(code, FILE, ranges), status=status)

            nursery.start_soon(serve)
            with pytest.raises(BrokenAnswer, match="no end"):
                await find_hole(_directory(connection, security), 0)
            nursery.cancel_scope.cancel()

    run(main)


def _all_information() -> bytes:
    """FileAllInformation of a file of a mebibyte: its size counts, the rest is zero."""
    packed = bytearray(100)
    packed[48:56] = (1 << 20).to_bytes(8, "little")
    return bytes(packed)
