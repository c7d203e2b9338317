"""What script/demo shows: a share, mounted and used. Each command is printed, then its output."""

import argparse
import os
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from . import samba
from .mounts import ROOT, is_mounted, unmount
from .samba import SambaServer

_LETTER = """Dear reader,

this file lies on a file server, and you see it through smbmount.
"""


def main() -> int:
    """Run the demo; its exit code."""
    parser = argparse.ArgumentParser(prog="script/demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave the share mounted")
    keep: bool = parser.parse_args().keep
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    new_account = not samba.has_user()
    directory = Path(tempfile.mkdtemp(prefix="smbmount-demo-"))
    mountpoint = directory / "mnt"
    server = SambaServer(shares={"demo": {}}, outlives_us=keep)
    kept = False
    try:
        with server:
            _fill(server.path_of("demo"))
            mountpoint.mkdir()
            _show(server, directory, mountpoint)
            if keep:
                stop = _write_stop(server, directory, mountpoint, new_account)
                print(f"\nLeft mounted at {mountpoint}. To look: ls {mountpoint}")
                print(f"To unmount:                 umount {mountpoint}")
                print(f"To unmount and end it all:  sh {stop}")
                kept = True
            else:
                _run("umount", mountpoint)
    except subprocess.CalledProcessError as error:
        print(f"\nThat failed with exit code {error.returncode}.", file=sys.stderr)
        return 1
    finally:
        if not kept:
            unmount(mountpoint)
            _remove(directory, new_account)
    return 0


def _fill(share: Path) -> None:
    """Sample files, on the server's own disk."""
    (share / "letter.txt").write_text(_LETTER)
    (share / "film.bin").write_bytes(os.urandom(16 << 20))
    (share / "holiday").mkdir()
    for name in ("Berge.txt", "plage à midi.txt", "海.txt"):
        (share / "holiday" / name).write_text(f"{name}\n")
    for path in (share / "holiday", *share.rglob("*")):
        os.chown(path, *samba.account())


def _show(server: SambaServer, directory: Path, mountpoint: Path) -> None:
    credentials = directory / "credentials"
    credentials.touch(mode=0o600)
    credentials.write_text(f"username={samba.USER}\npassword={samba.PASSWORD}\n")
    source = f"//{server.address}/demo"
    options = f"port={server.port},credentials={credentials}"
    _run(ROOT / ".venv/bin/smbmount", source, mountpoint, "-o", options)
    _run("ls", "-l", mountpoint, mountpoint / "holiday")
    _run("cat", mountpoint / "letter.txt")
    _run("cp", mountpoint / "film.bin", directory / "film.bin")
    _run("cp", directory / "film.bin", mountpoint / "copy.bin")
    _run("sha256sum", mountpoint / "copy.bin", server.path_of("demo") / "film.bin")
    _run("df", "-h", mountpoint)


def _run(*words: str | Path) -> None:
    """Show a command and what it says. Raises CalledProcessError."""
    print("\n$ " + shlex.join(str(word) for word in words), flush=True)
    subprocess.run(words, check=True)


def _write_stop(server: SambaServer, directory: Path, mountpoint: Path, new_account: bool) -> Path:
    stop = directory / "stop"
    lines = [
        f"umount {mountpoint} 2>/dev/null",
        f"kill -s TERM -- -{server.pid}",
        f"while kill -s 0 -- -{server.pid} 2>/dev/null; do sleep 0.1; done",
        f"rm -rf --one-file-system {server.directory} {directory}",
    ]
    if new_account:
        lines.append(f"userdel {samba.USER}")
    stop.write_text("\n".join(lines) + "\n")
    return stop


def _remove(directory: Path, new_account: bool) -> None:
    mountpoint = directory / "mnt"
    if is_mounted(mountpoint):
        return  # whatever lies below is the server's, not ours to delete
    subprocess.run(["rm", "-rf", "--one-file-system", directory], check=True)
    if new_account:
        samba.remove_user()


if __name__ == "__main__":
    sys.exit(main())
