"""Referrals may share their strings: an honest answer's are read, a bomb's are not."""

from struct import pack

import pytest

from smbmount.proto.dfs import Referrals
from smbmount.proto.errors import MalformedMessage


def _answer(count: int, text: str) -> memoryview:
    """`count` referrals of version 3 that all name the same string behind them."""
    entries = b""
    for number in range(count):
        at = 34 * (count - number)
        entries += pack("<HHHHLHHH16s", 3, 34, 0, 0, 300, at, at, at, bytes(16))
    return memoryview(pack("<HHL", 8, count, 0) + entries + text.encode("utf-16-le") + b"\0\0")


def test_targets_that_share_one_path_are_read() -> None:
    path = "\\server\\space\\" + "directory\\" * 20
    told = Referrals.unpack(_answer(20, path))
    assert [entry.dfs_path for entry in told.entries] == [path] * 20
    assert [entry.network_address for entry in told.entries] == [path] * 20


def test_an_answer_that_unfolds_into_a_hundred_megabytes_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="size of all strings"):
        Referrals.unpack(_answer(700, "x" * 15_000))


def test_a_string_without_end_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="DFSPathOffset"):
        Referrals.unpack(_answer(1, "path")[:-2])
