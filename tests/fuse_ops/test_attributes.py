"""Metadata in Linux's terms."""

import stat as modes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbmount.fuse_ops.attributes import attributes_for, attributes_for_new, entry_of, mode_of
from smbmount.fuse_ops.settings import ViewSettings
from smbmount.proto.create import FileAttributes
from smbmount.proto.filetime import from_unix_ns

from .values import directory_stat, file_stat

VIEW = ViewSettings(uid=1000, gid=100, file_mode=0o640, dir_mode=0o750, actimeo=2.5)
_ANY = st.integers(0, 0x7FFF).map(FileAttributes)


def test_a_file_is_shown_as_the_server_has_it() -> None:
    stat = file_stat(
        77,
        size=(1 << 40) + 1,
        allocated=4096,
        links=3,
        accessed=from_unix_ns(1_700_000_000_123_456_700),
        written=from_unix_ns(1_600_000_000_000_000_100),
        changed=from_unix_ns(1_650_000_000_999_999_900),
    )
    entry = entry_of(77, stat, VIEW)
    assert (entry.st_ino, entry.st_uid, entry.st_gid, entry.st_nlink) == (77, 1000, 100, 3)
    assert entry.st_mode == modes.S_IFREG | 0o640
    assert entry.st_size == (1 << 40) + 1
    assert entry.st_blocks == 8
    assert entry.st_atime_ns == 1_700_000_000_123_456_700
    assert entry.st_mtime_ns == 1_600_000_000_000_000_100
    assert entry.st_ctime_ns == 1_650_000_000_999_999_900
    assert entry.entry_timeout == entry.attr_timeout == 2.5


def test_an_inode_number_may_use_all_64_bits() -> None:
    number = (1 << 64) - 2
    assert entry_of(number, file_stat(number), VIEW).st_ino == number


def test_a_directory_has_its_own_mode_whatever_its_attributes() -> None:
    stat = directory_stat(5, attributes=FileAttributes.DIRECTORY | FileAttributes.READONLY)
    assert mode_of(stat, VIEW) == modes.S_IFDIR | 0o750


def test_the_read_only_attribute_takes_the_write_bits() -> None:
    stat = file_stat(5, attributes=FileAttributes.READONLY)
    assert mode_of(stat, VIEW) == modes.S_IFREG | 0o440


def test_times_that_the_server_does_not_keep_are_the_last_write() -> None:
    entry = entry_of(5, file_stat(5, written=from_unix_ns(10**18)), VIEW)
    assert entry.st_atime_ns == entry.st_ctime_ns == entry.st_mtime_ns == 10**18


@pytest.mark.parametrize(("allocated", "blocks"), [(0, 0), (1, 1), (512, 1), (513, 2)])
def test_blocks_are_512_bytes(allocated: int, blocks: int) -> None:
    assert entry_of(5, file_stat(5, allocated=allocated), VIEW).st_blocks == blocks


@given(st.integers(0, 0o7777), _ANY)
def test_chmod_touches_the_read_only_attribute_only(mode: int, before: FileAttributes) -> None:
    wanted = attributes_for(mode, before)
    after = before if wanted is None else wanted
    assert bool(after & FileAttributes.READONLY) == (not mode & 0o222)
    ignored = FileAttributes.READONLY | FileAttributes.NORMAL
    assert after & ~ignored == before & ~ignored


@given(st.integers(0, 0o7777), _ANY)
def test_chmod_asks_for_nothing_that_is_so_already(mode: int, before: FileAttributes) -> None:
    wanted = attributes_for(mode, before)
    if wanted is None:
        assert bool(before & FileAttributes.READONLY) == (not mode & 0o222)
    else:
        assert wanted != 0  # which would mean "leave alone"
        assert attributes_for(mode, wanted) is None


def test_a_file_made_without_write_bits_is_read_only() -> None:
    assert attributes_for_new(0o444) == FileAttributes.READONLY
    assert attributes_for_new(0o644) == FileAttributes(0)
