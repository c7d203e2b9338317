"""Somebody in between: what he could change, and whether the client let him."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import trio

from smbmount.client.errors import ClientError
from smbmount.client.settings import ConnectionSettings, Credentials
from smbmount.client.share import Share, open_share
from smbmount.proto.header import HEADER_SIZE
from tests.lab.proxy import Alter, Proxy
from tests.lab.samba import PASSWORD, USER, SambaServer

USER_CREDENTIALS = Credentials(USER, PASSWORD)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt ended: by what error, or with `result`."""

    error: BaseException | None
    result: Any = None

    @property
    def refused(self) -> bool:
        """True if the client noticed, and said so in its own words."""
        return isinstance(self.error, ClientError)


@contextmanager
def proxied(server: SambaServer) -> Iterator[Proxy]:
    """A proxy before `server`."""
    with Proxy(server.address, server.port) as proxy:
        yield proxy


def attempt(
    proxy: Proxy,
    work: Callable[[Share], Any],
    share: str = "plain",
    *,
    credentials: Credentials = USER_CREDENTIALS,
    patience: float = 60.0,
    **settings: Any,
) -> Outcome:
    """Open a share through the proxy, do `work` on it, and close it."""

    async def main() -> Any:
        with trio.fail_after(patience):  # whatever somebody changes, nothing may hang
            told = ConnectionSettings(
                proxy.address,
                port=proxy.port,
                **{"timeout": 5.0, "connect_timeout": 20.0, "echo_interval": 2.0, **settings},
            )
            async with open_share(told, credentials, share) as opened:
                return await work(opened)

    try:
        return Outcome(None, trio.run(main))
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        strange = [leaf for leaf in leaves if not isinstance(leaf, ClientError)]
        return Outcome((strange or leaves)[0])
    except Exception as error:
        return Outcome(error)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def only(number: int, change: Callable[[bytes], bytes]) -> Alter:
    """Change the frame of that number, from 0, and no other."""
    return lambda at, frame: change(frame) if at == number else frame


def body_changed(change: Callable[[memoryview], bytes]) -> Callable[[bytes], bytes]:
    """A frame's header as it is, and a new body."""
    return lambda frame: frame[:HEADER_SIZE] + change(memoryview(frame))


def poked(at: int, data: bytes) -> Callable[[bytes], bytes]:
    """Bytes at a fixed place overwritten."""
    return lambda frame: frame[:at] + data + frame[at + len(data) :]
