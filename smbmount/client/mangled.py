"""The true names behind short ones, in listings of a share with POSIX extensions.

Samba 4.22 lists a name that Windows could not take by a short one (`mangled names`), to POSIX
clients too, though these can open the file by its true name only. The short name opens it without
the extensions, and that open tells the true one. A server with `mangled names = no` asks for none
of this.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from smbmount.proto.close import CloseRequest
from smbmount.proto.create import (
    RELATED,
    AccessMask,
    CreateDisposition,
    CreateOptions,
    CreateRequest,
)
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileInformationClass
from smbmount.proto.fscc_file import FileInternalInformation, FileNameInformation
from smbmount.proto.info import InfoType, QueryInfoRequest, QueryInfoResponse
from smbmount.proto.status import NtStatus

from .attributes import DirectoryEntry
from .connection import Answer
from .errors import ServerError
from .open_file import together
from .posix import create_contexts, name_from_wire, path_on_wire
from .snapshots import contexts_of
from .tree import Tree

_SHORT = re.compile(r"[0-9A-Z_!@#$%^&'()-]{1,6}~[0-9A-Z](\.[0-9A-Z_!@#$%^&'()~-]{1,3})?")
_IMPOSSIBLE = re.compile(r'["*:<>?\\|\x01-\x1f]|[ .]$')
_LOOK = AccessMask.READ_ATTRIBUTES
_NAME_SIZE = 64 * 1024


async def true_names(
    tree: Tree, directory: str, entries: list[DirectoryEntry]
) -> list[DirectoryEntry]:
    """The entries of a directory (a path from the share's root) by their true names.

    One whose name cannot be found out keeps the short one. Raises ClientError.
    """
    short = [place for place, entry in enumerate(entries) if _SHORT.fullmatch(entry.name)]
    if not short:
        return entries
    wire = path_on_wire(directory)
    windows = await _windows_path(tree, wire)
    named = list(entries)

    async def look(number: int) -> None:
        place = short[number]
        entry = entries[place]
        if not await _exists(tree, f"{wire}/{entry.name}" if wire else entry.name):
            found = await _true_name(tree, wire, windows, entry)
            named[place] = replace(entry, name=found or entry.name)

    await together(look, len(short))
    return named


async def _exists(tree: Tree, wire: str) -> bool:
    answers = await _ask(tree, wire, (), posix=True)
    return answers[0].status == NtStatus.STATUS_SUCCESS


async def _windows_path(tree: Tree, wire: str) -> str:
    """The directory as it is opened without the extensions."""
    parts = wire.split("/") if wire else []
    names = []
    for depth, part in enumerate(parts, 1):
        name = part
        if _IMPOSSIBLE.search(part):
            wanted = FileInformationClass.FILE_ALTERNATE_NAME_INFORMATION
            answers = await _ask(tree, "/".join(parts[:depth]), [wanted], posix=True)
            name = _name_in(tree, answers[1]) or part
        names.append(name)
    return "\\".join(names)


async def _true_name(tree: Tree, wire: str, windows: str, entry: DirectoryEntry) -> str | None:
    path = f"{windows}\\{entry.name}" if windows else entry.name
    wanted = (
        FileInformationClass.FILE_NORMALIZED_NAME_INFORMATION,
        FileInformationClass.FILE_INTERNAL_INFORMATION,
    )
    answers = await _ask(tree, path, wanted, posix=False)
    if answers[2].status != NtStatus.STATUS_SUCCESS:
        return None
    data = tree.parse(answers[2], QueryInfoResponse).data
    try:
        number = FileInternalInformation.unpack(data).index_number
    except MalformedMessage as error:
        raise tree.distrust(error) from error
    if number != entry.stat.file_id:  # another one, in a directory that differs by case
        return None
    whole = _name_in(tree, answers[1])
    if whole is None:
        return None
    name = whole[len(wire) + 1 :] if wire else whole
    return name_from_wire(name) or None


def _name_in(tree: Tree, answer: Answer) -> str | None:
    try:
        data = tree.parse(answer, QueryInfoResponse).data
        return FileNameInformation.unpack(data).file_name
    except ServerError:
        return None
    except MalformedMessage as error:
        raise tree.distrust(error) from error


async def _ask(
    tree: Tree, path: str, wanted: Sequence[FileInformationClass], *, posix: bool
) -> list[Answer]:
    create = CreateRequest(
        path,
        _LOOK,
        CreateDisposition.OPEN,
        create_options=CreateOptions.OPEN_REPARSE_POINT,
        contexts=contexts_of(tree) + (create_contexts(0) if posix else ()),
    )
    questions = [QueryInfoRequest(RELATED, InfoType.FILE, each, _NAME_SIZE) for each in wanted]
    return await tree.send([create, *questions, CloseRequest(RELATED)])
