"""Processes that lock files as they are told, on any file system, and say what came of it.

A case is a list of steps, "WHO WHAT": `A w 0 10` lets process A ask for a write lock (F_SETLK) of
the 10 bytes from 0 on; `r` and `u` are read locks and unlocking, `ow`, `or`, `ou` the same by
F_OFD_SETLK, `ex`, `sh`, `un` flock(2). A `!` behind it waits. `?w 0 10` is F_GETLK. Each process
has a descriptor `f` of its own; `g.w 0 10` uses another, after `open g rw` or `dup f g`. `fork
STEP` does one step in a child, `int` sends a signal, `die` kills, `done` waits for a step that
waited.
"""

import errno
import fcntl
import json
import os
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

_FLOCK = struct.Struct("hhqqi4x")
_TYPES = {"r": fcntl.F_RDLCK, "w": fcntl.F_WRLCK, "u": fcntl.F_UNLCK}
_NAMES = {kind: name for name, kind in _TYPES.items()}
_WHOLE = {"sh": fcntl.LOCK_SH, "ex": fcntl.LOCK_EX, "un": fcntl.LOCK_UN}
_OFD_GETLK, _OFD_SETLK, _OFD_SETLKW = 36, 37, 38
_FLAGS = {"r": os.O_RDONLY, "w": os.O_WRONLY, "rw": os.O_RDWR}
_BLOCKS = 0.15  # seconds without an answer that mean: it waits
_FAR = 20.0  # seconds in which whatever does not wait has answered


class Agent:
    """One process, which takes part in one case after the other."""

    def __init__(self) -> None:
        self.waiting = False
        self._process = subprocess.Popen(
            [sys.executable, "-E", "-s", __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self.pid = self._process.pid

    @property
    def usable(self) -> bool:
        """True if it lives, and waits for nothing but a step."""
        return self._process.poll() is None and not self.waiting

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def do(self, step: str, blocks: bool | None = None) -> str:
        """Do one step; "waits" if it is not over. `blocks` says whether that is expected."""
        if step == "die":
            self._process.kill()
            self._process.wait()
            return "dead"
        if step == "int":
            self._process.send_signal(signal.SIGUSR1)
            return "sent"
        if step != "done":
            assert not self.waiting, "it waits already"
            assert self._process.stdin is not None
            self._process.stdin.write(step.encode() + b"\n")
            self._process.stdin.flush()
        patience = _FAR if "!" not in step or blocks is False else _BLOCKS
        answer = self._answer(patience)
        self.waiting = answer is None
        return answer or "waits"

    def _answer(self, seconds: float) -> str | None:
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            return None
        return str(json.loads(self._process.stdout.readline()))


class Crew:
    """The processes of many cases. A context manager."""

    def __init__(self) -> None:
        self._agents: dict[str, Agent] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        for agent in self._agents.values():
            agent.end()

    def agent(self, name: str) -> Agent:
        """The process of a name, made anew if it cannot be used any more."""
        if name not in self._agents or not self._agents[name].usable:
            if name in self._agents:
                self._agents[name].end()
            self._agents[name] = Agent()
        return self._agents[name]

    def play(
        self, steps: Sequence[str], files: Mapping[str, Path], elsewhere: Sequence[str] = ()
    ) -> str:
        """Play a case, each process on its file of `files`; what came of it, a line a step.

        `elsewhere` is what came of it elsewhere: what did not wait there is given time.
        """
        lines: list[str] = []
        taking_part: dict[str, Agent] = {}
        for number, text in enumerate(steps):
            who, step = text.split(" ", 1)
            if who not in taking_part:
                taking_part[who] = self.agent(who)
                assert taking_part[who].do(f"begin {files[who]}") == "ok"
            blocks = elsewhere[number].endswith("waits") if elsewhere else None
            said = taking_part[who].do(step, blocks)
            for name, agent in taking_part.items():
                said = said.replace(f"pid {agent.pid}", f"by {name}")
            lines.append(f"{text}: {said}")
        for agent in taking_part.values():
            if agent.usable:
                agent.do("end")
        return "\n".join(lines)


class _Interrupted(Exception):
    pass


def _interrupt(number: int, frame: object) -> None:
    raise _Interrupted


def _lock(descriptor: int, what: str, numbers: list[int]) -> str:
    """One lock operation. Raises OSError."""
    wait, name = what.endswith("!"), what.rstrip("!").lstrip("?")
    if name in _WHOLE:
        fcntl.flock(descriptor, _WHOLE[name] | (0 if wait else fcntl.LOCK_NB))
        return "ok"
    ofd, kind = name.startswith("o"), _TYPES[name.lstrip("o")]
    asked = _FLOCK.pack(kind, os.SEEK_SET, *numbers, 0)
    if what.startswith("?"):
        told = fcntl.fcntl(descriptor, _OFD_GETLK if ofd else fcntl.F_GETLK, asked)
        found, _, start, length, pid = _FLOCK.unpack(told)
        return "free" if found == fcntl.F_UNLCK else f"{_NAMES[found]} {start} {length} pid {pid}"
    if ofd:
        fcntl.fcntl(descriptor, _OFD_SETLKW if wait else _OFD_SETLK, asked)
    else:
        fcntl.fcntl(descriptor, fcntl.F_SETLKW if wait else fcntl.F_SETLK, asked)
    return "ok"


def _step(descriptors: dict[str, int], text: str) -> str:
    what, *words = text.split()
    name, dot, rest = what.partition(".")
    name, what = (name, rest) if dot else ("f", what)
    try:
        match what:
            case "begin":
                descriptors["f"] = os.open(words[0], os.O_RDWR)
            case "end":
                while descriptors:
                    os.close(descriptors.popitem()[1])
            case "open":
                path = os.readlink(f"/proc/self/fd/{descriptors['f']}")
                descriptors[words[0]] = os.open(path, _FLAGS[words[1]])
            case "dup":
                descriptors[words[1]] = os.dup(descriptors[words[0]])
            case "close":
                os.close(descriptors.pop(words[0]))
            case "read":
                return os.pread(descriptors[name], int(words[1]), int(words[0])).decode()
            case "write":
                os.pwrite(descriptors[name], words[1].encode(), int(words[0]))
            case "fork":
                return _in_child(descriptors, " ".join(words))
            case _:
                return _lock(descriptors[name], what, [int(word) for word in words])
    except _Interrupted:
        return "EINTR"
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "ok"


def _in_child(descriptors: dict[str, int], text: str) -> str:
    reading, writing = os.pipe()
    if not os.fork():
        os.write(writing, _step(descriptors, text).encode())
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:
        said = pipe.read().decode()
    os.wait()
    return said


def main() -> None:
    """Do what standard input says, a step a line."""
    signal.signal(signal.SIGUSR1, _interrupt)
    descriptors: dict[str, int] = {}
    for line in sys.stdin:
        print(json.dumps(_step(descriptors, line.strip())), flush=True)


if __name__ == "__main__":
    main()
