"""Fifos, sockets and devices on shares without POSIX extensions."""

import os
import socket
import stat as modes
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SHARES, SambaServer


@pytest.fixture(scope="module", params=["sfu", "nosfu"])
def mnt(samba: SambaServer, request: pytest.FixtureRequest) -> Iterator[Path]:
    with mounted(samba, "plain", str(request.param)) as directory:
        (directory / str(request.param)).mkdir()
        yield directory / str(request.param)


def test_a_fifo_carries_what_is_written(mnt: Path) -> None:
    path = mnt / "fifo"
    os.mkfifo(path)
    assert modes.S_ISFIFO(path.stat().st_mode)
    writer = threading.Thread(target=path.write_text, args=("through",))
    writer.start()
    assert path.read_text() == "through"
    writer.join()


def test_a_socket_is_one(mnt: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(mnt / "socket"))
        assert modes.S_ISSOCK((mnt / "socket").stat().st_mode)


def test_devices_have_their_numbers(mnt: Path) -> None:
    os.mknod(mnt / "chr", modes.S_IFCHR | 0o600, os.makedev(1, 5))
    os.mknod(mnt / "blk", modes.S_IFBLK | 0o600, os.makedev(259, 70_000))
    assert (mnt / "chr").stat().st_rdev == os.makedev(1, 5)
    assert (mnt / "blk").stat().st_rdev == os.makedev(259, 70_000)


@pytest.mark.parametrize("extensions", ["yes", "no"])
def test_what_is_renamed_stays_what_it_is(extensions: str) -> None:
    options = {"smb3 unix extensions": extensions}
    with SambaServer(options, {"plain": SHARES["plain"]}) as server:
        with mounted(server, "plain") as mnt:
            (mnt / "below").mkdir()
            for name in ("moved", "replacing", "over an open one", "below/out"):
                (mnt / f"{name} link").symlink_to(f"target of {name}")
                os.mkfifo(mnt / f"{name} fifo")
            for kind in ("link", "fifo"):
                for name in ("full", "open"):
                    (mnt / f"{name} {kind}").write_text("in the way")
                (mnt / f"moved {kind}").rename(mnt / "below" / f"in {kind}")
                (mnt / f"below/out {kind}").rename(mnt / f"out {kind}")
                (mnt / f"replacing {kind}").rename(mnt / f"full {kind}")
                with open(mnt / f"open {kind}") as held:
                    (mnt / f"over an open one {kind}").rename(mnt / f"open {kind}")
                    assert held.read() == "in the way"
        with mounted(server, "plain") as other:
            for place, name in (
                ("below/in", "moved"),
                ("out", "below/out"),
                ("full", "replacing"),
                ("open", "over an open one"),
            ):
                assert os.readlink(other / f"{place} link") == f"target of {name}"
                assert modes.S_ISFIFO((other / f"{place} fifo").lstat().st_mode)


def test_a_link_has_a_second_name(samba: SambaServer) -> None:
    with mounted(samba, "plain") as mnt:
        (mnt / "first name").symlink_to("somewhere")
        os.link(mnt / "first name", mnt / "second name", follow_symlinks=False)
        assert os.readlink(mnt / "second name") == "somewhere"
        assert (mnt / "first name").lstat().st_ino == (mnt / "second name").lstat().st_ino


def test_others_see_and_remove_them(samba: SambaServer, mnt: Path) -> None:
    for name, kind in (("f", modes.S_IFIFO), ("c", modes.S_IFCHR), ("b", modes.S_IFBLK)):
        os.mknod(mnt / name, kind | 0o600, os.makedev(7, 9))
        with mounted(samba, "plain", mnt.name) as other:
            listed = {entry.name: entry.stat() for entry in os.scandir(other / mnt.name)}
            assert modes.S_IFMT(listed[name].st_mode) == kind
            (other / mnt.name / name).unlink()
    assert not (samba.path_of("plain") / mnt.name / "f").exists()


def test_the_disk_holds_interix_files(samba: SambaServer) -> None:
    with mounted(samba, "plain", "sfu") as mnt:
        os.mknod(mnt / "interix", modes.S_IFCHR | 0o600, os.makedev(4, 64))
        (mnt / "interix link").symlink_to("a/b")
    disk = samba.path_of("plain")
    content = (disk / "interix").read_bytes()
    assert content == b"IntxCHR\0" + (4).to_bytes(8, "little") + (64).to_bytes(8, "little")
    assert (disk / "interix link").read_bytes() == b"IntxLNK\1" + "a/b".encode("utf-16-le")
    done = samba.smbclient("plain", "allinfo interix")
    assert "attributes: S" in done.stdout or "attributes: AS" in done.stdout, done.stdout


def test_without_sfu_they_are_what_they_are_on_the_disk(samba: SambaServer) -> None:
    with mounted(samba, "plain", "sfu") as mnt:
        os.mkfifo(mnt / "hidden fifo")
    with mounted(samba, "plain") as mnt:
        assert modes.S_ISREG((mnt / "hidden fifo").stat().st_mode)
