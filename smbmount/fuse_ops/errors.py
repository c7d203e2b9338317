"""The one place where what went wrong becomes an errno for the application."""

import errno
import functools
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import pyfuse3

from smbmount.client.errors import ClientError

from .inodes import Unlinked
from .locks.node import LockFailed
from .names import BadName

_log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


def answered(operation: Callable[P, Coroutine[Any, Any, T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Wrap an operation: its errors become FUSEError, and none can end the mount.

    What nobody foresaw is EIO, with the traceback in the log. Cancellation passes.
    """

    @functools.wraps(operation)
    async def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return await operation(*args, **kwargs)
        except (pyfuse3.FUSEError, ClientError, Unlinked, BadName, LockFailed) as error:
            if isinstance(error, pyfuse3.FUSEError):
                raise
            if error.errno != errno.ENOENT:  # every second lookup ends in that one
                _log.debug("%s: %s", operation.__name__, error)
            raise pyfuse3.FUSEError(error.errno) from error
        except Exception as error:
            _log.exception("%s failed for a reason that nobody foresaw", operation.__name__)
            raise pyfuse3.FUSEError(errno.EIO) from error

    return wrapped
