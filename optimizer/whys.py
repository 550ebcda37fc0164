"""Why the battery does what it does in each step of a plan: the binding constraint and its marginal value. Pure.

It is read off the outlook, the powers and what a stored kWh is worth, whatever has planned them.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optimizer.bill import peaks, stored
from optimizer.outlook import Outlook, Vector
from optimizer.why_limits import HELD, limited
from schemas.messages import Why
from schemas.why import WhyCode

SMALL = 50.0
"""W: less is nothing."""
CENT = 0.001
"""Per kWh: prices that differ by less are the same, the solver is no more exact."""
EDGE = 0.1
"""% of SoC: so near to its end a battery is full or empty."""


def whys(outlook: Outlook, power: Vector, worth: Vector) -> list[list[Why]]:
    """The reasons of each step, the most important first. `power` in W, positive discharging; `worth` of one more
    stored kWh at the end of each step (Step.marginal_value)."""
    found = _Schedule(outlook, power, worth)
    return [[*_of(found, step), *_limited(found, step)] for step in range(len(power))]


@dataclass(frozen=True)
class _Peak:
    """The peak at which the billing window of a step stands."""

    why: Why
    """With its W, its price per kW and the beginning of the window."""

    def said(self, code: WhyCode, **more: float) -> Why:
        return self.why.model_copy(update={"code": code.value, **more})


@dataclass(frozen=True)
class _Schedule:
    outlook: Outlook
    power: Vector
    worth: Vector

    @cached_property
    def grid(self) -> Vector:
        return np.asarray(self.outlook.load - self.outlook.pv - self.power)

    @cached_property
    def soc(self) -> Vector:
        """% at the beginning, then at the end of each step."""
        look = self.outlook
        if not look.battery.energy:
            return np.full(len(self.power) + 1, look.soc)
        energy = stored(look, self.power) / look.battery.energy * 100
        return np.asarray(np.clip(np.concatenate([[look.soc], energy]), 0, 100))

    @cached_property
    def gives(self) -> Vector:
        """Per kWh: what a discharged one brings in each step, before its wear."""
        return np.asarray(np.where(self.outlook.load > self.outlook.pv, self.outlook.buy, self.outlook.sell))

    def pays_from(self, step: int) -> float:
        """Per kWh: the price from which it pays to discharge."""
        battery = self.outlook.battery
        return float(self.worth[step]) / battery.efficiency + battery.wear

    def pays_until(self, step: int) -> float:
        """Per kWh: the price up to which it pays to charge."""
        return float(self.worth[step]) * self.outlook.battery.efficiency

    def takes(self, step: int) -> float:
        """Per kWh: what a charged one costs, bought or not sold."""
        look = self.outlook
        return float(look.sell[step] if look.pv[step] > look.load[step] - self.power[step] + SMALL else look.buy[step])

    @cached_property
    def at_peak(self) -> list[_Peak | None]:
        """By step: the dearest peak at which its billing window stands, where a kW more costs something."""
        found: list[_Peak | None] = [None] * len(self.power)
        for windows, made in zip(self.outlook.windows, peaks(self.outlook, self.grid), strict=True):
            component = windows.charge.component
            of = component.name if len(self.outlook.charges) > 1 else ""
            for number, mean in enumerate(windows.means(self.grid, self.outlook.hours)):
                period = windows.periods[number]
                peak = float(made[period])
                price = sum(one.price for one in windows.pieces[period] if one.above <= peak + SMALL)
                if mean < 0.99 * peak - SMALL or not price:
                    continue
                begins = windows.begins[number]
                why = Why(code="peak", value=round(peak), price=price, at=begins, of=of, per=component.per)
                for step in np.flatnonzero(windows.of[number]):
                    before = found[step]
                    if before is None or price > (before.why.price or 0.0):
                        found[step] = _Peak(why)
        return found

    def later(self, step: int) -> list[int]:
        """The later steps in which it discharges."""
        return [int(one) for one in np.flatnonzero(self.power[step + 1 :] > SMALL) + step + 1]


def _of(it: _Schedule, step: int) -> Iterator[Why]:
    if it.power[step] > SMALL:
        yield from _discharges(it, step)
    elif it.power[step] < -SMALL:
        yield from _charges(it, step)
    else:
        yield from [*_rests(it, step)] or [_why(WhyCode.RESTS)]


def _discharges(it: _Schedule, step: int) -> Iterator[Why]:
    look, peak = it.outlook, it.at_peak[step]
    sells = it.grid[step] < -SMALL
    price, from_ = float(look.sell[step] if sells else look.buy[step]), it.pays_from(step)
    net = float(look.load[step] - look.pv[step])
    pays = from_ if from_ <= price + CENT else None
    if it.soc[step] > look.battery.soc_max + EDGE:
        yield _why(WhyCode.BACK_INSIDE, value=float(it.soc[step]), limit=look.battery.soc_max)
    elif peak is not None:
        yield peak.said(WhyCode.HOLDS_PEAK)
    elif pays is None and net > look.import_limit[step] + SMALL:
        # of a limit that somebody has sent, the limit itself says it
        own = look.limiting(step, "consumption") is None and not look.contract(step)
        limit, gain = float(look.import_limit[step]), from_ - price if own else None
        yield _why(WhyCode.KEEPS_IMPORT, value=net, limit=limit, price=gain)
    else:
        yield _why(WhyCode.SELLS if sells else WhyCode.COVERS_LOAD, price=price, limit=pays)
    if it.soc[step + 1] <= look.battery.soc_min + EDGE:
        yield _why(WhyCode.UNTIL_EMPTY, limit=look.battery.soc_min, price=float(it.worth[step]))
    elif it.power[step] > 0.99 * look.rated:
        yield _rated(it, price - from_)


def _charges(it: _Schedule, step: int) -> Iterator[Why]:
    look = it.outlook
    if it.soc[step] < look.battery.soc_min - EDGE:
        yield _why(WhyCode.BACK_INSIDE, value=float(it.soc[step]), limit=look.battery.soc_min)
    else:
        if look.pv[step] - look.load[step] > SMALL:
            until = it.pays_until(step)
            gains = until > look.sell[step] + CENT
            yield _why(WhyCode.STORES_PV, price=float(look.sell[step]), value=until if gains else None)
        if it.grid[step] > SMALL:
            yield _buys(it, step)
    if it.soc[step + 1] >= look.battery.soc_max - EDGE:
        yield _why(WhyCode.UNTIL_FULL, limit=look.battery.soc_max)
    elif it.power[step] < -0.99 * look.rated:
        yield _rated(it, it.pays_until(step) - it.takes(step))


def _buys(it: _Schedule, step: int) -> Why:
    """Energy out of the grid: for the dearest later hour, for a peak, or for hours that the plan does not see."""
    price, later = float(it.outlook.buy[step]), it.later(step)
    if later:
        dearest = max(later, key=lambda one: float(it.gives[one]))
        if it.gives[dearest] > price + CENT:
            at = it.outlook.starts[dearest]
            cheap = _why(WhyCode.CHARGES_FOR_PRICE, price=price, value=float(it.gives[dearest]))
            return cheap.model_copy(update={"at": at})
        held = next((peak for one in later if (peak := it.at_peak[one]) is not None), None)
        if held is not None:
            return held.said(WhyCode.CHARGES_FOR_PEAK)
    until = it.pays_until(step)
    return _why(WhyCode.CHARGES_FOR_LATER, price=price, value=until if until > price - CENT else None)


def _rests(it: _Schedule, step: int) -> Iterator[Why]:
    """Why it does not discharge, then why it does not charge."""
    battery, soc = it.outlook.battery, float(it.soc[step])
    if soc <= battery.soc_min + EDGE:
        if it.gives[step] > it.pays_from(step) - CENT or it.at_peak[step] is not None:
            yield _why(WhyCode.RESTS_EMPTY, value=soc)
    else:
        yield from _keeps(it, step, soc)
    if soc >= battery.soc_max - EDGE:
        yield _why(WhyCode.RESTS_FULL, value=soc)
        return
    price, peak = it.takes(step), it.at_peak[step]
    best = float(np.max(it.gives[step + 1 :], initial=-np.inf))
    pays = price / battery.efficiency**2 + battery.wear
    if peak is not None and it.pays_until(step) > price + CENT:
        yield peak.said(WhyCode.RESTS_PEAK)
    elif -np.inf < best < pays - CENT:
        yield _why(WhyCode.RESTS_SPREAD, price=price, value=best, limit=pays)


def _keeps(it: _Schedule, step: int, soc: float) -> Iterator[Why]:
    """For which later hour it holds its energy."""
    later, price = it.later(step), float(it.gives[step])
    held = next((peak for one in later if (peak := it.at_peak[one]) is not None), None)
    dearest = max(later, key=lambda one: float(it.gives[one]), default=step)
    if held is not None:
        yield held.said(WhyCode.KEEPS_FOR_PEAK, limit=round(soc, 2))
    elif it.gives[dearest] > price + CENT:
        why = _why(WhyCode.KEEPS_FOR_PRICE, price=price, value=float(it.gives[dearest]), limit=soc)
        yield why.model_copy(update={"at": it.outlook.starts[dearest]})
    elif it.pays_from(step) > price + CENT:
        yield _why(WhyCode.KEEPS_FOR_LATER, price=price, value=soc, limit=it.pays_from(step))


def _limited(it: _Schedule, step: int) -> Iterator[Why]:
    """The limits of the grid connection; those that hold it with what a further kWh through them would be worth."""
    for one in limited(it.outlook, float(it.grid[step]), step):
        if one.code not in HELD.values():
            yield one
            continue
        gain = _through(it, step, out=one.code == WhyCode.EXPORT_HELD)
        yield one.model_copy(update={"price": _short(gain) if gain > CENT else None})


def _through(it: _Schedule, step: int, *, out: bool) -> float:
    """Per kWh: what it gains to sell instead of to store or keep; or to buy, for the cells or instead of them."""
    discharges = it.power[step] > SMALL
    stored_at = it.pays_from(step) if discharges else it.pays_until(step)
    return float(it.outlook.sell[step]) - stored_at if out else stored_at - float(it.outlook.buy[step])


def _rated(it: _Schedule, gain: float) -> Why:
    return _why(WhyCode.AT_RATED, limit=it.outlook.rated, price=gain if gain > CENT else None)


def _why(code: WhyCode, *, value: float | None = None, limit: float | None = None, price: float | None = None) -> Why:
    return Why(code=code.value, value=_short(value), limit=_short(limit), price=_short(price))


def _short(number: float | None) -> float | None:
    return None if number is None else round(float(number), 5)
