"""Extended attributes, judged by the server's own disk and by Samba's own clients."""

import errno
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer

_SHARES = {
    "plain": {"ea support": "yes", "vfs objects": "acl_xattr streams_xattr"},
    "without": {"ea support": "no", "vfs objects": ""},
}


@pytest.fixture(scope="module", params=["no", "yes"], ids=["windows", "posix"])
def server(request: pytest.FixtureRequest) -> Iterator[SambaServer]:
    options = {"smb3 unix extensions": request.param}
    with SambaServer(options, _SHARES) as server:
        yield server


@pytest.fixture(scope="module")
def mnt(server: SambaServer) -> Iterator[Path]:
    with mounted(server) as directory:
        yield directory


@pytest.fixture
def file(mnt: Path, request: pytest.FixtureRequest) -> Path:
    path: Path = mnt / request.node.name.replace("[", " ").replace("]", "")
    path.write_bytes(b"content")
    return path


@contextmanager
def _failure(code: int) -> Iterator[None]:
    with pytest.raises(OSError) as caught:
        yield
    assert caught.value.errno == code


def _on_disk(server: SambaServer, file: Path) -> Path:
    return server.path_of("plain") / file.name


def test_a_value_is_the_same_on_the_servers_disk(server: SambaServer, file: Path) -> None:
    value = bytes(range(256))
    os.setxattr(file, "user.mine", value)
    assert os.getxattr(_on_disk(server, file), "user.mine") == value
    assert os.getxattr(file, "user.mine") == value
    assert os.listxattr(file) == ["user.mine"]
    os.setxattr(file, "user.mine", b"another")
    assert os.getxattr(_on_disk(server, file), "user.mine") == b"another"


def test_what_the_server_has_is_seen(server: SambaServer, file: Path) -> None:
    disk = _on_disk(server, file)
    os.setxattr(disk, "user.first", b"1")
    os.setxattr(disk, "user.second", b"2")
    assert sorted(os.listxattr(file)) == ["user.first", "user.second"]
    assert os.getxattr(file, "user.second") == b"2"


def test_the_case_of_a_name_does_not_count(file: Path) -> None:
    os.setxattr(file, "user.Mixed", b"value")
    assert os.getxattr(file, "user.mIXED") == b"value"
    with _failure(errno.EEXIST):
        os.setxattr(file, "user.MIXED", b"x", os.XATTR_CREATE)


def test_a_removed_attribute_is_gone(server: SambaServer, file: Path) -> None:
    os.setxattr(file, "user.mine", b"value")
    os.removexattr(file, "user.mine")
    assert "user.mine" not in os.listxattr(_on_disk(server, file))
    assert os.listxattr(file) == []
    with _failure(errno.ENODATA):
        os.getxattr(file, "user.mine")
    with _failure(errno.ENODATA):
        os.removexattr(file, "user.mine")


def test_create_and_replace_are_heeded(file: Path) -> None:
    with _failure(errno.ENODATA):
        os.setxattr(file, "user.mine", b"1", os.XATTR_REPLACE)
    os.setxattr(file, "user.mine", b"1", os.XATTR_CREATE)
    with _failure(errno.EEXIST):
        os.setxattr(file, "user.mine", b"2", os.XATTR_CREATE)
    assert os.getxattr(file, "user.mine") == b"1"
    os.setxattr(file, "user.mine", b"3", os.XATTR_REPLACE)
    assert os.getxattr(file, "user.mine") == b"3"


def test_directories_have_them_too(server: SambaServer, mnt: Path) -> None:
    (mnt / "directory").mkdir()
    os.setxattr(mnt / "directory", "user.mine", b"value")
    assert os.getxattr(server.path_of("plain") / "directory", "user.mine") == b"value"
    os.setxattr(mnt, "user.root", b"value")
    assert os.getxattr(mnt, "user.root") == b"value"
    os.removexattr(mnt, "user.root")


def test_what_cannot_be_kept_is_refused(file: Path) -> None:
    with _failure(errno.EINVAL):
        os.setxattr(file, "user.empty", b"")
    with _failure(errno.EINVAL):
        os.setxattr(file, "user.größe", b"1")
    with _failure(errno.E2BIG):
        os.setxattr(file, "user.large", bytes(65_536))


def test_other_namespaces_are_not_supported(file: Path) -> None:
    for name in ("security.capability", "system.posix_acl_access", "trusted.mine"):
        with _failure(errno.EOPNOTSUPP):
            os.getxattr(file, name)
    with _failure(errno.EOPNOTSUPP):
        os.setxattr(file, "trusted.mine", b"1")


def test_a_short_buffer_is_told(file: Path) -> None:
    """getfattr(1) and Python ask with small buffers first; what does not fit is asked for again."""
    os.setxattr(file, "user.long", b"x" * 2_000)
    told = subprocess.run(
        ["getfattr", "--only-values", "-n", "user.long", str(file)], capture_output=True, check=True
    )
    assert told.stdout == b"x" * 2_000


def test_many_large_values_are_all_read(server: SambaServer, mnt: Path) -> None:
    """More than one credit pays for: 64 KiB. Disks like ext4 keep 4 KiB, so this is in memory."""
    disk = server.path_of("plain") / "memory"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=777", "tmpfs", str(disk)], check=True)
    try:
        file = mnt / "memory" / "file"
        file.write_bytes(b"")
        try:
            os.setxattr(disk / "file", "user.probe", b"x")
        except OSError:
            pytest.skip("tmpfs of this kernel keeps no user attributes (Linux before 6.6)")
        for number in range(5):
            os.setxattr(file, f"user.large{number}", bytes([65 + number]) * 60_000)
        assert len(os.listxattr(file)) == 6
        for number in range(5):
            assert os.getxattr(file, f"user.large{number}") == bytes([65 + number]) * 60_000
        os.setxattr(file, "user.largest", bytes(65_535))
        assert os.getxattr(file, "user.largest") == bytes(65_535)
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_rsync_and_cp_take_them_along(mnt: Path, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.mkdir()
    (source / "file").write_bytes(b"content")
    os.setxattr(source / "file", "user.origin", b"elsewhere")
    os.setxattr(source, "user.origin", b"directory")
    subprocess.run(["rsync", "-rtX", f"{source}/", f"{mnt}/rsynced/"], check=True)
    assert os.getxattr(mnt / "rsynced" / "file", "user.origin") == b"elsewhere"
    assert os.getxattr(mnt / "rsynced", "user.origin") == b"directory"
    command = ["cp", "-r", "--preserve=xattr", f"{mnt}/rsynced", str(back)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stderr == ""
    assert os.getxattr(back / "file", "user.origin") == b"elsewhere"
    again = ["rsync", "-rtX", "--itemize-changes", f"{source}/", f"{mnt}/rsynced/"]
    assert subprocess.run(again, check=True, capture_output=True, text=True).stdout == ""


def test_dos_attributes_are_read_and_set(server: SambaServer, file: Path) -> None:
    name = "user.cifs.dosattrib"
    assert int.from_bytes(os.getxattr(file, name), "little") & 0x10 == 0
    os.setxattr(file, name, (0x02 | 0x20).to_bytes(4, "little"))
    listed = server.smbclient("plain", f'allinfo "{file.name}"').stdout
    assert "attributes: HA" in listed
    assert int.from_bytes(os.getxattr(file, "user.smb3.dosattrib"), "little") == 0x22
    for wrong in (b"\0", bytes(8)):
        with _failure(errno.EINVAL):
            os.setxattr(file, name, wrong)
    with _failure(errno.EPERM):
        os.removexattr(file, name)
    assert os.listxattr(file) == []


def test_the_birth_time_is_read_and_set(server: SambaServer, file: Path) -> None:
    born = 116_444_736_000_000_000 + 981_173_106 * 10_000_000  # 2001-02-03 04:05:06 UTC
    os.setxattr(file, "user.cifs.creationtime", born.to_bytes(8, "little"))
    assert int.from_bytes(os.getxattr(file, "user.cifs.creationtime"), "little") == born
    listed = server.smbclient("plain", f'allinfo "{file.name}"').stdout
    assert "create_time:    Sat Feb  3" in listed


def test_streams_are_listed(server: SambaServer, file: Path, tmp_path: Path) -> None:
    with _failure(errno.ENODATA):
        os.getxattr(file, "user.cifs.streams")
    (tmp_path / "five").write_bytes(b"12345")
    server.smbclient("plain", f'put {tmp_path}/five "{file.name}:Zone.Identifier"')
    assert os.getxattr(file, "user.cifs.streams") == b"5 Zone.Identifier\n"
    with _failure(errno.EPERM):
        os.setxattr(file, "user.cifs.streams", b"no")


def _aces(server: SambaServer, name: str) -> str:
    return server.smbclient("plain", "showacls", f"ls {name}").stdout


def test_the_security_descriptor_is_read_and_set(server: SambaServer, mnt: Path) -> None:
    (mnt / "secured").write_bytes(b"")
    for name in ("system.cifs_acl", "system.smb3_acl", "system.smb3_ntsd"):
        descriptor = os.getxattr(mnt / "secured", name)
        assert descriptor[0] == 1
        assert all(struct.unpack_from("<LL", descriptor, 4)), "owner and group"
    # One entry: everyone, S-1-1-0, may do all.
    sid = bytes([1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0])
    ace = struct.pack("<BBHL", 0, 0, 8 + len(sid), 0x001F01FF) + sid
    acl = struct.pack("<BBHHH", 2, 0, 8 + len(ace), 1, 0) + ace
    os.setxattr(
        mnt / "secured",
        "system.cifs_acl",
        struct.pack("<BBHLLLL", 1, 0, 0x8004, 0, 0, 0, 20) + acl,
    )
    assert "S-1-1-0" in _aces(server, "secured")
    assert sid in os.getxattr(mnt / "secured", "system.smb3_acl")


def test_a_share_without_them_says_so(server: SambaServer) -> None:
    with mounted(server, "without") as mnt:
        (mnt / "file").write_bytes(b"")
        assert os.listxattr(mnt / "file") == []
        with _failure(errno.ENODATA):
            os.getxattr(mnt / "file", "user.mine")
        with _failure(errno.EOPNOTSUPP):
            os.setxattr(mnt / "file", "user.mine", b"1")
