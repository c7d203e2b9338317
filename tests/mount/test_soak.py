"""What takes minutes: more data, more time, more than one mount. Run by script/soak."""

import hashlib
import os
from pathlib import Path

import pytest

from tests.lab import mixed_work
from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer

from .test_busy import run_workers

pytestmark = [pytest.mark.soak, pytest.mark.timeout(1800)]

_CHUNK = 1 << 20


@pytest.mark.parametrize("option", ["sign", "seal", "nosign"])
def test_four_gigabytes_survive_the_way_there_and_back(option: str) -> None:
    chunk = os.urandom(_CHUNK)
    digest = hashlib.sha256()
    with SambaServer() as server:
        with mounted(server, "plain", option) as directory, open(directory / "f", "wb") as file:
            for number in range(4096):
                piece = number.to_bytes(8, "big") + chunk[8:]
                digest.update(piece)
                file.write(piece)
        assert _digest(server.path_of("plain") / "f") == digest.hexdigest()
        with mounted(server, "plain", option) as directory:
            assert _digest(directory / "f") == digest.hexdigest()


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def test_two_mounts_work_for_ten_minutes() -> None:
    with (
        SambaServer() as server,
        mounted(server, "plain", "seal") as one,
        mounted(server, "plain") as other,
    ):
        mixed_work.fill_shared(server.path_of("plain") / mixed_work.SHARED)
        homes = [(one if seed % 2 else other, seed) for seed in range(20)]
        assert run_workers(server, homes, 600) > 10_000


def test_a_hundred_mounts_come_and_go(samba: SambaServer) -> None:
    for number in range(100):
        with mounted(samba) as directory:
            (directory / "round").write_text(str(number))
            assert (samba.path_of("plain") / "round").read_text() == str(number)
    assert samba.open_files() == []
    assert samba.smbstatus()["sessions"] == {}
