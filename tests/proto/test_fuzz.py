"""A short slice of the fuzzer, and that it leaves nothing out. All of it: script/fuzz."""

import ast
import importlib.util
import random
import subprocess
import sys
import time
import tracemalloc
from functools import cache
from pathlib import Path

import pytest

import smbmount.proto
from fuzz import law, seeds
from fuzz.decoders import HEADER, Decoder, find

ROOT = Path(__file__).parents[2]
_BASES = {"fscc_file.FixedInformation", "create_contexts.Structure"}  # no layout of their own


@cache
def _decoders() -> list[Decoder]:
    return find()


@cache
def _seeds() -> list[bytes]:
    return seeds.seeds(_decoders())


def _defined() -> set[str]:
    """Every class with an `unpack` and every function `unpack_…`, by reading the source."""
    found = set()
    root = Path(smbmount.proto.__path__[0])
    for file in sorted(root.rglob("*.py")):
        module = ".".join(file.relative_to(root).with_suffix("").parts)
        for node in ast.parse(file.read_text("utf-8")).body:
            if _decodes(node):
                assert isinstance(node, (ast.FunctionDef, ast.ClassDef))
                found.add(f"{module}.{node.name}")
    return found - _BASES


def _decodes(node: ast.stmt) -> bool:
    if isinstance(node, ast.FunctionDef):
        return node.name.startswith("unpack")
    return isinstance(node, ast.ClassDef) and any(
        isinstance(inner, ast.FunctionDef) and inner.name == "unpack" for inner in node.body
    )


def test_every_decoder_in_the_source_is_fuzzed() -> None:
    fuzzed = {decoder.name.partition("(")[0] for decoder in _decoders()}
    assert len(_defined()) > 70
    assert not _defined() - fuzzed
    # Decoders of other names; and classes that inherit theirs.
    assert {
        "frame",
        "compound.split",
        "chain.walk",
        "fscc_directory.entries",
        "smb1.is_smb1",
        "sealing.unseal",
        "signing.verify",
        "echo.EchoResponse",
        "fscc_file.FileBasicInformation",
    } <= fuzzed


def test_the_seeds_parse_so_the_fuzzer_starts_inside() -> None:
    parsed: dict[str, bool] = {}
    for seed in _seeds():
        decoder, data = law.split_input(seed, _decoders())
        parsed[decoder.name] = parsed.get(decoder.name, False) or law.apply(decoder, data)
    # A frame's length and a seal cannot be guessed by packing values.
    assert sum(parsed.values()) > 0.85 * len(parsed)


def test_changed_seeds_are_parsed_or_refused() -> None:
    chance = random.Random(2023)
    for round_number in range(15):
        for seed in _seeds():
            changed = bytearray(seed)
            for _ in range(chance.randint(1, 4)):
                at = chance.randrange(2, len(changed)) if len(changed) > 2 else 2
                match chance.randrange(4):
                    case 0:
                        changed[at:at] = chance.randbytes(chance.randint(1, 9))
                    case 1:
                        del changed[at : at + chance.randint(1, 9)]
                    case _ if at < len(changed):
                        changed[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            decoder, data = law.split_input(bytes(changed), _decoders())
            try:
                law.apply(decoder, data)
            except Exception as error:
                raise AssertionError(
                    f"{decoder.name}, round {round_number}: {bytes(data).hex()}"
                ) from error


_LARGE = 64 * 1024
_PATTERNS = [
    b"\0", b"\xff", b"\x01\0\0\0", b"\x08\0\0\0", b"\x04\0\0\0\x01\0\0\0", b"A\0", b"\0\0A\0",
    b"\x10\0\0\0" + bytes(12), b"\x18\0\0\0" + bytes(20), b"\x22\0\x03\0" + bytes(30),
]  # fmt: skip


@pytest.mark.parametrize("decoder", _decoders(), ids=lambda decoder: decoder.name)
def test_a_large_input_costs_memory_and_time_in_proportion(decoder: Decoder) -> None:
    number = _decoders().index(decoder).to_bytes(2, "little")
    good = max((seed[2:] for seed in _seeds() if seed[:2] == number), key=len)
    for pattern in _PATTERNS:
        for start in (b"", good):
            body = start + pattern * (_LARGE // len(pattern))
            data = memoryview(HEADER + body if decoder.behind_header else body)
            began = time.process_time()
            tracemalloc.start()
            try:
                law.apply(decoder, data)
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert peak < 100 * _LARGE
            assert time.process_time() - began < 10


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this machine"
)
def test_a_short_run_of_the_fuzzer_finds_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fuzz", "--runs", "100000", "--seed", "7"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=250,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    assert "number_of_executed_units: 100000" in done.stderr
