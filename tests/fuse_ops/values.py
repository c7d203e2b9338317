"""Metadata for tests that need no server."""

from typing import Any

from smbmount.client.attributes import FileStat
from smbmount.proto.create import FileAttributes


def file_stat(file_id: int, **fields: Any) -> FileStat:
    """A file's metadata, zero where nothing is said."""
    plain: dict[str, Any] = {
        "attributes": FileAttributes.NORMAL,
        "size": 0,
        "allocated": 0,
        "links": 1,
        "created": 0,
        "accessed": 0,
        "written": 0,
        "changed": 0,
    }
    return FileStat(file_id=file_id, **{**plain, **fields})


def directory_stat(file_id: int, **fields: Any) -> FileStat:
    """A directory's metadata."""
    return file_stat(file_id, **{"attributes": FileAttributes.DIRECTORY, **fields})
