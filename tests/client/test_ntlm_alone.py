"""A password for NTLM goes nowhere else."""

import socket
from pathlib import Path

import pytest
import trio

from smbmount.client.auth import Authenticator
from smbmount.client.settings import Credentials

_KRB5_CONF = """
[libdefaults]
default_realm = NOWHERE.TEST
dns_lookup_kdc = false
udp_preference_limit = 4096
[realms]
NOWHERE.TEST = {{
  kdc = 127.0.0.1:{port}
}}
"""


def test_signing_on_with_ntlm_asks_no_kdc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as kdc:
        kdc.bind(("127.0.0.1", 0))
        kdc.setblocking(False)
        config = tmp_path / "krb5.conf"
        config.write_text(_KRB5_CONF.format(port=kdc.getsockname()[1]))
        monkeypatch.setenv("KRB5_CONFIG", str(config))
        monkeypatch.setenv("KRB5CCNAME", f"FILE:{tmp_path}/none")
        auth = Authenticator(Credentials("user", "a password"), "server")
        token = trio.run(auth.step, b"")
        assert b"NTLMSSP" in token
        with pytest.raises(BlockingIOError):
            kdc.recv(4096)
