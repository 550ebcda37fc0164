"""How far a value can be believed. Pure: `now` is the monotonic clock.

A judge belongs to one device and remembers what it saw: a value alone can only be out of range, but a device that
stands still, a jump no physics allows, and a counter that runs backwards show in time. What jumped is believed
again when it was confirmed, see `trust`.
"""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from bridges.telemetry.counted import Counts, begins_anew, counts, is_counter, power_of
from bridges.telemetry.energy_counter import EnergyCounter
from bridges.telemetry.physics import charging, moving
from bridges.telemetry.standstill import Standstill
from bridges.telemetry.trust import AGREEMENT, Trust
from schemas.messages import Value
from schemas.profile import METER_FROZEN, Profile
from schemas.register import WORDS, Point
from schemas.units import Kind, Quality

POLLS = 3
"""Nothing is frozen or stale before so many readings should have moved, however slowly a device is polled."""

AT_REST = 0.02
"""Of the power a load is built for: so far below 0 its meter may stand beside the truth."""

WIDEST_ZERO = 8
"""Registers: so many zeros in a row are a device that has no data (yet), fewer may be a device at rest."""

Piece = TypeVar("Piece", bound=Hashable)
"""Names a part of what came in a cycle, such as a block of registers."""


@dataclass
class Judge:
    """Judges the readings of one device."""

    profile: Profile
    power: float | None = None
    """W the device can move at most, by its ratings; None when nobody knows."""
    energy: float | None = None
    """Wh between 0 and 100 % SoC of the battery it belongs to; None when nobody knows."""
    poll: float = 1.0
    """Seconds between two readings."""
    most: float | None = None
    """W that can go through a device without a rating, as the site bounds it."""
    _pulse: tuple[Value, float] | None = None
    """The last beat, and since when."""
    _still: dict[Hashable, tuple[Sequence[int], float]] = field(default_factory=dict)
    """What each piece held, and since when."""
    _trust: list[tuple[str, Trust]] = field(default_factory=list)
    """By point, each with what it is believed by."""
    counters: dict[str, EnergyCounter] = field(default_factory=dict)
    """By point."""
    _counted: dict[str, Counts] = field(default_factory=dict)
    """By counter."""
    _begins: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Where a counter may stand when it is seen first; later it may pass the end of its register."""
    _ranges: dict[str, tuple[float, float]] = field(default_factory=dict)
    _analog: frozenset[str] = frozenset()
    _measures: bool = True
    """Whether something is measured. A box of contacts and pulses may well hold nothing but zeros: all is open."""

    def __post_init__(self) -> None:
        points = self.profile.points
        self._analog = frozenset(name for name, point in points.items() if _is_analog(point))
        self._measures = any(point.unit for point in points.values())
        self._ranges = {name: _range(name, points[name]) for name in self._analog}
        self._trust = [*self._trusts()]
        for name, point in points.items():
            if is_counter(name, point.unit):
                self._counted[name] = what = counts(self.profile, name)
                self._begins[name] = _inside(point)
                most = self.power or self.most
                self.counters[name] = EnergyCounter(point, most, self.poll, what.sign, begins_anew(name))
        self._standstill = Standstill(self.profile, self.power, self.poll)

    def _trusts(self) -> Iterator[tuple[str, Trust]]:
        for name, point in self.profile.points.items():
            if point.steepest is not None:
                yield name, Trust(moving(point.steepest), AGREEMENT["steepest"])
            if name == "soc":
                yield name, Trust(charging(point, self.power, self.energy), AGREEMENT["soc"])

    def judge(
        self,
        values: Mapping[str, Value],
        raw: Mapping[Piece, Sequence[int]],
        now: float,
        *,
        current: bool = False,
    ) -> dict[str, Quality]:
        """The points that are not good. `raw` is what came in this cycle, piece by piece; `current` says that it flows
        through the battery as seen from outside, by its PCS (see `standstill.flows`)."""
        if self._measures and _is_blank(raw):
            return dict.fromkeys(values, Quality.IMPLAUSIBLE)
        if self._has_no_pulse(values, now):
            return dict.fromkeys(values, Quality.STALE)
        frozen = self._is_frozen(raw, now)
        frozen |= self._standstill.lasts(values, now, current=current)
        found = {name: Quality.FROZEN for name in values if name in self._analog} if frozen else {}
        for name, (low, high) in self._ranges.items():
            value = values.get(name)
            if isinstance(value, float) and not low <= value <= high:
                found[name] = Quality.IMPLAUSIBLE
        if self._gives(values):
            found["p"] = Quality.IMPLAUSIBLE
        for name, trust in self._trust:
            value = values.get(name)
            if isinstance(value, float) and name not in found and not trust.believes(value, now):
                found[name] = Quality.IMPLAUSIBLE
        return found | self._count(values, found, now)

    def _gives(self, values: Mapping[str, Value]) -> bool:
        """A load gives power: its meter is the wrong way round, or it is none."""
        p, most = values.get("p"), self.power or self.most or 0.0
        return self.profile.kind is Kind.LOAD and isinstance(p, float) and p < -AT_REST * most

    def _count(self, values: Mapping[str, Value], doubted: Mapping[str, Quality], now: float) -> dict[str, Quality]:
        """The counters that are not believed."""
        found = {}
        for name, counter in self.counters.items():
            value = values.get(name)
            counter.passes(power_of(self._counted[name], values, doubted), now)
            if not isinstance(value, float) or name in doubted:
                continue
            low, high = self._begins[name]
            if (counter.value is None and not low <= value <= high) or not counter.believes(value, now):
                found[name] = Quality.IMPLAUSIBLE
        return found

    @property
    def exchanged(self) -> dict[str, tuple[float, float, float]]:
        """The counters that have gone on from another value: when last, from where, to where."""
        return {name: one.changed for name, one in self.counters.items() if one.changed is not None}

    def changed(self, now: float) -> dict[str, str]:
        """The counters that lately went on from another value, each with words."""
        return {name: words for name, one in self.counters.items() if (words := one.words(now))}

    def _has_no_pulse(self, values: Mapping[str, Value], now: float) -> bool:
        """The device answers, but what it tells is old: its own source has gone."""
        beat = values.get(self.profile.pulse or "")
        if beat is None:
            return False
        if self._pulse is None or self._pulse[0] != beat:
            self._pulse = (beat, now)
        return now - self._pulse[1] > max(self.profile.pulse_after, POLLS * self.poll)

    def _is_frozen(self, raw: Mapping[Piece, Sequence[int]], now: float) -> bool:
        """Every piece of this cycle holds what it held for too long."""
        after = self.profile.frozen_after
        if after is None:
            after = METER_FROZEN if self.profile.kind is Kind.METER else 0.0
        if not after or not self._analog:
            return False
        still = True
        for piece, words in raw.items():
            held = self._still.get(piece)
            if held is None or held[0] != words:
                self._still[piece] = held = (words, now)
            still &= now - held[1] > max(after, POLLS * self.poll)
        return still


def stand_in(
    values: Mapping[str, Value], quality: Mapping[str, Quality], substitute: Mapping[str, float]
) -> tuple[dict[str, Value], dict[str, Quality]]:
    """The reading of a device with what a person put in place of some points. Never good: nothing is steered by it."""
    return {**values, **substitute}, {**quality, **dict.fromkeys(substitute, Quality.SUBSTITUTED)}


def _is_analog(point: Point) -> bool:
    return point.type != "text" and not (point.enum or point.first or point.flags)


def _range(name: str, point: Point) -> tuple[float, float]:
    """What the profile allows; where it names no end, less than the end of the register, which only counters pass.
    There stands a device that has no value (0x7FFF, 0x8000 or 0xFFFF), or more than the register can say."""
    low, high = (-1e300, 1e300) if is_counter(name, point.unit) else _inside(point)
    return (low if point.low is None else point.low, high if point.high is None else point.high)


def _inside(point: Point) -> tuple[float, float]:
    kind, bits = point.type[0], 16 * WORDS[point.type]
    if (
        kind not in "ui" or not point.unit or point.scale_register is not None
    ):  # a beat goes through all of its register
        return -1e300, 1e300
    end = 2.0 ** (bits - (kind == "i"))
    half = max(0.5, end * 2.0**-52)  # of a step; of 64 bits no single one can be told
    most, least = end - 1 - half, half - end if kind == "i" else -1e300
    low, high = sorted((point.scale * (-most if point.sign else least), point.scale * most))
    return low, high


def _is_blank(raw: Mapping[Piece, Sequence[int]]) -> bool:
    """Nothing but zeros: a gateway without its device, or a device that is starting."""
    return sum(map(len, raw.values())) >= WIDEST_ZERO and not any(map(any, raw.values()))
