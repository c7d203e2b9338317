"""Every dialect, cipher and signing algorithm, each the only one a server speaks.

Random bytes go through one mount to the server's disk, and come back through another.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.lab.mounts import mounted
from tests.lab.samba import CIPHERS, DIALECTS, SIGNING, SambaServer, pinned

_SIZE = 64 << 20


@dataclass(frozen=True)
class Pin:
    """What a server is pinned to, and the mount's options that make use of it."""

    dialect: str
    cipher: str | None = None
    signing: str | None = None
    options: tuple[str, ...] = ()

    def __str__(self) -> str:
        return "-".join(filter(None, (self.dialect, self.cipher, self.signing)))


def _pins() -> Iterator[Pin]:
    for dialect in ("2.0.2", "2.1"):
        yield Pin(dialect)
    for dialect in ("3.0", "3.0.2"):
        # They know one of each: AES-CMAC and AES-128-CCM ([MS-SMB2] 3.1.4.1, 3.1.4.3).
        yield Pin(dialect)
        yield Pin(dialect, "aes-128-ccm", options=("seal",))
    for signing in SIGNING:
        yield Pin("3.1.1", signing=signing)
    for cipher in CIPHERS:
        yield Pin("3.1.1", cipher, options=("seal",))


@pytest.mark.parametrize("pin", list(_pins()), ids=str)
def test_bytes_survive_the_way_there_and_back(pin: Pin) -> None:
    content = os.urandom(_SIZE)
    with SambaServer(pinned(pin.dialect, pin.cipher, pin.signing)) as server:
        with mounted(server, "plain", *pin.options) as directory:
            (directory / "random").write_bytes(content)
            _check_pinned(server, pin)
        assert _digest((server.path_of("plain") / "random").read_bytes()) == _digest(content)
        with mounted(server, "plain", *pin.options) as directory:
            assert _digest((directory / "random").read_bytes()) == _digest(content)


def _digest(content: bytes) -> str:
    # Digests, so that a failure shows no megabytes.
    return hashlib.sha256(content).hexdigest()


_DIALECT_NAMES = {"2.0.2": "SMB2_02", "2.1": "SMB2_10", "3.0": "SMB3_00", "3.0.2": "SMB3_02",
                  "3.1.1": "SMB3_11"}  # fmt: skip


def _check_pinned(server: SambaServer, pin: Pin) -> None:
    """The server itself says what the session uses."""
    (session,) = server.smbstatus()["sessions"].values()
    assert session["session_dialect"] == _DIALECT_NAMES[pin.dialect]
    if pin.cipher:
        assert session["encryption"]["cipher"].lower() == pin.cipher
    if pin.signing:
        assert session["signing"]["cipher"].lower() == pin.signing


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_dialect_can_be_asked_for(samba: SambaServer, dialect: str) -> None:
    with mounted(samba, "plain", f"vers={dialect}"):
        (session,) = samba.smbstatus()["sessions"].values()
        assert session["session_dialect"] == _DIALECT_NAMES[dialect]


def test_a_server_that_demands_signing_gets_it() -> None:
    with SambaServer({"server signing": "mandatory"}) as server:
        for policy in ("sign", "sign=auto", "nosign"):
            with mounted(server, "plain", policy) as directory:
                (directory / policy).write_bytes(b"signed")
                (session,) = server.smbstatus()["sessions"].values()
                assert session["signing"]["degree"] in ("full", "partial")


def test_without_signing_the_server_sees_none(samba: SambaServer) -> None:
    with mounted(samba, "plain", "nosign"):
        (session,) = samba.smbstatus()["sessions"].values()
        assert session["signing"]["degree"] in ("none", "partial")


def test_a_server_that_encrypts_all_needs_no_option() -> None:
    with SambaServer({"server smb encrypt": "required"}) as server:
        with mounted(server) as directory:
            (directory / "x").write_bytes(b"sealed")
            (session,) = server.smbstatus()["sessions"].values()
            assert session["encryption"]["degree"] in ("full", "partial")
        assert (server.path_of("plain") / "x").read_bytes() == b"sealed"
