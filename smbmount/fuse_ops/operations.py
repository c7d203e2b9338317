"""The operations that pyfuse3 calls, one method each, gathered from the rooms they live in.

Thin by design: find the node, call the piece that knows, answer.
"""

import trio

from smbmount.client.share import Share

from .file_io import FileOperations
from .inodes import InodeTable
from .listing import ListingOperations
from .metadata import MetadataOperations
from .open_files import OpenTable
from .renames import RenameOperations
from .settings import ViewSettings
from .xattrs import XattrOperations


class Operations(
    RenameOperations, MetadataOperations, ListingOperations, FileOperations, XattrOperations
):
    """A share as a file system."""

    def __init__(
        self, share: Share, view: ViewSettings, inodes: InodeTable, opens: OpenTable
    ) -> None:
        super().__init__(share, view, inodes, opens)
        self.answering = trio.Event()

    def init(self) -> None:
        """The kernel has said hello: once this has returned, the mount answers."""
        self.answering.set()

    async def close_all(self) -> None:
        """Close what is open when the mount ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._directories.close_all)
            nursery.start_soon(self._opens.release_all)
