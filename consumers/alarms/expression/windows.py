"""What looks back in time: a rate, a value that does not move, a count, and the mean of a window of the clock.

Each keeps a bounded part of the past, on the monotonic clock. What was not known for longer than a reading may be
late is a gap: behind it a window begins anew.
"""

from collections import deque
from collections.abc import Callable, Collection
from datetime import UTC, datetime, tzinfo
from math import inf
from typing import Any

from consumers.alarms.expression.scope import Place
from consumers.alarms.latest import Latest
from schemas.rise import BEGIN, Past

Run = Callable[[Latest, float, datetime], Any]
"""What a part of an expression is compiled to: its value now; None when it is not known."""

Told = tuple[Place, Place, Place]
"""Where the mean of a window so far stands, in the unit of the value, of how many seconds it is, and its length."""

MOST_COUNTED = 1000
UNSEEN = 10.0
"""Seconds without a look behind which nobody knows what happened; the clock looks once a second."""
STEP = 2.0
"""Seconds by which the wall clock may run apart from the monotonic one between two looks: more is a step."""
ENOUGH = 60.0
"""Seconds of a window of the clock that must have been seen."""
SHARE = 0.9
"""Of the part of such a window that is over must have been seen, as of one that is billed: after a start in its middle
the minutes that were seen say nothing of those before."""
_OFFSET_HOLDS = 300
"""Seconds: a zone changes its offset on full five minutes only."""


class Rate:
    """How fast a value moved over the span, by more than one reading (`schemas/rise.py`). One that holds until the
    next is read is no reading: a point that is read each 200 s does not rise within the second in which it is. A gap
    that is shorter than the span hides no rise."""

    def __init__(self, of: Run, span: float, gap: float, places: Collection[Place]) -> None:
        self._of, self._span, self._gap, self._places = of, span, max(span, gap), places
        self._past = Past()
        self._rate: float | None = None
        self._so_far = 0.0
        self._read = (0.0, 0.0)
        self._known = float("-inf")

    def __call__(self, latest: Latest, now: float, wall: datetime) -> float | None:
        value = self._of(latest, now, wall)
        if value is None:
            self._so_far = 0.0
            return None
        if now - self._known > self._gap:
            self._past = Past()
        self._known = now
        read = heard(latest, self._places, now), value
        if read != self._read or not self._past.said:
            self._read = read
            self._past = self._past.read(now, value, self._span)
            moved = self._past.moved(self._span)
            self._rate = None if moved is None else moved.amount / moved.seconds
            early = self._past.moved(self._span, early=True) if moved is None else None
            begun = early is not None and now - self._past.first > BEGIN * self._span
            self._so_far = early.amount / self._span if early is not None and begun else 0.0
        return self._rate

    def rose(self, _latest: Latest, _now: float, _wall: datetime) -> float | None:
        """At least so fast, by the last look, in a span of which a part was not seen: after a start in mid-fire."""
        return self._so_far if self._so_far > 0 else None

    def fell(self, _latest: Latest, _now: float, _wall: datetime) -> float | None:
        """The same of a fall."""
        return self._so_far if self._so_far < 0 else None


def heard(latest: Latest, places: Collection[Place], now: float) -> float:
    """Another one for each reading; of a word that holds for ever each look is one."""
    until = max((latest.values[place][1] for place in places if place in latest.values), default=inf)
    return now if until == inf else until


class Stuck:
    """Whether a value has not moved for the span. One that holds until the next is read shows nothing meanwhile."""

    def __init__(self, of: Run, span: float, gap: float, places: Collection[Place]) -> None:
        self._of, self._span, self._gap, self._places = of, span, gap, places
        self._held: object = None
        self._since, self._known = 0.0, float("-inf")
        self._read = self._at = 0.0
        self._moved = False

    def __call__(self, latest: Latest, now: float, wall: datetime) -> bool | None:
        value = self._of(latest, now, wall)
        if value is None:
            return None
        read = heard(latest, self._places, now)
        if now - self._known > self._gap:
            self._held, self._since, self._moved = value, now, False
        elif value != self._held:
            self._held, self._since, self._moved = value, now, True
        if read != self._read or self._since == now:
            self._read, self._at = read, now
        self._known = now
        if self._at - self._since >= self._span:
            return True
        return False if self._moved else None


class Count:
    """How often a condition came true within the span; of what is said of commands how many messages fit, where each
    is one of its own: three that failed in a row are three."""

    def __init__(self, of: Run, span: float, events: Collection[Place] = ()) -> None:
        """`events`: the places of messages that the condition looks at."""
        self._of, self._span, self._events = of, span, events
        self._heard: int | None = None
        self._edges: deque[float] = deque(maxlen=MOST_COUNTED)
        self._last: bool | None = None
        self._looked = self._begin = float("-inf")

    def at_least(self, latest: Latest, now: float, wall: datetime) -> float:
        """What was seen of them."""
        wrong = self._of(latest, now, wall)
        unknown = wrong is None and not self._events  # while no message came there was none
        if unknown or now - self._looked > UNSEEN:
            self._begin = now
        self._looked = now
        if self._is_one(latest, wrong):
            self._edges.append(now)
        if wrong is not None:
            self._last = wrong
        while self._edges and self._edges[0] <= now - self._span:
            self._edges.popleft()
        return float(len(self._edges))

    def _is_one(self, latest: Latest, wrong: bool | None) -> bool:
        if not self._events:
            return wrong is True and self._last is False
        heard = sum(latest.messages.get(place, 0) for place in self._events)
        before, self._heard = self._heard, heard
        return wrong is True and heard != before and heard > 0

    def __call__(self, latest: Latest, now: float, wall: datetime) -> float | None:
        seen = self.at_least(latest, now, wall)
        return seen if now - self._begin >= self._span else None


class Projected:
    """The mean that the running window of the clock will have when the value stays as it is now. One reading that lies
    farther from the mean so far than the one before is not taken for what stays."""

    def __init__(
        self, of: Run, length: float, zone: tzinfo, places: Collection[Place], told: Told | None = None
    ) -> None:
        """`told`: who else has followed this window, for what was not seen here."""
        self._of, self._length, self._zone, self._places, self._told = of, length, zone, places, told
        self._read: float | None = None
        self._newest = self._before = 0.0
        self._window: int | None = None
        self._seen = self._sum = 0.0
        self._last: float | None = None
        self._at = self._wall = 0.0
        self._offset, self._offset_of = 0.0, -1

    def __call__(self, latest: Latest, now: float, wall: datetime) -> float | None:
        value: float | None = self._of(latest, now, wall)
        if value is not None:
            self._hear(value, heard(latest, self._places, now))
        instant = wall.timestamp()
        local = instant + self._zone_offset(instant)
        window = int(local // self._length)
        over = local - window * self._length
        passed = now - self._at
        counted = passed
        if window != self._window:
            stepped = abs(instant - self._wall - passed) > STEP
            counted = 0.0 if stepped else min(passed, over)
            self._window, self._seen, self._sum = window, 0.0, 0.0
        if self._last is not None and passed <= UNSEEN:
            self._seen += counted
            self._sum += self._last * counted
        self._last, self._at, self._wall = value, now, instant
        least = max(ENOUGH, SHARE * over)
        if value is None:
            return None
        mean = self._sum / self._seen if self._seen >= least else self._elsewhere(latest, now, least)
        if mean is None:
            return None
        stays = min(self._newest, self._before, key=lambda one: abs(one - mean))
        return (mean * over + stays * (self._length - over)) / self._length

    def _hear(self, value: float, read: float) -> None:
        """The last two readings."""
        if read != self._read:
            self._before = value if self._read is None else self._newest
            self._newest, self._read = value, read

    def _elsewhere(self, latest: Latest, now: float, least: float) -> float | None:
        """The mean so far as it is told, where that was seen enough."""
        if self._told is None:
            return None
        mean, seen, length = (latest.value(place, now) for place in self._told)
        if not isinstance(mean, float) or not isinstance(seen, float) or length != self._length:
            return None
        return mean if seen >= least else None

    def _zone_offset(self, instant: float) -> float:
        part = int(instant // _OFFSET_HOLDS)
        if part != self._offset_of:
            offset = datetime.fromtimestamp(instant, UTC).astimezone(self._zone).utcoffset()
            self._offset, self._offset_of = 0.0 if offset is None else offset.total_seconds(), part
        return self._offset
