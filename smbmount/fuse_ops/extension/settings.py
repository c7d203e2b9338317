"""What is asked of the kernel when a connection begins."""

from dataclasses import dataclass
from enum import IntFlag


class Capability(IntFlag):
    """FUSE_CAP_...: what a kernel can do and a file system may want."""

    ASYNC_READ = 1 << 0
    POSIX_LOCKS = 1 << 1
    ATOMIC_O_TRUNC = 1 << 3
    EXPORT_SUPPORT = 1 << 4
    DONT_MASK = 1 << 6
    SPLICE_WRITE = 1 << 7
    SPLICE_MOVE = 1 << 8
    SPLICE_READ = 1 << 9
    FLOCK_LOCKS = 1 << 10
    IOCTL_DIR = 1 << 11
    AUTO_INVAL_DATA = 1 << 12
    READDIRPLUS = 1 << 13
    READDIRPLUS_AUTO = 1 << 14
    ASYNC_DIO = 1 << 15
    WRITEBACK_CACHE = 1 << 16
    NO_OPEN_SUPPORT = 1 << 17
    PARALLEL_DIROPS = 1 << 18
    POSIX_ACL = 1 << 19
    HANDLE_KILLPRIV = 1 << 20
    CACHE_SYMLINKS = 1 << 23
    NO_OPENDIR_SUPPORT = 1 << 24
    EXPLICIT_INVAL_DATA = 1 << 25
    EXPIRE_ONLY = 1 << 26


_NOTHING = Capability(0)
EVERY_OPERATION = frozenset(
    {"getlk", "setlk", "flock", "fallocate", "lseek", "copy_file_range", "ioctl"}
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the connection is to be. Unsaid things stay as libfuse and pyfuse3 have them."""

    enable: Capability = _NOTHING  # where the kernel has it
    disable: Capability = _NOTHING
    max_background: int = 64  # the kernel's read-ahead and asynchronous direct requests
    congestion_threshold: int = 48  # of these, before the kernel holds back
    max_readahead: int | None = None  # bytes; the kernel's offer is the most there is
    operations: frozenset[str] = EVERY_OPERATION  # those left out stay the kernel's own business

    def applied(self, capable: int, want: int, max_readahead: int) -> tuple[int, int, int, int]:
        """What to want of what the kernel offers, and the three limits."""
        wanted = (want | (self.enable & capable)) & ~self.disable
        readahead = max_readahead
        if self.max_readahead is not None:
            readahead = min(self.max_readahead, max_readahead)
        return wanted, self.max_background, self.congestion_threshold, readahead
