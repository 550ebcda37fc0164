"""Checks of a step what it answers to any load, and what it lets pass, by arithmetic of its own."""

import math
from collections.abc import Iterator
from itertools import pairwise

from optimizer.charge import pieces
from optimizer.demand import charged, counts, period
from optimizer.tariff import window
from optimizer.verify_walk import KEPT, PERCENT, WATT, Walk, can


def wrong_policy(walk: Walk) -> Iterator[str]:
    """What is wrong with the policy and the cap of one step."""
    table = walk.step.policy
    if not all(math.isfinite(number) for pair in table for number in pair):
        yield "not every number of its policy is finite"
        return
    if any(after[0] <= before[0] for before, after in pairwise(table)):
        yield "the net loads of its policy do not rise"
    unsure = walk.of(walk.outlook.spread) > 0 and any(step.policy for step in walk.plan.steps)
    if unsure and not table and walk.step.at < walk.plan.until:
        yield "it has no policy, and others before the plan ends have one"
    for net, power in table:
        what = f"its policy gives {power:.0f} W at a net load of {net:.0f} W"
        for wrong in (*_of_power(walk, net, power), *_of_energy(walk, power), *_of_limits(walk, net, power)):
            yield f"{what}, and {wrong}"
    yield from _cap(walk)


def _of_power(walk: Walk, net: float, power: float) -> Iterator[str]:
    """What the inverters and the cells can, and what reserves leave of it but for a limit of the grid connection."""
    name, most = can(walk, power)
    look, index = walk.outlook, walk.index
    into, out = float(look.import_limit[index]), float(look.export_limit[index])
    forecast = walk.step.load - walk.step.pv
    kept, need = (walk.of(look.up), max(net, forecast) - into) if power > 0 else (walk.of(look.down), -forecast - out)
    if abs(power) > most + WATT:
        yield f"{most:.0f} W may be {name}"
    elif abs(power) > max(most - kept, need, 0.0) + WATT:
        yield f"{kept:.0f} of {most:.0f} W are reserved"


def _of_energy(walk: Walk, power: float) -> Iterator[str]:
    """What is in the battery above what its owner allows and what is reserved, and the room for it."""
    look, battery = walk.outlook, walk.outlook.battery
    stored, begin = battery.energy * walk.soc / 100, battery.energy * look.soc / 100
    low, high = (battery.energy * soc / 100 for soc in (battery.soc_min, battery.soc_max))
    (floor, ceiling), near = walk.reserved, KEPT + battery.energy * PERCENT / 100
    cells = power / battery.efficiency if power > 0 else power * battery.efficiency
    after = stored - cells * walk.hours
    if (power > 0 and after < min(low, stored) - near) or (power < 0 and after > max(high, stored) + near):
        yield f"{walk.soc:.1f} % SoC have not so much"
    elif power > 0 and after < min(floor, begin, stored) - walk.taken - near:
        yield f"{floor / 1000:.1f} kWh are reserved"
    elif power < 0 and after > max(ceiling, begin, stored) + walk.given + near:
        yield f"a reserve needs the room above {ceiling / 1000:.1f} kWh"


def _of_limits(walk: Walk, net: float, power: float) -> Iterator[str]:
    """The battery drives neither import nor export beyond a limit."""
    into, out = float(walk.outlook.import_limit[walk.index]), float(walk.outlook.export_limit[walk.index])
    if power < -WATT and net - power > into + WATT:
        yield f"{into:.0f} W may be drawn"
    if power > WATT and power - net > out + WATT:
        yield f"{out:.0f} W may be fed in"


def _cap(walk: Walk) -> Iterator[str]:
    """A cap below what is billed anyway spends energy for nothing; one above all that may come holds nothing."""
    cap, outlook, zone = walk.step.cap, walk.outlook, walk.outlook.zone
    if cap is None:
        return
    if not math.isfinite(cap):
        yield "its cap is not finite"
        return
    billed, known = list[float](), [step.grid for step in walk.plan.steps]
    known += [net - power for step in walk.plan.steps for net, power in step.policy]
    highest = max(0.0, *known)
    for charge in outlook.charges:
        component = charge.component
        begin = window(walk.step.at, zone, component.minutes)[0]
        if counts(component, begin, zone):
            first = period(begin, zone, charged(component))[0]
            free = pieces(component, charge.peaks, first, zone, charge.expected)[0].above
            billed.append(max(charge.peaks.get(first, 0.0), free))
        known += [
            *charge.peaks.values(),
            charge.expected,
            *charge.daily,
            highest + charge.imported * 60 / component.minutes,
        ]
    if billed and cap < min(billed) - WATT:
        yield f"its cap of {cap:.0f} W is below the {min(billed):.0f} W that are billed anyway"
    most = max(*billed, *known, 0.0)
    if cap > most + WATT:
        yield f"its cap of {cap:.0f} W is above the {most:.0f} W that may come"
