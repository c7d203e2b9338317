"""SPNEGO with one mechanism, Kerberos: RFC 4178, [MS-SPNG].

Only what a client that offers Kerberos alone needs: its first token, the server's answers, and
the checksum over the list of mechanisms. DER throughout.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Self

from .errors import MalformedMessage

# Object identifiers in DER, tag and length included.
_SPNEGO = bytes.fromhex("06062b0601050502")
KERBEROS = bytes.fromhex("06092a864886f712010202")  # 1.2.840.113554.1.2.2
_KERBEROS_OF_WINDOWS = bytes.fromhex("06092a864882f712010202")  # the same, one bit astray
NTLM = bytes.fromhex("060a2b06010401823702020a")

_SEQUENCE = 0x30
_OCTETS = 0x04
_ENUMERATED = 0x0A
_APPLICATION = 0x60
_CONTEXT = 0xA0


class NegState(IntEnum):
    """How far the server is (RFC 4178 4.2.2)."""

    ACCEPT_COMPLETED = 0
    ACCEPT_INCOMPLETE = 1
    REJECT = 2
    REQUEST_MIC = 3


def _wrap(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes([tag, length]) + content
    size = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(size)]) + size + content


def _take(data: bytes, field: str) -> tuple[int, bytes, bytes]:
    """Tag, content and rest of the first element. Raises MalformedMessage."""
    if len(data) < 2:
        raise MalformedMessage("SPNEGO", field, len(data))
    tag, length, start = data[0], data[1], 2
    if length & 0x80:
        octets = length & 0x7F
        if not 1 <= octets <= 4 or len(data) < 2 + octets:
            raise MalformedMessage("SPNEGO", f"{field} length", length)
        start += octets
        length = int.from_bytes(data[2:start])
    if start + length > len(data):
        raise MalformedMessage("SPNEGO", f"{field} length", length)
    return tag, data[start : start + length], data[start + length :]


def _expect(data: bytes, tag: int, field: str) -> bytes:
    found, content, _ = _take(data, field)
    if found != tag:
        raise MalformedMessage("SPNEGO", f"{field} tag", found)
    return content


def mechanism_list() -> bytes:
    """The list of mechanisms in the form that its checksum covers."""
    return _wrap(_SEQUENCE, KERBEROS)


def first_token(kerberos_token: bytes) -> bytes:
    """NegTokenInit: Kerberos is offered, and its first token comes along."""
    fields = _wrap(_CONTEXT, mechanism_list())
    fields += _wrap(_CONTEXT | 2, _wrap(_OCTETS, kerberos_token))
    return _wrap(_APPLICATION, _SPNEGO + _wrap(_CONTEXT, _wrap(_SEQUENCE, fields)))


@dataclass(frozen=True, slots=True)
class NegTokenResp:
    """One token of the negotiation after the first (RFC 4178 4.2.2)."""

    state: NegState | None = None
    mechanism: bytes = b""  # an object identifier in DER; empty if not told
    token: bytes = b""
    checksum: bytes = b""  # over the list of mechanisms

    @property
    def is_kerberos(self) -> bool:
        """False if the server chose something that was not offered."""
        return self.mechanism in (b"", KERBEROS, _KERBEROS_OF_WINDOWS)

    def pack(self) -> bytes:
        """The token."""
        fields = b""
        if self.state is not None:
            fields += _wrap(_CONTEXT, _wrap(_ENUMERATED, bytes([self.state])))
        if self.mechanism:
            fields += _wrap(_CONTEXT | 1, self.mechanism)
        if self.token:
            fields += _wrap(_CONTEXT | 2, _wrap(_OCTETS, self.token))
        if self.checksum:
            fields += _wrap(_CONTEXT | 3, _wrap(_OCTETS, self.checksum))
        return _wrap(_CONTEXT | 1, _wrap(_SEQUENCE, fields))

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Parse a server's answer. Raises MalformedMessage."""
        rest = _expect(_expect(data, _CONTEXT | 1, "NegTokenResp"), _SEQUENCE, "NegTokenResp")
        state: NegState | None = None
        mechanism = token = checksum = b""
        while rest:
            tag, content, rest = _take(rest, "field")
            match tag:
                case 0xA0:
                    value = _expect(content, _ENUMERATED, "negState")
                    if len(value) != 1 or value[0] not in NegState.__members__.values():
                        raise MalformedMessage("SPNEGO", "negState", int.from_bytes(value[:8]))
                    state = NegState(value[0])
                case 0xA1:
                    mechanism = content
                case 0xA2:
                    token = _expect(content, _OCTETS, "responseToken")
                case 0xA3:
                    checksum = _expect(content, _OCTETS, "mechListMIC")
                case _:
                    raise MalformedMessage("SPNEGO", "field tag", tag)
        return cls(state, mechanism, token, checksum)
