"""Run the fuzzer: python -m fuzz [--seconds N | --runs N] [--corpus DIRECTORY] [--seed N]."""

import argparse
import resource
import sys
import tempfile
from pathlib import Path

import atheris

_LONGEST = 4096  # bytes of one input: larger ones find nothing that these do not
_TIME_FOR_ONE = 5  # seconds that one input may take; a hang is a find
_MEMORY = 2 << 30  # bytes of address space for the whole process


def main() -> None:
    """Parse the options, instrument, and hand over to libFuzzer, which ends the process."""
    parser = argparse.ArgumentParser(prog="fuzz", description="Fuzz every decoder.")
    parser.add_argument("--seconds", type=int, default=600, help="how long (600)")
    parser.add_argument("--runs", type=int, default=-1, help="executions instead of seconds")
    parser.add_argument("--corpus", type=Path, help="directory that keeps what was learned")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers (0: any)")
    options = parser.parse_args()

    with atheris.instrument_imports(include=["smbmount.proto"]):
        from . import decoders, law

        found = decoders.find()  # imports the rest of them
    from . import seeds

    def one(data: bytes) -> None:
        law.apply(*law.split_input(data, found))

    # libFuzzer's own limit goes by the peak of the process, which a process inherits from the one
    # that started it, however large that was. The kernel's limit makes a MemoryError where it is
    # exceeded: a find like any other exception.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    print(f"{len(found)} decoders", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="smbmount-fuzz-") as scratch:
        start = Path(scratch)
        seeds.write(found, start)
        corpora = [str(options.corpus)] if options.corpus else []
        limit = (
            [f"-runs={options.runs}"]
            if options.runs >= 0
            else [f"-max_total_time={options.seconds}"]
        )
        atheris.Setup(
            [
                sys.argv[0], *limit, f"-seed={options.seed}", f"-max_len={_LONGEST}",
                f"-timeout={_TIME_FOR_ONE}", "-rss_limit_mb=0", "-print_final_stats=1",
                *corpora, str(start),
            ],
            one,
        )  # fmt: skip
        atheris.Fuzz()


if __name__ == "__main__":
    main()
