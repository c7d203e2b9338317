"""One process's share of mixed work on a mount: random, checked at every step.

Run as a program: directory, seed, seconds. It works in a directory of its own, and reads what all
share. At the end it prints, as JSON, the digest of each file that must be there; anything that is
not as it should be ends it with a traceback.
"""

import hashlib
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

SHARED = "shared"
_LARGEST = 3 << 20  # bytes of one file


class Worker:
    """Knows what its files must hold, and checks that they do."""

    def __init__(self, mount: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.shared = mount / SHARED
        self.home = mount / f"worker {seed}"
        self.home.mkdir()
        self.files: dict[Path, bytearray] = {}
        self.directories = [self.home]
        self.number = 0
        self.steps = 0

    def work(self, seconds: float) -> None:
        """Random steps until the time is over."""
        steps: list[tuple[Callable[[], None], int]] = [
            (self.create, 10), (self.check, 10), (self.overwrite, 8), (self.append, 6),
            (self.truncate, 4), (self.rename, 5), (self.remove, 5), (self.list, 6),
            (self.make_directory, 2), (self.read_shared, 6), (self.part, 8),
        ]  # fmt: skip
        actions, weights = zip(*steps, strict=True)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.random.choices(actions, weights)[0]()
            self.steps += 1
        for path in self.files:
            self.check(path)

    def some(self) -> Path | None:
        return self.random.choice(list(self.files)) if self.files else None

    def fresh(self) -> Path:
        self.number += 1
        return self.random.choice(self.directories) / f"file {self.number}"

    def content(self) -> bytes:
        size = int(_LARGEST ** self.random.random())
        return self.random.randbytes(min(size, 4096)) * (size // 4096 + 1)

    def create(self) -> None:
        if len(self.files) >= 40:
            self.remove()
        path, content = self.fresh(), self.content()
        path.write_bytes(content)
        self.files[path] = bytearray(content)

    def check(self, path: Path | None = None) -> None:
        path = path or self.some()
        if path is not None:
            expected = self.files[path]
            assert path.stat().st_size == len(expected), (path, path.stat(), len(expected))
            assert path.read_bytes() == expected, path

    def part(self) -> None:
        if path := self.some():
            expected = self.files[path]
            start = self.random.randrange(len(expected) + 1)
            with path.open("rb") as file:
                file.seek(start)
                assert file.read(5000) == expected[start : start + 5000], (path, start)

    def overwrite(self) -> None:
        if path := self.some():
            content = self.content()[:200_000]
            expected = self.files[path]
            start = self.random.randrange(len(expected) + 1)
            with path.open("r+b") as file:
                file.seek(start)
                file.write(content)
                if self.random.random() < 0.2:
                    os.fsync(file.fileno())
            expected[start : start + len(content)] = content

    def append(self) -> None:
        if path := self.some():
            content = self.content()[:100_000]
            with path.open("ab") as file:
                file.write(content)
            self.files[path] += content

    def truncate(self) -> None:
        if path := self.some():
            expected = self.files[path]
            size = self.random.randrange(2 * len(expected) + 1)
            os.truncate(path, size)
            del expected[size:]
            expected.extend(bytes(size - len(expected)))

    def rename(self) -> None:
        if path := self.some():
            target = self.some() if self.random.random() < 0.3 else self.fresh()
            assert target is not None
            path.rename(target)
            self.files[target] = self.files.pop(path)

    def remove(self) -> None:
        if path := self.some():
            path.unlink()
            del self.files[path]
            assert not path.exists(), path

    def list(self) -> None:
        directory = self.random.choice(self.directories)
        expected = {path.name for path in self.files if path.parent == directory}
        expected |= {path.name for path in self.directories if path.parent == directory}
        assert set(os.listdir(directory)) == expected, directory

    def make_directory(self) -> None:
        if len(self.directories) < 12:
            directory = self.random.choice(self.directories) / f"dir {len(self.directories)}"
            directory.mkdir()
            self.directories.append(directory)

    def read_shared(self) -> None:
        name = self.random.choice(os.listdir(self.shared))
        content = (self.shared / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == name, name


def fill_shared(directory: Path, count: int = 12) -> None:
    """Files for all, each named by its content's digest."""
    directory.mkdir()
    directory.chmod(0o777)
    for number in range(count):
        content = os.urandom(int(4 ** (number + 1)) % (4 << 20))
        (directory / hashlib.sha256(content).hexdigest()).write_bytes(content)


def main() -> None:
    """Work, and report."""
    mount, seed, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    worker = Worker(mount, seed)
    worker.work(seconds)
    digests = {
        str(path.relative_to(mount)): hashlib.sha256(content).hexdigest()
        for path, content in worker.files.items()
    }
    print(json.dumps({"steps": worker.steps, "files": digests}))


if __name__ == "__main__":
    main()
