"""How late one power follows another, measured while both move: the meter the battery, the battery its setpoint. Pure.

The cause is taken from the effect with a shift. At the right shift the steps of the cause vanish from the difference
and only what else moved remains (the load); at a wrong one each step of the cause appears in it twice. So the delay is
the shift at which the difference moves least in all (its total variation), and neither load nor battery has to stand
still for it. What changes faster than the cause ever did was something else, and counts no more than that. What was
learnt fades with what the cause moves, not with time: a loop that swings is measured anew within a swing or two.

The same is tried with the opposite sign: steps that come by the clock, seen the wrong way round, look like steps that
are seen half a period late, all but the first. What both signs explain says nothing of the sign.
"""

import math
from collections import deque
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from optimizer.net_load import Reading

Vector = NDArray[np.float64]
"""One number for each trial, or place."""

RASTER = 0.25
"""Seconds between two powers of the cause that are compared; shifts and means are counted in such places."""
SOONEST, LATEST, STEP = -12, 140, 2
"""The shifts that are tried: a PCS that shows later than its meter makes them negative. A meter may be 30 s late: what
cannot be measured swings without end."""
MEANS = (1, 4, 8, 12, 20)
"""Over how many places the effect may be averaged."""
KEPT = 300
"""Places of the cause that are kept."""
PACE = 0.9
"""Seconds over which a change is counted, at least: in shorter times noise is larger than a ramp."""
MOVED = 0.05
"""Of the rated power: the cause must have moved so much to tell anything."""
MEMORY = 0.5
"""Of the rated power: after so much movement of the cause a third is left of what was learnt before."""
CLEAR, TIE = 0.5, 0.05
"""Of what cause and effect have moved: the best shift leaves less, and those that leave only so much more are as good.
A shift that explains nothing leaves all of it; the load's own steps leave a third at the best."""
LATER = 0.01 * RASTER
"""How much a larger shift must leave less, by place: by the clock of a machine that repeats itself both may fit."""
SURE = 0.2
"""How much less one sign must leave than the other."""
EDGE = 4
"""Places over which a step may be averaged that tells of the opposite sign: a longer ramp may be the load's."""
ALONE, LATELY = 0.5, 10.0
"""Of what the cause has moved in about so many seconds: the best shift leaves less where nothing else moved."""
SLACK = 0.25
"""Seconds: not every shift is tried."""


@dataclass(frozen=True, slots=True)
class Change:
    """Of the effect, between two places of the raster."""

    since: int
    to: int
    power: float
    """W."""
    share: float
    """How much of it is new: changes overlap."""


@dataclass
class Delay:
    """Powers in W, times of the monotonic clock, delays in seconds."""

    rated: float
    held: bool = False
    """The cause stays as it is until the next: setpoints do, powers run between two readings."""
    begun: float | None = None
    """By then the effect has begun to follow; None until it was measured. Negative where the effect is read first."""
    done: float | None = None
    """By then it has followed in full: later where the effect is averaged or is a ramp."""
    sign: int = 0
    """-1 where the effect follows the wrong way round; 0 while it is not known."""
    shows: float | None = None
    """By then it has followed in full, whichever way round; None until the sign is known."""
    alone: bool = False
    """Nothing but the cause has moved the effect lately."""
    _effect: deque[Reading] = field(default_factory=lambda: deque(maxlen=KEPT))
    _waiting: deque[Change] = field(default_factory=lambda: deque(maxlen=KEPT))
    """Changes for which the cause is not known yet at each shift."""
    _first: float | None = None
    _low: float = math.inf
    _high: float = -math.inf
    _turned: bool = False
    """The cause went somewhere, and back: one step alone may have been the load's by chance."""
    _seen: float = 0.0
    """W that the effect has moved."""
    _lately: tuple[float, float] = 0.0, 0.0
    """W that the difference and the cause have moved at the best shift, lately."""

    def __post_init__(self) -> None:
        self._cause = Raster(held=self.held)
        self._soonest = 0 if self.held else SOONEST
        trials = [(shift, mean) for mean in MEANS for shift in range(self._soonest, LATEST - mean + 1, STEP)]
        self._shifts, self._means = np.array(trials).T
        self._later = LATER * np.abs(self._shifts)
        self._left, self._own = np.zeros(len(trials)), np.zeros(len(trials))
        self._against = np.zeros(len(trials))  # what the opposite sign leaves

    def cause(self, at: float, power: float) -> None:
        """It was read, or written."""
        self._cause.add(at, power)
        self._first = power if self._first is None else self._first
        self._low, self._high = min(self._low, power), max(self._high, power)
        ways = (self._high - self._first, self._high - power), (self._first - self._low, power - self._low)
        self._turned |= any(min(way) >= MOVED * self.rated for way in ways)

    def effect(self, at: float, power: float) -> None:
        """It was read. More often than the raster is no use."""
        if self._effect and at < self._effect[-1][0] + 0.9 * RASTER:
            return
        if self.held:
            self._cause.run_on(at)
        self._effect.append((at, power))
        pace = max(PACE, self._cause.gap)
        while len(self._effect) > 2 and self._effect[1][0] <= at - pace:
            self._effect.popleft()
        then, before = self._effect[0]
        if then <= at - pace:
            share = (at - self._effect[-2][0]) / (at - then)
            self._waiting.append(Change(round(then / RASTER), round(at / RASTER), power - before, share))
        while self._waiting and self._waiting[0].to - self._soonest <= self._cause.end:
            self._count(self._waiting.popleft())

    def _count(self, change: Change) -> None:
        """Add what each trial leaves of a change."""
        sums = self._cause.between(change.since - LATEST, change.to - self._soonest)
        powers = np.diff(sums)
        if not len(powers) or float(np.ptp(powers)) < MOVED * self.rated:
            self.alone = False
            return
        length = change.to - change.since
        fastest = float(np.max(np.abs(powers[length:] - powers[:-length])))
        moved = abs(float(powers[LATEST + length - 1] - powers[LATEST - 1]))
        fade = math.exp(-change.share * moved / (MEMORY * self.rated))
        self._seen = fade * self._seen + change.share * min(abs(change.power), fastest)
        owns = self._owns(sums, length)
        left, against = (np.minimum(np.abs(change.power - sign * owns), fastest) for sign in (1, -1))
        self._own = fade * self._own + change.share * np.abs(owns)
        self._left = fade * self._left + change.share * left
        self._against = fade * self._against + change.share * against
        self._judge(change, owns)

    def _owns(self, sums: Vector, length: int) -> Vector:
        """What the cause has moved in the time of a change, shifted and averaged; `sums` begin LATEST before it."""
        since, means = LATEST - self._shifts, self._means
        to = since + length
        return np.asarray((sums[to] - sums[to - means] - sums[since] + sums[since - means]) / means)

    def _judge(self, change: Change, owns: Vector) -> None:
        """Which trials are the best, and whether that says anything."""
        shares, against = self._shares(self._left), self._shares(self._against)
        best, opposite = int(np.argmin(shares)), int(np.argmin(against))
        right = self._clear(shares, best)
        wrong = self._clear(against, opposite) and self._means[opposite] <= EDGE
        better = float(against[opposite] - shares[best])
        if right and better > SURE and self._whole(best, -STEP):
            self.sign = 1
        elif wrong and better < -SURE and self._whole(opposite, 0):
            self.sign = -1
        if right and self.sign != -1:
            self.begun, self.done = self._delay(shares)
        if self.sign == 1 and right:
            self.shows = self.done
        elif self.sign == -1 and wrong:
            self.shows = self._delay(against)[1]
        self.alone = self._left_alone(change, float(owns[best])) and right

    def _left_alone(self, change: Change, own: float) -> bool:
        """The best shift leaves little of what the cause has moved lately."""
        fade = math.exp(-change.share * (change.to - change.since) * RASTER / LATELY)
        left, moved = self._lately
        self._lately = fade * left + change.share * abs(change.power - own), fade * moved + change.share * abs(own)
        return self._lately[0] < ALONE * self._lately[1]

    def _shares(self, left: Vector) -> Vector:
        """What each trial leaves of what cause and effect have moved."""
        moved = self._own > 0
        shares = np.divide(left, self._seen + self._own, out=np.ones(len(left)), where=moved)
        return np.asarray(shares + self._later)

    def _whole(self, trial: int, soonest: int) -> bool:
        """It tells a sign. One before the cause does not: then the cause answers the effect, as a loop does. Nor one
        that has seen less than half of the steps: an average has yet to show the rest."""
        whole = self._shifts[trial] >= soonest and self._own[trial] >= np.max(self._own) / 2
        return self._turned and bool(whole)

    def _clear(self, shares: Vector, best: int) -> bool:
        return bool(shares[best] < CLEAR and self._own[best] >= MOVED * self.rated)

    def _delay(self, shares: Vector) -> tuple[float, float]:
        """By when it has begun, and by when it is done, by all trials that are as good as the best."""
        good = shares <= np.min(shares) + TIE
        shifts, ends = self._shifts[good], (self._shifts + self._means)[good] - 1
        slack = SLACK + self._cause.gap / 2
        return float(np.max(shifts)) * RASTER + slack, float(np.max(ends)) * RASTER + slack


@dataclass
class Raster:
    """A power at each place of the raster, as running sums: its mean over any time is the difference of two."""

    held: bool
    end: int = 0
    """The last place that is known."""
    gap: float = 0.0
    """Seconds between two readings, about; 0 where it is held."""
    _last: Reading | None = None
    _sums: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))

    def add(self, at: float, power: float) -> None:
        """The next reading. Before the first one, and before a long silence ended, it stood still."""
        if self._last is None or math.floor(at / RASTER) > self.end + KEPT:
            self._sums.extend(power * place for place in range(KEPT))
            self.end = math.floor(at / RASTER)
        elif at > self._last[0]:
            gap = at - self._last[0]
            if not self.held:
                self.gap += (gap - self.gap) * (0.2 if self.gap else 1.0)
            self._fill(at, self._last, 0.0 if self.held else (power - self._last[1]) / gap)
        else:
            return
        self._last = at, power

    def run_on(self, at: float) -> None:
        """It has not changed until then."""
        if self._last is not None:
            self._fill(at, self._last, 0.0)

    def between(self, since: int, to: int) -> Vector:
        """The sums from a place to another; none where not all are known."""
        first = self.end - KEPT + 1
        known = first <= since and to <= self.end
        return np.array([*islice(self._sums, since - first, to - first + 1)] if known else [], dtype=np.float64)

    def _fill(self, at: float, last: Reading, slope: float) -> None:
        then, power = last
        for place in range(self.end + 1, math.floor(at / RASTER) + 1):
            self._sums.append(self._sums[-1] + power + slope * (place * RASTER - then))
            self.end = place
