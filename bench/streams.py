"""One large file, written and read: by smbclient, and through a mount."""

import os
import subprocess
import time
from pathlib import Path

from tests.lab.samba import SambaServer

_CHUNK = 1 << 20  # bytes of one read(2) or write(2)


class Streams:
    """Times transfers of a file between this machine and a server on it.

    Local files are in shared memory, so that no disk but the server's is timed. Before every
    transfer the pages of the file on the server, and of the mount, are dropped.
    """

    def __init__(self, server: SambaServer, mount: Path, size: int, protection: str) -> None:
        self._server = server
        self._mount = mount
        self._size = size
        self._options = [f"--client-protection={protection}"]
        self._disk = server.path_of("plain")
        self._local = Path("/dev/shm") / server.directory.name
        self._content = os.urandom(_CHUNK)

    def warm_up(self) -> None:
        """Touch all memory once, and leave a file to read."""
        self.put()
        self.write()
        self.get()
        self.read()

    def write(self, *, sync: bool = False) -> float:
        """Seconds to write through the mount and close; `sync` adds an fsync, to the server's disk.

        smbclient asks for none.
        """
        start = time.monotonic()
        with open(self._mount / "written", "wb", buffering=0) as file:
            for _ in range(self._size // _CHUNK):
                file.write(self._content)
            if sync:
                os.fsync(file.fileno())
        took = time.monotonic() - start
        self._check(self._disk / "written")
        return took

    def read(self) -> float:
        """Seconds to read through the mount, with nothing in the page cache."""
        path = self._mount / "written"
        self._evict(self._disk / "written")
        self._evict(path)
        buffer = bytearray(_CHUNK)
        start = time.monotonic()
        total = 0
        with open(path, "rb", buffering=0) as file:
            while count := file.readinto(buffer):
                total += count
        took = time.monotonic() - start
        assert total == self._size
        return took

    def put(self) -> float:
        """Seconds that smbclient takes to write the same."""
        self._local.write_bytes(self._content * (self._size // _CHUNK))
        try:
            return self._smbclient(f"put {self._local} put")
        finally:
            self._local.unlink()

    def get(self) -> float:
        """Seconds that smbclient takes to read it."""
        self._evict(self._disk / "put")
        took = self._smbclient(f"get put {self._local}")
        assert self._local.stat().st_size == self._size
        self._local.unlink()
        return took

    def _smbclient(self, command: str) -> float:
        start = time.monotonic()
        done = self._server.smbclient("plain", command, options=self._options)
        took = time.monotonic() - start
        if done.returncode:
            raise subprocess.SubprocessError(done.stdout + done.stderr)
        return took

    def _check(self, path: Path) -> None:
        assert path.stat().st_size == self._size

    def _evict(self, path: Path) -> None:
        """Drop a file's pages, after writing them out: dirty ones stay."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            if path.parent == self._disk:
                os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)
