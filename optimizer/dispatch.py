"""The battery's power for now: the plan's intention, carried out on what is measured instead of what was forecast."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.billing import Billing
from optimizer.tariff import month
from schemas.messages import Authority, ControlMode, Mode, Plan, Step
from schemas.site import Battery, Grid

SMALL = 50.0
"""W: less is nothing."""
DEADBAND = 0.005
"""Of the rated power: a smaller change is not worth a write."""
METER_FRESH, METER_HOLD = 2.5, 5.0
"""Seconds: so old a reading of the grid meter steers; so old it holds the last power; then 0 (meter_comm_lost)."""


@dataclass(frozen=True)
class Ratings:
    """What does not change."""

    battery: Battery
    grid: Grid
    rated: float
    """W of the PCS."""
    meter_poll: float = 1.0
    """Seconds between two readings of the grid meter."""


@dataclass(frozen=True)
class Moment:
    """What is measured. Ages in seconds; None was never heard."""

    now: datetime
    net: float | None = None
    """W the grid would carry if the battery rested: grid + battery at the last reading of the meter."""
    meter_age: float = 0.0
    soc: float | None = None
    charge: float | None = None
    discharge: float | None = None
    """W the BMS allows: CCL and DCL times its voltage."""
    bms_age: float = 0.0
    last: float = 0.0
    """W wanted the last time."""


@dataclass(frozen=True)
class Wanted:
    """The answer, with its reason in words."""

    power: float
    reason: str
    authority: Authority


Bound = tuple[float, float, str]
"""Lowest and highest power and whose limit it is."""


def decide(ratings: Ratings, moment: Moment, plan: Plan | None, billing: Billing, mode: ControlMode) -> Wanted:
    """The wanted power. The bridge guards it once more, whatever is decided here."""
    step = current_step(plan, moment.now)
    manual = mode.mode is Mode.MANUAL and mode.power is not None
    authority = Authority.OPERATOR if manual else Authority.PLAN if step else Authority.SELF_CONSUMPTION
    if moment.soc is None or moment.charge is None or moment.discharge is None:
        return Wanted(0.0, "rests: the BMS does not say what it allows", authority)
    if moment.bms_age > ratings.battery.ccl_stale_after:
        return Wanted(0.0, f"rests: the BMS is silent for {moment.bms_age:.0f} s", authority)
    inner = _device_bounds(ratings, moment, moment.charge, moment.discharge)
    if manual:
        return _bounded(ratings, moment, Wanted(mode.power or 0.0, f"manual by {mode.who}", authority), inner)
    fresh, hold = METER_FRESH * max(1.0, ratings.meter_poll), METER_HOLD * max(1.0, ratings.meter_poll)
    if moment.net is None or moment.meter_age > hold:
        silent = "is missing" if moment.net is None else f"is silent for {moment.meter_age:.0f} s"
        return Wanted(0.0, f"rests: the grid meter {silent}", authority)
    if moment.meter_age > fresh:
        # A closed loop on an old reading would integrate its own answer: it waits instead.
        held = f"holds: the grid meter is silent for {moment.meter_age:.0f} s"
        return _bounded(ratings, moment, Wanted(moment.last, held, authority), inner)
    power, why = _follow(step, moment.net, ratings.battery) if step else _self_consume(moment.net)
    outer = [*_peak_bound(plan, billing, moment), *_grid_bounds(ratings.grid, moment.net)]
    return _bounded(ratings, moment, Wanted(power, why, authority), [*outer, *inner])


def current_step(plan: Plan | None, now: datetime) -> Step | None:
    """The step of a valid plan that holds now."""
    if plan is None or not plan.at <= now < plan.until:
        return None
    for step in plan.steps:
        if step.at <= now < step.at + timedelta(seconds=step.seconds):
            return step
    return None


def _self_consume(net: float) -> tuple[float, str]:
    return net, "no valid plan: " + ("covers the load" if net > 0 else "stores PV")


def _follow(step: Step, net: float, battery: Battery) -> tuple[float, str]:
    """What the plan means, on the measured load and PV: a forecast error alone never buys or sells energy."""
    planned = step.load - step.pv
    if step.power > SMALL:
        if step.power > max(planned, 0.0) + SMALL:
            return step.power, step.reason
        whole = step.grid <= SMALL
        return (max(net, 0.0) if whole else min(step.power, max(net, 0.0))), step.reason
    if step.power < -SMALL:
        if step.power < min(planned, 0.0) - SMALL:
            return step.power, step.reason
        whole = step.grid >= -SMALL
        return (min(net, 0.0) if whole else max(step.power, min(net, 0.0))), step.reason
    if net < -SMALL and step.marginal_value * battery.efficiency > step.price_export:
        return net, f"stores PV nobody forecast: worth {step.marginal_value:.2f}, sold at {step.price_export:.2f}"
    return 0.0, step.reason


def _peak_bound(plan: Plan | None, billing: Billing, moment: Moment) -> list[Bound]:
    """Keeps the mean import of this billing window at or below the month's peak, billed or planned."""
    if plan is None or plan.peak is None or moment.net is None:
        return []
    if month(plan.at, billing.zone) != month(moment.now, billing.zone):
        return []  # last month's peak binds nobody
    room = billing.room(moment.now, max(plan.peak, billing.peak))
    return [(moment.net - room, float("inf"), "the month's peak")]


def _grid_bounds(grid: Grid, net: float) -> list[Bound]:
    return [
        (net - grid.import_limit, float("inf"), "the import limit"),
        (-float("inf"), net + grid.export_limit, "the export limit"),
    ]


def _device_bounds(ratings: Ratings, moment: Moment, charge: float, discharge: float) -> list[Bound]:
    soc = moment.soc or 0.0
    down = 0.0 if soc >= ratings.battery.soc_max else -float("inf")
    up = 0.0 if soc <= ratings.battery.soc_min else float("inf")
    return [
        (down, up, f"the SoC of {soc:.1f} %"),
        (-max(charge, 0.0), max(discharge, 0.0), "the BMS"),
        (-ratings.rated, ratings.rated, "the PCS rating"),
    ]


def _bounded(ratings: Ratings, moment: Moment, wish: Wanted, bounds: Sequence[Bound]) -> Wanted:
    """Later bounds win: what protects the battery stands after what saves money."""
    allowed, by = _clamp(wish.power, bounds)
    near = allowed != 0.0 and abs(allowed - moment.last) < DEADBAND * ratings.rated
    held, broken = _clamp(moment.last, bounds)
    if near and not broken:  # the last power again, where every bound lets it pass
        allowed = held
    reason = f"{wish.reason}; limited by {', '.join(by)}" if by else wish.reason
    return Wanted(round(allowed, 1) + 0.0, reason[:500], wish.authority)


def _clamp(power: float, bounds: Sequence[Bound]) -> tuple[float, list[str]]:
    by = []
    for low, high, name in bounds:
        inside = min(max(power, low), high)
        if abs(inside - power) > 1.0:
            by.append(name)
        power = inside
    return power, by
