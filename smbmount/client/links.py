"""Symbolic links, hard links and special files of a share: told apart, read and made.

What the server lists may be another thing than it seems: a file of 1067 bytes may be a link
(`mfsymlinks`), one with the SYSTEM attribute a device (`sfu`), and a reparse point tells only by
its content. `resolve` looks, where looking can be worth it; a directory's entries are looked into
many at once.
"""

import errno
import logging
import stat as modes
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from typing import Protocol

import trio

from smbmount.proto.create import (
    RELATED,
    AccessMask,
    CreateDisposition,
    CreateOptions,
    FileAttributes,
)
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass
from smbmount.proto.fscc_file import FileRenameInformation
from smbmount.proto.info import InfoType, SetInfoRequest, SetInfoResponse
from smbmount.proto.ioctl import FsctlCode, IoctlRequest, IoctlResponse
from smbmount.proto.read import ReadRequest, ReadResponse
from smbmount.proto.reparse import ReparsePoint
from smbmount.proto.status import NtStatus
from smbmount.proto.write import WriteRequest, WriteResponse

from .attributes import DirectoryEntry, FileStat
from .connection import Answer, Request
from .errors import BrokenAnswer, ClientError, ServerError
from .link_formats import (
    INTERIX_LARGEST,
    MF_SIZE,
    Special,
    is_special,
    pack_interix,
    pack_mf,
    pack_reparse,
    relative_to,
    unpack_interix,
    unpack_mf,
    unpack_reparse,
)
from .open_file import joined, on_wire, stat_of, stat_request, together
from .settings import ConnectionSettings
from .tree import Tree

_log = logging.getLogger(__name__)

_LARGEST_POINT = 16 * 1024  # bytes of a reparse point ([MS-FSCC] 2.1.2)
_LOOK = AccessMask.READ_ATTRIBUTES
_MAKE = AccessMask.WRITE_DATA | AccessMask.WRITE_ATTRIBUTES | AccessMask.READ_ATTRIBUTES


class With(Protocol):
    """`Share.compound`: CREATE, work, CLOSE in one compound."""

    def __call__(
        self,
        path: str,
        access: AccessMask,
        work: list[Request],
        *,
        disposition: CreateDisposition = ...,
        options: CreateOptions = ...,
        attributes: FileAttributes = ...,
        mode: int = ...,
    ) -> Awaitable[list[Answer]]:
        """The answers."""


class NotALink(BrokenAnswer):
    """What was a link is one no more."""


class Links:
    """The links and special files of one share."""

    def __init__(self, tree: Tree, settings: ConnectionSettings, root: str, do: With) -> None:
        self._tree = tree
        self._host = settings.host
        self._mf = settings.mfsymlinks
        self._sfu = settings.sfu
        self._root = root
        self._with = do

    # -- telling apart ------------------------------------------------------------------

    def _hides(self, stat: FileStat) -> bool:
        """True if only the content tells what this is."""
        if stat.attributes & FileAttributes.REPARSE_POINT:
            if not self._tree.posix:
                # A tag that is told, by a listing, may be of no link at all (deduplication).
                return not stat.reparse_tag or is_special(stat.reparse_tag)
            # The extensions tell the type; not a device's number, nor every link's length.
            device = stat.kind in (modes.S_IFCHR, modes.S_IFBLK)
            return device or (stat.kind == modes.S_IFLNK and not stat.size)
        if stat.type != modes.S_IFREG:
            return False
        if self._mf and stat.size == MF_SIZE:
            return True
        system = self._sfu and stat.attributes & FileAttributes.SYSTEM
        return bool(system) and stat.size <= INTERIX_LARGEST

    async def resolve(self, path: str, stat: FileStat) -> FileStat:
        """`stat` with type, link length and device as they are. Raises ClientError."""
        if not self._hides(stat):
            return stat
        try:
            special = await self._look(path, stat)
        except BrokenAnswer as error:  # any client may have written it: readlink(2) will tell
            _log.debug("%s", error)
            return stat
        if special is None:
            return stat
        kept = stat.attributes & FileAttributes.REPARSE_POINT and special.kind != modes.S_IFLNK
        size = stat.size if kept else special.length  # content stands for what it tells only
        return replace(stat, kind=special.kind, size=size, device=special.device)

    async def resolve_all(
        self, directory: str, entries: list[DirectoryEntry]
    ) -> list[DirectoryEntry]:
        """A directory's entries, resolved; one that cannot be read stays as it was listed."""
        hidden = [place for place, entry in enumerate(entries) if self._hides(entry.stat)]
        if not hidden:
            return entries
        resolved = list(entries)

        async def look(number: int) -> None:
            place = hidden[number]
            entry = entries[place]
            path = f"{directory}\\{entry.name}" if directory else entry.name
            try:
                stat = await self.resolve(path, entry.stat)
            except ServerError:
                return  # gone since, or not ours to read
            resolved[place] = DirectoryEntry(entry.name, stat)

        await together(look, len(hidden))
        return resolved

    async def _look(self, path: str, stat: FileStat) -> Special | None:
        if stat.attributes & FileAttributes.REPARSE_POINT:
            return await self._reparse(path)
        content = await self._content(path, max(MF_SIZE, min(stat.size, INTERIX_LARGEST)))
        if self._mf and len(content) == MF_SIZE:
            target = unpack_mf(content)
            if target is not None:
                return Special(modes.S_IFLNK, target)
        if self._sfu and stat.attributes & FileAttributes.SYSTEM:
            return unpack_interix(content)
        return None

    async def _reparse(self, path: str) -> Special | None:
        try:
            point = await self._point(path)
            if point is None:
                return None
            ours = self._host, self._tree.share
            return unpack_reparse(point, ours, exact=self._tree.posix)
        except MalformedMessage as error:
            # The content is any client's, not the server's word: no reason to hang up.
            raise BrokenAnswer(self._tree.label, f"{path!r} is no link: {error}") from error

    async def point(self, path: str) -> ReparsePoint | None:
        """What makes `path` a link or special file; None if nothing does. Raises ClientError."""
        try:
            point = await self._point(path)
        except MalformedMessage as error:
            _log.debug("%s: %r keeps a point that is none: %s", self._tree.label, path, error)
            return None
        return point if point is not None and is_special(point.tag) else None

    async def _point(self, path: str) -> ReparsePoint | None:
        """Raises MalformedMessage, ClientError."""
        question = IoctlRequest(
            RELATED, FsctlCode.GET_REPARSE_POINT, max_output_response=_LARGEST_POINT
        )
        answers = await self._with(
            path, _LOOK, [question], options=CreateOptions.OPEN_REPARSE_POINT
        )
        if answers[1].status == NtStatus.STATUS_NOT_A_REPARSE_POINT:
            return None
        return ReparsePoint.unpack(self._tree.parse(answers[1], IoctlResponse, path).output)

    async def _content(self, path: str, most: int) -> bytes:
        answers = await self._with(
            path,
            AccessMask.READ_DATA | _LOOK,
            [ReadRequest(RELATED, 0, most)],
            options=CreateOptions.NON_DIRECTORY_FILE,
        )
        if answers[1].status == NtStatus.STATUS_END_OF_FILE:
            return b""
        return bytes(self._tree.parse(answers[1], ReadResponse, path).data)

    # -- reading ------------------------------------------------------------------------

    async def read(self, path: str, stat: FileStat) -> Special:
        """Where a symbolic link leads. `stat` tells how it is kept. Raises ClientError."""
        special = await self._look(path, stat)
        if special is None or special.kind != modes.S_IFLNK:
            raise NotALink(self._tree.label, f"{path!r} is a symbolic link no more")
        if special.windows and special.target.startswith(b"\\"):
            directory = path.rpartition("\\")[0]
            return replace(special, target=relative_to(special.target, directory, self._root))
        return special

    def keeps_exactly(self, target: bytes) -> bool:
        """True if a link to `target` is kept byte by byte; else its names are the server's."""
        if self._tree.posix or self._sfu or target.startswith(b"/"):
            return True
        return self._mf and pack_mf(target) is not None

    # -- making -------------------------------------------------------------------------

    async def make(self, path: str, special: Special, mode: int) -> FileStat:
        """A link or special file, in the way that the mount's options and the server allow.

        Raises ClientError: EOPNOTSUPP if the server keeps no reparse points, EILSEQ for a target
        that cannot be written in UTF-16, as all but `mfsymlinks` do.
        """
        try:
            return await self._make_as_kept(path, special, mode)
        except UnicodeDecodeError as error:
            raise ClientError(
                errno.EILSEQ, f"{path!r} cannot lead to {special.target!r}"
            ) from error

    async def _make_as_kept(self, path: str, special: Special, mode: int) -> FileStat:
        if special.kind == modes.S_IFLNK and self._mf:
            content = pack_mf(special.target)
            if content is not None:
                return await self._make_file(path, special, content, FileAttributes(0), mode)
        if self._sfu:
            content = pack_interix(special)
            return await self._make_file(path, special, content, FileAttributes.SYSTEM, mode)
        special = replace(special, windows=not self.keeps_exactly(special.target))
        point = pack_reparse(special, exact=self._tree.posix).pack()
        set_point = IoctlRequest(RELATED, FsctlCode.SET_REPARSE_POINT, point)
        return await self._make(path, special, set_point, FileAttributes(0), mode)

    async def _make_file(
        self, path: str, special: Special, content: bytes, attributes: FileAttributes, mode: int
    ) -> FileStat:
        return await self._make(path, special, WriteRequest(RELATED, 0, content), attributes, mode)

    async def _make(
        self, path: str, special: Special, fill: Request, attributes: FileAttributes, mode: int
    ) -> FileStat:
        answers = await self._with(
            path,
            _MAKE,
            [fill, stat_request(self._tree, RELATED)],
            disposition=CreateDisposition.CREATE,
            options=CreateOptions.NON_DIRECTORY_FILE | CreateOptions.OPEN_REPARSE_POINT,
            attributes=attributes,
            mode=mode,
        )
        expected = WriteResponse if isinstance(fill, WriteRequest) else IoctlResponse
        try:
            self._tree.parse(answers[1], expected, path)
            stat = stat_of(self._tree, answers[2], path)
        except ServerError:
            await self._unmake(path)
            raise
        size = special.length
        return replace(stat, kind=special.kind, size=size, device=special.device)

    async def _unmake(self, path: str) -> None:
        """Nothing may be left of what could not become what was asked for."""
        with trio.CancelScope(shield=True):
            await self._with(
                path,
                AccessMask.DELETE | _LOOK,
                [],
                options=CreateOptions.DELETE_ON_CLOSE | CreateOptions.OPEN_REPARSE_POINT,
            )

    async def link(self, path: str, new: str) -> FileStat:
        """Give the file at `path` the name `new`, too; its metadata. Raises ClientError."""
        target = on_wire(self._tree, joined(self._root, new))
        # [MS-FSCC] 2.4.28: laid out as a rename.
        request = SetInfoRequest(
            RELATED,
            InfoType.FILE,
            FileInformationClass.FILE_LINK_INFORMATION,
            FileRenameInformation(target).pack(),
        )
        work: Sequence[Request] = [request, stat_request(self._tree, RELATED)]
        answers = await self._with(
            path,
            _LOOK,
            list(work),
            options=CreateOptions.OPEN_REPARSE_POINT,
        )
        self._tree.parse(answers[1], SetInfoResponse, path)
        return await self.resolve(new, stat_of(self._tree, answers[2], path))
