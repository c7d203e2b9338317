"""The lab itself, tried with clients that are not ours."""

import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import processes
from tests.lab.proxy import Proxy
from tests.lab.samba import (
    CIPHERS,
    DIALECTS,
    PASSWORD,
    SIGNING,
    USER,
    SambaServer,
    pinned,
    version,
)

_FAR = 5.0  # seconds after which a wait counts as endless


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_pinned_server_speaks_its_dialect_only(dialect: str) -> None:
    with SambaServer(pinned(dialect)) as server:
        assert server.smbclient("plain", "ls").returncode == 0
        for other, name in DIALECTS.items():
            limits = [f"--option=client {end} protocol={name}" for end in ("min", "max")]
            done = server.smbclient("plain", "ls", options=limits)
            assert (done.returncode == 0) == (other == dialect), (other, done.stdout)


@pytest.mark.parametrize("cipher", CIPHERS)
def test_a_pinned_server_encrypts_with_its_cipher_only(cipher: str) -> None:
    with SambaServer(pinned("3.1.1", cipher)) as server:
        for other in CIPHERS:
            offer = f"--option=client smb3 encryption algorithms={other}"
            done = server.smbclient("encrypted", "ls", options=[offer])
            assert (done.returncode == 0) == (other == cipher), (other, done.stdout)


@pytest.mark.parametrize("algorithm", SIGNING)
def test_a_pinned_server_signs_with_its_algorithm(algorithm: str) -> None:
    with SambaServer(pinned("3.1.1", signing=algorithm)) as server:
        offer = [f"--option=client smb3 signing algorithms={algorithm}", "--client-protection=sign"]
        assert server.smbclient("plain", "ls", options=offer).returncode == 0


def test_smbprotocol_reads_what_the_disk_has(samba: SambaServer) -> None:
    from smbprotocol import open as smb2
    from smbprotocol.connection import Connection
    from smbprotocol.session import Session
    from smbprotocol.tree import TreeConnect

    (samba.path_of("plain") / "for smbprotocol").write_bytes(b"unrelated")
    connection = Connection(uuid.uuid4(), samba.address, samba.port)
    connection.connect()
    try:
        session = Session(connection, USER, PASSWORD)
        session.connect()
        tree = TreeConnect(session, rf"\\{samba.address}\plain")
        tree.connect()
        file = smb2.Open(tree, "for smbprotocol")
        file.create(
            smb2.ImpersonationLevel.Impersonation,
            smb2.FilePipePrinterAccessMask.FILE_READ_DATA,
            smb2.FileAttributes.FILE_ATTRIBUTE_NORMAL,
            smb2.ShareAccess.FILE_SHARE_READ,
            smb2.CreateDisposition.FILE_OPEN,
            smb2.CreateOptions.FILE_NON_DIRECTORY_FILE,
        )
        assert file.read(0, 100) == b"unrelated"
        file.close()
    finally:
        connection.disconnect()


def test_shares_are_what_they_are_called(samba: SambaServer, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"x")
    put = f"put {tmp_path}/x x"
    assert samba.smbclient("plain", put).returncode == 0
    assert (samba.path_of("plain") / "x").read_bytes() == b"x"
    assert "NT_STATUS" in samba.smbclient("readonly", put).stdout
    plain = ["--client-protection=off"]
    assert samba.smbclient("encrypted", "ls", options=plain).returncode == 0  # it insists
    assert samba.smbclient("guest", put, user="%").returncode == 0
    assert samba.smbclient("plain", "ls", user="%").returncode != 0
    assert samba.smbclient("plain", "ls", user=f"{USER}%wrong").returncode != 0


def test_smbstatus_shows_who_holds_what_open(samba: SambaServer) -> None:
    (samba.path_of("plain") / "held").write_bytes(b"x" * 100)
    with socket.create_connection((samba.address, samba.port)):
        pass  # a visitor that says nothing leaves no trace
    words = ["-p", str(samba.port), "-U", f"{USER}%{PASSWORD}"]
    client = subprocess.Popen(
        ["smbclient", f"//{samba.address}/plain", *words],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert client.stdin is not None
    client.stdin.write("open held\n")
    client.stdin.flush()
    try:
        _until(lambda: samba.open_files() == ["held"])
    finally:
        client.communicate("quit\n")
    _until(lambda: samba.open_files() == [])


def _until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + _FAR
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_several_servers_run_at_once() -> None:
    with SambaServer() as one, SambaServer() as other:
        assert one.address != other.address
        (one.path_of("plain") / "mine").touch()
        assert "mine" in one.smbclient("plain", "ls").stdout
        assert "mine" not in other.smbclient("plain", "ls").stdout


def test_a_server_comes_back_with_its_files(samba: SambaServer) -> None:
    with SambaServer() as server:
        (server.path_of("plain") / "kept").touch()
        server.stop()
        assert not processes.listens(server.address, server.port)
        server.start()
        assert "kept" in server.smbclient("plain", "ls").stdout


_ABANDONED = """
import os, signal
from tests.lab.samba import SambaServer
server = SambaServer().__enter__()
print(server.pid, server.directory, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_nothing_of_a_server_outlives_a_killed_test() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ABANDONED], capture_output=True, text=True, check=False
    )
    group, directory = done.stdout.split()
    _until(lambda: not Path(directory).exists() and not _group(int(group)))
    _until(lambda: not _about(directory))


def test_the_servers_for_rpc_end_with_theirs() -> None:
    with SambaServer() as server:
        listed = subprocess.run(
            ["smbclient", "-L", server.address, "-p", str(server.port), "-U", f"{USER}%{PASSWORD}"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert "plain" in listed.stdout
        assert any("rpcd" in process for process in _about(str(server.directory)))
    _until(lambda: not _about(str(server.directory)))


def _about(directory: str) -> list[str]:
    """Command lines of processes that work for a server in this directory."""
    done = subprocess.run(["ps", "-eo", "args="], capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if f"={directory}/" in line]


def _group(number: int) -> list[str]:
    done = subprocess.run(
        ["ps", "-o", "stat=", "-g", str(number)], capture_output=True, text=True, check=False
    )
    return [state for state in done.stdout.split() if not state.startswith("Z")]


def test_the_samba_is_new_enough_for_the_lab() -> None:
    # Debian 12's own, 4.17, lacks what later tests need; script/bootstrap brings a newer one.
    assert version() >= (4, 19)


class _Echo:
    """A server of frames that gives each back."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listener.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection:
            while data := connection.recv(4096):
                connection.sendall(data)


@pytest.fixture
def echo() -> Iterator[_Echo]:
    echo = _Echo()
    yield echo
    # Closing alone would leave accept() waiting.
    echo.listener.shutdown(socket.SHUT_RDWR)
    echo.listener.close()


def _frame(content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + content


def _through(proxy: Proxy) -> socket.socket:
    return socket.create_connection((proxy.address, proxy.port), timeout=_FAR)


def test_the_proxy_passes_on_and_counts(echo: _Echo) -> None:
    with Proxy("127.0.0.1", echo.port) as proxy, _through(proxy) as client:
        client.sendall(_frame(b"hello"))
        assert client.recv(100) == _frame(b"hello")
        assert (proxy.to_server, proxy.connections) == (9, 1)
        _until(lambda: proxy.to_client == 9)


def test_the_proxy_delays_each_way(echo: _Echo) -> None:
    with Proxy("127.0.0.1", echo.port) as proxy, _through(proxy) as client:
        proxy.delay = 0.1
        start = time.monotonic()
        client.sendall(_frame(b"x"))
        client.recv(100)
        assert 0.2 <= time.monotonic() - start < 1


def test_the_proxy_stalls_and_resumes(echo: _Echo) -> None:
    with Proxy("127.0.0.1", echo.port) as proxy, _through(proxy) as client:
        proxy.stall()
        client.sendall(_frame(b"x"))
        _until(lambda: proxy.held == 5)
        assert proxy.to_server == 0
        proxy.resume()
        assert client.recv(100) == _frame(b"x")


def test_the_proxy_cuts_and_lets_new_connections_come(echo: _Echo) -> None:
    with Proxy("127.0.0.1", echo.port) as proxy:
        with _through(proxy) as client:
            client.sendall(_frame(b"x"))
            client.recv(100)
            proxy.cut()
            assert _ended(client)
        with _through(proxy) as client:
            client.sendall(_frame(b"y"))
            assert client.recv(100) == _frame(b"y")


def _ended(client: socket.socket) -> bool:
    try:
        return client.recv(100) == b""
    except ConnectionResetError:
        return True


def test_the_proxy_alters_and_drops_frames_of_the_servers(echo: _Echo) -> None:
    def alter(number: int, frame: bytes) -> bytes | None:
        return [frame, None, bytes([frame[0] ^ 1])][number]

    with Proxy("127.0.0.1", echo.port) as proxy, _through(proxy) as client:
        proxy.alter = alter
        client.sendall(_frame(b"a") + _frame(b"b") + _frame(b"c"))
        received = b""
        while len(received) < 10:
            received += client.recv(100)
        assert received == _frame(b"a") + _frame(b"b")  # c with a bit flipped is b
        assert proxy.frames == 3
