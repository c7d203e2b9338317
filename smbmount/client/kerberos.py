"""Kerberos: where the ticket comes from, the GSS-API exchange, and what its errors mean.

MIT's libraries do the work (RFC 4120, RFC 4121); SPNEGO around it is ours. Everything here blocks,
on files and on the KDC: call it in a thread. The libraries are imported when first used, so that
a mount without Kerberos pays nothing.
"""

import errno
import logging
import os
import time
from typing import TYPE_CHECKING

from smbmount.proto.errors import MalformedMessage
from smbmount.proto.spnego import NegState, NegTokenResp, first_token, mechanism_list

from .errors import MountRefused
from .settings import Credentials

if TYPE_CHECKING:
    import gssapi
    import krb5

_log = logging.getLogger(__name__)

_MECHANISM = "1.2.840.113554.1.2.2"
_SESSION_KEY = "1.2.840.113554.1.2.2.5.5"  # GSS_C_INQ_SSPI_SESSION_KEY

# Numbers of MIT's error tables (krb5_err.et), of which the first is the base.
_BASE = -1765328384
_UNKNOWN_USER = _BASE + 6
_UNKNOWN_SERVICE = _BASE + 7
_NO_COMMON_TYPE = _BASE + 14
_REVOKED = _BASE + 18
_PASSWORD_EXPIRED = _BASE + 23
_WRONG_PASSWORD = _BASE + 24
_BAD_INTEGRITY = _BASE + 31
_TICKET_EXPIRED = _BASE + 32
_NOT_YET_VALID = _BASE + 33
_SKEW = _BASE + 37
_WRONG_KEY = _BASE + 41
_BAD_CONFIGURATION = _BASE + 136
_NO_REALM_KDC = _BASE + 154
_KDC_SILENT = _BASE + 156
_NO_DEFAULT_REALM = _BASE + 224
_PREAUTH_FAILED = _BASE + 210  # also of an empty password
_REALM_UNRESOLVED = _BASE + 220


class NoTicket(MountRefused):
    """There is no usable ticket; the sentence says where was looked."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence, errno.EKEYEXPIRED)


class KerberosContext:
    """One Kerberos sign-on to one server, in SPNEGO."""

    def __init__(self, credentials: Credentials, host: str) -> None:
        self._credentials = credentials
        self._host = host
        self._service = credentials.spn or f"cifs/{host}"
        self._memory: tuple[krb5.Context, krb5.CCache] | None = None
        self._context: gssapi.SecurityContext | None = None
        self._finished = False  # the server said so
        self.principal = ""  # who signs on, once `start` has found out

    @property
    def complete(self) -> bool:
        """True when both sides have proved themselves."""
        return self._finished and self._context is not None and self._context.complete

    @property
    def session_key(self) -> bytes:
        """The key that both sides share: the acceptor's subkey, 16 or 32 bytes. Not truncated."""
        import gssapi

        assert self._context is not None
        found = gssapi.raw.inquire_sec_context_by_oid(
            self._context, gssapi.OID.from_int_seq(_SESSION_KEY)
        )
        return bytes(found[0])

    def start(self) -> bytes:
        """Get a ticket for the server; the first token. Raises MountRefused."""
        import gssapi
        import krb5

        try:
            mechanism = gssapi.OID.from_int_seq(_MECHANISM)
            cache = self._cache()
            granted = gssapi.raw.acquire_cred_from(
                {b"ccache": cache}, mechs=[mechanism], usage="initiate"
            ).creds
            flags = gssapi.RequirementFlag
            self._context = gssapi.SecurityContext(
                name=self._target(),
                creds=gssapi.Credentials(base=granted, usage="initiate"),
                mech=mechanism,
                flags=flags.mutual_authentication | flags.integrity | flags.replay_detection,
                usage="initiate",
            )
            return first_token(self._context.step() or b"")
        except gssapi.raw.misc.GSSError as error:
            raise self._explained(error.min_code, str(error)) from error
        except krb5.Krb5Error as error:
            raise self._explained(error.err_code, str(error)) from error
        finally:
            if self._memory is not None:
                krb5.cc_destroy(*self._memory)
                self._memory = None

    def step(self, token: bytes) -> bytes:
        """Our answer to the server's token; empty if nothing is left to say.

        Raises MountRefused.
        """
        import gssapi

        assert self._context is not None
        try:
            told = NegTokenResp.unpack(token)
        except MalformedMessage as error:
            raise MountRefused(
                f"signing on to //{self._host} failed: its answer makes no sense ({error})"
            ) from error
        if not told.is_kerberos or (told.state is NegState.REJECT and not told.token):
            raise MountRefused(
                f"//{self._host} does not accept Kerberos; sign on with a password "
                "(sec=ntlmssp), or ask its administrator",
                errno.EACCES,
            )
        try:
            answer = b""
            if told.token and not self._context.complete:
                answer = self._context.step(told.token) or b""
            checksum = b""
            if told.checksum:
                self._context.verify_signature(mechanism_list(), told.checksum)
            if self._context.complete and (
                told.state is NegState.REQUEST_MIC
                or (told.checksum and told.state is not NegState.ACCEPT_COMPLETED)
            ):
                checksum = self._context.get_signature(mechanism_list())
        except gssapi.raw.misc.GSSError as error:
            raise self._explained(error.min_code, str(error)) from error
        self._finished = told.state in (NegState.ACCEPT_COMPLETED, None)
        if not answer and not checksum:
            return b""
        return NegTokenResp(token=answer, checksum=checksum).pack()

    # -- tickets ------------------------------------------------------------------------

    def _target(self) -> "gssapi.Name":
        import gssapi

        service, _, host = self._service.partition("/")
        if "@" in host:
            return gssapi.Name(self._service, gssapi.NameType.kerberos_principal)
        return gssapi.Name(f"{service}@{host}", gssapi.NameType.hostbased_service)

    def _cache(self) -> bytes:
        """The name of the credential cache to sign on with, filled if that is ours to do."""
        import krb5

        context = krb5.init_context()
        known = self._credentials
        if known.keytab is None and known.password is None:
            found, self.principal = find_ticket(known)
            return found
        principal = _principal(context, known)
        options = krb5.get_init_creds_opt_alloc(context)
        krb5.get_init_creds_opt_set_canonicalize(options, True)
        if known.keytab is not None:
            keytab, principal = self._key(context, known.keytab, principal)
            self.principal = str(principal)
            ticket = krb5.get_init_creds_keytab(context, principal, options, keytab=keytab)
        else:
            assert principal is not None
            self.principal = str(principal)
            ticket = krb5.get_init_creds_password(
                context, principal, options, password=(known.password or "").encode()
            )
        cache = krb5.cc_new_unique(context, b"MEMORY")
        krb5.cc_initialize(context, cache, ticket.client)
        krb5.cc_store_cred(context, cache, ticket)
        self._memory = (context, cache)
        return b"MEMORY:" + (cache.name or b"")

    def _key(
        self, context: "krb5.Context", path: str, wanted: "krb5.Principal | None"
    ) -> "tuple[krb5.KeyTab, krb5.Principal]":
        """The keytab, and the user in it: the one asked for, or the first."""
        import krb5

        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise NoTicket(f"the keytab {path} cannot be read: {error.strerror}") from error
        keytab = krb5.kt_resolve(context, b"FILE:" + os.fsencode(path))
        try:
            names = {str(entry.principal): None for entry in keytab}
        except krb5.Krb5Error as error:
            raise NoTicket(f"{path} is not a keytab, or a damaged one") from error
        if wanted is None and names:
            return keytab, krb5.parse_name_flags(context, next(iter(names)).encode())
        if wanted is None or str(wanted) not in names:
            there = ", ".join(names) or "nothing"
            raise NoTicket(
                f"the keytab {path} has no key of {wanted or 'anybody'}; it holds {there}"
            )
        return keytab, wanted

    # -- errors -------------------------------------------------------------------------

    def _explained(self, code: int, text: str) -> MountRefused:
        """One of MIT's errors as a sentence for a person."""
        code = code - (1 << 32) if code >= 1 << 31 else code
        who = self.principal or "you"
        realm = who.rpartition("@")[2] if "@" in who else "the default realm"
        keytab = self._credentials.keytab
        sentence = {
            _UNKNOWN_USER: f"the KDC does not know {who}; check the user name and the realm",
            _UNKNOWN_SERVICE: f"the KDC knows no service {self._service}; use the server's full "
            "name in its domain, or name its service with spn=",
            _NO_COMMON_TYPE: "the KDC and this machine have no encryption type in common",
            _REVOKED: f"the account {who} is disabled or locked; ask its administrator",
            _PASSWORD_EXPIRED: f"the password of {who} has expired; change it and try again",
            _WRONG_PASSWORD: f"the password of {who} is wrong"
            if keytab is None
            else f"the key of {who} in the keytab {keytab} is no longer right; export it anew",
            _TICKET_EXPIRED: f"the Kerberos ticket of {who} has expired; run kinit and try again",
            _NOT_YET_VALID: "the ticket is not valid yet; is this machine's clock right?",
            _SKEW: "the clocks of this machine and of the KDC or server differ too much; "
            "set this machine's clock, by NTP for instance",
            _WRONG_KEY: f"the server cannot read a ticket for {self._service}: it is another's "
            "name, or the server's key has changed; spn= names its service",
            _KDC_SILENT: f"no KDC of {realm} can be reached; is the network between, and is "
            "/etc/krb5.conf right?",
            _NO_DEFAULT_REALM: "no realm is known; give username=NAME@REALM, or a default_realm "
            "in /etc/krb5.conf",
            _BAD_CONFIGURATION: "/etc/krb5.conf, or the file that KRB5_CONFIG names, cannot be "
            "understood",
        }
        sentence[_BAD_INTEGRITY] = sentence[_PREAUTH_FAILED] = sentence[_WRONG_PASSWORD]
        for number in (_NO_REALM_KDC, _REALM_UNRESOLVED):
            sentence[number] = (
                f"no KDC of {realm} is known; /etc/krb5.conf or DNS must say where one is"
            )
        said = sentence.get(code, text)
        gone = code in (_TICKET_EXPIRED, _KDC_SILENT)
        return MountRefused(
            f"signing on to //{self._host} with Kerberos failed: {said}",
            errno.EKEYEXPIRED if gone else errno.EACCES,
        )


def _principal(context: "krb5.Context", credentials: Credentials) -> "krb5.Principal | None":
    """The user by name; None if no name was given. A domain with a dot in it is a realm."""
    import krb5

    name = credentials.username
    if not name:
        return None
    if "@" not in name and "." in credentials.domain:
        name = f"{name}@{credentials.domain.upper()}"
    return krb5.parse_name_flags(context, name.encode())


def find_ticket(credentials: Credentials) -> tuple[bytes, str]:
    """The name of the cache with the user's tickets, and whose they are.

    Raises NoTicket if there is none, or if it has expired.
    """
    import krb5

    context = krb5.init_context()
    try:
        wanted = _principal(context, credentials)
        cache = _open_cache(context, credentials, wanted)
        where = (cache.cache_type or b"FILE") + b":" + (cache.name or b"")
        owner = str(krb5.cc_get_principal(context, cache))
        ends = [
            ticket.times.endtime for ticket in cache if str(ticket.server).startswith("krbtgt/")
        ]
    except krb5.Krb5Error as error:
        place = credentials.ccache or os.environ.get("KRB5CCNAME") or "the default cache"
        raise NoTicket(
            f"there is no Kerberos ticket in {place}; run kinit, or give a keytab (keytab=FILE)"
        ) from error
    if wanted is not None and str(wanted) != owner:
        raise NoTicket(f"the Kerberos ticket in {where.decode()} is {owner}'s, not {wanted}'s")
    if ends and max(ends) <= time.time():
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(max(ends)))
        raise NoTicket(
            f"the Kerberos ticket of {owner} has expired ({at}); run kinit and try again"
        )
    return where, owner


def _open_cache(
    context: "krb5.Context", credentials: Credentials, wanted: "krb5.Principal | None"
) -> "krb5.CCache":
    import krb5

    if credentials.ccache is not None:
        return krb5.cc_resolve(context, os.fsencode(credentials.ccache))
    if wanted is not None:
        try:
            return krb5.cc_cache_match(context, wanted)
        except krb5.Krb5Error:
            pass  # the default one says whose it is instead
    return krb5.cc_default(context)
