"""In which time the broker was proven to deliver: in any other, nobody's silence is his own. Pure.

A broker that stands still, a line that is lost and a process that is frozen look the same: a question to the broker is
answered late. Then bridges need a moment to connect again, and that does not count either.
"""

FROZEN = 3.0
"""Seconds between two answers of the broker that prove nothing of the time between them."""
GRACE = 5.0
"""Seconds that bridges may take behind it: they pause up to 3 s between two tries to connect."""


class Delivery:
    """Times are seconds on the steady clock."""

    def __init__(self, now: float) -> None:
        self._answered = now
        self._patient = float("-inf")
        self._lost: float | None = None
        """Since when nobody could be heard, as far as that was not told yet."""
        self._longest = 0.0
        """Seconds, of the gaps between two answers since it last delivered well."""

    @property
    def most(self) -> float:
        """Seconds of one device's silence that the broker can be blamed for: it answered behind the longest gap, and
        what was said before came first. A broker that is slow for ever would excuse everybody for ever."""
        return self._longest + GRACE

    def answered(self, now: float) -> None:
        """The broker has just answered a question that was put after the last answer."""
        self._look(now)
        if self._lost is not None and now - self._answered > FROZEN:
            self._patient = now + GRACE
        self._answered = now

    def missed(self, now: float) -> tuple[float, float] | None:
        """The time up to now in which nobody could be heard, each part of it once."""
        self._look(now)
        if self._lost is None:
            return None
        begin = self._lost
        over = now - self._answered <= FROZEN and now >= self._patient
        self._lost = None if over else now
        return begin, now

    def _look(self, now: float) -> None:
        gap = now - self._answered
        if gap > FROZEN:
            self._longest = gap if self._lost is None else max(self._longest, gap)
            self._lost = self._answered if self._lost is None else self._lost
