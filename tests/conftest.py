"""Servers that many tests share."""

import signal
from collections.abc import Iterator

import pytest

from tests.lab.domain import Domain
from tests.lab.samba import SambaServer
from tests.lab.users import PASSWORDS

# A shell has its background jobs ignore Ctrl-C, and their children inherit that: not ours.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def _usual_samba() -> Iterator[SambaServer]:
    with SambaServer() as server:
        yield server


@pytest.fixture(scope="module")
def samba(_usual_samba: SambaServer) -> SambaServer:
    """A Samba with the usual shares, empty at first, and no special options."""
    _usual_samba.empty()
    return _usual_samba


@pytest.fixture(scope="session")
def domain() -> Iterator[Domain]:
    """An Active Directory domain with the users anna and berta; provisioned once a session."""
    with Domain() as controller:
        for name, password in PASSWORDS.items():
            controller.add_user(name, password)
        yield controller
