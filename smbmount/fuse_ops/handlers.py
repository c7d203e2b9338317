"""The operations that pyfuse3 leaves out and the extension hands over."""

from .extension import Handlers
from .inodes import InodeTable
from .open_files import OpenTable


class ShareHandlers(Handlers):
    """Locks, copies and holes of a share; only what is overridden is asked of us."""

    def __init__(self, inodes: InodeTable, opens: OpenTable) -> None:
        self._inodes = inodes
        self._opens = opens
