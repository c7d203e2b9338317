"""Mounting as an ordinary user, through fusermount3, with a real account."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.accounts import Account, ordinary_account
from tests.lab.mounts import daemon_of, is_mounted, mount, unmount, wait_gone
from tests.lab.samba import USER, SambaServer


@pytest.fixture(scope="module")
def somebody() -> Iterator[Account]:
    with ordinary_account() as account:
        yield account


@pytest.fixture
def place(samba: SambaServer, somebody: Account) -> Iterator[Path]:
    """A mount that the account made itself."""
    mountpoint = somebody.home / "mnt"
    somebody.run("mkdir", "-p", mountpoint)
    done = mount(
        f"//{samba.address}/plain",
        mountpoint,
        [f"port={samba.port}", f"username={USER}"],
        prefix=somebody.prefix,
        command=somebody.command,
    )
    try:
        assert done.returncode == 0, done.stderr
        yield mountpoint
    finally:
        unmount(mountpoint)


def test_an_ordinary_user_mounts_and_works(
    samba: SambaServer, somebody: Account, place: Path
) -> None:
    assert somebody.run("sh", "-c", f"echo mine > {place}/note; mkdir {place}/dir").stderr == ""
    listed = somebody.run("ls", "-ln", place)
    assert listed.stderr == ""
    (line,) = [line for line in listed.stdout.splitlines() if line.endswith(" note")]
    assert line.split()[2:4] == [str(somebody.uid), str(somebody.gid)]
    assert (samba.path_of("plain") / "note").read_text() == "mine\n"
    copied = somebody.run("cp", "-rL", "/usr/share/common-licenses", f"{place}/copied")
    assert copied.stderr == ""
    compared = somebody.run("diff", "-r", "/usr/share/common-licenses", f"{place}/copied")
    assert (compared.stdout, compared.returncode) == ("", 0)


def test_others_are_kept_out(place: Path) -> None:
    """Without allow_other even root is another user (fuse(4))."""
    with pytest.raises(PermissionError):
        os.listdir(place)


def test_the_user_unmounts_it_again(somebody: Account, place: Path) -> None:
    pid = daemon_of(place)
    assert pid is not None
    done = somebody.run("fusermount3", "-u", place)
    assert (done.returncode, done.stderr) == (0, "")
    wait_gone(pid, 2)
    assert not is_mounted(place)


def test_sigterm_unmounts_it_too(somebody: Account, place: Path) -> None:
    pid = daemon_of(place)
    assert pid is not None
    assert somebody.run("sh", "-c", f"kill {pid}").returncode == 0
    wait_gone(pid, 2)
    assert not is_mounted(place)


def test_a_mount_point_of_somebody_elses_is_refused(
    samba: SambaServer, somebody: Account, tmp_path: Path
) -> None:
    done = mount(
        f"//{samba.address}/plain",
        tmp_path,
        [f"port={samba.port}", f"username={USER}"],
        prefix=somebody.prefix,
        command=somebody.command,
    )
    assert done.returncode == 32
    assert str(tmp_path) in done.stderr
    assert not is_mounted(tmp_path)
