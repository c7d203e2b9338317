"""NEGOTIATE: what both sides can do, and proof that nobody talked us down.

[MS-SMB2] 3.2.4.2.2 and 3.2.5.2. Everything the client offers is in `offer`; everything it
insists on is in `accept`. For 3.1.1 the preauthentication hash protects the outcome; for older
dialects `tree.py` asks again over the signed session (FSCTL_VALIDATE_NEGOTIATE_INFO).
"""

import secrets
import time
from dataclasses import dataclass

from smbmount.proto.filetime import from_unix_ns
from smbmount.proto.keys import PreauthHash
from smbmount.proto.negotiate import (
    Capabilities,
    Cipher,
    Dialect,
    EncryptionCapabilities,
    HashAlgorithm,
    NegotiateContext,
    NegotiateRequest,
    NegotiateResponse,
    NetnameNegotiateContext,
    PosixExtensions,
    PreauthIntegrityCapabilities,
    SecurityMode,
    SigningAlgorithm,
    SigningCapabilities,
)
from smbmount.proto.status import NtStatus, name_of

from .connection import Buffer, Connection
from .errors import MountRefused
from .settings import ConnectionSettings, PosixPolicy, SigningPolicy

_CAPABILITIES = Capabilities.DFS | Capabilities.LARGE_MTU
_CAPABILITIES_3 = (
    _CAPABILITIES
    | Capabilities.LEASING
    | Capabilities.DIRECTORY_LEASING
    | Capabilities.PERSISTENT_HANDLES
    | Capabilities.ENCRYPTION
)
# What an answer may announce at most: Windows and Samba stop at 8 MiB. More would let a server
# choose how much memory one of its answers takes.
_LARGEST_TRANSFER = 8 * 1024 * 1024
_SMALLEST_TRANSFER = 64 * 1024  # 3.3.1.1: no server may offer less


@dataclass(frozen=True, slots=True)
class Negotiated:
    """What was agreed, and the numbers that secure negotiation will ask about again."""

    dialect: Dialect
    offered: NegotiateRequest
    answer: NegotiateResponse
    cipher: Cipher | None
    signing_algorithm: SigningAlgorithm
    preauth: PreauthHash  # over both messages, for 3.1.1
    max_transact: int  # bytes
    max_read: int
    max_write: int
    clock: int = 0  # by how much the server's is ahead of ours, in FILETIME's 100 ns

    @property
    def posix(self) -> bool:
        """True if both sides have the POSIX extensions; a share may be without all the same."""
        return any(isinstance(context, PosixExtensions) for context in self.offered.contexts) and (
            any(isinstance(context, PosixExtensions) for context in self.answer.contexts)
        )

    @property
    def server_requires_signing(self) -> bool:
        """True if the server refuses unsigned sessions."""
        return bool(self.answer.security_mode & SecurityMode.SIGNING_REQUIRED)


def security_mode(settings: ConnectionSettings) -> SecurityMode:
    """The client's SecurityMode, the same in NEGOTIATE and every SESSION_SETUP."""
    if settings.signing is SigningPolicy.REQUIRED:
        return SecurityMode.SIGNING_ENABLED | SecurityMode.SIGNING_REQUIRED
    return SecurityMode.SIGNING_ENABLED


def offer(settings: ConnectionSettings) -> NegotiateRequest:
    """The NEGOTIATE request that `settings` amount to."""
    newest = max(settings.dialects)
    contexts: tuple[NegotiateContext, ...] = ()
    if newest >= Dialect.SMB_3_1_1:
        contexts = (
            PreauthIntegrityCapabilities((HashAlgorithm.SHA_512,), secrets.token_bytes(32)),
            EncryptionCapabilities(settings.ciphers),
            SigningCapabilities(settings.signing_algorithms),
            NetnameNegotiateContext(settings.host),
        )
        if settings.posix is not PosixPolicy.OFF:
            contexts += (PosixExtensions(),)
    return NegotiateRequest(
        dialects=tuple(sorted(settings.dialects)),
        security_mode=security_mode(settings),
        capabilities=_CAPABILITIES_3 if newest >= Dialect.SMB_3_0 else _CAPABILITIES,
        client_guid=settings.client_guid,
        contexts=contexts,
    )


async def negotiate(connection: Connection, settings: ConnectionSettings) -> Negotiated:
    """Agree on a dialect. Raises MountRefused with the reason, or ConnectionLost."""
    request = offer(settings)
    sent: list[bytes] = []

    def keep(parts: object) -> None:
        assert isinstance(parts, list)
        sent.append(b"".join(bytes(part) for part in parts))

    [answer] = await connection.exchange([request], observe=keep)
    if answer.status == NtStatus.STATUS_NOT_SUPPORTED:
        raise MountRefused(
            f"{connection.label} speaks none of the dialects asked for "
            f"({_spoken(settings)}); try another vers="
        )
    if answer.status != NtStatus.STATUS_SUCCESS:
        raise MountRefused(f"{connection.label} refused to negotiate: {name_of(answer.status)}")
    response = NegotiateResponse.unpack(answer.message)
    preauth = PreauthHash().update(sent[0]).update(bytes(answer.message))
    agreed = accept(connection.label, settings, request, response, preauth)
    connection.dialect = agreed.dialect
    connection.multi_credit = agreed.dialect != Dialect.SMB_2_0_2 and bool(
        response.capabilities & Capabilities.LARGE_MTU
    )
    return agreed


def accept(
    label: str,
    settings: ConnectionSettings,
    request: NegotiateRequest,
    response: NegotiateResponse,
    preauth: PreauthHash,
) -> Negotiated:
    """Check the server's choice against the offer (3.2.5.2). Raises MountRefused."""
    if response.dialect not in settings.dialects:
        raise MountRefused(
            f"{label} chose a dialect that was not offered "
            f"({response.dialect:#06x}; offered {_spoken(settings)})"
        )
    dialect = Dialect(response.dialect)
    for field in ("max_transact_size", "max_read_size", "max_write_size"):
        if getattr(response, field) < _SMALLEST_TRANSFER:
            raise MountRefused(f"{label} offers a {field} of {getattr(response, field)} bytes")
    cipher, algorithm = _algorithms(label, settings, dialect, response)
    if settings.seal and cipher is None:
        raise MountRefused(
            f"{label} cannot encrypt (dialect {_dotted(dialect)}); mount without seal"
        )
    multi = dialect != Dialect.SMB_2_0_2 and response.capabilities & Capabilities.LARGE_MTU
    largest = _LARGEST_TRANSFER if multi else 64 * 1024
    now = from_unix_ns(time.time_ns())
    return Negotiated(
        dialect=dialect,
        offered=request,
        answer=response,
        cipher=cipher,
        signing_algorithm=algorithm,
        preauth=preauth,
        max_transact=min(response.max_transact_size, largest),
        max_read=min(response.max_read_size, largest),
        max_write=min(response.max_write_size, largest),
        clock=response.system_time - now if response.system_time else 0,
    )


def _algorithms(
    label: str, settings: ConnectionSettings, dialect: Dialect, response: NegotiateResponse
) -> tuple[Cipher | None, SigningAlgorithm]:
    """Cipher (None if it cannot encrypt) and signing algorithm of the answer."""
    if dialect < Dialect.SMB_3_0:
        return None, SigningAlgorithm.HMAC_SHA256
    if dialect < Dialect.SMB_3_1_1:
        encrypts = response.capabilities & Capabilities.ENCRYPTION
        usable = encrypts and Cipher.AES_128_CCM in settings.ciphers
        return Cipher.AES_128_CCM if usable else None, SigningAlgorithm.AES_CMAC
    cipher: Cipher | None = None
    algorithm = SigningAlgorithm.AES_CMAC  # what 3.1.1 signs with when nothing was agreed
    hashed = 0
    seen: set[type[NegotiateContext]] = set()
    for context in response.contexts:
        if isinstance(context, PreauthIntegrityCapabilities):
            if tuple(context.hash_algorithms) != (HashAlgorithm.SHA_512,):
                raise MountRefused(f"{label} chose a preauthentication hash that was not offered")
            hashed += 1
        elif isinstance(context, EncryptionCapabilities):
            if len(context.ciphers) != 1:
                raise MountRefused(f"{label} chose {len(context.ciphers)} ciphers, not one")
            chosen = context.ciphers[0]
            if chosen and chosen not in settings.ciphers:
                raise MountRefused(f"{label} chose a cipher that was not offered ({chosen})")
            cipher = Cipher(chosen) if chosen else None
        elif isinstance(context, SigningCapabilities):
            if len(context.algorithms) != 1:
                raise MountRefused(f"{label} chose several signing algorithms, not one")
            if context.algorithms[0] not in settings.signing_algorithms:
                raise MountRefused(f"{label} chose a signing algorithm that was not offered")
            algorithm = SigningAlgorithm(context.algorithms[0])
        else:
            continue
        if type(context) in seen:
            raise MountRefused(f"{label} answered the same negotiate context twice")
        seen.add(type(context))
    if not hashed:
        raise MountRefused(f"{label} negotiated 3.1.1 without preauthentication integrity")
    if SigningCapabilities not in seen and algorithm not in settings.signing_algorithms:
        raise MountRefused(f"{label} signs with AES-CMAC only, which these options exclude")
    return cipher, algorithm


def _dotted(dialect: Dialect) -> str:
    return dialect.name.removeprefix("SMB_").replace("_", ".")


def _spoken(settings: ConnectionSettings) -> str:
    return ", ".join(_dotted(dialect) for dialect in sorted(settings.dialects))


__all__ = ["Buffer", "Negotiated", "accept", "negotiate", "offer", "security_mode"]
