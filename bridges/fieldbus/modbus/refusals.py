"""A server that takes a connection and closes it before it has answered: it may serve one client, and that is another.
Pure: times in seconds of any clock.

Who is not served must not knock all the time: some close the other client's connection for it.
"""

from dataclasses import dataclass

SEVERAL = 3
"""So many connections in a row: before, it may have been a restart."""

PAUSE, LONGEST = 0.5, 8.0
"""Seconds until the next try after the first of those, and at most: each doubles them."""


@dataclass
class Refusals:
    """Of one address."""

    address: str
    times: int = 0
    """Connections in a row that were closed before a byte came."""
    left: bool = False
    """It has refused or closed the connection since a byte came last."""
    served: bool = False
    """A byte came on this connection: until then it may stand in the queue of an operating system."""
    _again: float = 0.0

    def made(self) -> None:
        self.served = False

    def heard(self) -> None:
        self.times, self.left, self.served, self._again = 0, False, True, 0.0

    def closed(self, now: float) -> None:
        """By the other side."""
        self.left = True
        self.times += not self.served
        if self.times >= SEVERAL:
            self._again = now + min(PAUSE * 2 ** (self.times - SEVERAL), LONGEST)

    def wait(self, now: float) -> float:
        """Seconds until it may be tried again."""
        return max(0.0, self._again - now)

    @property
    def words(self) -> str:
        """Empty while there is nothing to say; the same as long as it lasts."""
        if self.times < SEVERAL:
            return ""
        return (
            f"{self.address} closes each new connection before it answers: it may serve one client only, and another "
            f"one is connected; it is tried again within {LONGEST:g} s"
        )
