"""How many messages may be on their way, so that the newest never waits long behind the past. Pure.

A slow line is a queue: 200 old samples at 20 kB/s hold up the next new one for 6 s. So there may be as many as the line
confirms without delay, above the shortest time an answer ever took.
"""

from dataclasses import dataclass

LEAST, MOST = 20, 400
DELAY = 0.5
"""Seconds an answer may come later than the quickest one."""


@dataclass
class SendWindow:
    """Of one connection: it begins carefully, and doubles with each round trip that is quick."""

    room: int = LEAST
    """Messages the broker may owe an answer for."""
    quickest: float = float("inf")
    _late: float = 0.0

    def confirmed(self, sent: float, now: float) -> None:
        """An answer came; both times are of the monotonic clock."""
        took = now - sent
        self.quickest = min(self.quickest, took)
        if took <= self.quickest + DELAY:
            self.room = min(MOST, self.room + 1)
        elif sent >= self._late:  # what was on its way already says no more than the first of it
            self.room, self._late = max(LEAST, self.room // 2), now

    @property
    def past(self) -> int:
        """How many there may be for another old one to be sent: half of the room is kept free for the newest."""
        return self.room // 2

    @property
    def newest(self) -> int:
        """How many there may be for a new one to be sent at once: a line that is too slow for all is not filled up."""
        return self.room if self._late else MOST
