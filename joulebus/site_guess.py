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
    traces: dict[str, Trace] = field(default_factory=dict)
    """What it showed while it was watched, by point."""

    def trace(self, point: str) -> Trace:
        return self.traces.get(point, ())

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
    found = [_alike(meter, battery, late) for late in range(LATE)]
    told = [one for one in found if one is not None]
    if not told:
        return Sight.UNTOLD
    near, slope = max(told, key=lambda one: abs(one[0]))
    if abs(near) >= ALIKE and SLOPES[0] <= abs(slope) <= SLOPES[1]:
        return Sight.SEES if slope < 0 else Sight.REVERSED
    return Sight.SEES_NOT if abs(near) < UNLIKE else Sight.UNTOLD


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
class Pair:
    """A PCS with the BMS behind it, and how that was told; no BMS where none was found, or none is needed."""

    pcs: Found
    bms: Found | None
    why: str


def pairs(devices: Sequence[Found]) -> list[Pair]:
    """Each BMS once: by the voltage of the DC link, then by the address, then in their order."""
    free = [one for one in devices if one.kind is Kind.BMS]
    found: dict[str, Pair] = {}
    for rule, why in ((_same_link, "same DC voltage"), (_same_host, "same address"), (_any, "the only guess left")):
        for pcs in (one for one in devices if one.kind is Kind.PCS and one.name not in found):
            if rule is _any and pcs.hybrid:
                continue  # the BMS is another's, or a further rack
            fits = [bms for bms in free if rule(pcs, bms)]
            rivals = [
                one for one in devices if one.kind is Kind.PCS and one.name not in found and fits and rule(one, fits[0])
            ]
            if fits and (rule is _any or len(fits) == len(rivals) == 1):
                found[pcs.name] = Pair(pcs, fits[0], why)
                free.remove(fits[0])
    alone = {True: "it tells the SoC of its cells itself", False: "no BMS was found"}
    return [found.get(one.name) or Pair(one, None, alone[one.hybrid]) for one in devices if one.kind is Kind.PCS]


def _same_link(pcs: Found, bms: Found) -> bool:
    ours, theirs = pcs.middle("dc_u"), bms.middle("u")
    return ours is not None and theirs is not None and theirs > 0 and abs(ours - theirs) <= VOLTS * theirs


def _same_host(pcs: Found, bms: Found) -> bool:
    return pcs.address == bms.address


def _any(_pcs: Found, _bms: Found) -> bool:
    return True


@dataclass(frozen=True)
class GridMeter:
    """The meter that is proposed for the connection point."""

    meter: Found | None
    words: list[str]
    """How it was told, a line for each meter."""


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
        ranks.append((sees - (10.0 if own else 0.0), meter))
    if not ranks:
        return GridMeter(None, ["no meter was found: without one at the connection point nothing is steered"])
    best = max(rank for rank, _ in ranks)
    first = [meter for rank, meter in ranks if rank == best]
    if len(first) > 1:
        words.append(
            f"{' and '.join(one.name for one in first)}: which of them is at the connection point cannot be told"
        )
    return GridMeter(first[0], words)


def _of_one(meter: Found, device: Found) -> bool:
    """The level of both is the same all the time, whichever way the meter counts."""
    shown = [
        (abs(m), abs(p)) for m, p in zip(meter.trace("p"), device.trace("p"), strict=False) if math.isfinite(m + p)
    ]
    if device.kind not in (Kind.PCS, Kind.PV) or len(shown) < LATE or median(p for _, p in shown) < MOVES:
        return False
    return median(abs(m - p) / p for m, p in shown if p) < VOLTS
