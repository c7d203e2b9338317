"""A session: signing on, staying so, and the keys ([MS-SMB2] 3.2.4.2.3, 3.2.5.3)."""

import logging
from collections.abc import Sequence

import trio

from smbmount.proto.header import Command
from smbmount.proto.keys import PreauthHash, derive_keys
from smbmount.proto.negotiate import Capabilities, Dialect
from smbmount.proto.sealing import Sealer
from smbmount.proto.session import (
    LogoffRequest,
    SessionFlags,
    SessionSetupRequest,
    SessionSetupResponse,
)
from smbmount.proto.signing import Signer
from smbmount.proto.status import NtStatus, name_of

from .auth import Authenticator
from .connection import Answer, Buffer, Connection, Security
from .errors import ClientError, MountRefused
from .negotiation import Negotiated, security_mode
from .settings import ConnectionSettings, Credentials, SigningPolicy

_log = logging.getLogger(__name__)

_MOST_LEGS = 16  # an authentication that takes more round trips than this never ends
# What refusals mean to a person. The name of the status follows the sentence.
_REFUSALS = {
    NtStatus.STATUS_LOGON_FAILURE: "the user name or password is wrong",
    NtStatus.STATUS_WRONG_PASSWORD: "the password is wrong",
    NtStatus.STATUS_NO_SUCH_USER: "the server does not know this user",
    NtStatus.STATUS_ACCOUNT_LOCKED_OUT: "the account is locked; ask its administrator",
    NtStatus.STATUS_ACCOUNT_DISABLED: "the account is disabled; ask its administrator",
    NtStatus.STATUS_ACCOUNT_EXPIRED: "the account has expired; ask its administrator",
    NtStatus.STATUS_ACCOUNT_RESTRICTION: "the account may not sign on like this "
    "(an empty password, perhaps, or a policy)",
    NtStatus.STATUS_PASSWORD_EXPIRED: "the password has expired; change it and try again",
    NtStatus.STATUS_PASSWORD_MUST_CHANGE: "the password must be changed before the first use",
    NtStatus.STATUS_INVALID_LOGON_HOURS: "the account may not sign on at this time of day",
    NtStatus.STATUS_INVALID_WORKSTATION: "the account may not sign on from this computer",
    NtStatus.STATUS_LOGON_TYPE_NOT_GRANTED: "the account may not sign on over the network",
    NtStatus.STATUS_ACCESS_DENIED: "access is denied; a user name and password may be needed",
    NtStatus.STATUS_NO_LOGON_SERVERS: "the server cannot reach its domain controller",
    NtStatus.STATUS_TRUSTED_RELATIONSHIP_FAILURE: "the server's trust in its domain is broken",
    NtStatus.STATUS_TIME_DIFFERENCE_AT_DC: "the clocks of client and server differ too much",
    NtStatus.STATUS_MORE_PROCESSING_REQUIRED: "the sign-on never came to an end",
    NtStatus.STATUS_REQUEST_NOT_ACCEPTED: "the server has no room for another session",
    NtStatus.STATUS_INSUFF_SERVER_RESOURCES: "the server has no room for another session",
}


class Session:
    """An authenticated session on one connection."""

    def __init__(
        self,
        connection: Connection,
        negotiated: Negotiated,
        settings: ConnectionSettings,
        credentials: Credentials,
    ) -> None:
        self.connection = connection
        self.negotiated = negotiated
        self.security = Security(0)
        self.guest = False  # also true of an anonymous session: neither has a key
        self._settings = settings
        self._credentials = credentials
        self._renewal = trio.Lock()
        self._generation = 0  # how often the session was renewed
        self._previous_session_id = 0
        self._principal = ""  # whom Kerberos signed on

    def __repr__(self) -> str:
        return f"<Session {self.security.session_id:#x} at {self.connection.label}>"

    @property
    def who(self) -> str:
        """Whom the session speaks for, in words for a message."""
        if self._credentials.anonymous:
            return "anonymously"
        if self._principal:
            return f"as {self._principal}"
        name = self._credentials.username or ("guest" if self._credentials.guest else "")
        return f"as {name!r}" if name else "with the Kerberos ticket"

    async def sign_on(self) -> None:
        """Authenticate. Raises MountRefused with the reason for a person."""
        security = Security(0)
        preauth = self.negotiated.preauth
        auth = Authenticator(self._credentials, self._settings.host)
        answer, preauth = await self._authenticate(auth, security, preauth)
        response = SessionSetupResponse.unpack(answer.message)
        # Samba does not flag an anonymous session, but nobody has no key there either.
        self.guest = self._credentials.anonymous or bool(
            response.session_flags & (SessionFlags.IS_GUEST | SessionFlags.IS_NULL)
        )
        self._refuse_unwanted_guest(response)
        if not self.guest:
            self._arm(security, auth.session_key, preauth, response, answer)
        elif self._settings.seal:
            raise MountRefused(
                f"{self.connection.label} signed us on as a guest, and a guest's session "
                "cannot be encrypted; mount without seal or as a user"
            )
        self.security = security
        self.connection.adopt(security)

    async def renew(self, seen: int) -> None:
        """Authenticate again on the same session: it expired (3.2.5.1.6).

        `seen` is the `generation` of the request that failed: if another request has
        renewed the session since, there is nothing to do. Open files stay open.
        """
        async with self._renewal:
            if self._generation != seen:
                return
            _log.info("%s: the session expired; signing on again", self.connection.label)
            auth = Authenticator(self._credentials, self._settings.host)
            answer, _ = await self._authenticate(auth, self.security, self.negotiated.preauth)
            response = SessionSetupResponse.unpack(answer.message)
            if not self.guest and response.session_flags & (
                SessionFlags.IS_GUEST | SessionFlags.IS_NULL
            ):
                raise MountRefused(f"{self.connection.label} renewed the session as a guest's")
            # The keys stay those of the first sign-on (3.2.5.3.2).
            self._generation += 1

    @property
    def generation(self) -> int:
        """How often the session was renewed."""
        return self._generation

    async def _authenticate(
        self, auth: Authenticator, security: Security, preauth: PreauthHash
    ) -> tuple[Answer, PreauthHash]:
        """The token exchange. Returns the last answer and the hash before it."""

        def hash_request(parts: Sequence[Buffer]) -> None:
            nonlocal preauth
            for part in parts:
                preauth_parts.append(bytes(part))

        preauth_parts: list[bytes] = []
        token = await auth.step(self.negotiated.answer.security_buffer)
        self._principal = auth.principal
        for _ in range(_MOST_LEGS):
            request = SessionSetupRequest(
                security_buffer=token,
                security_mode=security_mode(self._settings),
                capabilities=Capabilities.DFS,
                previous_session_id=self._previous_session_id,
            )
            preauth_parts.clear()
            [answer] = await self.connection.exchange(
                [request], security=security, observe=hash_request
            )
            preauth = preauth.update(b"".join(preauth_parts))
            if answer.status == NtStatus.STATUS_SUCCESS:
                response = SessionSetupResponse.unpack(answer.message)
                security.session_id = answer.header.session_id
                if response.security_buffer and not auth.complete:
                    await auth.step(bytes(response.security_buffer))
                auth.require_proof()
                return answer, preauth
            if answer.status != NtStatus.STATUS_MORE_PROCESSING_REQUIRED:
                raise self._refusal(answer.status)
            preauth = preauth.update(bytes(answer.message))
            security.session_id = answer.header.session_id
            response = SessionSetupResponse.unpack(answer.message)
            token = await auth.step(bytes(response.security_buffer))
        raise self._refusal(NtStatus.STATUS_MORE_PROCESSING_REQUIRED)

    def _refusal(self, status: int) -> MountRefused:
        reason = _REFUSALS.get(status)  # type: ignore[call-overload]  # an int finds its member
        label = self.connection.label
        if reason is None:
            return MountRefused(f"signing on to {label} {self.who} failed: {name_of(status)}")
        return MountRefused(
            f"signing on to {label} {self.who} failed: {reason} ({name_of(status)})"
        )

    def _refuse_unwanted_guest(self, response: SessionSetupResponse) -> None:
        """A guest session where a user's was asked for is a downgrade: no key, no signing."""
        if response.session_flags & SessionFlags.IS_NULL and self._credentials.anonymous:
            return
        if self.guest and not (self._credentials.guest or self._credentials.anonymous):
            raise MountRefused(
                f"{self.connection.label} signed us on as a guest, not {self.who}: the user may "
                "be unknown there; use the guest option if a guest's rights are enough"
            )

    def _arm(
        self,
        security: Security,
        session_key: bytes,
        preauth: PreauthHash,
        response: SessionSetupResponse,
        last: Answer,
    ) -> None:
        """Derive the keys, check the server's proof of having them, and set the rules."""
        agreed = self.negotiated
        keys = derive_keys(agreed.dialect, session_key, preauth.digest, agreed.cipher)
        security.signer = Signer(agreed.signing_algorithm, keys.signing)
        if agreed.cipher is not None:
            security.sealer = Sealer(
                agreed.cipher, keys.encryption, keys.decryption, security.session_id
            )
        security.sign = (
            self._settings.signing is SigningPolicy.REQUIRED or agreed.server_requires_signing
        )
        # The last answer is signed with the new key: for 3.1.1 that is the proof that nobody
        # changed a byte since NEGOTIATE.
        proof_is_due = security.sign or agreed.dialect >= Dialect.SMB_3_1_1
        if proof_is_due and not security.signer.verify(last.message):
            raise MountRefused(
                f"{self.connection.label} could not prove that it knows the password: the "
                "signature of its answer is wrong or missing; somebody may be in between"
            )
        wanted = bool(response.session_flags & SessionFlags.ENCRYPT_DATA)
        if (wanted or self._settings.seal) and security.sealer is None:
            raise MountRefused(
                f"{self.connection.label} demands encryption, but none could be agreed on"
            )
        security.seal = wanted or self._settings.seal

    async def log_off(self) -> None:
        """LOGOFF; a server that is gone already is no error."""
        try:
            await self.connection.exchange([LogoffRequest()], security=self.security)
        except ClientError as error:
            _log.debug("%s: %s not answered: %s", self.connection.label, Command.LOGOFF.name, error)
        finally:
            self.connection.disown(self.security.session_id)
