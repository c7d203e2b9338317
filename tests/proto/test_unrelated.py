"""The same messages in an unrelated implementation (smbprotocol, impacket): both ways."""

from types import SimpleNamespace
from typing import Any

import pytest
from impacket import crypto
from smbprotocol import connection as theirs
from smbprotocol import ioctl, session
from smbprotocol import open as opens
from smbprotocol import tree as trees
from smbprotocol.header import SMB2HeaderRequest, SMB2HeaderResponse

from smbmount.proto.close import CloseRequest
from smbmount.proto.create import CreateRequest, FileId
from smbmount.proto.directory import QueryDirectoryRequest
from smbmount.proto.echo import EchoRequest
from smbmount.proto.flush import FlushRequest
from smbmount.proto.header import Command, Header, HeaderFlags
from smbmount.proto.info import QueryInfoRequest, SetInfoRequest
from smbmount.proto.ioctl import IoctlRequest
from smbmount.proto.keys import derive_keys
from smbmount.proto.negotiate import Cipher, Dialect, SigningAlgorithm
from smbmount.proto.sealing import Sealer
from smbmount.proto.session import SessionSetupRequest
from smbmount.proto.signing import Signer
from smbmount.proto.tree import TreeConnectRequest

KEY = bytes(range(16))
HASH = bytes(range(64))
FILE = FileId(0x1122334455667788, 0x99AABBCCDDEEFF00)
_ID = FILE[0].to_bytes(8, "little") + FILE[1].to_bytes(8, "little")


def _unpacked(kind: Any, data: bytes) -> Any:
    """`data` by their class; what it leaves over must be nothing."""
    message = kind()
    left = message.unpack(data)
    assert not left
    assert message.pack() == data
    return message


def test_headers_are_the_same_both_ways() -> None:
    header = Header(
        Command.WRITE, message_id=77, session_id=5, tree_id=9, credit_charge=3, credits=8,
        flags=HeaderFlags.SIGNED, signature=KEY,
    )  # fmt: skip
    packed = header.pack()
    message = SMB2HeaderRequest()
    message.unpack(packed)
    assert message["message_id"].get_value() == 77
    assert message["tree_id"].get_value() == 9
    assert message["session_id"].get_value() == 5
    assert message["credit_charge"].get_value() == 3
    assert message["signature"].get_value() == KEY
    answer = SMB2HeaderResponse()
    answer["command"] = 9
    answer["message_id"] = 77
    answer["tree_id"] = 9
    answer["session_id"] = 5
    answer["status"] = 0xC0000022
    ours = Header.unpack(memoryview(answer.pack()))
    assert (ours.command, ours.message_id, ours.tree_id) == (Command.WRITE, 77, 9)
    assert (ours.session_id, ours.status) == (5, 0xC0000022)


REQUESTS: list[tuple[Any, Any, dict[str, Any]]] = [
    (SessionSetupRequest(b"token", 1, 0, 0), session.SMB2SessionSetupRequest, {"buffer": b"token"}),
    (
        TreeConnectRequest("\\\\server\\share"),
        trees.SMB2TreeConnectRequest,
        {"buffer": "\\\\server\\share".encode("utf-16-le")},
    ),
    (
        CreateRequest("dir\\file", 0x12019F, 1, 0x80, 7, 0x40),
        opens.SMB2CreateRequest,
        {"buffer_path": "dir\\file".encode("utf-16-le"), "create_disposition": 1},
    ),
    (CloseRequest(FILE), opens.SMB2CloseRequest, {"file_id": _ID}),
    (FlushRequest(FILE), opens.SMB2FlushRequest, {"file_id": _ID}),
    (
        QueryDirectoryRequest(FILE, 38, "*", output_buffer_length=65536),
        opens.SMB2QueryDirectoryRequest,
        {"file_id": _ID, "buffer": "*".encode("utf-16-le"), "output_buffer_length": 65536},
    ),
    (
        QueryInfoRequest(FILE, 1, 18, 1024),
        opens.SMB2QueryInfoRequest,
        {"file_id": _ID, "file_info_class": 18, "output_buffer_length": 1024},
    ),
    (
        SetInfoRequest(FILE, 1, 20, bytes(8)),
        opens.SMB2SetInfoRequest,
        {"file_id": _ID, "file_info_class": 20, "buffer": bytes(8)},
    ),
    (
        IoctlRequest(FILE, 0x00140078, b"abc", 32),
        ioctl.SMB2IOCTLRequest,
        {"file_id": _ID, "buffer": b"abc", "max_output_response": 32},
    ),
    (EchoRequest(), theirs.SMB2Echo, {}),
]


@pytest.mark.parametrize(("ours", "kind", "fields"), REQUESTS, ids=lambda v: type(v).__name__)
def test_our_requests_are_read_by_smbprotocol(ours: Any, kind: Any, fields: dict[str, Any]) -> None:
    message = kind()
    message.unpack(ours.pack())
    for name, value in fields.items():
        assert message[name].get_value() == value, name


@pytest.mark.parametrize(("ours", "kind", "fields"), REQUESTS, ids=lambda v: type(v).__name__)
def test_their_requests_are_read_by_us(ours: Any, kind: Any, fields: dict[str, Any]) -> None:
    message = kind()
    message.unpack(ours.pack())
    whole = Header(ours.COMMAND).pack() + message.pack()
    assert type(ours).unpack(memoryview(whole)) == ours


KEYS = {
    (Dialect.SMB_3_0, Cipher.AES_128_CCM): (b"SMB2AESCMAC\0", b"SmbSign\0", b"SMB2AESCCM\0"),
    (Dialect.SMB_3_1_1, Cipher.AES_128_GCM): (b"SMBSigningKey\0", HASH, b"SMBC2SCipherKey\0"),
}


@pytest.mark.parametrize(("dialect", "cipher"), KEYS)
def test_impacket_derives_the_same_keys(dialect: Dialect, cipher: Cipher) -> None:
    label, context, sealing = KEYS[dialect, cipher]
    keys = derive_keys(dialect, KEY, HASH, cipher)
    assert keys.signing == crypto.KDF_CounterMode(KEY, label, context, 128)
    inwards = HASH if dialect is Dialect.SMB_3_1_1 else b"ServerIn \0"
    assert keys.encryption == crypto.KDF_CounterMode(KEY, sealing, inwards, 128)


@pytest.mark.parametrize("cipher", [Cipher.AES_256_CCM, Cipher.AES_256_GCM])
def test_smbprotocol_derives_the_same_wide_keys(cipher: Cipher) -> None:
    long = bytes(range(32))
    keys = derive_keys(Dialect.SMB_3_1_1, long, HASH, cipher)
    kdf = session.Session._smb3kdf
    assert keys.encryption == kdf(None, long, b"SMBC2SCipherKey\0", HASH, 32)
    assert keys.decryption == kdf(None, long, b"SMBS2CCipherKey\0", HASH, 32)
    assert keys.signing == kdf(None, long[:16], b"SMBSigningKey\0", HASH)


@pytest.mark.parametrize("algorithm", SigningAlgorithm)
@pytest.mark.parametrize("command", [Command.READ, Command.CANCEL])
def test_smbprotocol_signs_the_same(algorithm: SigningAlgorithm, command: Command) -> None:
    message = Header(command, message_id=7, flags=HeaderFlags.SIGNED).pack() + b"body of 17 bytes."
    them = SimpleNamespace(dialect=0x311, signing_algorithm_id=int(algorithm))
    sign = theirs.Connection._generate_signature
    expected = sign(them, message, KEY, 7, False, int(command))
    assert Signer(algorithm, KEY).signature([message]) == expected[:16]
    answer = bytearray(Header(command, message_id=7, flags=HeaderFlags.SERVER_TO_REDIR).pack())
    answer[48:64] = sign(them, bytes(answer), KEY, 7, True, int(command))[:16]
    assert Signer(algorithm, KEY).verify(memoryview(answer))


@pytest.mark.parametrize("cipher", Cipher)
def test_smbprotocol_seals_the_same(cipher: Cipher) -> None:
    key = bytes(range(32 if "256" in cipher.name else 16))
    other = key[::-1]
    message = Header(Command.READ, message_id=7).pack() + b"body of 17 bytes."
    them = SimpleNamespace(session_id=5, encryption_key=other, decryption_key=key)
    connection = SimpleNamespace(dialect=0x311, cipher_id=int(cipher), session_table={5: them})
    ours = Sealer(cipher, key, other, 5)
    frame = theirs.SMB2TransformHeader()
    frame.unpack(b"".join(bytes(part) for part in ours.seal([message])))
    assert theirs.Connection._decrypt(connection, frame) == message
    sealed = theirs.Connection._encrypt(connection, message, them).pack()
    assert ours.unseal(memoryview(sealed)) == message
