"""From devices that were only read to a proposal of a site: what belongs together, and which meter sees the battery.

Nothing is commanded to find out. What cannot be told so is said, and the most plausible is proposed. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from statistics import correlation, median

from schemas.units import Kind

MOVES = 300.0
"""W: a battery that moved less says nothing of a meter; neither do a few thousandths of a large one."""
SHARE = 0.02
"""Of its largest power while it was watched."""
ALIKE, UNLIKE = 0.9, 0.4
"""Correlation of the changes of two powers: beyond the first they are of one flow, below the second of two. Of two
that know nothing of each other two in a thousand are taken for one, after nine steps of the battery."""
SLOPES = (0.6, 1.5)
"""W at the meter by W of the battery; a load beside it blurs it."""
LATE = 4
"""Samples that a meter may show a step later."""
OWN = -10.0
"""The rank of a meter that shows one device alone."""
VOLTS = 0.03
"""Of the voltage by which two sides of one DC link may differ."""

Trace = Sequence[float]
"""One value a sample, nan where there was none."""


@dataclass(frozen=True)
class Found:
    """A device as scan met it."""

    name: str
    kind: Kind
    profile: str
    address: str
    unit: int
    make: str = ""
    rated: float | None = None
    """W, of its nameplate."""
    energy: float | None = None
    """Wh, of its nameplate."""
    others: tuple[str, ...] = ()
    """Profiles that read it as well."""
    pause: float = 0.0
    """Seconds after connecting before it may be asked."""
    instance: int | None = None
    """Which one of the unit's chain, where that holds several."""
    contacts: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Points that list contacts, and what each can list."""
    closed: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Those that were listed when it was looked at last."""
    traces: dict[str, Trace] = field(default_factory=dict)
    """What it showed while it was watched, by point."""

    def trace(self, point: str) -> Trace:
        return self.traces.get(point, ())

    @property
    def flow(self) -> Trace:
        """W, positive out of it: of a BMS what flows at its terminals, of any other device its power."""
        if self.kind is not Kind.BMS:
            return self.trace("p")
        return [u * i for u, i in zip(self.trace("u"), self.trace("i"), strict=False)]

    @property
    def hybrid(self) -> bool:
        """It tells the SoC of its cells itself."""
        return self.kind is Kind.PCS and self.middle("soc") is not None

    def middle(self, *points: str) -> float | None:
        """The usual value of the first of these points that it has."""
        for point in points:
            if good := [value for value in self.trace(point) if math.isfinite(value)]:
                return median(good)
        return None


class Sight(StrEnum):
    """Whether a meter sees a battery."""

    SEES = "sees it"
    REVERSED = "sees it the wrong way round: import must be positive"
    SEES_NOT = "does not see it"
    UNTOLD = "cannot be told"


def sight(meter: Trace, battery: Trace) -> Sight:
    """By the changes of both: what a battery gives a grid meter draws less, some samples later."""
    found = follows(meter, battery)
    if found is None:
        return Sight.UNTOLD
    near, slope = found
    if abs(near) >= ALIKE and SLOPES[0] <= abs(slope) <= SLOPES[1]:
        return Sight.SEES if slope < 0 else Sight.REVERSED
    return Sight.SEES_NOT if abs(near) < UNLIKE else Sight.UNTOLD


def follows(one: Trace, other: Trace) -> tuple[float, float] | None:
    """How the changes of one power go with those of another, at the best of some delays: correlation, and W by W. None
    where the other did not move, or too little was seen."""
    found = [_alike(one, other, late) for late in range(LATE)]
    return max((each for each in found if each is not None), key=lambda each: abs(each[0]), default=None)


def _alike(meter: Trace, battery: Trace, late: int) -> tuple[float, float] | None:
    """Correlation of the changes and W by W; None where the battery did not move, or too little was seen."""
    pairs = [(b, m) for b, m in zip(battery, meter[late:], strict=False) if math.isfinite(b + m)]
    steps = [(b - a, n - m) for (a, m), (b, n) in pairwise(pairs)]
    powers = [b for b, _ in pairs]
    if len(steps) < LATE or max(powers) - min(powers) < max(MOVES, SHARE * max(map(abs, powers))):
        return None
    ours, theirs = [b for b, _ in steps], [m for _, m in steps]
    if len(set(theirs)) == 1 or len(set(ours)) == 1:
        return 0.0, 0.0
    return correlation(ours, theirs), sum(b * m for b, m in steps) / sum(b * b for b in ours)


@dataclass(frozen=True)
class GridMeter:
    """The meter that is proposed for the connection point."""

    meter: Found | None
    words: list[str]
    """How it was told, a line for each meter."""
    loads: dict[str, str] = field(default_factory=dict)
    """Other meters that only ever drew, and how much: each measures a load, or is a sub-meter."""


def grid_meter(devices: Sequence[Found]) -> GridMeter:
    """Of several the one that sees most batteries; a meter that shows one device alone is that device's own."""
    meters = [one for one in devices if one.kind is Kind.METER]
    batteries = [one for one in devices if one.kind is Kind.PCS]
    words, ranks = list[str](), list[tuple[float, Found]]()
    for meter in meters:
        seen = {one.name: sight(meter.trace("p"), one.trace("p")) for one in batteries}
        own = next((one.name for one in devices if one is not meter and _of_one(meter, one)), None)
        words += [f"{meter.name}: {name}: {told}" for name, told in seen.items()]
        words += [f"{meter.name}: shows what {own} does, and nothing else"] if own else []
        sees = sum(told is Sight.SEES for told in seen.values()) - 0.5 * sum(t is Sight.SEES_NOT for t in seen.values())
        ranks.append((sees + (OWN if own else 0.0), meter))
    if not ranks:
        return GridMeter(None, ["no meter was found: without one at the connection point nothing is steered"])
    best = max(rank for rank, _ in ranks)
    first = [meter for rank, meter in ranks if rank == best]
    if len(first) > 1:
        words.append(
            f"{' and '.join(one.name for one in first)}: which of them is at the connection point cannot be told"
        )
    others = [one for rank, one in ranks if len(first) == 1 and one is not first[0] and rank > OWN / 2]
    return GridMeter(first[0], words, {one.name: drawn for one in others if (drawn := _drawn(one))})


def _drawn(meter: Found) -> str:
    """What a meter drew, if it never gave; nothing where it did, or where nothing flowed."""
    shown = [power for power in meter.trace("p") if math.isfinite(power)]
    if not shown or min(shown) < 0 or max(shown) < MOVES:
        return ""
    return f"{min(shown) / 1000:.1f} to {max(shown) / 1000:.1f} kW"


def _of_one(meter: Found, device: Found) -> bool:
    """The level of both is the same all the time, whichever way the meter counts."""
    shown = [
        (abs(m), abs(p)) for m, p in zip(meter.trace("p"), device.trace("p"), strict=False) if math.isfinite(m + p)
    ]
    if device.kind not in (Kind.PCS, Kind.PV) or len(shown) < LATE or median(p for _, p in shown) < MOVES:
        return False
    return median(abs(m - p) / p for m, p in shown if p) < VOLTS
