"""Extended attributes, streams and security descriptors, by path: CREATE, one question, CLOSE.

Extended attributes of SMB ([MS-FSCC] 2.4.16) have names of ASCII whose case does not count, and no
empty values: setting one takes the attribute away.
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from smbmount.proto.create import RELATED, AccessMask, CreateOptions
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass
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
from smbmount.proto.status import NtStatus

from .connection import Answer, Request
from .tree import Tree

T = TypeVar("T")

LONGEST_VALUE = 65_535  # bytes: EaValueLength has sixteen bits
_ROOM = 64 * 1024  # bytes of an answer that one credit pays for
_MORE_ROOM = 1024 * 1024
_NO_ROOM = (
    NtStatus.STATUS_BUFFER_OVERFLOW,
    NtStatus.STATUS_BUFFER_TOO_SMALL,
    NtStatus.STATUS_INFO_LENGTH_MISMATCH,  # Samba
)
_LOOK = AccessMask.READ_ATTRIBUTES


class _With(Protocol):
    """`Share.compound`."""

    async def __call__(
        self, path: str, access: AccessMask, work: list[Request], *, options: CreateOptions
    ) -> list[Answer]:
        """The answers to CREATE, work, CLOSE."""


class ExtendedAttributes:
    """What the files of a share have besides content and metadata."""

    def __init__(self, tree: Tree, do: _With) -> None:
        self._tree = tree
        self._do = do

    async def all(self, path: str) -> tuple[FullEa, ...]:
        """The extended attributes of a file, as the server spells them. Raises ClientError."""
        answer = await self._ask_for_all(path, _ROOM)
        if answer.status in _NO_ROOM:
            room = min(_MORE_ROOM, self._tree.session.negotiated.max_transact)
            answer = await self._ask_for_all(path, room)
        if answer.status in (
            NtStatus.STATUS_NO_EAS_ON_FILE,
            NtStatus.STATUS_NONEXISTENT_EA_ENTRY,
        ):
            return ()
        return self._read(answer, path, unpack_list)

    async def _ask_for_all(self, path: str, room: int) -> Answer:
        question = QueryInfoRequest(
            RELATED,
            InfoType.FILE,
            FileInformationClass.FILE_FULL_EA_INFORMATION,
            room,
            flags=QueryFlags.RESTART_SCAN,
        )
        return await self._work(path, _LOOK | AccessMask.READ_EA, question)

    async def set(self, path: str, name: bytes, value: bytes) -> None:
        """Give a file an extended attribute; an empty value takes it away. Raises ClientError."""
        request = SetInfoRequest(
            RELATED,
            InfoType.FILE,
            FileInformationClass.FILE_FULL_EA_INFORMATION,
            pack_list([FullEa(name, value)]),
        )
        answer = await self._work(path, _LOOK | AccessMask.WRITE_EA, request)
        self._tree.parse(answer, SetInfoResponse, path)

    async def streams(self, path: str) -> tuple[Stream, ...]:
        """All streams of a file; "::$DATA" is its content. Raises ClientError."""
        question = QueryInfoRequest(
            RELATED, InfoType.FILE, FileInformationClass.FILE_STREAM_INFORMATION, _ROOM
        )
        answer = await self._work(path, _LOOK, question)
        return self._read(answer, path, unpack_streams)

    async def descriptor(self, path: str, parts: SecurityInformation) -> bytes:
        """The security descriptor ([MS-DTYP] 2.4.6), as it came. Raises ClientError."""
        question = QueryInfoRequest(
            RELATED, InfoType.SECURITY, 0, _ROOM, additional_information=parts
        )
        access = _LOOK | AccessMask.READ_CONTROL
        if parts & SecurityInformation.SACL:
            access |= AccessMask.ACCESS_SYSTEM_SECURITY
        return self._read(await self._work(path, access, question), path, bytes)

    async def set_descriptor(
        self, path: str, parts: SecurityInformation, descriptor: bytes
    ) -> None:
        """Set these parts of the security descriptor. Raises ClientError."""
        access = _LOOK
        if parts & SecurityInformation.DACL:
            access |= AccessMask.WRITE_DAC
        if parts & (SecurityInformation.OWNER | SecurityInformation.GROUP):
            access |= AccessMask.WRITE_OWNER
        if parts & SecurityInformation.SACL:
            access |= AccessMask.ACCESS_SYSTEM_SECURITY
        request = SetInfoRequest(RELATED, InfoType.SECURITY, 0, descriptor, parts)
        self._tree.parse(await self._work(path, access, request), SetInfoResponse, path)

    async def _work(self, path: str, access: AccessMask, request: Request) -> Answer:
        answers = await self._do(path, access, [request], options=CreateOptions.OPEN_REPARSE_POINT)
        return answers[1]

    def _read(self, answer: Answer, path: str, unpack: Callable[[memoryview], T]) -> T:
        try:
            return unpack(self._tree.parse(answer, QueryInfoResponse, path).data)
        except MalformedMessage as error:
            raise self._tree.distrust(error) from error
