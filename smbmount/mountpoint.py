"""What must be right with this machine and the mount point before a server is troubled."""

import os
import stat
from pathlib import Path

_FUSE = "/dev/fuse"
_FUSE_CONF = "/etc/fuse.conf"
_TYPE = "fuse.smbmount"


class NotMountable(Exception):
    """It cannot be mounted here; the text says why and what to do."""


def check(mountpoint: str, source: str, *, allow_other: bool) -> str:
    """The absolute path to mount at. Raises NotMountable."""
    path = _directory(mountpoint)
    for mounted_source, kind in mounts_at(path):
        if kind == _TYPE and mounted_source == source:
            raise NotMountable(f"{source} is mounted at {path} already")
    _check_fuse()
    if os.geteuid() != 0:
        _check_unprivileged(path, allow_other=allow_other)
    return path


def _directory(mountpoint: str) -> str:
    try:
        found = os.stat(mountpoint)
    except FileNotFoundError:
        raise NotMountable(
            f"the mount point {mountpoint} does not exist; make it with mkdir"
        ) from None
    except OSError as error:
        if mounts_at(os.path.abspath(mountpoint)):
            raise NotMountable(
                f"the mount point {mountpoint} carries a mount that is dead ({error.strerror}); "
                f"remove it with: fusermount3 -uz {mountpoint}"
            ) from None
        raise NotMountable(
            f"the mount point {mountpoint} cannot be used: {error.strerror}"
        ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise NotMountable(f"the mount point {mountpoint} is not a directory")
    return os.path.realpath(mountpoint)


def _check_fuse() -> None:
    if not os.path.exists(_FUSE):
        raise NotMountable(
            f"{_FUSE} is missing: load the kernel's FUSE module (modprobe fuse), or give the "
            "container the device"
        )
    try:
        os.close(os.open(_FUSE, os.O_RDWR))
    except OSError as error:
        raise NotMountable(
            f"{_FUSE} cannot be opened: {error.strerror}; its mode should be 0666"
        ) from None


def _check_unprivileged(path: str, *, allow_other: bool) -> None:
    if _program("fusermount3") is None:
        raise NotMountable(
            "fusermount3 is missing, without which only root can mount; install the package fuse3"
        )
    if allow_other and not _user_allow_other():
        raise NotMountable(
            "allow_other is not permitted: root must put the line user_allow_other into "
            f"{_FUSE_CONF}"
        )
    if not os.access(path, os.W_OK):
        raise NotMountable(
            f"the mount point {path} is not yours to write to, which fusermount3 demands"
        )


def _user_allow_other() -> bool:
    try:
        lines = Path(_FUSE_CONF).read_text("utf-8", "replace").splitlines()
    except OSError:
        return False
    return any(line.strip() == "user_allow_other" for line in lines)


def _program(name: str) -> str | None:
    # fusermount3 lies in a directory that an ordinary user's PATH need not have.
    for directory in (*os.get_exec_path(), "/usr/bin", "/bin", "/usr/local/bin"):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK):
            return path
    return None


def mounts_at(path: str) -> list[tuple[str, str]]:
    """Source and type of each mount at a path, the uppermost last (proc(5), mountinfo)."""
    found = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            before, _, after = line.partition(" - ")
            if _plain(before.split()[4]) == path:
                kind, source, *_ = after.split()
                found.append((_plain(source), kind))
    return found


def _plain(field: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        field = field.replace(code, character)
    return field


def unmount_command(path: str) -> list[str]:
    """How this user takes the mount at `path` away, if nothing uses it."""
    if os.geteuid() == 0:
        # -i: there is no helper for us, and umount must not look for one.
        return ["umount", "-i", path]
    return [_program("fusermount3") or "fusermount3", "-u", path]
