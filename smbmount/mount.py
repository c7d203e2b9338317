"""A mount from its settings to its end: connect, serve, and unmount when told to."""

import logging
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import trio

from smbmount.client.errors import MountRefused
from smbmount.client.settings import ConnectionSettings, Credentials
from smbmount.client.share import open_share
from smbmount.fuse_ops.serve import serve
from smbmount.fuse_ops.settings import ViewSettings

from . import mountpoint as mountpoints
from .location import Location
from .options import Options

_log = logging.getLogger(__name__)

_PATIENCE = 1.2  # seconds that a busy or slow unmount may take before the mount is cut off
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class Interrupted(Exception):
    """A signal ended the mount before it answered."""


@dataclass(frozen=True, slots=True)
class MountRequest:
    """All it takes to mount."""

    location: Location
    mountpoint: str  # absolute
    options: Options
    credentials: Credentials


def connection_settings(location: Location, options: Options) -> ConnectionSettings:
    """What the client needs of the options."""
    return ConnectionSettings(
        host=location.host,
        port=options.port or location.port or 445,
        address=options.ip,
        dialects=options.dialects,
        signing=options.signing,
        seal=options.seal,
        max_read=options.rsize,
        max_write=options.wsize,
        posix=options.posix,
        mfsymlinks=options.mfsymlinks,
        sfu=options.sfu,
        snapshot=options.snapshot,
    )


def view_settings(options: Options) -> ViewSettings:
    """What the file system needs of the options."""
    return ViewSettings(
        uid=options.uid,
        gid=options.gid,
        file_mode=options.file_mode,
        dir_mode=options.dir_mode,
        read_only=options.unchanging,
        force_uid=options.force_uid,
        force_gid=options.force_gid,
        dynamic=options.dynperm,
        server_numbers=options.server_inode_numbers,
        actimeo=options.actimeo,
        brl=options.brl,
    )


def kernel_options(location: Location, options: Options) -> set[str]:
    """What the kernel's mount is told."""
    words = set(options.kernel) | {
        "subtype=smbmount",
        # libfuse splits at commas, and undoes a backslash.
        "fsname=" + str(location).replace("\\", "\\\\").replace(",", "\\,"),
    }
    if options.check_permissions:
        words.add("default_permissions")
    if options.unchanging:
        words.add("ro")
    if options.allow_other:
        words.add("allow_other")
    return words


def run(request: MountRequest, ready: Callable[[], None]) -> None:
    """`mount`, from the world without an event loop, its errors plain. Blocks until the end."""
    try:
        trio.run(mount, request, ready)
    except BaseExceptionGroup as group:
        raise _gravest(group) from group


def _gravest(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error that says why: a refusal has a sentence, what else failed only followed."""
    plain = list(_leaves(group))
    return next((error for error in plain if isinstance(error, MountRefused)), plain[0])


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


async def mount(request: MountRequest, ready: Callable[[], None]) -> None:
    """Mount and serve until unmounted; `ready` is called when the mount answers.

    Raises MountRefused, Interrupted, and RuntimeError if the kernel refuses.
    """
    mounted = trio.Event()

    def answers() -> None:
        mounted.set()
        ready()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(_obey_signals, request.mountpoint, mounted, nursery.cancel_scope)
        try:
            await _connect_and_serve(request, answers)
        finally:
            nursery.cancel_scope.cancel()
    if not mounted.is_set():
        raise Interrupted


async def _connect_and_serve(request: MountRequest, ready: Callable[[], None]) -> None:
    location, options = request.location, request.options
    settings = connection_settings(location, options)
    async with open_share(
        settings, request.credentials, location.share, root=location.path
    ) as share:
        try:
            await serve(
                share,
                request.mountpoint,
                view_settings(options),
                kernel_options(location, options),
                ready=ready,
            )
        except RuntimeError as error:
            raise MountRefused(
                f"the kernel did not mount {location} at {request.mountpoint} ({error}); the lines "
                "above, from fusermount3, may say more"
            ) from error


async def _obey_signals(path: str, mounted: trio.Event, everything: trio.CancelScope) -> None:
    """End cleanly when told to: unmount, so that the kernel hands over what it holds."""
    with trio.open_signal_receiver(*_SIGNALS) as signals:
        async for number in signals:
            _log.info("signal %d: unmounting %s", number, path)
            if mounted.is_set():
                with trio.move_on_after(_PATIENCE):
                    if await trio.to_thread.run_sync(_unmount, path, abandon_on_cancel=True):
                        # Serving ends by itself now; wait for it rather than cut it short.
                        await trio.sleep(_PATIENCE)
            everything.cancel()


def _unmount(path: str) -> bool:
    """True if nothing used the mount any more and it is gone."""
    done = subprocess.run(
        mountpoints.unmount_command(path), capture_output=True, text=True, check=False
    )
    if done.returncode:
        _log.warning("%s is in use; cutting it off (%s)", path, done.stderr.strip())
    return done.returncode == 0
