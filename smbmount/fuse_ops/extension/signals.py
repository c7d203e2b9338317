"""Is a caller to be released from its wait? What /proc tells of its signals.

The kernel sends one interrupt for a request, at the first signal that its caller would handle,
and does not say which one. Programs do not expect EINTR from stat or open because a timer ticked
or a child ended (Go's runtime sends itself SIGURG all day), so those signals leave the wait alone;
then nobody tells us of a later, graver one, and `interrupts.py` looks again by itself.
"""

import re
import signal
from collections.abc import Iterable

_QUIET = (
    signal.SIGURG,
    signal.SIGCHLD,
    signal.SIGWINCH,
    signal.SIGPROF,
    signal.SIGVTALRM,
    signal.SIGALRM,
    signal.SIGIO,
    signal.SIGCONT,
    signal.SIGSTOP,
    signal.SIGTSTP,
    signal.SIGTTIN,
    signal.SIGTTOU,
)
_EXITING = 0x4  # PF_EXITING in the flags of /proc/<pid>/stat
_SETS = re.compile(rb"^(SigPnd|ShdPnd|SigBlk):\t([0-9a-f]+)$", re.MULTILINE)


def _mask(signals: Iterable[signal.Signals]) -> int:
    return sum(1 << (number - 1) for number in signals)


_QUIET_MASK = _mask(_QUIET)


def wants_out(pid: int) -> bool:
    """Whether a signal that should end a wait is pending for a thread.

    Also True if nothing can be known of it: it is gone, hidden, or in another namespace (pid 0).
    """
    try:
        with open(f"/proc/{pid}/status", "rb") as status:
            sets = {name: int(bits, 16) for name, bits in _SETS.findall(status.read())}
    except OSError:
        return True
    pending = (sets[b"SigPnd"] | sets[b"ShdPnd"]) & ~sets[b"SigBlk"]
    return bool(pending & ~_QUIET_MASK) or is_exiting(pid)


def is_exiting(pid: int) -> bool:
    """Whether a thread is on its way out, closing its files: no signal reaches it any more.

    The kernel sends no interrupt for what it waits for there (FLUSH). False if unknown.
    """
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # pid (name) state ppid pgrp session tty tpgid flags; a name may hold anything.
            fields = stat.read().rpartition(b")")[2].split()
    except OSError:
        return False
    return bool(int(fields[6]) & _EXITING)


def always(pid: int) -> bool:
    """Any signal will do: lock waits, which the kernel restarts where the program asked for it."""
    return True
