"""Space of an open file: reserved, given back, and mapped ([MS-FSCC] 2.3.53, 2.3.69, 2.3.71).

A file gives space back only if it is marked sparse; the mark stays for good, and costs nothing.
What is reserved is the server's word: Samba without `strict allocate` only looks whether the disk
has room for it.
"""

import logging

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass
from smbmount.proto.fscc_file import FileAllocationInformation, FileEndOfFileInformation
from smbmount.proto.fsctl_files import Range, SetZeroData, unpack_ranges
from smbmount.proto.info import SetInfoResponse
from smbmount.proto.ioctl import FsctlCode, IoctlRequest, IoctlResponse
from smbmount.proto.status import NtStatus

from .connection import Request
from .errors import BrokenAnswer, ServerError
from .open_file import OpenFile, set_request, sparse_request, stat_of, stat_request

_log = logging.getLogger(__name__)

_BEYOND_ALL = (1 << 63) - 1
_MAP_SIZE = 16 * 16  # bytes of an answer, 16 ranges: Samba looks for no more than fit
_UNKNOWN = frozenset(
    {
        NtStatus.STATUS_INVALID_DEVICE_REQUEST,
        NtStatus.STATUS_NOT_SUPPORTED,
        NtStatus.STATUS_NOT_IMPLEMENTED,
        NtStatus.STATUS_FS_DRIVER_REQUIRED,
        NtStatus.STATUS_ACCESS_DENIED,  # not open for reading
    }
)


async def reserve(file: OpenFile, end: int, *, grow: bool) -> None:
    """Have the server set space aside up to `end` bytes; `grow` moves the file's end there, too.

    `end` must lie behind the file's end: a server takes a smaller one for a truncation
    ([MS-FSCC] 2.4.4). One round trip. Raises ClientError.
    """
    requests: list[Request] = [
        set_request(
            file.file_id,
            FileInformationClass.FILE_ALLOCATION_INFORMATION,
            FileAllocationInformation(end).pack(),
        )
    ]
    if grow:
        requests.append(
            set_request(
                file.file_id,
                FileInformationClass.FILE_END_OF_FILE_INFORMATION,
                FileEndOfFileInformation(end).pack(),
            )
        )
    for answer in await file.tree.send(requests):
        file.tree.parse(answer, SetInfoResponse, file.path)


async def make_sparse(file: OpenFile) -> None:
    """Mark the file: what nobody writes takes no space. Raises ClientError."""
    await file.tree.call(sparse_request(file.file_id), IoctlResponse, file.path)


async def zero(file: OpenFile, offset: int, end: int, *, give_back: bool) -> None:
    """Make the bytes from `offset` to before `end` zeros; the file's end stays where it is.

    `give_back` gives up their space. One round trip. Raises ClientError.
    """
    requests: list[Request] = [
        IoctlRequest(file.file_id, FsctlCode.SET_ZERO_DATA, SetZeroData(offset, end).pack())
    ]
    if give_back:
        requests.insert(0, sparse_request(file.file_id))
    for answer in await file.tree.send(requests):
        file.tree.parse(answer, IoctlResponse, file.path)


async def find_data(file: OpenFile, offset: int) -> int | None:
    """The first byte from `offset` on that is no hole's; None if there is none. See `_map`."""
    size, ranges, _ = await _map(file, offset)
    for part in ranges:
        if part.offset + part.length > offset and part.offset < size:
            return max(part.offset, offset)
    return None


async def find_hole(file: OpenFile, offset: int) -> int | None:
    """The first byte from `offset` on that is a hole's, the end of the file for one; None if
    `offset` is not before the end. See `_map`."""
    at = offset
    while True:
        asked_from = at
        size, ranges, more = await _map(file, at)
        if offset >= size:
            return None
        for part in ranges:
            if part.offset > at:
                return min(at, size)
            at = max(at, part.offset + part.length)
        if not more or at >= size:
            return min(at, size)
        if at == asked_from:
            raise BrokenAnswer(file.tree.label, f"the map of {file.path!r} has no end")


async def all_allocated(file: OpenFile, offset: int, end: int) -> bool:
    """Whether no byte of a range is a hole's. See `_map`."""
    hole = await find_hole(file, offset)
    return hole is not None and hole >= end


async def _map(file: OpenFile, offset: int) -> tuple[int, tuple[Range, ...], bool]:
    """The file's size, the ranges with data from `offset` on, and whether there are more.

    A server that keeps no map has data everywhere. One round trip. Raises ClientError.
    """
    asked = Range(offset, _BEYOND_ALL - offset)
    answers = await file.tree.send(
        [
            stat_request(file.tree, file.file_id),
            IoctlRequest(file.file_id, FsctlCode.QUERY_ALLOCATED_RANGES, asked.pack(), _MAP_SIZE),
        ]
    )
    size = stat_of(file.tree, answers[0], file.path).size
    more = answers[1].status == NtStatus.STATUS_BUFFER_OVERFLOW
    try:
        output = file.tree.parse(
            answers[1], IoctlResponse, file.path, NtStatus.STATUS_BUFFER_OVERFLOW
        ).output
        ranges = unpack_ranges(output)
    except ServerError as error:
        if error.status not in _UNKNOWN:
            raise
        _log.debug("%r: no map: %s", file, error)
        return size, (asked,), False
    except MalformedMessage as error:
        raise file.tree.distrust(error) from error
    return size, ranges, more and bool(ranges)
