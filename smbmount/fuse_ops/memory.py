"""What the C library does with freed memory.

A write of the kernel's arrives as a fresh megabyte, used for a moment. By default glibc gives such
blocks back to the kernel at once, and each next one costs 256 page faults, on a virtual machine
more than all the rest of the write. So freed blocks of that size are kept.
"""

import ctypes
import logging

_log = logging.getLogger(__name__)

_M_TRIM_THRESHOLD = -1  # of mallopt(3)
_M_MMAP_THRESHOLD = -3
_OWN_MAPPING = 16 * 1024 * 1024  # bytes from which a block is mapped by itself
_KEPT = 64 * 1024 * 1024  # free bytes at the heap's end that are kept


def keep_freed_blocks() -> None:
    """Tell the allocator, where it is one that can be told."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        _log.debug("this C library has no mallopt; large writes will cost page faults")
        return
    mallopt(_M_MMAP_THRESHOLD, _OWN_MAPPING)
    mallopt(_M_TRIM_THRESHOLD, _KEPT)
