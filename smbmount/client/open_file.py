"""An open file or directory on the server ([MS-SMB2] 3.2.4.6 to 3.2.4.14)."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence

import trio

from smbmount.proto.close import CloseRequest, CloseResponse
from smbmount.proto.create import AccessMask, CreateOptions, FileAttributes, FileId
from smbmount.proto.directory import QueryDirectoryRequest, QueryDirectoryResponse
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.flush import FlushRequest, FlushResponse
from smbmount.proto.fscc_classes import FileInformationClass
from smbmount.proto.fscc_directory import entries
from smbmount.proto.fscc_file import (
    FileAllInformation,
    FileBasicInformation,
    FileDispositionInformation,
    FileEndOfFileInformation,
    FileRenameInformation,
)
from smbmount.proto.fsctl_files import SetSparse
from smbmount.proto.info import (
    InfoType,
    QueryInfoRequest,
    QueryInfoResponse,
    SetInfoRequest,
    SetInfoResponse,
)
from smbmount.proto.ioctl import FsctlCode, IoctlRequest, IoctlResponse
from smbmount.proto.posix import FilePosixInformation, posix_entries
from smbmount.proto.read import ReadRequest, ReadResponse
from smbmount.proto.status import NtStatus
from smbmount.proto.write import WriteRequest, WriteResponse

from . import locking
from .attributes import DirectoryEntry, FileStat
from .connection import Answer, Buffer
from .credits import CreditShortage
from .errors import BrokenAnswer, ClientError
from .locking import ByteRange
from .posix import name_from_wire, path_on_wire, stat_from
from .tree import Tree

LISTING = FileInformationClass.FILE_ID_FULL_DIRECTORY_INFORMATION
_LISTING_SIZE = 256 * 1024  # bytes of one directory answer: about 2,000 entries
# FileAllInformation ends with the file's path, which nobody here wants: the answer is cut
# short with BUFFER_OVERFLOW, and what stands before the name is whole.
_ALL_INFORMATION_SIZE = 1024
_PIECES_IN_FLIGHT = 16
# A listing is given up when it cannot be a directory's: entries of one, answers in a row that hold
# none at all, and answers that begin with a name that another began with. A few of those come from
# honest servers, whose directory changes as it is listed.
_MOST_ENTRIES = 10_000_000
_MOST_EMPTY = 3
_MOST_REPEATED = 8


def stat_request(tree: Tree, file_id: FileId) -> QueryInfoRequest:
    """Ask for what `FileStat` holds."""
    wanted = FileInformationClass.FILE_ALL_INFORMATION
    if tree.posix:
        wanted = FileInformationClass.FILE_POSIX_INFORMATION
    return QueryInfoRequest(file_id, InfoType.FILE, wanted, _ALL_INFORMATION_SIZE)


def stat_of(tree: Tree, answer: Answer, path: str) -> FileStat:
    """The answer to `stat_request`. Raises ServerError, ConnectionLost."""
    try:
        data = tree.parse(answer, QueryInfoResponse, path, NtStatus.STATUS_BUFFER_OVERFLOW).data
        if tree.posix:
            return stat_from(FilePosixInformation.unpack(data), tree.device)
        told = FileAllInformation.unpack(data)
    except MalformedMessage as error:
        raise tree.distrust(error) from error
    return FileStat(
        file_id=told.internal.index_number,
        attributes=FileAttributes(told.basic.file_attributes),
        size=told.standard.end_of_file,
        allocated=told.standard.allocation_size,
        links=told.standard.number_of_links,
        created=told.basic.creation_time,
        accessed=told.basic.last_access_time,
        written=told.basic.last_write_time,
        changed=told.basic.change_time,
        ea_size=told.ea.ea_size,
        delete_pending=bool(told.standard.delete_pending),
    )


def set_request(file_id: FileId, info_class: FileInformationClass, data: bytes) -> SetInfoRequest:
    """SET_INFO of one file information class."""
    return SetInfoRequest(file_id, InfoType.FILE, info_class, data)


def basic_request(
    file_id: FileId,
    *,
    created: int = 0,
    accessed: int = 0,
    written: int = 0,
    changed: int = 0,
    attributes: int = 0,
) -> SetInfoRequest:
    """Set times (FILETIME) and attributes; 0 leaves a field alone ([MS-FSCC] 2.4.7)."""
    basic = FileBasicInformation(
        creation_time=created,
        last_access_time=accessed,
        last_write_time=written,
        change_time=changed,
        file_attributes=FileAttributes(attributes),
    )
    return set_request(file_id, FileInformationClass.FILE_BASIC_INFORMATION, basic.pack())


def disposition_request(file_id: FileId, delete: bool) -> SetInfoRequest:
    """Mark for deletion at the last close, or not."""
    return set_request(
        file_id,
        FileInformationClass.FILE_DISPOSITION_INFORMATION,
        FileDispositionInformation(delete).pack(),
    )


def rename_request(tree: Tree, file_id: FileId, target: str, replace: bool) -> SetInfoRequest:
    """Rename to `target`, a path from the share's root."""
    return set_request(
        file_id,
        FileInformationClass.FILE_RENAME_INFORMATION,
        FileRenameInformation(on_wire(tree, target), replace_if_exists=replace).pack(),
    )


def sparse_request(file_id: FileId) -> IoctlRequest:
    """Mark the file: what nobody writes takes no space ([MS-FSCC] 2.3.69)."""
    return IoctlRequest(file_id, FsctlCode.SET_SPARSE, SetSparse().pack())


class OpenFile:
    """A file or directory held open. `path` is where it was when opened."""

    def __init__(
        self,
        tree: Tree,
        file_id: FileId,
        path: str,
        stat: FileStat,
        *,
        created: bool,
        root: str,
        max_read: int,
        max_write: int,
    ) -> None:
        self.path = path
        self.stat = stat
        self.created = created
        self.closed = False
        self.times_set = False  # through this open: the server leaves them alone from then on
        self.access = AccessMask(0)  # asked for by the open, as are the options
        self.options = CreateOptions(0)
        self.oplock_level = 0  # granted by the open
        self.contexts: dict[bytes, bytes] = {}  # what the open's create contexts were answered
        self._tree = tree
        self._file_id = file_id
        self._root = root
        self._max_read = max_read
        self._max_write = max_write

    def __repr__(self) -> str:
        return f"<OpenFile {self._tree.label} {self.path!r}{' closed' if self.closed else ''}>"

    @property
    def tree(self) -> Tree:
        """The share it is open on: for the rooms of this floor that ask more of a file."""
        return self._tree

    @property
    def file_id(self) -> FileId:
        """The server's name for this open, for those rooms too."""
        return self._file_id

    async def ioctl(self, code: int, data: bytes, max_output: int, *also_fine: int) -> memoryview:
        """The output, of at most `max_output` bytes, of an FSCTL. Raises ClientError.

        `also_fine` are statuses other than success whose answer has an output, too.
        """
        request = IoctlRequest(self._file_id, code, data, max_output)
        output = (await self._tree.call(request, IoctlResponse, self.path, *also_fine)).output
        if len(output) > max_output:
            raise self._tree.distrust(MalformedMessage("IOCTL", "OutputCount", len(output)))
        return output

    async def read(self, offset: int, length: int) -> memoryview:
        """Up to `length` bytes from `offset`; fewer only at the end of the file.

        The view keeps its memory as long as it lives. Raises ClientError.
        """
        piece = self._tree.connection.affordable(self._max_read)
        if length <= piece:
            return await self._read_piece(offset, length)
        whole = memoryview(bytearray(length))
        got = [0] * -(-length // piece)

        async def fetch(number: int) -> None:
            start = number * piece
            data = await self._read_piece(offset + start, min(piece, length - start))
            whole[start : start + len(data)] = data
            got[number] = len(data)

        await together(fetch, len(got))
        end = 0
        for number, count in enumerate(got):
            end = number * piece + count
            if count < min(piece, length - number * piece):
                break  # what lies behind a short piece was not there when it was read
        return whole[:end]

    async def _read_piece(self, offset: int, length: int) -> memoryview:
        try:
            request = ReadRequest(self._file_id, offset, length)
            [answer] = await self._tree.send([request])
        except CreditShortage:
            return await self.read(offset, length)  # the window shrank; smaller pieces now
        if answer.status == NtStatus.STATUS_END_OF_FILE:
            return memoryview(b"")
        data = self._tree.parse(answer, ReadResponse, self.path).data
        if len(data) > length:
            raise self._tree.distrust(MalformedMessage("READ", "DataLength", len(data)))
        return data

    async def write(self, offset: int, data: Buffer) -> int:
        """Write all of `data` at `offset`; returns its length. Raises ClientError.

        The answer means that the server has the bytes, not that its disk has (see `flush`).
        """
        piece = self._tree.connection.affordable(self._max_write)
        view = memoryview(data)
        if len(view) <= piece:
            await self._write_piece(offset, view)
            return len(view)

        async def put(number: int) -> None:
            start = number * piece
            await self._write_piece(offset + start, view[start : start + piece])

        await together(put, -(-len(view) // piece))
        return len(view)

    async def _write_piece(self, offset: int, view: memoryview) -> None:
        while view:
            try:
                request = WriteRequest(self._file_id, offset, view)
                count = (await self._tree.call(request, WriteResponse, self.path)).count
            except CreditShortage:
                await self.write(offset, view)
                return
            if not 0 < count <= len(view):
                raise BrokenAnswer(
                    self._tree.label, f"wrote {count} of {len(view)} bytes of {self.path!r}"
                )
            offset += count
            view = view[count:]

    async def flush(self) -> None:
        """Have the server put everything written to its disk (FLUSH). Raises ClientError."""
        await self._tree.call(FlushRequest(self._file_id), FlushResponse, self.path)

    async def lock(self, ranges: Sequence[ByteRange]) -> bool:
        """Lock all ranges, or none: False if some are taken. Raises ClientError."""
        return await locking.lock(self._tree, self._file_id, ranges, self.path)

    async def lock_waiting(self, wanted: ByteRange) -> None:
        """Lock a range, however long it takes; may be cancelled. Raises ClientError."""
        await locking.lock_waiting(self._tree, self._file_id, wanted, self.path)

    async def unlock(self, ranges: Sequence[ByteRange]) -> None:
        """Unlock ranges, each just as it was locked. Raises ClientError."""
        await locking.unlock(self._tree, self._file_id, ranges, self.path)

    async def swap_locks(self, old: Sequence[ByteRange], new: Sequence[ByteRange]) -> bool:
        """Unlock `old`, lock `new`; False if `new` was taken, by whoever came in between.

        Raises ClientError.
        """
        return await locking.swap(self._tree, self._file_id, old, new, self.path)

    async def query(self) -> FileStat:
        """The file's metadata now. Raises ClientError."""
        [answer] = await self._tree.send([stat_request(self._tree, self._file_id)])
        return stat_of(self._tree, answer, self.path)

    async def set_size(self, size: int) -> None:
        """Truncate or extend to `size` bytes. Raises ClientError."""
        await self._set(
            set_request(
                self._file_id,
                FileInformationClass.FILE_END_OF_FILE_INFORMATION,
                FileEndOfFileInformation(size).pack(),
            )
        )

    async def set_basic(
        self,
        *,
        created: int = 0,
        accessed: int = 0,
        written: int = 0,
        changed: int = 0,
        attributes: int = 0,
    ) -> None:
        """Set times (FILETIME) and attributes; 0 leaves a field alone. Raises ClientError."""
        self.times_set = self.times_set or bool(written)
        await self._set(
            basic_request(
                self._file_id,
                created=created,
                accessed=accessed,
                written=written,
                changed=changed,
                attributes=attributes,
            )
        )

    async def rename(self, target: str, *, replace: bool) -> None:
        """Move to `target`; needs DELETE access. Raises ClientError."""
        await self._set(
            rename_request(self._tree, self._file_id, joined(self._root, target), replace)
        )

    async def set_delete(self, delete: bool = True) -> None:
        """Mark for deletion at the last close, or take the mark back. Raises ClientError."""
        await self._set(disposition_request(self._file_id, delete))

    async def _set(self, request: SetInfoRequest) -> None:
        await self._tree.call(request, SetInfoResponse, self.path)

    async def batches(
        self, first: Answer | None = None
    ) -> AsyncGenerator[list[DirectoryEntry], None]:
        """The directory's entries, a server's answer at a time, without "." and "..".

        Raises ClientError; BrokenAnswer for a listing that has no end.
        """
        answer = first
        begun_with: set[int] = set()  # hashes of each answer's first name
        total = empty = repeated = 0
        while True:
            if answer is None:
                answer = await self._next_batch()
            if answer.status in (NtStatus.STATUS_NO_MORE_FILES, NtStatus.STATUS_NO_SUCH_FILE):
                return
            batch = self._entries(answer)
            answer = None
            total += len(batch)
            empty = 0 if batch else empty + 1
            if empty > _MOST_EMPTY:
                raise self._endless("has no end")
            if total > _MOST_ENTRIES:
                raise self._endless(f"has more than {_MOST_ENTRIES} entries")
            if batch:
                repeated += hash(batch[0].name) in begun_with
                begun_with.add(hash(batch[0].name))
            if repeated > _MOST_REPEATED:
                raise self._endless(f"has {batch[0].name!r} again and again")
            yield batch

    async def _next_batch(self) -> Answer:
        while True:
            try:
                [answer] = await self._tree.send([listing_request(self._tree, self._file_id)])
            except CreditShortage:
                continue  # the window shrank; a smaller request now
            return answer

    def _endless(self, reason: str) -> BrokenAnswer:
        return BrokenAnswer(self._tree.label, f"the listing of {self.path!r} {reason}")

    def _entries(self, answer: Answer) -> list[DirectoryEntry]:
        data = self._tree.parse(answer, QueryDirectoryResponse, self.path).data
        try:
            if self._tree.posix:
                return [
                    DirectoryEntry(name_from_wire(name), stat_from(told, self._tree.device))
                    for name, told in posix_entries(data)
                    if name not in (".", "..")
                ]
            return [
                DirectoryEntry(
                    entry.file_name,
                    FileStat(
                        file_id=entry.file_id,
                        attributes=FileAttributes(entry.file_attributes),
                        size=entry.end_of_file,
                        allocated=entry.allocation_size,
                        links=0,
                        created=entry.creation_time,
                        accessed=entry.last_access_time,
                        written=entry.last_write_time,
                        changed=entry.change_time,
                        # For a reparse point, EaSize is its tag ([MS-FSCC] 2.4.18).
                        reparse_tag=entry.ea_size
                        if entry.file_attributes & FileAttributes.REPARSE_POINT
                        else 0,
                        ea_size=0
                        if entry.file_attributes & FileAttributes.REPARSE_POINT
                        else entry.ea_size,
                    ),
                )
                for entry in entries(LISTING, data)
                if entry.file_name not in (".", "..")
            ]
        except MalformedMessage as error:
            raise self._tree.distrust(error) from error

    def go_on_as(self, again: "OpenFile") -> None:
        """Be open again after a `close`, through the open that was `again`'s until now."""
        self._file_id, self.path, self.closed = again._file_id, again.path, again.closed
        again.closed = True

    async def close(self) -> None:
        """Close on the server. A second call does nothing. Raises ClientError.

        A caller that is cancelled leaves nothing open: the request goes out all the same.
        """
        if self.closed:
            return
        self.closed = True
        await self._tree.connection.apart(
            lambda: self._tree.call(CloseRequest(self._file_id), CloseResponse, self.path)
        )


def listing_request(tree: Tree, file_id: FileId) -> QueryDirectoryRequest:
    """The next batch of a directory, as large as the credits allow."""
    size = min(tree.connection.affordable(_LISTING_SIZE), tree.session.negotiated.max_transact)
    wanted = FileInformationClass.FILE_POSIX_INFORMATION if tree.posix else LISTING
    return QueryDirectoryRequest(file_id, wanted, "*", output_buffer_length=size)


def joined(root: str, path: str) -> str:
    """`path` seen from the share's root, for a mount of its directory `root`."""
    return f"{root}\\{path}" if root and path else root or path


def on_wire(tree: Tree, path: str) -> str:
    """A path of the share's as its CREATEs spell it."""
    return path_on_wire(path) if tree.posix else path


async def together(work: Callable[[int], Awaitable[None]], count: int) -> None:
    """Run work(0..count-1), many at once; the first failure cancels the rest and is raised plain.

    They begin in order, which trio's tasks do not: a write that leaves a gap before it costs a
    server's disk more, and impacket's server drops it without a word.
    """
    numbers = iter(range(count))

    async def take() -> None:
        for number in numbers:
            await work(number)

    try:
        async with trio.open_nursery() as nursery:
            for _ in range(min(count, _PIECES_IN_FLIGHT)):
                nursery.start_soon(take)
    except* ClientError as group:
        raise _first(group) from group


def _first(group: BaseExceptionGroup[ClientError]) -> ClientError:
    """The first plain error inside."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, ClientError)
    return error
