"""Oplock and lease breaks: found their holder, and acknowledged ([MS-SMB2] 3.2.5.19).

The server takes a right to cache back and waits for the acknowledgement before it lets the other
client in, so a holder is told at once, and what it must flush first is its own business: it does
that, then acknowledges. A break that nobody holds is acknowledged here with nothing kept; else the
other client would wait until the server gives us up.
"""

import logging
from collections.abc import Awaitable, Callable

from smbmount.proto.create import FileId, OplockLevel
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.oplock import (
    LeaseBreakAcknowledgement,
    LeaseBreakNotification,
    LeaseBreakResponse,
    LeaseFlags,
    LeaseState,
    OplockBreakAcknowledgement,
    OplockBreakNotification,
    OplockBreakResponse,
    unpack_notification,
)

from .errors import ClientError
from .tree import Tree

_log = logging.getLogger(__name__)

# Breaks that may be on their way at once beyond one for each that is watched: a break and a close
# can pass each other.
_MOST_UNWATCHED = 64

OnOplock = Callable[[OplockBreakNotification], Awaitable[None]]
OnLease = Callable[[LeaseBreakNotification], Awaitable[None]]


class Breaks:
    """Who is told of which break, on one connection. Made once per tree, before the first open."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._oplocks: dict[FileId, OnOplock] = {}
        self._leases: dict[bytes, OnLease] = {}
        self._telling = 0
        tree.connection.on_break = self._take

    def watch_oplock(self, file_id: FileId, told: OnOplock) -> None:
        """`told` runs, in a task of its own, when this open's oplock is broken."""
        self._oplocks[file_id] = told

    def watch_lease(self, key: bytes, told: OnLease) -> None:
        """`told` runs, in a task of its own, when the lease of this key is broken."""
        self._leases[key] = told

    def forget_oplock(self, file_id: FileId) -> None:
        """The open is closed."""
        self._oplocks.pop(file_id, None)

    def forget_lease(self, key: bytes) -> None:
        """The last open under this key is closed."""
        self._leases.pop(key, None)

    def _take(self, message: memoryview) -> None:
        """From the connection's receiving task: decide, and leave the work to another."""
        notice = unpack_notification(message)
        most = len(self._oplocks) + len(self._leases) + _MOST_UNWATCHED
        if self._telling >= most:
            raise MalformedMessage("OPLOCK_BREAK", "number of breaks not acknowledged yet", most)
        self._telling += 1
        _log.debug("%s: %r", self._tree.label, notice)
        self._tree.connection.in_background(lambda: self._tell(notice))

    async def _tell(self, notice: OplockBreakNotification | LeaseBreakNotification) -> None:
        try:
            if isinstance(notice, LeaseBreakNotification):
                await self._leases.get(notice.lease_key, self._give_lease_up)(notice)
            else:
                await self._oplocks.get(notice.file_id, self._give_oplock_up)(notice)
        except (ClientError, MalformedMessage) as error:
            _log.warning("%s: a break was not acknowledged: %s", self._tree.label, error)
        finally:
            self._telling -= 1

    async def _give_lease_up(self, notice: LeaseBreakNotification) -> None:
        if notice.flags & LeaseFlags.ACK_REQUIRED:
            await self.acknowledge_lease(notice.lease_key, LeaseState(0))

    async def _give_oplock_up(self, notice: OplockBreakNotification) -> None:
        await self.acknowledge_oplock(notice.file_id, OplockLevel.NONE)

    async def acknowledge_oplock(self, file_id: FileId, kept: OplockLevel) -> OplockLevel:
        """Say what is kept; the server's last word. Raises ClientError."""
        request = OplockBreakAcknowledgement(file_id, kept)
        level = (await self._tree.call(request, OplockBreakResponse)).oplock_level
        try:
            return OplockLevel(level)
        except ValueError:
            error = MalformedMessage("OPLOCK_BREAK", "OplockLevel", level)
            raise self._tree.distrust(error) from None

    async def acknowledge_lease(self, key: bytes, kept: LeaseState) -> LeaseState:
        """Say what is kept; the server's last word. Raises ClientError."""
        request = LeaseBreakAcknowledgement(key, kept)
        return LeaseState((await self._tree.call(request, LeaseBreakResponse)).lease_state)
