"""Named pipes and the list of shares, on a real Samba; smbclient is the judge."""

from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar

import pytest
import trio

from smbmount.client import pipes
from smbmount.client.errors import MountRefused, ServerError
from smbmount.client.settings import ConnectionSettings, Credentials, Mechanism
from smbmount.client.share import Share, open_share
from smbmount.client.tree import Tree
from smbmount.proto import dcerpc, srvsvc
from smbmount.proto.status import NtStatus
from tests.lab.samba import PASSWORD, USER, SambaServer

from .connecting import on_share

T = TypeVar("T")


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    shares = {
        "plain": {},
        "media": {"comment": "films & müsic"},
        "home": {},
        "hidden$": {},
        "printer": {"printable": "yes"},
    }
    with SambaServer(shares=shares) as samba:
        yield samba


def _on_ipc(server: SambaServer, work: Callable[[Tree], Awaitable[T]]) -> T:
    async def main(share: Share) -> T:
        async with pipes.ipc(share.tree.session) as tree:
            return await work(tree)

    return on_share(server, main)


def test_the_shares_are_those_that_smbclient_lists(server: SambaServer) -> None:
    async def main(share: Share) -> tuple[srvsvc.ServerShare, ...]:
        found = await pipes.server_shares(share.tree.session)
        assert found is not None
        return found

    ours = {(each.name, each.remark) for each in on_share(server, main)}
    listed = server.smbclient("", options=["-g", "-L", server.address]).stdout
    theirs = {
        (fields[1], fields[2])
        for line in listed.splitlines()
        if len(fields := line.split("|")) == 3
    }
    assert {("media", "films & müsic"), ("hidden$", "")} <= ours
    assert ours == theirs


def test_a_pipe_is_written_read_and_transceived(server: SambaServer) -> None:
    async def main(tree: Tree) -> None:
        bind = dcerpc.bind(srvsvc.SRVSVC, 7)
        async with pipes.open_pipe(tree, "srvsvc") as pipe:
            await pipe.write(bind)
            dcerpc.check_bound(dcerpc.Packet.unpack(await pipe.read()), 7)
        async with pipes.open_pipe(tree, "srvsvc") as pipe:
            # Little room: the rest of the answer is read.
            start = await pipe.transceive(bind, 24)
            assert len(start) == 24
            rest = await pipe.read()
            packet = dcerpc.Packet.unpack(memoryview(bytes(start) + bytes(rest)))
            dcerpc.check_bound(packet, 7)

    _on_ipc(server, main)


def test_a_pipe_that_is_not_there_is_an_error(server: SambaServer) -> None:
    async def main(tree: Tree) -> None:
        with pytest.raises(ServerError):
            async with pipes.open_pipe(tree, "no such pipe"):
                pass

    _on_ipc(server, main)


def test_waiting_for_a_pipe_is_asked(server: SambaServer) -> None:
    """Samba has no pipe that is ever busy, and says that it does not know the question."""

    async def main(tree: Tree) -> None:
        with pytest.raises(ServerError) as refused:
            await pipes.wait_for_pipe(tree, "srvsvc", 1.5)
        assert refused.value.status == NtStatus.STATUS_FS_DRIVER_REQUIRED

    _on_ipc(server, main)


def test_an_operation_that_is_not_there_is_a_fault(server: SambaServer) -> None:
    async def main(tree: Tree) -> None:
        async with pipes.open_pipe(tree, "srvsvc") as pipe:
            with pytest.raises(dcerpc.Fault):
                await pipes.call(pipe, srvsvc.SRVSVC, 4242, b"")

    _on_ipc(server, main)


def _refusal(server: SambaServer, credentials: Credentials, share: str) -> str:
    async def main() -> None:
        there = ConnectionSettings(server.address, server.port)
        async with open_share(there, credentials, share):
            pass

    with pytest.raises(BaseExceptionGroup) as caught:
        trio.run(main)
    refused: BaseException = caught.value
    while isinstance(refused, BaseExceptionGroup):
        refused = refused.exceptions[0]
    assert isinstance(refused, MountRefused)
    return str(refused)


def test_a_share_that_is_not_there_is_answered_with_those_that_are(server: SambaServer) -> None:
    said = _refusal(server, Credentials(USER, PASSWORD), "medai")
    assert said == f"no such share 'medai': //{server.address} has home, media, plain"


def test_nobody_gets_a_sentence_too(server: SambaServer) -> None:
    said = _refusal(server, Credentials(mechanism=Mechanism.NONE), "medai")
    assert "medai" in said


def test_a_server_that_tells_nothing_has_the_plain_sentence() -> None:
    with SambaServer({"restrict anonymous": "2", "rpc_server:srvsvc": "disabled"}) as silent:
        said = _refusal(silent, Credentials(guest=True), "medai")
    assert "medai" in said
