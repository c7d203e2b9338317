"""Links and special files as bytes: what others wrote is read, what we write comes back."""

import os
import stat as modes
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbmount.client.link_formats import (
    MF_SIZE,
    Special,
    pack_interix,
    pack_mf,
    pack_reparse,
    relative_to,
    unpack_interix,
    unpack_mf,
    unpack_reparse,
)
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.reparse import MountPoint, ReparsePoint, SymbolicLink

_targets = st.binary(min_size=1, max_size=1024).filter(lambda target: b"\0" not in target)
_devices = st.builds(os.makedev, st.integers(0, 4095), st.integers(0, 1 << 20))
_specials = st.one_of(
    st.builds(
        lambda text: Special(modes.S_IFLNK, text.encode()),
        st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1),
    ),
    st.builds(
        lambda kind, device: Special(kind, device=device),
        st.sampled_from([modes.S_IFCHR, modes.S_IFBLK]),
        _devices,
    ),
    st.builds(Special, st.sampled_from([modes.S_IFIFO, modes.S_IFSOCK])),
)


@given(_targets)
def test_a_link_file_comes_back(target: bytes) -> None:
    packed = pack_mf(target)
    assert packed is not None
    assert len(packed) == MF_SIZE
    assert unpack_mf(packed) == target


def test_a_target_that_is_too_long_for_a_link_file_is_told() -> None:
    assert pack_mf(b"x" * 1025) is None
    assert pack_mf(b"") is None


@given(st.integers(0, 46), st.integers(0, 255))
def test_a_link_file_with_any_byte_changed_is_an_ordinary_file(at: int, byte: int) -> None:
    packed = pack_mf(b"a/b")
    assert packed is not None
    changed = bytearray(packed)
    if changed[at] != byte and at != 46:  # 46 is the line's end, which nobody checks
        changed[at] = byte
        assert unpack_mf(bytes(changed)) is None


def test_a_link_file_looks_as_the_format_says() -> None:
    packed = pack_mf(b"a/b")
    assert packed is not None
    assert packed[:10] == b"XSym\n0003\n"
    assert packed[43:47] == b"a/b\n"
    assert set(packed[47:]) == {ord(" ")}


@given(_specials)
def test_interix_files_come_back(special: Special) -> None:
    assert unpack_interix(pack_interix(special)) == special


def test_interix_devices_have_their_numbers_in_64_bits() -> None:
    packed = pack_interix(Special(modes.S_IFBLK, device=os.makedev(8, 1)))
    assert packed == b"IntxBLK\0" + bytes([8, *[0] * 7]) + bytes([1, *[0] * 7])


@pytest.mark.parametrize(
    "content", [b"x", b"IntxCHR\0", b"IntxBLK\0" + bytes(15), b"LnxFIFO\0x", b"IntxLNK\1abc"]
)
def test_system_files_that_are_not_interix_stay_files(content: bytes) -> None:
    assert unpack_interix(content) is None


def test_an_empty_system_file_is_a_fifo() -> None:
    assert unpack_interix(b"") == Special(modes.S_IFIFO)


@given(_specials)
def test_reparse_points_of_posix_shares_come_back(special: Special) -> None:
    assert unpack_reparse(pack_reparse(special, exact=True), exact=True) == special


def test_relative_links_are_windows_links() -> None:
    point = pack_reparse(Special(modes.S_IFLNK, b"../a/b"), exact=False)
    link = SymbolicLink.of(point)
    assert (link.substitute_name, link.relative) == ("..\\a\\b", True)
    assert unpack_reparse(point) == Special(modes.S_IFLNK, b"../a/b", windows=True)


def test_absolute_links_are_kept_as_wsl_keeps_them() -> None:
    point = pack_reparse(Special(modes.S_IFLNK, b"/etc/passwd"), exact=False)
    assert unpack_reparse(point) == Special(modes.S_IFLNK, b"/etc/passwd")


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("\\??\\C:\\Users\\x", b"C:/Users/x"),
        ("\\??\\UNC\\other\\share\\x", b"//other/share/x"),
        ("\\??\\UNC\\SERVER\\Share\\x\\y", b"\\x/y"),
        ("\\\\server\\share\\x", b"\\x"),
        ("/unix/absolute", b"/unix/absolute"),
    ],
)
def test_absolute_windows_links_are_shown_sensibly(name: str, target: bytes) -> None:
    for point in (SymbolicLink(name, name, relative=False).point(), MountPoint(name, "").point()):
        found = unpack_reparse(point, ("server", "share"))
        assert found is not None
        assert (found.kind, found.target) == (modes.S_IFLNK, target)


@pytest.mark.parametrize(
    ("target", "directory", "root", "seen"),
    [
        (b"\\x/y", "", "", b"x/y"),
        (b"\\x/y", "a\\b", "", b"../../x/y"),
        (b"\\top/x", "a", "top", b"../x"),
        (b"\\elsewhere", "a", "top", b"/elsewhere"),
        (b"\\", "", "", b"."),
    ],
)
def test_targets_inside_the_share_become_relative(
    target: bytes, directory: str, root: str, seen: bytes
) -> None:
    assert relative_to(target, directory, root) == seen


@given(st.integers(0, 2**32 - 1), st.binary(max_size=100))
def test_noise_is_parsed_or_refused(tag: int, noise: bytes) -> None:
    for known in (tag, 0xA000_000C, 0xA000_0003, 0xA000_001D, 0x8000_0014):
        with suppress(MalformedMessage):
            unpack_reparse(ReparsePoint(known, noise))
    unpack_interix(b"IntxLNK\1" + noise)
    unpack_mf(noise)
