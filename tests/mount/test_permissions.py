"""Modes and owners on shares without POSIX extensions."""

import os
import stat as modes
from pathlib import Path

from tests.lab.accounts import ordinary_account
from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer


def _mode(path: Path) -> int:
    return modes.S_IMODE(path.stat().st_mode)


def test_chmod_is_the_read_only_attribute_and_no_more(samba: SambaServer) -> None:
    with mounted(samba, "plain", "file_mode=0640,dir_mode=0750") as mnt:
        (mnt / "permission file").write_bytes(b"")
        (mnt / "permission dir").mkdir()
        (mnt / "permission file").chmod(0o755)
        assert (_mode(mnt / "permission file"), _mode(mnt / "permission dir")) == (0o640, 0o750)
        (mnt / "permission file").chmod(0o500)
        assert _mode(mnt / "permission file") == 0o440
        os.chown(mnt / "permission file", 1, 1)
        assert (mnt / "permission file").stat().st_uid == os.getuid()


def test_dynperm_remembers_until_the_mount_ends(samba: SambaServer) -> None:
    with mounted(samba, "plain", "dynperm") as mnt:
        (mnt / "dynamic").write_bytes(b"")
        assert _mode(mnt / "dynamic") == 0o644  # what it was made with
        (mnt / "dynamic").chmod(0o4711)
        os.chown(mnt / "dynamic", 12, 34)
        seen = (mnt / "dynamic").stat()
        # chown(2) takes the set-id bits, as everywhere
        assert (_mode(mnt / "dynamic") & 0o777, seen.st_uid, seen.st_gid) == (0o711, 12, 34)
        [entry] = [entry for entry in os.scandir(mnt) if entry.name == "dynamic"]
        assert entry.stat().st_uid == 12
    with mounted(samba, "plain") as mnt:
        assert (_mode(mnt / "dynamic"), (mnt / "dynamic").stat().st_uid) == (0o755, os.getuid())


def test_noperm_leaves_the_decision_to_the_server(samba: SambaServer) -> None:
    (samba.path_of("plain") / "secret").write_bytes(b"x")
    with ordinary_account() as user:
        for option, works in (("perm", False), ("noperm", True)):
            with mounted(samba, "plain", option, "allow_other", "file_mode=0600") as mnt:
                mnt.parent.chmod(0o755)
                done = user.run("cat", mnt / "secret")
                assert (done.returncode == 0) == works, done.stderr
