"""Who waits for whom, over all files of a mount: deadlocks are found before they begin.

As in kernels, only what this mount knows counts: a circle that goes through another client is
seen by nobody, and ends when one of the waiters is signalled.
"""

from collections.abc import Callable, Iterable

from .table import Owner

Blockers = Callable[[], Iterable[Owner]]


class WaitGraph:
    """Each owner's waits, as functions that tell who is in the way now."""

    def __init__(self) -> None:
        self._waits: dict[Owner, list[Blockers]] = {}

    def begin(self, owner: Owner, blockers: Blockers) -> None:
        """The owner waits from now on."""
        self._waits.setdefault(owner, []).append(blockers)

    def end(self, owner: Owner, blockers: Blockers) -> None:
        """It waits no more."""
        waits = self._waits[owner]
        waits.remove(blockers)
        if not waits:
            del self._waits[owner]

    def closes_a_circle(self, owner: Owner, blockers: Iterable[Owner]) -> bool:
        """True if one of these waits, over however many others, for `owner`."""
        seen: set[Owner] = set()
        ahead = list(blockers)
        while ahead:
            other = ahead.pop()
            if other == owner:
                return True
            if other not in seen:
                seen.add(other)
                for wait in self._waits.get(other, ()):
                    ahead.extend(wait())
        return False
