"""Information classes of open files, extended attributes, streams and security descriptors.

QUERY_INFO and SET_INFO, [MS-SMB2] 3.2.4.17, 3.2.4.18; the classes are [MS-FSCC] 2.4 and 2.5.
"""

from collections.abc import Sequence
from typing import Protocol, Self, TypeVar

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass, FileSystemInformationClass
from smbmount.proto.fscc_ea import FullEa, Stream, pack_list, unpack_list, unpack_streams
from smbmount.proto.info import (
    InfoType,
    QueryFlags,
    QueryInfoRequest,
    QueryInfoResponse,
    SecurityInformation,
    SetInfoRequest,
    SetInfoResponse,
)
from smbmount.proto.security import SecurityDescriptor
from smbmount.proto.status import NtStatus

from .open_file import OpenFile

_ROOM = 64 * 1024  # bytes: Windows and Samba keep EAs and descriptors below


class Structure(Protocol):
    """An information class of `smbmount.proto`."""

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Parse its bytes. Raises MalformedMessage."""


S = TypeVar("S", bound=Structure)


async def query(file: OpenFile, number: FileInformationClass, kind: type[S]) -> S:
    """One information class of the file. Raises ClientError."""
    return await _parsed(file, InfoType.FILE, number, kind)


async def query_volume(file: OpenFile, number: FileSystemInformationClass, kind: type[S]) -> S:
    """One information class of the volume behind the file. Raises ClientError."""
    return await _parsed(file, InfoType.FILESYSTEM, number, kind)


async def change(file: OpenFile, number: FileInformationClass, data: bytes) -> None:
    """Set one information class of the file. Raises ClientError."""
    request = SetInfoRequest(file.file_id, InfoType.FILE, number, data)
    await file.tree.call(request, SetInfoResponse, file.path)


async def attributes(file: OpenFile) -> tuple[FullEa, ...]:
    """The file's extended attributes, all of them. Raises ClientError."""
    request = QueryInfoRequest(
        file.file_id,
        InfoType.FILE,
        FileInformationClass.FILE_FULL_EA_INFORMATION,
        _ROOM,
        flags=QueryFlags.RESTART_SCAN,
    )
    [answer] = await file.tree.send([request])
    if answer.status == NtStatus.STATUS_NO_EAS_ON_FILE:
        return ()
    data = file.tree.parse(answer, QueryInfoResponse, file.path).data
    try:
        return unpack_list(data)
    except MalformedMessage as error:
        raise file.tree.distrust(error) from error


async def set_attributes(file: OpenFile, changes: Sequence[FullEa]) -> None:
    """Set extended attributes; an empty value takes one away. Raises ClientError."""
    await change(file, FileInformationClass.FILE_FULL_EA_INFORMATION, pack_list(changes))


async def streams(file: OpenFile) -> tuple[Stream, ...]:
    """The file's streams; its content is "::$DATA". Raises ClientError."""
    request = QueryInfoRequest(
        file.file_id, InfoType.FILE, FileInformationClass.FILE_STREAM_INFORMATION, _ROOM
    )
    data = (await file.tree.call(request, QueryInfoResponse, file.path)).data
    try:
        return unpack_streams(data)
    except MalformedMessage as error:
        raise file.tree.distrust(error) from error


async def security(file: OpenFile, parts: SecurityInformation) -> SecurityDescriptor:
    """The asked parts of the file's security descriptor. Raises ClientError."""
    request = QueryInfoRequest(
        file.file_id, InfoType.SECURITY, 0, _ROOM, additional_information=parts
    )
    data = (await file.tree.call(request, QueryInfoResponse, file.path)).data
    try:
        return SecurityDescriptor.unpack(data)
    except MalformedMessage as error:
        raise file.tree.distrust(error) from error


async def set_security(
    file: OpenFile, parts: SecurityInformation, descriptor: SecurityDescriptor
) -> None:
    """Set these parts of the security descriptor. Raises ClientError."""
    request = SetInfoRequest(file.file_id, InfoType.SECURITY, 0, descriptor.pack(), parts)
    await file.tree.call(request, SetInfoResponse, file.path)


async def _parsed(file: OpenFile, kind: InfoType, number: int, structure: type[S]) -> S:
    request = QueryInfoRequest(file.file_id, kind, number, _ROOM)
    answer = await file.tree.call(
        request, QueryInfoResponse, file.path, NtStatus.STATUS_BUFFER_OVERFLOW
    )
    try:
        return structure.unpack(answer.data)
    except MalformedMessage as error:
        raise file.tree.distrust(error) from error
