"""Signing on with Kerberos, against a domain controller's own file service."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.lab.domain import Domain
from tests.lab.mounts import is_mounted, mount, mounted
from tests.lab.users import ANNA, BERTA, PASSWORDS

_MIB = bytes(range(256)) * 4096


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "mnt"
    directory.mkdir()
    return directory


@pytest.fixture
def cache(domain: Domain, tmp_path: Path) -> Path:
    path = tmp_path / "tickets"
    domain.kinit(ANNA, PASSWORDS[ANNA], path)
    return path


@pytest.fixture
def keytab(domain: Domain, tmp_path: Path) -> Path:
    path = tmp_path / "keytab"
    domain.export_keytab(path, f"{ANNA}@{domain.realm}")
    return path


def refusal(
    domain: Domain,
    place: Path,
    *options: str,
    environment: dict[str, str],
    password: str | None = None,
    prefix: Sequence[str] = (),
    host: str | None = None,
) -> str:
    """The sentence with which a mount is refused."""
    done = mount(
        f"//{host or domain.host}/plain", place, [f"ip={domain.address}", *options],
        password=password, environment=environment, prefix=prefix,
    )  # fmt: skip
    assert done.returncode == 32, done
    (line,) = done.stderr.splitlines()
    print(line)
    assert not password or password not in line
    assert not is_mounted(place)
    return line.removeprefix("smbmount: ")


@pytest.mark.parametrize("how", ["sec=krb5", "sec=krb5i", "sec=negotiate"])
@pytest.mark.parametrize("protection", ["sign", "seal"])
def test_a_ticket_is_enough(domain: Domain, cache: Path, how: str, protection: str) -> None:
    with mounted(
        domain, "plain", how, protection, "vers=3.1.1", f"ip={domain.address}",
        address=domain.host, user=None, password=None, environment=domain.environment(cache),
    ) as at:  # fmt: skip
        (at / "by-ticket").write_bytes(_MIB)
        assert (domain.path_of("plain") / "by-ticket").read_bytes() == _MIB
        assert (at / "by-ticket").read_bytes() == _MIB


@pytest.mark.parametrize("cipher", ["AES-128-GCM", "AES-256-GCM", "AES-256-CCM"])
def test_the_whole_key_goes_into_each_cipher(domain: Domain, cache: Path, cipher: str) -> None:
    domain.stop()
    domain.configure({"server smb3 encryption algorithms": cipher})
    domain.start()
    try:
        with mounted(
            domain, "encrypted", "sec=krb5", f"ip={domain.address}",
            address=domain.host, user=None, password=None, environment=domain.environment(cache),
        ) as at:  # fmt: skip
            (at / "x").write_bytes(_MIB)
            assert (domain.path_of("encrypted") / "x").read_bytes() == _MIB
    finally:
        domain.stop()
        domain.configure({})
        domain.start()


@pytest.mark.parametrize("name", [[], [f"username={ANNA}"]])
def test_a_keytab_is_enough(domain: Domain, keytab: Path, name: list[str]) -> None:
    with mounted(
        domain, "plain", "sec=krb5", f"keytab={keytab}", "seal", f"ip={domain.address}", *name,
        address=domain.host, user=None, password=None, environment=domain.environment(),
    ) as at:  # fmt: skip
        (at / "by-keytab").write_bytes(_MIB)
        assert (domain.path_of("plain") / "by-keytab").read_bytes() == _MIB


def test_a_password_is_enough(domain: Domain) -> None:
    with mounted(
        domain, "plain", "sec=krb5", "seal", f"ip={domain.address}",
        address=domain.host, user=BERTA, password=PASSWORDS[BERTA],
        environment=domain.environment(),
    ) as at:  # fmt: skip
        (at / "by-password").write_bytes(_MIB)
        assert (domain.path_of("plain") / "by-password").read_bytes() == _MIB


def test_negotiate_takes_the_password_where_there_is_no_ticket(domain: Domain) -> None:
    with mounted(
        domain, "plain", "sec=negotiate", f"ip={domain.address}",
        address=domain.host, user=BERTA, password=PASSWORDS[BERTA],
        environment=domain.environment(),
    ) as at:  # fmt: skip
        (at / "by-ntlm").write_text("x")


def test_another_users_cache_is_used_if_it_is_theirs(
    domain: Domain, cache: Path, place: Path
) -> None:
    uid = 54321
    theirs = Path(f"/tmp/krb5cc_{uid}")
    theirs.write_bytes(cache.read_bytes())
    try:
        os.chown(theirs, uid, uid)
        options = ["sec=krb5", f"cruid={uid}", f"ip={domain.address}"]
        with mounted(
            domain, "plain", *options,
            address=domain.host, user=None, password=None, environment=domain.environment(),
        ) as at:  # fmt: skip
            (at / "by-cruid").write_text("x")
        os.chown(theirs, uid + 1, uid)
        said = refusal(domain, place, *options[:2], environment=domain.environment())
        assert f"belongs to user id {uid + 1}, not {uid}" in said
    finally:
        theirs.unlink()


def test_a_service_may_be_named(domain: Domain, cache: Path, place: Path) -> None:
    environment = domain.environment(cache)
    with mounted(
        domain, "plain", "sec=krb5", f"spn=cifs/{domain.host}",
        user=None, password=None, environment=environment,
    ) as at:  # fmt: skip
        (at / "by-spn").write_text("x")


def test_no_ticket(domain: Domain, place: Path) -> None:
    said = refusal(domain, place, "sec=krb5", environment=domain.environment())
    assert "there is no Kerberos ticket in FILE:" in said
    assert "kinit" in said


def test_an_expired_ticket(domain: Domain, place: Path, tmp_path: Path) -> None:
    cache = tmp_path / "short"
    domain.kinit(ANNA, PASSWORDS[ANNA], cache, lifetime=1)
    time.sleep(1.5)
    said = refusal(domain, place, "sec=krb5", environment=domain.environment(cache))
    assert f"ticket of {ANNA}@{domain.realm} has expired" in said


def test_somebody_elses_ticket(domain: Domain, cache: Path, place: Path) -> None:
    said = refusal(
        domain, place, "sec=krb5", f"username={BERTA}", environment=domain.environment(cache)
    )
    assert f"is {ANNA}@{domain.realm}'s, not {BERTA}@{domain.realm}'s" in said


def test_clocks_that_differ(domain: Domain, cache: Path, place: Path) -> None:
    prefix = ["faketime", "-m", "-f", "+1h"]
    said = refusal(domain, place, "sec=krb5", environment=domain.environment(cache), prefix=prefix)
    assert "the clocks of this machine and of the KDC or server differ too much" in said


def test_a_service_that_the_domain_does_not_know(domain: Domain, cache: Path, place: Path) -> None:
    said = refusal(
        domain, place, "sec=krb5", environment=domain.environment(cache), host="nas.lab.example"
    )
    assert "the KDC knows no service cifs/nas.lab.example" in said
    assert "spn=" in said


def test_no_kdc(domain: Domain, place: Path) -> None:
    said = refusal(
        domain, place, "sec=krb5", f"username={ANNA}", password=PASSWORDS[ANNA],
        environment=domain.environment(kdc="127.0.0.1:9"),
    )  # fmt: skip
    assert f"no KDC of {domain.realm} can be reached" in said


def test_a_wrong_password(domain: Domain, place: Path) -> None:
    said = refusal(
        domain, place, "sec=krb5", f"username={ANNA}", password="wr0ng-secret",
        environment=domain.environment(),
    )  # fmt: skip
    assert f"the password of {ANNA}@{domain.realm} is wrong" in said


def test_an_unknown_user(domain: Domain, place: Path) -> None:
    said = refusal(
        domain, place, "sec=krb5", "username=nobody-we-know", password="wr0ng-secret",
        environment=domain.environment(),
    )  # fmt: skip
    assert f"the KDC does not know nobody-we-know@{domain.realm}" in said


def test_keytabs_that_do_not_help(domain: Domain, place: Path, keytab: Path) -> None:
    environment = domain.environment()
    said = refusal(domain, place, "sec=krb5", "keytab=/no/such", environment=environment)
    assert "the keytab /no/such cannot be read: No such file" in said
    said = refusal(
        domain, place, "sec=krb5", f"keytab={keytab}", f"username={BERTA}", environment=environment
    )
    assert f"has no key of {BERTA}@{domain.realm}; it holds {ANNA}@{domain.realm}" in said
    junk = keytab.with_name("junk")
    junk.write_bytes(b"junk" * 100)
    said = refusal(domain, place, "sec=krb5", f"keytab={junk}", environment=environment)
    assert f"{junk} is not a keytab" in said


def test_an_empty_password_is_wrong(domain: Domain, place: Path) -> None:
    said = refusal(
        domain, place, "sec=krb5", f"username={ANNA}", password="",
        environment=domain.environment(),
    )  # fmt: skip
    assert f"the password of {ANNA}@{domain.realm} is wrong" in said


def test_a_password_without_a_user_is_that_of_who_calls(domain: Domain, place: Path) -> None:
    said = refusal(
        domain, place, "sec=krb5", password="wr0ng-secret",
        environment={**domain.environment(), "USER": ""},
    )  # fmt: skip
    assert f"root@{domain.realm}" in said


def test_a_configuration_that_cannot_be_understood(domain: Domain, place: Path) -> None:
    config = place.with_name("krb5.conf")
    config.write_text("[libdefaults\n x = }")
    environment = {**domain.environment(), "KRB5_CONFIG": str(config)}
    said = refusal(
        domain, place, "sec=krb5", f"username={ANNA}", password="x-x-x", environment=environment
    )
    assert "KRB5_CONFIG" in said


@pytest.mark.parametrize("protection", ["sign", "seal"])
def test_a_session_that_expires_during_a_copy_does_not_disturb_it(
    domain: Domain, tmp_path: Path, protection: str
) -> None:
    _copy_while_tickets_expire(domain, tmp_path / "short", protection, seconds=13, lifetime=6)


@pytest.mark.soak
def test_sessions_that_expire_during_two_minutes_of_copying(domain: Domain, tmp_path: Path) -> None:
    _copy_while_tickets_expire(domain, tmp_path / "short", "seal", seconds=120, lifetime=15)


def _copy_while_tickets_expire(
    domain: Domain, cache: Path, protection: str, *, seconds: float, lifetime: int
) -> None:
    """The user renews the tickets in time; the session still ends with the old one."""

    def renew() -> None:
        # A KDC of Samba's gives no service a ticket of less than two minutes for a ticket, only
        # for a password.
        domain.kinit(ANNA, PASSWORDS[ANNA], cache, lifetime=lifetime, service=f"cifs/{domain.host}")

    renew()
    with mounted(
        domain, "plain", "sec=krb5", protection, f"ip={domain.address}",
        address=domain.host, user=None, password=None, flags=["-v"],
        environment=domain.environment(cache),
    ) as at:  # fmt: skip
        start = renewed = time.monotonic()
        written = 0
        with (at / "slow-copy").open("wb", buffering=0) as copy:
            while (now := time.monotonic()) < start + seconds:
                if now > renewed + lifetime / 3:
                    renew()
                    renewed = now
                assert copy.write(_MIB) == len(_MIB)
                written += 1
                assert (at / "slow-copy").stat().st_size == written * len(_MIB)
                time.sleep(0.1)
            os.fsync(copy.fileno())
        log = (at.parent / "log").read_text()
        assert log.count("the session expired; signing on again") >= seconds // (2 * lifetime)
        on_disk = domain.path_of("plain") / "slow-copy"
        assert on_disk.stat().st_size == written * len(_MIB)
        with on_disk.open("rb") as file:
            assert all(file.read(len(_MIB)) == _MIB for _ in range(written))
        on_disk.unlink()
