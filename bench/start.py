"""How long a mount takes to be there."""

import tempfile
import time
from pathlib import Path

from tests.lab.mounts import mount, unmount
from tests.lab.samba import USER, SambaServer


def seconds_to_first_byte(server: SambaServer) -> float:
    """From the start of the command to the content of a small file."""
    (server.path_of("plain") / "sign").write_text("open")
    with tempfile.TemporaryDirectory(prefix="smbmount-bench-") as directory:
        place = Path(directory)
        start = time.monotonic()
        options = [f"port={server.port}", f"username={USER}"]
        done = mount(f"//{server.address}/plain", place, options)
        try:
            if done.returncode:
                raise RuntimeError(done.stderr)
            (place / "sign").read_text()
            return time.monotonic() - start
        finally:
            unmount(place)
