"""Servers that many tests share."""

from collections.abc import Iterator

import pytest

from tests.lab.samba import SambaServer


@pytest.fixture(scope="session")
def samba() -> Iterator[SambaServer]:
    """A Samba with the usual shares and no special options."""
    with SambaServer() as server:
        yield server
