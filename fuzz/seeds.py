"""Where the fuzzer starts: a few good values of every class that the round trips know."""

import warnings
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from tests.proto import test_round_trips
from tests.proto.values import values

from .decoders import Decoder
from .law import join_input

_FOR_EACH = 12


def seeds(decoders: list[Decoder]) -> list[bytes]:
    """Inputs that parse, the same ones each time, and for every decoder an empty one."""
    numbers = {decoder.name: number for number, decoder in enumerate(decoders)}
    found = [join_input(number, bytes(64)) for number in range(len(decoders))]
    for kind in (*test_round_trips.MESSAGES, *test_round_trips.STRUCTURES):
        module = kind.__module__.removeprefix("smbmount.proto.")
        number = numbers[f"{module}.{kind.__name__}"]
        found += [join_input(number, packed) for packed in _packed(kind)]
    return found


def _packed(kind: Any) -> list[bytes]:
    found: list[bytes] = []

    @settings(
        max_examples=_FOR_EACH,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(values(kind))
    def collect(value: Any) -> None:
        found.append(value.pack())

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        collect()
    return found


def write(decoders: list[Decoder], directory: Path) -> None:
    """A seed a file, as libFuzzer wants them."""
    for number, seed in enumerate(seeds(decoders)):
        (directory / f"seed-{number:05}").write_bytes(seed)
