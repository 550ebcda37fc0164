"""How far a number rose or fell, by more than one reading. Pure: alarms (`rate`) and interlocks (`rises`) judge by it.

One reading proves nothing: a spike, a telegram that was mixed up, a sensor that says 0 for once. A device that measures
each 5 s and is read each second says each reading five times. So
- the same number said again is another reading only after a tenth of the span, but for who waits for himself
  (`held`, an interlock by its `hold`);
- a value has moved as far as the last two readings agree on;
- where it came from is the middle of three readings, and all that was there in the span before counts: a sensor that
  said 0 or -40 for less than a span and comes back has not risen, it was there before.
"""

from typing import NamedTuple

Reading = tuple[float, float]
"""When (s on the monotonic clock), and what."""

SAMPLES = 60
"""Of a span are kept."""
SAME = 1 / 10
"""Of a span: so long the same number may be one reading, said again."""
BEGIN = 1 / 6
"""Of a span, from the first reading on, counts as where a value came from: a device that begins says 0 for a while."""


class Moved(NamedTuple):
    """How far, and in how many seconds."""

    amount: float
    """Falling is negative."""
    seconds: float


class Past(NamedTuple):
    """What is known of a number over the last two spans."""

    said: tuple[Reading, ...] = ()
    """What was said the last two times."""
    last: tuple[Reading, ...] = ()
    """The last three readings."""
    middles: tuple[Reading, ...] = ()
    """The middle of each three in a row, not more than SAMPLES of a span."""
    first: float = 0.0
    """When the first of them was."""

    def read(self, now: float, value: float, span: float) -> "Past":
        """With one more reading."""
        said = (*self.said[-1:], (now, value))
        if self.last and value == self.last[-1][1] and now - self.last[-1][0] < SAME * span:
            return self._replace(said=said)
        last = (*self.last[-2:], (now, value))
        if len(last) < 3:
            return Past(said, last)
        middle = sorted(one for _, one in last)[1]
        at = min(when for when, one in last if one == middle)
        if self.middles and at - self.middles[-1][0] < span / SAMPLES:
            return Past(said, last, self.middles, self.first)
        middles, oldest = (*self.middles, (at, middle)), at - 2 * span
        drop = 0
        while len(middles) - drop > 1 and middles[drop + 1][0] <= oldest:
            drop += 1
        return Past(said, last, middles[drop:], self.first if self.middles else at)

    def moved(self, span: float, *, early: bool = False, held: bool = False) -> Moved | None:
        """Over the span that ends with the last reading; None until it was seen (`early`: until there are three
        readings, and then over what was seen). `held`: each time that it was said is a reading."""
        if not self.middles:
            return None
        (at, value), (later, newest) = self.said if held else self.last[-2:]
        begin = min(at, later) - span
        if self.middles[0][0] > begin and not early:
            return None
        until = max(begin, self.first + BEGIN * span)
        before = [one for one in self.middles if one[0] <= until]
        low, high = min(one for _, one in before), max(one for _, one in before)
        began, least, most = self._began(len(before), until), min(value, newest), max(value, newest)
        if least > high:
            return Moved(least - high, (at if value == least else later) - began)
        if most < low:
            return Moved(most - low, (at if value == most else later) - began)
        return Moved(0.0, span)

    def _began(self, before: int, until: float) -> float:
        """When it was last where it came from: what is the same behind `until` was so then."""
        held = before < len(self.middles) and self.middles[before][1] == self.middles[before - 1][1]
        return until if held else self.middles[before - 1][0]


NO_PAST = Past()
