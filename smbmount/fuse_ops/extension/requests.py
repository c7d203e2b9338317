"""What is known of a request beyond what pyfuse3 passes on."""

from dataclasses import dataclass
from enum import IntFlag


class Hints(IntFlag):
    """What to tell the kernel along with an opened file or directory."""

    CACHE_LISTING = 1  # remember what readdir answers
    KEEP_LISTING = 2  # and what it answered to earlier opens; without this it is dropped now
    NO_FLUSH = 4  # no FLUSH at close: POSIX locks are then never given up by closing
    PARALLEL_DIRECT_WRITES = 8  # with direct_io; unknown before libfuse 3.15, and then ignored


@dataclass(frozen=True, slots=True)
class Request:
    """A request of the kernel's."""

    number: int  # unique in this process
    operation: str  # libfuse's name for it, so write_buf and readdirplus
    lock_owner: int  # of read, write, flush, release and locks; else 0 (hashed by the kernel)
    flags: int  # O_..., of open, create, release; XATTR_..., of setxattr; else 0
    pid: int  # the calling thread; 0 if it lives in a namespace that cannot be seen from here
    flush: bool  # release: the descriptor's POSIX locks go, too
    flock_release: bool  # release: the flock(2) lock of `lock_owner` goes, too
