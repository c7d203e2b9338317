"""The operations that pyfuse3 leaves out, as methods to override."""

import errno
from dataclasses import dataclass

import pyfuse3

_WHOLE = 1 << 63


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: like pyfuse3.RequestContext, which only pyfuse3 can make."""

    uid: int
    gid: int
    pid: int  # the calling thread
    umask: int


@dataclass(frozen=True, slots=True)
class FileLock:
    """struct flock in file offsets."""

    kind: int  # fcntl.F_RDLCK, F_WRLCK or F_UNLCK
    start: int
    length: int  # 0: to the end of the file, wherever that may be
    pid: int  # of the process that asks or holds; 0 if it is on another machine

    @property
    def end(self) -> int:
        """The first byte behind it; 2**63 if it has no end."""
        return self.start + self.length if self.length else _WHOLE


class Handlers:
    """Override what the file system can do; only what is overridden is asked.

    Each runs as a trio task of its own, cancelled when its caller is interrupted, and may raise
    pyfuse3.FUSEError. `fh` is what open gave; `lock_owner` stands for a process in getlk and
    setlk, or for an open file description (F_OFD_..., flock). Unlocking by close is not said
    here: POSIX locks end with flush, by its lock_owner, the others with release.
    """

    async def getlk(
        self, inode: int, fh: int, lock_owner: int, lock: FileLock, ctx: Caller
    ) -> FileLock | None:
        """A lock that stands in the way of `lock`; None if nothing does."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    async def setlk(
        self, inode: int, fh: int, lock_owner: int, lock: FileLock, sleep: bool, ctx: Caller
    ) -> None:
        """Lock or unlock a range; EAGAIN if it is taken, unless it may wait."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    async def flock(self, inode: int, fh: int, lock_owner: int, op: int, ctx: Caller) -> None:
        """flock(2) with LOCK_SH, LOCK_EX or LOCK_UN, and LOCK_NB: EWOULDBLOCK if it is taken."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    async def fallocate(
        self, inode: int, fh: int, mode: int, offset: int, length: int, ctx: Caller
    ) -> None:
        """fallocate(2); EOPNOTSUPP for modes that cannot be had."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    async def lseek(self, inode: int, fh: int, offset: int, whence: int, ctx: Caller) -> int:
        """Where SEEK_DATA or SEEK_HOLE leads; ENXIO behind the end."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    async def copy_file_range(
        self,
        inode_in: int,
        fh_in: int,
        off_in: int,
        inode_out: int,
        fh_out: int,
        off_out: int,
        length: int,
        flags: int,
        ctx: Caller,
    ) -> int:
        """Bytes copied, fewer than `length` if need be. EOPNOTSUPP or EXDEV: copy through here."""
        raise pyfuse3.FUSEError(errno.ENOSYS)

    async def ioctl(
        self,
        inode: int,
        fh: int,
        cmd: int,
        arg: int,
        flags: int,
        data: bytes,
        room: int,
        ctx: Caller,
    ) -> tuple[int, bytes]:
        """ioctl(2): the result and up to `room` bytes for the caller; ENOTTY if unknown."""
        raise pyfuse3.FUSEError(errno.ENOSYS)
