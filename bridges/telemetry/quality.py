"""How far a value can be believed. Pure: `now` is the monotonic clock.

A judge belongs to one device and remembers what it saw: a value alone can only be out of range, but a block that
stands still, a jump no physics allows, and a counter that runs backwards show in time. What jumped is believed
again when it was confirmed: some readings in a row that agree with each other.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from schemas.messages import Value
from schemas.profile import WORDS, Point, Profile
from schemas.units import Kind, Quality

CONFIRMED = 3
"""Readings in a row that must agree before a jump, a reset or a new meter is believed."""

METER_FROZEN = 60.0
"""Seconds a meter's registers may stand still: the grid's voltage and frequency never do for so long."""

HEADROOM = 2.0
"""A device may give this many times its rated power before its counter is doubted: ratings are not limits."""

SINGLE = 2.0**-23
"""The relative step of a float of two registers: a counter of 20 GWh moves in steps of 2 kWh."""

LEVELS = ("e_remaining", "e_rated")
"""Energies that no counter counts: what is left goes down as well as up."""

WIDEST_ZERO = 8
"""Registers: so many zeros in a row are a device that has no data (yet), fewer may be a device at rest."""

Possible = Callable[[float, float], bool]
"""Whether a value can have come from an earlier one, so many seconds ago."""


@dataclass(slots=True)
class _Trust:
    """What is believed of one value, and what came instead of it."""

    at: float
    value: float
    since: float = 0.0
    other: float = 0.0
    """The last value that was not believed, and when it came."""
    agreed: int = 0


@dataclass
class Judge:
    """Judges the readings of one device."""

    profile: Profile
    power: float | None = None
    """W the device can move at most, by its ratings; None when nobody knows."""
    _pulse: tuple[Value, float] | None = None
    """The last beat, and since when."""
    _still: dict[Hashable, tuple[Sequence[int], float]] = field(default_factory=dict)
    """What each block held, and since when."""
    _trust: dict[str, _Trust] = field(default_factory=dict)
    _counters: dict[str, tuple[float, float | None]] = field(default_factory=dict)
    """Of each energy counter: its step, and where it wraps."""
    _steep: dict[str, float] = field(default_factory=dict)
    _ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    _analog: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        points = self.profile.points
        self._analog = frozenset(name for name, point in points.items() if _is_analog(point))
        self._ranges = {
            name: (-1e300 if point.low is None else point.low, 1e300 if point.high is None else point.high)
            for name, point in points.items()
            if point.low is not None or point.high is not None
        }
        self._steep = {name: point.steepest for name, point in points.items() if point.steepest is not None}
        self._counters = {
            name: (abs(point.scale), _span(point))
            for name, point in points.items()
            if point.unit == "Wh" and name.startswith("e_") and name not in LEVELS
        }

    def judge(
        self, values: Mapping[str, Value], raw: Mapping[Hashable, Sequence[int]], now: float
    ) -> dict[str, Quality]:
        """The points that are not good. `raw` is what the blocks held that were read in this cycle."""
        if _is_blank(raw):
            return dict.fromkeys(values, Quality.IMPLAUSIBLE)
        if self._has_no_pulse(values, now):
            return dict.fromkeys(values, Quality.STALE)
        found = {name: Quality.FROZEN for name in values if name in self._analog} if self._is_frozen(raw, now) else {}
        for name, (low, high) in self._ranges.items():
            value = values.get(name)
            if isinstance(value, float) and not low <= value <= high:
                found[name] = Quality.IMPLAUSIBLE
        for name, steepest in self._steep.items():
            value = values.get(name)
            if isinstance(value, float) and name not in found and not self._follows(name, value, now, steepest):
                found[name] = Quality.IMPLAUSIBLE
        for name in self._counters:
            value = values.get(name)
            if isinstance(value, float) and name not in found and not self._counts(name, value, now):
                found[name] = Quality.IMPLAUSIBLE
        return found

    def _has_no_pulse(self, values: Mapping[str, Value], now: float) -> bool:
        """The device answers, but what it tells is old: its own source has gone."""
        beat = values.get(self.profile.pulse or "")
        if beat is None:
            return False
        if self._pulse is None or self._pulse[0] != beat:
            self._pulse = (beat, now)
        return now - self._pulse[1] > self.profile.pulse_after

    def _is_frozen(self, raw: Mapping[Hashable, Sequence[int]], now: float) -> bool:
        """Every block of this cycle holds what it held for too long."""
        after = self.profile.frozen_after
        if after is None:
            after = METER_FROZEN if self.profile.kind is Kind.METER else 0.0
        if not after or not self._analog:
            return False
        still = True
        for block, words in raw.items():
            held = self._still.get(block)
            if held is None or held[0] != words:
                self._still[block] = held = (words, now)
            still &= now - held[1] > after
        return still

    def _follows(self, name: str, value: float, now: float, steepest: float) -> bool:
        """Whether the value can have come from the last one in time."""
        return self._believe(name, value, now, lambda before, seconds: abs(value - before) <= steepest * seconds)

    def _counts(self, name: str, value: float, now: float) -> bool:
        """Whether a counter can have come from its last value: forwards, no faster than the power, or over its end."""
        step, span = self._counters[name]
        step = max(step, abs(value) * SINGLE)

        def possible(before: float, seconds: float) -> bool:
            most = 1e300 if self.power is None else HEADROOM * self.power * seconds / 3600 + 2 * step
            if value >= before:
                return value - before <= most
            # over the end of its register; without a rating only the last thousandth of it counts as near the end
            return span is not None and value - before + span <= min(most, span / 1000)

        return self._believe(name, value, now, possible)

    def _believe(self, name: str, value: float, now: float, possible: Possible) -> bool:
        trust = self._trust.get(name)
        if trust is None:
            self._trust[name] = _Trust(now, value)
            return True
        if possible(trust.value, now - trust.at):
            trust.at, trust.value, trust.agreed = now, value, 0
            return True
        agrees = trust.agreed > 0 and possible(trust.other, now - trust.since)
        trust.agreed = trust.agreed + 1 if agrees else 1
        trust.other, trust.since = value, now
        if trust.agreed < CONFIRMED:
            return False
        trust.at, trust.value, trust.agreed = now, value, 0
        return True


def stand_in(
    values: Mapping[str, Value], quality: Mapping[str, Quality], substitute: Mapping[str, float]
) -> tuple[dict[str, Value], dict[str, Quality]]:
    """The reading of a device with what a person put in place of some points. Never good: nothing is steered by it."""
    return {**values, **substitute}, {**quality, **dict.fromkeys(substitute, Quality.SUBSTITUTED)}


def _is_analog(point: Point) -> bool:
    return point.type != "text" and not (point.enum or point.first or point.flags)


def _is_blank(raw: Mapping[Hashable, Sequence[int]]) -> bool:
    """Nothing but zeros: a gateway without its device, or a device that is starting."""
    return sum(map(len, raw.values())) >= WIDEST_ZERO and not any(map(any, raw.values()))


def _span(point: Point) -> float | None:
    """What a counter loses when its register wraps; None where the scale is not fixed or the register too wide."""
    bits = 16 * WORDS[point.type]
    whole = point.type.startswith(("u", "i")) and bits <= 32 and point.scale_register is None
    return abs(point.scale) * 2.0**bits if whole else None
