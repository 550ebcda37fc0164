"""Why the batteries are told the power of now: the limit that took of it, then what was wished. Pure.

The codes are those of the plan and some more, schemas/why.py.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from math import inf
from typing import NamedTuple

from optimizer.grid_target import Target
from optimizer.running_window import RunningWindow
from optimizer.storage import Storage
from schemas.messages import Step, Why
from schemas.units import EARLIEST, LARGEST
from schemas.why import WhyCode

CENT = 0.001
"""Per kWh: what is worth less is worth nothing, the solver is no more exact."""
MOST = 2
"""Reasons of one command: it is sent each 2 s."""


class Bound(NamedTuple):
    """What a power may be, in W, whose it is in words, and what it is called."""

    low: float
    high: float
    whose: str
    code: WhyCode
    of: str = ""
    """The name of the rule."""


class Taken(NamedTuple):
    """A bound that took of a power."""

    bound: Bound
    power: float
    """W that it left."""


def clamp(power: float, bounds: Sequence[Bound]) -> tuple[float, list[Taken]]:
    """Later bounds win: the last one that took something of it decides the power."""
    by = []
    for bound in bounds:
        inside = min(max(power, bound.low), bound.high)
        if abs(inside - power) > 1.0:
            by.append(Taken(bound, inside))
        power = inside
    return power, by


class Around(NamedTuple):
    """What a reason takes its numbers from."""

    import_limit: float
    export_limit: float
    """W at the grid connection."""
    soc: float
    peak: Why | None = None
    """Of the window that holds it."""
    gain_in: float | None = None
    gain_out: float | None = None
    """Per kWh: what a further one drawn or fed in would be worth; None without a plan."""


def reasons(wished: Sequence[Why], by: Sequence[Taken], around: Around | None) -> tuple[Why, ...]:
    """The binding one first, two at most. `by` as `clamp` gives it."""
    if not by or around is None:
        return tuple(wished[:MOST])
    first = _held(by[-1], around)
    return first, *[one for one in wished if one.code != first.code][: MOST - 1]


def _held(one: Taken, around: Around) -> Why:
    code, left, peak = one.bound.code, round(abs(one.power), 1), around.peak
    match code:
        case WhyCode.HOLDS_PEAK if peak is not None:
            return peak
        case WhyCode.IMPORT_HELD:
            return _why(code, limit=around.import_limit, price=_worth(around.gain_in))
        case WhyCode.EXPORT_HELD:
            return _why(code, limit=around.export_limit, price=_worth(around.gain_out))
        case WhyCode.RESTS_EMPTY | WhyCode.RESTS_FULL:
            return _why(code, value=around.soc)
        case WhyCode.BMS_HELD:
            return _why(code, limit=left, of=one.bound.whose)
    return _why(code, limit=left, of=one.bound.of)


def _worth(gain: float | None) -> float | None:
    return gain if gain is not None and gain > CENT else None


def through(step: Step | None, battery: Storage, *, discharges: bool) -> tuple[float | None, float | None]:
    """Per kWh: what a further one bought, and one sold, would be worth, by what the plan says a stored one is."""
    if step is None:
        return None, None
    kept = step.marginal_value
    stored = kept / battery.efficiency + battery.wear if discharges else kept * battery.efficiency
    return stored - step.price_import, step.price_export - stored


def of_peak(window: RunningWindow, peak: float, now: datetime, *, several: bool) -> Why:
    """It holds a window at `peak` W. `several`: there is more than one demand, each has its name."""
    demand, end = window.demand, window.ends(now)
    return Why(
        code=WhyCode.HOLDS_PEAK.value,
        value=_short(float(f"{peak:.4g}")),
        price=demand.rate if demand is not None and demand.rate else None,
        at=max(end - timedelta(minutes=window.minutes), EARLIEST),
        of=demand.name if demand is not None and several else "",
        per=window.how.per,
    )


def tightest(held: Sequence[tuple[RunningWindow, float]], now: datetime, net: float) -> Why | None:
    """Of the window that leaves the least; None where none counts now."""
    rooms = [(one.room(now, peak, load=net), number) for number, (one, peak) in enumerate(held)]
    room, number = min(rooms, default=(inf, 0))
    return None if room == inf else of_peak(*held[number], now, several=len(held) > 1)


def of_policy(step: Step, meant: Target) -> tuple[Why, ...]:
    """What a policy gives for a load that the plan did not foresee."""
    stored = step.marginal_value
    if meant.sells:
        return (_why(WhyCode.SELLS, price=step.price_export),)
    if meant.buys:
        until = stored if stored >= step.price_import else None
        return (_why(WhyCode.CHARGES_FOR_LATER, price=step.price_import, value=until),)
    if meant.given > meant.near:
        return (_why(WhyCode.COVERS_LOAD, price=step.price_import),)
    if meant.given < -meant.near:
        return (stores(step),)
    return (_why(WhyCode.RESTS),)


def stores(step: Step) -> Why:
    """PV that nobody forecast."""
    return _why(WhyCode.STORES_PV, price=step.price_export, value=step.marginal_value)


def _why(
    code: WhyCode, *, value: float | None = None, limit: float | None = None, price: float | None = None, of: str = ""
) -> Why:
    return Why(code=code.value, value=_short(value), limit=_short(limit), price=_short(price), of=of)


def _short(number: float | None) -> float | None:
    """None of what no message can carry: a reason is never why a power is not told."""
    return round(number, 4) if number is not None and abs(number) <= LARGEST else None
