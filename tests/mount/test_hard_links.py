"""Hard links and inode numbers, judged by the server's own disk."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer


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
