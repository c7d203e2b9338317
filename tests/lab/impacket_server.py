"""impacket's SMB 2 server as a private process: an implementation that is not Samba's.

It speaks 2.0.2 and 2.1 and does not encrypt; its one share is a directory of ours. Run as a program
this module is that server.
"""

import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Self

from . import processes

USER = "impacket-user"
PASSWORD = "tr0ubador"
_addresses = itertools.count(1)


class ImpacketServer:
    """A context manager: up inside, gone with all its files outside."""

    def __init__(self, share: str = "data") -> None:
        self.share = share
        self.address = f"127.60.{os.getpid() % 250}.{next(_addresses) % 250 + 1}"
        self.port = 0
        self.directory = Path(tempfile.mkdtemp(prefix="smbmount-impacket-"))
        self.path = self.directory / "share"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.path.mkdir()
            self._start()
        except BaseException:
            self._clean()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self._clean()

    def path_of(self, share: str) -> Path:
        """The share's directory on the server's own disk."""
        assert share == self.share
        return self.path

    def log(self) -> str:
        """All the server has said."""
        return (self.directory / "log").read_text("utf-8", "replace")

    def _start(self) -> None:
        self.port = processes.free_port(self.address)
        words = [sys.executable, "-W", "ignore", "-m", "tests.lab.impacket_server"]
        words += [self.address, str(self.port), self.share, str(self.path)]
        log = self.directory / "log"
        root = Path(__file__).parents[2]
        self._process = processes.start(words, log, {"PYTHONPATH": str(root)}, ours=self.directory)
        processes.wait_until(lambda: processes.listens(self.address, self.port), self._process, log)

    def _clean(self) -> None:
        if self._process is not None:
            processes.stop(self._process)
        shutil.rmtree(self.directory, ignore_errors=True)


def main() -> None:
    """Serve until ended."""
    from impacket.ntlm import compute_lmhash, compute_nthash
    from impacket.smbserver import SimpleSMBServer

    address, port, share, path = sys.argv[1:]
    server = SimpleSMBServer(listenAddress=address, listenPort=int(port))
    server.setSMB2Support(True)
    server.addShare(share.upper(), path, "", readOnly="no")
    server.addCredential(USER, 0, compute_lmhash(PASSWORD), compute_nthash(PASSWORD))
    server.start()


if __name__ == "__main__":
    main()
