"""Holes and reserved space: fallocate(2), SEEK_DATA and SEEK_HOLE."""

import errno

import pyfuse3

from smbmount.client import space
from smbmount.client.errors import ServerError
from smbmount.client.open_file import OpenFile
from smbmount.proto.create import FileAttributes

from .errors import answered
from .extension import Caller, Handlers
from .open_files import OpenNode, OpenTable

_LONGEST = (1 << 63) - 1


class SpaceHandlers(Handlers):
    """fallocate and lseek."""

    _opens: OpenTable

    @answered
    async def fallocate(
        self, inode: int, fh: int, mode: int, offset: int, length: int, ctx: Caller
    ) -> None:
        """Reserve, punch holes, write zeros; EOPNOTSUPP for the rest.

        SMB has no words for reserving a hole before the file's end (EOPNOTSUPP; glibc's
        posix_fallocate then writes), nor for zeros that keep their space in a sparse file.
        """
        opened = self._opens[fh]
        end = offset + length
        if end > _LONGEST:
            raise pyfuse3.FUSEError(errno.EFBIG)
        file = opened.way(writing=True)
        try:
            match mode:
                case 0x00 | 0x01:  # plainly, or FALLOC_FL_KEEP_SIZE
                    await _reserve(opened, offset, end, grow=not mode)
                case 0x03:  # FALLOC_FL_PUNCH_HOLE, never without KEEP_SIZE
                    await space.zero(file, offset, end, give_back=True)
                case 0x10 | 0x11:  # FALLOC_FL_ZERO_RANGE, with KEEP_SIZE or without
                    await _zero(file, offset, end, grow=mode == 0x10)
                case _:
                    raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        except ServerError as error:
            if error.errno == errno.EINVAL:  # of a server that knows the request, but not this way
                raise pyfuse3.FUSEError(errno.EOPNOTSUPP) from error
            raise
        finally:
            opened.inode.content_changed()

    @answered
    async def lseek(self, inode: int, fh: int, offset: int, whence: int, ctx: Caller) -> int:
        """Where the next data or hole begins; the end of the file counts as a hole."""
        if offset < 0:  # the kernel checks only what it answers by itself
            raise pyfuse3.FUSEError(errno.ENXIO)
        opened = self._opens[fh]
        file = _reader(opened) or opened.file
        match whence:
            case 3:  # SEEK_DATA
                found = await space.find_data(file, offset)
            case 4:  # SEEK_HOLE
                found = await space.find_hole(file, offset)
            case _:
                raise pyfuse3.FUSEError(errno.EINVAL)
        if found is None:
            raise pyfuse3.FUSEError(errno.ENXIO)
        return found


def _reader(opened: OpenNode) -> OpenFile | None:
    """A handle that may ask for a map of the file: maps are for those who may read."""
    if opened.readable:
        return opened.file
    return next((other.file for other in opened.inode.opens if other.readable), None)


async def _reserve(opened: OpenNode, offset: int, end: int, *, grow: bool) -> None:
    stat = await opened.file.query()
    if end > stat.size:
        await space.reserve(opened.file, end, grow=grow)
    elif stat.attributes & FileAttributes.SPARSE_FILE:  # any other has all its space
        reader = _reader(opened)
        if reader is None or not await space.all_allocated(reader, offset, end):
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)


async def _zero(file: OpenFile, offset: int, end: int, *, grow: bool) -> None:
    size = (await file.query()).size if grow else end
    if offset < size:
        await space.zero(file, offset, end, give_back=False)
    if end > size:
        await space.reserve(file, end, grow=True)
