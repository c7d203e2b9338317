"""Settings of a connection reach the server, or do what they say to a silent one."""

import time
import uuid

import pytest
import trio

from smbmount.client.errors import ClientError, MountRefused
from smbmount.client.settings import ConnectionSettings, Credentials
from smbmount.client.share import open_share
from smbmount.proto.header import Command
from smbmount.proto.negotiate import Cipher, SigningAlgorithm
from tests.lab.proxy import Proxy
from tests.lab.samba import PASSWORD, USER, SambaServer

from .connecting import connected


@pytest.mark.parametrize("cipher", Cipher)
@pytest.mark.parametrize("algorithm", SigningAlgorithm)
def test_the_asked_algorithms_are_used(
    samba: SambaServer, cipher: Cipher, algorithm: SigningAlgorithm
) -> None:
    async def main() -> None:
        async with connected(
            samba, ciphers=(cipher,), signing_algorithms=(algorithm,), seal=True
        ) as share:
            agreed = share.tree.session.negotiated
            assert (agreed.cipher, agreed.signing_algorithm) == (cipher, algorithm)
            await share.stat("")

    trio.run(main)


def test_the_client_guid_is_the_asked_one(samba: SambaServer) -> None:
    guid = uuid.uuid4()
    seen: list[bytes] = []

    def observer() -> object:
        return lambda direction, message: seen.append(bytes(message))

    async def main() -> None:
        async with connected(samba, client_guid=guid.bytes_le, observer=observer):
            pass

    trio.run(main)
    assert seen[0][12] == Command.NEGOTIATE
    assert seen[0][76:92] == guid.bytes_le


def test_no_more_credits_are_held_than_asked_for(samba: SambaServer) -> None:
    async def main() -> None:
        async with connected(samba, max_credits=24) as share:
            for _ in range(20):
                await share.stat("")
            assert share.tree.connection.credits.window <= 24

    trio.run(main)


def _stalled(samba: SambaServer, **settings: float) -> tuple[float, int]:
    """Seconds until a silent server is given up, and how many messages it was sent meanwhile."""

    async def main(proxy: Proxy) -> tuple[float, int]:
        there = ConnectionSettings(proxy.address, proxy.port, **settings)  # type: ignore[arg-type]
        async with open_share(there, Credentials(USER, PASSWORD), "plain") as share:
            await trio.to_thread.run_sync(proxy.stall)
            sent: list[str] = []
            share.tree.connection.observers.append(lambda way, _: sent.append(way))
            start = trio.current_time()
            with pytest.raises(ClientError):
                await share.stat("")
            return trio.current_time() - start, sent.count("out")

    with Proxy(samba.address, samba.port) as proxy:
        try:
            return trio.run(main, proxy)
        finally:
            proxy.resume()


def test_a_silent_server_is_given_up_after_the_asked_time(samba: SambaServer) -> None:
    took, _ = _stalled(samba, timeout=2, echo_interval=1)
    assert 1.5 < took < 5


def test_a_server_that_was_asked_is_not_given_longer_than_the_time_out(
    samba: SambaServer,
) -> None:
    took, _ = _stalled(samba, timeout=3, echo_interval=2)
    assert 2.9 < took < 3.6


def test_a_silent_server_is_asked_as_often_as_told(samba: SambaServer) -> None:
    _, few = _stalled(samba, timeout=3, echo_interval=2.9)
    _, many = _stalled(samba, timeout=3, echo_interval=1)
    assert few < many


def test_connecting_takes_no_longer_than_the_asked_time(samba: SambaServer) -> None:
    async def main(proxy: Proxy) -> None:
        there = ConnectionSettings(proxy.address, proxy.port, connect_timeout=1)
        async with open_share(there, Credentials(USER, PASSWORD), "plain"):
            pass

    with Proxy(samba.address, samba.port) as proxy:
        proxy.stall()
        start = time.monotonic()
        with pytest.raises((MountRefused, BaseExceptionGroup)) as caught:
            trio.run(main, proxy)
        assert time.monotonic() - start < 4
        proxy.resume()
    refused: BaseException = caught.value
    while isinstance(refused, BaseExceptionGroup):
        refused = refused.exceptions[0]
    assert "did not finish within 1 s" in str(refused)
