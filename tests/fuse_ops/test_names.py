"""Names between Linux and the server."""

import errno

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from smbmount.fuse_ops.names import LONGEST, BadName, child, to_linux, to_server

FORBIDDEN = '"*:<>?\\|' + "".join(map(chr, range(1, 32)))

# A name that a program may use: any text but "/" and zero, and nothing that already stands for
# something else in the private use area.
LINUX_NAMES = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
    | st.sampled_from(FORBIDDEN + " ."),
    min_size=1,
    max_size=100,
).filter(lambda name: name not in (".", "..") and not any("\uf000" <= c <= "\uf0ff" for c in name))


@given(LINUX_NAMES)
@example("ends in dot.")
@example("ends in space ")
@example("...")
@example("a\\b")
def test_a_linux_name_comes_back(name: str) -> None:
    assert to_linux(to_server(name.encode())) == name.encode()


@given(LINUX_NAMES)
def test_the_server_sees_nothing_that_it_forbids(name: str) -> None:
    there = to_server(name.encode())
    assert not set(there) & set(FORBIDDEN)
    assert there[-1] not in " ."
    assert len(there) == len(name)


@given(LINUX_NAMES, LINUX_NAMES)
def test_two_names_stay_two_names(one: str, other: str) -> None:
    assert (to_server(one.encode()) == to_server(other.encode())) == (one == other)


@given(st.text(min_size=1).filter(lambda name: "/" not in name and "\0" not in name))
def test_any_name_of_the_servers_is_shown_or_refused(name: str) -> None:
    refused: BadName | None = None
    try:
        here = to_linux(name)
    except BadName as bad:
        refused = bad
    if refused is not None:
        assert refused.errno == errno.EIO
    else:
        assert here not in (b"", b".", b"..")
        assert b"/" not in here


def test_the_mapping_is_that_of_services_for_mac() -> None:
    assert to_server(b'a"b*c:d<e>f?g\\h|i') == (
        "a\uf020b\uf021c\uf022d\uf023e\uf024f\uf025g\uf026h\uf027i"
    )
    assert to_server(b"x ") == "x\uf028"
    assert to_server(b"x.") == "x\uf029"
    assert to_server(b"a.b c") == "a.b c"
    assert to_server(b"\x01\x1f") == "\uf001\uf01f"


def test_a_lone_surrogate_of_the_servers_comes_back() -> None:
    assert to_server(to_linux("a\ud800b")) == "a\ud800b"


@pytest.mark.parametrize("name", [b"\xff", b"caf\xe9", b"\xc3", b"\xed\xa0"])
def test_what_is_not_utf_8_is_refused(name: bytes) -> None:
    with pytest.raises(BadName) as caught:
        to_server(name)
    assert caught.value.errno == errno.EILSEQ


@pytest.mark.parametrize("unit", ["x", "é", "語", "😀"])
def test_a_name_is_measured_in_utf_16_units(unit: str) -> None:
    width = len(unit.encode("utf-16-le")) // 2
    fits = unit * (LONGEST // width)
    assert to_linux(to_server(fits.encode())) == fits.encode()
    with pytest.raises(BadName) as caught:
        to_server((fits + unit).encode())
    assert caught.value.errno == errno.ENAMETOOLONG


@pytest.mark.parametrize("name", ["a/b", "..", ".", "", "nul\0"])
def test_a_servers_name_that_is_a_path_is_refused(name: str) -> None:
    with pytest.raises(BadName):
        to_linux(name)


def test_a_path_starts_at_the_mounted_directory() -> None:
    assert child("", "a") == "a"
    assert child("a\\b", "c") == "a\\b\\c"
