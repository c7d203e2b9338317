"""How a mount shows the share to its users."""

from dataclasses import dataclass

from smbmount.client.settings import NameMapping


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """What SMB does not say and the mount's options do."""

    uid: int
    gid: int
    file_mode: int = 0o755  # permission bits of files, before the read-only attribute
    dir_mode: int = 0o755
    read_only: bool = False
    force_uid: bool = False  # `uid` and `gid` even where the server tells the owner
    force_gid: bool = False
    dynamic: bool = False  # remember modes and owners that the server cannot keep (dynperm)
    server_numbers: bool = True  # inode numbers are the server's (serverino)
    actimeo: float = 1.0  # seconds for which names and attributes may be remembered
    brl: bool = True  # locks are the server's; else the kernel keeps them to this machine
    mapping: NameMapping = NameMapping.SFM  # of characters that SMB forbids in names
