"""The meters of one grid connection added up, reading by reading. Pure: times are of the monotonic clock.

A sum is made in rounds: once each meter has a new reading, of the newest of each. So a round is as fast as the slowest
of them, and a step that one shows before the other is seen in part for a round, never as a step back. What a meter does
not say, or says long ago, is not known of the whole either.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import hypot

from schemas.messages import Value
from schemas.register import Point
from schemas.site_device import POLLS
from schemas.site_meters import HOW, MADE_OF
from schemas.units import Quality, plain

SLOW, TURNS = 60.0, 20
"""Seconds for which a point that is read in turn with others tells of now at least, and so many polls."""
FRESH = 5.0
"""Seconds for which a reading belongs to those of the other meters, and 2.5 polls of a meter that is read seldom."""
APART = 0.1
"""Of the larger one: voltages farther apart are not of one line, as where a transformer is switched off."""
WORST = (Quality.IMPLAUSIBLE, Quality.FROZEN, Quality.STALE, Quality.SUBSTITUTED, Quality.GOOD)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one meter said of a point."""

    value: float
    quality: Quality
    began: float


@dataclass(frozen=True, slots=True)
class Summed:
    """One reading of the whole."""

    values: dict[str, Value]
    quality: dict[str, Quality]
    """Of each, good ones, too: as the worst of the meters."""
    began: float
    """When the first question of the oldest of its readings was asked."""


@dataclass
class Rounds:
    """Powers in W, energies in Wh."""

    polls: Mapping[str, float]
    """Seconds between two readings of each meter."""
    points: Mapping[str, Point]
    """That all of them have."""
    shifts: dict[str, dict[str, float]] = field(default_factory=dict)
    """Wh by which a counter that began anew, or was exchanged, is carried on; by meter and point."""
    _seen: dict[str, dict[str, Seen]] = field(default_factory=dict)
    _began: dict[str, float] = field(default_factory=dict)
    """When each was read last."""
    _used: dict[str, dict[str, float]] = field(default_factory=dict)
    """By meter and point: which reading of it the last sum was made of."""
    _round: dict[str, float] = field(default_factory=dict)

    def hear(
        self,
        meter: str,
        values: Mapping[str, Value],
        quality: Mapping[str, Quality],
        began: float,
        exchanged: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        """A meter was read. `exchanged`: counters that are believed to go on from another value, from which to what."""
        seen = self._seen.setdefault(meter, {})
        for point in self.points:
            value = values.get(point)
            if not isinstance(value, float):
                continue
            one = Seen(value, quality.get(point, Quality.GOOD), began)
            if HOW[point] == "counter" and one.quality is Quality.GOOD:
                self._carry_on(meter, point, value, (exchanged or {}).get(point))
            elif HOW[point] == "counter":
                continue  # what is not believed of a counter says nothing, and moves nothing
            seen[point] = one
        self._began[meter] = began

    def _carry_on(self, meter: str, point: str, value: float, exchanged: tuple[float, float] | None) -> None:
        """The sum stands still while a counter goes back to 0 or to that of another meter."""
        last = self._seen[meter].get(point)
        step = exchanged[0] - exchanged[1] if exchanged else last.value - value if last and value < last.value else 0.0
        if step:
            mine = self.shifts.setdefault(meter, {})
            mine[point] = mine.get(point, 0.0) + step

    def late(self, now: float, since: float) -> list[str]:
        """The meters of which nothing tells of now; `since` when they were expected first."""
        return [
            name for name, poll in self.polls.items() if now - self._began.get(name, since) > max(FRESH, POLLS * poll)
        ]

    def complete(self, now: float) -> bool:
        """Each was read since the last sum, and all of it tells of now."""
        return not self.late(now, float("-inf")) and all(
            self._began[name] > self._round.get(name, float("-inf")) for name in self.polls
        )

    def add_up(self) -> Summed:
        """The newest readings together; `complete` comes before."""
        self._round = dict(self._began)
        newest, values, quality = max(self._began.values()), dict[str, Value](), dict[str, Quality]()
        for point in self.points:
            if point in MADE_OF or (parts := self._parts(point, newest)) is None:
                continue
            values[point], how = ADDED[HOW[point]](parts)
            quality[point] = how
        for point in self.points:
            p, q = (values.get(part) for part in MADE_OF.get(point, ("", "")))
            if not isinstance(p, float) or not isinstance(q, float):
                continue
            s = hypot(p, q)
            if HOW[point] == "apparent" or s:
                values[point] = plain(s if HOW[point] == "apparent" else p / s)
                quality[point] = _worst([quality[part] for part in MADE_OF[point]])
        return Summed(values, quality, min(self._began.values()))

    def _parts(self, point: str, newest: float) -> list[Seen] | None:
        """What each meter says of a point; None where one does not, or has said nothing new of it."""
        found = list[Seen]()
        for name, poll in self.polls.items():
            one = self._seen.get(name, {}).get(point)
            oldest = newest - max(SLOW, TURNS * poll) if self.points[point].rate == "slow" else self._began[name]
            if one is None or one.began < oldest:
                return None
            if one.began <= self._used.get(name, {}).get(point, float("-inf")):
                return None
            found.append(Seen(one.value + self.shifts.get(name, {}).get(point, 0.0), one.quality, one.began))
        for name, one in zip(self.polls, found, strict=True):
            self._used.setdefault(name, {})[point] = one.began
        return found


def _sum(parts: Sequence[Seen]) -> tuple[float, Quality]:
    return plain(sum(one.value for one in parts)), _worst([one.quality for one in parts])


def _mean(parts: Sequence[Seen]) -> tuple[float, Quality]:
    total, how = _sum(parts)
    low, high = min(one.value for one in parts), max(one.value for one in parts)
    return plain(total / len(parts)), how if high - low <= APART * high else _worst([how, Quality.IMPLAUSIBLE])


def _any(parts: Sequence[Seen]) -> tuple[float, Quality]:
    """There is but one frequency: the first that is good, of a meter that has a voltage."""
    one = min(parts, key=lambda part: (-WORST.index(part.quality), not part.value))
    return one.value, one.quality


def _worst(each: Sequence[Quality]) -> Quality:
    return min(each, key=WORST.index)


ADDED: Mapping[str, Callable[[Sequence[Seen]], tuple[float, Quality]]] = {
    "sum": _sum,
    "counter": _sum,
    "mean": _mean,
    "any": _any,
}
"""By the word in `schemas.site_meters.HOW`."""
