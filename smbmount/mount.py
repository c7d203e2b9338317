"""A mount from its settings to its end: connect, serve, and unmount when told to."""

import errno
import logging
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from smbmount.client.capture import Capture
from smbmount.client.errors import MountRefused
from smbmount.client.settings import ConnectionSettings, Credentials
from smbmount.client.share import Share, open_share
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
    capture: str | None = None  # file for the messages, absolute


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
        timeout=options.timeout,
        connect_timeout=options.connect_timeout,
        echo_interval=options.echo_interval,
        max_credits=options.max_credits,
        ciphers=options.ciphers,
        signing_algorithms=options.signing_algorithms,
        client_guid=options.client_guid or secrets.token_bytes(16),
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
        mapping=options.mapping,
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
    with _capturing(request.capture, settings) as watched:
        async with open_share(
            watched, request.credentials, location.share, root=location.path
        ) as share:
            await _serve(share, request, ready)


@contextmanager
def _capturing(path: str | None, settings: ConnectionSettings) -> Iterator[ConnectionSettings]:
    """The settings, so that all messages go to the capture file, too. Raises MountRefused."""
    if path is None:
        yield settings
        return
    try:
        capture = Capture(Path(path))
    except OSError as error:
        raise MountRefused(
            f"the capture file {path} cannot be made: {error.strerror}", error.errno or errno.EIO
        ) from error
    try:
        yield replace(settings, observer=capture.observer)
    finally:
        capture.close()


async def _serve(share: Share, request: MountRequest, ready: Callable[[], None]) -> None:
    location, options = request.location, request.options
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
