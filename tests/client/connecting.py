"""The client's floor against the lab's servers, without a mount."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import trio

from smbmount.client.open_file import OpenFile
from smbmount.client.settings import ConnectionSettings, Credentials
from smbmount.client.share import Share, open_share
from smbmount.proto.create import AccessMask, CreateDisposition
from tests.lab.samba import PASSWORD, USER, SambaServer

T = TypeVar("T")
ALL = AccessMask.MAXIMUM_ALLOWED
CREATE = CreateDisposition.OPEN_IF


@asynccontextmanager
async def connected(
    server: SambaServer, share: str = "plain", **settings: Any
) -> AsyncIterator[Share]:
    """The share, signed on as the lab's user."""
    there = ConnectionSettings(server.address, server.port, **settings)
    async with open_share(there, Credentials(USER, PASSWORD), share) as opened:
        yield opened


def on_share(server: SambaServer, work: Callable[[Share], Awaitable[T]], share: str = "plain") -> T:
    """What `work` returns of the connected share."""

    async def main() -> T:
        async with connected(server, share) as opened:
            return await work(opened)

    return trio.run(main)


def on_file(
    server: SambaServer, path: str, work: Callable[[OpenFile], Awaitable[T]], share: str = "plain"
) -> T:
    """What `work` returns of a file, made if need be, open with all rights."""

    async def main(opened: Share) -> T:
        file = await opened.open(path, ALL, CREATE)
        try:
            return await work(file)
        finally:
            await file.close()

    return on_share(server, main, share)
