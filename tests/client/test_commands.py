"""Each command of SMB 2, sent to a real Samba of each dialect and answered."""

from contextlib import suppress

import pytest
import trio

from smbmount.client.errors import ClientError
from smbmount.client.locking import ByteRange
from smbmount.client.settings import ALL_DIALECTS
from smbmount.client.share import Share
from smbmount.client.watching import changes
from smbmount.proto.create import AccessMask, CreateDisposition, CreateOptions
from smbmount.proto.header import Command, Header
from smbmount.proto.ioctl import FsctlCode
from smbmount.proto.negotiate import Dialect
from tests.lab.samba import SambaServer

from .connecting import connected

# Breaks have their own tests (test_breaks.py); the last is the server's, and of newer servers.
_NOT_HERE = {Command.OPLOCK_BREAK, Command.SERVER_TO_CLIENT_NOTIFICATION}
_DATA = AccessMask.READ_DATA | AccessMask.WRITE_DATA


@pytest.mark.parametrize("dialect", ALL_DIALECTS)
def test_every_command_is_answered_in_every_dialect(samba: SambaServer, dialect: Dialect) -> None:
    asked: set[int] = set()
    answered: set[int] = set()

    def observe(way: str, frame: memoryview) -> None:
        rest = frame
        while True:
            header = Header.unpack(rest)
            if way == "out":
                asked.add(header.command)
            elif header.status == 0:
                answered.add(header.command)
            if not header.next_command:
                return
            rest = rest[header.next_command :]

    async def main() -> None:
        async with connected(samba, dialects=(dialect,), observer=lambda: observe) as share:
            await _use(share)

    trio.run(main)
    assert asked == set(Command) - _NOT_HERE
    assert answered == asked - {Command.CANCEL, Command.CHANGE_NOTIFY}


async def _use(share: Share) -> None:
    file = await share.open("used", _DATA, CreateDisposition.OPEN_IF)
    await file.write(0, b"content")
    await file.flush()
    assert bytes(await file.read(0, 100)) == b"content"
    await file.set_size(3)
    assert (await file.query()).size == 3
    assert await file.lock([ByteRange(0, 1, exclusive=True)])
    await file.ioctl(FsctlCode.SRV_REQUEST_RESUME_KEY, b"", 32)
    await file.unlock([ByteRange(0, 1, exclusive=True)])
    await file.close()
    assert "used" in [entry.name async for batch in share.scan("") for entry in batch]
    await share.tree.connection.echo()
    directory = await share.open("", AccessMask.READ_DATA, options=CreateOptions.DIRECTORY_FILE)
    with trio.move_on_after(0.1):  # CHANGE_NOTIFY, and its CANCEL
        await changes(directory)
    with suppress(ClientError):
        await directory.close()


def test_a_lock_that_is_waited_for_is_cancelled(samba: SambaServer) -> None:
    async def main() -> None:
        async with connected(samba) as first, connected(samba) as second:
            holder = await first.open("contended", _DATA, CreateDisposition.OPEN_IF)
            waiter = await second.open("contended", _DATA, CreateDisposition.OPEN_IF)
            wanted = ByteRange(0, 10, exclusive=True)
            assert await holder.lock([wanted])
            assert not await waiter.lock([wanted])
            with trio.move_on_after(0.2) as scope:
                await waiter.lock_waiting(wanted)
            assert scope.cancelled_caught
            await holder.unlock([wanted])
            assert await holder.lock([wanted])  # the one who left did not get it
            await holder.close()
            with trio.fail_after(10):
                await waiter.lock_waiting(wanted)
            await waiter.close()

    trio.run(main)
