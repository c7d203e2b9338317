"""Previous versions of a share, made by hand for Samba's vfs_shadow_copy2."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mount, mounted
from tests.lab.samba import USER, SambaServer, account

_OLD = "@GMT-2024.01.31-12.00.00"
_NEW = "@GMT-2024.06.30-23.59.59"
_SHARES = {
    "plain": {
        "vfs objects": "shadow_copy2",
        "shadow:snapdir": ".snapshots",
        "shadow:snapdirseverywhere": "yes",
    },
    "without": {},
}


@pytest.fixture(scope="module", params=["no", "yes"], ids=["windows", "posix"])
def server(request: pytest.FixtureRequest) -> Iterator[SambaServer]:
    with SambaServer({"smb3 unix extensions": request.param}, _SHARES) as server:
        disk = server.path_of("plain")
        for name, text in (
            (f".snapshots/{_OLD}", "old"),
            (f".snapshots/{_NEW}", "new"),
            ("", "now"),
        ):
            place = disk / name
            (place / "directory").mkdir(parents=True, exist_ok=True)
            (place / "file").write_text(text)
            (place / "directory" / "inner").write_text(f"inner {text}")
        (disk / ".snapshots" / _OLD / "removed since").write_text("still here")
        (disk / ".snapshots" / _OLD / "removed directory").mkdir()
        (disk / ".snapshots" / _OLD / "removed directory" / "x").write_text("x")
        for path in [disk, *disk.rglob("*")]:
            os.chown(path, *account())
        yield server


@pytest.fixture(scope="module")
def old(server: SambaServer) -> Iterator[Path]:
    with mounted(server, "plain", f"snapshot={_OLD}") as directory:
        yield directory


def test_the_share_is_as_it_was(old: Path) -> None:
    assert (old / "file").read_text() == "old"
    assert (old / "directory" / "inner").read_text() == "inner old"
    assert (old / "removed since").read_text() == "still here"
    assert {"file", "directory", "removed since", "removed directory"} <= set(os.listdir(old))
    assert os.statvfs(old).f_blocks > 0


def test_nothing_can_be_written(old: Path) -> None:
    for attempt in (
        lambda: (old / "file").write_text("x"),
        lambda: (old / "fresh").mkdir(),
        lambda: (old / "file").unlink(),
        lambda: (old / "file").chmod(0o600),
    ):
        with pytest.raises(OSError) as caught:
            attempt()
        assert caught.value.errno == errno.EROFS


def test_rw_of_fstab_changes_nothing_about_it(server: SambaServer) -> None:
    with mounted(server, "plain", f"snapshot={_NEW}", "rw") as mnt:
        assert (mnt / "file").read_text() == "new"
        with pytest.raises(OSError) as caught:
            (mnt / "file").write_text("x")
        assert caught.value.errno == errno.EROFS


def test_a_time_in_numbers_and_a_directory_that_is_no_more(server: SambaServer) -> None:
    filetime = 116_444_736_000_000_000 + 1_706_702_400 * 10_000_000  # _OLD
    with mounted(server, "plain/removed directory", f"snapshot={filetime}") as mnt:
        assert os.listdir(mnt) == ["x"]
        assert (mnt / "x").read_text() == "x"


def test_a_snapshot_that_is_not_there_is_refused_with_those_that_are(
    server: SambaServer, tmp_path: Path
) -> None:
    for share, said in (("plain", f"there are {_NEW}, {_OLD}"), ("without", "snapshots")):
        done = mount(
            f"//{server.address}/{share}",
            tmp_path,
            [f"port={server.port}", f"username={USER}", "snapshot=@GMT-2020.01.01-00.00.00"],
        )
        assert done.returncode == 32
        assert said in done.stderr
        assert done.stderr.count("\n") == 1
