"""The operations that pyfuse3 leaves out and the extension hands over."""

from smbmount.client.copying import ServerCopies

from .copies import CopyHandlers
from .inodes import InodeTable
from .locking import LockHandlers, LockRoom
from .open_files import OpenTable
from .space import SpaceHandlers


class ShareHandlers(LockHandlers, CopyHandlers, SpaceHandlers):
    """Locks, copies and holes of a share; only what is overridden is asked of us."""

    def __init__(self, inodes: InodeTable, opens: OpenTable, locks: LockRoom) -> None:
        self._inodes = inodes
        self._opens = opens
        self._locks = locks
        self._copies = ServerCopies()
