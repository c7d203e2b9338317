"""cp within a mount: by the server, and through the client, in turns."""

import os
import subprocess
import time
from pathlib import Path

from tests.lab.mounts import mounted
from tests.lab.proxy import Proxy
from tests.lab.samba import SambaServer

_CHUNK = 1 << 20


class Copies:
    """Times copies of one file of a share within it."""

    def __init__(self, server: SambaServer, mount: Path, size: int) -> None:
        self._mount = mount
        self._disk = server.path_of("plain")
        block = os.urandom(_CHUNK)
        with open(mount / "original", "wb", buffering=0) as file:
            for _ in range(size // _CHUNK):
                file.write(block)

    def by_server(self) -> float:
        """Seconds that plain cp takes."""
        return self._timed(["cp", str(self._mount / "original"), str(self._mount / "copy")])

    def through_client(self) -> float:
        """Seconds that the same takes by reading and writing: dd knows no other way."""
        words = [f"if={self._mount / 'original'}", f"of={self._mount / 'copy'}", "bs=1M"]
        return self._timed(["dd", *words, "status=none"])

    def _timed(self, command: list[str]) -> float:
        (self._mount / "copy").unlink(missing_ok=True)
        for path in (self._disk / "original", self._mount / "original"):
            _evict(path)
        start = time.monotonic()
        subprocess.run(command, check=True)
        took = time.monotonic() - start
        original, copy = self._disk / "original", self._disk / "copy"
        assert copy.stat().st_size == original.stat().st_size
        return took


def bytes_on_the_wire(server: SambaServer) -> int:
    """What a copy of the same file by the server costs on the wire, both ways."""
    with (
        Proxy(server.address, server.port) as proxy,
        mounted(server, port=proxy.port, address=proxy.address) as place,
    ):
        before = proxy.to_server + proxy.to_client
        subprocess.run(["cp", place / "original", place / "counted"], check=True)
        return proxy.to_server + proxy.to_client - before


def _evict(path: Path) -> None:
    """Drop a file's pages, after writing them out: dirty ones stay."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
