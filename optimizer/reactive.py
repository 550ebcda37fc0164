"""The reactive power of the inverters of batteries and PV, by the rule of the network operator. Pure.

Signs are those of an inverter: positive feeds var in. Active power comes first: what it leaves of the S-circle is the
most that is asked for. Only a rule over the meter closes a loop; it moves by a part of what is missing, so that a meter
that is many seconds late makes it slow and not restless.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from schemas.site_reactive import LEAST, Reactive

GAIN = 0.08
"""Of what is missing at the meter, in each step of 2 s: a loop with a dead time of n steps swings from pi / (2 n) on:
half of that where the meter and the inverters are 20 s late together."""
FILTER = 0.45
"""Of a new voltage in each step of 2 s: the first-order lag of a Q(U) rule, three time constants in 10 s as
VDE-AR-N 4105 has it (1 - exp(-2 / 3.33))."""
INSIDE = 0.995
"""The loop over the meter aims a little into the allowed band, and rests there."""
COARSE, STEP = 0.05, 0.99
"""Of the apparent power; and the factor next to 1 where a register knows hundredths: 14 % of the active power."""
LOW = 0.02
"""Of the apparent powers together: below so much power at the meter a power factor is noise: nothing is corrected."""


@dataclass(frozen=True, slots=True)
class Inverter:
    """One that can be told a reactive power."""

    name: str
    power: float
    """W that it is told."""
    rated: float
    """W"""
    apparent: float
    """VA"""
    last: float
    """var that it was told before."""
    by_factor: bool = False
    """It is told a power factor: without active power it gives none."""
    stuck: float | None = None
    """var that it gives whatever it is told; None while it follows."""

    @property
    def room(self) -> float:
        """var that its active power leaves."""
        circle = math.sqrt(max(0.0, self.apparent**2 - self.power**2))
        return min(circle, abs(of_factor(LEAST, self.power))) if self.by_factor else circle

    @property
    def coarse(self) -> float:
        """var that are not worth another power factor."""
        return COARSE * self.apparent

    @property
    def step(self) -> float:
        """var that the next power factor may be away."""
        return max(self.coarse, abs(of_factor(STEP, self.power)))

    @property
    def gives(self) -> float:
        return self.last if self.stuck is None else self.stuck


@dataclass(frozen=True, slots=True)
class GridSeen:
    """What the grid meter shows now; None is not known or too old."""

    power: float | None = None
    """W, positive drawn."""
    reactive: float | None = None
    """var, positive drawn."""
    voltage: float | None = None
    """V between two phases, already filtered."""


def reactive(rule: Reactive, inverters: Sequence[Inverter], seen: GridSeen) -> dict[str, float]:
    """var for each inverter. What the rule needs and nobody knows leaves each where it is."""
    if rule.power_factor is not None:
        factor = rule.power_factor
        wanted = {one.name: of_factor(factor, one.power) for one in inverters}
    elif rule.power_factor_at_power is not None:
        wanted = {one.name: _at_power(rule.power_factor_at_power, one) for one in inverters}
    elif rule.q_at_voltage is not None:
        wanted = _at_voltage(rule, inverters, seen)
    elif rule.meter_power_factor is not None:
        wanted = _at_meter(rule.meter_power_factor, inverters, seen)
    else:
        wanted = share(rule.q or 0.0, inverters)
    return {one.name: _inside(one, wanted[one.name]) for one in inverters}


def of_factor(factor: float, power: float) -> float:
    """var that give a power factor at a power in W, in either direction of it."""
    return math.copysign(abs(power) * math.tan(math.acos(min(1.0, abs(factor)))), factor)


def factor_of(reactive: float, power: float) -> float:
    """The power factor that gives a reactive power (var) at a power (W): negative where it draws var."""
    if reactive == 0 or power == 0:
        return 1.0
    return math.copysign(max(LEAST, abs(power) / math.hypot(power, reactive)), reactive)


def share(total: float, inverters: Sequence[Inverter]) -> dict[str, float]:
    """In proportion to the room that each has; those that follow take over what the others leave. One that does not
    is told its part all the same: it may come back."""
    able = [one for one in inverters if one.stuck is None]
    left = total - sum(one.stuck for one in inverters if one.stuck is not None)
    return _parts(left, able or inverters, inverters) | _held(left, able)


def _parts(left: float, able: Sequence[Inverter], told: Sequence[Inverter]) -> dict[str, float]:
    room = sum(one.room for one in able)
    part = min(1.0, abs(left) / room) if room > 0 else 0.0
    return {one.name: math.copysign(part * one.room, left) for one in told}


def _held(left: float, able: Sequence[Inverter]) -> dict[str, float]:
    """A power factor moves in steps of its register: near to its part it stays, and those told in var do the rest."""
    fine, wanted = [one for one in able if not one.by_factor], _parts(left, able, able)
    coarse = [one for one in able if one.by_factor]
    near = {one.name: _inside(one, one.last) for one in coarse if abs(wanted[one.name] - one.last) < one.coarse}
    rest = left - sum((wanted | near)[one.name] for one in coarse)
    if not near or not fine or rest * left < 0 or left == 0:
        return {}
    return near | _parts(rest, fine, fine)


def line(corners: Sequence[Sequence[float]], x: float) -> float:
    """Between its corners, and level beyond the outer ones."""
    if x <= corners[0][0]:
        return corners[0][1]
    for (x0, y0), (x1, y1) in pairwise(corners):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return corners[-1][1]


def _at_power(corners: Sequence[Sequence[float]], one: Inverter) -> float:
    """By what it feeds in. Drawn along the distance from 1: a factor of 1 and one of -1 are the same."""
    load = max(one.power, 0.0) / one.rated if one.rated > 0 else 0.0
    distance = line([(x, math.copysign(1.0 - abs(factor), factor)) for x, factor in corners], load)
    return of_factor(math.copysign(1.0 - abs(distance), distance), one.power)


def _at_voltage(rule: Reactive, inverters: Sequence[Inverter], seen: GridSeen) -> dict[str, float]:
    if seen.voltage is None or rule.q_at_voltage is None or rule.nominal_voltage is None:
        return {one.name: one.last for one in inverters}
    part = line(rule.q_at_voltage, seen.voltage / rule.nominal_voltage)
    return {one.name: part * one.apparent for one in inverters}


def _at_meter(factor: float, inverters: Sequence[Inverter], seen: GridSeen) -> dict[str, float]:
    """Only what is outside of the band is corrected, and what was given is taken back as soon as it is not needed."""
    if seen.power is None or seen.reactive is None:
        return {one.name: one.last for one in inverters}
    given = sum(one.gives for one in inverters)
    band = abs(of_factor(factor, seen.power)) * INSIDE
    if abs(seen.power) < LOW * sum(one.apparent for one in inverters):
        return share(given, inverters)
    load = seen.reactive + given  # what the site draws without its inverters
    wanted = load - min(max(load, -band), band)
    steps = sum(one.step for one in inverters) if all(one.by_factor for one in inverters) else 0.0
    if abs(seen.reactive) <= band and abs(wanted - given) < steps:
        return {one.name: one.last for one in inverters}  # in steps it would go to and fro
    return share(given + GAIN * (wanted - given), inverters)


def _inside(one: Inverter, wanted: float) -> float:
    room = one.room
    return round(min(max(wanted, -room), room), 1) + 0.0


def filtered(before: float | None, now: float) -> float:
    """The voltage that a Q(U) rule follows, each 2 s."""
    return now if before is None else before + FILTER * (now - before)
