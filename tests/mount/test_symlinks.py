"""Symbolic links on shares without POSIX extensions: as files, and as reparse points."""

import os
import stat as modes
from collections.abc import Iterator
from pathlib import Path

import pytest

from smbmount.client.link_formats import MF_SIZE, pack_mf, unpack_mf
from smbmount.proto.reparse import (
    LxSymlink,
    MountPoint,
    NfsFile,
    NfsType,
    ReparsePoint,
    SymbolicLink,
)
from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer

_TARGETS = ("plain", "../up/and/down", "/etc/passwd", "ü/€/😀", "a:b*c", "x" * 1000, ".", "a b/")


@pytest.fixture(scope="module")
def mf(samba: SambaServer) -> Iterator[Path]:
    with mounted(samba, "plain", "mfsymlinks") as directory:
        yield directory


@pytest.fixture(scope="module")
def points(samba: SambaServer) -> Iterator[Path]:
    with mounted(samba) as directory:
        yield directory


@pytest.fixture(scope="module")
def disk(samba: SambaServer) -> Path:
    return samba.path_of("plain")


@pytest.mark.parametrize("number", range(len(_TARGETS)))
def test_a_link_is_a_file_of_the_format_on_the_servers_disk(
    mf: Path, disk: Path, number: int
) -> None:
    target = _TARGETS[number]
    path = mf / f"mf {number}"
    path.symlink_to(target)
    assert os.readlink(path) == target
    assert unpack_mf((disk / path.name).read_bytes()) == os.fsencode(target)
    seen = path.lstat()
    assert modes.S_ISLNK(seen.st_mode)
    assert seen.st_size == len(os.fsencode(target))


def test_a_link_of_another_client_is_followed(mf: Path, disk: Path) -> None:
    (disk / "pointed at").write_text("here")
    content = pack_mf(b"pointed at")
    assert content is not None
    (disk / "theirs").write_bytes(content)
    assert (mf / "theirs").read_text() == "here"
    types = {entry.name: entry.is_symlink() for entry in os.scandir(mf)}
    assert (types["theirs"], types["pointed at"]) == (True, False)


def test_a_file_of_the_links_size_stays_a_file(mf: Path, disk: Path) -> None:
    content = pack_mf(b"x")
    assert content is not None
    (disk / "broken").write_bytes(content.replace(b"XSym\n0001", b"XSym\n0002"))
    (mf / "random").write_bytes(os.urandom(MF_SIZE))
    for name in ("broken", "random"):
        assert modes.S_ISREG((mf / name).lstat().st_mode)
        assert (mf / name).lstat().st_size == MF_SIZE


def test_links_to_directories_are_walked_and_removed(mf: Path) -> None:
    (mf / "dir").mkdir()
    (mf / "dir" / "inside").write_text("inside")
    (mf / "to dir").symlink_to("dir", target_is_directory=True)
    assert (mf / "to dir" / "inside").read_text() == "inside"
    (mf / "to dir").rename(mf / "moved")
    assert os.readlink(mf / "moved") == "dir"
    (mf / "moved").unlink()
    assert (mf / "dir" / "inside").exists()


def test_a_directory_full_of_links_is_listed_with_types(mf: Path, disk: Path) -> None:
    (disk / "many").mkdir()
    for number in range(300):
        content = pack_mf(f"target {number}".encode())
        assert content is not None
        (disk / "many" / f"link {number}").write_bytes(content)
        (disk / "many" / f"file {number}").write_bytes(b"")
    links = {entry.name for entry in os.scandir(mf / "many") if entry.is_symlink()}
    assert links == {f"link {number}" for number in range(300)}


def test_without_the_option_link_files_are_files(points: Path, disk: Path) -> None:
    content = pack_mf(b"x")
    assert content is not None
    (disk / "just a file").write_bytes(content)
    assert modes.S_ISREG((points / "just a file").lstat().st_mode)


@pytest.mark.parametrize("number", range(len(_TARGETS)))
def test_a_reparse_point_links_without_the_option(
    points: Path, samba: SambaServer, number: int
) -> None:
    target = _TARGETS[number]
    path = points / f"point {number}"
    path.symlink_to(target)
    assert os.readlink(path) == target
    assert path.lstat().st_size == len(os.fsencode(target))
    with mounted(samba) as other:
        assert os.readlink(other / path.name) == target
        types = {entry.name: entry.is_symlink() for entry in os.scandir(other)}
        assert types[path.name]
    path.unlink()


@pytest.mark.parametrize(
    ("point", "target"),
    [
        (SymbolicLink("..\\a\\b", "..\\a\\b", True).point(), "../a/b"),
        (SymbolicLink("a\uf022b", "a:b", True).point(), "a:b"),
        (SymbolicLink("\\??\\C:\\Users", "C:\\Users", False).point(), "C:/Users"),
        (MountPoint("\\??\\D:\\data\\", "D:\\data").point(), "D:/data/"),
        (LxSymlink("/home/ü".encode()).point(), "/home/ü"),
        (NfsFile(NfsType.LNK, "../nfs".encode("utf-16-le")).point(), "../nfs"),
    ],
)
def test_links_of_windows_wsl_and_nfs_are_read(
    points: Path, disk: Path, samba: SambaServer, point: ReparsePoint, target: str
) -> None:
    name = f"theirs {abs(hash(target))}"
    (points / name).symlink_to("x")  # sets the attribute that goes with a reparse point
    os.setxattr(disk / name, "user.SmbReparse", point.pack())
    assert os.readlink(points / name) == target


def test_a_link_to_the_share_itself_is_followed(
    points: Path, disk: Path, samba: SambaServer
) -> None:
    (points / "deep").mkdir()
    (points / "deep" / "goal").write_text("reached")
    (points / "deep" / "unc").symlink_to("x")
    unc = f"\\??\\UNC\\{samba.address}\\plain\\deep\\goal"
    point = SymbolicLink(unc, unc, relative=False).point()
    os.setxattr(disk / "deep" / "unc", "user.SmbReparse", point.pack())
    assert os.readlink(points / "deep" / "unc") == "../deep/goal"
    assert (points / "deep" / "unc").read_text() == "reached"


def test_a_broken_link_of_another_client_is_shown_and_not_followed(
    points: Path, disk: Path
) -> None:
    (points / "broken point").symlink_to("x")
    data = ReparsePoint(0xA000_000C, b"\0\0\xff\xff\0\0\xff\xff\1\0\0\0").pack()
    os.setxattr(disk / "broken point", "user.SmbReparse", data)
    assert "broken point" in os.listdir(points)
    with pytest.raises(OSError, match="broken point"):
        (points / "broken point").read_bytes()
    (points / "broken point").unlink()


def test_a_link_that_cannot_be_kept_leaves_nothing(samba: SambaServer, tmp_path: Path) -> None:
    with mounted(samba, "readonly") as mnt:
        with pytest.raises(PermissionError):
            (mnt / "x").symlink_to("y")
        assert not os.listdir(samba.path_of("readonly"))
