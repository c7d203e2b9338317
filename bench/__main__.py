"""script/bench: large sequential reads and writes, and the time to a usable mount, as a table."""

import argparse
import statistics
from collections.abc import Callable

from tests.lab.mounts import mounted
from tests.lab.samba import SambaServer, pinned

from .copies import Copies, bytes_on_the_wire
from .start import seconds_to_first_byte
from .streams import Streams


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="script/bench", description=__doc__)
    parser.add_argument("--mib", type=int, default=1024, help="size of the file (1024)")
    parser.add_argument("--runs", type=int, default=5, help="runs of each, interleaved (5)")
    chosen = parser.parse_args()
    print(f"Sequential, {chosen.mib} MiB, median of {chosen.runs} runs (fastest to slowest)\n")
    print("| | smbclient | smbmount | ratio |")
    print("|---|---|---|---|")
    for name, protection, option in (("signed", "sign", "sign"), ("encrypted", "encrypt", "seal")):
        with SambaServer(pinned("3.1.1")) as server, mounted(server, "plain", option) as place:
            streams = Streams(server, place, chosen.mib << 20, protection)
            streams.warm_up()
            _report(f"write, {name}", chosen.runs, streams.put, streams.write)
            _report(f"read, {name}", chosen.runs, streams.get, streams.read)
            synced = [streams.write(sync=True) for _ in range(chosen.runs)]
            print(f"| write and fsync, {name} | | {_spread(synced)} | |")
    _report_copies(chosen.mib, chosen.runs)
    with SambaServer() as server:
        times = [seconds_to_first_byte(server) for _ in range(chosen.runs + 1)][1:]
    print(f"\nFrom the start of the command to the first byte of a file: {_spread(times)}")


def _report_copies(mib: int, runs: int) -> None:
    """cp within the mount: through the client and by the server, interleaved."""
    print(f"\ncp of {mib} MiB within a mount, signed\n")
    print("| through the client | by the server | times as fast | on the wire |")
    print("|---|---|---|---|")
    with SambaServer(pinned("3.1.1")) as server:
        with mounted(server, "plain") as place:
            copies = Copies(server, place, mib << 20)
            copies.through_client()
            copies.by_server()
            pairs = [(copies.through_client(), copies.by_server()) for _ in range(runs)]
        client, by_server = ([pair[side] for pair in pairs] for side in (0, 1))
        ratio = statistics.median(client) / statistics.median(by_server)
        wire = bytes_on_the_wire(server) // 1024
        print(f"| {_spread(client)} | {_spread(by_server)} | {ratio:.1f} | {wire} KiB |")


def _report(name: str, runs: int, theirs: Callable[[], float], ours: Callable[[], float]) -> None:
    """One row: their seconds and ours, interleaved, so that the machine's moods meet both."""
    pairs = [(theirs(), ours()) for _ in range(runs)]
    their_times, our_times = ([pair[side] for pair in pairs] for side in (0, 1))
    # How much of their speed we reach.
    ratio = statistics.median(their_times) / statistics.median(our_times)
    print(f"| {name} | {_spread(their_times)} | {_spread(our_times)} | {ratio:.2f} |", flush=True)


def _spread(times: list[float]) -> str:
    return f"{statistics.median(times):.2f} s ({min(times):.2f} to {max(times):.2f})"


if __name__ == "__main__":
    main()
