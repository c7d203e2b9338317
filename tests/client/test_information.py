"""Every information class, extended attributes, streams and security descriptors on real Samba."""

import errno
import os
from collections.abc import Iterator

import pytest

from smbmount.client import information
from smbmount.client.errors import ServerError
from smbmount.client.open_file import OpenFile
from smbmount.client.share import Share
from smbmount.proto import fscc_file, fscc_fs
from smbmount.proto.create import CreateOptions, FileAttributes
from smbmount.proto.directory import QueryDirectoryRequest, QueryDirectoryResponse
from smbmount.proto.fscc_classes import FileInformationClass as F
from smbmount.proto.fscc_classes import FileSystemInformationClass as V
from smbmount.proto.fscc_directory import entries
from smbmount.proto.fscc_ea import FullEa
from smbmount.proto.info import SecurityInformation
from smbmount.proto.security import SecurityDescriptor
from tests.lab.samba import SambaServer

from .connecting import ALL, CREATE, on_file, on_share


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    extra = {"ea support": "yes", "vfs objects": "streams_xattr acl_xattr"}
    with SambaServer(shares={"plain": extra}) as samba:
        yield samba


FILE_CLASSES = [
    (F.FILE_BASIC_INFORMATION, fscc_file.FileBasicInformation),
    (F.FILE_STANDARD_INFORMATION, fscc_file.FileStandardInformation),
    (F.FILE_INTERNAL_INFORMATION, fscc_file.FileInternalInformation),
    (F.FILE_EA_INFORMATION, fscc_file.FileEaInformation),
    (F.FILE_ACCESS_INFORMATION, fscc_file.FileAccessInformation),
    (F.FILE_POSITION_INFORMATION, fscc_file.FilePositionInformation),
    (F.FILE_MODE_INFORMATION, fscc_file.FileModeInformation),
    (F.FILE_ALIGNMENT_INFORMATION, fscc_file.FileAlignmentInformation),
    (F.FILE_ALL_INFORMATION, fscc_file.FileAllInformation),
    (F.FILE_ALTERNATE_NAME_INFORMATION, fscc_file.FileNameInformation),
    (F.FILE_COMPRESSION_INFORMATION, fscc_file.FileCompressionInformation),
    (F.FILE_NETWORK_OPEN_INFORMATION, fscc_file.FileNetworkOpenInformation),
    (F.FILE_ATTRIBUTE_TAG_INFORMATION, fscc_file.FileAttributeTagInformation),
    (F.FILE_NORMALIZED_NAME_INFORMATION, fscc_file.FileNameInformation),
]
VOLUME_CLASSES = [
    (V.FILE_FS_VOLUME_INFORMATION, fscc_fs.FileFsVolumeInformation),
    (V.FILE_FS_SIZE_INFORMATION, fscc_fs.FileFsSizeInformation),
    (V.FILE_FS_DEVICE_INFORMATION, fscc_fs.FileFsDeviceInformation),
    (V.FILE_FS_ATTRIBUTE_INFORMATION, fscc_fs.FileFsAttributeInformation),
    (V.FILE_FS_FULL_SIZE_INFORMATION, fscc_fs.FileFsFullSizeInformation),
    (V.FILE_FS_OBJECT_ID_INFORMATION, fscc_fs.FileFsObjectIdInformation),
    (V.FILE_FS_SECTOR_SIZE_INFORMATION, fscc_fs.FileFsSectorSizeInformation),
]


@pytest.mark.parametrize(
    ("number", "kind"), FILE_CLASSES, ids=lambda value: getattr(value, "name", "")
)
def test_a_file_class_is_told(
    server: SambaServer, number: F, kind: type[information.Structure]
) -> None:
    async def main(file: OpenFile) -> object:
        return await information.query(file, number, kind)

    assert isinstance(on_file(server, "a rather long name.text", main), kind)


@pytest.mark.parametrize(
    ("number", "kind"), VOLUME_CLASSES, ids=lambda value: getattr(value, "name", "")
)
def test_a_volume_class_is_told(
    server: SambaServer, number: V, kind: type[information.Structure]
) -> None:
    async def main(file: OpenFile) -> object:
        return await information.query_volume(file, number, kind)

    assert isinstance(on_file(server, "on volume", main), kind)


def test_a_class_that_the_server_lacks_is_an_errno(server: SambaServer) -> None:
    async def main(file: OpenFile) -> None:
        with pytest.raises(ServerError) as refused:
            await information.query(file, F.FILE_ID_INFORMATION, fscc_file.FileIdInformation)
        assert refused.value.errno == errno.EOPNOTSUPP

    on_file(server, "unnumbered", main)


def test_what_classes_tell_is_what_the_disk_has(server: SambaServer) -> None:
    path = server.path_of("plain") / "measured"
    path.write_bytes(bytes(12_345))
    os.chmod(path, 0o666)

    async def main(file: OpenFile) -> None:
        standard = await information.query(
            file, F.FILE_STANDARD_INFORMATION, fscc_file.FileStandardInformation
        )
        assert (standard.end_of_file, standard.number_of_links) == (12_345, 1)
        size = await information.query_volume(
            file, V.FILE_FS_SIZE_INFORMATION, fscc_fs.FileFsSizeInformation
        )
        unit = size.sectors_per_allocation_unit * size.bytes_per_sector
        disk = os.statvfs(path)
        assert size.total_allocation_units * unit == disk.f_blocks * disk.f_frsize

    on_file(server, "measured", main)


def test_classes_are_set(server: SambaServer) -> None:
    root = server.path_of("plain")

    async def main(file: OpenFile) -> None:
        await file.write(0, b"content")
        await information.change(
            file, F.FILE_ALLOCATION_INFORMATION, fscc_file.FileAllocationInformation(65536).pack()
        )
        await information.change(
            file, F.FILE_POSITION_INFORMATION, fscc_file.FilePositionInformation(3).pack()
        )
        await information.change(
            file, F.FILE_MODE_INFORMATION, fscc_file.FileModeInformation(0).pack()
        )
        link = fscc_file.FileRenameInformation("linked").pack()
        await information.change(file, F.FILE_LINK_INFORMATION, link)
        await file.set_basic(attributes=FileAttributes.HIDDEN)
        await file.set_size(3)

    on_file(server, "set", main)
    assert (root / "set").read_bytes() == b"con"
    assert (root / "linked").samefile(root / "set")


@pytest.mark.parametrize(
    "number",
    [
        F.FILE_DIRECTORY_INFORMATION,
        F.FILE_FULL_DIRECTORY_INFORMATION,
        F.FILE_BOTH_DIRECTORY_INFORMATION,
        F.FILE_NAMES_INFORMATION,
        F.FILE_ID_BOTH_DIRECTORY_INFORMATION,
        F.FILE_ID_FULL_DIRECTORY_INFORMATION,
    ],
)
def test_a_directory_is_listed_in_each_class(server: SambaServer, number: F) -> None:
    (server.path_of("plain") / "listed").mkdir(exist_ok=True)
    (server.path_of("plain") / "listed" / "one").touch()

    async def main(share: Share) -> set[str]:
        directory = await share.open("listed", ALL, options=CreateOptions.DIRECTORY_FILE)
        request = QueryDirectoryRequest(directory.file_id, number, "*", output_buffer_length=65536)
        answer = await share.tree.call(request, QueryDirectoryResponse)
        names = {entry.file_name for entry in entries(number, answer.data)}
        await directory.close()
        return names

    assert on_share(server, main) == {".", "..", "one"}


def test_extended_attributes_are_set_listed_and_taken_away(server: SambaServer) -> None:
    async def main(file: OpenFile) -> list[dict[bytes, bytes]]:
        told = []
        for change in (
            FullEa(b"colour", b"blue"),
            FullEa(b"taste", b"\0\1"),
            FullEa(b"taste", b""),
        ):
            await information.set_attributes(file, [change])
            told.append({ea.name.lower(): ea.value for ea in await information.attributes(file)})
        return told

    first, second, third = on_file(server, "attributes", main)
    assert first == third == {b"colour": b"blue"}
    assert second == {b"colour": b"blue", b"taste": b"\0\1"}
    on_disk = os.getxattr(server.path_of("plain") / "attributes", "user.colour")
    assert on_disk == b"blue"


def test_a_file_without_attributes_has_none(server: SambaServer) -> None:
    assert on_file(server, "bare", information.attributes) == ()


def test_streams_are_written_and_listed(server: SambaServer) -> None:
    async def main(share: Share) -> dict[str, int]:
        file = await share.open("streamy", ALL, CREATE)
        await file.write(0, b"content")
        stream = await share.open("streamy:notes", ALL, CREATE)
        await stream.write(0, b"aside")
        told = {each.name: each.size for each in await information.streams(file)}
        assert bytes(await stream.read(0, 10)) == b"aside"
        await stream.close()
        await file.close()
        return told

    assert on_share(server, main) == {"::$DATA": 7, ":notes:$DATA": 5}


def test_security_descriptors_are_read_and_set(server: SambaServer) -> None:
    parts = SecurityInformation.OWNER | SecurityInformation.GROUP | SecurityInformation.DACL

    async def main(file: OpenFile) -> SecurityDescriptor:
        told = await information.security(file, parts)
        assert told.owner is not None
        assert told.dacl is not None
        fewer = SecurityDescriptor(dacl=type(told.dacl)(told.dacl.entries[:1]))
        await information.set_security(file, SecurityInformation.DACL, fewer)
        after = await information.security(file, parts)
        assert after.dacl is not None
        assert after.dacl.entries[0] == told.dacl.entries[0]
        assert len(after.dacl.entries) < len(told.dacl.entries)
        return told

    told = on_file(server, "guarded", main)
    told_to_others = server.smbclient("plain", "showacls", "ls guarded").stdout
    assert f"Owner SID:\t{told.owner}" in told_to_others, told_to_others
    assert told_to_others.count("ACE") >= 1
