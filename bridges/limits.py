"""What the battery may do now: each limit with its name, strongest first. Pure.

The order is S-circle, PCS rating, BMS current limits, SoC, site import and export, DSO, ramp. A later limit can
only narrow what the earlier ones left: the site's wish to import less never discharges an empty battery.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from schemas.messages import Limited


@dataclass(frozen=True, slots=True)
class Limit:
    """A range of power in W with the name of its source."""

    source: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Situation:
    """What the guard knows when it clamps. None is `not known or too old`. Powers in W, positive discharging."""

    rated_power: float
    apparent_power: float
    reactive_power: float
    voltage: float | None
    charge_current: float | None
    """The BMS' CCL in A."""
    discharge_current: float | None
    """The BMS' DCL in A."""
    soc: float | None
    soc_min: float
    soc_max: float
    grid: float | None
    """At the meter, positive importing."""
    battery: float | None
    """Measured at the PCS."""
    import_limit: float
    export_limit: float
    last: float
    """The setpoint that holds."""
    ramp: float
    """W the setpoint may move now."""


def limits(now: Situation) -> list[Limit]:
    """All limits of this moment, strongest first."""
    return [_s_circle(now), _rating(now), _bms(now), _soc(now), _site(now), _ramp(now)]


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


def reported(point: str, steps: Iterable[tuple[str, float, float]]) -> list[Limited]:
    """The steps as they travel in an outcome."""
    return [Limited(point=point, source=source, wanted=before, allowed=after) for source, before, after in steps]


def _s_circle(now: Situation) -> Limit:
    # P^2 + Q^2 <= S^2: reactive power takes its share of the inverter's current.
    left = math.sqrt(max(0.0, now.apparent_power**2 - now.reactive_power**2))
    return Limit("pcs:apparent_power", -left, left)


def _rating(now: Situation) -> Limit:
    return Limit("pcs:rated_power", -now.rated_power, now.rated_power)


def _bms(now: Situation) -> Limit:
    if now.voltage is None or now.charge_current is None or now.discharge_current is None:
        return Limit("bms:missing", 0.0, 0.0)
    charge = max(0.0, now.charge_current) * now.voltage
    # The cells deliver losses too: OpenEMS' generic ESS allows 0.95 of DCL x U on the AC side.
    discharge = max(0.0, now.discharge_current) * now.voltage * 0.95
    return Limit("bms:current", -charge, discharge)


def _soc(now: Situation) -> Limit:
    if now.soc is None:
        return Limit("bms:soc_missing", 0.0, 0.0)
    low = 0.0 if now.soc >= now.soc_max else -math.inf
    high = 0.0 if now.soc <= now.soc_min else math.inf
    return Limit("battery:soc", low, high)


def _site(now: Situation) -> Limit:
    if now.grid is None or now.battery is None:
        return Limit("meter:missing", 0.0, 0.0)
    # What the grid would carry with a resting battery; each W of discharge takes one away.
    without = now.grid + now.battery
    return Limit("site:grid", without - now.import_limit, without + now.export_limit)


def _ramp(now: Situation) -> Limit:
    return Limit("battery:ramp", now.last - now.ramp, now.last + now.ramp)
