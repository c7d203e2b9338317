"""The mount and a local directory are told the same, and must say the same.

Random sequences of system calls, made by hypothesis, run on both: values, errnos, listings,
metadata and contents are compared as they come. What may differ is in `Kind` and nowhere else;
docs/posix.md says why.
"""

import contextlib
import errno
import fcntl
import hashlib
import itertools
import mmap
import os
import shutil
import stat as modes
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, note, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from tests.lab.mounts import mounted
from tests.lab.samba import SHARES, SambaServer
from tests.mount import syscalls

NAMES = st.sampled_from(
    ["a", "b", "c.txt", "ends in dot.", "ends in space ", 'odd:*?"<>\\|', "größe 海 🐚", "x" * 200]
)
LONG = "y" * 256
ANYWHERE = st.one_of(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.sampled_from(["c.txt", "a/b/c.txt", "a/", "a/b/.", "c.txt/", LONG, f"a/{LONG}"]),
)
SLOTS = st.integers(0, 3)
OFFSETS = st.integers(0, 9000) | st.sampled_from([4095, 4096, 1_048_576, 3_000_000])
DATA = st.binary(max_size=40) | st.sampled_from([b"z" * 5000, b"m" * 1_100_000])
FLAGS = st.sampled_from(
    [
        0,
        os.O_CREAT,
        os.O_CREAT | os.O_EXCL,
        os.O_CREAT | os.O_TRUNC,
        os.O_CREAT | os.O_APPEND,
        os.O_CREAT | os.O_NOFOLLOW,
        os.O_CREAT | os.O_SYNC | os.O_TRUNC,
        os.O_TRUNC,
        os.O_APPEND,
        os.O_SYNC,
        os.O_NOFOLLOW,
        os.O_DIRECTORY,
    ]
)
ATTRIBUTES = st.sampled_from(["user.a", "user.another"])
# All that the owner may do stays allowed: here it is root, and on the server an ordinary user.
MODES = st.sampled_from([0o644, 0o600, 0o755, 0o666, 0o777])
DIRECTORY_MODES = st.sampled_from([0o755, 0o700, 0o777, 0o711])
TIMES = st.integers(10**18, 2 * 10**18).map(lambda ns: ns // 100 * 100)  # what SMB keeps


@dataclass(frozen=True)
class There:
    """One of what is there already."""

    number: int


@dataclass(frozen=True)
class Within:
    """A name in one of the directories that are there."""

    number: int
    name: str


Place = str | There | Within
_NUMBERS = st.integers(0, 999)
_THERE, _WITHIN = st.builds(There, _NUMBERS), st.builds(Within, _NUMBERS, NAMES)
PATHS = st.one_of(_THERE, _THERE, _WITHIN, ANYWHERE)  # most of the time what can succeed
NEW = st.one_of(_WITHIN, _WITHIN, _THERE, ANYWHERE)


@dataclass(frozen=True)
class Kind:
    """A kind of mount, and in what it may differ from a local file system."""

    name: str
    options: tuple[str, ...]
    modes: bool  # permission bits are the server's
    server: dict[str, str] = field(default_factory=dict)
    extension: bool = True  # the C extension can be used


_UNIX = {"smb3 unix extensions": "yes"}
_PLAIN = Kind("plain", ("mfsymlinks",), modes=False)
_POSIX = Kind("posix", (), modes=True, server=_UNIX)
KINDS = (
    _PLAIN,
    _POSIX,
    replace(_PLAIN, name="plain without the extension", extension=False),
    replace(_POSIX, name="posix without the extension", extension=False),
)


@dataclass
class Sides:
    """Where both trees are; a fresh directory of each for every sequence."""

    kind: Kind
    mnt: Path
    local: Path
    numbers: Iterator[int] = field(default_factory=itertools.count)
    calls: int = 0


Outcome = tuple[str, Any]


def outcome(call: Callable[[], Any]) -> Outcome:
    try:
        return ("value", call())
    except OSError as error:
        return ("errno", errno.errorcode.get(error.errno or 0, error.errno))


class Differential(RuleBasedStateMachine):
    """One sequence of calls."""

    sides: ClassVar[Sides]

    def __init__(self) -> None:
        super().__init__()
        name = f"run{next(self.sides.numbers)}"
        self.roots = (str(self.sides.local / name), str(self.sides.mnt / name))
        for root in self.roots:
            _furnish(Path(root))
        self.open: dict[int, tuple[tuple[int, int], str]] = {}  # slot: descriptors, path
        for slot, (path, flags) in enumerate(_OPEN_AT_FIRST):
            one, other = (os.open(f"{root}/{path}", flags) for root in self.roots)
            self.open[slot] = ((one, other), path)

    def both(self, call: Callable[[str], Any]) -> Outcome:
        """Do it in both trees and compare; what both said."""
        self.sides.calls += 1
        local, mount = (outcome(partial(call, root)) for root in self.roots)
        assert mount == local, f"locally {str(local)[:300]}, on the mount {str(mount)[:300]}"
        return local

    def at(self, slot: int, call: Callable[[int], Any]) -> Outcome:
        """Do it with both descriptors of a slot and compare."""
        self.sides.calls += 1
        descriptors, _ = self.open[slot]
        local, mount = (outcome(partial(call, fd)) for fd in descriptors)
        assert mount == local, f"locally {str(local)[:300]}, on the mount {str(mount)[:300]}"
        return local

    def path(self, place: Place) -> str:
        """Relative to the roots."""
        if isinstance(place, str):
            return place
        directories, others = ["."], []
        for directory, below, files in os.walk(self.roots[0]):
            at = os.path.relpath(directory, self.roots[0])
            directories += [os.path.normpath(f"{at}/{name}") for name in below]
            others += [os.path.normpath(f"{at}/{name}") for name in files]
        if isinstance(place, Within):
            directories.sort()
            path = f"{directories[place.number % len(directories)]}/{place.name}"
        else:
            there = sorted(directories[1:] + others) or ["a"]
            path = there[place.number % len(there)]
        note(f"{place} is {path!r}")
        return os.path.normpath(path)

    def opened(self, number: int) -> int:
        """A slot that is in use."""
        slots = sorted(self.open)
        return slots[number % len(slots)]

    def is_directory(self, slot: int) -> bool:
        return modes.S_ISDIR(os.fstat(self.open[slot][0][0]).st_mode)

    def seen(self, told: os.stat_result) -> tuple[object, ...]:
        """Of a stat, what must be equal."""
        kind = modes.S_IFMT(told.st_mode)
        what: tuple[object, ...] = (kind,)
        if kind == modes.S_IFREG:
            what += (told.st_size, told.st_nlink)
        if kind == modes.S_IFLNK:
            what += (told.st_size,)
        if self.sides.kind.modes and kind != modes.S_IFLNK:
            what += (modes.S_IMODE(told.st_mode),)
        return what

    @rule(path=PATHS, slot=SLOTS, access=st.sampled_from([os.O_RDONLY, os.O_WRONLY, os.O_RDWR]),
          flags=FLAGS, mode=MODES)  # fmt: skip
    def opens(self, path: Place, slot: int, access: int, flags: int, mode: int) -> None:
        if slot in self.open:
            self._close(slot)
        path = self.path(path)
        bits = access | flags | os.O_NONBLOCK  # a fifo has nobody at its other end
        if access == os.O_RDONLY and bits & os.O_TRUNC:
            return  # unspecified
        found: list[int] = []

        def call(root: str) -> str:
            found.append(os.open(f"{root}/{path}", bits, mode))
            return "open"

        try:
            self.both(call)
        finally:
            if len(found) == 2:
                self.open[slot] = ((found[0], found[1]), path)
            else:
                for descriptor in found:
                    os.close(descriptor)

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS)
    def closes(self, slot: int) -> None:
        self._close(self.opened(slot))

    def _close(self, slot: int) -> None:
        self.at(slot, os.close)
        del self.open[slot]

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS, offset=OFFSETS, data=DATA)
    def pwrites(self, slot: int, offset: int, data: bytes) -> None:
        self.at(self.opened(slot), lambda fd: os.pwrite(fd, data, offset))

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS, data=DATA)
    def writes(self, slot: int, data: bytes) -> None:
        self.at(self.opened(slot), lambda fd: os.write(fd, data))

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS, offset=OFFSETS, length=st.integers(0, 20000))
    def preads(self, slot: int, offset: int, length: int) -> None:
        self.at(self.opened(slot), lambda fd: os.pread(fd, length, offset))

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS, offset=st.integers(-10, 9000), whence=st.sampled_from([0, 1, 2]))
    def seeks_and_reads(self, slot: int, offset: int, whence: int) -> None:
        slot = self.opened(slot)
        if not self.is_directory(slot):  # whose places are its own affair
            self.at(slot, lambda fd: (os.lseek(fd, offset, whence), os.read(fd, 300)))

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS, size=OFFSETS)
    def ftruncates(self, slot: int, size: int) -> None:
        self.at(self.opened(slot), lambda fd: os.ftruncate(fd, size))

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS)
    def fstats_and_fsyncs(self, slot: int) -> None:
        self.at(self.opened(slot), lambda fd: self.seen(os.fstat(fd)))
        self.at(self.opened(slot), os.fsync)

    @precondition(lambda self: len(self.open) > 1)
    @rule(source=SLOTS, sink=SLOTS, offset=OFFSETS, to=OFFSETS, length=st.integers(0, 2_000_000))
    def copies(self, source: int, sink: int, offset: int, to: int, length: int) -> None:
        source, sink = self.opened(source), self.opened(sink)
        if source == sink:
            return
        pairs = zip(self.open[source][0], self.open[sink][0], strict=True)
        if self.open[source][1] == self.open[sink][1]:
            return  # perhaps one file: whether ranges overlap is decided by sizes of the moment
        self.sides.calls += 1
        local, mount = (outcome(partial(_copy_all, a, b, length, offset, to)) for a, b in pairs)
        assert mount == local, f"locally {str(local)[:300]}, on the mount {str(mount)[:300]}"

    @rule(path=PATHS, size=OFFSETS)
    def truncates(self, path: Place, size: int) -> None:
        path = self.path(path)
        self.both(lambda root: os.truncate(f"{root}/{path}", size))

    @rule(path=PATHS)
    def unlinks(self, path: Place) -> None:
        path = self.path(path)
        self.both(lambda root: os.unlink(f"{root}/{path}"))

    @rule(path=NEW, mode=DIRECTORY_MODES)
    def makes_a_directory(self, path: Place, mode: int) -> None:
        path = self.path(path)
        self.both(lambda root: os.mkdir(f"{root}/{path}", mode))

    @rule(path=PATHS)
    def removes_a_directory(self, path: Place) -> None:
        path = self.path(path)
        self.both(lambda root: os.rmdir(f"{root}/{path}"))

    @rule(old=PATHS, new=NEW)
    def renames(self, old: Place, new: Place) -> None:
        self._renames(self.path(old), self.path(new), os.rename)

    @rule(old=PATHS, new=NEW)
    def renames_without_replacing(self, old: Place, new: Place) -> None:
        self._renames(self.path(old), self.path(new), syscalls.rename_without_replacing)

    def _renames(self, old: str, new: str, rename: Callable[[str, str], None]) -> None:
        done = self.both(lambda root: rename(f"{root}/{old}", f"{root}/{new}"))
        if done[0] == "value":
            for slot, (descriptors, path) in self.open.items():
                if path == old or path.startswith(f"{old}/"):
                    self.open[slot] = (descriptors, new + path[len(old) :])

    @rule(old=PATHS, new=NEW, follow=st.booleans())
    def links(self, old: Place, new: Place, follow: bool) -> None:
        old, new = self.path(old), self.path(new)

        def call(root: str) -> bool:
            os.link(f"{root}/{old}", f"{root}/{new}", follow_symlinks=follow)
            one = os.stat(f"{root}/{old}", follow_symlinks=follow)
            return one.st_ino == os.lstat(f"{root}/{new}").st_ino

        self.both(call)

    @rule(aim=ANYWHERE, path=NEW)
    def symlinks(self, aim: str, path: Place) -> None:
        path = self.path(path)
        self.both(lambda root: os.symlink(aim, f"{root}/{path}"))

    @rule(path=PATHS)
    def reads_a_link(self, path: Place) -> None:
        path = self.path(path)
        self.both(lambda root: os.readlink(f"{root}/{path}"))

    @rule(path=PATHS)
    def stats(self, path: Place) -> None:
        path = self.path(path)
        self.both(lambda root: self.seen(os.lstat(f"{root}/{path}")))
        self.both(lambda root: self.seen(os.stat(f"{root}/{path}")))

    @rule(path=PATHS, accessed=TIMES, written=TIMES)
    def sets_times(self, path: Place, accessed: int, written: int) -> None:
        path = self.path(path)

        def call(root: str) -> int:
            os.utime(f"{root}/{path}", ns=(accessed, written))
            return os.stat(f"{root}/{path}").st_mtime_ns

        self.both(call)

    @rule(path=PATHS, before=TIMES, after=st.sampled_from([syscalls.NOW, syscalls.OMIT]))
    def sets_times_partly(self, path: Place, before: int, after: int) -> None:
        path = self.path(path)

        def call(root: str) -> int | str:
            syscalls.set_times(f"{root}/{path}", before, before)
            syscalls.set_times(f"{root}/{path}", syscalls.OMIT, after)
            written = os.stat(f"{root}/{path}").st_mtime_ns
            return "now" if abs(written - time.time_ns()) < 60 * 10**9 else written

        self.both(call)

    @rule(path=NEW, kind=st.sampled_from([modes.S_IFIFO, modes.S_IFSOCK, modes.S_IFREG]))
    def makes_a_node(self, path: Place, kind: int) -> None:
        path = self.path(path)
        self.both(lambda root: os.mknod(f"{root}/{path}", kind | 0o644))

    @rule(path=PATHS, mode=st.sampled_from([os.F_OK, os.R_OK, os.W_OK, os.R_OK | os.W_OK]))
    def asks_for_access(self, path: Place, mode: int) -> None:
        path = self.path(path)
        self.both(lambda root: os.access(f"{root}/{path}", mode))

    @rule(path=PATHS)
    def chowns_to_itself(self, path: Place) -> None:
        path = self.path(path)
        self.both(lambda root: os.chown(f"{root}/{path}", os.getuid(), os.getgid()))

    @rule(path=PATHS, name=ATTRIBUTES, value=st.binary(min_size=1, max_size=100),
          flags=st.sampled_from([0, os.XATTR_CREATE, os.XATTR_REPLACE]))  # fmt: skip
    def sets_an_attribute(self, path: Place, name: str, value: bytes, flags: int) -> None:
        path = self.path(path)
        self.both(lambda root: os.setxattr(f"{root}/{path}", name, value, flags))

    @rule(path=PATHS, name=ATTRIBUTES)
    def removes_an_attribute(self, path: Place, name: str) -> None:
        path = self.path(path)
        self.both(lambda root: os.removexattr(f"{root}/{path}", name))

    @rule(path=PATHS, name=ATTRIBUTES)
    def reads_attributes(self, path: Place, name: str) -> None:
        path = self.path(path)
        self.both(lambda root: _attributes(f"{root}/{path}"))
        self.both(lambda root: os.getxattr(f"{root}/{path}", name))

    @rule(path=PATHS, offset=OFFSETS, data=st.binary(min_size=1, max_size=40))
    def writes_through_a_map(self, path: Place, offset: int, data: bytes) -> None:
        path = self.path(path)

        def call(root: str) -> bytes:
            flags = os.O_RDWR | os.O_NONBLOCK
            with os.fdopen(os.open(f"{root}/{path}", flags), "r+b", buffering=0) as file:
                size = os.fstat(file.fileno()).st_size
                if not size:
                    return b"empty"
                with mmap.mmap(file.fileno(), size) as pages:
                    start = offset % size
                    piece = data[: size - start]
                    pages[start : start + len(piece)] = piece
                    pages.flush()
                    return os.pread(file.fileno(), 100, start) + pages[-50:]

        self.both(call)

    @precondition(lambda self: self.open and self.sides.kind.extension)
    @rule(slot=SLOTS, offset=OFFSETS, length=OFFSETS,
          mode=st.sampled_from([0, syscalls.KEEP_SIZE, syscalls.PUNCH_HOLE | syscalls.KEEP_SIZE,
                                syscalls.ZERO_RANGE, syscalls.ZERO_RANGE | syscalls.KEEP_SIZE,
                                syscalls.PUNCH_HOLE]))  # fmt: skip
    def allocates(self, slot: int, offset: int, length: int, mode: int) -> None:
        slot = self.opened(slot)
        if (
            not mode & ~syscalls.KEEP_SIZE
            and offset + length <= os.fstat(self.open[slot][0][0]).st_size
        ):
            return  # SMB has no words for it where there are holes
        self.at(slot, lambda fd: syscalls.fallocate(fd, mode, offset, length))

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS)
    def looks_for_holes(self, slot: int) -> None:
        """Where they are is the disk's affair, but nothing else than zeros may be in them."""
        slot = self.opened(slot)
        access = fcntl.fcntl(self.open[slot][0][0], fcntl.F_GETFL) & os.O_ACCMODE
        if access != os.O_WRONLY and not self.is_directory(slot):
            self.at(slot, _check_holes)

    @precondition(lambda self: len(self.open) > 1)
    @rule(source=SLOTS, sink=SLOTS, offset=OFFSETS, length=st.integers(0, 100_000))
    def sends(self, source: int, sink: int, offset: int, length: int) -> None:
        source, sink = self.opened(source), self.opened(sink)
        if source == sink:
            return
        pairs = zip(self.open[source][0], self.open[sink][0], strict=True)
        self.sides.calls += 1
        local, mount = (outcome(partial(os.sendfile, b, a, offset, length)) for a, b in pairs)
        assert mount == local, f"locally {local}, on the mount {mount}"

    @precondition(lambda self: self.open)
    @rule(slot=SLOTS, name=NAMES)
    def works_from_a_directory(self, slot: int, name: str) -> None:
        slot = self.opened(slot)
        self.at(slot, lambda fd: sorted(os.listdir(fd)))
        self.at(slot, lambda fd: self.seen(os.stat(name, dir_fd=fd)))
        self.at(slot, lambda fd: os.mkdir(name, dir_fd=fd))
        self.at(slot, lambda fd: os.close(os.open(f"{name}/new", os.O_CREAT, dir_fd=fd)))
        self.at(slot, lambda fd: os.rename(f"{name}/new", "b", src_dir_fd=fd, dst_dir_fd=fd))
        self.at(slot, lambda fd: os.rmdir(name, dir_fd=fd))
        self.at(slot, lambda fd: sorted(os.listdir(fd)))

    @precondition(lambda self: self.open and self.sides.kind.modes)
    @rule(slot=SLOTS, mode=MODES)
    def fchmods(self, slot: int, mode: int) -> None:
        slot = self.opened(slot)
        if self.is_directory(slot):
            mode |= 0o100
        self.at(slot, lambda fd: os.fchmod(fd, mode))

    @precondition(lambda self: self.sides.kind.modes)
    @rule(path=PATHS, mode=DIRECTORY_MODES)
    def changes_modes(self, path: Place, mode: int) -> None:
        path = self.path(path)
        self.both(lambda root: os.chmod(f"{root}/{path}", mode))

    @rule(path=PATHS | st.just("."))
    def lists(self, path: Place) -> None:
        path = self.path(path)
        self.both(lambda root: sorted(os.listdir(f"{root}/{path}")))

    @rule()
    def compares_all(self) -> None:
        self.both(self._tree)

    def _tree(self, root: str) -> list[tuple[object, ...]]:
        found: list[tuple[object, ...]] = []
        numbers: dict[int, str] = {}
        for directory, directories, files in os.walk(root):
            for name in sorted(directories + files):
                path = os.path.join(directory, name)
                told = os.lstat(path)
                place = os.path.relpath(path, root)
                content: object = None
                if modes.S_ISREG(told.st_mode):
                    content = _digest(Path(path).read_bytes())
                elif modes.S_ISLNK(told.st_mode):
                    content = os.readlink(path)
                found.append((place, *self.seen(told), content))
                if told.st_nlink > 1 and not modes.S_ISDIR(told.st_mode):
                    numbers[told.st_ino] = min(place, numbers.get(told.st_ino, place))
        found += [("a file of several names", first) for first in numbers.values()]
        return sorted(found, key=str)

    def teardown(self) -> None:
        try:
            self.both(self._tree)
            for slot in list(self.open):
                self._close(slot)
            self.both(self._tree)
        finally:
            for descriptors, _ in self.open.values():
                for descriptor in descriptors:
                    with contextlib.suppress(OSError):
                        os.close(descriptor)
            for root in self.roots:
                shutil.rmtree(root, ignore_errors=True)


_OPEN_AT_FIRST = (
    ("c.txt", os.O_RDWR),
    ("a/b/c.txt", os.O_RDWR | os.O_APPEND),
    ("größe 海 🐚", os.O_RDONLY),
)


def _furnish(root: Path) -> None:
    """What every sequence begins with."""
    (root / "a" / "b").mkdir(parents=True)
    (root / "größe 海 🐚").mkdir()
    (root / "c.txt").write_bytes(b"content" * 3000)
    (root / "a" / "b" / "c.txt").write_bytes(b"deep")
    (root / "größe 海 🐚" / 'odd:*?"<>\\|').touch()
    os.link(root / "c.txt", root / "a" / "ends in dot.")
    (root / "ends in space ").symlink_to("a/b")


def _digest(content: bytes) -> tuple[object, ...]:
    return content[:40], hashlib.blake2b(content, digest_size=16).hexdigest()


def _attributes(path: str) -> list[tuple[str, bytes]]:
    names = [name for name in os.listxattr(path) if name.startswith("user.")]
    return [(name, os.getxattr(path, name)) for name in sorted(names)]


def _check_holes(descriptor: int) -> str:
    """Raises AssertionError for a hole with something in it."""
    size = os.lseek(descriptor, 0, os.SEEK_END)
    place = 0
    while place < size:
        hole = os.lseek(descriptor, place, os.SEEK_HOLE)
        assert place <= hole <= size
        if hole == size:
            break
        try:
            place = os.lseek(descriptor, hole, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            place = size
        if hole < place:
            assert not any(os.pread(descriptor, place - hole, hole))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return "holes are empty"


def _copy_all(source: int, target: int, length: int, offset: int, to: int) -> int:
    """copy_file_range until it is done: how much one call copies is the file system's choice."""
    done = 0
    while done < length:
        copied = os.copy_file_range(source, target, length - done, offset + done, to + done)
        if not copied:
            break
        done += copied
    return done


def _without_the_extension(directory: Path) -> dict[str, str]:
    """An environment in which Python does not find the C module."""
    (directory / "sitecustomize.py").write_text(
        "import sys\nsys.modules['smbmount.fuse_ops.extension._fuse_session'] = None\n"
    )
    return {"PYTHONPATH": str(directory)}


def _run(kind: Kind, examples: int, steps: int) -> int:
    """Run so many sequences; the number of calls made."""
    with (
        tempfile.TemporaryDirectory() as local,
        tempfile.TemporaryDirectory() as modules,
        SambaServer(kind.server, {"plain": SHARES["plain"]}) as server,
        mounted(
            server,
            "plain",
            *kind.options,
            environment={} if kind.extension else _without_the_extension(Path(modules)),
        ) as mnt,
    ):
        sides = Sides(kind, mnt, Path(local))
        machine = type("Differential", (Differential,), {"sides": sides})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                derandomize=examples < 100,
                database=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate],
                print_blob=True,
            ),
        )
        return sides.calls


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_mount_behaves_as_a_local_directory(kind: Kind) -> None:
    assert _run(kind, examples=30, steps=40) > 500


@pytest.mark.soak
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_mount_behaves_as_a_local_directory_for_50_000_calls(kind: Kind) -> None:
    calls = 0
    while calls < 50_000:
        calls += _run(kind, examples=500, steps=60)
    print(f"{kind.name}: {calls} calls")
