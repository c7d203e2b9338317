"""The one place where what went wrong becomes an errno for the application.

Operations pass the mount's gate here, too.
"""

import errno
import functools
import logging
from collections.abc import Callable, Coroutine
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
        with gate:
            try:
                return await operation(self, *args, **kwargs)
            except pyfuse3.FUSEError:
                raise
            except Exception as error:
                raise _answer(operation.__name__, error) from error

    return wrapped


def answered_at_length(operation: Operation[S, P, T]) -> Operation[S, P, T]:
    """`answered`, for an operation that may wait for others: nobody waits for it to come out.

    What it works on, before its first await, must be enough for the others to leave it alone.
    """

    @functools.wraps(operation)
    async def wrapped(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        await self._opens.gate.passed()
        try:
            return await operation(self, *args, **kwargs)
        except pyfuse3.FUSEError:
            raise
        except Exception as error:
            raise _answer(operation.__name__, error) from error

    return wrapped


def _answer(operation: str, error: Exception) -> pyfuse3.FUSEError:
    if isinstance(error, (ClientError, Unlinked, BadName, LockFailed)):
        if error.errno != errno.ENOENT:  # every second lookup ends in that one
            _log.debug("%s: %s", operation, error)
        return pyfuse3.FUSEError(error.errno)
    _log.error("%s failed for a reason that nobody foresaw", operation, exc_info=error)
    return pyfuse3.FUSEError(errno.EIO)
