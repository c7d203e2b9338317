"""Being told of changes in a directory (CHANGE_NOTIFY, [MS-SMB2] 3.2.4.22)."""

from smbmount.proto.notify import (
    Change,
    ChangeNotifyRequest,
    ChangeNotifyResponse,
    CompletionFilter,
    NotifyFlags,
)
from smbmount.proto.status import NtStatus

from .open_file import OpenFile

EVERYTHING = CompletionFilter(0xFFF)
_ROOM = 64 * 1024  # bytes of one answer


async def changes(
    directory: OpenFile, wanted: CompletionFilter = EVERYTHING, *, below: bool = False
) -> tuple[Change, ...] | None:
    """The next changes, however long they take; None if there were too many to tell.

    `below` watches all that is under the directory, too. The server remembers what happens between
    two calls on the same open. A caller that is cancelled ends the wait on the server (CANCEL).
    Raises ClientError.
    """
    request = ChangeNotifyRequest(
        directory.file_id, wanted, NotifyFlags.WATCH_TREE if below else 0, _ROOM
    )
    [answer] = await directory.tree.send([request], deadline=False)
    if answer.status == NtStatus.STATUS_NOTIFY_ENUM_DIR:
        return None
    told = directory.tree.parse(answer, ChangeNotifyResponse, directory.path).changes
    return told or None
