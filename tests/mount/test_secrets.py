"""A password is in no argument list, environment, log or mount table."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import COMMAND, ROOT, daemon_of, unmount
from tests.lab.samba import PASSWORD, USER, SambaServer

_MARK = "pa55word"  # a wrong one where the lab's true one has a blank


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    with SambaServer() as server:
        server.add_user(USER, _MARK)
        yield server


def _credentials_file(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    path.write_text(f"username={USER}\npassword={_MARK}\n")
    return path


@pytest.mark.parametrize("way", ["option", "user%password", "URL", "PASSWD", "credentials"])
def test_however_a_password_is_given_it_is_not_seen(
    server: SambaServer, tmp_path: Path, way: str
) -> None:
    source, options = f"//{server.address}/plain", [f"port={server.port}"]
    environment = {name: value for name, value in os.environ.items() if name != "PASSWD"}
    match way:
        case "option":
            options += [f"username={USER}", f"password={_MARK}"]
        case "user%password":
            options += [f"username={USER}%{_MARK}"]
        case "URL":
            source = f"smb://{USER}:{_MARK}@{server.address}/plain"
        case "PASSWD":
            options += [f"username={USER}"]
            environment["PASSWD"] = _MARK
        case _:
            options += [f"credentials={_credentials_file(tmp_path)}"]
    place, log = tmp_path / "mnt", tmp_path / "log"
    place.mkdir()
    done = subprocess.run(
        [*COMMAND, source, str(place), "-o", ",".join(options), "--debug", "--log-file", str(log)],
        capture_output=True, text=True, env=environment, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    try:
        assert done.returncode == 0, done.stderr
        (place / "in").write_text("use")
        pid = daemon_of(place)
        assert pid is not None
        seen = {
            "output": (done.stdout + done.stderr).encode(),
            "arguments": Path(f"/proc/{pid}/cmdline").read_bytes(),
            "environment": Path(f"/proc/{pid}/environ").read_bytes(),
            "mount table": Path("/proc/self/mountinfo").read_bytes(),
            "log": log.read_bytes(),
        }
    finally:
        unmount(place)
    assert {where for where, content in seen.items() if _MARK.encode() in content} == set()
    assert seen["log"]  # it did log something


def test_a_refused_password_is_not_repeated(server: SambaServer, tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, f"//{server.address}/plain", str(tmp_path), "-o",
         f"port={server.port},username={USER},password=wr0ng-pa55", "--debug",
         "--log-file", str(tmp_path / "log")],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 32
    assert "wr0ng-pa55" not in done.stdout + done.stderr + (tmp_path / "log").read_text()


def test_a_credentials_file_may_hold_any_password(server: SambaServer, tmp_path: Path) -> None:
    odd = 'a,b=c #"%\\ é'
    server.add_user(USER, odd)
    path, place = tmp_path / "credentials", tmp_path / "mnt"
    place.mkdir()
    path.write_text(f"# mine\nusername={USER}\npassword={odd}\n")
    done = subprocess.run(
        [*COMMAND, f"//{server.address}/plain", str(place), "-o",
         f"port={server.port},credentials={path}"],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=60,
    )  # fmt: skip
    try:
        assert done.returncode == 0, done.stderr
    finally:
        unmount(place)
        server.add_user(USER, PASSWORD)
