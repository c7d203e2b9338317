"""The face of the client: one share, by path, for the floors above.

Paths are the server's, components separated by a backslash, counted from the directory that is
mounted; "" is that directory. No file id, dialect or dead socket shows here. Each call is one
round trip where the protocol allows it: what belongs together travels as one compound.
"""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace

import trio

from smbmount.proto.close import CloseRequest
from smbmount.proto.create import (
    RELATED,
    AccessMask,
    CreateAction,
    CreateContext,
    CreateDisposition,
    CreateOptions,
    CreateRequest,
    CreateResponse,
    FileAttributes,
    OplockLevel,
)
from smbmount.proto.create_contexts import PosixCreateRequest
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass, FileSystemInformationClass
from smbmount.proto.fscc_file import FileEndOfFileInformation
from smbmount.proto.info import InfoType, QueryInfoRequest, QueryInfoResponse, SetInfoResponse
from smbmount.proto.ioctl import IoctlResponse
from smbmount.proto.posix import FilePosixInformation
from smbmount.proto.status import NtStatus

from . import fsctls, snapshots, volume
from .attributes import DirectoryEntry, FileStat, VolumeSize
from .connection import Answer, Request
from .dial import arriving, reach
from .errors import MountRefused, ServerError
from .link_formats import Special
from .links import Links
from .mangled import true_names
from .names import Names, is_hidden
from .open_file import (
    OpenFile,
    basic_request,
    joined,
    listing_request,
    on_wire,
    set_request,
    sparse_request,
    stat_of,
    stat_request,
)
from .permissions import SETTABLE, mode_request, owner_request
from .posix import DEFAULT_MODE, create_contexts
from .settings import ConnectionSettings, Credentials, PosixPolicy
from .tree import Tree
from .xattrs import ExtendedAttributes

_log = logging.getLogger(__name__)

_SAME = RELATED  # "the file that the CREATE of this compound opens"
_LOOK = AccessMask.READ_ATTRIBUTES
_LIST = AccessMask.READ_DATA | AccessMask.READ_ATTRIBUTES
_OWNER_WRITES = 0o200  # of a mode
_CHANGE = AccessMask.WRITE_ATTRIBUTES | AccessMask.READ_ATTRIBUTES


@asynccontextmanager
async def open_share(
    settings: ConnectionSettings, credentials: Credentials, share: str, *, root: str = ""
) -> AsyncIterator["Share"]:
    """Connect, sign on, and yield the share; sign off and disconnect at the end.

    `root` is a directory of the share, the one to mount. Raises MountRefused.
    """
    deadline = trio.current_time() + settings.connect_timeout
    async with reach(settings, credentials, share) as tree:
        opened = Share(tree, settings, root)
        with arriving(settings, deadline):
            if settings.snapshot is not None:
                tree.snapshot = await snapshots.find(Share(tree, settings), settings.snapshot)
            await opened.check_root()
        yield opened


class Share:
    """One share, or a directory of it, as a tree of files."""

    def __init__(self, tree: Tree, settings: ConnectionSettings, root: str = "") -> None:
        negotiated = tree.session.negotiated
        self.server = settings.host
        self.name = tree.share
        self.root = root
        self.root_stat: FileStat | None = None  # as it was found to be there
        self.label = f"{tree.label}/{root}".replace("\\", "/").rstrip("/")
        self.links = Links(tree, settings, root, self.compound)
        self.xattrs = ExtendedAttributes(tree, self.compound)
        self.max_read = min(settings.max_read or negotiated.max_read, negotiated.max_read)
        self.max_write = min(settings.max_write or negotiated.max_write, negotiated.max_write)
        self._names = Names(tree, self)
        self._tree = tree
        self._policy = settings.posix

    def __repr__(self) -> str:
        return f"<Share {self.label}>"

    @property
    def tree(self) -> Tree:
        """The connected share: for the rooms of this floor that ask more of it."""
        return self._tree

    @property
    def lost(self) -> bool:
        """True if the connection is gone; every call fails from then on."""
        return self._tree.connection.lost is not None

    @property
    def clock(self) -> int:
        """By how much the server's is ahead of ours, in FILETIME's 100 ns."""
        return self._tree.session.negotiated.clock

    @property
    def posix(self) -> bool:
        """True if the share has the SMB3 POSIX extensions, and they are used."""
        return self._tree.posix

    async def check_root(self) -> None:
        """Make sure that the directory to mount is one. Raises MountRefused."""
        try:
            found = await self._first_stat()
        except ServerError as error:
            if error.status in (
                NtStatus.STATUS_OBJECT_NAME_NOT_FOUND,
                NtStatus.STATUS_OBJECT_PATH_NOT_FOUND,
                NtStatus.STATUS_OBJECT_NAME_INVALID,
            ):
                where = self.root.replace("\\", "/")
                raise MountRefused(
                    f"the share {self._tree.label} has no directory {where!r}"
                ) from error
            raise MountRefused(f"{self.label} cannot be opened: {error}") from error
        if not found.is_directory:
            raise MountRefused(f"{self.label} is a file, and only a directory can be mounted")
        self.root_stat = found

    async def _first_stat(self) -> FileStat:
        """The root's metadata; by the way, whether the share has the POSIX extensions."""
        tree = self._tree
        if tree.session.negotiated.posix:
            tree.posix = True
            create = self.create("", _LOOK, CreateDisposition.OPEN)
            inquiry = QueryInfoRequest(
                _SAME, InfoType.FILE, FileInformationClass.FILE_POSIX_INFORMATION, 1024
            )
            answers = await tree.send([create, inquiry, CloseRequest(_SAME)])
            tree.posix = (
                answers[0].status == answers[1].status == NtStatus.STATUS_SUCCESS
                and tree.parse(answers[0], CreateResponse).context(PosixCreateRequest.NAME)
                is not None
            )
            if tree.posix:
                data = tree.parse(answers[1], QueryInfoResponse).data
                try:
                    tree.device = FilePosixInformation.unpack(data).device
                except MalformedMessage as error:
                    raise tree.distrust(error) from error
        if self._policy is PosixPolicy.REQUIRED and not tree.posix:
            raise MountRefused(
                f"{self.label} has no POSIX extensions, which the options demand; Samba has them "
                "with `smb3 unix extensions = yes`"
            )
        return await self.stat("")

    async def stat(self, path: str) -> FileStat:
        """The metadata of what `path` names, a link itself rather than its target.

        One round trip. Raises ClientError.
        """
        answers = await self.compound(
            path,
            _LOOK,
            [stat_request(self._tree, _SAME)],
            options=CreateOptions.OPEN_REPARSE_POINT,
        )
        return await self.links.resolve(path, stat_of(self._tree, answers[1], path))

    async def open(
        self,
        path: str,
        access: AccessMask,
        disposition: CreateDisposition = CreateDisposition.OPEN,
        *,
        options: CreateOptions = CreateOptions(0),
        attributes: FileAttributes = FileAttributes(0),
        mode: int = DEFAULT_MODE,
        oplock_level: OplockLevel = OplockLevel.NONE,
        contexts: tuple[CreateContext, ...] = (),
    ) -> OpenFile:
        """Open or create `path`; the file's metadata comes along. One round trip.

        `mode` is for a file that is made, where the share has POSIX extensions. The answers to
        `contexts` are in the file's `contexts`. Raises ClientError.
        """
        create = self.create(
            path,
            access | AccessMask.READ_ATTRIBUTES,
            disposition,
            options=options,
            attributes=attributes,
            mode=mode,
            oplock_level=oplock_level,
            contexts=contexts,
        )
        answers = await self._tree.send([create, stat_request(self._tree, _SAME)])
        opened = self._tree.parse(answers[0], CreateResponse, path)
        file = self.hold(opened, path)
        file.access, file.options = access, options
        file.oplock_level = opened.oplock_level
        file.contexts = {name: bytes(data) for name, data in opened.contexts}
        try:
            file.stat = stat_of(self._tree, answers[1], path)
            if file.created:
                file.stat = await self._insist(path, file.stat, mode)
        except BaseException:
            await file.close()
            raise
        return file

    async def open_again(self, file: OpenFile, path: str) -> OpenFile:
        """What is at `path` now, opened as `file` was. One round trip. Raises ClientError."""
        return await self.open(path, file.access, options=file.options)

    def hold(self, opened: CreateResponse, path: str) -> OpenFile:
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
        create = self.create(
            path, _LIST, CreateDisposition.OPEN, options=CreateOptions.DIRECTORY_FILE
        )
        answers = await self._tree.send([create, listing_request(self._tree, _SAME)])
        opened = self._tree.parse(answers[0], CreateResponse, path)
        directory = self.hold(opened, path)
        try:
            async with aclosing(directory.batches(answers[1])) as batches:
                async for batch in batches:
                    shown = [entry for entry in batch if not is_hidden(entry.name)]
                    if self.posix:
                        shown = await true_names(self._tree, joined(self.root, path), shown)
                    yield await self.links.resolve_all(path, shown)
        finally:
            await directory.close()

    async def mkdir(self, path: str, mode: int = DEFAULT_MODE) -> FileStat:
        """Make a directory; its metadata. One round trip. Raises ClientError."""
        answers = await self.compound(
            path,
            _LOOK,
            [stat_request(self._tree, _SAME)],
            disposition=CreateDisposition.CREATE,
            options=CreateOptions.DIRECTORY_FILE,
            attributes=FileAttributes.DIRECTORY,
            mode=mode,
        )
        try:
            stat = stat_of(self._tree, answers[1], path)
        except ServerError:  # Samba makes directories deeper than it can tell of
            await self.remove(path, directory=True)
            raise
        return await self._insist(path, stat, mode)

    async def make(self, path: str, special: Special, mode: int) -> FileStat:
        """Make a symbolic link or special file; its metadata. Raises ClientError."""
        stat = await self.links.make(path, special, mode)
        return await self._insist(path, stat, mode)

    async def _insist(self, path: str, stat: FileStat, mode: int) -> FileStat:
        """What was made, with the mode it was to have: a server may mask what is asked for."""
        wanted = mode & SETTABLE
        if stat.mode is None or stat.mode & SETTABLE == wanted:
            return stat
        try:
            await self.set_mode(path, wanted)
        except ServerError as error:
            _log.debug("%s: %r keeps the mode %o: %s", self.label, path, stat.mode, error)
            return stat
        return replace(stat, mode=stat.mode & ~SETTABLE | wanted)

    async def set_mode(self, path: str, mode: int) -> None:
        """chmod, on a share with POSIX extensions. Raises ClientError."""
        answers = await self.compound(
            path,
            AccessMask.WRITE_DAC | _LOOK,
            [mode_request(_SAME, mode)],
            options=CreateOptions.OPEN_REPARSE_POINT,
        )
        self._tree.parse(answers[1], SetInfoResponse, path)

    async def set_owner(self, path: str, uid: int | None, gid: int | None) -> None:
        """chown, on a share with POSIX extensions; None leaves alone. Raises ClientError."""
        answers = await self.compound(
            path,
            AccessMask.WRITE_OWNER | _LOOK,
            [owner_request(_SAME, uid, gid)],
            options=CreateOptions.OPEN_REPARSE_POINT,
        )
        self._tree.parse(answers[1], SetInfoResponse, path)

    async def remove(self, path: str, *, directory: bool) -> None:
        """Remove a file, or an empty directory. One round trip. Raises ClientError.

        What is open somewhere keeps its name, of no use to anybody, until it is closed there.
        """
        await self._names.remove(path, directory=directory)

    async def remove_open(self, path: str, *, directory: bool) -> OpenFile:
        """Take the name of what is open here, at once; the rest goes with the file returned.

        Raises ClientError.
        """
        return await self._names.remove_open(path, directory=directory)

    async def rename(
        self, path: str, target: str, *, replace: bool, special: bool = False
    ) -> OpenFile | None:
        """Move `path` to `target`. One round trip; two for a reparse point (`special`).

        `replace` lets it take the place of a file that is there. If that one was open, what is
        returned holds what is left of it, as for `remove_open`. Raises ClientError.
        """
        point = await self.links.point(path) if special else None
        return await self._names.rename(path, target, replace=replace, point=point)

    async def set_size(self, path: str, size: int, *, sparse: bool = False) -> None:
        """Truncate or extend a file that is not open. Raises ClientError.

        `sparse` marks it first, on a server that knows such files: what is added is a hole then.
        """
        request = set_request(
            _SAME,
            FileInformationClass.FILE_END_OF_FILE_INFORMATION,
            FileEndOfFileInformation(size).pack(),
        )
        answers = await self.compound(
            path,
            AccessMask.WRITE_DATA | AccessMask.READ_ATTRIBUTES,
            [sparse_request(_SAME), request] if sparse else [request],
            options=CreateOptions.NON_DIRECTORY_FILE,
        )
        self._tree.parse(answers[-2], SetInfoResponse, path)

    async def mark_sparse(self, path: str) -> None:
        """Mark a file: what nobody writes takes no space. One round trip. Raises ClientError."""
        answers = await self.compound(
            path, _CHANGE, [sparse_request(_SAME)], options=CreateOptions.OPEN_REPARSE_POINT
        )
        self._tree.parse(answers[1], IoctlResponse, path)

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
        try:
            await self._change(path, request)
        except ServerError as error:
            if error.status != NtStatus.STATUS_ACCESS_DENIED or not self.posix:
                raise
            await self._change_as_owner(path, request, error)

    async def _change(self, path: str, request: Request) -> None:
        answers = await self.compound(
            path, _CHANGE, [request], options=CreateOptions.OPEN_REPARSE_POINT
        )
        self._tree.parse(answers[1], SetInfoResponse, path)

    async def _change_as_owner(self, path: str, request: Request, denied: ServerError) -> None:
        """An owner sets the times of what he may not write, too; Samba wants him to be able to."""
        mode = (await self.stat(path)).mode
        if mode is None or mode & _OWNER_WRITES:
            raise denied
        try:
            await self.set_mode(path, mode | _OWNER_WRITES)
        except ServerError:
            raise denied from None  # not the owner
        with trio.CancelScope(shield=True):
            try:
                await self._change(path, request)
            finally:
                await self.set_mode(path, mode)

    async def statfs(self) -> VolumeSize:
        """Room on the volume behind the mounted directory. Raises ClientError."""
        return await volume.size(self._tree, self._volume)

    async def _volume(self, wanted: FileSystemInformationClass) -> memoryview:
        question = QueryInfoRequest(_SAME, InfoType.FILESYSTEM, wanted, 1024)
        answers = await self.compound("", _LOOK, [question])
        return self._tree.parse(answers[1], QueryInfoResponse).data

    async def snapshots(self) -> tuple[str, ...]:
        """Previous versions that the server has of the mounted directory: "@GMT-...", newest first.

        Raises ClientError.
        """
        directory = await self.open("", AccessMask.READ_DATA, options=CreateOptions.DIRECTORY_FILE)
        try:
            return await fsctls.snapshots(directory)
        finally:
            await directory.close()

    async def compound(
        self,
        path: str,
        access: AccessMask,
        work: list[Request],
        *,
        disposition: CreateDisposition = CreateDisposition.OPEN,
        options: CreateOptions = CreateOptions(0),
        attributes: FileAttributes = FileAttributes(0),
        mode: int = DEFAULT_MODE,
    ) -> list[Answer]:
        """CREATE, `work` on what it opened, CLOSE: one compound, its answers.

        Raises ServerError if the CREATE or the CLOSE failed; the answers in between are for the
        caller to judge.
        """
        create = self.create(
            path, access, disposition, options=options, attributes=attributes, mode=mode
        )
        answers = await self._tree.send([create, *work, CloseRequest(_SAME)])
        self._tree.parse(answers[0], CreateResponse, path)
        return answers

    def create(
        self,
        path: str,
        access: AccessMask,
        disposition: CreateDisposition,
        *,
        options: CreateOptions = CreateOptions(0),
        attributes: FileAttributes = FileAttributes(0),
        mode: int = DEFAULT_MODE,
        oplock_level: OplockLevel = OplockLevel.NONE,
        contexts: tuple[CreateContext, ...] = (),
    ) -> CreateRequest:
        """The CREATE of a path below the mounted directory."""
        return CreateRequest(
            on_wire(self._tree, joined(self.root, path)),
            access,
            disposition,
            file_attributes=attributes,
            create_options=options,
            oplock_level=oplock_level,
            contexts=contexts
            + snapshots.contexts_of(self._tree)
            + (create_contexts(mode) if self._tree.posix else ()),
        )
