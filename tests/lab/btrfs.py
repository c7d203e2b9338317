"""A btrfs in a file, mounted for a while: a disk whose files can share blocks."""

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .samba import account, ensure_user


class NoBtrfs(Exception):
    """It cannot be had on this machine; the text says why."""


@contextmanager
def btrfs(mib: int = 300) -> Iterator[Path]:
    """A mounted btrfs that the lab's account may write to, gone afterwards.

    Needs root, a loop device, btrfs-progs, and a kernel with btrfs. Raises NoBtrfs.
    """
    with tempfile.TemporaryDirectory(prefix="smbmount-btrfs-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        image, place = directory / "image", directory / "disk"
        place.mkdir()
        image.touch()
        os.truncate(image, mib << 20)
        _run("mkfs.btrfs", "-q", str(image))
        _run("mount", "-o", "loop", str(image), str(place))
        try:
            ensure_user()
            os.chown(place, *account())
            yield place
        finally:
            subprocess.run(["umount", str(place)], check=True)


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise NoBtrfs(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise NoBtrfs(f"{command[0]}: {error.stderr.strip()}") from error
