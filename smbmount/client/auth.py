"""The token exchange inside SESSION_SETUP: Kerberos or NTLMv2 in SPNEGO, or nobody at all.

pyspnego does NTLM, MIT's library Kerberos. Each is imported when the first token is due: a quarter
of a second that a mount without it need not pay.
"""

import errno
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

import trio

from . import anonymous
from .errors import MountRefused
from .kerberos import KerberosContext
from .settings import Credentials, Mechanism

if TYPE_CHECKING:
    import spnego

_log = logging.getLogger(__name__)

_KDC_PATIENCE = 8.0  # seconds; less than a mount's connect time-out, so that the KDC gets the blame


class Authenticator:
    """One authentication. `step` until it is `complete`."""

    def __init__(self, credentials: Credentials, host: str) -> None:
        self._credentials = credentials
        self._host = host
        self._context: spnego.ContextProxy | None = None
        self._kerberos: KerberosContext | None = None
        self._steps = 0

    @property
    def principal(self) -> str:
        """Whom Kerberos signs on; empty without Kerberos, or before the first step."""
        return self._kerberos.principal if self._kerberos is not None else ""

    @property
    def complete(self) -> bool:
        """True when no further token is wanted."""
        if self._credentials.anonymous:
            return self._steps == 2
        if self._kerberos is not None:
            return self._kerberos.complete
        return self._context is not None and self._context.complete

    @property
    def session_key(self) -> bytes:
        """The session key, once complete; empty for nobody."""
        if self._kerberos is not None:
            return self._kerberos.session_key
        if self._context is None:
            return b""
        return bytes(self._context.session_key)

    def require_proof(self) -> None:
        """The server says that all is well: Kerberos has it prove who it is first.

        Raises MountRefused.
        """
        if self._kerberos is not None and not self._kerberos.complete:
            raise MountRefused(
                f"//{self._host} let us in without proving by Kerberos who it is; somebody may "
                "be in between"
            )

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
            with trio.fail_after(_KDC_PATIENCE):
                return await trio.to_thread.run_sync(self._step, token, abandon_on_cancel=True)
        except MountRefused:
            raise
        except trio.TooSlowError as error:
            raise MountRefused(
                f"signing on to //{self._host} failed: no KDC answered within "
                f"{_KDC_PATIENCE:g} s; is the network between, and is /etc/krb5.conf right?",
                errno.EKEYEXPIRED,
            ) from error
        except Exception as error:
            # Parsers of tokens meet bytes that anybody may have sent, and are not strict about
            # what they raise: struct.error, ValueError, IndexError.
            raise MountRefused(
                f"signing on to //{self._host} failed: the server's token cannot be read ({error})"
            ) from error

    def _step(self, token: bytes) -> bytes:
        if self._steps == 1:
            first = self._first_kerberos_token()
            if first is not None:
                return first
        elif self._kerberos is not None:
            return self._kerberos.step(token)
        return self._ntlm_step(token)

    def _first_kerberos_token(self) -> bytes | None:
        """None if NTLM is the way to go."""
        known = self._credentials
        if known.mechanism is Mechanism.NTLM:
            return None
        falls_back = known.mechanism is Mechanism.NEGOTIATE and known.password is not None
        # A password that NTLM may need is no reason to ask a KDC: a ticket or a key is.
        tried = replace(known, password=None, username="") if falls_back else known
        kerberos = KerberosContext(tried, self._host)
        try:
            token = kerberos.start()
        except MountRefused as error:
            if not falls_back:
                raise
            _log.info("//%s: NTLM instead of Kerberos: %s", self._host, error)
            return None
        self._kerberos = kerberos
        return token

    def _ntlm_step(self, token: bytes) -> bytes:
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

    assert credentials.mechanism in (Mechanism.NTLM, Mechanism.NEGOTIATE)
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
