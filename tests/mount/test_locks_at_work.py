"""Locks that programs rely on: nothing is lost, whoever else works on the file."""

import os
import sqlite3
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import smbprotocol.exceptions
from smbprotocol.connection import Connection
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from smbmount.proto.status import NtStatus
from tests.lab import counting
from tests.lab.lock_agent import Crew
from tests.lab.mounts import mounted
from tests.lab.samba import PASSWORD, USER, SambaServer


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    with SambaServer() as server:
        yield server


@pytest.fixture(scope="module")
def two_mounts(server: SambaServer) -> Iterator[tuple[Path, Path]]:
    with mounted(server) as one, mounted(server) as other:
        yield one, other


def _at_once(commands: list[list[str]]) -> None:
    """Run our program many times at once; all must succeed."""
    running = [
        subprocess.Popen([sys.executable, counting.__file__, *words], stderr=subprocess.PIPE)
        for words in commands
    ]
    for process in running:
        _, problems = process.communicate()
        assert process.returncode == 0, problems.decode()


def _count(two_mounts: tuple[Path, Path], processes: int, times: int, how: str) -> int:
    name = f"counter {how}"
    (two_mounts[0] / name).write_bytes(b"")
    _at_once(
        [
            ["count", str(two_mounts[number % 2] / name), str(times), how]
            for number in range(processes)
        ]
    )
    return int((two_mounts[1] / name).read_bytes())


@pytest.mark.parametrize("how", ["fcntl", "ofd", "flock"])
def test_many_processes_over_two_mounts_count_right(
    two_mounts: tuple[Path, Path], how: str
) -> None:
    assert _count(two_mounts, 20, 20, how) == 400


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("how", ["fcntl", "flock"])
def test_forty_processes_over_two_mounts_count_to_five_thousand(
    two_mounts: tuple[Path, Path], how: str
) -> None:
    assert _count(two_mounts, 40, 125, how) == 5000


def _write_rows(server: SambaServer, two_mounts: tuple[Path, Path], times: int) -> None:
    name = f"database {times}"
    with closing(sqlite3.connect(two_mounts[0] / name)) as database:
        database.execute("CREATE TABLE entries (who, number)")
        database.execute("CREATE TABLE total (n)")
        database.execute("INSERT INTO total VALUES (0)")
        database.commit()
    _at_once(
        [
            ["rows", str(directory / name), str(times), str(number)]
            for number, directory in enumerate(two_mounts)
        ]
    )
    with closing(sqlite3.connect(server.path_of("plain") / name)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("SELECT n FROM total").fetchone() == (2 * times,)
        found = database.execute("SELECT who, number FROM entries").fetchall()
    assert sorted(found) == [(who, number) for who in ("0", "1") for number in range(times)]


def test_sqlite_writes_from_two_mounts(server: SambaServer, two_mounts: tuple[Path, Path]) -> None:
    _write_rows(server, two_mounts, 100)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_sqlite_writes_two_thousand_times_from_each_of_two_mounts(
    server: SambaServer, two_mounts: tuple[Path, Path]
) -> None:
    _write_rows(server, two_mounts, 2000)


class ThirdParty:
    """smbprotocol with a file open: an unrelated client, whose locks are not ours."""

    def __init__(self, server: SambaServer, name: str) -> None:
        self._connection = Connection(uuid.uuid4(), server.address, server.port)
        self._connection.connect()
        session = Session(self._connection, USER, PASSWORD)
        session.connect()
        tree = TreeConnect(session, rf"\\{server.address}\plain")
        tree.connect()
        self.file = Open(tree, name)
        self.file.create(
            ImpersonationLevel.Impersonation,
            FilePipePrinterAccessMask.GENERIC_READ | FilePipePrinterAccessMask.GENERIC_WRITE,
            0,
            ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE,
            CreateDisposition.FILE_OPEN_IF,
            CreateOptions.FILE_NON_DIRECTORY_FILE,
        )

    def may_read(self, offset: int, length: int) -> bool:
        return self._may(lambda: self.file.read(offset, length))

    def may_write(self, offset: int, length: int) -> bool:
        return self._may(lambda: self.file.write(bytes(length), offset))

    def _may(self, work: Callable[[], object]) -> bool:
        try:
            work()
        except smbprotocol.exceptions.SMBResponseException as error:
            if error.status != NtStatus.STATUS_FILE_LOCK_CONFLICT:
                raise
            return False
        return True

    def close(self) -> None:
        self.file.close()
        self._connection.disconnect()


def test_another_client_is_bound_by_locks(
    server: SambaServer, two_mounts: tuple[Path, Path]
) -> None:
    path = two_mounts[0] / "bound"
    path.write_bytes(bytes(100))
    with Crew() as crew, closing(ThirdParty(server, "bound")) as third:
        files = {"A": path}
        agent = crew.agent("A")
        assert agent.do(f"begin {files['A']}") == "ok"
        assert agent.do("w 10 10") == "ok"
        assert agent.do("r 30 10") == "ok"
        assert [third.may_read(at, 5) for at in (0, 10, 15, 20, 30)] == [
            True,
            False,
            False,
            True,
            True,
        ]
        assert [third.may_write(at, 5) for at in (0, 12, 20, 30)] == [True, False, True, False]
        assert agent.do("u 12 6") == "ok"
        assert [third.may_write(at, 2) for at in (10, 12, 16, 18)] == [False, True, True, False]
        assert agent.do("close f") == "ok"
        assert third.may_write(0, 100)


def test_what_another_client_wrote_is_read_under_a_lock(
    server: SambaServer, two_mounts: tuple[Path, Path]
) -> None:
    """The kernel's pages and the read-ahead are from before the lock, and must not be believed."""
    for mountpoint in two_mounts:
        (mountpoint / "seen").write_bytes(b"old" * 1000)
        files = {"A": mountpoint / "seen", "B": two_mounts[0] / "seen"}
        with Crew() as crew:
            steps = ["A read 0 3", "A w 0 10", "A read 0 3", "A u 0 10"]
            assert crew.play(steps, files).splitlines()[2] == "A read 0 3: old"
            reader = crew.agent("A")
            assert reader.do(f"begin {files['A']}") == "ok"
            assert reader.do("read 0 3") == "old"
            (server.path_of("plain") / "seen").write_bytes(b"new" * 1000)
            assert reader.do("w 0 10") == "ok"
            assert reader.do("read 0 3") == "new"


def test_a_stranger_gets_in_between_waiters_of_a_mount(two_mounts: tuple[Path, Path]) -> None:
    """Processes of one mount that pass a lock on among themselves starve no other mount."""
    for mountpoint in two_mounts:
        (mountpoint / "fair").write_bytes(b"")
    busy = [
        subprocess.Popen(
            [
                sys.executable,
                counting.__file__,
                "count",
                str(two_mounts[0] / "fair"),
                "100000",
                "fcntl",
            ]
        )
        for _ in range(5)
    ]
    try:
        time.sleep(0.5)
        start = time.monotonic()
        _at_once([["count", str(two_mounts[1] / "fair"), "5", "fcntl"]])
        assert time.monotonic() - start < 30
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_nobrl_keeps_locks_to_this_machine(server: SambaServer, tmp_path: Path) -> None:
    with (
        mounted(server, "plain", "nobrl") as mountpoint,
        closing(ThirdParty(server, "alone")) as third,
        Crew() as crew,
    ):
        path = mountpoint / "alone"
        files = {"A": path, "B": path}
        said = crew.play(["A w 0 10", "B w 0 10", "B ex", "A ex", "B read 0 1"], files)
        assert said.splitlines()[:4] == [
            "A w 0 10: ok",
            "B w 0 10: EAGAIN",
            "B ex: ok",
            "A ex: EAGAIN",
        ]
        agent = crew.agent("A")
        assert agent.do(f"begin {path}") == "ok"
        assert agent.do("w 0 10") == "ok"
        assert third.may_write(0, 10)


def test_locks_and_handles_leave_nothing_on_the_server(
    server: SambaServer, two_mounts: tuple[Path, Path]
) -> None:
    path = two_mounts[0] / "left"
    path.write_bytes(b"")
    with Crew() as crew:
        crew.play(["A w 0 10", "A ex", "B w! 0 10", "A die", "B done"], {"A": path, "B": path})
    end = time.monotonic() + 10
    while any(name.endswith("left") for name in server.open_files()):
        assert time.monotonic() < end
        time.sleep(0.05)
    os.unlink(path)
