"""Credits: the server's permission to send ([MS-SMB2] 3.2.4.1.2, 3.2.4.1.5).

The server grants credits with its answers, and each request spends as many as 64 KiB
pieces it moves. Message ids are the numbers of the credits spent, so spending and
numbering are one act.

The account serves in order of arrival: a large request at the head holds back
small ones behind it, or a stream of small ones would starve it, and a stream of large
ones cannot keep a directory listing out. A request that wants more than the server ever
leaves us is told so at once (`CreditShortage`) and must come back smaller; waiting
would be for ever. What a server grants beyond the target is not counted: no number of its
choice decides how much we keep in flight.
"""

from collections import deque

import trio

CREDIT_SIZE = 64 * 1024  # bytes of payload one credit pays for


def charge_of(payload: int) -> int:
    """Credits that a request with `payload` bytes, sent or asked for, costs."""
    return max(1, -(-payload // CREDIT_SIZE))


class CreditShortage(Exception):
    """The server's whole window is smaller than the charge."""

    def __init__(self, wanted: int, window: int) -> None:
        super().__init__(f"{wanted} credits wanted, the server leaves us {window}")
        self.window = window


class Credits:
    """One connection's account. Starts with the one credit that NEGOTIATE spends."""

    def __init__(self, target: int) -> None:
        self.target = target  # credits to hold at most; the server may leave us fewer
        self.available = 1
        self.lent = 0  # spent on requests that are not answered yet
        self.next_message_id = 0
        self._waiting: deque[tuple[int, trio.Event]] = deque()
        self._broken = False
        self._moved_at = 0.0  # when somebody began to wait, or credits came for who does

    @property
    def window(self) -> int:
        """All the credits there are: at hand, and out with requests."""
        return self.available + self.lent

    def wish(self, charge: int) -> int:
        """Credits to ask for with a request: its own back, and some towards the target."""
        return charge + max(0, min(self.target - self.window, 128))

    async def spend(self, charge: int) -> int:
        """Wait for `charge` credits, take them, and return the first message id.

        Raises CreditShortage if the window cannot grow to `charge`. No await stands between
        taking the credits and returning, so a cancelled caller has spent nothing.
        """
        if not self._waiting and charge <= self.available:
            return self._take(charge)
        if self._hopeless(charge):
            raise CreditShortage(charge, self.window)
        if not self._waiting:
            self._moved_at = trio.current_time()
        turn = (charge, trio.Event())
        self._waiting.append(turn)
        try:
            while not self._broken:
                if self._waiting[0] is turn:
                    if charge <= self.available:
                        return self._take(charge)
                    if self._hopeless(charge):
                        raise CreditShortage(charge, self.window)
                await turn[1].wait()
                turn = self._renew(turn)
            return 0  # the connection is gone; the sender will notice
        finally:
            self._waiting.remove(turn)
            self._wake()

    def _renew(self, turn: tuple[int, trio.Event]) -> tuple[int, trio.Event]:
        fresh = (turn[0], trio.Event())
        self._waiting[self._waiting.index(turn)] = fresh
        return fresh

    def _hopeless(self, charge: int) -> bool:
        return charge > self.window and self.lent == 0

    def _take(self, charge: int) -> int:
        first = self.next_message_id
        self.next_message_id += charge
        self.available -= charge
        self.lent += charge
        return first

    def grant(self, credits: int) -> None:
        """The server gave `credits` with some answer, interim ones included.

        An answer's own charge is settled before, so that the window never grows over the target.
        """
        counted = max(0, min(credits, self.target - self.window))
        self.available += counted
        if counted and self._waiting:
            self._moved_at = trio.current_time()
        self._wake()

    def starved(self, seconds: float) -> bool:
        """True if somebody has waited so long and not one credit came."""
        return bool(self._waiting) and trio.current_time() - self._moved_at >= seconds

    def settle(self, charge: int) -> None:
        """A request that cost `charge` has its final answer; its credits are no longer out."""
        self.lent -= charge
        self._wake()

    def fail(self) -> None:
        """The connection is lost: nobody needs to wait any longer."""
        self._broken = True
        for _, event in self._waiting:
            event.set()

    def _wake(self) -> None:
        if self._waiting:
            self._waiting[0][1].set()
