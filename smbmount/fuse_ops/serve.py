"""Mount, answer the kernel, and leave nothing behind."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import pyfuse3
import trio

from smbmount.client.share import Share

from . import extension
from .ending import unmounted
from .handlers import ShareHandlers
from .inodes import InodeTable
from .locking import LockRoom
from .memory import keep_freed_blocks
from .open_files import OpenTable
from .operations import Operations
from .settings import ViewSettings

_log = logging.getLogger(__name__)

# Of the kernel's in work at once. Each may be a caller who waits for a silent server, and with all
# of them taken nobody reads the interrupts that come after: so more than a machine has callers.
_MOST_REQUESTS = 1024
_IDLE_TASKS = 8  # kept waiting for requests; beyond that, a task ends when it has nothing to do
_GRACE = 1.0  # seconds for closing files when the mount has ended
_LAST_WORDS = 0.5  # seconds for what is under way when the mount is taken away
_READ_AHEAD_KB = 1024
_LOCKS = frozenset({"getlk", "setlk", "flock"})


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
    keep_freed_blocks()
    root = share.root_stat or await share.stat("")
    inodes = InodeTable(root, server_numbers=view.server_numbers)
    refusal: RuntimeError | None = None
    try:
        async with trio.open_nursery() as nursery:
            opens = OpenTable(inodes, nursery, view.actimeo)
            operations = Operations(share, view, inodes, opens)
            handlers = ShareHandlers(inodes, opens, LockRoom(share, nursery))
            wanted = extension.EVERY_OPERATION - (frozenset() if view.brl else _LOCKS)
            given = extension.install(
                operations, handlers, extension.Settings(operations=wanted), nursery
            )
            refusal = _mount(given, mountpoint, mount_options)
            if refusal is None:
                nursery.start_soon(_greet, operations, mountpoint, ready)
                serving = trio.CancelScope()
                nursery.start_soon(_end_soon_after_unmount, serving)
                try:
                    with serving:
                        await pyfuse3.main(min_tasks=_IDLE_TASKS, max_tasks=_MOST_REQUESTS)
                finally:
                    await _end(operations, share.label)
            nursery.cancel_scope.cancel()
    finally:
        if refusal is None:  # not before the extension's tasks have ended
            pyfuse3.close(unmount=True)
    if refusal is not None:
        raise refusal


class _MountOption(str):
    """pyfuse3 has options encoded as ASCII, yet the name of a share is any text."""

    __slots__ = ()

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        """As mount tables have it, whatever was asked for."""
        return str(self).encode("utf-8", "surrogateescape")


def _mount(
    operations: pyfuse3.Operations, mountpoint: str, options: set[str]
) -> RuntimeError | None:
    """Make the mount; what is wrong if the kernel or fusermount3 refuses."""
    try:
        pyfuse3.init(operations, mountpoint, {_MountOption(option) for option in options})
    except RuntimeError as error:
        return error
    return None


async def _greet(operations: Operations, mountpoint: str, ready: Callable[[], None]) -> None:
    """Say that the mount answers, once it does."""
    await operations.answering.wait()
    ready()
    # Not earlier: the kernel's answer to our INIT sets the size anew.
    await trio.to_thread.run_sync(_raise_kernel_readahead, mountpoint)


async def _end_soon_after_unmount(serving: trio.CancelScope) -> None:
    """Do not wait for operations that nobody waits for any more."""
    await unmounted()
    await trio.sleep(_LAST_WORDS)
    serving.cancel()


async def _end(operations: Operations, label: str) -> None:
    """Close all files, for as long as that is worth waiting for."""
    with trio.move_on_after(_GRACE, shield=True) as patience:
        await operations.close_all()
    if patience.cancelled_caught:
        _log.warning("%s: the server does not answer; it will close our files by itself", label)


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
