"""Inputs and outputs of FSCTLs about the connection ([MS-SMB2] 2.2.31, 2.2.32)."""

from dataclasses import dataclass
from struct import Struct
from typing import Self

from .errors import MalformedMessage
from .layout import whole

_QUESTION = Struct("<L16sHH")
_ANSWER = Struct("<L16sHH")


@dataclass(frozen=True, slots=True)
class ValidateNegotiateInfoRequest:
    """What we negotiated, said again ([MS-SMB2] 2.2.31.4)."""

    capabilities: int
    guid: bytes
    security_mode: int
    dialects: tuple[int, ...]

    def pack(self) -> bytes:
        """The input."""
        fixed = _QUESTION.pack(self.capabilities, self.guid, self.security_mode, len(self.dialects))
        return fixed + b"".join(dialect.to_bytes(2, "little") for dialect in self.dialects)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        capabilities, guid, mode, count = whole(data, _QUESTION, "VALIDATE_NEGOTIATE_INFO")
        at = _QUESTION.size
        if at + 2 * count > len(data):
            raise MalformedMessage("VALIDATE_NEGOTIATE_INFO", "DialectCount", count)
        dialects = tuple(
            int.from_bytes(data[at + 2 * n : at + 2 * n + 2], "little") for n in range(count)
        )
        return cls(capabilities, guid, mode, dialects)


@dataclass(frozen=True, slots=True)
class ValidateNegotiateInfoResponse:
    """What the server remembers to have negotiated ([MS-SMB2] 2.2.32.6)."""

    capabilities: int
    guid: bytes
    security_mode: int
    dialect: int

    def pack(self) -> bytes:
        """The output."""
        return _ANSWER.pack(self.capabilities, self.guid, self.security_mode, self.dialect)

    @classmethod
    def unpack(cls, data: memoryview) -> Self:
        """Raises MalformedMessage."""
        return cls(*whole(data, _ANSWER, "VALIDATE_NEGOTIATE_INFO"))
