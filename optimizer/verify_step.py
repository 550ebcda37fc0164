"""Checks each step of a plan by arithmetic of its own: numbers, power, SoC, taper, ramp, reserves and policy."""

import math
from collections.abc import Iterator

import numpy as np

from optimizer.verify_policy import wrong_policy
from optimizer.verify_walk import KEPT, PERCENT, WATT, Walk, can

DIGITS = {"load": 0.06, "PV": 0.06, "import price": 1e-6, "export price": 1e-6}
"""W and per kWh: what stands behind the last digit that a plan says."""


def wrong_step(walk: Walk) -> Iterator[str]:
    """What is wrong with one step."""
    step, outlook, index = walk.step, walk.outlook, walk.index
    numbers = (step.power, step.soc, step.grid, step.load, step.pv, step.marginal_value)
    if not all(math.isfinite(number) for number in numbers):
        yield "not every number is finite"
        return
    yield from _power(walk)
    yield from _soc(walk)
    yield from _taper(walk)
    yield from _apart(walk)
    yield from _reserves(walk)
    yield from _balance(walk)
    rest, into, out = step.load - step.pv, float(outlook.import_limit[index]), float(outlook.export_limit[index])
    for over, resting, name in (
        (step.grid - into, rest - into, "import"),
        (-step.grid - out, -rest - out, "export"),
    ):
        if over > WATT and over > resting + WATT:
            yield f"the battery drives the {name} {over:.0f} W beyond its limit"
    yield from wrong_policy(walk)


def _power(walk: Walk) -> Iterator[str]:
    outlook, power = walk.outlook, walk.step.power
    if abs(power) > outlook.rated + WATT:
        yield f"{power:.0f} W is more than the PCS can ({outlook.rated:.0f} W)"
    name, most = can(walk, power)
    if most + WATT < abs(power) <= outlook.rated + WATT:
        yield f"{power:.0f} W is more than may be {name} now ({most:.0f} W)"
    if walk.index and outlook.ramp < math.inf:
        change = abs(power - walk.plan.steps[walk.index - 1].power)
        if change > outlook.ramp * walk.step.seconds + WATT:
            yield f"the power changes by {change:.0f} W, more than its ramp of {outlook.ramp:g} W/s lets in this step"


def _soc(walk: Walk) -> Iterator[str]:
    battery, step, before = walk.outlook.battery, walk.step, walk.soc
    cells = step.power / battery.efficiency if step.power > 0 else step.power * battery.efficiency
    if battery.energy <= 0:
        if abs(step.power) > WATT:
            yield f"{step.power:.0f} W of a battery without energy"
        return
    after = before - cells * walk.hours / battery.energy * 100
    if abs(after - step.soc) > PERCENT:
        yield f"SoC {step.soc:.2f} % does not follow from {before:.2f} % and {step.power:.0f} W ({after:.2f} %)"
    # A battery that begins outside of what is allowed may stay there, but go no further.
    if step.soc < min(battery.soc_min, walk.outlook.soc) - PERCENT:
        yield f"SoC {step.soc:.2f} % is below {battery.soc_min:.0f} %"
    if step.soc > max(battery.soc_max, walk.outlook.soc) + PERCENT:
        yield f"SoC {step.soc:.2f} % is above {battery.soc_max:.0f} %"


def _taper(walk: Walk) -> Iterator[str]:
    """By the table itself, at the SoC of the end of the step."""
    step, table = walk.step, walk.outlook.battery.taper
    if not table or abs(step.power) <= WATT:
        return
    column, name = (1, "charged") if step.power < 0 else (2, "discharged")
    near = (step.soc - PERCENT, step.soc, step.soc + PERCENT)
    most = max(float(np.interp(soc, [row[0] for row in table], [row[column] for row in table])) for soc in near)
    if abs(step.power) > most + WATT:
        yield f"{step.power:.0f} W is more than may be {name} at {step.soc:.1f} % SoC ({most:.0f} W)"


def _apart(walk: Walk) -> Iterator[str]:
    """Of several batteries each gives no more than is in it and takes no more than fits in, at its rating at most."""
    outlook, parts = walk.outlook, walk.outlook.battery.parts
    inside = outlook.battery.soc_min <= outlook.soc <= outlook.battery.soc_max
    if len(parts) < 2 or not inside:  # the SoC of several is the mean of what each has between its own limits
        return
    passed = float(np.sum(outlook.hours[: walk.index + 1]))
    both, energy = outlook.battery.efficiency, outlook.battery.energy
    fallen = energy * (outlook.soc - walk.step.soc) / 100
    near = KEPT + energy * PERCENT / 100
    give = sum(min(one.rated * passed / both, one.below) for one in parts)
    take = sum(min(one.rated * passed * both, one.above) for one in parts)
    if fallen > give + near:
        yield f"{fallen / 1000:.1f} kWh are taken out by then, and those that are not empty can give {give / 1000:.1f}"
    if -fallen > take + near:
        yield f"{-fallen / 1000:.1f} kWh are put in by then, and those that are not full can take {take / 1000:.1f}"


def _reserves(walk: Walk) -> Iterator[str]:
    """What is kept for reserves, but for what limits of the grid connection take and what was never there."""
    outlook, step, index = walk.outlook, walk.step, walk.index
    energy, begin = outlook.battery.energy, outlook.battery.energy * outlook.soc / 100
    stored, near = energy * step.soc / 100, KEPT + energy * PERCENT / 100
    floor, ceiling = walk.reserved
    if stored < min(floor, max(begin, 0.0) if floor > begin else floor) - walk.taken - near:
        yield f"{stored / 1000:.1f} kWh in the battery, and {floor / 1000:.1f} kWh are reserved"
    if stored > max(ceiling, begin) + walk.given + near:
        yield f"{stored / 1000:.1f} kWh in the battery leave no room above {ceiling / 1000:.1f} kWh for a reserve"
    most = can(walk, step.power)[1]
    rest = step.load - step.pv
    if step.power > 0:
        kept, need = walk.of(outlook.up), rest - float(outlook.import_limit[index])
    else:
        kept, need = walk.of(outlook.down), -rest - float(outlook.export_limit[index])
        need = 0.0 if outlook.gives_way[index] else need
    left = most - abs(step.power)
    if left < kept - WATT and abs(step.power) > max(need, 0.0) + WATT:
        yield f"{step.power:.0f} W leave {max(left, 0.0):.0f} W of the {kept:.0f} W that are reserved"


def _balance(walk: Walk) -> Iterator[str]:
    step, outlook, index = walk.step, walk.outlook, walk.index
    if abs(step.grid + step.power + step.pv - step.load) > WATT:
        yield f"grid {step.grid:.0f} + battery {step.power:.0f} + PV {step.pv:.0f} W is not the load {step.load:.0f} W"
    given = (outlook.load[index], outlook.pv[index], outlook.buy[index], outlook.sell[index])
    used = (step.load, step.pv, step.price_import, step.price_export)
    for name, is_, should in zip(("load", "PV", "import price", "export price"), used, given, strict=True):
        if not abs(is_ - float(should)) <= DIGITS[name]:
            yield f"the {name} is {is_:g}, not {float(should):g}"
