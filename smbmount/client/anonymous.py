"""Signing on as nobody: NTLMSSP without a user ([MS-NLMP] 3.2.5.1.2, "anonymous").

pyspnego has no anonymous credential, and there is nothing secret to compute: the AUTHENTICATE
message names no user and proves nothing.
"""

from struct import Struct

_SIGNATURE = b"NTLMSSP\0"
_NEGOTIATE = Struct("<8sLL8s8s")
_AUTHENTICATE = Struct("<8sL8s8s8s8s8s8sL")
_FIELD = Struct("<HHL")
# UNICODE, REQUEST_TARGET, NTLM, ANONYMOUS, ALWAYS_SIGN off, EXTENDED_SESSIONSECURITY, 128
_FLAGS = 0x0000_0001 | 0x0000_0004 | 0x0000_0200 | 0x0008_0000 | 0x2000_0000
_ANONYMOUS = 0x0000_0800


def negotiate_token() -> bytes:
    """NEGOTIATE_MESSAGE ([MS-NLMP] 2.2.1.1)."""
    return _NEGOTIATE.pack(_SIGNATURE, 1, _FLAGS, bytes(8), bytes(8))


def authenticate_token() -> bytes:
    """AUTHENTICATE_MESSAGE ([MS-NLMP] 2.2.1.3): an LM response of one zero byte, the rest empty."""
    end = _AUTHENTICATE.size
    empty = _FIELD.pack(0, 0, end)
    lm_response = _FIELD.pack(1, 1, end)
    fields = (lm_response, empty, empty, empty, empty, empty)
    return _AUTHENTICATE.pack(_SIGNATURE, 3, *fields, _FLAGS | _ANONYMOUS) + b"\0"
