"""Room on the volume behind a share ([MS-FSCC] 2.5), asked in the way that its server knows."""

import logging
from collections.abc import Awaitable, Callable

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_classes import FileSystemInformationClass
from smbmount.proto.fscc_fs import (
    FileFsFullSizeInformation,
    FileFsPosixInformation,
    FileFsSizeInformation,
)

from .attributes import VolumeSize
from .tree import Tree

_log = logging.getLogger(__name__)

_UNKNOWN = (1 << 64) - 1
_BLOCK = 4096  # bytes, where the server tells no unit

Query = Callable[[FileSystemInformationClass], Awaitable[memoryview]]


async def size(tree: Tree, query: Query) -> VolumeSize:
    """The room, by `query` for one information class. Raises ClientError."""
    if tree.posix:
        return await _posix_size(tree, query)
    data = await query(FileSystemInformationClass.FILE_FS_FULL_SIZE_INFORMATION)
    try:
        told = FileFsFullSizeInformation.unpack(data)
    except MalformedMessage as error:
        # impacket's server takes this class for another one. The older class knows no quota.
        _log.debug("%s: %s; asking for FileFsSizeInformation", tree.label, error)
        return await _plain_size(tree, query)
    unit = told.sectors_per_allocation_unit * told.bytes_per_sector
    return VolumeSize(
        total=told.total_allocation_units * unit,
        available=told.caller_available_allocation_units * unit,
        free=told.actual_available_allocation_units * unit,
        unit=unit,
    )


async def _plain_size(tree: Tree, query: Query) -> VolumeSize:
    data = await query(FileSystemInformationClass.FILE_FS_SIZE_INFORMATION)
    try:
        told = FileFsSizeInformation.unpack(data)
    except MalformedMessage as error:
        raise tree.distrust(error) from error
    unit = told.sectors_per_allocation_unit * told.bytes_per_sector
    available = told.available_allocation_units * unit
    return VolumeSize(
        total=told.total_allocation_units * unit, available=available, free=available, unit=unit
    )


async def _posix_size(tree: Tree, query: Query) -> VolumeSize:
    data = await query(FileSystemInformationClass.FILE_FS_POSIX_INFORMATION)
    try:
        told = FileFsPosixInformation.unpack(data)
    except MalformedMessage as error:
        raise tree.distrust(error) from error
    unit = told.block_size or _BLOCK
    known = told.total_files < _UNKNOWN and told.free_files < _UNKNOWN
    return VolumeSize(
        total=told.total_blocks * unit,
        available=told.available_blocks * unit,
        free=told.free_blocks * unit,
        unit=unit,
        files=told.total_files if known else 0,
        free_files=told.free_files if known else 0,
    )
