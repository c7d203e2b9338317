"""Each create context of [MS-SMB2] 2.2.13.2, sent to a real Samba and its answer understood."""

import os
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import trio

from smbmount.client import information
from smbmount.client.errors import ServerError
from smbmount.client.open_file import OpenFile
from smbmount.client.share import Share
from smbmount.proto import create_contexts as contexts
from smbmount.proto.create import AccessMask, CreateContext, CreateDisposition, OplockLevel
from smbmount.proto.filetime import from_unix_ns
from smbmount.proto.fscc_ea import FullEa
from smbmount.proto.info import SecurityInformation
from smbmount.proto.oplock import LeaseState
from smbmount.proto.security import SecurityDescriptor
from tests.lab.samba import SambaServer

from .connecting import ALL, CREATE, connected, on_share

RWH = LeaseState.READ_CACHING | LeaseState.WRITE_CACHING | LeaseState.HANDLE_CACHING
_DURABLE = {"kernel oplocks": "no", "kernel share modes": "no", "posix locking": "no"}


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    shares = {
        "plain": {"ea support": "yes", "vfs objects": "acl_xattr", **_DURABLE},
        "snapped": {
            "vfs objects": "shadow_copy2",
            "shadow:snapdir": ".snapshots",
            "shadow:snapdirseverywhere": "yes",
        },
    }
    with SambaServer(shares=shares) as samba:
        yield samba


async def _opened(share: Share, path: str, *asked: CreateContext, oplock: int = 0) -> OpenFile:
    return await share.open(
        path, ALL, CREATE, oplock_level=OplockLevel(oplock), contexts=tuple(asked)
    )


def test_attributes_come_with_a_new_file(server: SambaServer) -> None:
    async def main(share: Share) -> None:
        await (
            await _opened(share, "with eas", contexts.EaBuffer((FullEa(b"colour", b"red"),)))
        ).close()

    on_share(server, main)
    assert os.getxattr(server.path_of("plain") / "with eas", "user.colour") == b"red"


def test_a_security_descriptor_comes_with_a_new_file(server: SambaServer) -> None:
    async def main(share: Share) -> None:
        model = await _opened(share, "model")
        told = await information.security(model, SecurityInformation.DACL)
        assert told.dacl is not None
        wanted = SecurityDescriptor(dacl=type(told.dacl)(told.dacl.entries[:1]))
        file = await share.open(
            "guarded",
            AccessMask.READ_CONTROL,
            CreateDisposition.CREATE,
            contexts=(contexts.SdBuffer(wanted.pack()),),
        )
        told = await information.security(file, SecurityInformation.DACL)
        assert told.dacl is not None
        assert told.dacl.entries == wanted.dacl.entries  # type: ignore[union-attr]  # set above
        await file.close()
        await model.close()

    on_share(server, main)


def test_maximal_access_and_the_number_on_disk_are_told(server: SambaServer) -> None:
    async def main(share: Share) -> None:
        file = await _opened(
            share, "asked", contexts.MaximalAccessRequest(), contexts.QueryOnDiskIdRequest()
        )
        access = contexts.MaximalAccessResponse.unpack(memoryview(file.contexts[b"MxAc"]))
        assert access.query_status == 0
        assert access.maximal_access & AccessMask.WRITE_DATA
        number = contexts.QueryOnDiskIdResponse.unpack(memoryview(file.contexts[b"QFid"]))
        assert number.disk_file_id == file.stat.file_id
        await file.close()

    on_share(server, main)


def test_room_is_set_aside_for_a_new_file(server: SambaServer) -> None:
    async def main(share: Share) -> None:
        file = await _opened(share, "roomy", contexts.AllocationSize(1 << 20))
        assert file.stat.allocated >= 1 << 20
        assert file.stat.size == 0
        await file.close()

    on_share(server, main)


def test_a_previous_version_is_opened_by_its_time(server: SambaServer) -> None:
    root = server.path_of("snapped")
    old = root / ".snapshots" / "@GMT-2024.01.31-12.00.00"
    old.mkdir(parents=True)
    (root / "file").write_bytes(b"new")
    (old / "file").write_bytes(b"old")

    async def main(share: Share) -> bytes:
        when = int(datetime(2024, 1, 31, 12, tzinfo=UTC).timestamp()) * 10**9
        token = contexts.TimewarpToken(from_unix_ns(when))
        file = await share.open("file", AccessMask.READ_DATA, contexts=(token,))
        data = bytes(await file.read(0, 10))
        await file.close()
        return data

    assert on_share(server, main, "snapped") == b"old"


def test_a_durable_handle_of_the_first_kind_is_granted(server: SambaServer) -> None:
    async def main(share: Share) -> None:
        file = await _opened(
            share, "durable", contexts.DurableHandleRequest(), oplock=OplockLevel.BATCH
        )
        contexts.DurableHandleResponse.unpack(memoryview(file.contexts[b"DHnQ"]))
        await file.close()

    on_share(server, main)


def test_a_durable_handle_of_the_second_kind_is_granted_and_found_again(
    server: SambaServer,
) -> None:
    """The connection is cut while the file is open; another opens the very same handle."""
    key, guid, client = uuid.uuid4().bytes, uuid.uuid4().bytes, uuid.uuid4().bytes
    lease = contexts.LeaseV2(key, RWH)

    async def main() -> None:
        async with connected(server, client_guid=client) as share:
            asked = contexts.DurableHandleRequestV2(60_000, 0, guid)
            file = await _opened(share, "kept", lease, asked, oplock=OplockLevel.LEASE)
            told = contexts.DurableHandleResponseV2.unpack(memoryview(file.contexts[b"DH2Q"]))
            assert told.timeout > 0
            await file.write(0, b"before")
            share.tree.connection.close()
        async with connected(server, client_guid=client) as share:
            again = contexts.DurableHandleReconnectV2(file.file_id, guid)
            file = await _opened(share, "kept", lease, again, oplock=OplockLevel.LEASE)
            assert bytes(await file.read(0, 10)) == b"before"
            await file.close()

    trio.run(main)


def test_a_handle_that_was_never_durable_is_not_found_again(server: SambaServer) -> None:
    async def main(share: Share) -> None:
        file = await _opened(share, "fleeting")
        for again in (
            contexts.DurableHandleReconnect(file.file_id),
            contexts.DurableHandleReconnectV2(file.file_id, bytes(16)),
        ):
            with pytest.raises(ServerError):
                await _opened(share, "fleeting", again)
        await file.close()

    on_share(server, main)


def test_instances_of_an_application_are_let_in(server: SambaServer) -> None:
    """Samba ignores both; it must not refuse them."""

    async def main(share: Share) -> None:
        file = await _opened(
            share,
            "instance",
            contexts.DurableHandleRequestV2(0, 0, uuid.uuid4().bytes),
            contexts.AppInstanceId(uuid.uuid4().bytes),
            contexts.AppInstanceVersion(1, 2),
        )
        await file.close()

    on_share(server, main)


def test_a_lease_names_its_parent(server: SambaServer) -> None:
    async def main(share: Share) -> None:
        parent, key = uuid.uuid4().bytes, uuid.uuid4().bytes
        lease = contexts.LeaseV2(key, RWH, contexts.LeaseV2.PARENT_KEY_SET, parent, 5)
        file = await _opened(share, "child", lease, oplock=OplockLevel.LEASE)
        granted = contexts.unpack_lease(memoryview(file.contexts[b"RqLs"]))
        assert isinstance(granted, contexts.LeaseV2)
        assert granted.parent_lease_key == parent
        assert granted.epoch == 6
        await file.close()

    on_share(server, main)
