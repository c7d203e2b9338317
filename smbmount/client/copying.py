"""Copies that the server makes by itself: the bytes do not travel.

Two ways. FSCTL_DUPLICATE_EXTENTS_TO_FILE ([MS-FSCC] 2.3.7) lets both files share their blocks,
on a server whose disk can; whole clusters only. FSCTL_SRV_COPYCHUNK_WRITE ([MS-SMB2] 2.2.31.1,
3.3.5.15.6) has the server read and write; it takes a few MiB a request, the server says how many.
The source is named by a resume key, which holds for the session: so files may be of two shares,
if these belong to one session.

A copy is cut into requests that are short for the server, for Samba answers nobody else of this
connection meanwhile, and it ends after a while with what it has. A caller who is cancelled leaves
no request behind that could write later, unless the server takes longer over it than `_GRACE`.
"""

import errno
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import trio

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass, FileSystemInformationClass
from smbmount.proto.fscc_file import FileEndOfFileInformation
from smbmount.proto.fscc_fs import (
    FileFsAttributeInformation,
    FileFsFullSizeInformation,
    FileSystemAttributes,
)
from smbmount.proto.fsctl_files import (
    CopyChunk,
    CopyChunkRequest,
    CopyChunkResponse,
    DuplicateExtents,
    ResumeKey,
)
from smbmount.proto.info import InfoType, QueryInfoRequest, QueryInfoResponse, SetInfoResponse
from smbmount.proto.ioctl import FsctlCode, IoctlRequest, IoctlResponse
from smbmount.proto.status import NtStatus

from .connection import Answer, Request
from .errors import BrokenAnswer, ClientError, ServerError
from .open_file import OpenFile, set_request, stat_of, stat_request
from .tree import accept

_log = logging.getLogger(__name__)

_REQUEST = 4 << 20  # bytes of one request, where the server takes as many: 10 ms of its time here
_MOST_SECONDS = 1.0  # after which a call begins no further request
_GRACE = 0.1  # seconds that a cancelled caller still waits for what is under way
_CLONE = FsctlCode.DUPLICATE_EXTENTS_TO_FILE
_TRIES = 3  # if the source gets shorter meanwhile
_SMALLEST_CLUSTER = 4096  # bytes; Samba tells a unit of its own, which may be less than the disk's

_S = NtStatus
_UNKNOWN = frozenset(
    {
        _S.STATUS_INVALID_DEVICE_REQUEST,
        _S.STATUS_NOT_SUPPORTED,
        _S.STATUS_NOT_IMPLEMENTED,
        _S.STATUS_FS_DRIVER_REQUIRED,
    }
)
# Reading and writing may do where these stand in the way, or will say better what is wrong.
_ANOTHER_WAY = _UNKNOWN | {
    _S.STATUS_INVALID_PARAMETER,
    _S.STATUS_INVALID_VIEW_SIZE,
    _S.STATUS_OBJECT_NAME_NOT_FOUND,  # the key is of another session
    _S.STATUS_ACCESS_DENIED,
    _S.STATUS_FILE_LOCK_CONFLICT,
}


class CannotCopy(ClientError):
    """The server does not copy these; whoever wants the copy must read and write."""

    def __init__(self, reason: str) -> None:
        super().__init__(errno.EOPNOTSUPP, f"no copy by the server: {reason}")


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes in one COPYCHUNK request ([MS-SMB2] 2.2.32.1)."""

    chunks: int
    chunk_bytes: int
    total_bytes: int


# The limits of Windows and Samba, until a server says otherwise.
USUAL_LIMITS = Limits(256, 1 << 20, 16 << 20)


class ServerCopies:
    """Copies into the files of one share; remembers what its server can do."""

    def __init__(self) -> None:
        self.limits = USUAL_LIMITS
        self.cloned = 0  # bytes whose blocks were shared, so far
        self.copied = 0  # bytes that the server copied
        self._chunks = True
        self._cluster: int | None = None  # bytes; 0: the share cannot clone, None: not asked yet

    async def copy(
        self,
        source: OpenFile,
        target: OpenFile,
        source_offset: int,
        target_offset: int,
        length: int,
    ) -> int:
        """Copy up to `length` bytes, and return how many: 0 only at the end of the source.

        A failure after the first bytes is kept for the next call. Raises CannotCopy if the bytes
        must be read and written instead, ClientError.
        """
        for _ in range(_TRIES):
            size, key = await self._look(source)
            rest = min(length, size - source_offset)
            if rest <= 0:
                return 0
            span = _Span(source, target, source_offset, target_offset, rest)
            if cloned := await self._clone(span):
                self.cloned += cloned
                return cloned
            if not self._chunks:
                break
            if isinstance(key, ServerError):
                raise self._plainly(key)
            try:
                copied = await _Run(self, key, span).finish()
            except ServerError as error:
                if error.status == _S.STATUS_INVALID_VIEW_SIZE:
                    continue  # the source got shorter
                raise self._plainly(error) from error
            self.copied += copied
            return copied
        raise CannotCopy("the server knows no such request" if not self._chunks else "it changes")

    def _plainly(self, error: ServerError) -> ClientError:
        if error.status in _UNKNOWN:
            self._chunks = False
        return CannotCopy(str(error)) if error.status in _ANOTHER_WAY else error

    async def _look(self, source: OpenFile) -> tuple[int, bytes | ServerError]:
        """The size of the source and its resume key, or why there is none. One round trip."""
        requests: list[Request] = [stat_request(source.tree, source.file_id)]
        if self._chunks:
            requests.append(
                IoctlRequest(
                    source.file_id, FsctlCode.SRV_REQUEST_RESUME_KEY, max_output_response=32
                )
            )
        answers = await source.tree.send(requests)
        size = stat_of(source.tree, answers[0], source.path).size
        if not self._chunks:
            return size, b""
        try:
            output = source.tree.parse(answers[1], IoctlResponse, source.path).output
            return size, ResumeKey.unpack(output).key
        except ServerError as error:
            return size, error
        except MalformedMessage as error:
            raise source.tree.distrust(error) from error

    # -- shared blocks ------------------------------------------------------------------

    async def _clone(self, span: "_Span") -> int:
        """Share the whole clusters at the beginning of the range; how many bytes. 0: none."""
        if self._cluster is None:
            self._cluster = await _cluster_of(span.target)
        cluster = self._cluster
        if not cluster or span.source_offset % cluster or span.target_offset % cluster:
            return 0
        length = span.length - span.length % cluster
        if not length or span.source.tree is not span.target.tree:
            return 0
        target = span.target
        clone = DuplicateExtents(
            span.source.file_id, span.source_offset, span.target_offset, length
        )
        requests: list[Request] = [IoctlRequest(target.file_id, _CLONE, clone.pack())]
        size = (await target.query()).size
        end = span.target_offset + length
        if end > size:  # blocks cannot be put behind the end: it moves first, and back if need be
            requests.insert(0, _end_request(target, end))
        restore = partial(self._restore, target, size) if end > size else None
        answers = await target.tree.send(requests, on_late=restore)
        if end > size:
            target.tree.parse(answers[0], SetInfoResponse, target.path)
        try:
            target.tree.parse(answers[-1], IoctlResponse, target.path)
        except ServerError as error:
            _log.debug("%r: not cloned: %s", target, error)
            if error.status in _UNKNOWN and error.status != _S.STATUS_NOT_SUPPORTED:
                self._cluster = 0  # NOT_SUPPORTED may be a matter of these two files
            if end > size:
                await target.set_size(size)
            return 0
        return length

    def _restore(self, target: OpenFile, size: int, answers: list[Answer]) -> None:
        """The caller had left before a clone failed: take the room for it back."""
        if answers[0].status == 0 and answers[-1].status != 0:
            target.tree.connection.in_background(partial(_set_size_quietly, target, size))


def _end_request(file: OpenFile, size: int) -> Request:
    return set_request(
        file.file_id,
        FileInformationClass.FILE_END_OF_FILE_INFORMATION,
        FileEndOfFileInformation(size).pack(),
    )


async def _set_size_quietly(file: OpenFile, size: int) -> None:
    try:
        await file.set_size(size)
    except ClientError as error:
        _log.debug("%r keeps the room for a clone that failed: %s", file, error)


async def _cluster_of(file: OpenFile) -> int:
    """Bytes of a cluster of the volume a file is on; 0 if its files cannot share blocks."""
    classes = (
        FileSystemInformationClass.FILE_FS_ATTRIBUTE_INFORMATION,
        FileSystemInformationClass.FILE_FS_FULL_SIZE_INFORMATION,
    )
    answers = await file.tree.send(
        [QueryInfoRequest(file.file_id, InfoType.FILESYSTEM, one, 1024) for one in classes]
    )
    try:
        attributes, size = (
            file.tree.parse(answer, QueryInfoResponse, file.path).data for answer in answers
        )
        told = FileFsAttributeInformation.unpack(attributes).file_system_attributes
        if not told & FileSystemAttributes.SUPPORTS_BLOCK_REFCOUNTING:
            return 0
        unit = FileFsFullSizeInformation.unpack(size)
    except (ServerError, MalformedMessage) as error:
        _log.debug("%r: taken for a volume that cannot clone: %s", file, error)
        return 0
    cluster = unit.sectors_per_allocation_unit * unit.bytes_per_sector
    return max(cluster, _SMALLEST_CLUSTER) if cluster & (cluster - 1) == 0 else 0


@dataclass(frozen=True, slots=True)
class _Span:
    """What is to be copied, from where to where."""

    source: OpenFile
    target: OpenFile
    source_offset: int
    target_offset: int
    length: int


class _Run:
    """One call's COPYCHUNK requests, one after the other."""

    def __init__(self, copies: ServerCopies, key: bytes, span: _Span) -> None:
        self._copies = copies
        self._key = key
        self._span = span
        self._done = 0
        self._failed: ClientError | None = None
        self._stopping = False
        self._ended = trio.Event()
        self._work = trio.CancelScope(shield=True)

    async def finish(self) -> int:
        """Bytes copied. Raises ClientError if there are none."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._mind_the_caller)
            with self._work:
                await self._copy()
            self._ended.set()
        if not self._done:
            await trio.lowlevel.checkpoint()  # a cancelled caller leaves here, with nothing done
            raise self._failed or BrokenAnswer(
                self._span.target.tree.label, "a copy came to nothing, without a reason"
            )
        return self._done

    async def _mind_the_caller(self) -> None:
        """Who is cancelled begins nothing more, and still hears what is on its way."""
        try:
            await self._ended.wait()
        except trio.Cancelled:
            self._stopping = True
            self._work.deadline = trio.current_time() + _GRACE

    async def _copy(self) -> None:
        late = trio.current_time() + _MOST_SECONDS
        while self._done < self._span.length and not self._stopping:
            try:
                self._done += await self._copy_some()
            except ClientError as error:
                self._failed = error
                return
            if trio.current_time() >= late:
                return

    async def _copy_some(self) -> int:
        """One request, and how many bytes it copied: 0 if the server has told other limits."""
        target = self._span.target
        limits = self._copies.limits
        chunks = tuple(self._next_chunks(limits))
        wanted = sum(chunk.length for chunk in chunks)
        request = IoctlRequest(
            target.file_id,
            FsctlCode.SRV_COPYCHUNK_WRITE,
            CopyChunkRequest(self._key, chunks).pack(),
            max_output_response=12,
        )
        [answer] = await target.tree.send([request])
        told = self._told(answer)
        if answer.status == _S.STATUS_INVALID_PARAMETER:
            self._copies.limits = _stricter(limits, told, answer, target)
            return 0
        if not 0 < told.total_bytes_written <= wanted:
            raise BrokenAnswer(
                target.tree.label, f"copied {told.total_bytes_written} of {wanted} bytes"
            )
        return told.total_bytes_written

    def _next_chunks(self, limits: Limits) -> Iterator[CopyChunk]:
        most = min(limits.total_bytes, limits.chunks * limits.chunk_bytes, _REQUEST)
        end = min(self._done + most, self._span.length)
        source, target = self._span.source_offset, self._span.target_offset
        for start in range(self._done, end, limits.chunk_bytes):
            length = min(limits.chunk_bytes, end - start)
            yield CopyChunk(source + start, target + start, length)

    def _told(self, answer: Answer) -> CopyChunkResponse:
        file = self._span.target
        try:
            told = accept(answer, IoctlResponse, file.path, _S.STATUS_INVALID_PARAMETER)
            return CopyChunkResponse.unpack(told.output)
        except MalformedMessage as error:
            if answer.status == _S.STATUS_INVALID_PARAMETER:  # a plain error, without limits
                raise ServerError(answer.status, IoctlRequest.COMMAND, file.path) from error
            raise file.tree.distrust(error) from error


def _stricter(used: Limits, told: CopyChunkResponse, answer: Answer, file: OpenFile) -> Limits:
    """The limits to go on with. Raises ServerError if they were kept already."""
    limits = Limits(
        min(told.chunks_written, used.chunks),
        min(told.chunk_bytes_written, used.chunk_bytes),
        min(told.total_bytes_written, used.total_bytes),
    )
    if limits == used or not min(limits.chunks, limits.chunk_bytes, limits.total_bytes):
        raise ServerError(answer.status, IoctlRequest.COMMAND, file.path)
    return limits
