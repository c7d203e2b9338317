"""Processes that count in one file, or write to one database, each under its locks.

Run as a program: `count FILE TIMES HOW`, HOW one of fcntl, ofd, flock; or `rows DATABASE TIMES
WHO`.
"""

import fcntl
import os
import sqlite3
import struct
import sys

_WIDTH = 20  # characters of the number in the file
_OFD_SETLKW = 38
_LOCK = struct.Struct("hhqqi4x")


def count(path: str, times: int, how: str) -> None:
    """Add one, so many times: read the number, write the next, nobody in between."""
    descriptor = os.open(path, os.O_RDWR)
    for _ in range(times):
        _lock(descriptor, how, fcntl.F_WRLCK)
        number = int(os.pread(descriptor, _WIDTH, 0) or b"0")
        os.pwrite(descriptor, b"%20d" % (number + 1), 0)
        _lock(descriptor, how, fcntl.F_UNLCK)


def _lock(descriptor: int, how: str, kind: int) -> None:
    if how == "flock":
        fcntl.flock(descriptor, fcntl.LOCK_UN if kind == fcntl.F_UNLCK else fcntl.LOCK_EX)
    else:
        command = _OFD_SETLKW if how == "ofd" else fcntl.F_SETLKW
        fcntl.fcntl(descriptor, command, _LOCK.pack(kind, os.SEEK_SET, 0, 0, 0))


def rows(path: str, times: int, who: str) -> None:
    """Add rows, each in a transaction that also counts them."""
    with sqlite3.connect(path, timeout=600, isolation_level=None) as database:
        for number in range(times):
            database.execute("BEGIN IMMEDIATE")
            database.execute("INSERT INTO entries VALUES (?, ?)", (who, number))
            database.execute("UPDATE total SET n = n + 1")
            database.execute("COMMIT")
    database.close()


def main() -> None:
    """Do what the arguments say."""
    what, path, times, how = sys.argv[1:]
    {"count": count, "rows": rows}[what](path, int(times), how)


if __name__ == "__main__":
    main()
