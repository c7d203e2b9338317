"""Each FSCTL that a file system client sends, answered by a real Samba."""

import errno
import os
from collections.abc import Iterator

import pytest

from smbmount.client import fsctls
from smbmount.client.errors import ServerError
from smbmount.client.open_file import OpenFile
from smbmount.client.share import Share
from smbmount.proto.create import CreateOptions
from smbmount.proto.fsctl_files import (
    CopyChunk,
    CopyChunkRequest,
    CopyChunkResponse,
    DuplicateExtents,
    FileLevelTrim,
    Range,
    ResumeKey,
    SetSparse,
    SetZeroData,
    pack_ranges,
    unpack_ranges,
)
from smbmount.proto.ioctl import FsctlCode
from smbmount.proto.reparse import ReparsePoint, SymbolicLink
from smbmount.proto.status import NtStatus
from tests.lab.samba import SambaServer, pinned

from .connecting import ALL, CREATE, on_file, on_share


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    shares = {
        "plain": {},
        "snapped": {
            "vfs objects": "shadow_copy2",
            "shadow:snapdir": ".snapshots",
            "shadow:snapdirseverywhere": "yes",
        },
        "dfs": {"msdfs root": "yes"},
    }
    with SambaServer({"host msdfs": "yes"}, shares) as samba:
        yield samba


def test_chunks_are_copied_on_the_server(server: SambaServer) -> None:
    content = os.urandom(300_000)
    (server.path_of("plain") / "source").write_bytes(content)
    os.chmod(server.path_of("plain") / "source", 0o666)

    async def main(share: Share) -> CopyChunkResponse:
        source = await share.open("source", ALL)
        target = await share.open("target", ALL, CREATE)
        key = ResumeKey.unpack(await source.ioctl(FsctlCode.SRV_REQUEST_RESUME_KEY, b"", 32)).key
        chunks = (CopyChunk(0, 200_000, 100_000), CopyChunk(100_000, 0, 200_000))
        request = CopyChunkRequest(key, chunks).pack()
        answer = await target.ioctl(FsctlCode.SRV_COPYCHUNK_WRITE, request, 12)
        await source.close()
        await target.close()
        return CopyChunkResponse.unpack(answer)

    assert on_share(server, main) == CopyChunkResponse(2, 0, 300_000)
    copied = (server.path_of("plain") / "target").read_bytes()
    assert copied == content[100_000:] + content[:100_000]


def test_a_sparse_file_has_holes_and_says_where(server: SambaServer) -> None:
    async def main(file: OpenFile) -> tuple[Range, ...]:
        await file.write(0, b"x" * 1_000_000)
        await file.ioctl(FsctlCode.SET_SPARSE, SetSparse().pack(), 0)
        zero = SetZeroData(262_144, 524_288).pack()
        await file.ioctl(FsctlCode.SET_ZERO_DATA, zero, 0)
        question = pack_ranges([Range(0, 1_000_000)])
        return unpack_ranges(
            await file.ioctl(FsctlCode.QUERY_ALLOCATED_RANGES, question, 16 * 1024)
        )

    ranges = on_file(server, "holes", main)
    on_disk = (server.path_of("plain") / "holes").read_bytes()
    assert on_disk == b"x" * 262_144 + bytes(262_144) + b"x" * (1_000_000 - 524_288)
    assert [(part.offset, part.offset + part.length) for part in ranges] == [
        (0, 262_144),
        (524_288, 1_000_000),
    ]


def test_shared_blocks_are_refused_where_the_disk_has_none(server: SambaServer) -> None:
    async def main(share: Share) -> None:
        source = await share.open("whole", ALL, CREATE)
        await source.write(0, bytes(8192))
        target = await share.open("clone", ALL, CREATE)
        await target.set_size(8192)
        request = DuplicateExtents(source.file_id, 0, 0, 4096).pack()
        with pytest.raises(ServerError) as refused:
            await target.ioctl(FsctlCode.DUPLICATE_EXTENTS_TO_FILE, request, 0)
        assert refused.value.errno == errno.EOPNOTSUPP
        await source.close()
        await target.close()

    on_share(server, main)


def test_snapshots_are_listed_newest_first(server: SambaServer) -> None:
    root = server.path_of("snapped")
    names = ["@GMT-2024.01.31-12.00.00", "@GMT-2025.02.01-00.00.00"]
    for name in names:
        (root / ".snapshots" / name).mkdir(parents=True)

    async def main(share: Share) -> tuple[str, ...]:
        directory = await share.open("", ALL, options=CreateOptions.DIRECTORY_FILE)
        told = await fsctls.snapshots(directory)
        await directory.close()
        return told

    assert on_share(server, main, "snapped") == tuple(sorted(names, reverse=True))


def test_a_share_without_snapshots_says_so(server: SambaServer) -> None:
    async def main(share: Share) -> None:
        directory = await share.open("", ALL, options=CreateOptions.DIRECTORY_FILE)
        with pytest.raises(ServerError) as refused:
            await fsctls.snapshots(directory)
        assert refused.value.errno == errno.EOPNOTSUPP
        await directory.close()

    on_share(server, main)


def test_the_server_tells_its_addresses(server: SambaServer) -> None:
    async def main(share: Share) -> list[str]:
        return [each.address for each in await fsctls.network_interfaces(share.tree)]

    assert server.address in on_share(server, main)


def test_negotiation_is_confirmed_under_signature_before_3_1_1() -> None:
    """FSCTL_VALIDATE_NEGOTIATE_INFO is sent by every tree connect there; a lie refuses it."""
    for dialect in ("2.1", "3.0", "3.0.2"):
        with SambaServer(pinned(dialect)) as old:
            asked: list[bytes] = []

            async def main(share: Share, asked: list[bytes] = asked) -> None:
                agreed = share.tree.session.negotiated
                share.tree.connection.observers.append(lambda _, message: asked.append(message))  # type: ignore[arg-type]  # a view
                await share.tree._validate_negotiation()
                assert agreed.dialect < 0x311

            on_share(old, main)
            code = int(FsctlCode.VALIDATE_NEGOTIATE_INFO).to_bytes(4, "little")
            assert bytes(asked[0])[68:72] == code


def test_referrals_are_asked_and_a_path_without_one_refused(server: SambaServer) -> None:
    os.symlink(
        f"msdfs:{server.address}\\plain", server.path_of("dfs") / "link", target_is_directory=False
    )

    async def main(share: Share) -> None:
        told = await fsctls.dfs_referrals(share.tree, f"\\{server.address}\\dfs\\link")
        assert [entry.network_address for entry in told.entries] == [f"\\{server.address}\\plain"]
        with pytest.raises(ServerError) as refused:
            await fsctls.dfs_referrals(share.tree, f"\\{server.address}\\dfs\\nothing")
        assert refused.value.status in (
            NtStatus.STATUS_NOT_FOUND,
            NtStatus.STATUS_OBJECT_NAME_NOT_FOUND,
            NtStatus.STATUS_OBJECT_PATH_NOT_FOUND,
        )

    on_share(server, main, "dfs")


def test_a_file_has_an_object_id_that_lasts(server: SambaServer) -> None:
    async def main(file: OpenFile) -> tuple[bytes, bytes]:
        first = await fsctls.object_id(file)
        return first.object_id, (await fsctls.object_id(file)).object_id

    first, second = on_file(server, "known", main)
    assert first == second != bytes(16)


def test_reparse_points_are_asked_set_and_taken_away(server: SambaServer) -> None:
    point = SymbolicLink("else\\where", "else\\where", relative=True).point()

    async def main(file: OpenFile) -> ReparsePoint | int:
        with pytest.raises(ServerError) as none:
            await fsctls.reparse_point(file)
        assert none.value.status == NtStatus.STATUS_NOT_A_REPARSE_POINT
        await fsctls.set_reparse_point(file, point)
        told = await fsctls.reparse_point(file)
        await fsctls.delete_reparse_point(file, point.tag)
        with pytest.raises(ServerError):
            await fsctls.reparse_point(file)
        return told

    assert on_file(server, "point", main) == point


def test_what_a_server_does_not_know_is_an_errno(server: SambaServer) -> None:
    async def main(file: OpenFile) -> None:
        trim = FileLevelTrim((Range(0, 4096),)).pack()
        for code, data in ((FsctlCode.FILE_LEVEL_TRIM, trim), (FsctlCode.SRV_READ_HASH, bytes(32))):
            with pytest.raises(ServerError) as refused:
                await file.ioctl(code, data, 64)
            assert refused.value.errno == errno.EOPNOTSUPP, code

    on_file(server, "unknown", main)
