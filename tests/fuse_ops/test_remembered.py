"""Which listings the kernel may keep, without a kernel."""

import pytest

from smbmount.fuse_ops import remembered
from smbmount.fuse_ops.extension import Hints
from smbmount.fuse_ops.inodes import Inode
from smbmount.fuse_ops.remembered import RememberedListings

from .values import directory_stat


@pytest.fixture
def vouching(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """The directories that somebody vouches for."""
    numbers: set[int] = set()
    monkeypatch.setattr(remembered, "vouched", lambda node: node.number in numbers)
    return numbers


def test_nothing_is_kept_that_nobody_vouches_for() -> None:
    listings = RememberedListings()
    node = Inode(7, directory_stat(7))
    assert listings.hints(node) == listings.hints(node) == Hints(0)


def test_a_listing_counts_from_the_time_somebody_vouches_for_it(vouching: set[int]) -> None:
    listings = RememberedListings()
    node, other = Inode(7, directory_stat(7)), Inode(8, directory_stat(8))
    vouching.add(7)
    assert listings.hints(node) == Hints.CACHE_LISTING
    assert listings.hints(node) == Hints.CACHE_LISTING | Hints.KEEP_LISTING
    assert listings.hints(other) == Hints(0)


def test_after_a_doubt_or_a_time_without_a_voucher_it_begins_anew(vouching: set[int]) -> None:
    listings = RememberedListings()
    node = Inode(7, directory_stat(7))
    vouching.add(7)
    listings.hints(node)
    listings.doubt(node)
    assert listings.hints(node) == Hints.CACHE_LISTING
    vouching.clear()
    assert listings.hints(node) == Hints(0)
    vouching.add(7)
    assert listings.hints(node) == Hints.CACHE_LISTING
