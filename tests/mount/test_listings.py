"""The kernel's own memory of listings, on and off by directory."""

import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from smbmount.fuse_ops import extension
from tests.lab.mounts import mount, unmount
from tests.lab.proxy import Proxy
from tests.lab.samba import USER, SambaServer, account

pytestmark = pytest.mark.skipif(
    not extension.available, reason=f"no extension: {extension.unavailable_because}"
)
# A header of the protocol with the command 14 ([MS-SMB2] 2.2.1).
_QUERY_DIRECTORY = re.compile(rb"\xfeSMB.{8}\x0e\x00", re.DOTALL)


def test_listings_are_remembered_where_somebody_vouches_for_them(tmp_path: Path) -> None:
    with (
        tempfile.TemporaryDirectory(prefix="smbmount-control-") as control,
        SambaServer() as server,
        Proxy(server.address, server.port) as proxy,
    ):
        disk = server.path_of("plain")
        for name in ("vouched", "other"):
            (disk / name).mkdir()
            (disk / name / "entry").touch()
            os.chown(disk / name, *account())
        _check(Path(control), tmp_path, disk, proxy)


def _check(control: Path, mnt: Path, disk: Path, proxy: Proxy) -> None:
    asked = 0

    def count(number: int, frame: bytes) -> bytes:
        nonlocal asked
        asked += len(_QUERY_DIRECTORY.findall(frame))
        return frame

    def asks(directory: str) -> bool:
        """Whether a listing has the server list it."""
        before = asked
        found = sorted(os.listdir(mnt / directory))
        assert found == sorted(os.listdir(disk / directory))
        return asked > before

    proxy.alter_requests = count
    command = [sys.executable, "-m", "tests.mount.vouched_listings", str(control)]
    options = [f"port={proxy.port}", f"username={USER}", "actimeo=60"]
    done = mount(f"//{proxy.address}/plain", mnt, options, command=command)
    try:
        assert done.returncode == 0, done.stderr
        for directory in ("vouched", "other"):
            (mnt / directory).stat()
        _switch(control, mnt, asks)
    finally:
        unmount(mnt)


def _switch(control: Path, mnt: Path, asks: Callable[[str], bool]) -> None:
    assert asks("vouched")
    assert asks("vouched")  # off by default
    (control / "vouched").touch()
    assert asks("vouched")  # what was seen before does not count
    assert not asks("vouched")
    assert asks("other")
    assert asks("other")
    (mnt / "vouched" / "new").touch()  # the kernel knows of its own changes
    assert asks("vouched")
    assert not asks("vouched")
    (control / "vouched").unlink()
    assert asks("vouched")
    assert asks("vouched")
