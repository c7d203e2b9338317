"""Extended attributes: the server's own as user.*, and a few that are made from other things.

| Name | What it is |
|---|---|
| user.NAME | the server's extended attribute NAME |
| user.cifs.dosattrib | the DOS attributes: four bytes, little-endian |
| user.cifs.creationtime | FILETIME of the birth: eight bytes, little-endian |
| user.cifs.streams | read only: a line "SIZE NAME" for each alternate data stream |
| system.cifs_acl | the security descriptor; owner, group and list are read, the list is set |
| system.cifs_ntsd | the same; owner and group are set, too |
| system.smb3_ntsd_full | the same, and the list of audits |

Each cifs in a name may be spelled smb3. Only the first kind is listed, as kernel cifs does: what is
listed is what programs copy.

The kernel asks for security.capability before every write. What SMB has not is refused without
asking the server.
"""

import errno
import os
from collections.abc import Sequence

import pyfuse3
import trio

from smbmount.client.xattrs import LONGEST_VALUE
from smbmount.proto.info import SecurityInformation

from . import extension
from .base import ShareOperations
from .errors import answered
from .inodes import Inode

_USER = b"user."
_ATTRIBUTES = frozenset({b"user.cifs.dosattrib", b"user.smb3.dosattrib"})
_BIRTH = frozenset({b"user.cifs.creationtime", b"user.smb3.creationtime"})
_STREAMS = frozenset({b"user.cifs.streams", b"user.smb3.streams"})
_MADE = _ATTRIBUTES | _BIRTH | _STREAMS
_OWNERSHIP = SecurityInformation.OWNER | SecurityInformation.GROUP
_NTSD = _OWNERSHIP | SecurityInformation.DACL
_FULL = _NTSD | SecurityInformation.SACL
# What is read, and what is set.
_DESCRIPTORS = {
    b"system.cifs_acl": (_NTSD, SecurityInformation.DACL),
    b"system.smb3_acl": (_NTSD, SecurityInformation.DACL),
    b"system.cifs_ntsd": (_NTSD, _NTSD),
    b"system.smb3_ntsd": (_NTSD, _NTSD),
    b"system.cifs_ntsd_full": (_FULL, _FULL),
    b"system.smb3_ntsd_full": (_FULL, _FULL),
}
_NORMAL = 0x80  # FILE_ATTRIBUTE_NORMAL, "none of the others": 0 would mean "leave them"
_LAST = (1 << 63) - 1


class XattrOperations(ShareOperations):
    """getxattr, setxattr, listxattr, removexattr."""

    @answered
    async def getxattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> bytes:
        """One attribute's value; ENODATA if there is none."""
        if not _is_known(name):
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        node = self._inodes.get(inode)
        if name in _DESCRIPTORS:
            parts, _ = _DESCRIPTORS[name]
            return await self._at(node, lambda path: self._share.xattrs.descriptor(path, parts))
        if name in _ATTRIBUTES:
            return (int((await self._stat(node)).attributes)).to_bytes(4, "little")
        if name in _BIRTH:
            return (await self._stat(node)).created.to_bytes(8, "little")
        value = await (self._stream_names(node) if name in _STREAMS else self._ea(node, name))
        if not value:
            raise pyfuse3.FUSEError(errno.ENODATA)
        return value

    async def _ea(self, node: Inode, name: bytes) -> bytes:
        """The value of user.NAME; empty if there is none."""
        wanted = name.removeprefix(_USER).lower()
        for ea in await self._at(node, self._share.xattrs.all):
            if ea.name.lower() == wanted:
                return ea.value
        return b""

    async def _stream_names(self, node: Inode) -> bytes:
        lines = []
        for stream in await self._at(node, self._share.xattrs.streams):
            name = stream.name.removeprefix(":").removesuffix(":$DATA")
            if name:
                lines.append(f"{stream.size} {name}\n".encode("utf-8", "surrogatepass"))
        return b"".join(lines)

    @answered
    async def listxattr(self, inode: int, ctx: pyfuse3.RequestContext) -> Sequence[bytes]:
        """The names of the server's own attributes."""
        node = self._inodes.get(inode)
        return [_USER + ea.name for ea in await self._at(node, self._share.xattrs.all)]

    @answered
    async def setxattr(
        self, inode: int, name: bytes, value: bytes, ctx: pyfuse3.RequestContext
    ) -> None:
        """Set one attribute; XATTR_CREATE and XATTR_REPLACE are heeded."""
        request = extension.current_request()  # known before the first await only
        flags = request.flags if request is not None else 0
        if not _is_known(name):
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        node = self._inodes.get(inode)
        try:
            await self._set(node, name, value, flags)
        finally:
            node.changed_at = trio.current_time()

    async def _set(self, node: Inode, name: bytes, value: bytes, flags: int) -> None:
        made = name in _MADE or name in _DESCRIPTORS
        if made and flags & os.XATTR_CREATE:
            raise pyfuse3.FUSEError(errno.EEXIST)
        if name in _DESCRIPTORS:
            _, parts = _DESCRIPTORS[name]
            await self._at(node, lambda path: self._share.xattrs.set_descriptor(path, parts, value))
        elif name in _ATTRIBUTES:
            wanted = _number(value, 4, 1 << 32) or _NORMAL
            await self._at(node, lambda path: self._share.set_basic(path, attributes=wanted))
        elif name in _BIRTH:
            birth = _number(value, 8, _LAST)
            if not birth:
                raise pyfuse3.FUSEError(errno.EINVAL)
            await self._at(node, lambda path: self._share.set_basic(path, created=birth))
        elif name in _STREAMS:
            raise pyfuse3.FUSEError(errno.EPERM)
        else:
            await self._set_ea(node, name, value, flags)

    async def _set_ea(self, node: Inode, name: bytes, value: bytes, flags: int) -> None:
        ea = name.removeprefix(_USER)
        if not ea.isascii() or not value:  # an empty value would take it away
            raise pyfuse3.FUSEError(errno.EINVAL)
        if len(value) > LONGEST_VALUE:
            raise pyfuse3.FUSEError(errno.E2BIG)
        if flags:
            there = bool(await self._ea(node, name))
            if there and flags & os.XATTR_CREATE:
                raise pyfuse3.FUSEError(errno.EEXIST)
            if not there and flags & os.XATTR_REPLACE:
                raise pyfuse3.FUSEError(errno.ENODATA)
        await self._at(node, lambda path: self._share.xattrs.set(path, ea, value))

    @answered
    async def removexattr(self, inode: int, name: bytes, ctx: pyfuse3.RequestContext) -> None:
        """Take away one of the server's own attributes; the others are there as files are."""
        if not _is_known(name):
            raise pyfuse3.FUSEError(errno.EOPNOTSUPP)
        if name in _MADE or name in _DESCRIPTORS:
            raise pyfuse3.FUSEError(errno.EPERM)
        node = self._inodes.get(inode)
        if not await self._ea(node, name):  # servers take away what is not there
            raise pyfuse3.FUSEError(errno.ENODATA)
        try:
            ea = name.removeprefix(_USER)
            await self._at(node, lambda path: self._share.xattrs.set(path, ea, b""))
        finally:
            node.changed_at = trio.current_time()


def _is_known(name: bytes) -> bool:
    """False for what SMB has not: posix_acl_*, security.*, trusted.*."""
    return name in _DESCRIPTORS or (name.startswith(_USER) and len(name) > len(_USER))


def _number(value: bytes, size: int, limit: int) -> int:
    """A little-endian number of exactly `size` bytes. Raises EINVAL."""
    number = int.from_bytes(value, "little")
    if len(value) != size or number > limit:
        raise pyfuse3.FUSEError(errno.EINVAL)
    return number
