"""Files that lose their name while they are open, on a share without POSIX extensions."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer


@pytest.fixture(scope="module")
def mnt(samba: SambaServer) -> Iterator[Path]:
    with mounted(samba) as directory:
        (directory / "unlinked").mkdir()
        yield directory / "unlinked"


def _wait_for(samba: SambaServer, names: list[str]) -> None:
    """Until the server's disk holds these names; the last close is answered before it is done."""
    end = time.monotonic() + 10
    while (found := os.listdir(samba.path_of("plain") / "unlinked")) != names:
        assert time.monotonic() < end, found
        time.sleep(0.01)


def test_an_unlinked_open_file_is_gone_at_once_and_lives_on(samba: SambaServer, mnt: Path) -> None:
    path = mnt / "gone"
    with path.open("w+b") as file:
        file.write(b"before")
        file.flush()
        path.unlink()
        assert "gone" not in os.listdir(mnt)
        assert not path.exists()
        path.write_bytes(b"another")
        file.write(b" after")
        file.seek(0)
        assert file.read() == b"before after"
        assert os.listdir(mnt) == ["gone"]
    assert path.read_bytes() == b"another"
    _wait_for(samba, ["gone"])
    path.unlink()


def test_an_open_file_is_replaced_and_lives_on(samba: SambaServer, mnt: Path) -> None:
    (mnt / "old").write_bytes(b"old")
    (mnt / "new").write_bytes(b"new")
    with (mnt / "old").open("rb") as file:
        (mnt / "new").rename(mnt / "old")
        assert (mnt / "old").read_bytes() == b"new"
        assert file.read() == b"old"
        assert os.listdir(mnt) == ["old"]
    _wait_for(samba, ["old"])
    (mnt / "old").unlink()


def test_a_read_only_file_is_replaced(samba: SambaServer, mnt: Path) -> None:
    (mnt / "ro").write_bytes(b"old")
    (mnt / "ro").chmod(0o444)
    (mnt / "rw").write_bytes(b"new")
    (mnt / "rw").rename(mnt / "ro")
    assert (mnt / "ro").read_bytes() == b"new"
    _wait_for(samba, ["ro"])


def test_a_rename_that_is_not_allowed_says_so(samba: SambaServer) -> None:
    disk = samba.path_of("plain") / "locked up"
    disk.mkdir()
    (disk / "file").write_bytes(b"x")  # root's, in a directory of root's
    with mounted(samba) as other:
        for target in ("new", "file 2"):
            with pytest.raises(PermissionError):
                (other / "locked up" / "file").rename(other / "locked up" / target)
            (disk / "file 2").write_bytes(b"y")
    assert sorted(os.listdir(disk)) == ["file", "file 2"]
