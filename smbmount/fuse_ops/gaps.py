"""Gaps: what is left out when a file grows is a hole, as on Linux's own file systems.

A server may know holes in marked files only, and store the zeros in others; so a file is marked
before it grows across a gap.
"""

import errno
import logging
from dataclasses import replace

from smbmount.client import space
from smbmount.client.errors import ClientError, ServerError
from smbmount.client.open_file import OpenFile
from smbmount.client.share import Share
from smbmount.proto.create import FileAttributes

from .inodes import Inode, Unlinked

_log = logging.getLogger(__name__)

GAP = 64 * 1024  # bytes: NTFS gives back no less, and a round trip should be worth it
_NO_HOLES = (errno.EOPNOTSUPP, errno.EINVAL, errno.EACCES)  # what a server says that has none


def is_gap(end: int, start: int) -> bool:
    """Whether a gap between a file's `end` and where it goes on is worth a hole."""
    return start - end >= GAP


async def expect_gap(inode: Inode, file: OpenFile, end: int, start: int) -> None:
    """Mark a file sparse if there will be a gap. Raises ClientError."""
    if not is_gap(end, start) or inode.stat.attributes & FileAttributes.SPARSE_FILE:
        return
    try:
        await space.make_sparse(file)
    except ServerError as error:
        if error.errno not in _NO_HOLES:
            raise
        _log.debug("%r stays as it is: %s", inode, error)
    # Asked once, whatever the answer was.
    marked = inode.stat.attributes | FileAttributes.SPARSE_FILE
    inode.stat = replace(inode.stat, attributes=marked)


async def mark_again(inode: Inode, share: Share) -> None:
    """Samba forgets the mark of a file that is renamed, or whose attributes are set: say it again.

    For what was marked when it was last seen; a failure costs the file's map, no more.
    """
    if not inode.stat.attributes & FileAttributes.SPARSE_FILE or inode.stat.is_directory:
        return
    try:
        await share.mark_sparse(inode.path)
    except (ClientError, Unlinked) as error:
        _log.debug("%r is not marked sparse any more: %s", inode, error)
