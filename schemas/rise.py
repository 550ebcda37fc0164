"""How far a number rose or fell, by more than one reading. Pure: alarms (`rate`) and interlocks (`rises`) judge by it.

One reading proves nothing: a spike, a telegram that was mixed up, a sensor that says 0 for once. So
- a value has moved as far as the last two readings agree on;
- where it came from is the middle of three readings, and all that was there in the span before counts: a sensor that
  said 0 or -40 for less than a span and comes back has not risen, it was there before.
"""

from typing import NamedTuple

Reading = tuple[float, float]
"""When (s on the monotonic clock), and what."""

SAMPLES = 60
"""Of a span are kept."""
BEGIN = 1 / 6
"""Of a span, from the first reading on, counts as where a value came from: a device that begins says 0 for a while."""


class Moved(NamedTuple):
    """How far, and in how many seconds."""

    amount: float
    """Falling is negative."""
    seconds: float


class Past(NamedTuple):
    """What is known of a number over the last two spans."""

    last: tuple[Reading, ...] = ()
    """The last three readings."""
    middles: tuple[Reading, ...] = ()
    """The middle of each three in a row, not more than SAMPLES of a span."""
    first: float = 0.0
    """When the first of them was."""

    def read(self, now: float, value: float, span: float) -> "Past":
        """With one more reading."""
        last = (*self.last[-2:], (now, value))
        if len(last) < 3:
            return Past(last)
        at, middle = last[1][0], sorted(one for _, one in last)[1]
        if self.middles and at - self.middles[-1][0] < span / SAMPLES:
            return Past(last, self.middles, self.first)
        middles, oldest = (*self.middles, (at, middle)), at - 2 * span
        drop = 0
        while len(middles) - drop > 1 and middles[drop + 1][0] <= oldest:
            drop += 1
        return Past(last, middles[drop:], self.first if self.middles else at)

    def moved(self, span: float, *, early: bool = False) -> Moved | None:
        """Over the span that ends with the last reading; None until it was seen (`early`: until there are three
        readings, and then over what was seen)."""
        if not self.middles:
            return None
        (at, value), (later, newest) = self.last[-2:]
        begin = min(at, later) - span
        if self.middles[0][0] > begin and not early:
            return None
        until = max(begin, self.first + BEGIN * span)
        before = [one for one in self.middles if one[0] <= until]
        low, high = min(one for _, one in before), max(one for _, one in before)
        began, least, most = before[-1][0], min(value, newest), max(value, newest)
        if least > high:
            return Moved(least - high, (later if newest == least else at) - began)
        if most < low:
            return Moved(most - low, (later if newest == most else at) - began)
        return Moved(0.0, span)


NO_PAST = Past()
