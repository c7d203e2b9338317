"""Named pipes on IPC$, and the one program behind them that a mount asks: the list of shares.

A pipe is opened, written, read and transceived like a file ([MS-SMB2] 3.2.4.20.1); whole messages
of DCE/RPC may take several reads.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from smbmount.proto import dcerpc, srvsvc
from smbmount.proto.close import CloseRequest, CloseResponse
from smbmount.proto.create import (
    RELATED,
    AccessMask,
    CreateDisposition,
    CreateRequest,
    CreateResponse,
    FileId,
)
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fsctl import PipeWaitRequest
from smbmount.proto.ioctl import FsctlCode, IoctlRequest, IoctlResponse
from smbmount.proto.read import ReadRequest, ReadResponse
from smbmount.proto.srvsvc import ServerShare
from smbmount.proto.status import NtStatus
from smbmount.proto.write import WriteRequest, WriteResponse

from .errors import ClientError
from .session import Session
from .tree import Tree

_log = logging.getLogger(__name__)

_ROOM = 4280  # bytes of one read: a fragment
_MORE = NtStatus.STATUS_BUFFER_OVERFLOW  # the message goes on


class Pipe:
    """An open named pipe. Raises ClientError everywhere."""

    def __init__(self, tree: Tree, file_id: FileId, name: str) -> None:
        self._tree = tree
        self._file_id = file_id
        self.name = name

    def __repr__(self) -> str:
        return f"<Pipe {self._tree.label}/{self.name}>"

    async def write(self, data: bytes) -> None:
        """Write one message."""
        await self._tree.call(WriteRequest(self._file_id, 0, data), WriteResponse, self.name)

    async def read(self, room: int = _ROOM) -> memoryview:
        """Up to `room` bytes of the next message."""
        request = ReadRequest(self._file_id, 0, room)
        return (await self._tree.call(request, ReadResponse, self.name, _MORE)).data

    async def transceive(self, data: bytes, room: int = _ROOM) -> memoryview:
        """Write a message, and read up to `room` bytes of the answer, in one round trip."""
        request = IoctlRequest(self._file_id, FsctlCode.PIPE_TRANSCEIVE, data, room)
        output = (await self._tree.call(request, IoctlResponse, self.name, _MORE)).output
        if len(output) > room:
            raise self._tree.distrust(MalformedMessage("IOCTL", "OutputCount", len(output)))
        return output

    async def close(self) -> None:
        """Close it."""
        await self._tree.call(CloseRequest(self._file_id), CloseResponse, self.name)


@asynccontextmanager
async def ipc(session: Session) -> AsyncIterator[Tree]:
    """IPC$ of the session's server. Raises ClientError."""
    tree = Tree(session, "IPC$")
    await tree.connect()
    try:
        yield tree
    finally:
        await tree.disconnect()


@asynccontextmanager
async def open_pipe(tree: Tree, name: str) -> AsyncIterator[Pipe]:
    """A named pipe of IPC$. Raises ClientError."""
    access = AccessMask.READ_DATA | AccessMask.WRITE_DATA | AccessMask.READ_ATTRIBUTES
    request = CreateRequest(name, access, CreateDisposition.OPEN)
    opened = await tree.call(request, CreateResponse, name)
    pipe = Pipe(tree, opened.file_id, name)
    try:
        yield pipe
    finally:
        await pipe.close()


async def wait_for_pipe(tree: Tree, name: str, timeout: float | None = None) -> None:
    """Wait until a pipe has room for us, at most `timeout` seconds (FSCTL_PIPE_WAIT).

    Raises ClientError.
    """
    units = round(timeout * 10_000_000) if timeout is not None else None
    question = PipeWaitRequest(name, units).pack()
    await tree.call(IoctlRequest(RELATED, FsctlCode.PIPE_WAIT, question, 0), IoctlResponse, name)


async def call(pipe: Pipe, interface: dcerpc.Interface, operation: int, stub: bytes) -> memoryview:
    """Bind and call one operation; the whole output.

    Raises ClientError, MalformedMessage, dcerpc.Fault.
    """
    bound = await _message(pipe, await pipe.transceive(dcerpc.bind(interface, 1)))
    dcerpc.check_bound(bound, 1)
    packet = await _message(pipe, await pipe.transceive(dcerpc.request(operation, stub, 2)))
    whole = bytearray(dcerpc.answered(packet, 2))
    while not packet.last:
        packet = await _message(pipe, await pipe.read())
        whole += dcerpc.answered(packet, 2)
        if len(whole) > dcerpc.MOST_STUB:
            raise MalformedMessage("RPC", "size", len(whole))
    return memoryview(whole)


async def _message(pipe: Pipe, start: memoryview) -> dcerpc.Packet:
    """The fragment that begins so, read to its end."""
    size = dcerpc.fragment_size(start)
    data = bytearray(start)
    while len(data) < size:
        part = await pipe.read(size - len(data))
        if not part:
            raise MalformedMessage("RPC", "frag_length", size)
        data += part
    return dcerpc.Packet.unpack(memoryview(data))


async def server_shares(session: Session) -> tuple[ServerShare, ...] | None:
    """The shares of the server; None if it does not tell us. Raises nothing of the server's."""
    try:
        async with ipc(session) as tree, open_pipe(tree, "srvsvc") as pipe:
            stub = srvsvc.share_enum(session.connection.label.removeprefix("//"))
            return srvsvc.shares(await call(pipe, srvsvc.SRVSVC, srvsvc.SHARE_ENUM, stub))
    except (ClientError, MalformedMessage, dcerpc.Fault, PermissionError) as error:
        _log.info("%s does not tell its shares: %s", session.connection.label, error)
        return None
