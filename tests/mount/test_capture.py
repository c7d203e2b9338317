"""--capture and --debug: Wireshark reads the one, people the other, and neither tells too much."""

import os
import re
import stat
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from tests.lab.mounts import mount, mounted
from tests.lab.samba import PASSWORD, USER, SambaServer

_SECRET = b"content that no log shows"


def _tshark(file: Path, *words: str) -> list[str]:
    done = subprocess.run(
        ["tshark", "-n", "-r", str(file), *words], capture_output=True, text=True, check=True
    )
    return done.stdout.split("\n")[:-1]


def _work(place: Path) -> None:
    (place / "dir").mkdir(exist_ok=True)
    (place / "dir" / "file").write_bytes(_SECRET + os.urandom(200_000))
    assert (place / "dir" / "file").read_bytes().startswith(_SECRET)
    os.rename(place / "dir" / "file", place / "dir" / "other")
    os.truncate(place / "dir" / "other", 10)
    assert os.listdir(place / "dir") == ["other"]
    (place / "dir" / "other").unlink()
    (place / "dir").rmdir()
    os.statvfs(place)


@pytest.mark.parametrize("options", [["nosign"], ["sign"], ["seal"], ["vers=2.1"]], ids=str)
def test_a_capture_is_decoded_with_nothing_malformed(
    samba: SambaServer, tmp_path: Path, options: list[str]
) -> None:
    file = tmp_path / "smb.pcapng"
    with mounted(samba, "plain", *options, flags=["--capture", str(file)]) as place:
        _work(place)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    bad = "_ws.malformed || _ws.expert.severity == error || tcp.analysis.flags"
    assert _tshark(file, "-Y", bad) == []
    told = _tshark(file, "-Y", "smb2", "-T", "fields", "-e", "smb2.cmd")
    seen = Counter(number for line in told for number in line.split(",") if number)
    # All but LOGOFF's answer: each command came, and came back.
    for command in (0, 1, 3, 5, 6, 8, 9, 14, 16, 17):
        assert seen[str(command)] >= 2, seen
    assert not any("Encrypted" in line for line in _tshark(file))
    whole = file.read_bytes()
    assert _SECRET in whole  # it is a capture; but what signs us on is not in it
    assert PASSWORD.encode() not in whole
    assert PASSWORD.encode("utf-16-le") not in whole


def test_a_capture_never_overwrites(samba: SambaServer, tmp_path: Path) -> None:
    file = tmp_path / "mine"
    file.write_text("mine")
    place = tmp_path / "mnt"
    place.mkdir()
    done = mount(
        f"//{samba.address}/plain",
        place,
        [f"port={samba.port}", f"username={USER}"],
        flags=["--capture", str(file)],
    )
    assert done.returncode == 32
    assert "the capture file" in done.stderr
    assert "File exists" in done.stderr
    assert file.read_text() == "mine"


def test_the_debug_log_names_codes_and_shows_no_payload(samba: SambaServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with mounted(samba, "plain", flags=["--debug", "--log-file", str(log)]) as place:
        _work(place)
    text = log.read_text("utf-8")
    for pattern in (
        r"-> \[\d+\] NEGOTIATE .*dialects=SMB_2_0_2,",
        r"-> \[\d+\] SESSION_SETUP \d+ bytes",
        r"<- \[\d+\] SESSION_SETUP STATUS_MORE_PROCESSING_REQUIRED \d+ bytes credits=\d+",
        r"-> \[\d+\] TREE_CONNECT path=",
        r"-> \[\d+\] CREATE name='dir\\\\file' desired_access=\S*WRITE_DATA",
        r"-> \[\d+\] WRITE .*\d+ bytes",
        r"-> \[\d+\] SET_INFO .*info_type=FILE FILE_RENAME_INFORMATION \d+ bytes",
        r"-> \[\d+\] QUERY_INFO .*FILE_ALL_INFORMATION",
        r"<- \[\d+\] READ STATUS_SUCCESS \d+ bytes .*signed",
    ):
        assert re.search(pattern, text), pattern
    assert _SECRET.decode() not in text
    assert PASSWORD not in text
    assert "b'" not in text.replace("smbmount-lab'", "")
    assert "NTLMSSP" not in text
    assert "TlRMTVNTUA" not in text  # the same, as base64 has it
    assert "memory at" not in text
