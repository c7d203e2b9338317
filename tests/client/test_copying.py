"""Copies by the server, asked for directly: limits, shares, blocks, and callers who leave."""

import os
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio

from smbmount.client import copying
from smbmount.client.copying import CannotCopy, Limits, ServerCopies
from smbmount.client.dial import reach
from smbmount.client.errors import ServerError
from smbmount.client.open_file import OpenFile
from smbmount.client.settings import ConnectionSettings, Credentials
from smbmount.client.share import Share
from smbmount.client.tree import Tree
from smbmount.proto.create import AccessMask, CreateDisposition
from smbmount.proto.ioctl import FsctlCode
from tests.lab.btrfs import NoBtrfs, btrfs
from tests.lab.mounts import mounted
from tests.lab.proxy import Proxy
from tests.lab.samba import PASSWORD, USER, SambaServer, account

MIB = 1 << 20
READ = AccessMask.READ_DATA
WRITE = AccessMask.WRITE_DATA


@pytest.fixture(scope="module")
def samba() -> Iterator[SambaServer]:
    """A server of its own, so that file names need not be."""
    with SambaServer() as server:
        yield server


@asynccontextmanager
async def shares(
    server: SambaServer, *names: str, proxy: Proxy | None = None
) -> AsyncIterator[list[Share]]:
    """Several shares of one server, over one session."""
    where = proxy or server
    settings = ConnectionSettings(where.address, port=where.port)
    async with reach(settings, Credentials(USER, PASSWORD), names[0]) as first:
        trees = [first]
        for name in names[1:]:
            trees.append(Tree(first.session, name))
            await trees[-1].connect()
        yield [Share(tree, settings) for tree in trees]


@asynccontextmanager
async def opened(
    source: Share, target: Share, names: tuple[str, str] = ("a", "b")
) -> AsyncIterator[tuple[OpenFile, OpenFile]]:
    """A file to copy from and one to copy to."""
    one = await source.open(names[0], READ)
    other = await target.open(names[1], WRITE, CreateDisposition.OVERWRITE_IF)
    try:
        yield one, other
    finally:
        await one.close()
        await other.close()


async def copy_all(copies: ServerCopies, one: OpenFile, other: OpenFile) -> int:
    """Copy until there is no more."""
    done = 0
    while count := await copies.copy(one, other, done, done, 1 << 40):
        done += count
    return done


def put(directory: Path, name: str, content: bytes) -> None:
    (directory / name).write_bytes(content)
    os.chown(directory / name, *account())


CONTENT = os.urandom(MIB) * 11 + b"tail"


def test_a_copy_is_whole_within_limits_of_any_size(samba: SambaServer) -> None:
    disk = samba.path_of("plain")
    put(disk, "a", CONTENT)

    async def main() -> None:
        async with shares(samba, "plain") as [share]:
            for limits in (Limits(256, MIB, 16 * MIB), Limits(2, 300_001, MIB), Limits(1, MIB, 7)):
                copies = ServerCopies()
                copies.limits = limits
                size = len(CONTENT) if limits.total_bytes > 7 else 70
                async with opened(share, share) as (one, other):
                    if size < len(CONTENT):
                        assert await copies.copy(one, other, 0, 0, size) == size
                    else:
                        assert await copy_all(copies, one, other) == size
                assert (disk / "b").read_bytes() == CONTENT[:size]
                assert copies.copied == size

    trio.run(main)


@pytest.mark.parametrize("most", [Limits(1000, MIB, 512 * MIB), Limits(256, 4 * MIB, 512 * MIB)])
def test_limits_are_learnt_from_the_servers_refusal(
    samba: SambaServer, monkeypatch: pytest.MonkeyPatch, most: Limits
) -> None:
    monkeypatch.setattr(copying, "_REQUEST", 512 * MIB)
    disk = samba.path_of("plain")
    put(disk, "a", CONTENT)

    async def main() -> None:
        async with shares(samba, "plain") as [share]:
            copies = ServerCopies()
            copies.limits = Limits(most.chunks, most.chunk_bytes // 256 or 1, most.total_bytes)
            if most.chunk_bytes > MIB:
                copies.limits = most
            async with opened(share, share) as (one, other):
                assert await copy_all(copies, one, other) == len(CONTENT)
            assert copies.limits.chunks <= 256
            assert copies.limits.chunk_bytes <= MIB
            assert copies.limits.total_bytes == 16 * MIB

    trio.run(main)
    assert (disk / "b").read_bytes() == CONTENT


def test_files_of_two_shares_of_one_session_are_copied(samba: SambaServer) -> None:
    put(samba.path_of("plain"), "a", CONTENT)

    async def main() -> None:
        async with shares(samba, "plain", "encrypted") as [plain, encrypted]:
            copies = ServerCopies()
            async with opened(plain, encrypted, ("a", "from afar")) as (one, other):
                assert await copy_all(copies, one, other) == len(CONTENT)
            assert copies.copied == len(CONTENT)

    trio.run(main)
    assert (samba.path_of("encrypted") / "from afar").read_bytes() == CONTENT


def test_two_sessions_cannot_copy_between_them(samba: SambaServer) -> None:
    """A resume key is its session's: whoever wants this must read and write."""
    put(samba.path_of("plain"), "a", CONTENT)

    async def main() -> None:
        async with (
            shares(samba, "plain") as [share],
            shares(samba, "plain") as [stranger],
            opened(share, stranger) as (one, other),
        ):
            with pytest.raises(CannotCopy):
                await ServerCopies().copy(one, other, 0, 0, 100)
            assert (await other.query()).size == 0

    trio.run(main)


def test_at_the_end_of_the_source_there_is_nothing_to_copy(samba: SambaServer) -> None:
    put(samba.path_of("plain"), "a", b"12345")

    async def main() -> None:
        async with shares(samba, "plain") as [share], opened(share, share) as (one, other):
            copies = ServerCopies()
            assert await copies.copy(one, other, 3, 0, 100) == 2
            assert await copies.copy(one, other, 5, 2, 100) == 0
            assert await copies.copy(one, other, 500, 2, 100) == 0
            assert (await other.query()).size == 2

    trio.run(main)


def test_a_caller_who_leaves_is_told_what_was_copied_and_nothing_is_written_later(
    samba: SambaServer,
) -> None:
    disk = samba.path_of("plain")
    put(disk, "a", os.urandom(MIB) * 300)

    async def main() -> None:
        async with shares(samba, "plain") as [share], opened(share, share) as (one, other):
            copied: list[int] = []
            with trio.CancelScope() as scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(_cancel_when, lambda: _size(disk) > 8 * MIB, scope)
                    copied.append(await ServerCopies().copy(one, other, 0, 0, 300 * MIB))
            [count] = copied
            assert 8 * MIB <= count < 300 * MIB
            assert _size(disk) == count
            assert share._tree.connection.in_flight == 0
            await trio.sleep(0.1)
            assert _size(disk) == count

    trio.run(main)


def _size(disk: Path) -> int:
    return (disk / "b").stat().st_size


async def _cancel_when(condition: Callable[[], bool], scope: trio.CancelScope) -> None:
    while not condition():
        await trio.sleep(0.001)
    scope.cancel()


def test_a_caller_who_leaves_a_silent_server_does_not_wait(samba: SambaServer) -> None:
    put(samba.path_of("plain"), "a", CONTENT)

    async def main(proxy: Proxy) -> None:
        async with (
            shares(samba, "plain", proxy=proxy) as [share],
            opened(share, share) as (one, other),
        ):
            await trio.to_thread.run_sync(proxy.stall)
            start = trio.current_time()
            with trio.move_on_after(0.2) as scope:
                await ServerCopies().copy(one, other, 0, 0, 100)
            assert scope.cancelled_caught
            assert trio.current_time() - start < 0.35
            await trio.to_thread.run_sync(proxy.resume)

    with Proxy(samba.address, samba.port) as proxy:
        trio.run(main, proxy)


def test_a_source_that_shrinks_is_looked_at_again(
    samba: SambaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = samba.path_of("plain")
    put(disk, "a", CONTENT)
    look = ServerCopies._look

    async def shrinking(self: ServerCopies, source: OpenFile) -> tuple[int, bytes | ServerError]:
        seen = await look(self, source)
        os.truncate(disk / "a", 1000)
        return seen

    monkeypatch.setattr(ServerCopies, "_look", shrinking)

    async def main() -> None:
        async with shares(samba, "plain") as [share], opened(share, share) as (one, other):
            assert await ServerCopies().copy(one, other, 500, 0, MIB) == 500

    trio.run(main)
    assert (disk / "b").read_bytes() == CONTENT[500:1000]


# -- blocks that files share ----------------------------------------------------------------


@pytest.fixture(scope="module")
def cloning() -> Iterator[tuple[SambaServer, Path]]:
    """A Samba whose share is on btrfs, and that directory."""
    with ExitStack() as stack:
        try:
            disk = stack.enter_context(btrfs())
        except NoBtrfs as error:
            pytest.skip(f"no btrfs here: {error}")
        share = {"path": str(disk), "vfs objects": "btrfs"}
        yield stack.enter_context(SambaServer(shares={"clones": share})), disk


def _used(disk: Path) -> int:
    os.sync()
    told = os.statvfs(disk)
    return (told.f_blocks - told.f_bfree) * told.f_frsize


def _clone(
    server: SambaServer, work: Callable[[ServerCopies, OpenFile, OpenFile], Awaitable[None]]
) -> ServerCopies:
    copies = ServerCopies()

    async def main() -> None:
        async with shares(server, "clones") as [share], opened(share, share) as (one, other):
            await work(copies, one, other)

    trio.run(main)
    return copies


def test_a_disk_that_can_share_blocks_does(cloning: tuple[SambaServer, Path]) -> None:
    server, disk = cloning
    content = os.urandom(80 * MIB) + b"tail"
    put(disk, "a", content)
    before = _used(disk)

    async def work(copies: ServerCopies, one: OpenFile, other: OpenFile) -> None:
        assert await copy_all(copies, one, other) == len(content)

    copies = _clone(server, work)
    assert (copies.cloned, copies.copied) == (80 * MIB, 4)
    assert (disk / "b").read_bytes() == content
    assert _used(disk) - before < 4 * MIB


def test_what_is_not_on_a_cluster_is_copied(cloning: tuple[SambaServer, Path]) -> None:
    server, disk = cloning
    put(disk, "a", CONTENT)

    async def work(copies: ServerCopies, one: OpenFile, other: OpenFile) -> None:
        assert await copies.copy(one, other, 1, 0, MIB) == MIB
        assert await copies.copy(one, other, 0, MIB + 5, 100) == 100

    copies = _clone(server, work)
    assert copies.cloned == 0
    assert (disk / "b").read_bytes() == CONTENT[1 : MIB + 1] + bytes(5) + CONTENT[:100]


def test_a_clone_inside_leaves_the_rest_of_the_target(cloning: tuple[SambaServer, Path]) -> None:
    server, disk = cloning
    put(disk, "a", CONTENT)

    async def work(copies: ServerCopies, one: OpenFile, other: OpenFile) -> None:
        await other.write(0, b"x" * 3 * MIB)
        assert await copies.copy(one, other, 4 * MIB, MIB, MIB) == MIB

    assert _clone(server, work).cloned == MIB
    expected = b"x" * MIB + CONTENT[4 * MIB : 5 * MIB] + b"x" * MIB
    assert (disk / "b").read_bytes() == expected


def test_a_clone_that_fails_leaves_the_size_and_is_copied_instead(
    cloning: tuple[SambaServer, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, disk = cloning
    put(disk, "a", CONTENT)
    wrong = FsctlCode.PIPE_PEEK  # a request that the server has no use for here
    monkeypatch.setattr(copying, "_CLONE", wrong)
    sizes: list[int] = []

    async def work(copies: ServerCopies, one: OpenFile, other: OpenFile) -> None:
        copies._chunks = False
        with pytest.raises(CannotCopy):
            await copies.copy(one, other, 0, 0, MIB)
        sizes.append((await other.query()).size)
        copies._chunks = True
        assert await copies.copy(one, other, 0, 0, MIB) == MIB

    copies = _clone(server, work)
    assert sizes == [0]
    assert (copies.cloned, copies.copied) == (0, MIB)
    assert (disk / "b").read_bytes() == CONTENT[:MIB]


def test_cp_shares_blocks_through_a_mount(cloning: tuple[SambaServer, Path]) -> None:
    server, disk = cloning
    content = os.urandom(40 * MIB + 3)
    put(disk, "a", content)
    before = _used(disk)
    with mounted(server, "clones") as mnt:
        subprocess.run(["cp", mnt / "a", mnt / "cloned"], check=True)
        assert (mnt / "cloned").read_bytes() == content
    assert _used(disk) - before < 4 * MIB
