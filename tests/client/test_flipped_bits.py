"""One bit of what the server sent is flipped: it is noticed, or it made no difference.

Each flip is in a connection of its own, for those that are noticed end it. The random numbers
have a seed, which a failure names: SMBMOUNT_SEED=N repeats the run.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Iterator

import pytest

from smbmount.client.attributes import DirectoryEntry
from smbmount.client.share import Share
from smbmount.proto.create import AccessMask
from tests.lab.proxy import Proxy
from tests.lab.samba import SambaServer

from .between import attempt, proxied

_SIZE = 300_000  # of the file that is read, in pieces
_PIECE = 50_000
_NAMES = [f"name {number}.txt" for number in range(40)]
_PENDING = (0x103).to_bytes(4, "little")
_SLICE, _ALL = 75, 2000


@pytest.fixture(scope="module")
def content(samba: SambaServer) -> Iterator[bytes]:
    """What the file holds; the share has 40 more, in a directory."""
    data = random.Random(5).randbytes(_SIZE)
    file = samba.path_of("plain") / "flipped"
    file.write_bytes(data)
    directory = samba.path_of("plain") / "listed"
    directory.mkdir()
    for number, name in enumerate(_NAMES):
        (directory / name).write_bytes(bytes(number))
    yield data
    shutil.rmtree(directory)
    file.unlink()


async def _use(share: Share) -> tuple[bytes, dict[str, int], int]:
    """All that a reader is told: bytes, names and sizes."""
    file = await share.open("flipped", AccessMask.READ_DATA)
    pieces = [bytes(await file.read(at, _PIECE)) for at in range(0, _SIZE, _PIECE)]
    size = (await file.query()).size
    await file.close()
    entries: list[DirectoryEntry] = []
    async for batch in share.scan("listed"):
        entries += batch
    return b"".join(pieces), {entry.name: entry.stat.size for entry in entries}, size


def _flip(frame: bytes, bit: int) -> bytes:
    changed = bytearray(frame)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _run(samba: SambaServer, content: bytes, count: int, *, seal: bool) -> Counter[str]:
    """Flip `count` bits, each in a frame of its own; how it ended, counted."""
    seed = int(os.environ.get("SMBMOUNT_SEED") or 0) or random.randrange(1, 1 << 32)
    chance = random.Random(seed)
    truth = (content, {name: number for number, name in enumerate(_NAMES)}, _SIZE)
    ends: Counter[str] = Counter()
    with proxied(samba) as proxy:
        frames = _frames_of(proxy, truth, seal=seal)
        for number in range(count):
            which = chance.randrange(frames)
            spot = chance.random()
            where, waits, seen = [0], [False], [0]

            def alter(at: int, frame: bytes, which: int = which, spot: float = spot) -> bytes:
                seen[0] = at + 1  # noqa: B023  # of this round
                if at != which:
                    return frame
                where[0] = int(spot * len(frame) * 8)  # noqa: B023  # of this round
                waits[0] = frame[8:12] == _PENDING  # noqa: B023
                return _flip(frame, where[0])  # noqa: B023

            proxy.alter = alter
            outcome = attempt(proxy, _use, seal=seal)
            told = f"seed {seed}, flip {number}: bit {where[0]} of frame {which}: {outcome.error!r}"
            if outcome.error is None:
                assert outcome.result == truth, f"{told}: a reader was told what is not so"
                ends["harmless"] += 1
                # All is signed, sealed or hashed but "wait"; and nobody reads the answers to
                # TREE_DISCONNECT and LOGOFF, the last two. (A "wait" more or less, and they are
                # not where they were when the frames were counted.)
                assert which >= seen[0] - 2 or waits[0], told
            else:
                assert outcome.refused, told
                ends["detected"] += 1
    return ends


def _frames_of(proxy: Proxy, truth: object, *, seal: bool) -> int:
    """How many frames the server sends in all; nothing flipped, all is read right."""
    seen = [0]

    def count(at: int, frame: bytes) -> bytes:
        seen[0] = max(seen[0], at + 1)
        return frame

    proxy.alter = count
    outcome = attempt(proxy, _use, seal=seal)
    assert outcome.error is None, outcome
    assert outcome.result == truth
    return seen[0]


@pytest.mark.parametrize("seal", [False, True], ids=["signed", "sealed"])
def test_a_flipped_bit_is_noticed_or_harmless(
    samba: SambaServer, content: bytes, seal: bool
) -> None:
    ends = _run(samba, content, _SLICE, seal=seal)
    assert ends.total() == _SLICE
    assert ends["detected"] > 0.8 * _SLICE


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seal", [False, True], ids=["signed", "sealed"])
def test_two_thousand_flipped_bits_are_noticed_or_harmless(
    samba: SambaServer, content: bytes, seal: bool
) -> None:
    ends = _run(samba, content, _ALL, seal=seal)
    print(f"{'sealed' if seal else 'signed'}: {dict(ends)}")
    assert ends.total() == _ALL
    assert ends["detected"] > 0.8 * _ALL
