"""Checks a plan by a second way: walks through it step by step, with no matrix and no solver."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from optimizer.charge import pieces, worth
from optimizer.demand import charged, counts, period
from optimizer.outlook import Outlook
from optimizer.tariff import window
from schemas.messages import Plan, Step
from schemas.tariff_demand import Demand

WATT = 1.0
PERCENT = 0.02
MONEY = 1e-3
PENALTY = 100.0
"""Per kWh beyond a limit of the site: idling is no match for a plan that keeps one."""


@dataclass
class Meter:
    """The bill of a walk through the steps."""

    outlook: Outlook
    money: float = 0.0
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
        over = max(grid - look.import_limit[index] / 1000, 0.0 if gives_way else -grid - most, 0.0)
        self.beyond += float(over) * hours * float(look.urgency[index])
        for number, charge in enumerate(look.charges):
            for begin in self._begun(charge.component, look.starts[index]):
                self.windows[number, begin] = self.windows.get((number, begin), 0.0) + max(grid, 0.0) * hours

    def _begun(self, component: Demand, at: datetime) -> Iterator[datetime]:
        """The windows that run at an instant and count."""
        zone, quarter = self.outlook.zone, timedelta(minutes=15)
        begin, first = window(at, zone, component.minutes)[0], window(self.outlook.now, zone, component.minutes)[0]
        if component.sliding:
            latest = window(at, zone, 15)[0]
            earlier = (latest - quarter * back for back in range(component.minutes // 15))
            now = window(self.outlook.now, zone, 15)[0]
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

    def total(self) -> float:
        look, money = self.outlook, self.money
        for number, charge in enumerate(look.charges):
            for begin, peak in self.peaks(number).items():
                costs = pieces(charge.component, charge.peaks, begin, look.zone, charge.expected)
                money += worth(costs, 1000 * peak) - worth(costs, charge.peaks.get(begin, 0.0))
        return money


def verify(plan: Plan, outlook: Outlook) -> list[str]:
    """What is wrong with a plan, in sentences; empty when it is good."""
    wrong = list(_times(plan, outlook))
    if wrong:
        return wrong
    for index, step in enumerate(plan.steps):
        wrong += [f"{step.at:%d %b %H:%M}Z: {what}" for what in _step(plan, outlook, index, step)]
    return wrong or list(_money(plan, outlook))


def _times(plan: Plan, outlook: Outlook) -> Iterator[str]:
    if not plan.at < plan.until:
        yield "the plan ends before it begins"
    if len(plan.steps) != len(outlook.starts):
        yield f"{len(plan.steps)} steps where {len(outlook.starts)} were asked for"
        return
    for step, at, hours in zip(plan.steps, outlook.starts, outlook.hours, strict=True):
        if step.at != at or abs(step.seconds - float(hours) * 3600) > 1e-3:
            yield f"the step at {step.at:%d %b %H:%M:%S}Z should be at {at:%H:%M:%S} for {float(hours) * 3600:.0f} s"
            return


def _step(plan: Plan, outlook: Outlook, index: int, step: Step) -> Iterator[str]:
    numbers = (step.power, step.soc, step.grid, step.load, step.pv, step.marginal_value)
    if not all(math.isfinite(number) for number in numbers):
        yield "not every number is finite"
        return
    if abs(step.power) > outlook.rated + WATT:
        yield f"{step.power:.0f} W is more than the PCS can ({outlook.rated:.0f} W)"
    yield from _soc(plan, outlook, index, step)
    yield from _balance(outlook, index, step)
    rest, into, out = step.load - step.pv, float(outlook.import_limit[index]), float(outlook.export_limit[index])
    for over, resting, name in (
        (step.grid - into, rest - into, "import"),
        (-step.grid - out, -rest - out, "export"),
    ):
        if over > WATT and over > resting + WATT:
            yield f"the battery drives the {name} {over:.0f} W beyond its limit"


def _soc(plan: Plan, outlook: Outlook, index: int, step: Step) -> Iterator[str]:
    battery = outlook.battery
    before = plan.steps[index - 1].soc if index else outlook.soc
    cells = step.power / battery.efficiency if step.power > 0 else step.power * battery.efficiency
    after = before - cells * float(outlook.hours[index]) / battery.energy * 100
    if abs(after - step.soc) > PERCENT:
        yield f"SoC {step.soc:.2f} % does not follow from {before:.2f} % and {step.power:.0f} W ({after:.2f} %)"
    # A battery that begins outside of what is allowed may stay there, but go no further.
    if step.soc < min(battery.soc_min, outlook.soc) - PERCENT:
        yield f"SoC {step.soc:.2f} % is below {battery.soc_min:.0f} %"
    if step.soc > max(battery.soc_max, outlook.soc) + PERCENT:
        yield f"SoC {step.soc:.2f} % is above {battery.soc_max:.0f} %"


def _balance(outlook: Outlook, index: int, step: Step) -> Iterator[str]:
    if abs(step.grid + step.power + step.pv - step.load) > WATT:
        yield f"grid {step.grid:.0f} + battery {step.power:.0f} + PV {step.pv:.0f} W is not the load {step.load:.0f} W"
    given = (outlook.load[index], outlook.pv[index], outlook.buy[index], outlook.sell[index])
    used = (step.load, step.pv, step.price_import, step.price_export)
    for name, is_, should in zip(("load", "PV", "import price", "export price"), used, given, strict=True):
        if abs(is_ - float(should)) > 1e-6:
            yield f"the {name} is {is_:g}, not {float(should):g}"


def _peaks(plan: Plan, outlook: Outlook, planned: Meter) -> Iterator[str]:
    for number, charge in enumerate(outlook.charges):
        begin = period(outlook.now, outlook.zone, charged(charge.component))[0]
        free = pieces(charge.component, charge.peaks, begin, outlook.zone, charge.expected)[0].above
        peak, said = (
            max(1000 * planned.peaks(number)[begin], free, charge.expected),
            plan.peaks.get(charge.component.name),
        )
        of = f" of {charge.component.name}" if number else ""
        if said is None or abs(said - peak) > WATT or (not number and said != plan.peak):
            yield f"the peak{of} is {peak:.0f} W, not {plan.peak if not number else said}"


def _money(plan: Plan, outlook: Outlook) -> Iterator[str]:
    planned, idle = Meter(outlook), Meter(outlook)
    wear = 0.0
    for index, step in enumerate(plan.steps):
        planned.turn(index, step.grid / 1000)
        idle.turn(index, (step.load - step.pv) / 1000)
        wear += outlook.battery.wear * max(step.power, 0.0) / 1000 * float(outlook.hours[index])
    gained = (plan.steps[-1].soc - outlook.soc) / 100 * outlook.battery.energy / 1000
    cost, rest = planned.total() + wear - outlook.stored_value * gained, idle.total()
    near = MONEY + 1e-4 * abs(cost) + outlook.stored_value * outlook.battery.energy / 1e9
    if abs(cost - plan.cost) > near:
        yield f"it costs {cost:.4f}, not {plan.cost:.4f}"
    if abs(rest - plan.cost_idle) > near:
        yield f"idling costs {rest:.4f}, not {plan.cost_idle:.4f}"
    yield from _peaks(plan, outlook, planned)
    outside = not outlook.battery.soc_min <= outlook.soc <= outlook.battery.soc_max
    dearer = cost + PENALTY * planned.beyond - rest - PENALTY * idle.beyond
    # where the load is not known, energy is bought for what may come, and a peak that a month will reach anyway is free
    unsure = bool(np.any(np.asarray(outlook.spread) > 0))
    if dearer > near and not outside and not unsure:
        yield f"it is {dearer:.4f} dearer than idling"
