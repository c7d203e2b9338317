"""Every message and structure: what is packed comes back, noise is refused, and nothing else."""

from contextlib import suppress
from struct import Struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from smbmount.proto import (
    close,
    create,
    create_contexts,
    dfs,
    directory,
    echo,
    error_response,
    flush,
    fscc_directory,
    fscc_ea,
    fscc_file,
    fscc_fs,
    fsctl,
    fsctl_files,
    info,
    ioctl,
    lock,
    negotiate,
    notify,
    oplock,
    read,
    reparse,
    security,
    session,
    tree,
    write,
)
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass
from smbmount.proto.header import HEADER_SIZE, Command, Header

from .values import SPECIAL, TEXT, values

HEADER = Header(Command.ECHO).pack()
_16 = st.binary(min_size=16, max_size=16)
_24 = st.binary(min_size=24, max_size=24)
_quad = st.integers(0, 2**64 - 1)
_short = st.integers(0, 0xFFFF)
_byte = st.integers(0, 0xFF)


def _views(longest: int) -> st.SearchStrategy[memoryview]:
    return st.binary(max_size=longest).map(lambda data: memoryview(data))


_contexts = st.lists(
    st.one_of(
        values(negotiate.PreauthIntegrityCapabilities),
        values(negotiate.EncryptionCapabilities),
        values(negotiate.CompressionCapabilities),
        values(negotiate.NetnameNegotiateContext),
        values(negotiate.TransportCapabilities),
        values(negotiate.RdmaTransformCapabilities),
        values(negotiate.SigningCapabilities),
        st.builds(negotiate.PosixExtensions, _16),
        st.builds(negotiate.UnknownContext, st.integers(0x200, 0xFFFF), st.binary(max_size=30)),
    ),
    max_size=6,
).map(tuple)
_create_contexts = st.lists(
    st.tuples(st.binary(min_size=4, max_size=16), _views(40)),
    max_size=4,
).map(tuple)
SUBAUTHORITIES = st.lists(st.integers(0, 2**32 - 1), max_size=15).map(tuple)
_flag_bits = st.integers(0, 0xFFFF_FFFF)

SPECIAL.update(
    {
        ("NegotiateRequest", "client_guid"): _16,
        ("NegotiateRequest", "contexts"): st.just(()),
        ("NegotiateRequest", "security_mode"): _short.map(negotiate.SecurityMode),
        ("NegotiateRequest", "capabilities"): _flag_bits.map(negotiate.Capabilities),
        ("NegotiateResponse", "server_guid"): _16,
        ("NegotiateResponse", "contexts"): st.just(()),
        ("NegotiateResponse", "dialect"): st.sampled_from([0x202, 0x210, 0x300, 0x302, 0x2FF]),
        ("NegotiateResponse", "security_mode"): _short.map(negotiate.SecurityMode),
        ("NegotiateResponse", "capabilities"): _flag_bits.map(negotiate.Capabilities),
        ("SessionSetupRequest", "flags"): _byte,
        ("SessionSetupRequest", "security_mode"): _byte,
        ("TreeConnectRequest", "flags"): _short,
        ("TreeConnectResponse", "share_type"): _byte,
        ("CreateRequest", "contexts"): st.just(()),
        ("CreateRequest", "name"): TEXT,
        ("CreateResponse", "flags"): _byte,
        ("CreateResponse", "contexts"): _create_contexts,
        ("CloseRequest", "flags"): _short,
        ("CloseResponse", "flags"): _short,
        ("ReadRequest", "flags"): _byte,
        ("QueryDirectoryRequest", "info_class"): _byte,
        ("QueryDirectoryRequest", "flags"): _byte,
        ("QueryInfoRequest", "info_class"): _byte,
        ("SetInfoRequest", "info_class"): _byte,
        ("ChangeNotifyRequest", "flags"): _short,
        ("LockElement", "length"): _quad,
        ("Range", "length"): _quad,
        ("DuplicateExtents", "length"): _quad,
        ("DuplicateExtentsEx", "length"): _quad,
        ("LeaseBreakNotification", "lease_key"): _16,
        ("LeaseBreakAcknowledgement", "lease_key"): _16,
        ("LeaseBreakResponse", "lease_key"): _16,
        ("FileIdInformation", "file_id"): _16,
        ("FileFsObjectIdInformation", "object_id"): _16,
        ("FileFsObjectIdInformation", "extended_info"): st.binary(min_size=48, max_size=48),
        ("FileFsAttributeInformation", "maximum_component_name_length"): st.integers(0, 2**31 - 1),
        ("ValidateNegotiateInfoRequest", "guid"): _16,
        ("ValidateNegotiateInfoResponse", "guid"): _16,
        ("ResumeKey", "key"): _24,
        ("CopyChunkRequest", "source_key"): _24,
        ("ObjectId", "object_id"): _16,
        ("ObjectId", "birth_volume_id"): _16,
        ("ObjectId", "birth_object_id"): _16,
        ("ObjectId", "domain_id"): _16,
        ("DurableHandleRequest", "reserved"): _16,
        ("DurableHandleResponse", "reserved"): st.binary(min_size=8, max_size=8),
        ("DurableHandleRequestV2", "create_guid"): _16,
        ("DurableHandleReconnectV2", "create_guid"): _16,
        ("LeaseV1", "lease_key"): _16,
        ("LeaseV2", "lease_key"): _16,
        ("LeaseV2", "parent_lease_key"): _16,
        ("AppInstanceId", "app_instance_id"): _16,
        ("FullEa", "name"): st.binary(max_size=255),
        ("FullEa", "flags"): _byte,
        ("Stream", "size"): _quad,
        ("PipeWaitRequest", "timeout"): st.none() | _quad,
        ("Sid", "authority"): st.integers(0, 2**48 - 1),
        ("Sid", "subauthorities"): SUBAUTHORITIES,
        ("FileFsVolumeInformation", "volume_serial_number"): st.integers(0, 2**32 - 1),
        ("ErrorResponse", "contexts"): st.lists(
            st.tuples(st.integers(0, 2**32 - 1), _views(30)),
            min_size=1, max_size=4,
        ).map(tuple),
        ("ErrorResponse", "in_contexts"): st.just(True),
        ("GetReferral", "max_level"): _short,
        ("Acl", "entries"): st.lists(
            st.builds(
                security.Ace, st.sampled_from(list(map(int, security.AceType))), _byte,
                st.integers(0, 2**32 - 1),
                st.builds(security.Sid, st.integers(0, 2**48 - 1), SUBAUTHORITIES),
            ), max_size=4,
        ).map(tuple),
    }
)  # fmt: skip

MESSAGES: list[type] = [
    negotiate.NegotiateRequest,
    negotiate.NegotiateResponse,
    session.SessionSetupRequest,
    session.SessionSetupResponse,
    session.LogoffRequest,
    session.LogoffResponse,
    tree.TreeConnectRequest,
    tree.TreeConnectResponse,
    tree.TreeDisconnectRequest,
    tree.TreeDisconnectResponse,
    echo.EchoRequest,
    echo.EchoResponse,
    echo.CancelRequest,
    create.CreateRequest,
    create.CreateResponse,
    close.CloseRequest,
    close.CloseResponse,
    flush.FlushRequest,
    flush.FlushResponse,
    read.ReadRequest,
    read.ReadResponse,
    write.WriteResponse,
    lock.LockRequest,
    lock.LockResponse,
    ioctl.IoctlRequest,
    ioctl.IoctlResponse,
    directory.QueryDirectoryRequest,
    directory.QueryDirectoryResponse,
    notify.ChangeNotifyRequest,
    notify.ChangeNotifyResponse,
    info.QueryInfoRequest,
    info.QueryInfoResponse,
    info.SetInfoRequest,
    info.SetInfoResponse,
    oplock.OplockBreakNotification,
    oplock.OplockBreakAcknowledgement,
    oplock.OplockBreakResponse,
    oplock.LeaseBreakNotification,
    oplock.LeaseBreakAcknowledgement,
    oplock.LeaseBreakResponse,
    error_response.ErrorResponse,
]

STRUCTURES: list[type] = [
    fscc_file.FileBasicInformation,
    fscc_file.FileStandardInformation,
    fscc_file.FileInternalInformation,
    fscc_file.FileEaInformation,
    fscc_file.FileAccessInformation,
    fscc_file.FilePositionInformation,
    fscc_file.FileModeInformation,
    fscc_file.FileAlignmentInformation,
    fscc_file.FileAllocationInformation,
    fscc_file.FileEndOfFileInformation,
    fscc_file.FileValidDataLengthInformation,
    fscc_file.FileDispositionInformation,
    fscc_file.FileDispositionInformationEx,
    fscc_file.FileNetworkOpenInformation,
    fscc_file.FileAttributeTagInformation,
    fscc_file.FileCompressionInformation,
    fscc_file.FileStandardLinkInformation,
    fscc_file.FilePipeInformation,
    fscc_file.FilePipeLocalInformation,
    fscc_file.FileIdInformation,
    fscc_file.FileNameInformation,
    fscc_file.FileAllInformation,
    fscc_file.FileRenameInformation,
    fscc_file.FileRenameInformationEx,
    fscc_fs.FileFsSizeInformation,
    fscc_fs.FileFsFullSizeInformation,
    fscc_fs.FileFsDeviceInformation,
    fscc_fs.FileFsSectorSizeInformation,
    fscc_fs.FileFsControlInformation,
    fscc_fs.FileFsObjectIdInformation,
    fscc_fs.FileFsAttributeInformation,
    fscc_fs.FileFsVolumeInformation,
    fsctl.ValidateNegotiateInfoRequest,
    fsctl.ValidateNegotiateInfoResponse,
    fsctl.PipeWaitRequest,
    fsctl.ResiliencyRequest,
    fsctl_files.ResumeKey,
    fsctl_files.CopyChunkRequest,
    fsctl_files.CopyChunkResponse,
    fsctl_files.SetSparse,
    fsctl_files.SetZeroData,
    fsctl_files.Range,
    fsctl_files.DuplicateExtents,
    fsctl_files.DuplicateExtentsEx,
    fsctl_files.FileLevelTrim,
    fsctl_files.ObjectId,
    create_contexts.EaBuffer,
    create_contexts.SdBuffer,
    create_contexts.DurableHandleRequest,
    create_contexts.DurableHandleReconnect,
    create_contexts.DurableHandleResponse,
    create_contexts.DurableHandleRequestV2,
    create_contexts.DurableHandleReconnectV2,
    create_contexts.DurableHandleResponseV2,
    create_contexts.MaximalAccessRequest,
    create_contexts.MaximalAccessResponse,
    create_contexts.AllocationSize,
    create_contexts.TimewarpToken,
    create_contexts.QueryOnDiskIdRequest,
    create_contexts.QueryOnDiskIdResponse,
    create_contexts.LeaseV1,
    create_contexts.LeaseV2,
    create_contexts.AppInstanceId,
    create_contexts.AppInstanceVersion,
    create_contexts.PosixCreateRequest,
    create_contexts.PosixCreateResponse,
    dfs.GetReferral,
    security.Sid,
    security.Acl,
    reparse.ReparsePoint,
]
# Decoders that only read, or whose packing needs a form of its own.
READERS: list[Any] = [
    dfs.Referrals,
    fsctl_files.Snapshots,
    security.SecurityDescriptor,
    error_response.SymbolicLinkError,
]


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
@settings(max_examples=60)
@given(data=st.data())
def test_a_message_comes_back_as_it_was_packed(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    assert kind.unpack(memoryview(HEADER + value.pack())) == value


@pytest.mark.parametrize("kind", STRUCTURES, ids=lambda kind: kind.__name__)
@settings(max_examples=60)
@given(data=st.data())
def test_a_structure_comes_back_as_it_was_packed(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    assert kind.unpack(memoryview(value.pack())) == value


@pytest.mark.parametrize("kind", [*MESSAGES, write.WriteRequest], ids=lambda kind: kind.__name__)
@settings(max_examples=60)
@given(noise=st.binary(max_size=120), data=st.data())
def test_a_noisy_message_is_parsed_or_refused(kind: Any, noise: bytes, data: st.DataObject) -> None:
    size = b""
    if data.draw(st.booleans()):  # the right StructureSize, so that the rest is reached
        size = data.draw(values(kind)).pack()[:2]
    with suppress(MalformedMessage):
        kind.unpack(memoryview(HEADER + size + noise))


@pytest.mark.parametrize("kind", [*STRUCTURES, *READERS], ids=lambda kind: kind.__name__)
@settings(max_examples=60)
@given(noise=st.binary(max_size=120))
def test_a_noisy_structure_is_parsed_or_refused(kind: Any, noise: bytes) -> None:
    with suppress(MalformedMessage):
        kind.unpack(memoryview(noise))


@pytest.mark.parametrize("kind", [*MESSAGES], ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_a_message_cut_short_is_parsed_or_refused(kind: Any, data: st.DataObject) -> None:
    packed = HEADER + data.draw(values(kind)).pack()
    end = data.draw(st.integers(0, len(packed)))
    with suppress(MalformedMessage):
        kind.unpack(memoryview(packed)[:end])


@given(values(write.WriteRequest))
def test_a_write_request_is_its_fixed_part_and_its_data(request: write.WriteRequest) -> None:
    message = memoryview(HEADER + request.pack() + bytes(request.data))
    parsed = write.WriteRequest.unpack(message)
    assert (parsed.file_id, parsed.offset, parsed.flags) == (
        request.file_id,
        request.offset,
        request.flags,
    )
    assert parsed.data == request.data


@given(_contexts, st.lists(st.integers(0, 0xFFFF), max_size=4))
def test_negotiate_contexts_come_back(contexts: Any, dialects: list[int]) -> None:
    request = negotiate.NegotiateRequest(
        (*dialects, 0x311), negotiate.SecurityMode(1), negotiate.Capabilities(0x7F), bytes(16),
        contexts,
    )  # fmt: skip
    assert negotiate.NegotiateRequest.unpack(memoryview(HEADER + request.pack())) == request
    response = negotiate.NegotiateResponse(
        negotiate.SecurityMode(1), 0x311, negotiate.Capabilities(1), bytes(16), 1, 2, 3, 4, 5,
        b"token", contexts,
    )  # fmt: skip
    if contexts:
        assert negotiate.NegotiateResponse.unpack(memoryview(HEADER + response.pack())) == response


@given(
    st.lists(
        st.builds(
            fscc_directory.Entry,
            file_name=TEXT,
            creation_time=st.integers(0, 2**63 - 1),
            end_of_file=st.integers(0, 2**63 - 1),
            allocation_size=_quad,
            file_attributes=_flag_bits,
        ),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(
        [
            FileInformationClass.FILE_DIRECTORY_INFORMATION,
            FileInformationClass.FILE_FULL_DIRECTORY_INFORMATION,
            FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION,
            FileInformationClass.FILE_ID_BOTH_DIRECTORY_INFORMATION,
            FileInformationClass.FILE_ID_EXTD_DIRECTORY_INFORMATION,
        ]
    ),
)
def test_directory_entries_come_back(
    listed: list[fscc_directory.Entry], info_class: FileInformationClass
) -> None:
    packed = fscc_directory.pack_entries(info_class, listed)
    assert list(fscc_directory.entries(info_class, memoryview(packed))) == listed


@given(st.sampled_from(sorted(fscc_directory._LAYOUTS)), st.binary(max_size=300))
def test_noisy_directory_entries_are_parsed_or_refused(info_class: int, noise: bytes) -> None:
    with suppress(MalformedMessage):
        list(fscc_directory.entries(info_class, memoryview(noise)))


@given(st.binary(max_size=200))
def test_noisy_lists_are_parsed_or_refused(noise: bytes) -> None:
    for decode in (
        fscc_ea.unpack_list,
        fscc_ea.unpack_names,
        fscc_ea.unpack_streams,
        fsctl.unpack_interfaces,
        fsctl_files.unpack_ranges,
        create.unpack_contexts,
        create_contexts.unpack_lease,
    ):
        with suppress(MalformedMessage):
            decode(memoryview(noise))


@given(st.lists(values(fscc_ea.Stream), min_size=1, max_size=4).map(tuple))
def test_streams_come_back(streams: tuple[fscc_ea.Stream, ...]) -> None:
    assert fscc_ea.unpack_streams(memoryview(fscc_ea.pack_streams(streams))) == streams


@given(st.lists(st.binary(max_size=255), min_size=1, max_size=4).map(tuple))
def test_attribute_names_come_back(names: tuple[bytes, ...]) -> None:
    assert fscc_ea.unpack_names(memoryview(fscc_ea.pack_names(names))) == names


@given(
    st.none() | values(security.Sid),
    st.none() | values(security.Sid),
    st.none() | values(security.Acl),
)
def test_security_descriptors_come_back(owner: Any, group: Any, dacl: Any) -> None:
    control = 0x8004 if dacl is not None else 0x8000
    descriptor = security.SecurityDescriptor(owner, group, None, dacl, control)
    assert security.SecurityDescriptor.unpack(memoryview(descriptor.pack())) == descriptor


@given(values(security.Sid))
def test_a_sid_is_its_text(sid: security.Sid) -> None:
    assert security.Sid.parse(str(sid)) == sid


@given(TEXT, TEXT, st.booleans())
def test_links_come_back(substitute: str, printed: str, relative: bool) -> None:
    link = reparse.SymbolicLink(substitute, printed, relative)
    assert reparse.SymbolicLink.of(link.point()) == link
    junction = reparse.MountPoint(substitute, printed)
    assert reparse.MountPoint.of(junction.point()) == junction
    wsl = reparse.LxSymlink(substitute.encode("utf-8", "surrogatepass"))
    assert reparse.LxSymlink.of(wsl.point()) == wsl
    nfs = reparse.NfsFile(reparse.NfsType.LNK, substitute.encode("utf-16-le", "surrogatepass"))
    assert reparse.NfsFile.of(nfs.point()).target == substitute


@given(st.binary(max_size=60), _flag_bits)
def test_noisy_reparse_points_are_parsed_or_refused(data: bytes, tag: int) -> None:
    point = reparse.ReparsePoint(tag, data)
    for kind in (reparse.SymbolicLink, reparse.MountPoint, reparse.LxSymlink, reparse.NfsFile):
        with suppress(MalformedMessage):
            kind.of(point)


@given(st.lists(st.text("abc@-.0123", min_size=1, max_size=20), max_size=4).map(tuple))
def test_snapshot_names_come_back(names: tuple[str, ...]) -> None:
    told = fsctl_files.Snapshots(len(names), 100, names)
    assert fsctl_files.Snapshots.unpack(memoryview(told.pack())) == told


@given(TEXT, TEXT, st.booleans(), st.integers(0, 0xFFFF))
def test_a_symlink_error_comes_back(a: str, b: str, relative: bool, unparsed: int) -> None:
    error = error_response.SymbolicLinkError(unparsed, a, b, relative)
    assert error_response.SymbolicLinkError.unpack(memoryview(error.pack())) == error


def test_data_of_a_read_is_a_view_of_the_message() -> None:
    message = memoryview(HEADER + read.ReadResponse(memoryview(b"payload")).pack())
    response = read.ReadResponse.unpack(message)
    assert bytes(response.data) == b"payload"
    assert response.data.obj is message.obj


@pytest.mark.parametrize(
    ("kind", "value", "at", "patch", "field"),
    [
        (read.ReadResponse, read.ReadResponse(memoryview(b"abc")), 0, "<H16", "StructureSize"),
        (read.ReadResponse, read.ReadResponse(memoryview(b"abc")), 2, "<B79", "DataOffset"),
        (read.ReadResponse, read.ReadResponse(memoryview(b"abc")), 4, "<L4", "DataLength"),
        (info.QueryInfoResponse, info.QueryInfoResponse(memoryview(b"abc")), 2, "<H71",
         "OutputBufferOffset"),
        (info.QueryInfoResponse, info.QueryInfoResponse(memoryview(b"abc")), 4, "<L4294967295",
         "OutputBufferLength"),
        (ioctl.IoctlResponse,
         ioctl.IoctlResponse(0, create.FileId(0, 0), memoryview(b"abc")), 36, "<L4294967295",
         "OutputLength"),
        (session.SessionSetupResponse,
         session.SessionSetupResponse(session.SessionFlags(0), b"abc"), 4, "<H4",
         None),
        (session.SessionSetupResponse,
         session.SessionSetupResponse(session.SessionFlags(0), b"abc"), 6, "<H4",
         "SecurityBufferLength"),
    ],
)  # fmt: skip
def test_a_lying_field_is_named(kind: Any, value: Any, at: int, patch: str, field: str) -> None:
    message = bytearray(HEADER + value.pack())
    layout = Struct(patch[:2])
    layout.pack_into(message, HEADER_SIZE + at, int(patch[2:]))
    with pytest.raises(MalformedMessage, match=field):
        kind.unpack(memoryview(message))
