"""SMB2 ECHO: [MS-SMB2] 2.2.28, 2.2.29. CANCEL, which has no answer: 2.2.30."""

from dataclasses import dataclass
from typing import ClassVar

from .header import Command
from .layout import EmptyBody


@dataclass(frozen=True, slots=True)
class EchoRequest(EmptyBody):
    """Is anybody there?"""

    COMMAND: ClassVar[Command] = Command.ECHO
    payload_size: ClassVar[int] = 0


@dataclass(frozen=True, slots=True)
class EchoResponse(EmptyBody):
    """Somebody is."""


@dataclass(frozen=True, slots=True)
class CancelRequest(EmptyBody):
    """Stop working on the request whose message id or async id the header has."""

    COMMAND: ClassVar[Command] = Command.CANCEL
    payload_size: ClassVar[int] = 0
