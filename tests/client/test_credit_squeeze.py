"""A server that grants as little as it may: everyone is answered in turn, nothing stands still."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from smbmount.client.settings import ConnectionSettings, Credentials
from smbmount.client.share import Share, open_share
from smbmount.proto.close import CloseRequest, CloseResponse
from smbmount.proto.create import (
    RELATED,
    AccessMask,
    CreateAction,
    CreateDisposition,
    CreateRequest,
    CreateResponse,
    FileId,
)
from smbmount.proto.header import Command, HeaderFlags
from smbmount.proto.read import ReadRequest, ReadResponse
from smbmount.proto.status import NtStatus
from tests.lab.proxy import Proxy
from tests.lab.samba import SambaServer

from .between import USER_CREDENTIALS
from .scripted import connected, run, tree_of

FILE = FileId(7, 8)
_MEBIBYTE = 1 << 20
_PENDING = NtStatus.STATUS_PENDING.to_bytes(4, "little")


def test_a_thousand_requests_pass_through_one_credit_in_order() -> None:
    async def main() -> None:
        answered: list[int] = []
        async with (
            connected(credits=1) as (connection, peer, security),
            trio.open_nursery() as server,
        ):
            tree = tree_of(connection, security)

            async def serve() -> None:
                while True:
                    question = await peer.next()
                    assert connection.in_flight == 1
                    await trio.sleep(0.01)
                    data = question.message[72:80]  # the offset comes back as content
                    peer.answer(question, ReadResponse(data), credits=1)

            async def ask(number: int) -> None:
                data = (await tree.call(ReadRequest(FILE, number, 8), ReadResponse)).data
                assert int.from_bytes(data, "little") == number
                answered.append(number)

            server.start_soon(serve)
            async with trio.open_nursery() as nursery:
                for number in range(1000):
                    nursery.start_soon(ask, number)
                    await trio.lowlevel.checkpoint()  # so that they queue in this order
            server.cancel_scope.cancel()
        assert answered == sorted(answered)
        assert len(answered) == 1000
        assert connection.credits.window == 1

    run(main)


def test_a_small_request_waits_for_no_more_than_stood_before_it() -> None:
    """Sixteen readers of a mebibyte each have the window; one small request gets its turn."""

    async def main() -> None:
        served: list[int] = []
        async with (
            connected(credits=16, max_credits=16) as (connection, peer, security),
            trio.open_nursery() as nursery,
        ):
            tree = tree_of(connection, security)

            async def serve() -> None:
                while True:
                    question = await peer.next()
                    await trio.sleep(0.01)
                    length = int.from_bytes(question.message[68:72], "little")
                    served.append(length)
                    data = memoryview(bytes(min(length, 8)))
                    peer.answer(question, ReadResponse(data), credits=question.header.credit_charge)

            async def hog() -> None:
                while True:
                    await tree.call(ReadRequest(FILE, 0, _MEBIBYTE), ReadResponse)

            nursery.start_soon(serve)
            for _ in range(16):
                nursery.start_soon(hog)
            await trio.sleep(1)
            before = len(served)
            await tree.call(ReadRequest(FILE, 0, 8), ReadResponse)
            assert len(served) - before <= 18
            nursery.cancel_scope.cancel()

    run(main)


def test_whoever_leaves_between_the_parts_of_a_compound_leaves_nothing_open() -> None:
    async def main() -> None:
        async with (
            connected(credits=1, max_credits=1) as (connection, peer, security),
            trio.open_nursery() as nursery,
        ):
            tree = tree_of(connection, security)
            create = CreateRequest("f", AccessMask.READ_DATA, CreateDisposition.OPEN)
            scope = trio.CancelScope()

            async def ask() -> None:
                with scope:
                    read = ReadRequest(RELATED, 0, 10)
                    await tree.send([create, read, CloseRequest(RELATED)])

            nursery.start_soon(ask)
            question = await peer.next()
            assert question.header.command == Command.CREATE
            peer.answer(question, _opened(), credits=1)
            question = await peer.next()
            assert question.header.command == Command.READ
            scope.cancel()
            await trio.testing.wait_all_tasks_blocked()
            peer.answer(question, ReadResponse(memoryview(b"x")), credits=1)
            question = await peer.next()
            assert question.header.command == Command.CLOSE
            peer.answer(question, CloseResponse())

    run(main)


def _opened() -> CreateResponse:
    return CreateResponse(
        oplock_level=0, flags=0, create_action=CreateAction.FILE_OPENED, creation_time=0,
        last_access_time=0, last_write_time=0, change_time=0, allocation_size=0, end_of_file=10,
        file_attributes=0, file_id=FILE,
    )  # fmt: skip


# -- real servers -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def squeezed() -> Iterator[SambaServer]:
    """A Samba that grants one credit and no more."""
    with SambaServer({"smb2 max credits": "1"}) as server:
        _fill(server)
        yield server


def _fill(server: SambaServer, share: str = "plain") -> None:
    root = server.path_of(share)
    for number in range(20):
        (root / f"file {number}").write_bytes(b"%d" % number * 1000)
    listed = root / "listed"
    listed.mkdir()
    for number in range(3000):
        (listed / f"a name of some length {number:05}").touch()
    (root / "large").write_bytes(bytes(32 * _MEBIBYTE))
    (root / "large").chmod(0o666)


@asynccontextmanager
async def _share(server: SambaServer, **settings: object) -> AsyncIterator[Share]:
    told = ConnectionSettings(server.address, port=server.port, **settings)  # type: ignore[arg-type]
    async with open_share(told, USER_CREDENTIALS, "plain") as share:
        yield share


async def _thousand(share: Share) -> None:
    """A thousand requests of several kinds at once, each answered rightly."""
    done: Counter[str] = Counter()

    async def stat(number: int) -> None:
        told = await share.stat(f"file {number % 20}")
        assert told.size == len(str(number % 20)) * 1000
        done["stat"] += 1

    async def read(number: int) -> None:
        file = await share.open(f"file {number % 20}", AccessMask.READ_DATA)
        try:
            assert bytes(await file.read(0, 1000)) == (b"%d" % (number % 20) * 1000)[:1000]
        finally:
            await file.close()
        done["read"] += 1

    async def size(number: int) -> None:
        assert (await share.statfs()).total > 0
        done["statfs"] += 1

    kinds = (stat, read, stat, size)
    async with trio.open_nursery() as nursery:
        for number in range(1000):
            nursery.start_soon(kinds[number % 4], number)
    assert done == {"stat": 500, "read": 250, "statfs": 250}


@pytest.mark.parametrize("ours", [1, 512], ids=["we want one", "we want many"])
def test_a_thousand_requests_at_once_with_one_credit_of_samba(
    squeezed: SambaServer, ours: int
) -> None:
    async def main() -> None:
        async with _share(squeezed, max_credits=ours) as share:
            with trio.fail_after(200):
                await _thousand(share)

    trio.run(main)


def test_a_thousand_requests_at_once_with_few_credits_by_our_own_choice(
    samba: SambaServer,
) -> None:
    async def main() -> None:
        for name in range(20):
            (samba.path_of("plain") / f"file {name}").write_bytes(b"%d" % name * 1000)
        async with _share(samba, max_credits=5) as share:
            with trio.fail_after(200):
                await _thousand(share)

    trio.run(main)


def _one_credit(_: int, frame: bytes) -> bytes:
    """Every request is granted one credit, whatever the server meant: by "wait", if it has to."""
    changed = bytearray(frame)
    at = 0
    while True:
        waited = frame[at + 16] & HeaderFlags.ASYNC_COMMAND
        last_word = frame[at + 8 : at + 12] != _PENDING
        changed[at + 14 : at + 16] = b"\0\0" if waited and last_word else b"\x01\0"
        following = int.from_bytes(frame[at + 20 : at + 24], "little")
        if not following:
            return bytes(changed)
        at += following


def test_a_thousand_requests_at_once_with_one_credit_for_each_answer() -> None:
    """A guest's session has no key, so nothing in it is signed and all of it can be changed."""

    async def main(proxy: Proxy) -> None:
        settings = ConnectionSettings(proxy.address, port=proxy.port)
        async with open_share(settings, Credentials(guest=True), "guest") as share:
            with trio.fail_after(200):
                await _thousand(share)
            assert share._tree.connection.credits.window == 1  # of 512 that we would like

    with SambaServer() as server, Proxy(server.address, server.port) as proxy:
        _fill(server, "guest")
        proxy.alter = _one_credit
        trio.run(main, proxy)


@pytest.mark.parametrize("copy", ["reading", "writing"])
def test_a_directory_is_listed_while_a_large_copy_runs_on_one_credit(
    squeezed: SambaServer, copy: str
) -> None:
    async def main() -> None:
        async with _share(squeezed) as share, trio.open_nursery() as nursery:
            rounds = 0

            async def work() -> None:
                nonlocal rounds
                access = AccessMask.READ_DATA | AccessMask.WRITE_DATA
                file = await share.open("large", access)
                try:
                    while True:
                        for at in range(0, 32 * _MEBIBYTE, _MEBIBYTE):
                            if copy == "reading":
                                assert len(await file.read(at, _MEBIBYTE)) == _MEBIBYTE
                            else:
                                await file.write(at, bytes(_MEBIBYTE))
                            rounds += 1
                finally:
                    await file.close()

            nursery.start_soon(work)
            with trio.fail_after(60):
                while rounds < 3:
                    await trio.sleep(0.01)
                before = rounds
                names = [entry.name async for batch in share.scan("listed") for entry in batch]
            assert len(names) == 3000
            # The copy went on, and the listing did not have to wait for its end.
            assert before < rounds < before + 200
            nursery.cancel_scope.cancel()

    trio.run(main)
