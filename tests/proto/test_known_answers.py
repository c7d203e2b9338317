"""Keys, hashes, signatures and sealed messages that others have published.

Sources:
- [A] "SMB 3.1.1 Pre-authentication integrity in Windows 10", Microsoft Open Specifications blog,
  2015-08-11.
- [B] "Encryption in SMB 3.0: A protocol perspective", the same blog, 2012-10-05.
- [C] "SMB 3.1.1 Encryption in Windows 10", the same blog, 2015-09-09.
- [D] RFC 4493, "The AES-CMAC Algorithm", section 4.
- [E] RFC 4231, HMAC-SHA-256, test case 2.
- [F] McGrew and Viega, "The Galois/Counter Mode of Operation", test case 1 (as NIST took it over).
"""

from struct import pack

import pytest

from smbmount.proto.keys import PreauthHash, derive, derive_keys
from smbmount.proto.negotiate import Cipher, Dialect, SigningAlgorithm
from smbmount.proto.sealing import SealBroken, Sealer
from smbmount.proto.signing import Signer

_B = bytes.fromhex

# [A]: the hash before a message, the message as it went over the wire, the hash after it.
_AFTER_NEGOTIATE = (
    "324bfa92a4f3a190e466ebea08d9c110dc88bfed758d9846ecc6f541cc1d02ae"
    "3c94a79f36011e997e13f841b91b50957ad07b19c8e2539c0b23fdae09d2c513"
)
_AFTER_REQUEST = (
    "ac0b0f2b9986257700365e416d142a6edc96df03594a19e52a15f6bd0d041cd5"
    "d432f8ed42c55e33197a50c9ec00f1462b50c592211b1471a04b56088fdfd5f9"
)
_AFTER_RESPONSE = (
    "2729e3440dfddd839e37193f6e8f20c20cefb3469e453a70cd980eec06b88357"
    "40a73760085633364c8989895ece81bf102deeb14d4b7d48afa76901a7a38387"
)
_COMPLETE = (
    "0dd13628cc3ed218ef9df9772d436d0887ab9814bfae63a80aa845f36909db79"
    "28622dddad522d9751640a459762c5a9d6bb084cbb3ce6bdadef5d5bce3c6c01"
)
PREAUTH = {
    "NEGOTIATE": (
        "00" * 64,
        (
            "FE534D4240000100000000000000800000000000000000000100000000000000FFFE000000000000"
            "00000000000000000000000000000000000000000000000024000500000000003F000000ECD86F32"
            "6276024F9F7752B89BB33F3A70000000020000000202100200030203110300000100260000000000"
            "010020000100FA49E6578F1F3A9F4CD3E9CC14A67AA884B3D05844E0E5A118225C15887F32FF0000"
            "0200060000000000020002000100"
        ),
        (
            "dd94efc5321bb618a2e208ba8920d2f422992526947a409b5037de1e0fe8c736"
            "2b8c47122594cde0ce26aa9dfc8bcdbde0621957672623351a7540f1e54a0426"
        ),
    ),
    "SESSION_SETUP request": (
        _AFTER_NEGOTIATE,
        (
            "FE534D4240000100000000000100800000000000000000000200000000000000FFFE000000000000"
            "00000000000000000000000000000000000000000000000019000001010000000000000058004A00"
            "0000000000000000604806062B0601050502A03E303CA00E300C060A2B06010401823702020AA22A"
            "04284E544C4D5353500001000000978208E200000000000000000000000000000000060380250000"
            "000F"
        ),
        _AFTER_REQUEST,
    ),
    "SESSION_SETUP response": (
        _AFTER_REQUEST,
        (
            "FE534D4240000100160000C00100010001000000000000000200000000000000FFFE000000000000"
            "190000000010000000000000000000000000000000000000090000004800B300A181B03081ADA003"
            "0A0101A10C060A2B06010401823702020AA281970481944E544C4D53535000020000000C000C0038"
            "00000015828AE20D1D8BA31179D008000000000000000050005000440000000A0092270000000F53"
            "005500540033003100310002000C0053005500540033003100310001000C00530055005400330031"
            "00310004000C0053005500540033003100310003000C0053005500540033003100310007000800A1"
            "A1F5ADCBAED00100000000"
        ),
        _AFTER_RESPONSE,
    ),
}


@pytest.mark.parametrize("step", PREAUTH)
def test_the_preauthentication_hash_is_the_published_one(step: str) -> None:
    before, message, after = PREAUTH[step]
    assert PreauthHash(_B(before)).update(_B(message)).digest == _B(after)


def test_the_signing_key_follows_from_the_hash() -> None:
    """[A]"""
    session_key = _B("270E1BA896585EEB7AF3472D3B4C75A7")
    keys = derive_keys(Dialect.SMB_3_1_1, session_key, _B(_COMPLETE), Cipher.AES_128_GCM)
    assert keys.signing == _B("73FE7A9A77BEF0BDE49C650D8CCB5F76")


def test_the_keys_of_smb_3_0_are_the_published_ones() -> None:
    """[B]"""
    session_key = _B("B4546771B515F766A86735532DD6C4F0")
    keys = derive_keys(Dialect.SMB_3_0, session_key, b"", Cipher.AES_128_CCM)
    assert keys.signing == _B("F773CD23C18FD1E08EE510CADA7CF852")
    assert keys.encryption == _B("261B72350558F2E9DCF613070383EDBF")
    assert keys.decryption == _B("8FE2B57EC34D2DB5B1A9727F526BBDB5")
    assert keys.application == _B("77432F808CE99156B5BC6A3676D730D1")


_HASH_C = (
    "B23F3CBFD69487D9832B79B1594A367CDD950909B774C3A4C412B4FCEA9EDDDB"
    "A7DB256BA2EA30E977F11F9B113247578E0E915C6D2A513B8F2FCA5707DC8770"
)


def test_the_keys_of_smb_3_1_1_are_the_published_ones() -> None:
    """[C]"""
    session_key = _B("419FDDF34C1E001909D362AE7FB6AF79")
    keys = derive_keys(Dialect.SMB_3_1_1, session_key, _B(_HASH_C), Cipher.AES_128_GCM)
    assert keys.encryption == _B("A2F5E80E5D59103034F32E52F698E5EC")
    assert keys.decryption == _B("748C50868C90F302962A5C35F5F9A8BF")


# Cipher, key, session id, the sealed frame, the message inside.
SEALED = {
    "[B] WRITE request, CCM": (
        Cipher.AES_128_CCM,
        "261B72350558F2E9DCF613070383EDBF",
        0x8E40014000011,
        (
            "FD534D4281A286535415445DAE393921E44FA42E66E69A111892584FB5ED524A"
            "744DA3EE87000000000001001100001400E4080025C8FEE16605A437832D1CD5"
            "2DA9F4645333482A175FE5384563F45FCDAFAEF38BC62BA4D5C62897996625A4"
            "4C29BE5658DE2E6117585779E7B59FFD971278D08580D7FA899E410E910EABF5"
            "AA1DB43050B33B49182637759AC15D84BFCDF5B6B238993C0F4CF4D6012023F6"
            "C627297075D84B7803912D0A9639634453595EF3E33FFE4E7AC2AB"
        ),
        (
            "FE534D4240000100000000000900400008000000000000000400000000000000"
            "FFFE0000010000001100001400E4080000000000000000000000000000000000"
            "3100700017000000000000000000000015010000390000020100000039020000"
            "00000000000000007000000000000000536D623320656E6372797074696F6E20"
            "74657374696E67"
        ),
    ),
    "[B] WRITE response, CCM": (
        Cipher.AES_128_CCM,
        "8FE2B57EC34D2DB5B1A9727F526BBDB5",
        0x8E40014000011,
        (
            "FD534D42A6015530A18F6D9AFFE22AFAE8E66484860000000000000011000014"
            "00E4080050000000000001001100001400E40800DBF46435C5F14169293CE079"
            "E344479BF670227E49873F458672C3098DAC467DD5809F369D67409166515787"
            "1483E01F7BECD02064EAC3E235F913668BBC2F097980D4B378F1993EFF6E60D1"
            "77309E5B"
        ),
        (
            "FE534D4240000100000000000900210009000000000000000400000000000000"
            "FFFE0000010000001100001400E4080000000000000000000000000000000000"
            "11000000170000000000000000000000"
        ),
    ),
    "[C] WRITE request, GCM": (
        Cipher.AES_128_GCM,
        "A2F5E80E5D59103034F32E52F698E5EC",
        0x100000000025,
        (
            "FD534D42BD73D97D2BC9001BCAFAC0FDFF5FEEBCC7D6822D269CAF48904C664C0000000087000000"
            "0000010025000000001000006ECDD2A7AFC7B47763057A041B8FD4DAFFE990B70C9E09D36C084E02"
            "D14EF247F8BDE38ACF6256F8B1D3B56F77FBDEB312FEA5E92CBCC1ED8FB2EBBFAA75E49A4A394BB4"
            "4576545567C24D4C014D47C9FBDFDAFD2C4F9B72F8D256452620A299F48E29E53D6B61D1C13A19E9"
            "1AF013F00D17E3ABC2FC3D36C8C1B6B93973253852DBD442E46EE8"
        ),
        (
            "FE534D4240000100000000000900010008000000000000000500000000000000FFFE000001000000"
            "25000000001000000000000000000000000000000000000031007000170000000000000000000000"
            "0600000004000000010000000400000000000000000000007000000000000000536D623320656E63"
            "72797074696F6E2074657374696E67"
        ),
    ),
    "[C] WRITE response, GCM": (
        Cipher.AES_128_GCM,
        "748C50868C90F302962A5C35F5F9A8BF",
        0x100000000025,
        (
            "FD534D42ACBE1CB7ED343ADF1725EF144D90D4B0E06831DD2E8EB7B4000000000000000050000000"
            "00000100250000000010000026BBBF949983A6C1C796559D0F2C510CB651D1F7B6AC8DED32A2A0B8"
            "F2D793A815C6F6B848D69767A215841A42D400AE6DDB5F0B44173A014973321FDD7950DA6179159B"
            "82E03C9E18A050FF0EA1C967"
        ),
        (
            "FE534D4240000100000000000900010001000000000000000500000000000000FFFE000001000000"
            "25000000001000000000000000000000000000000000000011000000170000000000000000000000"
        ),
    ),
}


@pytest.mark.parametrize("name", SEALED)
def test_a_published_sealed_message_opens(name: str) -> None:
    cipher, key, session_id, frame, message = SEALED[name]
    sealer = Sealer(cipher, _B(key), _B(key), session_id)
    assert sealer.unseal(memoryview(_B(frame))) == _B(message)


@pytest.mark.parametrize("name", SEALED)
def test_a_published_sealed_message_with_one_bit_changed_does_not_open(name: str) -> None:
    cipher, key, session_id, frame, _ = SEALED[name]
    altered = bytearray(_B(frame))
    altered[-1] ^= 1
    with pytest.raises(SealBroken):
        Sealer(cipher, _B(key), _B(key), session_id).unseal(memoryview(altered))


# [D]: AES-CMAC of these many bytes of the message. Our signatures zero bytes 48 to 63 of a
# message's first part, so the MAC is asked for as the signer computes it inside.
_CMAC_KEY = _B("2b7e151628aed2a6abf7158809cf4f3c")
_CMAC_TEXT = _B(
    "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
    "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
)
CMACS = {
    0: "bb1d6929e95937287fa37d129b756746",
    16: "070a16b46b4d4144f79bdd9dd04a287c",
    40: "dfa66747de9ae63030ca32611497c827",
    64: "51f0bebf7e3b9d92fc49741779363cfe",
}


@pytest.mark.parametrize("length", CMACS)
def test_cmac_is_that_of_rfc_4493(length: int) -> None:
    signer = Signer(SigningAlgorithm.AES_CMAC, _CMAC_KEY)
    assert signer._mac([_CMAC_TEXT[:length]]) == _B(CMACS[length])
    assert signer._mac([_CMAC_TEXT[: length // 2], _CMAC_TEXT[length // 2 : length]]) == _B(
        CMACS[length]
    )


def test_hmac_is_that_of_rfc_4231_cut_to_16_bytes() -> None:
    """[E]"""
    signer = Signer(SigningAlgorithm.HMAC_SHA256, b"Jefe")
    assert signer._mac([b"what do ya want ", b"for nothing?"]) == _B(
        "5bdcc146bf60754e6a042426089575c7"
    )


def test_gmac_is_gcm_of_nothing_with_the_message_beside_it() -> None:
    """[F]: key, nonce and text all zero or empty give this tag; then a header's nonce counts."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    assert AESGCM(bytes(16)).encrypt(bytes(12), b"", b"") == _B("58e2fccefa7e3061367f1d57a4e7455a")
    message = bytearray(80)
    message[24:32] = pack("<Q", 7)
    signer = Signer(SigningAlgorithm.AES_GMAC, bytes(16))
    nonce = pack("<QL", 7, 0)
    assert signer.signature([message]) == AESGCM(bytes(16)).encrypt(nonce, b"", bytes(message))


def test_the_derivation_is_nist_sp_800_108_in_counter_mode() -> None:
    """By its own words (section 4.1): HMAC of counter, label, zero, context and length in bits."""
    import hashlib
    import hmac

    key, label, context = bytes(range(16)), b"label\0", b"context\0"
    for length in (16, 32):
        fixed = label + b"\0" + context + pack(">L", length * 8)
        wanted = hmac.new(key, pack(">L", 1) + fixed, hashlib.sha256).digest()[:length]
        assert derive(key, label, context, length) == wanted
