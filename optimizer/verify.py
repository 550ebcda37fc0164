"""Checks a plan by a second way: walks through it step by step, with no matrix and no solver."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from optimizer.charge import Piece, pieces, worth
from optimizer.demand import charged, counts, period
from optimizer.outlook import Outlook
from optimizer.tariff import window
from optimizer.verify_step import wrong_step
from optimizer.verify_walk import WATT, walked
from optimizer.windows import Charge
from schemas.messages import Plan
from schemas.tariff_demand import Demand

MONEY = 1e-3
SOC = 1e-8
"""kWh by Wh of the battery: a thousandth of a percent, the last digit of a SoC."""
UNLIKELY = 0.1
"""Of the last days: no period is taken to end with less than the peak that so few of them allow."""
LEAST = timedelta(hours=1)
"""A plan that looks no further ahead may be valid for so long."""
PENALTY = 100.0
"""Per kWh beyond a limit of the site: idling is no match for a plan that keeps one."""


@dataclass
class Meter:
    """The bill of a walk through the steps."""

    outlook: Outlook
    money: float = 0.0
    carbon: float = 0.0
    """What the CO2 costs, beside the money."""
    beyond: float = 0.0
    """kWh, weighed by their urgency."""
    windows: dict[tuple[int, datetime], float] = field(default_factory=dict)
    """kWh imported in each billing window that counts, by the number of its charge and its begin."""

    def turn(self, index: int, grid: float) -> None:
        """One step at a grid power in kW."""
        look, hours = self.outlook, float(self.outlook.hours[index])
        most, gives_way = float(look.export_limit[index]) / 1000, bool(look.gives_way[index])
        fed_in = self._fed_in(index, -grid, most) if gives_way and grid < 0 else -grid
        self.money += float(look.buy[index]) * grid * hours if grid > 0 else -float(look.sell[index]) * fed_in * hours
        self.carbon += float(look.weighed[index] - look.buy[index]) * max(grid, 0.0) * hours
        over = max(grid - look.import_limit[index] / 1000, 0.0 if gives_way else -grid - most, 0.0)
        self.beyond += float(over) * hours * float(look.urgency[index])
        for number, charge in enumerate(look.charges):
            for begin in self._begun(charge.component, look.starts[index]):
                self.windows[number, begin] = self.windows.get((number, begin), 0.0) + max(grid, 0.0) * hours

    def _begun(self, component: Demand, at: datetime) -> Iterator[datetime]:
        """The windows that run at an instant and count."""
        zone = self.outlook.zone
        begin, first = window(at, zone, component.minutes)[0], window(self.outlook.now, zone, component.minutes)[0]
        if component.sliding:
            pace = max(component.sliding, self.outlook.minutes)
            latest = window(at, zone, pace)[0]
            earlier = (latest - timedelta(minutes=pace) * back for back in range(component.minutes // pace))
            now = window(self.outlook.now, zone, pace)[0]
            running = [one for one in earlier if one >= now or one == first]
        else:
            running = [begin]
        yield from (one for one in running if counts(component, one, zone))

    def _fed_in(self, index: int, out: float, most: float) -> float:
        """kW, less the PV beyond the limit that is curtailed: first of all where feed-in costs money."""
        look = self.outlook
        rest = float(look.pv[index] - look.load[index]) / 1000
        return max(0.0, out - max(0.0, rest - most)) if look.sell[index] < 0 else min(out, most)

    def peaks(self, number: int) -> dict[datetime, float]:
        """kW of a charge by the begin of its period, the present one at least: what is measured or known, or more."""
        look, charge = self.outlook, self.outlook.charges[number]
        how, minutes = charged(charge.component), charge.component.minutes
        began, now = window(look.now, look.zone, minutes)[0], look.now
        present = period(now, look.zone, how)[0]
        found = {present: charge.peaks.get(present, 0.0) / 1000}
        for (of, begin), energy in self.windows.items():
            if of == number:
                share = (now - begin) / (now - began) if begin < now else float(begin == began)
                mean = (energy + charge.imported / 1000 * share) / (minutes / 60)
                first = period(begin, look.zone, how)[0]
                found[first] = max(found.get(first, charge.peaks.get(first, 0.0) / 1000), mean)
        return found

    def total(self, *, foreseen: bool = False) -> float:
        """What is paid; `foreseen`: a peak costs only what it adds to those that the rest of its period brings."""
        look, money = self.outlook, self.money
        for number, charge in enumerate(look.charges):
            for begin, peak in self.peaks(number).items():
                costs = pieces(charge.component, charge.peaks, begin, look.zone, charge.expected)
                paid = _foreseen(look, charge, begin, costs, 1000 * peak) if foreseen else worth(costs, 1000 * peak)
                money += paid - worth(costs, charge.peaks.get(begin, 0.0))
        return money


def _foreseen(look: Outlook, charge: Charge, begin: datetime, costs: Sequence[Piece], peak: float) -> float:
    """What a period costs in the mean that has a peak in W so far: of the days left half count, each like one of the
    last ones; no period ends below what one in ten of those allows."""
    days = np.sort(np.array(charge.daily or [charge.expected], dtype=float))
    left = (period(begin, look.zone, charged(charge.component))[1] - look.end) / timedelta(days=1)
    below = (np.arange(len(days) + 1) / len(days)) ** (max(left, 0.0) / 2)
    least = max(peak, float(np.quantile(days, UNLIKELY)))
    rest = [worth(costs, max(least, one)) for one in days.tolist()]
    return float(np.dot(np.diff(below), rest) + below[0] * worth(costs, least))


def verify(plan: Plan, outlook: Outlook) -> list[str]:
    """What is wrong with a plan, in sentences; empty when it is good."""
    wrong = list(_times(plan, outlook))
    if wrong:
        return wrong
    for walk in walked(plan, outlook):
        wrong += [f"{walk.step.at:%d %b %H:%M}Z: {what}" for what in wrong_step(walk)]
    return wrong or list(_money(plan, outlook))


def _times(plan: Plan, outlook: Outlook) -> Iterator[str]:
    if not plan.at < plan.until:
        yield "the plan ends before it begins"
    last = max(outlook.end, outlook.now + LEAST)
    if plan.at != outlook.now or plan.until > last:
        said = f"from {plan.at:%d %b %H:%M:%S}Z until {plan.until:%d %b %H:%M:%S}"
        yield f"it is {said}, not from {outlook.now:%d %b %H:%M:%S}Z until {last:%d %b %H:%M} at most"
    if plan.currency != outlook.currency:
        yield f"its money is {plan.currency}, not {outlook.currency}"
    if plan.prices_until != outlook.prices_until:
        yield f"it says that prices are known until {plan.prices_until}, and they are until {outlook.prices_until}"
    if len(plan.steps) != len(outlook.starts):
        yield f"{len(plan.steps)} steps where {len(outlook.starts)} were asked for"
        return
    for step, at, hours in zip(plan.steps, outlook.starts, outlook.hours, strict=True):
        if step.at != at or not abs(step.seconds - float(hours) * 3600) <= 1e-3:
            yield f"the step at {step.at:%d %b %H:%M:%S}Z should be at {at:%H:%M:%S} for {float(hours) * 3600:.0f} s"
            return


def _peaks(plan: Plan, outlook: Outlook, planned: Meter) -> Iterator[str]:
    if more := plan.peaks.keys() - {charge.component.name for charge in outlook.charges}:
        yield f"it has a peak of {', '.join(sorted(more))}, and no such demand is billed"
    for number, charge in enumerate(outlook.charges):
        begin = period(outlook.now, outlook.zone, charged(charge.component))[0]
        free = pieces(charge.component, charge.peaks, begin, outlook.zone, charge.expected)[0].above
        peak, said = (
            max(1000 * planned.peaks(number)[begin], free, charge.expected),
            plan.peaks.get(charge.component.name),
        )
        of = f" of {charge.component.name}" if number else ""
        if said is None or not abs(said - peak) <= WATT or (not number and said != plan.peak):
            yield f"the peak{of} is {peak:.0f} W, not {plan.peak if not number else said}"


def _of_peaks(plan: Plan, planned: Meter, idle: Meter) -> Iterator[tuple[str, float, float]]:
    """What its peaks cost, where it says so."""
    if plan.peak_cost is not None and plan.peak_cost_idle is not None:
        yield "its peaks cost", planned.total() - planned.money, plan.peak_cost
        yield "the peaks of idling cost", idle.total() - idle.money, plan.peak_cost_idle


def _money(plan: Plan, outlook: Outlook) -> Iterator[str]:
    planned, idle = Meter(outlook), Meter(outlook)
    wear = 0.0
    for index, step in enumerate(plan.steps):
        planned.turn(index, step.grid / 1000)
        idle.turn(index, (step.load - step.pv) / 1000)
        wear += outlook.battery.wear * max(step.power, 0.0) / 1000 * float(outlook.hours[index])
    gained = (plan.steps[-1].soc - outlook.soc) / 100 * outlook.battery.energy / 1000
    cost, rest = planned.total() + wear - outlook.stored_value * gained, idle.total()
    carbon = planned.carbon - outlook.stored_carbon * gained
    worth = outlook.stored_value + outlook.stored_carbon
    near = MONEY + 1e-4 * (abs(cost) + abs(carbon)) + worth * outlook.battery.energy * SOC
    for name, is_, said in (
        ("it costs", cost, plan.cost),
        ("idling costs", rest, plan.cost_idle),
        *_of_peaks(plan, planned, idle),
        ("its CO2 costs", carbon, plan.carbon),
        ("the CO2 of idling costs", idle.carbon, plan.carbon_idle),
    ):
        if not abs(is_ - said) <= near:
            yield f"{name} {is_:.4f}, not {said:.4f}"
    yield from _peaks(plan, outlook, planned)
    dearer = cost + carbon + PENALTY * planned.beyond - rest - idle.carbon - PENALTY * idle.beyond
    if np.any(np.asarray(outlook.spread) > 0):
        dearer += planned.total(foreseen=True) - planned.total() - idle.total(foreseen=True) + idle.total()
    if dearer > near + _insured(outlook) and _idle_is_right(outlook):
        yield f"it is {dearer:.4f} dearer than idling"


def _insured(outlook: Outlook) -> float:
    """What a plan may cost more than idling where the load is not known: no more than the peaks it insures against, and
    the energy it holds ready for what may come."""
    spread = float(np.max(np.asarray(outlook.spread)))
    rates = sum(each.price for charge in outlook.charges for each in _costs(outlook, charge))
    ready = outlook.battery.energy * (outlook.battery.soc_max - outlook.battery.soc_min) / 100
    dearest = float(np.max(np.abs(np.concatenate([outlook.buy, outlook.sell]))))
    return (3 * rates * spread + dearest * ready) / 1000 if spread > 0 else 0.0


def _costs(outlook: Outlook, charge: Charge) -> Sequence[Piece]:
    """What a peak of the present month or year costs, with the months after it in which a ratchet bills it."""
    begin = period(outlook.now, outlook.zone, charged(charge.component))[0]
    return pieces(charge.component, charge.peaks, begin, outlook.zone, charge.expected)


def _idle_is_right(outlook: Outlook) -> bool:
    """Whether a resting battery would be where it is to be, and so no plan may be dearer."""
    battery = outlook.battery
    begin = battery.energy * outlook.soc / 100
    reserved = np.any(np.asarray(outlook.floor) > begin) or np.any(np.asarray(outlook.ceiling) < begin)
    return battery.soc_min <= outlook.soc <= battery.soc_max and not reserved
