"""The token exchange inside SESSION_SETUP: NTLMv2 in SPNEGO, or nobody at all.

pyspnego does the work. It is imported when the first token is due: a quarter of a second that a
mount without it need not pay.
"""

from typing import TYPE_CHECKING

import trio

from . import anonymous
from .errors import MountRefused
from .settings import Credentials, Mechanism

if TYPE_CHECKING:
    import spnego


class Authenticator:
    """One authentication. `step` until it is `complete`."""

    def __init__(self, credentials: Credentials, host: str) -> None:
        self._credentials = credentials
        self._host = host
        self._context: spnego.ContextProxy | None = None
        self._steps = 0

    @property
    def complete(self) -> bool:
        """True when no further token is wanted."""
        if self._credentials.anonymous:
            return self._steps == 2
        return self._context is not None and self._context.complete

    @property
    def session_key(self) -> bytes:
        """The session key, once complete; empty for nobody."""
        if self._context is None:
            return b""
        return bytes(self._context.session_key)

    async def step(self, token: bytes) -> bytes:
        """Our answer to the server's `token`.

        The first token is NEGOTIATE's, and may be empty. Raises MountRefused.
        """
        self._steps += 1
        if self._credentials.anonymous:
            if self._steps == 1:
                return anonymous.negotiate_token()
            return anonymous.authenticate_token()
        # The library may read files and, for Kerberos, talk to a KDC: not on our loop.
        try:
            return await trio.to_thread.run_sync(self._step, token, abandon_on_cancel=True)
        except MountRefused:
            raise
        except Exception as error:
            # Parsers of tokens meet bytes that anybody may have sent, and are not strict about
            # what they raise: struct.error, ValueError, IndexError.
            raise MountRefused(
                f"signing on to //{self._host} failed: the server's token cannot be read ({error})"
            ) from error

    def _step(self, token: bytes) -> bytes:
        from spnego.exceptions import SpnegoError

        try:
            if self._context is None:
                self._context = _ntlm_context(self._credentials, self._host)
                # The server's first token is a list of mechanisms, a hint; ours stands anyway.
                return self._context.step() or b""
            return self._context.step(token) or b""
        except SpnegoError as error:
            raise MountRefused(f"signing on to //{self._host} failed: {error.message}") from error


def _ntlm_context(credentials: Credentials, host: str) -> "spnego.ContextProxy":
    """NTLMv2 in SPNEGO.

    The library tries any password with Kerberos first, whatever it is meant for: it would ask DNS
    and a KDC of the default realm, and prove the password to whoever answers. A hash is of no use
    there, so it gets the hash.
    """
    import spnego
    from spnego._ntlm_raw.crypto import ntowfv1

    assert credentials.mechanism is Mechanism.NTLM
    user = credentials.username or "guest"
    if credentials.domain:
        user = f"{credentials.domain}\\{user}"
    return spnego.client(
        [spnego.NTLMHash(user, nt_hash=ntowfv1(credentials.password or "").hex())],
        hostname=host,
        service="cifs",
        protocol="negotiate",
        options=spnego.NegotiateOptions.use_negotiate,
    )
