"""Shares, directories and mount points with any characters in their names."""

from pathlib import Path

import pytest

from tests.lab.mounts import is_mounted, mount, unmount
from tests.lab.samba import SHARES, USER, SambaServer

_SHARE = "Фото Ω"


@pytest.mark.parametrize(
    ("source", "at"),
    [
        ("//{0.address}/{1}/a, ü/日本", "mnt"),
        ("\\\\{0.address}\\{1}\\a, ü\\", "mnt é"),
        ("smb://{0.address}/%D0%A4%D0%BE%D1%82%D0%BE%20%CE%A9/a,%20%C3%BC", "日本 mnt"),
    ],
)
def test_a_source_of_any_characters_is_mounted_and_shown(
    tmp_path: Path, source: str, at: str
) -> None:
    place = tmp_path / at
    place.mkdir()
    with SambaServer(shares={**SHARES, _SHARE: {}}) as server:
        (server.path_of(_SHARE) / "a, ü" / "日本").mkdir(parents=True)
        where = source.format(server, _SHARE)
        options = [f"port={server.port}", f"username={USER}", "ro"]
        done = mount(where, place, options)
        try:
            assert done.returncode == 0, done.stderr
            assert sorted(path.name for path in place.iterdir()) in ([], ["日本"])
            shown = Path("/proc/self/mountinfo").read_text("utf-8").replace("\\040", " ")
            assert f"{server.address}/{_SHARE}/a, ü" in shown
            again = mount(where, place, options)
            assert again.returncode == 32
            assert "already" in again.stderr
        finally:
            unmount(place)
    assert not is_mounted(place)
