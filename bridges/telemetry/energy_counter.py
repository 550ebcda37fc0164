"""What is believed of an energy counter. Pure: `now` is the monotonic clock, powers in W, energies in Wh.

Physics is not overruled by repetition. A counter may gain what can have gone through its device: its own power over
time, or the rating where that power is not known. Energy that has passed and was not counted yet waits in an account:
some devices count once in a quarter of an hour. What a counter says beyond its account is doubted however often it says
so; who comes back to where he was has never been away. Another meter, or one that was set to 0 for good, is believed
once it has counted for an hour what its power says.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from schemas.register import WORDS, Point

HEADROOM = 2.0
"""So many times its rating a device may give where its power is not known: ratings are not limits."""
SEEN, STRAY = 1.25, 0.01
"""Where it is known: so many times the power that was seen (two measurements, the losses between them), and so much of
the rating, for what a device consumes or measures beside it."""
RESERVE = 30.0
"""Seconds of rated power that may have passed between two readings unseen: a power that comes and goes."""
HELD = 10.0
"""Seconds a power that was not read lasts."""
SINGLE = 2.0**-23
"""The relative step of a float of two registers: a counter of 20 GWh moves in steps of 2 kWh."""
STEPS = 2
"""Of a register: its rounding at both ends."""
HOUR, DAY = 3600.0, 86_400.0
MOVES = 3
"""Steps forwards, in an hour at least, that make another counter believed."""
DIGITS = range(5, 10)
"""Of a display that rolls over before its register does."""
NEAR_END = 0.01
"""Of a register: farther from its end nothing counts as over it."""
SHARE = 0.5
"""Of the energy that its power says must have been counted by then."""
TENS = range(-3, 7)
"""Powers of ten of a scale that the device itself tells: where its register ends is not known before."""


@dataclass(slots=True)
class _Account:
    """One course of a counter, and what it may still gain."""

    value: float
    waits: float
    """Wh that have passed and were not counted yet; below 0 when it counted a step too early."""

    def gain(self, value: float, step: float, ends: Iterator[tuple[float, float]]) -> float | None:
        """Wh from here to a new value, over the end of the register or not. None: no physics leads there."""
        gained, most = value - self.value, self.waits + STEPS * step
        if gained >= 0:
            return gained if gained <= most else None
        ways = ((gained + end, min(most, far)) for end, far in ends)
        return next((way for way, far in ways if 0 <= way <= far), None)

    def move(self, value: float, gained: float, reserve: float) -> None:
        self.value, self.waits = value, self.waits - gained
        if gained > 0:  # it counts as it should: what it has not counted by now it will not
            self.waits = min(self.waits, reserve)


@dataclass(slots=True)
class EnergyCounter:
    """One counter of a device."""

    point: Point
    most: float | None
    """W that can go through; None when nobody knows."""
    poll: float = 1.0
    sign: int = 0
    """Which direction of the power it counts: 1, -1, 0 for both."""
    begins_anew: bool = False
    """The calendar sets it to 0."""
    changed: tuple[float, float, float] | None = None
    """When another course of it was believed last, from where, to where: no energy has passed in between."""
    at: float | None = None
    """When its device was read last."""
    _good: _Account | None = None
    _other: _Account | None = None
    """What it says while it is doubted."""
    _power: tuple[float, float] | None = None
    """The last one that was seen, and when."""
    _began: float = 0.0
    _moves: int = 0
    _gained: float = 0.0
    _due: float = 0.0
    """Wh that should have been counted since it was doubted, by its power; of an unknown power nothing."""
    _reserve: float = field(init=False)

    def __post_init__(self) -> None:
        seconds = max(RESERVE, 3 * self.poll)
        self._reserve = 1e300 if self.most is None else self.most * seconds / 3600

    def words(self, now: float) -> str:
        """What a person should know who counts by it; empty an hour after it has changed."""
        if self.changed is None or now - self.changed[0] > HOUR:
            return ""
        _, before, after = self.changed
        return f"goes on from {after:.0f} instead of {before:.0f} Wh: another meter, or it was set back"

    @property
    def value(self) -> float | None:
        """What was believed last."""
        return None if self._good is None else self._good.value

    @property
    def waits(self) -> float:
        """Wh that it may still gain."""
        return 0.0 if self._good is None else self._good.waits

    def recall(self, value: float, waits: float, age: float) -> None:
        """What was believed, and might still be gained, so many seconds ago, before this bridge began."""
        self._good = _Account(value, max(waits, 0.0) + self._bound(age))

    def passes(self, power: float | None, now: float) -> None:
        """A reading of its device; `power` where that was good."""
        before, self.at = self.at, now
        seconds = 0.0 if before is None else now - before
        held = max(HELD, 3 * self.poll)
        last = self._power if self._power is not None and now - self._power[1] <= held else None
        if power is not None:
            self._power = (power, now)
        if power is None and last is not None:
            power = last[0]
        if power is None or last is None or seconds > held:
            passed, due = self._bound(seconds), 0.0
        else:
            passed = self._seen(max(abs(power), abs(last[0])), seconds)
            counted = (power + last[0]) / 2
            due = max(0.0, counted * self.sign) * seconds / 3600 if self.sign else 0.0
        for account in (self._good, self._other):
            if account is not None:
                account.waits += passed
        self._due += due

    def believes(self, value: float, now: float) -> bool:
        """Whether what it says is believed; `passes` comes before."""
        step = max(abs(self.point.scale), abs(value) * SINGLE)
        if self._good is None:
            self._good = _Account(value, self._reserve)
            return True
        gained = self._good.gain(value, step, self._ends(self._good.value))
        if gained is not None:
            self._good.move(value, gained, self._reserve)
            self._other = None
            return True
        self._follow(value, step, now)
        if not self._agrees(step, now):
            return False
        self.changed = (now, self._good.value, value)
        self._good, self._other = self._other, None
        return True

    def _follow(self, value: float, step: float, now: float) -> None:
        other = self._other
        gained = None if other is None else other.gain(value, step, self._ends(other.value))
        if other is None or gained is None:
            self._other = _Account(value, self._reserve)
            self._began, self._moves, self._gained, self._due = now, 0, 0.0, 0.0
            return
        other.move(value, gained, self._reserve)
        self._moves += gained > 0
        self._gained += gained

    def _agrees(self, step: float, now: float) -> bool:
        """It has counted for an hour what its power says; or it has stood still for a day in which nothing flowed, as
        the export of a site that never exports: to doubt one that stands still costs nothing."""
        lasted, counted = now - self._began, self._gained + STEPS * step >= SHARE * self._due
        return counted and ((lasted >= HOUR and self._moves >= MOVES) or lasted >= DAY)

    def _bound(self, seconds: float) -> float:
        """Wh at most while nobody sees its power."""
        return 1e300 if self.most is None else HEADROOM * self.most * max(0.0, seconds) / 3600

    def _seen(self, power: float, seconds: float) -> float:
        return (SEEN * power + STRAY * (self.most or 0.0)) * seconds / 3600

    def _ends(self, before: float) -> Iterator[tuple[float, float]]:
        """What it loses where it begins at 0 again (at the end of its register or of its digits, or by the calendar),
        and how much it can have gained on the way."""
        if self.begins_anew:
            yield before, math.inf
        kind, bits = self.point.type, 16 * WORDS[self.point.type]
        if not kind.startswith(("u", "i")) or bits > 32:
            return
        scale = abs(self.point.scale)
        for ten in (0,) if self.point.scale_register is None else TENS:
            end = scale * 10.0**ten * 2.0**bits
            yield end, end * NEAR_END
        for end in (scale * 10.0**digits for digits in DIGITS if 10**digits < 2**bits):
            yield end, end * NEAR_END
