"""What can go wrong with a server, each with the errno an application gets.

One table turns NTSTATUS ([MS-ERREF] 2.3.1) into errno; what it does not name is EIO. The text of
every error is one sentence for a person.
"""

import errno

from smbmount.proto.header import Command
from smbmount.proto.status import NtStatus, name_of


class ClientError(Exception):
    """Any failure of this floor. `errno` is what an application is told."""

    def __init__(self, code: int, sentence: str) -> None:
        super().__init__(sentence)
        self.errno = code


class ServerError(ClientError):
    """The server answered a request with a failure."""

    def __init__(self, status: int, command: Command, path: str = "") -> None:
        where = f" of {path!r}" if path else ""
        code = errno_of(status)
        if command is Command.WRITE and code == errno.EINVAL:
            code = errno.EFBIG  # nothing else of ours can be wrong with it
        super().__init__(code, f"{command.name}{where} failed with {name_of(status)}")
        self.status = status
        self.command = command
        self.path = path


class ConnectionLost(ClientError):
    """The connection to the server is gone; everything that waited on it gets this."""

    def __init__(self, code: int, label: str, reason: str) -> None:
        super().__init__(code, f"{label}: {reason}")
        self.reason = reason


class TimedOut(ClientError):
    """The server lives, but did not answer this request in time."""

    def __init__(self, label: str, seconds: float) -> None:
        super().__init__(errno.ETIMEDOUT, f"{label}: no answer within {seconds:g} s")


class BrokenAnswer(ClientError):
    """An answer that cannot be what was asked for: the file's data is not to be had from it."""

    def __init__(self, label: str, reason: str) -> None:
        super().__init__(errno.EIO, f"{label}: {reason}")


class MountRefused(ClientError):
    """No share: connecting, negotiating, signing on or the tree connect failed.

    The sentence names what was tried, what answered, and what to do.
    """

    def __init__(self, sentence: str, code: int = errno.EIO) -> None:
        super().__init__(code, sentence)


_S = NtStatus
_ERRNO: dict[int, int] = {
    _S.STATUS_OBJECT_NAME_NOT_FOUND: errno.ENOENT,
    _S.STATUS_OBJECT_PATH_NOT_FOUND: errno.ENOENT,
    _S.STATUS_NO_SUCH_FILE: errno.ENOENT,
    _S.STATUS_NOT_FOUND: errno.ENOENT,
    _S.STATUS_DELETE_PENDING: errno.ENOENT,  # gone for everyone who does not hold it open
    _S.STATUS_FILE_DELETED: errno.ENOENT,
    _S.STATUS_BAD_NETWORK_NAME: errno.ENOENT,
    _S.STATUS_OBJECT_PATH_SYNTAX_BAD: errno.ENOENT,
    _S.STATUS_OBJECT_NAME_INVALID: errno.EINVAL,
    _S.STATUS_NAME_TOO_LONG: errno.ENAMETOOLONG,
    _S.STATUS_ILLEGAL_CHARACTER: errno.ENAMETOOLONG,  # Samba, of a path it cannot hold
    _S.STATUS_OBJECT_NAME_COLLISION: errno.EEXIST,
    _S.STATUS_OBJECT_NAME_EXISTS: errno.EEXIST,
    _S.STATUS_ACCESS_DENIED: errno.EACCES,
    _S.STATUS_NETWORK_ACCESS_DENIED: errno.EACCES,
    _S.STATUS_LOGON_FAILURE: errno.EACCES,
    _S.STATUS_CANNOT_DELETE: errno.EACCES,
    _S.STATUS_PRIVILEGE_NOT_HELD: errno.EPERM,
    _S.STATUS_SHARING_VIOLATION: errno.EBUSY,
    _S.STATUS_PIPE_BUSY: errno.EBUSY,
    _S.STATUS_PIPE_NOT_AVAILABLE: errno.EBUSY,
    _S.STATUS_INSTANCE_NOT_AVAILABLE: errno.EBUSY,
    _S.STATUS_FILE_LOCK_CONFLICT: errno.EACCES,  # of a read or write: locks bind on the server
    _S.STATUS_LOCK_NOT_GRANTED: errno.EAGAIN,
    _S.STATUS_RANGE_NOT_LOCKED: errno.ENOLCK,
    _S.STATUS_DIRECTORY_NOT_EMPTY: errno.ENOTEMPTY,
    _S.STATUS_NOT_A_DIRECTORY: errno.ENOTDIR,
    _S.STATUS_FILE_IS_A_DIRECTORY: errno.EISDIR,
    _S.STATUS_DISK_FULL: errno.ENOSPC,
    _S.STATUS_QUOTA_EXCEEDED: errno.EDQUOT,
    _S.STATUS_MEDIA_WRITE_PROTECTED: errno.EROFS,
    _S.STATUS_NOT_SAME_DEVICE: errno.EXDEV,
    _S.STATUS_TOO_MANY_LINKS: errno.EMLINK,
    _S.STATUS_TOO_MANY_OPENED_FILES: errno.EMFILE,
    _S.STATUS_NO_MEMORY: errno.ENOMEM,
    _S.STATUS_INSUFFICIENT_RESOURCES: errno.ENOMEM,
    _S.STATUS_INSUFF_SERVER_RESOURCES: errno.ENOMEM,
    _S.STATUS_INVALID_PARAMETER: errno.EINVAL,
    _S.STATUS_INVALID_DEVICE_REQUEST: errno.EOPNOTSUPP,
    _S.STATUS_NOT_SUPPORTED: errno.EOPNOTSUPP,
    _S.STATUS_NOT_IMPLEMENTED: errno.EOPNOTSUPP,
    _S.STATUS_INVALID_INFO_CLASS: errno.EOPNOTSUPP,
    _S.STATUS_EAS_NOT_SUPPORTED: errno.EOPNOTSUPP,
    _S.STATUS_EA_TOO_LARGE: errno.E2BIG,
    _S.STATUS_NO_EAS_ON_FILE: errno.ENODATA,
    _S.STATUS_NONEXISTENT_EA_ENTRY: errno.ENODATA,
    _S.STATUS_FILE_CLOSED: errno.EBADF,
    _S.STATUS_INVALID_HANDLE: errno.EBADF,
    _S.STATUS_END_OF_FILE: 0,  # not a failure: the reader sees the end
    _S.STATUS_CANCELLED: errno.EINTR,
    _S.STATUS_IO_TIMEOUT: errno.ETIMEDOUT,
    _S.STATUS_PIPE_DISCONNECTED: errno.EPIPE,
    _S.STATUS_PIPE_BROKEN: errno.EPIPE,
    _S.STATUS_NETWORK_NAME_DELETED: errno.ENODEV,
    _S.STATUS_USER_SESSION_DELETED: errno.ESTALE,
    _S.STATUS_NETWORK_SESSION_EXPIRED: errno.EKEYEXPIRED,
    _S.STATUS_PASSWORD_EXPIRED: errno.EKEYEXPIRED,
    _S.STATUS_STOPPED_ON_SYMLINK: errno.ELOOP,
    _S.STATUS_NOT_A_REPARSE_POINT: errno.EINVAL,
    _S.STATUS_IO_REPARSE_TAG_NOT_HANDLED: errno.EOPNOTSUPP,
    _S.STATUS_BUFFER_TOO_SMALL: errno.ERANGE,
    _S.STATUS_INVALID_EA_NAME: errno.EINVAL,
    _S.STATUS_FILE_SYSTEM_LIMITATION: errno.EFBIG,
    _S.STATUS_DISK_QUOTA_EXCEEDED: errno.EDQUOT,
}


def errno_of(status: int) -> int:
    """The errno for an NTSTATUS; EIO for what the table does not name."""
    return _ERRNO.get(status) or errno.EIO
