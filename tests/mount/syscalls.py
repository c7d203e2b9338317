"""System calls that the os module does not have. Each raises OSError."""

import ctypes
import os

KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 0x01, 0x02, 0x10  # of fallocate(2)
NOREPLACE = 1  # of renameat2(2)
NOW, OMIT = (1 << 30) - 1, (1 << 30) - 2  # of utimensat(2), in place of nanoseconds
_AT_FDCWD = -100

_libc = ctypes.CDLL(None, use_errno=True)
_libc.fallocate.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_int64), ("nanoseconds", ctypes.c_int64))


def _checked(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def fallocate(descriptor: int, mode: int, offset: int, length: int) -> None:
    """fallocate(2)."""
    _checked(_libc.fallocate(descriptor, mode, offset, length))


def rename_without_replacing(old: str, new: str) -> None:
    """renameat2(2) with RENAME_NOREPLACE."""
    _checked(_libc.renameat2(_AT_FDCWD, os.fsencode(old), _AT_FDCWD, os.fsencode(new), NOREPLACE))


def set_times(path: str, accessed: int, written: int) -> None:
    """utimensat(2), in nanoseconds; NOW and OMIT are what they say."""
    times = (_Timespec * 2)(_timespec(accessed), _timespec(written))
    _checked(_libc.utimensat(_AT_FDCWD, os.fsencode(path), times, 0))


def _timespec(nanoseconds: int) -> _Timespec:
    if nanoseconds in (NOW, OMIT):
        return _Timespec(0, nanoseconds)
    return _Timespec(*divmod(nanoseconds, 10**9))
