"""Room on the volume, also where a directory of the share is another volume."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer

_SIZE = 16 << 20  # of the small volume


@pytest.fixture(scope="module", params=["no", "yes"], ids=["windows", "posix"])
def server(request: pytest.FixtureRequest) -> Iterator[SambaServer]:
    with SambaServer({"smb3 unix extensions": request.param}, {"plain": {}}) as server:
        small = server.path_of("plain") / "small"
        small.mkdir()
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={_SIZE},mode=777", "tmpfs", str(small)],
            check=True,
        )
        try:
            (small / "directory").mkdir()
            (small / "directory").chmod(0o777)
            yield server
        finally:
            subprocess.run(["umount", "-l", str(small)], check=True)


def _total(path: Path) -> int:
    told = os.statvfs(path)
    return told.f_blocks * told.f_frsize


def test_a_mounted_directory_has_the_room_of_its_own_volume(server: SambaServer) -> None:
    disk = server.path_of("plain")
    with mounted(server, "plain") as mnt:
        assert _total(mnt) == _total(disk)
        assert _total(mnt) > _SIZE
    for directory in ("small", "small/directory"):
        with mounted(server, f"plain/{directory}") as mnt:
            assert _total(mnt) == _SIZE
            free = os.statvfs(mnt).f_bavail * os.statvfs(mnt).f_frsize
            (mnt / "filling").write_bytes(bytes(4 << 20))
            left = os.statvfs(mnt).f_bavail * os.statvfs(mnt).f_frsize
            assert free - left == 4 << 20
            (mnt / "filling").unlink()
