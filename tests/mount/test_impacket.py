"""A server that is not Samba: impacket's, which shares no code with it."""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.impacket_server import PASSWORD, USER, ImpacketServer
from tests.lab.mounts import mount, unmount


@pytest.fixture(scope="module")
def server() -> Iterator[ImpacketServer]:
    with ImpacketServer() as server:
        yield server


@pytest.fixture
def place(server: ImpacketServer, tmp_path: Path) -> Iterator[Path]:
    options = [f"port={server.port}", f"username={USER}"]
    done = mount(f"//{server.address}/{server.share}", tmp_path, options, password=PASSWORD)
    try:
        assert done.returncode == 0, done.stderr
        yield tmp_path
    finally:
        unmount(tmp_path)


def test_files_are_written_listed_read_renamed_and_deleted(
    server: ImpacketServer, place: Path
) -> None:
    content = os.urandom(1_000_001)
    (place / "dir").mkdir()
    (place / "dir" / "new").write_bytes(content)
    assert (server.path / "dir" / "new").read_bytes() == content
    assert os.listdir(place / "dir") == ["new"]
    assert (place / "dir" / "new").stat().st_size == len(content)
    assert (place / "dir" / "new").read_bytes() == content
    os.rename(place / "dir" / "new", place / "old")
    assert sorted(os.listdir(server.path)) == ["dir", "old"]
    (place / "old").unlink()
    (place / "dir").rmdir()
    assert os.listdir(server.path) == []


def test_it_says_what_room_there_is_and_lives_on(place: Path) -> None:
    """Its answer to FileFsFullSizeInformation is four bytes of something else."""
    assert os.statvfs(place).f_blocks > 0
    assert os.listdir(place) == []


def test_a_tree_goes_in_and_out(server: ImpacketServer, place: Path) -> None:
    source = "/usr/share/common-licenses"
    subprocess.run(["cp", "-rL", source, place / "tree"], check=True)
    subprocess.run(["diff", "-r", source, server.path / "tree"], check=True)
    subprocess.run(["diff", "-r", source, place / "tree"], check=True)
    subprocess.run(["rm", "-r", place / "tree"], check=True)
    assert not (server.path / "tree").exists()


def test_a_link_that_the_server_cannot_keep_leaves_nothing(
    server: ImpacketServer, place: Path
) -> None:
    (place / "target").write_bytes(b"x")
    makers: list[Callable[[], None]] = [
        lambda: (place / "link").symlink_to("target"),
        lambda: os.mkfifo(place / "link"),
        lambda: os.link(place / "target", place / "link"),
    ]
    for make in makers:
        with pytest.raises(OSError) as caught:
            make()
        assert caught.value.errno == errno.EOPNOTSUPP
        assert os.listdir(place) == os.listdir(server.path)
        assert not (server.path / "link").exists()
