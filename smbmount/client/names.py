"""Names of a share removed and moved as POSIX has it, over a protocol that has it otherwise.

SMB keeps the name of an open file until its last close, and replaces no file that is open. So what
is in the way and open gets a hidden name first (`hidden_name`), and is marked for deletion there:
it goes with its last handle, even if this mount is killed.
"""

import logging
import re
import secrets
from dataclasses import replace
from typing import Protocol

import trio

from smbmount.proto.close import CloseRequest
from smbmount.proto.create import (
    RELATED,
    AccessMask,
    CreateDisposition,
    CreateOptions,
    CreateRequest,
    CreateResponse,
    FileAttributes,
)
from smbmount.proto.header import Command
from smbmount.proto.info import SetInfoResponse
from smbmount.proto.ioctl import FsctlCode, IoctlRequest, IoctlResponse
from smbmount.proto.reparse import ReparsePoint
from smbmount.proto.status import NtStatus

from .attributes import FileStat
from .connection import Answer, Request
from .errors import ClientError, ServerError
from .open_file import OpenFile, basic_request, disposition_request, joined, rename_request
from .tree import Tree

_log = logging.getLogger(__name__)

_HIDDEN = re.compile(r"\.smbmount-[0-9a-f]{16}")
_MOVE = AccessMask.DELETE | AccessMask.READ_ATTRIBUTES
_KEEP = _MOVE | AccessMask.WRITE_ATTRIBUTES  # for those who hold it and may not write


def hidden_name() -> str:
    """A name for what has none any more, but is open still."""
    return f".smbmount-{secrets.token_hex(8)}"


def is_hidden(name: str) -> bool:
    """True for a name that `hidden_name` made, here or in another mount."""
    return _HIDDEN.fullmatch(name) is not None


class Place(Protocol):
    """What the names need of their share."""

    root: str

    async def stat(self, path: str) -> FileStat:
        """The metadata of what `path` names."""

    def create(
        self,
        path: str,
        access: AccessMask,
        disposition: CreateDisposition,
        *,
        options: CreateOptions = CreateOptions(0),
    ) -> CreateRequest:
        """The CREATE of a path."""

    def hold(self, opened: CreateResponse, path: str) -> OpenFile:
        """The file that a CREATE opened."""


class Names:
    """remove and rename of one share, with what they need of each other."""

    def __init__(self, tree: Tree, place: Place) -> None:
        self._tree = tree
        self._place = place

    async def remove(self, path: str, *, directory: bool) -> None:
        """Share.remove."""
        try:
            await self._remove(path, directory)
        except ServerError as error:
            # A link to a directory is a directory to Windows, and a file to us.
            there = error.status == NtStatus.STATUS_FILE_IS_A_DIRECTORY and not directory
            if not there or (await self._place.stat(path)).is_directory:
                raise
            await self._remove(path, True)

    async def _remove(self, path: str, directory: bool) -> None:
        create = self._place.create(
            path, _MOVE, CreateDisposition.OPEN, options=_one_that_is(directory)
        )
        answers = await self._tree.send(
            [create, disposition_request(RELATED, True), CloseRequest(RELATED)]
        )
        self._tree.parse(answers[0], CreateResponse, path)
        self._tree.parse(answers[1], SetInfoResponse, path)

    async def remove_open(self, path: str, *, directory: bool) -> OpenFile:
        """Share.remove_open."""
        aside, attributes = await self._hide(path)
        return await self._condemn(aside, path, directory, attributes)

    async def _hide(self, path: str) -> tuple[str, FileAttributes]:
        """Give it a hidden name; that, and the attributes it had. Raises ClientError.

        The name is in the mounted directory, so that the directory it was in can be moved or
        removed; or else beside the old one.
        """
        aside = hidden_name()
        try:
            return aside, await self._rename(path, aside, False)
        except ServerError as error:
            beside = _beside(path, aside)
            if beside == aside or error.command is Command.CREATE:
                raise
            return beside, await self._rename(path, beside, False)

    async def _condemn(
        self, aside: str, path: str, directory: bool, attributes: FileAttributes
    ) -> OpenFile:
        """Mark what was `path` for deletion when the file returned is closed.

        It gets its `attributes` back, for its other names: a dot first has made it a hidden file.
        Not through a handle of the POSIX extensions: Samba removes such a file at once, and then
        truncates nothing that has no name any more.
        """
        with trio.CancelScope(shield=True):  # it has no name that anybody would find
            try:
                answers = await self._mark(aside, _KEEP, directory, attributes)
                if answers[0].status == NtStatus.STATUS_ACCESS_DENIED:
                    answers = await self._mark(aside, _MOVE, directory, attributes)
                opened = self._tree.parse(answers[0], CreateResponse, path)
                file = self._place.hold(opened, aside)
                try:
                    self._tree.parse(answers[1], SetInfoResponse, path)
                except ServerError:
                    await file.close()
                    raise
            except ServerError:
                await self._come_back(aside, path, attributes)  # it must stay
                raise
        return file

    async def _mark(
        self, path: str, access: AccessMask, directory: bool, attributes: FileAttributes
    ) -> list[Answer]:
        create = self._place.create(
            path, access, CreateDisposition.OPEN, options=_one_that_is(directory)
        )
        marked = disposition_request(RELATED, True)
        work: list[Request] = [replace(create, contexts=()), marked]
        if access & AccessMask.WRITE_ATTRIBUTES and not directory:
            work.append(basic_request(RELATED, attributes=attributes))
        return await self._tree.send(work)

    async def _come_back(self, aside: str, path: str, attributes: FileAttributes) -> None:
        """From a hidden name to the one that it had. Raises ClientError."""
        await self._rename(aside, path, False)
        create = self._place.create(
            path,
            AccessMask.WRITE_ATTRIBUTES,
            CreateDisposition.OPEN,
            options=CreateOptions.OPEN_REPARSE_POINT,
        )
        again = basic_request(RELATED, attributes=attributes)
        await self._tree.send([create, again, CloseRequest(RELATED)])  # or it stays a hidden one

    async def rename(
        self, path: str, target: str, *, replace: bool, point: ReparsePoint | None
    ) -> OpenFile | None:
        """Share.rename, of a link or special file if there is a `point`."""
        try:
            await self._rename(path, target, replace, point)
        except ServerError as error:
            if error.status != NtStatus.STATUS_ACCESS_DENIED or not replace:
                raise
            return await self._replace_open(path, target, point, error)
        return None

    async def _replace_open(
        self, path: str, target: str, point: ReparsePoint | None, denied: ServerError
    ) -> OpenFile:
        """Samba replaces no open file, with POSIX extensions neither; POSIX does.

        The open file makes way to a hidden name first, and comes back if it was denied for
        another reason. In between, the name is free for an instant.
        """
        try:
            there = await self._place.stat(target)
            read_only = not self._tree.posix and there.attributes & FileAttributes.READONLY
            if there.is_directory or read_only:
                raise denied
            aside, attributes = await self._hide(target)
        except ServerError:
            raise denied from None  # nothing is there, or it may not be touched either
        with trio.CancelScope(shield=True):
            try:
                await self._rename(path, target, False, point)
            except ClientError:
                await self._come_back(aside, target, attributes)
                raise
        return await self._condemn(aside, aside, False, attributes)

    async def _rename(
        self, path: str, target: str, replace: bool, point: ReparsePoint | None = None
    ) -> FileAttributes:
        """One compound; the attributes before.

        Samba forgets at a rename that a file is a reparse point: it is told.
        """
        access = _MOVE if point is None else _MOVE | AccessMask.WRITE_ATTRIBUTES
        create = self._place.create(
            path, access, CreateDisposition.OPEN, options=CreateOptions.OPEN_REPARSE_POINT
        )
        whole = joined(self._place.root, target)
        work: list[Request] = [create, rename_request(self._tree, RELATED, whole, replace)]
        if point is not None:
            work.append(IoctlRequest(RELATED, FsctlCode.SET_REPARSE_POINT, point.pack()))
        answers = await self._tree.send([*work, CloseRequest(RELATED)])
        opened = self._tree.parse(answers[0], CreateResponse, path)
        self._tree.parse(answers[1], SetInfoResponse, path)
        if point is not None:
            try:
                self._tree.parse(answers[2], IoctlResponse, target)
            except ServerError as error:  # of a server that remembers, as most do
                _log.debug("%s: %s", self._tree.label, error)
        return FileAttributes(opened.file_attributes)


def _one_that_is(directory: bool) -> CreateOptions:
    kind = CreateOptions.DIRECTORY_FILE if directory else CreateOptions.NON_DIRECTORY_FILE
    return kind | CreateOptions.OPEN_REPARSE_POINT


def _beside(path: str, name: str) -> str:
    """The path of `name` in the directory of `path`."""
    directory = path.rpartition("\\")[0]
    return f"{directory}\\{name}" if directory else name
