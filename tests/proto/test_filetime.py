"""Times on the wire, and the names that snapshots have."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbmount.proto.filetime import from_gmt, from_unix_ns, to_gmt, to_unix_ns

_SECOND = 10_000_000


def test_a_snapshots_name_is_its_second() -> None:
    moment = from_gmt("@GMT-2024.01.31-12.00.00")
    assert to_unix_ns(moment) == 1_706_702_400 * 1_000_000_000
    assert to_gmt(moment) == to_gmt(moment + _SECOND - 1) == "@GMT-2024.01.31-12.00.00"
    assert to_gmt(moment + _SECOND) == "@GMT-2024.01.31-12.00.01"


@given(st.integers(0, 253_402_300_799))
def test_every_name_comes_back(seconds: int) -> None:
    filetime = from_unix_ns(seconds * 1_000_000_000)
    assert from_gmt(to_gmt(filetime)) == filetime


@given(st.integers(0, (1 << 64) - 1))
def test_what_has_no_name_is_shown_in_digits(filetime: int) -> None:
    shown = to_gmt(filetime)
    assert shown.startswith("@GMT-") or shown == str(filetime)


@pytest.mark.parametrize(
    "wrong", ["", "2024.01.31", "@GMT-2024.13.31-12.00.00", "@GMT-2024.01.31-12.00.00x", "@gmt"]
)
def test_other_words_are_no_names(wrong: str) -> None:
    with pytest.raises(ValueError):
        from_gmt(wrong)
