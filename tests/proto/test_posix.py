"""SMB3 POSIX extensions as bytes: real answers of Samba's, all values both ways, and noise."""

import stat as modes
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.fscc_fs import FileFsPosixInformation
from smbmount.proto.posix import (
    FilePosixInformation,
    gid_of,
    group_sid,
    mode_from_wire,
    mode_sid,
    mode_to_wire,
    pack_posix_entries,
    posix_entries,
    uid_of,
    user_sid,
)
from smbmount.proto.reparse import NfsFile, NfsType, ReparsePoint
from smbmount.proto.security import Sid

_quad = st.integers(0, 2**63 - 1)
_long = st.integers(0, 2**32 - 1)
_KINDS = (
    modes.S_IFREG, modes.S_IFDIR, modes.S_IFLNK, modes.S_IFCHR, modes.S_IFBLK, modes.S_IFIFO,
    modes.S_IFSOCK,
)  # fmt: skip
_modes = st.builds(lambda kind, bits: kind | bits, st.sampled_from(_KINDS), st.integers(0, 0o7777))
_sids = st.one_of(
    st.builds(user_sid, _long),
    st.builds(group_sid, _long),
    st.just(Sid(5, (21, 1, 2, 3, 1000))),
)
_files = st.builds(
    FilePosixInformation,
    creation_time=_quad, last_access_time=_quad, last_write_time=_quad, change_time=_quad,
    end_of_file=_quad, allocation_size=_quad, file_attributes=_long, inode=_quad, device=_long,
    number_of_links=_long, reparse_tag=_long, mode=_modes, owner=_sids, group=_sids,
)  # fmt: skip


@given(_files)
def test_a_file_comes_back(told: FilePosixInformation) -> None:
    assert FilePosixInformation.unpack(memoryview(told.pack())) == told


@given(st.lists(st.tuples(st.text(min_size=1, max_size=20), _files), min_size=1, max_size=5))
def test_entries_come_back(listed: list[tuple[str, FilePosixInformation]]) -> None:
    assert list(posix_entries(memoryview(pack_posix_entries(listed)))) == listed


@given(st.binary(max_size=300))
def test_noise_is_parsed_or_refused(noise: bytes) -> None:
    with suppress(MalformedMessage):
        FilePosixInformation.unpack(memoryview(noise))
    with suppress(MalformedMessage):
        list(posix_entries(memoryview(bytes(4) + noise)))


@given(_modes)
def test_a_mode_comes_back(mode: int) -> None:
    assert mode_from_wire(mode_to_wire(mode)) == mode


def test_modes_on_the_wire_are_sambas() -> None:
    assert mode_from_wire(0o755 | 1 << 12) == modes.S_IFDIR | 0o755  # Samba 4.22
    assert mode_from_wire(0o777 | 2 << 12) == modes.S_IFLNK | 0o777


def test_a_mode_of_no_known_type_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="Mode"):
        mode_from_wire(7 << 12)


def test_a_lying_name_length_is_named() -> None:
    told = FilePosixInformation(
        0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, modes.S_IFREG | 0o644, user_sid(0), group_sid(0)
    )
    packed = bytearray(pack_posix_entries([("ab", told)]))
    packed[-8] = 200  # the length before the name's four bytes
    with pytest.raises(MalformedMessage, match="FileNameLength"):
        list(posix_entries(memoryview(packed)))


def test_users_and_groups_are_found_in_their_sids_only() -> None:
    assert uid_of(user_sid(1000)) == 1000
    assert gid_of(group_sid(1000)) == 1000
    assert uid_of(group_sid(1000)) is None
    assert gid_of(user_sid(1000)) is None
    assert uid_of(Sid.parse("S-1-5-88-1-7")) == 7
    assert gid_of(Sid.parse("S-1-5-88-2-7")) == 7
    assert uid_of(Sid.parse("S-1-5-21-1-2-3-1000")) is None
    assert str(mode_sid(0o644)) == "S-1-5-88-3-420"


def test_room_on_a_volume_as_samba_tells_it() -> None:
    told = FileFsPosixInformation.unpack(
        memoryview(
            bytes.fromhex(
                "00100000001000009de3ef030000000081da91030000000044d037010000000"
                "00000000100000000b76cf80000000000915502055ae73e70"
            )
        )
    )
    assert (told.block_size, told.total_files) == (4096, 1 << 24)
    assert told.total_blocks >= told.free_blocks >= told.available_blocks


def test_a_device_as_samba_stores_it() -> None:
    data = memoryview(bytes.fromhex("140000801000000043485200000000000500000007000000"))
    found = NfsFile.of(ReparsePoint.unpack(data))
    assert (found.kind, found.device) == (NfsType.CHR, (5, 7))
