"""FSCTLs about a share, a server or a file, each one call ([MS-SMB2] 3.2.4.20, [MS-FSCC] 2.3).

What concerns no open file is asked with the file id that means none.
"""

from smbmount.proto.create import RELATED
from smbmount.proto.dfs import GetReferral, Referrals
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fsctl import NetworkInterface, unpack_interfaces
from smbmount.proto.fsctl_files import ObjectId, Snapshots
from smbmount.proto.ioctl import FsctlCode, IoctlRequest, IoctlResponse
from smbmount.proto.reparse import ReparsePoint
from smbmount.proto.status import NtStatus

from .open_file import OpenFile
from .tree import Tree

_ROOM = 64 * 1024  # bytes of an answer whose size nobody knows
_REPARSE_ROOM = 16 * 1024  # [MS-FSCC] 2.1.2: no reparse point is larger
_SNAPSHOT_ROOM = 16  # the least a server accepts: the counts alone


async def ioctl(tree: Tree, code: int, data: bytes, max_output: int, *also_fine: int) -> memoryview:
    """The output of an FSCTL that concerns no file. Raises ClientError."""
    request = IoctlRequest(RELATED, code, data, max_output)
    output = (await tree.call(request, IoctlResponse, tree.label, *also_fine)).output
    if len(output) > max_output:
        raise tree.distrust(MalformedMessage("IOCTL", "OutputCount", len(output)))
    return output


async def network_interfaces(tree: Tree) -> tuple[NetworkInterface, ...]:
    """The server's addresses (2.2.32.5); SMB 3 only. Raises ClientError."""
    output = await ioctl(tree, FsctlCode.QUERY_NETWORK_INTERFACE_INFO, b"", _ROOM)
    try:
        return unpack_interfaces(output)
    except MalformedMessage as error:
        raise tree.distrust(error) from error


async def dfs_referrals(tree: Tree, path: str) -> Referrals:
    r"""Where \server\namespace\path is ([MS-DFSC] 3.1.4.2); asked on IPC$. Raises ClientError."""
    question = GetReferral(path).pack()
    output = await ioctl(tree, FsctlCode.DFS_GET_REFERRALS, question, _ROOM)
    try:
        return Referrals.unpack(output)
    except MalformedMessage as error:
        raise tree.distrust(error) from error


async def snapshots(file: OpenFile) -> tuple[str, ...]:
    """Previous versions of the share, as "@GMT-..." names, newest first. Raises ClientError.

    Asked twice: first for how much room the names take (2.2.32.2).
    """
    code = FsctlCode.SRV_ENUMERATE_SNAPSHOTS
    try:
        told = Snapshots.unpack(await file.ioctl(code, b"", _SNAPSHOT_ROOM))
        if not told.total:
            return ()
        room = min(told.size + 12, file.tree.session.negotiated.max_transact)
        return Snapshots.unpack(await file.ioctl(code, b"", max(room, _SNAPSHOT_ROOM))).names
    except MalformedMessage as error:
        raise file.tree.distrust(error) from error


async def object_id(file: OpenFile) -> ObjectId:
    """The file's object id; one is made if it has none. Raises ClientError."""
    output = await file.ioctl(FsctlCode.CREATE_OR_GET_OBJECT_ID, b"", 64)
    try:
        return ObjectId.unpack(output)
    except MalformedMessage as error:
        raise file.tree.distrust(error) from error


async def reparse_point(file: OpenFile) -> ReparsePoint:
    """The reparse point that `file` is; it must be open as such. Raises ClientError."""
    output = await file.ioctl(
        FsctlCode.GET_REPARSE_POINT, b"", _REPARSE_ROOM, NtStatus.STATUS_BUFFER_OVERFLOW
    )
    try:
        return ReparsePoint.unpack(output)
    except MalformedMessage as error:
        raise file.tree.distrust(error) from error


async def set_reparse_point(file: OpenFile, point: ReparsePoint) -> None:
    """Make `file` a reparse point. Raises ClientError."""
    await file.ioctl(FsctlCode.SET_REPARSE_POINT, point.pack(), 0)


async def delete_reparse_point(file: OpenFile, tag: int) -> None:
    """Make the reparse point of `tag` an ordinary file again. Raises ClientError."""
    await file.ioctl(FsctlCode.DELETE_REPARSE_POINT, ReparsePoint(tag, b"").pack(), 0)
