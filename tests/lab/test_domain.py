"""The lab's domain, tried with clients that are not ours."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.domain import Domain, has_interface, is_there
from tests.lab.mounts import ROOT
from tests.lab.users import ANNA, PASSWORDS

_HOLD = """
import sys, time
from tests.lab.domain import Domain
with Domain() as domain:
    print(domain.namespace, domain.our_address, domain.directory, flush=True)
    time.sleep(300)
"""


def test_smbclient_signs_on_with_kerberos(domain: Domain, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("by smbclient")
    done = domain.smbclient(
        "plain", f"put {tmp_path}/x by-smbclient", user=ANNA, password=PASSWORDS[ANNA]
    )
    assert done.returncode == 0, done.stdout
    assert (domain.path_of("plain") / "by-smbclient").read_text() == "by smbclient"


def test_tickets_live_as_long_as_asked(domain: Domain, tmp_path: Path) -> None:
    domain.kinit(ANNA, PASSWORDS[ANNA], tmp_path / "cache", lifetime=2)
    assert subprocess.run(["klist", "-s", tmp_path / "cache"], check=False).returncode == 0
    time.sleep(2.5)
    assert subprocess.run(["klist", "-s", tmp_path / "cache"], check=False).returncode == 1


def test_a_keytab_is_as_good_as_a_password(domain: Domain, tmp_path: Path) -> None:
    keytab = tmp_path / "keytab"
    domain.export_keytab(keytab, f"{ANNA}@{domain.realm}")
    environment = domain.environment(tmp_path / "cache")
    done = subprocess.run(["kinit", "-k", "-t", keytab, ANNA], env=environment, check=False)
    assert done.returncode == 0


@pytest.mark.parametrize("way", ["terminate", "kill"])
def test_nothing_is_left_of_a_domain_whose_owner_died(way: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD], stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as owner:
        assert owner.stdout is not None
        namespace, address, directory = owner.stdout.readline().split()
        assert is_there(namespace)
        assert has_interface(address)
        getattr(owner, way)()
    end = time.monotonic() + 10
    while is_there(namespace) or has_interface(address) or Path(directory).exists():
        assert time.monotonic() < end, (namespace, address, directory)
        time.sleep(0.1)
