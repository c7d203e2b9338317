"""A tree connect: one share of one session, and the way every request to it goes.

[MS-SMB2] 3.2.4.2.4, 3.2.5.5. A request that fails because the session expired is sent again after
the session was renewed: the server did nothing for it. A compound that the server's credits
cannot pay for goes as single requests.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Protocol, Self, TypeVar

from smbmount.proto.close import CloseRequest
from smbmount.proto.create import RELATED, CreateResponse, FileId
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fsctl import ValidateNegotiateInfoRequest, ValidateNegotiateInfoResponse
from smbmount.proto.header import Command, HeaderFlags
from smbmount.proto.ioctl import FsctlCode, IoctlRequest, IoctlResponse
from smbmount.proto.negotiate import Dialect
from smbmount.proto.status import NtStatus
from smbmount.proto.tree import (
    ShareFlags,
    ShareType,
    TreeConnectRequest,
    TreeConnectResponse,
    TreeDisconnectRequest,
)

from .connection import Answer, Request
from .credits import CreditShortage
from .errors import ClientError, ConnectionLost, MountRefused, ServerError
from .session import Session

_log = logging.getLogger(__name__)

_MOST_RENEWALS = 3  # a server that keeps saying "expired" right after a renewal is broken


class Unpackable(Protocol):
    """A response class of `smbmount.proto`."""

    @classmethod
    def unpack(cls, message: memoryview) -> Self:
        """Parse one whole message."""


R = TypeVar("R", bound=Unpackable)


class Tree:
    """A connected share."""

    def __init__(self, session: Session, share: str) -> None:
        self.session = session
        self.connection = session.connection
        self.share = share
        self.label = f"{self.connection.label}/{share}"
        self.tree_id = 0
        self.is_pipe = False
        self.is_dfs = False
        self.posix = False  # every CREATE has the POSIX context; `Share` finds out
        self.snapshot: int | None = None  # FILETIME: every CREATE is of the share as it was then
        self.device = 0  # with POSIX extensions: of the root directory
        self._seal = False

    def __repr__(self) -> str:
        return f"<Tree {self.label} {self.tree_id:#x}>"

    async def connect(self) -> None:
        """TREE_CONNECT. Raises ServerError if the server refuses, MountRefused if we do."""
        host = self.connection.label.removeprefix("//")
        request = TreeConnectRequest(f"\\\\{host}\\{self.share}")
        security = self.session.security
        # Signed whatever was agreed, if there is a key: with 3.1.1 it is the first request that
        # proves the preauthentication hash to the server (3.2.4.1.1), and with every dialect the
        # answer says whether the share demands encryption.
        [answer] = await self.connection.exchange([request], security=security, sign=True)
        self.tree_id = answer.header.tree_id
        response = accept(answer, TreeConnectResponse, self.label)
        self.is_pipe = response.share_type == ShareType.PIPE
        self.is_dfs = bool(response.share_flags & ShareFlags.DFS)
        if response.share_flags & ShareFlags.ENCRYPT_DATA:
            if security.sealer is None:
                raise MountRefused(
                    f"{self.label} demands encryption, which this session cannot do "
                    "(a guest has no key, and dialects before 3.0 have no encryption)"
                )
            self._seal = True
        if (
            security.signer is not None
            and Dialect(self.session.negotiated.dialect) < Dialect.SMB_3_1_1
        ):
            await self._validate_negotiation()

    async def _validate_negotiation(self) -> None:
        """Ask under signature what was negotiated in the clear (3.2.5.5, 3.2.5.14.12)."""
        agreed = self.session.negotiated
        if max(agreed.offered.dialects) < Dialect.SMB_3_0:
            return  # nothing newer was offered, so nothing could be talked down
        question = ValidateNegotiateInfoRequest(
            capabilities=agreed.offered.capabilities,
            guid=agreed.offered.client_guid,
            security_mode=agreed.offered.security_mode,
            dialects=agreed.offered.dialects,
        )
        request = IoctlRequest(
            RELATED,
            FsctlCode.VALIDATE_NEGOTIATE_INFO,
            question.pack(),
            max_output_response=24,
        )
        security = self.session.security
        try:
            [answer] = await self.connection.exchange(
                [request], security=security, tree_id=self.tree_id, sign=True, seal=self._seal
            )
        except ConnectionLost as lost:
            raise MountRefused(
                f"{self.label}: the server would not confirm under signature what was negotiated "
                f"({lost.reason}); somebody may be in between"
            ) from lost
        if answer.status in (
            NtStatus.STATUS_NOT_SUPPORTED,
            NtStatus.STATUS_INVALID_DEVICE_REQUEST,
            NtStatus.STATUS_FILE_CLOSED,
            NtStatus.STATUS_FS_DRIVER_REQUIRED,
        ):
            return  # an old server's signed "I do not know": as good as a confirmation
        output = accept(answer, IoctlResponse, self.label).output
        told = ValidateNegotiateInfoResponse.unpack(output)
        seen = agreed.answer
        if (told.capabilities, told.guid, told.security_mode, told.dialect) != (
            seen.capabilities,
            seen.server_guid,
            seen.security_mode,
            seen.dialect,
        ):
            raise MountRefused(
                f"{self.label}: the negotiation was tampered with: the server remembers another "
                "one; somebody is in between"
            )

    async def disconnect(self) -> None:
        """TREE_DISCONNECT; a server that is gone already is no error."""
        try:
            await self.send([TreeDisconnectRequest()])
        except ClientError as error:
            _log.debug("%s: disconnect not answered: %s", self.label, error)

    # -- requests -----------------------------------------------------------------------

    async def send(
        self,
        requests: Sequence[Request],
        *,
        on_late: Callable[[list[Answer]], None] | None = None,
        deadline: bool = True,
        flags: HeaderFlags = HeaderFlags(0),
    ) -> list[Answer]:
        """Send related requests, in one compound if the credits allow; their final answers."""
        for _ in range(_MOST_RENEWALS):
            generation = self.session.generation
            try:
                answers = await self.connection.exchange(
                    requests,
                    security=self.session.security,
                    tree_id=self.tree_id,
                    seal=self._seal,
                    flags=flags,
                    on_late=on_late if on_late is not None else self._close_late,
                    deadline=deadline,
                )
            except CreditShortage:
                if len(requests) == 1:
                    raise
                return await self._send_singly(requests)
            if answers[0].status != NtStatus.STATUS_NETWORK_SESSION_EXPIRED:
                return answers
            await self.session.renew(generation)
        return answers

    async def _send_singly(self, requests: Sequence[Request]) -> list[Answer]:
        """What a compound means, one by one: the opened file's id is handed on, and after a
        failure the rest fails with it (3.3.5.2.7.2)."""
        answers: list[Answer] = []
        file_id: FileId | None = None
        failed: Answer | None = None
        for request in requests:
            if failed is not None and request.COMMAND is not Command.CLOSE:
                answers.append(failed)
                continue
            if request.COMMAND is not Command.CREATE:
                if file_id is None and getattr(request, "file_id", None) == RELATED:
                    assert failed is not None
                    answers.append(failed)
                    continue
                if file_id is not None:
                    request = _aimed(request, file_id)
            try:
                [answer] = await self.send([request])
            except BaseException:
                if file_id is not None:  # nobody else knows that it is open
                    self.connection.in_background(partial(self._close_quietly, file_id))
                raise
            answers.append(answer)
            if _is_failure(answer.status):
                failed = answer
            elif request.COMMAND is Command.CREATE:
                file_id = self.parse(answer, CreateResponse).file_id
        return answers

    def _close_late(self, answers: list[Answer]) -> None:
        """A CREATE was answered after its caller had left: close what it opened."""
        if any(answer.header.command == Command.CLOSE for answer in answers):
            return
        for answer in answers:
            if answer.header.command == Command.CREATE and answer.status == 0:
                file_id = CreateResponse.unpack(answer.message).file_id
                self.connection.in_background(partial(self._close_quietly, file_id))

    async def _close_quietly(self, file_id: FileId) -> None:
        try:
            await self.send([CloseRequest(file_id)])
        except ClientError as error:
            _log.debug("%s: late close failed: %s", self.label, error)

    async def call(
        self,
        request: Request,
        expected: type[R],
        path: str = "",
        *also_fine: int,
        deadline: bool = True,
    ) -> R:
        """One request, its parsed response. Raises ServerError, ConnectionLost, TimedOut."""
        [answer] = await self.send([request], deadline=deadline)
        return self.parse(answer, expected, path, *also_fine)

    def parse(self, answer: Answer, expected: type[R], path: str = "", *also_fine: int) -> R:
        """`accept`, and a server whose answer cannot be parsed loses the connection."""
        try:
            return accept(answer, expected, path, *also_fine)
        except MalformedMessage as error:
            raise self.distrust(error) from error

    def distrust(self, error: MalformedMessage) -> ConnectionLost:
        """End the connection for a malformed answer; returns what to raise."""
        self.connection.refuse(str(error))
        assert self.connection.lost is not None
        return self.connection.lost


def accept(answer: Answer, expected: type[R], path: str = "", *also_fine: int) -> R:
    """The response inside `answer`.

    Raises ServerError unless its status is success or one of `also_fine`, MalformedMessage if it
    cannot be parsed, or holds more than was asked for.
    """
    if answer.status != NtStatus.STATUS_SUCCESS and answer.status not in also_fine:
        raise ServerError(answer.status, Command(answer.header.command), path)
    response = expected.unpack(answer.message)
    held = getattr(response, "data", getattr(response, "output", b""))
    if answer.asked is not None and len(held) > answer.asked:
        name = Command(answer.header.command).name
        raise MalformedMessage(
            name, "DataLength", f"{len(held)}, more than the {answer.asked} asked for"
        )
    return response


def _is_failure(status: int) -> bool:
    return status >> 30 == 3  # severity "error", [MS-ERREF] 2.3


def _aimed(request: Request, file_id: FileId) -> Request:
    """The same request for a file id that is known by now."""
    if getattr(request, "file_id", None) != RELATED:
        return request
    aimed: Any = replace(request, file_id=file_id)  # type: ignore[type-var]  # a dataclass
    return aimed  # type: ignore[no-any-return]  # of the same class
