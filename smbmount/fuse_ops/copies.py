"""copy_file_range(2): the server copies, and the bytes stay where they are.

The kernel has seen to it that both files are of this mount and that the source ends behind the
range; where the answer is EOPNOTSUPP it reads and writes by itself. FICLONE (`cp --reflink`) is
not FUSE's to pass on: the kernel refuses it, and cp goes on with copy_file_range.
"""

import errno

import pyfuse3

from smbmount.client.copying import ServerCopies

from .errors import answered
from .extension import Caller, Handlers
from .open_files import OpenTable

_SMALL = 16 * 1024  # bytes that are read and written as soon as the server is asked to copy them


class CopyHandlers(Handlers):
    """copy_file_range."""

    _opens: OpenTable
    _copies: ServerCopies

    @answered
    async def copy_file_range(
        self,
        inode_in: int,
        fh_in: int,
        off_in: int,
        inode_out: int,
        fh_out: int,
        off_out: int,
        length: int,
        flags: int,
        ctx: Caller,
    ) -> int:
        """Bytes copied, fewer than `length` after a while; the kernel's callers ask on.

        Cancelled in the middle, it answers with what was copied until then.
        """
        source, target = self._opens[fh_in], self._opens[fh_out]
        if source.inode is target.inode and abs(off_in - off_out) < length:
            raise pyfuse3.FUSEError(errno.EINVAL)
        reader, writer = source.way(writing=False), target.way(writing=True)
        if length <= _SMALL:
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        try:
            return await self._copies.copy(reader, writer, off_in, off_out, length)
        finally:
            # Even a copy that failed may have changed something.
            target.inode.content_changed()
