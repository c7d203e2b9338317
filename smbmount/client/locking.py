"""Byte ranges of an open file locked on the server ([MS-SMB2] 3.2.4.19, 3.3.5.14).

Locks belong to the handle, and bind: the server refuses what others would read or write there.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from smbmount.proto.create import FileId
from smbmount.proto.lock import LockElement, LockFlags, LockRequest, LockResponse
from smbmount.proto.status import NtStatus

from .connection import Answer
from .errors import ClientError, ServerError
from .tree import Tree

_log = logging.getLogger(__name__)

_TAKEN = frozenset({NtStatus.STATUS_LOCK_NOT_GRANTED, NtStatus.STATUS_FILE_LOCK_CONFLICT})


@dataclass(frozen=True, slots=True)
class ByteRange:
    """`length` bytes from `offset` on; both may go up to 2**64 - 1."""

    offset: int
    length: int
    exclusive: bool = False


async def lock(tree: Tree, file_id: FileId, ranges: Iterable[ByteRange], path: str) -> bool:
    """Lock all ranges at once, or none: False if some are taken. Raises ClientError."""
    [answer] = await tree.send(
        [_locking(file_id, ranges)], on_late=partial(_undo, tree, file_id, tuple(ranges))
    )
    return _granted(tree, answer, path)


async def lock_waiting(tree: Tree, file_id: FileId, wanted: ByteRange, path: str) -> None:
    """Lock one range, however long it takes. Raises ClientError.

    A caller that is cancelled leaves no lock behind: the server is told, and what it grants in
    spite of that is unlocked.
    """
    flags = LockFlags.EXCLUSIVE if wanted.exclusive else LockFlags.SHARED
    request = LockRequest(file_id, (LockElement(wanted.offset, wanted.length, flags),))
    [answer] = await tree.send(
        [request], on_late=partial(_undo, tree, file_id, (wanted,)), deadline=False
    )
    tree.parse(answer, LockResponse, path)


async def unlock(tree: Tree, file_id: FileId, ranges: Iterable[ByteRange], path: str) -> None:
    """Unlock ranges, each just as it was locked. Raises ClientError."""
    await tree.call(_unlocking(file_id, ranges), LockResponse, path)


async def swap(
    tree: Tree,
    file_id: FileId,
    old: Iterable[ByteRange],
    new: Iterable[ByteRange],
    path: str,
) -> bool:
    """Unlock `old` and lock `new`, in one compound; False if `new` could not be had.

    The server does one after the other: somebody who waits for `old` may come in between.
    Raises ClientError.
    """
    answers = await tree.send([_unlocking(file_id, old), _locking(file_id, new)])
    tree.parse(answers[0], LockResponse, path)
    return _granted(tree, answers[1], path)


def _locking(file_id: FileId, ranges: Iterable[ByteRange]) -> LockRequest:
    return LockRequest(
        file_id,
        tuple(
            LockElement(
                wanted.offset,
                wanted.length,
                LockFlags.FAIL_IMMEDIATELY
                | (LockFlags.EXCLUSIVE if wanted.exclusive else LockFlags.SHARED),
            )
            for wanted in ranges
        ),
    )


def _unlocking(file_id: FileId, ranges: Iterable[ByteRange]) -> LockRequest:
    return LockRequest(
        file_id,
        tuple(LockElement(held.offset, held.length, LockFlags.UNLOCK) for held in ranges),
    )


def _granted(tree: Tree, answer: Answer, path: str) -> bool:
    if answer.status in _TAKEN:
        return False
    tree.parse(answer, LockResponse, path)
    return True


def _undo(
    tree: Tree, file_id: FileId, ranges: tuple[ByteRange, ...], answers: list[Answer]
) -> None:
    """A LOCK was granted after its caller had left."""
    if answers[0].status == NtStatus.STATUS_SUCCESS:
        tree.connection.in_background(partial(_unlock_quietly, tree, file_id, ranges))


async def _unlock_quietly(tree: Tree, file_id: FileId, ranges: tuple[ByteRange, ...]) -> None:
    try:
        await unlock(tree, file_id, ranges, "")
    except ServerError as error:
        if error.status != NtStatus.STATUS_FILE_CLOSED:  # then its locks are gone, too
            _log.warning("%s: what was locked too late stays locked: %s", tree.label, error)
    except ClientError as error:
        _log.debug("%s: late unlock failed: %s", tree.label, error)
