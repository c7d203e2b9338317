"""From a server's name to a connected share, and every reason why not.

Each step that can fail says what was tried, what answered and what to do.
"""

import errno
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import trio

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.smb1 import is_smb1, multi_protocol_negotiate
from smbmount.proto.status import NtStatus, name_of

from .buffers import BufferPool
from .connection import Connection
from .errors import ClientError, ConnectionLost, MountRefused, ServerError
from .negotiation import Negotiated, negotiate
from .pipes import server_shares
from .session import Session
from .settings import ConnectionSettings, Credentials
from .tree import Tree
from .wire import SocketWire

_log = logging.getLogger(__name__)

_EARLY_LIMIT = 128 * 1024  # bytes a frame may have before sizes are negotiated
_FRAME_OVERHEAD = 64 * 1024  # headers, padding and neighbours in a compound
_CURIOSITY = 5.0  # seconds to learn which shares there are, when the asked one is not
_MOST_NAMES = 20  # in a sentence
_OVERDUE = 1.0  # seconds to say goodbye in, before the connection is dropped


@asynccontextmanager
async def reach(
    settings: ConnectionSettings, credentials: Credentials, share: str
) -> AsyncIterator[Tree]:
    """A connected share; signed off and disconnected at the end. Raises MountRefused."""
    async with trio.open_nursery() as nursery:
        with arriving(settings, trio.current_time() + settings.connect_timeout):
            wire = await _dial(settings)
            connection = _start(f"//{settings.host}", wire, settings)
            await nursery.start(connection.run)
            negotiated = await _negotiate(connection, wire, settings)
            session = Session(connection, negotiated, settings, credentials)
            await session.sign_on()
            tree = Tree(session, share)
            await _connect_tree(tree)
        try:
            yield tree
        finally:
            with trio.move_on_after(_OVERDUE, shield=True):
                await tree.disconnect()
                await session.log_off()
            connection.close()


@contextmanager
def arriving(settings: ConnectionSettings, deadline: float) -> Iterator[None]:
    """The way to the share: whatever fails in here refuses the mount, and so does being late.

    `deadline` is in trio's time, seconds. Raises MountRefused.
    """
    label = f"//{settings.host}"
    try:
        with trio.fail_at(deadline):
            yield
    except trio.TooSlowError as error:
        raise MountRefused(
            f"{label} did not finish within {settings.connect_timeout:g} s: the server or the "
            "network is very slow, or a firewall is swallowing the traffic",
            errno.ETIMEDOUT,
        ) from error
    except MountRefused:
        raise
    except ClientError as error:
        raise MountRefused(f"connecting to {label} failed: {error}", error.errno) from error
    except MalformedMessage as error:
        raise MountRefused(
            f"{label} answered what cannot be right ({error}); somebody may be in between",
            errno.EPROTO,
        ) from error


def _start(label: str, wire: SocketWire, settings: ConnectionSettings) -> Connection:
    connection = Connection(
        wire,
        label=label,
        timeout=settings.timeout,
        echo_interval=settings.echo_interval,
        max_credits=settings.max_credits,
    )
    if settings.observer is not None:
        connection.observers.append(settings.observer())
    return connection


async def _dial(settings: ConnectionSettings) -> SocketWire:
    """A TCP connection, by the first address that answers. Raises MountRefused."""
    target = settings.address or settings.host
    where = f"{target} port {settings.port}"
    try:
        stream = await trio.open_tcp_stream(target, settings.port)
    except socket.gaierror as error:
        raise MountRefused(
            f"the host name {target!r} does not resolve ({error.strerror}); check its spelling, "
            "or give the address with ip=",
            errno.EHOSTUNREACH,
        ) from error
    except UnicodeError as error:
        raise MountRefused(f"{target!r} is not a host name", errno.EINVAL) from error
    except OSError as error:
        raise _unreachable(where, error) from error
    # trio wraps the socket; from here on we read and write it ourselves.
    sock = socket.socket(fileno=stream.socket.detach())
    return SocketWire(sock, BufferPool(), _EARLY_LIMIT)


def _unreachable(where: str, error: OSError) -> MountRefused:
    cause: BaseException | None = error
    while cause is not None and not getattr(cause, "errno", None):
        inner = cause.__cause__
        cause = inner.exceptions[0] if isinstance(inner, BaseExceptionGroup) else inner
    code = getattr(cause, "errno", None) or errno.EHOSTUNREACH
    if code == errno.ECONNREFUSED:
        hint = "nothing listens there; is the server running, and is this its port?"
    else:
        hint = "is the server on, and is the network between?"
    return MountRefused(f"{where} cannot be reached: {os.strerror(code)}; {hint}", code)


async def _negotiate(
    connection: Connection, wire: SocketWire, settings: ConnectionSettings
) -> Negotiated:
    try:
        negotiated = await negotiate(connection, settings)
    except ConnectionLost as lost:
        raise await _explain(lost, wire, settings) from lost
    connection.set_frame_limit(max(negotiated.max_read, negotiated.max_transact) + _FRAME_OVERHEAD)
    return negotiated


async def _explain(
    lost: ConnectionLost, wire: SocketWire, settings: ConnectionSettings
) -> MountRefused:
    """Why a connection ended instead of negotiating."""
    where = f"{settings.address or settings.host} port {settings.port}"
    greeting = wire.greeting
    if greeting.startswith((b"HTTP/", b"<")):  # HTTP 0.9, or an error, begins with the page itself
        return MountRefused(f"{where} answers as a web server (HTTP), not as a file server")
    if greeting[:2] in (b"\x15\x03", b"\x16\x03"):
        return MountRefused(f"{where} answers with TLS, not SMB; is this the right port?")
    if greeting.startswith(b"SSH-"):
        return MountRefused(f"{where} is an SSH server, not a file server")
    if is_smb1(greeting[4:]) or (not greeting and await _speaks_smb1(settings)):
        return MountRefused(
            f"{where} speaks only SMB1, which is not safe and not supported; enable SMB 2 or 3 "
            "on the server",
            errno.EPROTONOSUPPORT,
        )
    if greeting:
        return MountRefused(f"{where} does not speak SMB 2 or 3: {lost.reason}")
    return MountRefused(
        f"{where} closed the connection without a word: it may not be an SMB server, or does "
        "not allow this client"
        if lost.errno in (errno.ECONNRESET, errno.EPIPE)
        else f"negotiating with {where} failed: {lost.reason}",
        lost.errno,
    )


async def _speaks_smb1(settings: ConnectionSettings) -> bool:
    """Ask a server that hung up on SMB 2 whether it knows SMB 1."""
    try:
        wire = await _dial(settings)
    except MountRefused:
        return False
    try:
        wire.send([multi_protocol_negotiate()])
        answer = await wire.receive()
        return answer is not None and is_smb1(answer)
    except (OSError, Exception):
        return False
    finally:
        wire.close()


async def _connect_tree(tree: Tree) -> None:
    label = tree.label
    try:
        await tree.connect()
    except ServerError as error:
        if error.status == NtStatus.STATUS_BAD_NETWORK_NAME:
            raise MountRefused(await _no_such_share(tree), errno.ENOENT) from error
        if error.status == NtStatus.STATUS_ACCESS_DENIED:
            raise MountRefused(
                f"{label}: access denied {tree.session.who}; the share's permissions do not let "
                "this user in, or it demands encryption (seal) or another dialect",
                errno.EACCES,
            ) from error
        raise MountRefused(
            f"{label} refused the connection {tree.session.who}: {name_of(error.status)}",
            error.errno,
        ) from error
    if tree.is_pipe:
        raise MountRefused(f"{label} is for named pipes and holds no files", errno.ENOTDIR)


async def _no_such_share(tree: Tree) -> str:
    """The sentence, with the shares that there are, if the server tells them."""
    server = tree.connection.label
    known = None
    with trio.move_on_after(_CURIOSITY):
        known = await server_shares(tree.session)
    names = sorted((share.name for share in known or () if share.for_people), key=str.casefold)
    if not names:
        return f"{server} has no share {tree.share!r}; check its spelling"
    told = ", ".join(names[:_MOST_NAMES]) + (", and more" if len(names) > _MOST_NAMES else "")
    return f"no such share {tree.share!r}: {server} has {told}"
