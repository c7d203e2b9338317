"""As much of SMB 1 as it takes to recognise a server that speaks nothing else.

[MS-CIFS] 2.2.3.1, 2.2.4.52.
"""

from struct import Struct

_PROTOCOL_ID = b"\xffSMB"
_HEADER = Struct("<4sBLBHH8sHHHHH")
_NEGOTIATE = 0x72
_UNICODE_LONG_NAMES = 0xC853
_DIALECTS = (b"NT LM 0.12",)


def is_smb1(message: bytes | memoryview) -> bool:
    """True if `message` starts as an SMB 1 message does."""
    return bytes(message[:4]) == _PROTOCOL_ID


def multi_protocol_negotiate() -> bytes:
    """An SMB 1 NEGOTIATE that offers SMB 1 only: whoever accepts speaks it."""
    header = _HEADER.pack(
        _PROTOCOL_ID, _NEGOTIATE, 0, 0x18, _UNICODE_LONG_NAMES, 0, bytes(8), 0, 0xFFFF, 0xFEFF, 0, 1
    )
    dialects = b"".join(b"\x02" + dialect + b"\0" for dialect in _DIALECTS)
    return header + b"\0" + len(dialects).to_bytes(2, "little") + dialects
