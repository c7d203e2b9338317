"""A share as it was: every CREATE names a time ([MS-SMB2] 2.2.13.2.7, TimewarpToken).

A server that knows no previous versions ignores the token and shows the present; so the time is
looked up among those that the server lists before anything is shown.
"""

from typing import TYPE_CHECKING

from smbmount.proto.create import CreateContext
from smbmount.proto.create_contexts import TimewarpToken
from smbmount.proto.filetime import from_gmt, to_gmt
from smbmount.proto.status import NtStatus

from .errors import MountRefused, ServerError
from .tree import Tree

if TYPE_CHECKING:
    from .share import Share

_SECOND = 10_000_000  # FILETIME units: names of snapshots have whole seconds
_NAMED = 8  # in a sentence
_UNKNOWN = (
    NtStatus.STATUS_NOT_SUPPORTED,
    NtStatus.STATUS_INVALID_DEVICE_REQUEST,
    NtStatus.STATUS_NOT_IMPLEMENTED,
)


def contexts_of(tree: Tree) -> tuple[CreateContext, ...]:
    """What every CREATE on this share says of time: nothing, if it is the present."""
    return () if tree.snapshot is None else (TimewarpToken(tree.snapshot),)


async def find(share: "Share", moment: int) -> int:
    """`moment` (FILETIME), if the server has the share as it was then.

    `share` is the whole share, whichever directory is mounted. Raises MountRefused with the names
    of those that there are.
    """
    try:
        names = await share.snapshots()
    except ServerError as error:
        if error.status in _UNKNOWN:
            raise MountRefused(f"{share.label} keeps no snapshots: {error}") from error
        raise MountRefused(f"{share.label} does not list its snapshots: {error}") from error
    if moment // _SECOND not in _moments(names):
        raise MountRefused(f"{share.label} has no snapshot {to_gmt(moment)}; {_those(names)}")
    return moment


def _moments(names: tuple[str, ...]) -> set[int]:
    found = set()
    for name in names:
        try:
            found.add(from_gmt(name) // _SECOND)
        except ValueError:
            continue  # a server's own spelling; it cannot be asked for by time
    return found


def _those(names: tuple[str, ...]) -> str:
    if not names:
        return "it has none"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"there are {', '.join(names[:_NAMED])}{more}"
