"""What the battery may do now: each limit with its name, strongest first. Pure.

The order is interlocks, state of the PCS, S-circle, PCS rating, BMS current limits, SoC, a trial of the meter, site
import and export, DSO, ramp. A later limit can only narrow what the earlier ones left: the site's wish to import less
never discharges an empty battery, and no ramp holds up what protects it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from schemas.messages import Cause, Limited

RAMP, TRIAL, SITE = "battery:ramp", "meter:trial", "site:grid"
OWN_PV = "pcs:own_pv"
"""What a hybrid's PV leaves of its inverter. It keeps its rating by itself: no register is worn to follow the sun."""
SLOW = frozenset({RAMP, OWN_PV})
"""Limits that nothing is hurried for when they are broken."""
DC_TO_AC = 0.95
"""The cells deliver losses too: OpenEMS' generic ESS allows 0.95 of DCL x U on the AC side."""
WORN, BUDGET = "register:worn", "register:budget"
"""A register that wears and was written too often; and one that may not be written yet."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A range of power in W with the name of its source."""

    source: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class LimitInputs:
    """What the guard knows when it clamps. None is `not known or too old`. Powers in W, positive discharging."""

    rated_power: float
    apparent_power: float
    reactive_power: float
    runs: bool | None
    """Whether the inverter runs: a setpoint of one that does not must be 0, or it jumps at its start. None: unknown."""
    charge: float | None
    discharge: float | None
    """W at the cells that they allow this PCS: CCL and DCL times their voltage, of several racks and PCS its part."""
    soc: float | None
    soc_min: float
    soc_max: float
    net_load: float | None
    """What the grid would carry if this battery rested, and the others did what is counted on."""
    import_limit: float
    export_limit: float
    position: float
    """Where the ramp stands, before it was rounded to the steps of the register."""
    ramp: float
    """W it may move now; infinite for none."""
    trial: float = math.inf
    """W that a trial of the meter leaves in each direction."""
    dso: float | None = None
    """W the network operator allows in each direction."""
    dso_name: str = "dso:limit"
    sun: float = 0.0
    """W of a hybrid's own PV: it goes through the same inverter."""
    power_factor: float | None = None
    """Wanted instead of a reactive power."""
    interlocks: tuple[Limit, ...] = ()
    """What is blocked, each by its name."""
    stopping: bool = False
    beside_less: float = 0.0
    beside_more: float = 0.0
    """W that the batteries beside this one may give less, and more, than is counted on."""
    beside_gives: float = 0.0
    beside_takes: float = 0.0
    """W that those of them which follow discharge, and charge."""


def limits(now: LimitInputs) -> list[Limit]:
    """All limits of this moment, strongest first."""
    outer = [*now.interlocks, *_state(now), _s_circle(now), _rating(now), *_own_pv(now)]
    return [*outer, _bms(now), _soc(now), _trial(now), _site(now), _dso(now), _ramp(now)]


def clamp(wanted: float, limits: Iterable[Limit]) -> tuple[float, list[tuple[str, float, float]]]:
    """The power closest to `wanted` that the limits allow, and each step that moved it: (source, before, after)."""
    low, high, steps = -math.inf, math.inf, []
    for limit in limits:
        low = min(max(low, limit.low), high)
        high = max(min(high, limit.high), low)
        allowed = min(max(wanted, low), high)
        if allowed != wanted:
            steps.append((limit.source, wanted, allowed))
            wanted = allowed
    return wanted, steps


def settle(value: float, step: float, limits: Sequence[Limit]) -> float:
    """The nearest value that a register of this step can hold without breaking a limit that `value` keeps."""
    if step <= 0:
        return value
    steps = round(value / step, 9)  # 300 W is 3 steps of 100 W, not 2.9999999999999996
    for whole in (round(steps), math.floor(steps), math.ceil(steps)):
        if clamp(whole * step, limits)[0] == whole * step:
            return whole * step + 0.0
    return math.trunc(steps) * step + 0.0


def reactive(power_factor: float, power: float, apparent: float) -> float:
    """The var that give a power factor at a power; positive feeds them in, a negative factor draws them."""
    if power_factor == 0:
        return apparent
    return math.copysign(abs(power) * math.tan(math.acos(min(1.0, abs(power_factor)))), power_factor)


def reported(point: str, steps: Iterable[tuple[str, float, float]]) -> list[Limited]:
    """The steps as they travel in an outcome."""
    return [Limited(point=point, source=source, wanted=before, allowed=after) for source, before, after in steps]


CAUSES = {
    "bms:missing": Cause.BMS_MISSING,
    "bms:soc_missing": Cause.CRITICAL_POINT,
    "meter:missing": Cause.METER_MISSING,
    "pcs:not_running": Cause.WRONG_STATE,
    "pcs:state_unknown": Cause.CRITICAL_POINT,
    "pcs:reversed": Cause.REVERSED,
    "loop:meter_polarity": Cause.METER_POLARITY,
    "loop:swinging": Cause.SWINGING,
    WORN: Cause.WORN,
    BUDGET: Cause.WRITE_BUDGET,
}
"""Limits that are a trouble, and which; all others are as the plant is built and charged."""


UNKNOWN = frozenset({"bms:missing", "bms:soc_missing", "meter:missing", "pcs:state_unknown"})
"""Limits that hold because nobody knows better."""


def cause_of(limited: Iterable[Limited]) -> Cause | None:
    """The trouble among what limited a command, if there is one."""
    for one in limited:
        if one.source.startswith("interlock:"):
            return Cause.INTERLOCK
        if one.source in CAUSES:
            return CAUSES[one.source]
    return None


def _state(now: LimitInputs) -> list[Limit]:
    if now.stopping:
        return [Limit("pcs:stopping", 0.0, 0.0)]
    if now.runs:
        return []
    return [Limit("pcs:state_unknown" if now.runs is None else "pcs:not_running", 0.0, 0.0)]


def _s_circle(now: LimitInputs) -> Limit:
    # P^2 + Q^2 <= S^2: reactive power takes its share of the inverter's current.
    if now.power_factor is not None:
        left = now.apparent_power * abs(now.power_factor)
    else:
        left = math.sqrt(max(0.0, now.apparent_power**2 - now.reactive_power**2))
    return Limit("pcs:apparent_power", -left, left)


def _rating(now: LimitInputs) -> Limit:
    return Limit("pcs:rated_power", -now.rated_power, now.rated_power)


def _own_pv(now: LimitInputs) -> list[Limit]:
    return [Limit(OWN_PV, -now.rated_power, max(0.0, now.rated_power - now.sun))] if now.sun > 0 else []


def _bms(now: LimitInputs) -> Limit:
    if now.charge is None or now.discharge is None:
        return Limit("bms:missing", 0.0, 0.0)
    return Limit("bms:current", -max(0.0, now.charge), max(0.0, now.discharge) * DC_TO_AC)


def _soc(now: LimitInputs) -> Limit:
    if now.soc is None:
        return Limit("bms:soc_missing", 0.0, 0.0)
    low = 0.0 if now.soc >= now.soc_max else -math.inf
    high = 0.0 if now.soc <= now.soc_min else math.inf
    return Limit("battery:soc", low, high)


def _trial(now: LimitInputs) -> Limit:
    most = max(now.trial, abs(now.position) - now.ramp)  # nothing is protected by it: it comes along the ramp
    return Limit(TRIAL, -most, most)


def _site(now: LimitInputs) -> Limit:
    if now.net_load is None:
        return Limit("meter:missing", 0.0, 0.0)
    # Each W of discharge takes one away from what the grid carries.
    low, high = now.net_load - now.import_limit, now.net_load + now.export_limit
    # What others give they take back themselves before this one charges from it, and what they take before it gives.
    low, high = min(low, max(0.0, low - now.beside_takes)), max(high, min(0.0, high + now.beside_gives))
    # What the others may do takes room; only what they do moves this one from where it stands, and it may always rest.
    less = max(low, min(low + now.beside_less, now.position, 0.0, high))
    return Limit(SITE, less, min(high, max(high - now.beside_more, now.position, 0.0, low)))


def _dso(now: LimitInputs) -> Limit:
    most = math.inf if now.dso is None else now.dso
    return Limit(now.dso_name, -most, most)


def _ramp(now: LimitInputs) -> Limit:
    return Limit(RAMP, now.position - now.ramp, now.position + now.ramp)
