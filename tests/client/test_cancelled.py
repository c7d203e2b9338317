"""Callers that leave while the server is silent: nothing of them is left when it speaks again."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
import trio

from smbmount.client.locking import ByteRange
from smbmount.client.open_file import OpenFile
from smbmount.client.settings import ConnectionSettings, Credentials
from smbmount.client.share import Share, open_share
from smbmount.proto.create import AccessMask, CreateDisposition
from tests.lab.proxy import Proxy
from tests.lab.samba import PASSWORD, USER, SambaServer

_BOTH = AccessMask.READ_DATA | AccessMask.WRITE_DATA
_SIZE = 3 << 20
_TASKS = 3  # of a connection that has nothing to do

Work = Callable[[Share, OpenFile], Awaitable[object]]


async def _listed(share: Share, file: OpenFile) -> None:
    async for _ in share.scan(""):
        pass


OPERATIONS: dict[str, Work] = {
    "stat": lambda share, file: share.stat("file"),
    "open": lambda share, file: share.open("file", _BOTH),
    "create": lambda share, file: share.open("new", _BOTH, CreateDisposition.OPEN_IF),
    "read": lambda share, file: file.read(0, _SIZE),
    "write": lambda share, file: file.write(0, bytes(_SIZE)),
    "flush": lambda share, file: file.flush(),
    "query": lambda share, file: file.query(),
    "set size": lambda share, file: file.set_size(_SIZE),
    "rename": lambda share, file: share.rename("other", "another", replace=True),
    "remove": lambda share, file: share.remove("gone", directory=False),
    "mkdir": lambda share, file: share.mkdir("directory"),
    "scan": _listed,
    "statfs": lambda share, file: share.statfs(),
    "lock": lambda share, file: file.lock([ByteRange(0, 10, True)]),
    "waiting lock": lambda share, file: file.lock_waiting(ByteRange(0, 10, True)),
}


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    with SambaServer() as server:
        yield server


@asynccontextmanager
async def _share(server: SambaServer, proxy: Proxy) -> AsyncIterator[Share]:
    settings = ConnectionSettings(host=proxy.address, port=proxy.port)
    async with open_share(settings, Credentials(USER, PASSWORD), "plain") as share:
        yield share


async def _until(holds: Callable[[], bool]) -> None:
    with trio.fail_after(20):
        while not holds():
            await trio.sleep(0.01)


def _nothing_is_left(share: Share) -> bool:
    connection = share._tree.connection
    assert connection._nursery is not None
    return (
        connection.in_flight == 0
        and connection.credits.lent == 0
        and len(connection._nursery.child_tasks) == _TASKS
    )


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_caller_that_leaves_a_silent_server_leaves_nothing(
    server: SambaServer, name: str
) -> None:
    for file in ("file", "other", "gone"):
        (server.path_of("plain") / file).write_bytes(bytes(_SIZE))
        (server.path_of("plain") / file).chmod(0o666)

    async def main(proxy: Proxy) -> None:
        async with _share(server, proxy) as share:
            file = await share.open("file", _BOTH)
            await OPERATIONS["query"](share, file)
            window = share._tree.connection.credits.window
            await trio.to_thread.run_sync(proxy.stall)
            start = trio.current_time()
            with trio.move_on_after(0.2) as leaving:
                await OPERATIONS[name](share, file)
            assert leaving.cancelled_caught
            assert trio.current_time() - start < 0.4
            assert share._tree.connection.in_flight > 0
            await trio.to_thread.run_sync(proxy.resume)
            await _until(lambda: _nothing_is_left(share))
            assert share._tree.connection.credits.window >= window
            # Whatever was locked or opened too late has been given back.
            assert await file.lock([ByteRange(0, 10, True)])
            await file.close()
            await _until(lambda: server.open_files() == [])
            assert share._tree.connection._wire._pool.lent == 0  # type: ignore[attr-defined]

    with Proxy(server.address, server.port) as proxy:
        trio.run(main, proxy)


def test_a_waiting_lock_is_cancelled_on_the_server(server: SambaServer) -> None:
    (server.path_of("plain") / "file").write_bytes(b"")
    (server.path_of("plain") / "file").chmod(0o666)
    wanted = ByteRange(5, 5, True)

    async def main(proxy: Proxy) -> None:
        async with _share(server, proxy) as share, _share(server, proxy) as other:
            holder, waiter = await share.open("file", _BOTH), await other.open("file", _BOTH)
            assert await holder.lock([wanted])
            for _ in range(20):
                with trio.move_on_after(0.02):
                    await waiter.lock_waiting(wanted)
            await _until(lambda: _nothing_is_left(other))
            await holder.unlock([wanted])
            assert await holder.lock([wanted])  # nobody was waiting any more
            async with trio.open_nursery() as nursery:
                nursery.start_soon(waiter.lock_waiting, wanted)
                await trio.sleep(0.1)
                await holder.unlock([wanted])
            assert not await holder.lock([wanted])
            await holder.close()
            await waiter.close()

    with Proxy(server.address, server.port) as proxy:
        trio.run(main, proxy)


def test_a_caller_that_leaves_as_the_answer_comes_leaves_nothing(server: SambaServer) -> None:
    """At every moment from before the request to after the answer."""
    (server.path_of("plain") / "file").write_bytes(b"")
    (server.path_of("plain") / "file").chmod(0o666)

    async def main(proxy: Proxy) -> None:
        async with _share(server, proxy) as share:
            file = await share.open("file", _BOTH)
            for number in range(150):
                work: list[Callable[[], Awaitable[object]]] = [
                    partial(share.open, "file", _BOTH),
                    partial(file.lock, [ByteRange(100 + number, 1, True)]),
                ]
                with trio.move_on_after(number / 150 * 0.004):
                    opened = await work[number % 2]()
                    if isinstance(opened, OpenFile):
                        await opened.close()
                    else:
                        await file.unlock([ByteRange(100 + number, 1, True)])
            await _until(lambda: _nothing_is_left(share))
            await _until(lambda: len(server.smbstatus()["open_files"]) == 1)
            (only,) = server.smbstatus()["open_files"].values()
            assert len(only["opens"]) == 1
            await file.close()

    with Proxy(server.address, server.port) as proxy:
        trio.run(main, proxy)
