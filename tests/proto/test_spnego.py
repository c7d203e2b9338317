"""SPNEGO: there and back, and noise."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.spnego import KERBEROS, NTLM, NegState, NegTokenResp


@given(
    st.none() | st.sampled_from(NegState),
    st.sampled_from([b"", KERBEROS, NTLM]),
    st.binary(max_size=70_000),
    st.binary(max_size=300),
)
def test_an_answer_comes_back_as_it_was(
    state: NegState | None, mechanism: bytes, token: bytes, checksum: bytes
) -> None:
    answer = NegTokenResp(state, mechanism, token, checksum)
    assert NegTokenResp.unpack(answer.pack()) == answer
    assert answer.is_kerberos == (mechanism != NTLM)


@given(st.binary(max_size=64))
def test_noise_is_parsed_or_refused_never_else(noise: bytes) -> None:
    for head in (b"", b"\xa1\x40\x30\x3e", b"\xa1\x42\x30\x40\xa2\x20\x04"):
        with suppress(MalformedMessage):
            NegTokenResp.unpack(head + noise)


def test_a_length_beyond_the_end_is_refused() -> None:
    with pytest.raises(MalformedMessage, match="length"):
        NegTokenResp.unpack(b"\xa1\x84\xff\xff\xff\xff\x30")
