"""Moving directories that are in use below, on shares without POSIX extensions."""

import contextlib
import fcntl
import mmap
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab.mounts import mounted
from tests.lab.proxy import Proxy
from tests.lab.samba import SHARES, SambaServer


@pytest.fixture(scope="module")
def server() -> Iterator[SambaServer]:
    # As Windows: what any client has open below is in the way.
    with SambaServer({"strict rename": "yes"}, {"plain": SHARES["plain"]}) as server:
        yield server


@pytest.fixture
def disk(server: SambaServer) -> Path:
    return server.path_of("plain")


@pytest.fixture
def mnt(server: SambaServer, disk: Path) -> Iterator[Path]:
    with mounted(server, "plain") as mnt:
        yield mnt
    for entry in os.listdir(disk):
        subprocess.run(["rm", "-r", disk / entry], check=True)


def _tree(mnt: Path) -> None:
    (mnt / "old" / "deep" / "deeper").mkdir(parents=True)
    for name in ("read", "write", "append", "map", "write only"):
        (mnt / "old" / "deep" / name).write_bytes(b"content of " + name.encode())


def test_whatever_is_open_below_goes_on(mnt: Path, disk: Path) -> None:
    _tree(mnt)
    deep = mnt / "old" / "deep"
    with (
        open(deep / "read", "rb", buffering=0) as reads,
        open(deep / "write", "r+b", buffering=0) as writes,
        open(deep / "append", "ab", buffering=0) as appends,
        open(deep / "map", "r+b") as mapped,
        mmap.mmap(mapped.fileno(), 0) as pages,
    ):
        only = os.open(deep / "write only", os.O_WRONLY)
        here = os.open(deep, os.O_RDONLY | os.O_DIRECTORY)
        for number in range(3):
            places = ("old", "new") if number % 2 == 0 else ("new", "old")
            os.rename(mnt / places[0], mnt / places[1])
            now = disk / places[1] / "deep"
            assert sorted(os.listdir(here)) == sorted(os.listdir(now))
            assert os.pread(reads.fileno(), 100, 0) == b"content of read"
            writes.write(b"%d" % number)
            appends.write(b"%d" % number)
            os.pwrite(only, b"%d" % number, number)
            pages[number : number + 1] = b"%d" % number
            pages.flush()
            assert (now / "write").read_bytes().startswith(b"012"[: number + 1])
            assert (now / "append").read_bytes() == b"content of append" + b"012"[: number + 1]
            assert (now / "write only").read_bytes().startswith(b"012"[: number + 1])
            assert (now / "map").read_bytes().startswith(b"012"[: number + 1])
        os.close(only)
        os.close(here)


def test_what_was_removed_or_replaced_below_is_not_in_the_way(mnt: Path, disk: Path) -> None:
    _tree(mnt)
    deep = mnt / "old" / "deep"
    with open(deep / "read", "rb") as removed, open(deep / "write", "r+b") as replaced:
        (deep / "read").unlink()
        (deep / "map").rename(deep / "write")
        os.rename(mnt / "old", mnt / "new")
        assert removed.read() == b"content of read"
        assert replaced.read() == b"content of write"
    assert (disk / "new" / "deep" / "write").read_bytes() == b"content of map"


def test_a_listing_goes_on_below(mnt: Path) -> None:
    (mnt / "old" / "full").mkdir(parents=True)
    names = {f"name {number:04} {'x' * 60}" for number in range(2500)}
    for name in names:
        (mnt / "old" / "full" / name).touch()
    with os.scandir(mnt / "old" / "full") as listing:
        seen = [next(listing).name]
        os.rename(mnt / "old", mnt / "new")
        seen += [entry.name for entry in listing]
    assert len(seen) == len(names)
    assert set(seen) == names


def test_it_replaces_an_empty_directory(mnt: Path, disk: Path) -> None:
    _tree(mnt)
    (mnt / "empty").mkdir()
    with open(mnt / "old" / "deep" / "write", "r+b", buffering=0) as file:
        os.rename(mnt / "old", mnt / "empty")
        file.write(b"CON")
    assert os.listdir(disk) == ["empty"]
    assert (disk / "empty" / "deep" / "write").read_bytes() == b"CONtent of write"


def test_what_another_client_has_open_forbids_it(
    server: SambaServer, mnt: Path, disk: Path
) -> None:
    _tree(mnt)
    (mnt / "empty").mkdir()
    with (
        mounted(server, "plain") as other,
        open(mnt / "old" / "deep" / "write", "r+b", buffering=0) as ours,
    ):
        with open(other / "old" / "deep" / "read"):
            for target in ("new", "empty"):
                with pytest.raises(PermissionError):
                    os.rename(mnt / "old", mnt / target)
            ours.write(b"still")
        assert sorted(os.listdir(disk)) == ["empty", "old"]
        _eventually(lambda: os.rename(mnt / "old", mnt / "empty"))
        ours.write(b" here")
    assert (disk / "empty" / "deep" / "write").read_bytes().startswith(b"still here")


def test_locks_are_not_given_up_for_it(mnt: Path, disk: Path) -> None:
    _tree(mnt)
    with open(mnt / "old" / "deep" / "write", "r+b", buffering=0) as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        with pytest.raises(PermissionError):
            os.rename(mnt / "old", mnt / "new")
        file.write(b"LOCK")
        attempt = "import fcntl, sys; fcntl.lockf(open(sys.argv[1], 'r+b'), fcntl.LOCK_EX | 4)"
        path = str(mnt / "old" / "deep" / "write")
        done = subprocess.run([sys.executable, "-c", attempt, path], capture_output=True, text=True)
        assert "BlockingIOError" in done.stderr
        fcntl.lockf(file, fcntl.LOCK_UN)
        os.rename(mnt / "old", mnt / "new")
        fcntl.lockf(file, fcntl.LOCK_SH)
        with pytest.raises(PermissionError):
            os.rename(mnt / "new", mnt / "old")
    assert (disk / "new" / "deep" / "write").read_bytes().startswith(b"LOCK")


def test_a_busy_tree_is_moved_to_and_fro(mnt: Path, disk: Path) -> None:
    _tree(mnt)
    over = threading.Event()
    failures: list[BaseException] = []
    written = [0]

    def at_work(work: Callable[[], None]) -> None:
        try:
            while not over.is_set():
                work()
        except BaseException as error:
            failures.append(error)

    with (
        open(mnt / "old" / "deep" / "write", "r+b", buffering=0) as writes,
        open(mnt / "old" / "deep" / "read", "rb", buffering=0) as reads,
    ):

        def write() -> None:
            written[0] += os.pwrite(writes.fileno(), b"%6d\n" % written[0], written[0])

        def read() -> None:
            assert os.pread(reads.fileno(), 100, 0) == b"content of read"

        def walk() -> None:
            for name in ("old", "new"):
                subprocess.run(["find", mnt / name, "-size", "+1"], capture_output=True)

        def open_and_close() -> None:
            for name in ("old", "new"):
                with contextlib.suppress(FileNotFoundError), open(mnt / name / "deep" / "append"):
                    pass

        workers = [
            threading.Thread(target=at_work, args=(work,))
            for work in (write, read, walk, open_and_close)
        ]
        for worker in workers:
            worker.start()
        try:
            for _ in range(25):
                os.rename(mnt / "old", mnt / "new")
                os.rename(mnt / "new", mnt / "old")
        finally:
            over.set()
            for worker in workers:
                worker.join()
    assert not failures
    content = (disk / "old" / "deep" / "write").read_bytes()
    assert content == b"".join(b"%6d\n" % place for place in range(0, written[0], 7))


@pytest.mark.parametrize("when", [0.0, 0.002, 0.004, 0.006, 0.008, 0.012, 0.02])
def test_whoever_moves_it_may_be_killed(server: SambaServer, disk: Path, when: float) -> None:
    move = "import os, sys; print(flush=True); sys.stdin.readline(); os.rename(*sys.argv[1:])"
    with (
        Proxy(server.address, server.port) as proxy,
        mounted(server, "plain", address=proxy.address, port=proxy.port) as mnt,
    ):
        _tree(mnt)
        with open(mnt / "old" / "deep" / "write", "r+b", buffering=0) as file:
            mover = subprocess.Popen(
                [sys.executable, "-c", move, mnt / "old", mnt / "new"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
            )
            assert mover.stdin is not None
            assert mover.stdout is not None
            mover.stdout.readline()
            mover.stdin.write(b"go\n")
            mover.stdin.flush()
            time.sleep(when)
            proxy.stall()
            time.sleep(0.1)
            mover.send_signal(signal.SIGKILL)
            mover.communicate(timeout=5)
            proxy.resume()
            file.write(b"alive")
            [name] = os.listdir(mnt)
            assert (mnt / name / "deep" / "write").read_bytes() == b"alivent of write"
        assert os.listdir(disk) == [name]
        subprocess.run(["rm", "-r", mnt / name], check=True)
    end = time.monotonic() + 5
    while server.open_files() and time.monotonic() < end:
        time.sleep(0.05)
    assert server.open_files() == []


def _eventually(work: Callable[[], None]) -> None:
    """The kernel tells of the last close after close(2) has returned."""
    end = time.monotonic() + 5
    while True:
        try:
            return work()
        except PermissionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
