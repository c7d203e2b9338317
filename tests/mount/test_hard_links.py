"""Hard links and inode numbers, judged by the server's own disk."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SHARES, SambaServer


@pytest.fixture(scope="module")
def mnt(samba: SambaServer) -> Iterator[Path]:
    with mounted(samba) as directory:
        yield directory


def test_two_names_are_one_file(samba: SambaServer, mnt: Path) -> None:
    (mnt / "one").write_bytes(b"content")
    (mnt / "linked dir").mkdir()
    os.link(mnt / "one", mnt / "linked dir" / "two")
    disk = samba.path_of("plain")
    assert (disk / "one").samefile(disk / "linked dir" / "two")
    one, two = (mnt / "one").stat(), (mnt / "linked dir" / "two").stat()
    assert (one.st_ino, one.st_nlink) == (two.st_ino, two.st_nlink)
    assert one.st_nlink == 2
    (mnt / "linked dir" / "two").write_bytes(b"changed")
    assert (mnt / "one").read_bytes() == b"changed"
    listed = {entry.name: entry.inode() for entry in os.scandir(mnt)}
    assert listed["one"] == two.st_ino


def test_one_name_may_go(mnt: Path) -> None:
    (mnt / "a").write_bytes(b"stays")
    os.link(mnt / "a", mnt / "b")
    (mnt / "a").unlink()
    assert (mnt / "b").read_bytes() == b"stays"
    assert (mnt / "b").stat().st_nlink == 1


def test_a_listing_leaves_the_count_of_names_as_it_is(mnt: Path) -> None:
    (mnt / "counted").mkdir()
    (mnt / "counted" / "a").touch()
    os.link(mnt / "counted" / "a", mnt / "counted" / "b")
    assert [entry.stat().st_nlink for entry in os.scandir(mnt / "counted")] == [2, 2]
    (mnt / "counted" / "b").unlink()
    assert [entry.stat().st_nlink for entry in os.scandir(mnt / "counted")] == [1]


@pytest.mark.parametrize("extensions", ["yes", "no"])
@pytest.mark.parametrize("gone", ["a", "b"])
def test_a_removed_name_of_an_open_file_does_not_count(extensions: str, gone: str) -> None:
    """The server counts it until the last close."""
    options = {"smb3 unix extensions": extensions}
    with (
        SambaServer(options, {"plain": SHARES["plain"]}) as server,
        mounted(server, "plain") as mnt,
    ):
        (mnt / "a").write_bytes(b"x")
        os.link(mnt / "a", mnt / "b")
        (left,) = {"a", "b"} - {gone}
        with open(mnt / "a") as file:
            os.unlink(mnt / gone)
            for pause in (0, 1.1):  # so long the kernel remembers
                time.sleep(pause)
                assert [entry.stat().st_nlink for entry in os.scandir(mnt)] == [1]
                assert os.fstat(file.fileno()).st_nlink == 1
        for pause in (0, 1.1):
            time.sleep(pause)
            assert (mnt / left).stat().st_nlink == 1


def test_a_name_that_is_taken_is_not_replaced(mnt: Path) -> None:
    (mnt / "x").write_bytes(b"x")
    (mnt / "y").write_bytes(b"y")
    with pytest.raises(FileExistsError):
        os.link(mnt / "x", mnt / "y")
    assert (mnt / "y").read_bytes() == b"y"


def test_directories_have_no_second_name(mnt: Path) -> None:
    (mnt / "directory").mkdir()
    with pytest.raises(PermissionError):
        os.link(mnt / "directory", mnt / "second")


def test_a_read_only_file_gets_a_second_name(mnt: Path) -> None:
    (mnt / "ro").write_bytes(b"x")
    (mnt / "ro").chmod(0o444)
    os.link(mnt / "ro", mnt / "ro 2")
    assert (mnt / "ro 2").stat().st_nlink == 2


def test_links_of_the_server_share_their_number(samba: SambaServer, mnt: Path) -> None:
    disk = samba.path_of("plain")
    (disk / "s1").write_bytes(b"")
    os.link(disk / "s1", disk / "s2")
    assert (mnt / "s1").stat().st_ino == (mnt / "s2").stat().st_ino == (disk / "s1").stat().st_ino
    assert (mnt / "s1").stat().st_nlink == 2


def test_noserverino_makes_numbers_up(samba: SambaServer) -> None:
    disk = samba.path_of("plain")
    (disk / "n1").write_bytes(b"1")
    os.link(disk / "n1", disk / "n2")
    with mounted(samba, "plain", "noserverino") as mnt:
        one, two = (mnt / "n1").stat(), (mnt / "n2").stat()
        assert len({one.st_ino, two.st_ino, (disk / "n1").stat().st_ino}) == 3
        assert (mnt / "n1").stat().st_ino == one.st_ino
        assert (mnt / "n2").read_bytes() == b"1"
