"""One readable line for each message, for the log at debug level.

Codes have their names. What a message carries (a file's content, a token, an attribute's value) is
never shown, only its size; nor is anything else that a message's own class leaves out of its repr.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum, Flag

from smbmount.proto.close import CloseFlags
from smbmount.proto.create import (
    RELATED,
    AccessMask,
    CreateDisposition,
    CreateOptions,
    FileAttributes,
    FileId,
    ImpersonationLevel,
    OplockLevel,
    ShareAccess,
)
from smbmount.proto.fscc_classes import FileInformationClass, FileSystemInformationClass
from smbmount.proto.header import Header, HeaderFlags
from smbmount.proto.info import InfoType
from smbmount.proto.ioctl import FsctlCode
from smbmount.proto.negotiate import Dialect
from smbmount.proto.notify import CompletionFilter
from smbmount.proto.oplock import LeaseState
from smbmount.proto.status import name_of

_CODES: Mapping[str, Callable[[int], Enum]] = {
    "desired_access": AccessMask,
    "create_disposition": CreateDisposition,
    "create_options": CreateOptions,
    "file_attributes": FileAttributes,
    "share_access": ShareAccess,
    "impersonation_level": ImpersonationLevel,
    "oplock_level": OplockLevel,
    "info_type": InfoType,
    "ctl_code": FsctlCode,
    "completion_filter": CompletionFilter,
    "lease_state": LeaseState,
}
_PAYLOADS = frozenset({"data", "input_data", "security_buffer", "token"})


def request_line(request: object) -> str:
    """What a request asks: its fields, codes by name, payloads by size."""
    words = [_class_name(request)]
    if is_dataclass(request):
        volume = getattr(request, "info_type", None) == InfoType.FILESYSTEM
        for field in fields(request):
            value = getattr(request, field.name)
            if value in (0, "", b"", (), RELATED) and field.name != "offset":
                continue
            if field.name in _PAYLOADS:
                words.append(f"{len(value)} bytes")
            elif field.name == "info_class":
                words.append(_info_class(request, value, volume))
            elif field.repr:
                words.append(f"{field.name}={_shown(field.name, value)}")
    return " ".join(words)


def answer_line(header: Header, size: int) -> str:
    """What an answer says: its status, the credits it brings, its size in bytes."""
    words = [name_of(header.status), f"{size} bytes"]
    if header.credits:
        words.append(f"credits={header.credits}")
    if header.flags & HeaderFlags.ASYNC_COMMAND:
        words.append(f"async={header.async_id}")
    if header.flags & HeaderFlags.SIGNED:
        words.append("signed")
    return " ".join(words)


def _class_name(request: object) -> str:
    command = getattr(request, "COMMAND", None)
    return command.name if isinstance(command, Enum) else type(request).__name__


def _info_class(request: object, value: int, volume: bool) -> str:
    kind = FileSystemInformationClass if volume else FileInformationClass
    # The classes of security and quota queries have no names.
    return _name(kind, value) if value else ""


def _shown(name: str, value: object) -> str:
    if isinstance(value, FileId):
        return f"{value.persistent:x}:{value.volatile:x}"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"({len(value)} bytes)"
    if isinstance(value, str):
        return repr(value)
    if name == "dialects" and isinstance(value, tuple):
        return ",".join(_name(Dialect, each) for each in value)
    if isinstance(value, tuple):
        return "[" + ", ".join(_element(each) for each in value) + "]"
    if name in _CODES and isinstance(value, int):
        return _name(_CODES[name], value)
    if name == "flags" and isinstance(value, int):
        return _name(CloseFlags, value) if isinstance(value, CloseFlags) else f"{value:#x}"
    if isinstance(value, Enum):
        return _name(type(value), value.value)
    return str(value)


def _element(value: object) -> str:
    """One of several: contexts by their kind, locks by their fields."""
    plain = [
        f"{field.name}={_shown(field.name, getattr(value, field.name))}"
        for field in (fields(value) if is_dataclass(value) else ())
        if field.repr and isinstance(getattr(value, field.name), int)
    ]
    return " ".join([type(value).__name__, *plain])


def _name(kind: Callable[[int], Enum], value: int) -> str:
    try:
        member = kind(value)
    except ValueError:
        return f"{value:#x}"
    if isinstance(member, Flag):
        return "|".join(each.name or "" for each in member) or "0"
    return member.name
