"""Any value of any message: hypothesis strategies made from the classes' own fields.

A field's width on the wire is told by its name, here and nowhere else.
"""

import dataclasses
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any

from hypothesis import strategies as st

from smbmount.proto.create import FileId

BYTE = frozenset(
    [
        "revision",
        "oplock_level",
        "info_type",
        "level",
        "number_of_sids",
        "supports_objects",
        "delete_pending",
        "directory",
        "chunk_shift",
        "cluster_shift",
        "compression_unit_shift",
        "create_flags",
    ]
)
SHORT = frozenset(
    [
        "security_mode",
        "dialect",
        "session_flags",
        "capability16",
        "compression_format",
        "new_epoch",
        "epoch",
        "max_level",
        "version",
        "path_consumed",
        "reserved_short",
    ]
)
QUAD = frozenset(
    [
        "system_time",
        "server_start_time",
        "previous_session_id",
        "creation_time",
        "last_access_time",
        "last_write_time",
        "change_time",
        "allocation_size",
        "offset",
        "length64",
        "index_number",
        "current_byte_offset",
        "valid_data_length",
        "compressed_file_size",
        "total_allocation_units",
        "available_allocation_units",
        "caller_available_allocation_units",
        "actual_available_allocation_units",
        "disk_file_id",
        "volume_id",
        "timestamp",
        "timeout64",
        "high",
        "low",
        "volume_serial_number",
        "target_offset",
        "source_offset",
        "beyond",
        "speed",
        "message_id",
        "session_id",
        "async_id",
    ]
)
SIGNED = frozenset(
    [
        "free_space_start_filtering",
        "free_space_threshold",
        "free_space_stop_filtering",
        "default_quota_threshold",
        "default_quota_limit",
        "volume_creation_time",
    ]
)
SIZES = frozenset({"end_of_file"})  # non-negative as a signed number, or it is refused
FILETIMES = frozenset({"creation_time", "last_access_time", "last_write_time", "change_time"})

# What the class of a field cannot tell: (class, field) -> strategy.
SPECIAL: dict[tuple[str, str], st.SearchStrategy[Any]] = {}

TEXT = st.text(st.characters(exclude_characters="\0"), max_size=40)


def integers(name: str) -> st.SearchStrategy[int]:
    """Any integer that fits the field."""
    if name in BYTE:
        return st.integers(0, 0xFF)
    if name in SHORT:
        return st.integers(0, 0xFFFF)
    if name in SIZES or name in FILETIMES:
        return st.integers(0, 2**63 - 1)
    if name in QUAD:
        return st.integers(0, 2**64 - 1)
    if name in SIGNED:
        return st.integers(-(2**63), 2**63 - 1)
    return st.integers(0, 2**32 - 1)


@cache
def values(kind: type) -> st.SearchStrategy[Any]:
    """Any value of a dataclass of `smbmount.proto`."""
    hints = typing.get_type_hints(kind)
    fields = {}
    for field in dataclasses.fields(kind):
        special = SPECIAL.get((kind.__name__, field.name))
        if special is not None:
            fields[field.name] = special
        elif field.init:
            fields[field.name] = _of(hints[field.name], field.name)
    return st.builds(kind, **fields)


def _of(hint: Any, name: str) -> st.SearchStrategy[Any]:
    if isinstance(hint, types.UnionType):
        arms = typing.get_args(hint)
        if memoryview in arms:
            return st.binary(max_size=64)
        return st.one_of(*(_of(arm, name) for arm in arms))
    if hint is types.NoneType:
        return st.none()
    if hint is FileId:
        quad = st.integers(0, 2**64 - 1)
        return st.builds(FileId, quad, quad)
    if typing.get_origin(hint) is tuple:
        inner = typing.get_args(hint)[0]
        width = st.integers(0, 0xFFFF)
        return st.lists(width if inner is int else _of(inner, name), max_size=5).map(tuple)
    if hint is bool:
        return st.booleans()
    if isinstance(hint, type) and issubclass(hint, int):
        numbers = integers(name)
        return numbers if hint is int else numbers.map(hint)
    if hint is str:
        return TEXT
    if hint in (bytes, memoryview):
        return st.binary(max_size=64).map(lambda data: hint(data))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return values(hint)
    raise TypeError(f"no strategy for {name}: {hint}")


Pack = Callable[[Any], bytes]
