"""Oplocks and leases granted by a real Samba, and broken by a client that is not ours."""

import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from smbmount.client.breaks import Breaks
from smbmount.client.share import Share
from smbmount.client.watching import changes
from smbmount.proto.create import AccessMask, CreateOptions, OplockLevel
from smbmount.proto.create_contexts import LeaseV1, LeaseV2, unpack_lease
from smbmount.proto.negotiate import Dialect
from smbmount.proto.notify import NotifyAction
from smbmount.proto.oplock import LeaseBreakNotification, LeaseState, OplockBreakNotification
from tests.lab.samba import SambaServer

from .connecting import CREATE, connected

# Not DELETE: smbclient opens without sharing that.
DATA = AccessMask.READ_DATA | AccessMask.WRITE_DATA
RWH = LeaseState.READ_CACHING | LeaseState.WRITE_CACHING | LeaseState.HANDLE_CACHING
RH = LeaseState.READ_CACHING | LeaseState.HANDLE_CACHING


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    with SambaServer({"kernel oplocks": "no"}) as samba:
        yield samba


@asynccontextmanager
async def _another(server: SambaServer, *commands: str) -> AsyncIterator[None]:
    """smbclient does `commands` meanwhile, and succeeds."""

    async def work() -> None:
        done = await trio.to_thread.run_sync(lambda: server.smbclient("plain", *commands))
        assert done.returncode == 0, done.stdout

    async with trio.open_nursery() as nursery:
        nursery.start_soon(work)
        yield


@pytest.mark.parametrize("level", [OplockLevel.BATCH, OplockLevel.EXCLUSIVE])
def test_an_oplock_is_broken_and_acknowledged(server: SambaServer, level: OplockLevel) -> None:
    async def main() -> None:
        async with connected(server) as share:
            breaks = Breaks(share.tree)
            file = await share.open("oplocked", DATA, CREATE, oplock_level=level)
            assert file.oplock_level == level
            await file.write(0, b"first")
            broken = trio.Event()

            async def told(notice: OplockBreakNotification) -> None:
                assert notice.oplock_level == OplockLevel.LEVEL_II
                await file.write(0, b"later")  # what was kept back goes out before the answer
                kept = await breaks.acknowledge_oplock(file.file_id, OplockLevel.LEVEL_II)
                assert kept == OplockLevel.LEVEL_II
                broken.set()

            breaks.watch_oplock(file.file_id, told)
            async with _another(server, "get oplocked -"):
                await broken.wait()
            breaks.forget_oplock(file.file_id)
            await file.close()

    trio.run(main)


@pytest.mark.parametrize("version", [1, 2])
def test_a_lease_is_granted_broken_and_acknowledged(server: SambaServer, version: int) -> None:
    key = uuid.uuid4().bytes

    async def main() -> None:
        dialects = (Dialect.SMB_2_1,) if version == 1 else (Dialect.SMB_3_1_1,)
        async with connected(server, dialects=dialects) as share:
            breaks = Breaks(share.tree)
            lease = LeaseV1(key, RWH) if version == 1 else LeaseV2(key, RWH, epoch=1)
            file = await share.open(
                "leased", DATA, CREATE, oplock_level=OplockLevel.LEASE, contexts=(lease,)
            )
            granted = unpack_lease(memoryview(file.contexts[b"RqLs"]))
            assert isinstance(granted, LeaseV1 if version == 1 else LeaseV2)
            assert (granted.lease_key, granted.lease_state) == (key, RWH)
            broken = trio.Event()

            async def told(notice: LeaseBreakNotification) -> None:
                assert notice.current_lease_state == RWH
                assert notice.new_lease_state == RH
                assert await breaks.acknowledge_lease(key, RH) == RH
                broken.set()

            breaks.watch_lease(key, told)
            async with _another(server, "get leased -"):
                await broken.wait()
            breaks.forget_lease(key)
            await file.close()

    trio.run(main)


def test_a_break_that_nobody_holds_keeps_nobody_waiting(server: SambaServer) -> None:
    async def main() -> None:
        async with connected(server) as share:
            Breaks(share.tree)
            lease = LeaseV2(uuid.uuid4().bytes, RWH)
            first = await share.open(
                "forgotten", DATA, CREATE, oplock_level=OplockLevel.LEASE, contexts=(lease,)
            )
            second = await share.open("forgotten2", DATA, CREATE, oplock_level=OplockLevel.BATCH)
            with trio.fail_after(10):  # Samba waits 35 s for an acknowledgement
                async with _another(server, "get forgotten -", "get forgotten2 -"):
                    pass
            await first.close()
            await second.close()

    trio.run(main)


def test_a_directory_lease_is_granted(server: SambaServer) -> None:
    async def main() -> int:
        async with connected(server) as share:
            lease = LeaseV2(uuid.uuid4().bytes, RH)
            directory = await share.open(
                "",
                DATA,
                options=CreateOptions.DIRECTORY_FILE,
                oplock_level=OplockLevel.LEASE,
                contexts=(lease,),
            )
            granted = unpack_lease(memoryview(directory.contexts[b"RqLs"]))
            await directory.close()
            return granted.lease_state

    assert trio.run(main) == RH


def test_changes_in_a_directory_are_told(server: SambaServer) -> None:
    async def main() -> None:
        async with connected(server) as share:
            await share.mkdir("watched")
            directory = await share.open("watched", DATA, options=CreateOptions.DIRECTORY_FILE)
            told: dict[int, str] = {}

            async def watch() -> None:
                while NotifyAction.RENAMED_NEW_NAME not in told:
                    for change in await changes(directory) or ():
                        told[change.action] = change.file_name

            async with trio.open_nursery() as nursery:
                nursery.start_soon(watch)
                await _until_waiting(share)
                async with _another(
                    server, "put /etc/hostname watched/x", "rename watched/x watched/y"
                ):
                    pass
            assert told[NotifyAction.ADDED] == "x"
            assert told[NotifyAction.RENAMED_OLD_NAME] == "x"
            assert told[NotifyAction.RENAMED_NEW_NAME] == "y"
            await directory.close()

    trio.run(main)


def test_a_watch_that_is_cancelled_is_ended_on_the_server(server: SambaServer) -> None:
    async def main() -> None:
        async with connected(server) as share:
            directory = await share.open("", DATA, options=CreateOptions.DIRECTORY_FILE)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(changes, directory)
                await _until_waiting(share)
                nursery.cancel_scope.cancel()
            with trio.fail_after(5):
                while share.tree.connection.in_flight:
                    await trio.sleep(0.01)
            await directory.close()

    trio.run(main)


async def _until_waiting(share: Share) -> None:
    """Until a request is with the server; what is asked later is answered later, too."""
    while not share.tree.connection.in_flight:
        await trio.sleep(0.01)
    await share.stat("")
