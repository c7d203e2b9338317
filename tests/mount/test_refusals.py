"""Mounts that cannot be: one clear sentence, exit code 32, and nothing left behind."""

import http.server
import ssl
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.lab import processes
from tests.lab.accounts import Account, ordinary_account
from tests.lab.mounts import daemon_of, is_mounted, mount, mounted
from tests.lab.samba import PASSWORD, USER, SambaServer

_WRONG = "wr0ng-secret"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    directory = tmp_path / "mnt"
    directory.mkdir()
    return directory


def refusal(
    source: str,
    place: Path,
    *options: str,
    password: str | None = PASSWORD,
    prefix: Sequence[str] = (),
    code: int = 32,
) -> str:
    """The sentence with which a mount is refused."""
    done = mount(source, place, options, password=password, prefix=prefix)
    assert done.returncode == code, done
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    print(line)
    assert line.startswith("smbmount: ")
    assert "Traceback" not in line
    assert password is None or password not in line
    assert not is_mounted(place)
    assert daemon_of(place) is None
    return line.removeprefix("smbmount: ")


def of(server: SambaServer, share: str = "plain") -> str:
    return f"//{server.address}/{share}"


def options_for(server: SambaServer, user: str = USER) -> list[str]:
    return [f"port={server.port}", f"username={user}"]


def test_a_wrong_password(samba: SambaServer, place: Path) -> None:
    said = refusal(of(samba), place, *options_for(samba), password=_WRONG)
    assert "password is wrong" in said
    assert USER in said


@pytest.mark.parametrize("policy", ["Never", "Bad User"])
def test_an_unknown_user_is_refused_or_not_let_in_as_a_guest(policy: str, place: Path) -> None:
    with SambaServer({"map to guest": policy}) as server:
        said = refusal(of(server), place, *options_for(server, "nobody-we-know"))
    assert "nobody-we-know" in said
    assert ("guest" in said) == (policy == "Bad User")


def test_a_disabled_account(place: Path) -> None:
    with SambaServer() as server:
        subprocess.run(["smbpasswd", "-c", server.config, "-d", USER], check=True)
        said = refusal(of(server), place, *options_for(server))
    assert "account is disabled" in said


def test_a_locked_account(place: Path) -> None:
    with SambaServer() as server:
        policy = ["pdbedit", "-s", str(server.config), "-P", "bad lockout attempt", "-C", "2"]
        subprocess.run(policy, check=True, capture_output=True)
        for _ in range(2):
            refusal(of(server), place, *options_for(server), password=_WRONG)
        said = refusal(of(server), place, *options_for(server))
    assert "account is locked" in said


def test_a_password_that_must_be_changed(place: Path) -> None:
    with SambaServer() as server:
        words = ["net", "-s", str(server.config), "sam", "set", "pwdmustchangenow", USER, "yes"]
        subprocess.run(words, check=True, capture_output=True)
        said = refusal(of(server), place, *options_for(server))
    assert "password" in said
    assert "change" in said


def test_no_password_and_nobody_to_ask(samba: SambaServer, place: Path) -> None:
    said = refusal(of(samba), place, *options_for(samba), password=None)
    assert "no password" in said
    assert "credentials" in said


def test_an_unknown_share(samba: SambaServer, place: Path) -> None:
    said = refusal(of(samba, "nowhere"), place, *options_for(samba))
    assert "no such share 'nowhere'" in said
    assert samba.address in said


def test_a_directory_of_the_share_that_is_not_there(samba: SambaServer, place: Path) -> None:
    said = refusal(of(samba, "plain/not/there"), place, *options_for(samba))
    assert "not" in said
    assert "there" in said


def test_a_share_that_is_a_pipe(samba: SambaServer, place: Path) -> None:
    assert "no files" in refusal(of(samba, "IPC$"), place, *options_for(samba))


def test_a_host_that_does_not_resolve(place: Path) -> None:
    said = refusal("//no-such-host.invalid/share", place, "username=x")
    assert "no-such-host.invalid" in said
    assert "does not resolve" in said


def test_a_closed_port(place: Path) -> None:
    port = processes.free_port("127.0.0.1")
    said = refusal("//127.0.0.1/share", place, "username=x", f"port={port}")
    assert f"port {port}" in said
    assert "nothing listens there" in said


def test_a_server_that_speaks_only_smb1(place: Path) -> None:
    old = {"server min protocol": "NT1", "server max protocol": "NT1"}
    with SambaServer(old) as server:
        said = refusal(of(server), place, *options_for(server))
    assert "only SMB1" in said


@contextmanager
def _web_server(context: ssl.SSLContext | None) -> Iterator[int]:
    """A real web server on loopback; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_speaks_http(place: Path) -> None:
    with _web_server(None) as port:
        said = refusal("//127.0.0.1/share", place, "username=x", f"port={port}")
    assert "HTTP" in said


def test_a_server_that_speaks_tls(place: Path, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "1",
         "-subj", "/CN=localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with _web_server(context) as port:
        said = refusal("//127.0.0.1/share", place, "username=x", f"port={port}")
    assert "TLS" in said or "does not speak SMB" in said or "closed the connection" in said


def test_a_mount_point_that_is_missing(samba: SambaServer, tmp_path: Path) -> None:
    said = refusal(of(samba), tmp_path / "missing", *options_for(samba))
    assert "does not exist" in said
    assert str(tmp_path / "missing") in said


def test_a_mount_point_that_is_a_file(samba: SambaServer, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "not a directory" in refusal(of(samba), tmp_path / "file", *options_for(samba))


def test_a_mount_point_that_carries_this_mount_already(samba: SambaServer) -> None:
    with mounted(samba) as directory:
        done = mount(of(samba), directory, options_for(samba))
        assert done.returncode == 32
        assert "already" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        (directory / "still").write_text("here")
    assert (samba.path_of("plain") / "still").read_text() == "here"


# A /dev without fuse, or other changes that only this command sees.
def _in_a_world_where(change: str) -> list[str]:
    return ["unshare", "--mount", "sh", "-e", "-c", f'{change}\nexec "$@"', "sh"]


_NO_FUSE = """
mount -t tmpfs none /dev
mknod -m 666 /dev/null c 1 3
mknod -m 666 /dev/urandom c 1 9
"""


def test_no_dev_fuse(samba: SambaServer, place: Path) -> None:
    prefix = _in_a_world_where(_NO_FUSE)
    said = refusal(of(samba), place, *options_for(samba), prefix=prefix)
    assert "/dev/fuse" in said
    assert "modprobe fuse" in said


@pytest.fixture(scope="module")
def somebody() -> Iterator[Account]:
    with ordinary_account() as account:
        yield account


def _refused_to(account: Account, samba: SambaServer, change: str, *options: str) -> str:
    place = account.home / "mnt"
    account.run("mkdir", "-p", place)
    prefix = [*_in_a_world_where(change), *account.prefix]
    done = mount(
        of(samba), place, [*options_for(samba), *options], prefix=prefix, command=account.command
    )
    assert done.returncode == 32, done
    assert not is_mounted(place)
    (line,) = done.stderr.splitlines()
    return line


def test_no_fusermount3(samba: SambaServer, somebody: Account) -> None:
    said = _refused_to(somebody, samba, "mount --bind /dev/null $(command -v fusermount3)")
    assert "fusermount3" in said
    assert "package fuse3" in said


def test_allow_other_not_permitted(samba: SambaServer, somebody: Account) -> None:
    said = _refused_to(
        somebody, samba, "[ ! -e /etc/fuse.conf ] || mount --bind /dev/null /etc/fuse.conf",
        "allow_other",
    )  # fmt: skip
    assert "allow_other" in said
    assert "user_allow_other" in said
    assert "/etc/fuse.conf" in said


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["bogus"], "bogus"),
        (["usernme=x"], "username"),  # the hint
        (["vers=1.0"], "vers"),
        (["vers=2.1", "seal"], "seal"),
        (["port=0"], "port"),
        (["port=many"], "port"),
        (["sec=rot13"], "sec"),
        (["uid=no-such-account"], "uid"),
        (["file_mode=9"], "file_mode"),
        (["rsize=lots"], "rsize"),
        (["actimeo=-1"], "actimeo"),
        (["seal=yes"], "seal"),
        (["username"], "username"),
    ],
)
def test_options_that_cannot_be_are_refused_by_name(
    options: list[str], named: str, place: Path
) -> None:
    assert named in refusal("//127.0.0.1/share", place, *options, code=1)


@pytest.mark.parametrize("source", ["share", "/mnt/x", "//server", "//", "smb://", "http://a/b"])
def test_what_is_no_share_is_a_usage_error(source: str, place: Path) -> None:
    assert source in refusal(source, place, code=1)


def test_a_credentials_file_that_is_missing(samba: SambaServer, place: Path) -> None:
    said = refusal(of(samba), place, f"port={samba.port}", "credentials=/no/such/file")
    assert "/no/such/file" in said
