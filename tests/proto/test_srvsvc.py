"""DCE/RPC and the list of shares: what a lying server sends is refused, and nothing else."""

from contextlib import suppress
from struct import pack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from impacket.dcerpc.v5 import rpcrt, srvs

from smbmount.proto import dcerpc, srvsvc
from smbmount.proto.dcerpc import Fault, Packet, PacketType
from smbmount.proto.errors import MalformedMessage
from smbmount.proto.srvsvc import ServerShare


def _string(text: str) -> bytes:
    letters = (text + "\0").encode("utf-16-le", "surrogatepass")
    return (
        pack("<LLL", len(letters) // 2, 0, len(letters) // 2) + letters + bytes(-len(letters) % 4)
    )


def _stub(shares: list[ServerShare], count: int | None = None, status: int = 0) -> bytes:
    number = len(shares) if count is None else count
    packed = pack("<LLLLLL", 1, 1, 0x20000, number, 0x20004, number)
    packed += b"".join(pack("<LLL", 8, share.kind, 12) for share in shares)
    packed += b"".join(_string(share.name) + _string(share.remark) for share in shares)
    return packed + pack("<LLL", number, 0, status)


@given(
    st.lists(
        st.builds(
            ServerShare,
            st.text(st.characters(exclude_characters="\0"), max_size=20),
            st.integers(0, 2**32 - 1),
            st.text(st.characters(exclude_characters="\0"), max_size=20),
        ),
        max_size=5,
    )
)
def test_shares_come_back(shares: list[ServerShare]) -> None:
    assert srvsvc.shares(memoryview(_stub(shares))) == tuple(shares)


@given(st.binary(max_size=200))
def test_noise_is_parsed_or_refused(noise: bytes) -> None:
    with suppress(MalformedMessage, PermissionError):
        srvsvc.shares(memoryview(pack("<LLL", 1, 1, 4) + noise))
    with suppress(MalformedMessage, Fault):
        for kind in PacketType:
            size = 16 + len(noise)
            head = pack("<BBBB4sHHL", 5, 0, kind, 3, b"\x10\0\0\0", size, 0, 1)
            packet = Packet.unpack(memoryview(head + noise))
            with suppress(MalformedMessage, Fault):
                dcerpc.check_bound(packet, 1)
            dcerpc.answered(packet, 1)


def test_more_shares_than_there_are_bytes_for_are_refused() -> None:
    for count in (2, 10_001, 2**32 - 1):
        with pytest.raises(MalformedMessage):
            srvsvc.shares(memoryview(_stub([ServerShare("a", 0, "")], count)))


def test_a_refusal_is_a_refusal() -> None:
    with pytest.raises(PermissionError):
        srvsvc.shares(memoryview(_stub([], status=5)))


def test_impacket_reads_our_question() -> None:
    request = srvs.NetrShareEnum(srvsvc.share_enum("server"))
    assert request["ServerName"] == "server\0"
    assert request["InfoStruct"]["Level"] == 1
    header = rpcrt.MSRPCRequestHeader(dcerpc.request(srvsvc.SHARE_ENUM, b"stub", 3))
    assert (header["op_num"], header["call_id"], header["pduData"]) == (15, 3, b"stub")
    bind = rpcrt.MSRPCBind(rpcrt.MSRPCHeader(dcerpc.bind(srvsvc.SRVSVC, 3))["pduData"])
    assert bind["ctx_num"] == 1


@pytest.mark.parametrize(
    ("name", "kind", "wanted"),
    [("media", 0, True), ("hidden$", 0, False), ("C$", 0x80000000, False),
     ("IPC$", 0x80000003, False), ("laser", 1, False)],
)  # fmt: skip
def test_hidden_shares_and_printers_are_not_for_people(name: str, kind: int, wanted: bool) -> None:
    assert ServerShare(name, kind, "").for_people is wanted
