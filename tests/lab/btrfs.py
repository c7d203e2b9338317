"""A btrfs in a file, mounted for a while: a disk whose files can share blocks."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .samba import account, ensure_user


@contextmanager
def btrfs(directory: Path, mib: int = 300) -> Iterator[Path]:
    """A mounted btrfs that the lab's account may write to, gone afterwards.

    Needs root, a loop device and btrfs-progs. Raises subprocess.CalledProcessError.
    """
    image = directory / "btrfs.img"
    place = directory / "btrfs"
    place.mkdir()
    image.touch()
    os.truncate(image, mib << 20)
    subprocess.run(["mkfs.btrfs", "-q", str(image)], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True, capture_output=True)
    try:
        ensure_user()
        os.chown(place, *account())
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
