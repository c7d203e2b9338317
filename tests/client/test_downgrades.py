"""Somebody in between talks both sides down, in every way there is: the mount is refused."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import pytest

from smbmount.client.errors import MountRefused
from smbmount.client.settings import Credentials, SigningPolicy
from smbmount.client.share import Share
from smbmount.proto.error_response import ErrorResponse
from smbmount.proto.header import HEADER_SIZE, Command, Header, HeaderFlags
from smbmount.proto.negotiate import (
    Capabilities,
    Dialect,
    EncryptionCapabilities,
    NegotiateRequest,
    NegotiateResponse,
    NetnameNegotiateContext,
    PreauthIntegrityCapabilities,
    SigningCapabilities,
)
from smbmount.proto.status import NtStatus
from tests.lab.proxy import Alter, Proxy
from tests.lab.samba import PASSWORD, SambaServer, pinned

from .between import Outcome, attempt, body_changed, only, poked, proxied

_FLAGS_AT, _SIGNATURE_AT, _SESSION_AT = 16, 48, 40
_SESSION_FLAGS_AT = HEADER_SIZE + 2
_SHARE_FLAGS_AT = HEADER_SIZE + 4
NEGOTIATE, FIRST_SETUP, LAST_SETUP, TREE_CONNECT = range(4)  # frames of either side's


async def _look(share: Share) -> bool:
    return (await share.stat("")).is_directory


# What the proxies stand before. 3.0.2 has no preauthentication hash: there the negotiation is
# asked about again, under signature.
SERVERS: dict[str, dict[str, str]] = {
    "3.1.1": {},
    "3.0.2": pinned("3.0.2"),
    "2.1": pinned("2.1"),
    "sealing": {"server smb encrypt": "required"},
}


@pytest.fixture(scope="module")
def proxies() -> Iterator[dict[str, Proxy]]:
    """A proxy before each of the servers."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(proxied(stack.enter_context(SambaServer(options))))
            for name, options in SERVERS.items()
        }


def _meddled(
    proxy: Proxy,
    *,
    requests: Alter | None = None,
    answers: Alter | None = None,
    **settings: Any,
) -> Outcome:
    # Frames are only counted from the first byte on if both directions are looked at.
    proxy.alter_requests = requests or (lambda _, frame: frame)
    proxy.alter = answers or (lambda _, frame: frame)
    return attempt(proxy, _look, **settings)


def request_with(**changes: Any) -> Alter:
    """The NEGOTIATE request, with fields changed."""

    def change(message: memoryview) -> bytes:
        return replace(NegotiateRequest.unpack(message), **changes).pack()

    return only(NEGOTIATE, body_changed(change))


def answer_with(**changes: Any) -> Alter:
    """The NEGOTIATE answer, with fields changed."""

    def change(message: memoryview) -> bytes:
        return replace(NegotiateResponse.unpack(message), **changes).pack()

    return only(NEGOTIATE, body_changed(change))


def contexts_with(kind: type, *new: Any, request: bool = False) -> Alter:
    """The contexts of one kind replaced by `new` ones, which may be none."""
    message_class: Any = NegotiateRequest if request else NegotiateResponse

    def change(message: memoryview) -> bytes:
        told = message_class.unpack(message)
        rest = tuple(context for context in told.contexts if not isinstance(context, kind))
        changed: bytes = replace(told, contexts=(*rest, *new)).pack()
        return changed

    return only(NEGOTIATE, body_changed(change))


def without(capability: Capabilities, *, request: bool = False) -> Alter:
    """One capability less."""
    message_class: Any = NegotiateRequest if request else NegotiateResponse

    def change(message: memoryview) -> bytes:
        told = message_class.unpack(message)
        changed: bytes = replace(told, capabilities=told.capabilities & ~capability).pack()
        return changed

    return only(NEGOTIATE, body_changed(change))


@pytest.mark.parametrize("server", SERVERS)
def test_whoever_only_passes_messages_on_is_not_noticed(
    server: str, proxies: dict[str, Proxy]
) -> None:
    # The messages are taken apart and packed again, too: what is refused below is the change.
    for alter in (None, request_with()):
        outcome = _meddled(proxies[server], requests=alter, answers=answer_with())
        assert outcome.error is None, outcome
        assert outcome.result is True


_OLDER = (0x0202, 0x0210, 0x0300, 0x0302)
REQUESTS: dict[str, tuple[str, Alter]] = {
    **{
        f"dialects up to {newest:#x} only": (
            "3.1.1",
            request_with(dialects=tuple(d for d in _OLDER if d <= newest), contexts=()),
        )
        for newest in _OLDER
    },
    "no newer dialect than 2.1, to a server of 3.0.2": (
        "3.0.2",
        # It speaks nothing older, so it says no by itself: there is nothing to talk it down to.
        request_with(dialects=(0x0202, 0x0210), contexts=()),
    ),
    "signing neither enabled nor required, 3.1.1": ("3.1.1", request_with(security_mode=0)),
    "signing neither enabled nor required, 3.0.2": ("3.0.2", request_with(security_mode=0)),
    "signing not required, 3.1.1": ("3.1.1", request_with(security_mode=1)),
    "signing not required, 3.0.2": ("3.0.2", request_with(security_mode=1)),
    "no encryption, 3.0.2": ("3.0.2", without(Capabilities.ENCRYPTION, request=True)),
    "no encryption, 3.1.1": ("3.1.1", without(Capabilities.ENCRYPTION, request=True)),
    "no capabilities at all, 3.0.2": ("3.0.2", request_with(capabilities=0)),
    "another client GUID, 3.0.2": ("3.0.2", request_with(client_guid=bytes(16))),
    "another client GUID, 3.1.1": ("3.1.1", request_with(client_guid=bytes(16))),
    "the weakest cipher only": (
        "3.1.1",
        contexts_with(EncryptionCapabilities, EncryptionCapabilities((1,)), request=True),
    ),
    "no cipher": ("3.1.1", contexts_with(EncryptionCapabilities, request=True)),
    "the oldest signing only": (
        "3.1.1",
        contexts_with(SigningCapabilities, SigningCapabilities((0,)), request=True),
    ),
    "no signing algorithms": ("3.1.1", contexts_with(SigningCapabilities, request=True)),
    "another salt": (
        "3.1.1",
        contexts_with(
            PreauthIntegrityCapabilities,
            PreauthIntegrityCapabilities((1,), bytes(32)),
            request=True,
        ),
    ),
    "another hash": (
        "3.1.1",
        contexts_with(
            PreauthIntegrityCapabilities,
            PreauthIntegrityCapabilities((2,), bytes(32)),
            request=True,
        ),
    ),
    "no hash": ("3.1.1", contexts_with(PreauthIntegrityCapabilities, request=True)),
    "another server's name": (
        "3.1.1",
        contexts_with(NetnameNegotiateContext, NetnameNegotiateContext("elsewhere"), request=True),
    ),
}
ANSWERS: dict[str, tuple[str, Alter]] = {
    **{
        f"dialect {dialect:#x}": ("3.1.1", answer_with(dialect=dialect, contexts=()))
        for dialect in (*_OLDER, 0x02FF, 0x0312, 0)
    },
    "dialect 2.1 of a server of 3.0.2": ("3.0.2", answer_with(dialect=0x0210)),
    "dialect 2.0.2 of a server of 2.1": ("2.1", answer_with(dialect=0x0202)),
    "signing neither enabled nor required, 3.1.1": ("3.1.1", answer_with(security_mode=0)),
    "signing neither enabled nor required, 3.0.2": ("3.0.2", answer_with(security_mode=0)),
    "signing neither enabled nor required, 2.1": ("2.1", answer_with(security_mode=0)),
    "no encryption, 3.0.2": ("3.0.2", without(Capabilities.ENCRYPTION)),
    "no large requests, 3.1.1": ("3.1.1", without(Capabilities.LARGE_MTU)),
    "no large requests, 2.1": ("2.1", without(Capabilities.LARGE_MTU)),
    "another server GUID, 3.1.1": ("3.1.1", answer_with(server_guid=bytes(16))),
    "another server GUID, 3.0.2": ("3.0.2", answer_with(server_guid=bytes(16))),
    "smaller sizes, 3.1.1": (
        "3.1.1",
        answer_with(max_read_size=65536, max_write_size=65536, max_transact_size=65536),
    ),
    "sizes of nothing": ("3.1.1", answer_with(max_read_size=0)),
    "another token": ("3.1.1", answer_with(security_buffer=b"")),
    **{
        f"cipher {number}": (
            "3.1.1",
            contexts_with(EncryptionCapabilities, EncryptionCapabilities((number,))),
        )
        for number in (0, 1, 3, 4, 9)
    },
    "no cipher at all": ("3.1.1", contexts_with(EncryptionCapabilities)),
    "two ciphers": (
        "3.1.1",
        contexts_with(EncryptionCapabilities, EncryptionCapabilities((2, 1))),
    ),
    "ciphers twice": (
        "3.1.1",
        contexts_with(
            EncryptionCapabilities, EncryptionCapabilities((2,)), EncryptionCapabilities((2,))
        ),
    ),
    **{
        f"signing algorithm {number}": (
            "3.1.1",
            contexts_with(SigningCapabilities, SigningCapabilities((number,))),
        )
        for number in (0, 1, 9)
    },
    "no signing algorithm": ("3.1.1", contexts_with(SigningCapabilities)),
    "another hash": (
        "3.1.1",
        contexts_with(PreauthIntegrityCapabilities, PreauthIntegrityCapabilities((2,), b"salt")),
    ),
    "another salt": (
        "3.1.1",
        contexts_with(PreauthIntegrityCapabilities, PreauthIntegrityCapabilities((1,), b"salt")),
    ),
    "no hash": ("3.1.1", contexts_with(PreauthIntegrityCapabilities)),
    "a failure": ("3.1.1", only(NEGOTIATE, poked(8, (0xC000_0022).to_bytes(4, "little")))),
    "noise": ("3.1.1", only(NEGOTIATE, poked(HEADER_SIZE, b"\xff" * 64))),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_negotiate_request_was_changed_to_have(kind: str, proxies: dict[str, Proxy]) -> None:
    server, alter = REQUESTS[kind]
    outcome = _meddled(proxies[server], requests=alter)
    assert outcome.refused, outcome


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_negotiate_answer_was_changed_to_have(kind: str, proxies: dict[str, Proxy]) -> None:
    server, alter = ANSWERS[kind]
    outcome = _meddled(proxies[server], answers=alter)
    assert outcome.refused, outcome


def test_encryption_that_was_asked_for_is_never_done_without(proxies: dict[str, Proxy]) -> None:
    for server, alter in (
        ("3.0.2", without(Capabilities.ENCRYPTION)),
        ("3.1.1", contexts_with(EncryptionCapabilities)),
        ("3.1.1", answer_with(dialect=0x0210, contexts=())),
    ):
        outcome = _meddled(proxies[server], answers=alter, seal=True)
        assert outcome.refused, outcome
        assert "encrypt" in str(outcome.error)


@pytest.mark.parametrize("flags", [1, 2, 3, 5], ids=["guest", "null", "both", "guest sealed"])
@pytest.mark.parametrize("server", ["3.1.1", "3.0.2", "2.1"])
def test_a_sign_on_is_not_turned_into_a_guests(
    server: str, flags: int, proxies: dict[str, Proxy]
) -> None:
    alter = only(LAST_SETUP, poked(_SESSION_FLAGS_AT, flags.to_bytes(2, "little")))
    outcome = _meddled(proxies[server], answers=alter)
    assert outcome.refused, outcome
    assert "guest" in str(outcome.error)


@pytest.mark.parametrize("number", [FIRST_SETUP, LAST_SETUP])
@pytest.mark.parametrize("at", [0, 1, 6, 20, 40, 60])
def test_a_token_that_cannot_be_read_is_refused_in_a_sentence(
    number: int, at: int, proxies: dict[str, Proxy]
) -> None:
    alter = only(number, poked(HEADER_SIZE + 8 + at, b"\xff\xff"))
    outcome = _meddled(proxies["3.1.1"], answers=alter)
    assert isinstance(outcome.error, MountRefused), outcome


def test_a_server_that_takes_unknown_users_for_guests_gets_no_mount(
    proxies: dict[str, Proxy],
) -> None:
    stranger = Credentials("nobody-here", PASSWORD)
    outcome = _meddled(proxies["3.1.1"], share="guest", credentials=stranger)
    assert outcome.refused
    assert "as a guest, not as 'nobody-here'" in str(outcome.error)
    asked_for = Credentials(guest=True)
    outcome = _meddled(proxies["3.1.1"], share="guest", credentials=asked_for)
    assert outcome.error is None


def test_a_sessions_demand_for_encryption_cannot_be_taken_away(proxies: dict[str, Proxy]) -> None:
    assert _meddled(proxies["sealing"]).result is True
    alter = only(LAST_SETUP, poked(_SESSION_FLAGS_AT, b"\0\0"))
    outcome = _meddled(proxies["sealing"], answers=alter)
    assert outcome.refused
    assert "signature" in str(outcome.error)


@pytest.mark.parametrize("signing", [SigningPolicy.REQUIRED, SigningPolicy.OFF])
@pytest.mark.parametrize("server", ["3.1.1", "3.0.2"])
def test_a_shares_demand_for_encryption_cannot_be_taken_away(
    server: str, signing: SigningPolicy, proxies: dict[str, Proxy]
) -> None:
    assert _meddled(proxies[server], share="encrypted", signing=signing).result is True
    alter = only(TREE_CONNECT, poked(_SHARE_FLAGS_AT, bytes(4)))
    outcome = _meddled(proxies[server], share="encrypted", answers=alter, signing=signing)
    assert outcome.refused
    assert "signature is wrong" in str(outcome.error)


def _stripped(frame: bytes) -> bytes:
    flags = int.from_bytes(frame[_FLAGS_AT : _FLAGS_AT + 4], "little") & ~HeaderFlags.SIGNED
    bare = poked(_FLAGS_AT, flags.to_bytes(4, "little"))(frame)
    return poked(_SIGNATURE_AT, bytes(16))(bare)


@pytest.mark.parametrize("number", [LAST_SETUP, TREE_CONNECT, 4])
@pytest.mark.parametrize("server", ["3.1.1", "3.0.2", "2.1"])
def test_a_signature_cannot_be_taken_away(
    server: str, number: int, proxies: dict[str, Proxy]
) -> None:
    for change in (_stripped, poked(_SIGNATURE_AT, bytes(16))):
        outcome = _meddled(proxies[server], answers=only(number, change))
        assert outcome.refused, outcome
        assert "signature" in str(outcome.error)


def _in_the_clear(frame: bytes) -> bytes:
    """An answer that could be the server's, had it not been sealed."""
    header = Header(
        Command.TREE_CONNECT,
        message_id=3,
        session_id=int.from_bytes(frame[44:52], "little"),
        flags=HeaderFlags.SERVER_TO_REDIR,
        status=NtStatus.STATUS_ACCESS_DENIED,
        credits=1,
    )
    return header.pack() + ErrorResponse().pack()


def test_a_sealed_answer_cannot_be_replaced_by_a_plain_one(proxies: dict[str, Proxy]) -> None:
    outcome = _meddled(proxies["sealing"], answers=only(TREE_CONNECT, _in_the_clear))
    assert outcome.refused, outcome
    assert "encryption is missing" in str(outcome.error)


@pytest.mark.parametrize("server", ["3.1.1", "3.0.2", "sealing"])
@pytest.mark.parametrize("number", [TREE_CONNECT, 4])
def test_an_earlier_answer_in_place_of_a_later_one_is_refused(
    server: str, number: int, proxies: dict[str, Proxy]
) -> None:
    earlier: dict[int, bytes] = {}

    def replay(at: int, frame: bytes) -> bytes:
        earlier[at] = frame
        return earlier[number - 1] if at == number else frame

    outcome = _meddled(proxies[server], answers=replay)
    assert outcome.refused, outcome


@pytest.mark.parametrize(
    ("what", "change"),
    [
        ("message id", poked(24, b"\x44")),
        ("command", poked(12, b"\x0d")),
        ("session id", poked(_SESSION_AT, b"\x99\x99\x99")),
        ("status", poked(8, (0x103).to_bytes(4, "little"))),
        ("direction", poked(_FLAGS_AT, b"\x08")),
        ("credits", poked(14, b"\xff\xff")),
    ],
)
def test_a_signed_answer_cannot_be_given_another(
    what: str, change: Callable[[bytes], bytes], proxies: dict[str, Proxy]
) -> None:
    outcome = _meddled(proxies["3.1.1"], answers=only(4, change))
    assert outcome.refused, outcome


def test_dialects_are_what_the_older_list_says() -> None:
    assert set(_OLDER) | {0x0311, 0x02FF} == set(map(int, Dialect))
