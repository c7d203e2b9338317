"""Names that SMB forbids, does not tell apart, or cannot hold."""

import errno
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer

_MAKING: dict[str, Callable[[bytes], object]] = {
    "open": lambda path: os.open(path, os.O_WRONLY | os.O_CREAT),
    "mkdir": os.mkdir,
    "mknod": os.mknod,
}


def _fails(call: Callable[[], object], code: int) -> None:
    with pytest.raises(OSError) as caught:
        call()
    assert errno.errorcode[caught.value.errno or 0] == errno.errorcode[code]


@pytest.mark.parametrize(
    ("option", "there"),
    [("mapposix", "a\uf022b\uf025c\uf029"), ("mapchars", "a\uf03ab\uf03fc\uf02e")],
)
def test_forbidden_characters_are_spelled_as_the_option_says(
    samba: SambaServer, option: str, there: str
) -> None:
    with mounted(samba, "plain", option) as mnt:
        (mnt / "a:b?c.").write_bytes(b"x")
        assert (samba.path_of("plain") / there).read_bytes() == b"x"
        assert "a:b?c." in os.listdir(mnt)
        (mnt / "a:b?c.").unlink()


@pytest.mark.parametrize("name", [b"a:b", b"what?", b"back\\slash", b"dot.", b"space "])
def test_without_a_mapping_such_a_name_cannot_be(samba: SambaServer, name: bytes) -> None:
    with mounted(samba, "plain", "nomapchars") as mnt:
        path = os.fsencode(mnt) + b"/" + name
        assert not os.path.lexists(path)
        for make in _MAKING.values():
            _fails(lambda make=make: make(path), errno.EINVAL)  # type: ignore[misc]
        assert os.listdir(samba.path_of("plain")) == os.listdir(mnt)


@pytest.mark.parametrize("make", _MAKING.values(), ids=_MAKING)
def test_what_is_not_utf8_is_not_there_and_cannot_be_made(
    samba: SambaServer, make: Callable[[bytes], object]
) -> None:
    with mounted(samba) as mnt:
        path = os.fsencode(mnt) + b"/caf\xe9"
        _fails(lambda: os.stat(path), errno.ENOENT)
        _fails(lambda: make(path), errno.EILSEQ)


def test_too_long_a_name_is_told_at_every_call(samba: SambaServer) -> None:
    with mounted(samba) as mnt:
        path = os.fsencode(mnt) + b"/" + b"n" * 256
        for call in (os.stat, os.unlink, os.rmdir, *_MAKING.values()):
            _fails(lambda call=call: call(path), errno.ENAMETOOLONG)  # type: ignore[misc]


def test_the_case_of_a_name_can_be_changed(samba: SambaServer) -> None:
    disk = samba.path_of("plain")
    with mounted(samba, "plain", "nocase") as mnt:
        (mnt / "readme").write_bytes(b"x")
        assert (mnt / "README").read_bytes() == b"x"
        os.rename(mnt / "readme", mnt / "README")
        assert [name for name in os.listdir(disk) if name.lower() == "readme"] == ["README"]
        assert [name for name in os.listdir(mnt) if name.lower() == "readme"] == ["README"]
        subprocess.run(["mv", mnt / "README", mnt / "Readme"], check=True)
        assert [name for name in os.listdir(disk) if name.lower() == "readme"] == ["Readme"]
        (mnt / "Readme").unlink()
        assert not (mnt / "readme").exists()


def test_a_directory_is_used_in_any_case(samba: SambaServer) -> None:
    with mounted(samba) as mnt:
        (mnt / "Folder").mkdir()
        (mnt / "folder" / "file").write_bytes(b"1")
        assert (mnt / "FOLDER" / "FILE").read_bytes() == b"1"
        (mnt / "Folder" / "file").write_bytes(b"22")
        assert (mnt / "folder" / "file").read_bytes() == b"22"
        os.rename(mnt / "Folder", mnt / "folder")
        assert "folder" in os.listdir(samba.path_of("plain"))
        (mnt / "folder" / "file").unlink()
        (mnt / "folder").rmdir()


def test_with_posix_extensions_case_is_told_apart(tmp_path: Path) -> None:
    with SambaServer({"smb3 unix extensions": "yes"}) as server:
        with mounted(server, "plain", "posix") as mnt:
            (mnt / "a").write_bytes(b"small")
            (mnt / "A").write_bytes(b"large")
            assert sorted(os.listdir(server.path_of("plain"))) == ["A", "a"]
        with mounted(server, "plain", "nocase") as mnt:
            (mnt / "only").write_bytes(b"x")
            assert (mnt / "ONLY").read_bytes() == b"x"
