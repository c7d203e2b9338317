"""How a mount shows the share to its users."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """What SMB does not say and the mount's options do."""

    uid: int
    gid: int
    file_mode: int = 0o755  # permission bits of files, before the read-only attribute
    dir_mode: int = 0o755
    read_only: bool = False
    actimeo: float = 1.0  # seconds for which names and attributes may be remembered
    brl: bool = True  # locks are the server's; else the kernel keeps them to this machine
