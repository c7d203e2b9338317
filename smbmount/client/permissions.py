"""Modes and owners on a share with POSIX extensions, set by security descriptors.

The extensions tell modes in the metadata, but set them as NFS servers on Windows do: a list with a
single entry, whose SID holds the mode. Owners are Unix SIDs ([MS-DTYP] 2.4.2.4 has none of them;
S-1-22 is Samba's).
"""

from smbmount.proto.create import FileId
from smbmount.proto.info import InfoType, SecurityInformation, SetInfoRequest
from smbmount.proto.posix import group_sid, mode_sid, user_sid
from smbmount.proto.security import Ace, AceType, Acl, SecurityDescriptor

SETTABLE = 0o777  # the bits that Samba takes; set-id and sticky bits it leaves as they are


def mode_request(file_id: FileId, mode: int) -> SetInfoRequest:
    """chmod; needs WRITE_DAC access."""
    entry = Ace(AceType.ACCESS_ALLOWED, 0, 0, mode_sid(mode & 0o7777))
    descriptor = SecurityDescriptor(dacl=Acl((entry,)))
    return _request(file_id, descriptor, SecurityInformation.DACL)


def owner_request(file_id: FileId, uid: int | None, gid: int | None) -> SetInfoRequest:
    """chown of what is not None; needs WRITE_OWNER access."""
    wanted = SecurityInformation(0)
    if uid is not None:
        wanted |= SecurityInformation.OWNER
    if gid is not None:
        wanted |= SecurityInformation.GROUP
    descriptor = SecurityDescriptor(
        owner=user_sid(uid) if uid is not None else None,
        group=group_sid(gid) if gid is not None else None,
    )
    return _request(file_id, descriptor, wanted)


def _request(
    file_id: FileId, descriptor: SecurityDescriptor, wanted: SecurityInformation
) -> SetInfoRequest:
    return SetInfoRequest(file_id, InfoType.SECURITY, 0, descriptor.pack(), wanted)
