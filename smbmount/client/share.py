"""The face of the client: one share, by path, for the floors above.

Paths are the server's, components separated by a backslash, counted from the directory that is
mounted; "" is that directory. No file id, dialect or dead socket shows here. Each call is one
round trip where the protocol allows it: what belongs together travels as one compound.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from smbmount.proto.close import CloseRequest
from smbmount.proto.create import (
    RELATED,
    AccessMask,
    CreateAction,
    CreateDisposition,
    CreateOptions,
    CreateRequest,
    CreateResponse,
    FileAttributes,
)
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass, FileSystemInformationClass
from smbmount.proto.fscc_file import FileEndOfFileInformation
from smbmount.proto.fscc_fs import FileFsFullSizeInformation, FileFsSizeInformation
from smbmount.proto.info import InfoType, QueryInfoRequest, QueryInfoResponse, SetInfoResponse
from smbmount.proto.status import NtStatus

from .attributes import DirectoryEntry, FileStat, VolumeSize
from .connection import Answer, Request
from .dial import reach
from .errors import MountRefused, ServerError
from .open_file import (
    OpenFile,
    basic_request,
    disposition_request,
    joined,
    listing_request,
    rename_request,
    set_request,
    stat_of,
    stat_request,
)
from .settings import ConnectionSettings, Credentials
from .tree import Tree

_log = logging.getLogger(__name__)

_SAME = RELATED  # "the file that the CREATE of this compound opens"
_LOOK = AccessMask.READ_ATTRIBUTES | AccessMask.SYNCHRONIZE
_LIST = AccessMask.READ_DATA | AccessMask.READ_ATTRIBUTES | AccessMask.SYNCHRONIZE
_CHANGE = AccessMask.WRITE_ATTRIBUTES | AccessMask.READ_ATTRIBUTES | AccessMask.SYNCHRONIZE


@asynccontextmanager
async def open_share(
    settings: ConnectionSettings, credentials: Credentials, share: str, *, root: str = ""
) -> AsyncIterator["Share"]:
    """Connect, sign on, and yield the share; sign off and disconnect at the end.

    `root` is a directory of the share, the one to mount. Raises MountRefused.
    """
    async with reach(settings, credentials, share) as tree:
        opened = Share(tree, settings, root)
        await opened.check_root()
        yield opened


class Share:
    """One share, or a directory of it, as a tree of files."""

    def __init__(self, tree: Tree, settings: ConnectionSettings, root: str = "") -> None:
        negotiated = tree.session.negotiated
        self.server = settings.host
        self.name = tree.share
        self.root = root
        self.label = f"{tree.label}/{root}".replace("\\", "/").rstrip("/")
        self.posix = False
        self.max_read = min(settings.max_read or negotiated.max_read, negotiated.max_read)
        self.max_write = min(settings.max_write or negotiated.max_write, negotiated.max_write)
        self._tree = tree

    def __repr__(self) -> str:
        return f"<Share {self.label}>"

    @property
    def lost(self) -> bool:
        """True if the connection is gone; every call fails from then on."""
        return self._tree.connection.lost is not None

    async def check_root(self) -> None:
        """Make sure that the directory to mount is one. Raises MountRefused."""
        try:
            found = await self.stat("")
        except ServerError as error:
            if error.status in (
                NtStatus.STATUS_OBJECT_NAME_NOT_FOUND,
                NtStatus.STATUS_OBJECT_PATH_NOT_FOUND,
                NtStatus.STATUS_OBJECT_NAME_INVALID,
            ):
                raise MountRefused(
                    f"the share {self._tree.label} has no directory {self.root!r}"
                ) from error
            raise MountRefused(f"{self.label} cannot be opened: {error}") from error
        if not found.is_directory:
            raise MountRefused(f"{self.label} is a file, and only a directory can be mounted")

    async def stat(self, path: str) -> FileStat:
        """The metadata of what `path` names, a link itself rather than its target.

        One round trip. Raises ClientError.
        """
        answers = await self._with(
            path, _LOOK, [stat_request(_SAME)], options=CreateOptions.OPEN_REPARSE_POINT
        )
        return stat_of(self._tree, answers[1], path)

    async def open(
        self,
        path: str,
        access: AccessMask,
        disposition: CreateDisposition = CreateDisposition.OPEN,
        *,
        options: CreateOptions = CreateOptions(0),
        attributes: FileAttributes = FileAttributes(0),
    ) -> OpenFile:
        """Open or create `path`; the file's metadata comes along. One round trip.

        Raises ClientError.
        """
        create = CreateRequest(
            joined(self.root, path),
            access | AccessMask.READ_ATTRIBUTES | AccessMask.SYNCHRONIZE,
            disposition,
            file_attributes=attributes,
            create_options=options,
        )
        answers = await self._tree.send([create, stat_request(_SAME)])
        opened = self._tree.parse(answers[0], CreateResponse, path)
        file = self._hold(opened, path)
        try:
            file.stat = stat_of(self._tree, answers[1], path)
        except BaseException:
            await file.close()
            raise
        return file

    def _hold(self, opened: CreateResponse, path: str) -> OpenFile:
        stat = FileStat(
            file_id=0,
            attributes=FileAttributes(opened.file_attributes),
            size=opened.end_of_file,
            allocated=opened.allocation_size,
            links=1,
            created=opened.creation_time,
            accessed=opened.last_access_time,
            written=opened.last_write_time,
            changed=opened.change_time,
        )
        return OpenFile(
            self._tree,
            opened.file_id,
            path,
            stat,
            created=opened.create_action == CreateAction.FILE_CREATED,
            root=self.root,
            max_read=self.max_read,
            max_write=self.max_write,
        )

    async def scan(self, path: str) -> AsyncGenerator[list[DirectoryEntry], None]:
        """The entries of a directory with their metadata, a server's answer at a time.

        "." and ".." are left out. The first answer comes with the open, in one round trip.
        Raises ClientError.
        """
        create = CreateRequest(
            joined(self.root, path),
            _LIST,
            CreateDisposition.OPEN,
            create_options=CreateOptions.DIRECTORY_FILE,
        )
        answers = await self._tree.send([create, listing_request(self._tree, _SAME)])
        opened = self._tree.parse(answers[0], CreateResponse, path)
        directory = self._hold(opened, path)
        try:
            async with aclosing(directory.batches(answers[1])) as batches:
                async for batch in batches:
                    yield batch
        finally:
            await directory.close()

    async def mkdir(self, path: str) -> FileStat:
        """Make a directory; its metadata. One round trip. Raises ClientError."""
        answers = await self._with(
            path,
            _LOOK,
            [stat_request(_SAME)],
            disposition=CreateDisposition.CREATE,
            options=CreateOptions.DIRECTORY_FILE,
            attributes=FileAttributes.DIRECTORY,
        )
        return stat_of(self._tree, answers[1], path)

    async def remove(self, path: str, *, directory: bool) -> None:
        """Remove a file, or an empty directory. One round trip. Raises ClientError."""
        kind = CreateOptions.DIRECTORY_FILE if directory else CreateOptions.NON_DIRECTORY_FILE
        answers = await self._with(
            path,
            AccessMask.DELETE | AccessMask.READ_ATTRIBUTES | AccessMask.SYNCHRONIZE,
            [disposition_request(_SAME, True)],
            options=kind | CreateOptions.OPEN_REPARSE_POINT,
        )
        self._tree.parse(answers[1], SetInfoResponse, path)

    async def rename(self, path: str, target: str, *, replace: bool) -> None:
        """Move `path` to `target`. One round trip.

        `replace` lets it take the place of a file that is there. Raises ClientError.
        """
        answers = await self._with(
            path,
            AccessMask.DELETE | AccessMask.READ_ATTRIBUTES | AccessMask.SYNCHRONIZE,
            [rename_request(_SAME, joined(self.root, target), replace)],
            options=CreateOptions.OPEN_REPARSE_POINT,
        )
        self._tree.parse(answers[1], SetInfoResponse, path)

    async def set_size(self, path: str, size: int) -> None:
        """Truncate or extend a file that is not open. Raises ClientError."""
        request = set_request(
            _SAME,
            FileInformationClass.FILE_END_OF_FILE_INFORMATION,
            FileEndOfFileInformation(size).pack(),
        )
        answers = await self._with(
            path,
            AccessMask.WRITE_DATA | AccessMask.READ_ATTRIBUTES | AccessMask.SYNCHRONIZE,
            [request],
            options=CreateOptions.NON_DIRECTORY_FILE,
        )
        self._tree.parse(answers[1], SetInfoResponse, path)

    async def set_basic(
        self,
        path: str,
        *,
        created: int = 0,
        accessed: int = 0,
        written: int = 0,
        changed: int = 0,
        attributes: int = 0,
    ) -> None:
        """Set times (FILETIME) and attributes; 0 leaves a field alone. Raises ClientError."""
        request = basic_request(
            _SAME,
            created=created,
            accessed=accessed,
            written=written,
            changed=changed,
            attributes=attributes,
        )
        answers = await self._with(
            path, _CHANGE, [request], options=CreateOptions.OPEN_REPARSE_POINT
        )
        self._tree.parse(answers[1], SetInfoResponse, path)

    async def statfs(self) -> VolumeSize:
        """Room on the volume behind the mounted directory. Raises ClientError."""
        data = await self._volume(FileSystemInformationClass.FILE_FS_FULL_SIZE_INFORMATION)
        try:
            size = FileFsFullSizeInformation.unpack(data)
        except MalformedMessage as error:
            # impacket's server takes this class for another one. The older class knows no quota.
            _log.debug("%s: %s; asking for FileFsSizeInformation", self._tree.label, error)
            return await self._plain_statfs()
        unit = size.sectors_per_allocation_unit * size.bytes_per_sector
        return VolumeSize(
            total=size.total_allocation_units * unit,
            available=size.caller_available_allocation_units * unit,
            free=size.actual_available_allocation_units * unit,
            unit=unit,
        )

    async def _plain_statfs(self) -> VolumeSize:
        data = await self._volume(FileSystemInformationClass.FILE_FS_SIZE_INFORMATION)
        try:
            size = FileFsSizeInformation.unpack(data)
        except MalformedMessage as error:
            raise self._tree.distrust(error) from error
        unit = size.sectors_per_allocation_unit * size.bytes_per_sector
        available = size.available_allocation_units * unit
        return VolumeSize(
            total=size.total_allocation_units * unit, available=available, free=available, unit=unit
        )

    async def _volume(self, wanted: FileSystemInformationClass) -> memoryview:
        question = QueryInfoRequest(_SAME, InfoType.FILESYSTEM, wanted, 1024)
        answers = await self._with("", _LOOK, [question])
        return self._tree.parse(answers[1], QueryInfoResponse).data

    async def _with(
        self,
        path: str,
        access: AccessMask,
        work: list[Request],
        *,
        disposition: CreateDisposition = CreateDisposition.OPEN,
        options: CreateOptions = CreateOptions(0),
        attributes: FileAttributes = FileAttributes(0),
    ) -> list[Answer]:
        """CREATE, `work` on what it opened, CLOSE: one compound, its answers.

        Raises ServerError if the CREATE or the CLOSE failed; the answers in between are for the
        caller to judge.
        """
        create = CreateRequest(
            joined(self.root, path),
            access,
            disposition,
            file_attributes=attributes,
            create_options=options,
        )
        answers = await self._tree.send([create, *work, CloseRequest(_SAME)])
        self._tree.parse(answers[0], CreateResponse, path)
        return answers
