"""Mount, answer the kernel, and leave nothing behind."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pyfuse3
import trio

from smbmount.client.errors import ClientError
from smbmount.client.share import Share

from .inodes import InodeTable
from .open_files import OpenTable
from .operations import Operations
from .settings import ViewSettings

_log = logging.getLogger(__name__)

_MOST_REQUESTS = 128  # of the kernel's in work at once
_GRACE = 1.0  # seconds for closing files when the mount has ended
_READ_AHEAD_KB = 1024


class _Ready(Operations):
    """Operations that say when the kernel's first request, INIT, has come."""

    on_init: Callable[[], None] | None = None

    def init(self) -> None:
        """The kernel has said hello: from here on the mount answers."""
        if self.on_init is not None:
            self.on_init()


async def serve(
    share: Share,
    mountpoint: str,
    view: ViewSettings,
    mount_options: set[str],
    *,
    ready: Callable[[], None],
) -> None:
    """Mount `share` at `mountpoint` and serve it until it is unmounted, or this is cancelled.

    `ready` is called when the mount answers. Whatever ends it, files are closed on the server,
    within bounded time, and the mount is gone. Raises ClientError if the share has no root to
    show, RuntimeError if the kernel or fusermount3 refuses the mount.
    """
    inodes = InodeTable(await share.stat(""))
    async with trio.open_nursery() as nursery:
        opens = OpenTable(inodes, nursery, view.actimeo)
        operations = _Ready(share, view, inodes, opens)
        operations.on_init = ready
        pyfuse3.init(operations, mountpoint, mount_options)
        try:
            await trio.to_thread.run_sync(_raise_kernel_readahead, mountpoint)
            await pyfuse3.main(max_tasks=_MOST_REQUESTS)
        finally:
            with trio.move_on_after(_GRACE, shield=True):
                try:
                    await operations.close_all()
                except ClientError as error:
                    _log.debug("%s: closing at the end: %s", share.label, error)
            nursery.cancel_scope.cancel()
            pyfuse3.close(unmount=True)


def _raise_kernel_readahead(mountpoint: str) -> None:
    """Ask the kernel for larger reads, where we may: 1 MiB instead of 128 KiB at a time.

    Found by the device number in mountinfo; a stat of the mount would wait for ourselves.
    """
    number = device_of(mountpoint)
    if number is None:
        return
    try:
        Path(f"/sys/class/bdi/{number}/read_ahead_kb").write_text(f"{_READ_AHEAD_KB}\n")
    except OSError as error:
        _log.debug("the kernel's read-ahead stays as it is: %s", error.strerror)


def device_of(mountpoint: str) -> str | None:
    """major:minor of the newest mount at a path, from /proc/self/mountinfo; None if none."""
    wanted = os.path.realpath(os.path.dirname(mountpoint)) + "/" + os.path.basename(mountpoint)
    found = None
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as table:
        for line in table:
            fields = line.split()
            if _unescaped(fields[4]) == wanted:
                found = fields[2]
    return found


def _unescaped(path: str) -> str:
    """mountinfo writes space, tab, newline and backslash as octal."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        path = path.replace(code, character)
    return path
