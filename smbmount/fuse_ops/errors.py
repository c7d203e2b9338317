"""The one place where what went wrong becomes an errno for the application.

Operations pass the mount's gate here, too.
"""

import errno
import functools
import logging
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

import pyfuse3

from smbmount.client.errors import ClientError

from .inodes import Unlinked
from .locks.node import LockFailed
from .names import BadName

if TYPE_CHECKING:
    from .open_files import OpenTable

_log = logging.getLogger(__name__)


class Gated(Protocol):
    """Who has operations."""

    _opens: "OpenTable"


P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound=Gated)
Operation = Callable[Concatenate[S, P], Coroutine[Any, Any, T]]


def answered(operation: Operation[S, P, T]) -> Operation[S, P, T]:
    """Wrap an operation: its errors become FUSEError, and none can end the mount.

    What nobody foresaw is EIO, with the traceback in the log. Cancellation passes.
    """

    @functools.wraps(operation)
    async def wrapped(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        gate = self._opens.gate
        await gate.passed()
        with gate.inside(), _errors_answered(operation.__name__):
            return await operation(self, *args, **kwargs)

    return wrapped


def answered_at_length(operation: Operation[S, P, T]) -> Operation[S, P, T]:
    """`answered`, for an operation that may wait for others: nobody waits for it to come out.

    What it works on, before its first await, must be enough for the others to leave it alone.
    """

    @functools.wraps(operation)
    async def wrapped(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        await self._opens.gate.passed()
        with _errors_answered(operation.__name__):
            return await operation(self, *args, **kwargs)

    return wrapped


@contextmanager
def _errors_answered(operation: str) -> Iterator[None]:
    try:
        yield
    except (pyfuse3.FUSEError, ClientError, Unlinked, BadName, LockFailed) as error:
        if isinstance(error, pyfuse3.FUSEError):
            raise
        if error.errno != errno.ENOENT:  # every second lookup ends in that one
            _log.debug("%s: %s", operation, error)
        raise pyfuse3.FUSEError(error.errno) from error
    except Exception as error:
        _log.exception("%s failed for a reason that nobody foresaw", operation)
        raise pyfuse3.FUSEError(errno.EIO) from error
