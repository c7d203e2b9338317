"""Listings that the kernel remembers, directory by directory.

Where opendir's answer says so, the kernel keeps what readdir answers and asks no more; it forgets
when this mount changes the directory, when its mtime is seen to change, and when an opendir says
nothing of the kind. Somebody must vouch for what is remembered: a directory lease, say. Nobody
does so far.
"""

from .extension import Hints
from .inodes import Inode

_MOST = 65536  # directories to know of; beyond, all are listed anew once


def vouched(directory: Inode) -> bool:
    """Whether a change of the directory by another client would be heard of. The policy."""
    return False


class RememberedListings:
    """Which directories' listings the kernel holds by our leave."""

    def __init__(self) -> None:
        self._held: set[int] = set()

    def hints(self, directory: Inode) -> Hints:
        """What goes with the answer to an opendir."""
        if not vouched(directory):
            self.doubt(directory)
            return Hints(0)
        if directory.number in self._held:
            return Hints.CACHE_LISTING | Hints.KEEP_LISTING
        if len(self._held) >= _MOST:
            self._held.clear()
        self._held.add(directory.number)
        return Hints.CACHE_LISTING  # what came before nobody vouched for

    def doubt(self, directory: Inode) -> None:
        """The listing may have changed: the next opendir has the kernel forget it."""
        self._held.discard(directory.number)
