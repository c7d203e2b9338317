"""A share with SMB3 POSIX extensions, judged by the server's own disk."""

import errno
import os
import shutil
import socket
import stat as modes
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import mixed_work
from tests.lab.mounts import ROOT, mount, mounted
from tests.lab.samba import SambaServer, account

_SHARES = {
    "plain": {"mangled names": "no"},
    "mangling": {},
    "busy": {},
    "administered": {"force user": "root"},
    "without": {"smb3 unix extensions": "no"},
}


@pytest.fixture(scope="module")
def unix() -> Iterator[SambaServer]:
    with SambaServer({"smb3 unix extensions": "yes"}, _SHARES) as server:
        yield server


@pytest.fixture(scope="module")
def mnt(unix: SambaServer) -> Iterator[Path]:
    with mounted(unix, "plain", "posix") as directory:
        yield directory


@pytest.fixture(scope="module")
def disk(unix: SambaServer) -> Path:
    return unix.path_of("plain")


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o444, 0o755, 0o664, 0o777, 0o000])
def test_a_new_file_has_the_mode_it_was_made_with(mnt: Path, disk: Path, mode: int) -> None:
    name = f"mode {mode:o}"
    old = os.umask(0)
    try:
        os.close(os.open(mnt / name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
    finally:
        os.umask(old)
    assert modes.S_IMODE((disk / name).stat().st_mode) == mode
    assert modes.S_IMODE((mnt / name).stat().st_mode) == mode


def test_the_umask_of_the_caller_counts(mnt: Path, disk: Path) -> None:
    old = os.umask(0o027)
    try:
        (mnt / "masked").write_bytes(b"")
        (mnt / "masked dir").mkdir()
    finally:
        os.umask(old)
    assert modes.S_IMODE((disk / "masked").stat().st_mode) == 0o640
    assert modes.S_IMODE((disk / "masked dir").stat().st_mode) == 0o750


def test_chmod_reaches_the_disk(mnt: Path, disk: Path) -> None:
    (mnt / "chmod").write_bytes(b"x")
    for mode in (0o600, 0o755, 0o400, 0o666):
        (mnt / "chmod").chmod(mode)
        assert modes.S_IMODE((disk / "chmod").stat().st_mode) == mode
        assert modes.S_IMODE((mnt / "chmod").stat().st_mode) == mode
    (mnt / "chmod dir").mkdir()
    (mnt / "chmod dir").chmod(0o711)
    assert modes.S_IMODE((disk / "chmod dir").stat().st_mode) == 0o711


def test_owners_of_the_server_are_seen(mnt: Path, disk: Path) -> None:
    (disk / "root's").write_bytes(b"")
    os.chown(disk / "root's", 0, 12345)
    seen = (mnt / "root's").stat()
    assert (seen.st_uid, seen.st_gid) == (0, 12345)
    [entry] = [entry for entry in os.scandir(mnt) if entry.name == "root's"]
    assert entry.stat().st_gid == 12345


def test_what_samba_calls_by_a_domain_sid_is_the_mounts_users(unix: SambaServer) -> None:
    (unix.path_of("plain") / "of the account").write_bytes(b"")
    os.chown(unix.path_of("plain") / "of the account", *account())
    with mounted(unix, "plain", "uid=4321,gid=4322") as mnt:
        seen = (mnt / "of the account").stat()
        assert (seen.st_uid, seen.st_gid) == (4321, account()[1])
    with mounted(unix, "plain", "uid=4321,gid=4322,forceuid,forcegid") as mnt:
        seen = (mnt / "of the account").stat()
        assert (seen.st_uid, seen.st_gid) == (4321, 4322)


def test_an_owner_that_the_server_will_not_set_is_eperm(mnt: Path) -> None:
    (mnt / "mine").write_bytes(b"")
    with pytest.raises(PermissionError) as caught:
        os.chown(mnt / "mine", 1, 1)
    assert caught.value.errno == errno.EPERM
    seen = (mnt / "mine").stat()
    os.chown(mnt / "mine", seen.st_uid, seen.st_gid)  # nothing changes, so nothing is refused
    os.chown(mnt / "mine", os.getuid(), os.getgid())  # ours stand for the server's account


def test_an_owner_that_the_server_sets_is_set(unix: SambaServer) -> None:
    with mounted(unix, "administered") as mnt:
        (mnt / "given").write_bytes(b"")
        os.chown(mnt / "given", 1, 2)
        on_disk = (unix.path_of("administered") / "given").stat()
        assert (on_disk.st_uid, on_disk.st_gid) == (1, 2)
        assert ((mnt / "given").stat().st_uid, (mnt / "given").stat().st_gid) == (1, 2)


def test_names_differ_by_case(mnt: Path, disk: Path) -> None:
    for name in ("case", "Case", "CASE"):
        (mnt / name).write_text(name)
    assert {name for name in os.listdir(disk) if name.lower() == "case"} == {"case", "Case", "CASE"}
    assert (mnt / "Case").read_text() == "Case"
    with pytest.raises(FileNotFoundError):
        (mnt / "cAsE").stat()


def test_all_characters_are_kept_as_they_are(mnt: Path, disk: Path) -> None:
    directory = mnt / 'all: *?"<>|\\'
    directory.mkdir()
    names = [
        "a:b",
        "back\\slash",
        "trailing dot.",
        "trailing space ",
        "con",
        "x*?",
        '"<>|',
        "\x01\n",
    ]
    for name in names:
        (directory / name).write_text(name)
    assert sorted(os.listdir(disk / directory.name)) == sorted(names)
    assert sorted(os.listdir(directory)) == sorted(names)
    for name in names:
        assert (directory / name).read_text() == name
        (directory / name).rename(directory / f"{name}2")
        (directory / f"{name}2").unlink()
    directory.rmdir()


def test_names_that_the_server_lists_shortened_are_shown_whole(unix: SambaServer) -> None:
    disk = unix.path_of("mangling")
    names = ["a:b", "back\\slash", "dot.", "x*?.txt", "REAL12~1", "ordinary"]
    with mounted(unix, "mangling") as mnt:
        for place in (mnt, mnt / "in: this", mnt / "in: this" / "and?" / "below"):
            place.mkdir(parents=True, exist_ok=True)
            for name in names:
                (place / name).write_text(name)
            there = disk / place.relative_to(mnt)
            assert sorted(os.listdir(place)) == sorted(os.listdir(there))
            for name in os.listdir(place):
                if not (place / name).is_dir():
                    assert (place / name).read_text() == name
        shutil.rmtree(mnt / "in: this")
    assert sorted(os.listdir(disk)) == sorted(names)


def test_an_unlinked_open_file_is_gone_at_once_and_lives_on(mnt: Path, disk: Path) -> None:
    path = mnt / "unlinked"
    with path.open("w+b") as file:
        file.write(b"before")
        file.flush()
        path.unlink()
        assert not (disk / "unlinked").exists()
        assert "unlinked" not in os.listdir(mnt)
        path.write_bytes(b"another")  # the name is free
        file.write(b" after")
        file.seek(0)
        assert file.read() == b"before after"
        assert os.fstat(file.fileno()).st_nlink == 0
        file.truncate(100)
        assert os.fstat(file.fileno()).st_size == 100
        file.seek(0)
        assert file.read() == b"before after" + bytes(88)
    assert (disk / "unlinked").read_bytes() == b"another"


def test_an_open_file_is_replaced_and_lives_on(mnt: Path, disk: Path) -> None:
    (mnt / "replaced").write_bytes(b"old")
    (mnt / "replacement").write_bytes(b"new")
    with (mnt / "replaced").open("rb") as file:
        (mnt / "replacement").rename(mnt / "replaced")
        assert (disk / "replaced").read_bytes() == b"new"
        assert (mnt / "replaced").read_bytes() == b"new"
        assert file.read() == b"old"
    end = time.monotonic() + 5  # the kernel tells of the last close after close(2) has returned
    while time.monotonic() < end and any(n.startswith(".smbmount") for n in os.listdir(disk)):
        time.sleep(0.02)
    assert not [name for name in os.listdir(disk) if name.startswith(".smbmount")]


@pytest.mark.parametrize("mode", [0o000, 0o100, 0o200, 0o444])
def test_an_owner_does_what_owners_may(mnt: Path, disk: Path, mode: int) -> None:
    """Whatever the mode of a file says about its content."""
    path = mnt / f"owned {mode:o}"
    path.write_bytes(b"content")
    path.chmod(mode)
    assert path.lstat().st_mode & 0o777 == mode
    os.utime(path, ns=(10**18, 10**18))
    assert (disk / path.name).stat().st_mtime_ns == 10**18
    assert (disk / path.name).stat().st_mode & 0o777 == mode
    os.link(path, mnt / "second name")
    (mnt / "second name").unlink()
    path.rename(mnt / "renamed")
    (mnt / "renamed").chmod(0o600)
    assert (mnt / "renamed").read_bytes() == b"content"
    (mnt / "renamed").chmod(mode)
    (mnt / "renamed").unlink()
    assert not (disk / "renamed").exists()


@pytest.mark.parametrize("target", ["back\\slash", "a//b/./c", "größe 海 🐚", "/:*?"])
def test_a_link_leads_where_it_was_told_to(mnt: Path, target: str) -> None:
    path = mnt / "odd target"
    path.symlink_to(target)
    time.sleep(1.1)  # the kernel remembers no longer
    assert os.readlink(path) == target
    assert path.lstat().st_size == len(target.encode())
    path.unlink()


@pytest.mark.parametrize("options", ["posix", "noposix", "noposix,sfu"])
def test_a_link_to_what_is_not_utf_8_is_refused(unix: SambaServer, options: str) -> None:
    with mounted(unix, "plain", *options.split(",")) as mnt:
        with pytest.raises(OSError) as failed:
            os.symlink(b"\xff", os.fsencode(mnt / "not utf-8"))
        assert failed.value.errno == errno.EILSEQ
        assert not (mnt / "not utf-8").is_symlink()


def test_tar_gives_back_links_that_lead_upwards(mnt: Path, tmp_path: Path) -> None:
    """It makes them files that nobody may read first, and removes those in the end."""
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "file").write_bytes(b"x")
    (tmp_path / "tree" / "below" / "link").symlink_to("../file")
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "archive.tar", "tree"], check=True)
    subprocess.run(["tar", "-C", mnt, "-xf", tmp_path / "archive.tar"], check=True)
    assert os.readlink(mnt / "tree" / "below" / "link") == "../file"


def test_links_of_the_server_are_links(mnt: Path, disk: Path) -> None:
    (disk / "pointed").write_text("there")
    for name, target in (
        ("ln", "pointed"),
        ("deep", "../x/y"),
        ("abs", "/etc/passwd"),
        ("b", "a\\b"),
    ):
        (disk / name).symlink_to(target)
        assert os.readlink(mnt / name) == target
        assert (mnt / name).lstat().st_size == len(target)
    assert (mnt / "ln").read_text() == "there"
    types = {entry.name: entry.is_symlink() for entry in os.scandir(mnt)}
    assert types["ln"]
    assert not types["pointed"]


def test_links_made_here_are_links(unix: SambaServer, mnt: Path) -> None:
    for name, target in (
        ("l1", "a/b"),
        ("l2", "/abs"),
        ("l3", "a:b\\c*"),
        ("l4", "ü" * 500),
        ("l5", ".."),
    ):
        (mnt / name).symlink_to(target)
        assert os.readlink(mnt / name) == target
        assert (mnt / name).lstat().st_size == len(os.fsencode(target))
        with mounted(unix, "plain") as other:
            assert os.readlink(other / name) == target
    (mnt / "l1").unlink()
    assert not (mnt / "l1").is_symlink()


def test_special_files_of_the_server_are_seen(mnt: Path, disk: Path) -> None:
    os.mkfifo(disk / "their fifo")
    os.mknod(disk / "their tty", modes.S_IFCHR | 0o620, os.makedev(5, 7))
    os.mknod(disk / "their disk", modes.S_IFBLK | 0o660, os.makedev(8, 300))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(disk / "their socket"))
    for name in ("their tty", "their disk"):  # Samba tells only the owner which device it is
        os.chown(disk / name, *account())
    kinds = {entry.name: entry.stat(follow_symlinks=False) for entry in os.scandir(mnt)}
    assert modes.S_ISFIFO(kinds["their fifo"].st_mode)
    assert modes.S_ISSOCK(kinds["their socket"].st_mode)
    assert modes.S_ISCHR(kinds["their tty"].st_mode)
    assert kinds["their tty"].st_rdev == (mnt / "their tty").stat().st_rdev == os.makedev(5, 7)
    assert (mnt / "their disk").stat().st_rdev == os.makedev(8, 300)


def test_special_files_made_here_work(unix: SambaServer, mnt: Path) -> None:
    old = os.umask(0)
    os.mkfifo(mnt / "fifo", 0o662)
    os.umask(old)
    os.mknod(mnt / "device", modes.S_IFCHR | 0o600, os.makedev(1, 3))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(mnt / "socket"))
        listener.listen()
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(mnt / "socket"))
    with mounted(unix, "plain") as other:
        assert modes.S_ISFIFO((other / "fifo").stat().st_mode)
        assert modes.S_ISSOCK((other / "socket").stat().st_mode)
        assert (other / "device").stat().st_rdev == os.makedev(1, 3)
        assert modes.S_IMODE((other / "fifo").stat().st_mode) == 0o662


def test_inodes_and_link_counts_are_the_servers(mnt: Path, disk: Path) -> None:
    (mnt / "one").write_text("x")
    os.link(mnt / "one", mnt / "two")
    on_disk = (disk / "one").stat()
    for name in ("one", "two"):
        seen = (mnt / name).stat()
        assert (seen.st_ino, seen.st_nlink) == (on_disk.st_ino, 2)
    (mnt / "one").unlink()
    assert (mnt / "two").stat().st_nlink == 1
    (mnt / "sub").mkdir()
    (mnt / "sub" / "subsub").mkdir()
    assert (mnt / "sub").stat().st_nlink == (disk / "sub").stat().st_nlink


def test_statvfs_counts_inodes(mnt: Path, disk: Path) -> None:
    here, there = os.statvfs(mnt), os.statvfs(disk)
    assert here.f_files == there.f_files
    assert abs(here.f_bfree * here.f_frsize - there.f_bfree * there.f_frsize) < 1 << 28


def test_a_share_without_them_is_used_as_it_is(unix: SambaServer) -> None:
    with mounted(unix, "without", "file_mode=0640") as mnt:
        (mnt / "plain").write_bytes(b"")
        assert modes.S_IMODE((mnt / "plain").stat().st_mode) == 0o640


def test_demanding_what_a_share_has_not_is_refused(unix: SambaServer, tmp_path: Path) -> None:
    words = [f"port={unix.port}", "username=smbmount-lab", "posix"]
    done = mount(f"//{unix.address}/without", tmp_path, words)
    assert done.returncode != 0
    assert "POSIX extensions" in done.stderr


def test_noposix_leaves_them_unused(unix: SambaServer) -> None:
    with mounted(unix, "plain", "noposix", "file_mode=0604") as mnt:
        (mnt / "no posix").write_bytes(b"")
        assert modes.S_IMODE((mnt / "no posix").stat().st_mode) == 0o604
        (mnt / "a:b").write_bytes(b"")
    assert (unix.path_of("plain") / "a\uf022b").exists()


def test_processes_at_work_find_what_they_wrote(unix: SambaServer) -> None:
    with mounted(unix, "busy") as mnt:
        mixed_work.fill_shared(unix.path_of("busy") / mixed_work.SHARED)
        words = [sys.executable, "-m", "tests.lab.mixed_work", str(mnt)]
        workers = [
            subprocess.Popen([*words, str(seed), "8"], stderr=subprocess.PIPE, text=True, cwd=ROOT)
            for seed in range(4)
        ]
        for worker in workers:
            _, complaint = worker.communicate(timeout=120)
            assert worker.returncode == 0, complaint
