"""What trials at full power and of the watchdog have shown, and the verdict on it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean

from joulebus.commission.findings import GOOD, OPEN, WRONG, Finding
from joulebus.commission.trace import ARRIVED, BEGUN, Trace, energy
from schemas.site import Site

CLASS = 0.02
"""Of the rated power: what a PCS may be beside its setpoint."""
FOLLOWS = 0.9
"""Of the ramp it is told a PCS must follow at least."""
STEPS = 100
"""Steps an energy counter must have gone to be better than the readings."""
DOUBT = 0.01
"""Share by which an efficiency may be wrong to be worth a verdict."""
LEAST = 5
"""Readings of a hold, at least."""
BELOW = 0.02
"""An efficiency may be so much below the site file's."""
LATE = 2.0
"""Seconds a watchdog may take beyond its time; a fifth of it when that is more."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Some seconds at a power. W, positive out of the device."""

    wanted: float
    ac: Trace
    """Of the PCS."""
    dc: Trace
    """At the battery's terminals."""
    ac_step: float
    dc_step: float
    """W, the steps in which they are read."""
    counted: Mapping[str, tuple[float, float]]
    """Energy counters, `ac` and `dc`: by how many Wh each went on, and in which steps."""


@dataclass(frozen=True, slots=True)
class Full:
    """A trial at full power in one direction."""

    wanted: float
    hold: Hold | None = None
    """None: it did not come to it."""
    ended: str = ""
    """Why it was ended before its time."""
    told: float | None = None
    """Seconds in which the setpoint went from a tenth to nine tenths of it."""
    rise: float | None = None
    """Seconds in which the power did."""
    tick: float = 0.0
    """Seconds between two readings meanwhile."""


def full_power(site: Site, trials: Sequence[Full]) -> list[Finding]:
    """Whether the PCS gives what it is rated for, and how much of it arrives."""
    pcs, found = site.units[0].pcs, []
    for one in trials:
        check, rated = f"{one.wanted / 1000:+.0f} kW", abs(one.wanted)
        limit = f"{CLASS:.0%} of the rating, for the whole time"
        if one.ended or one.hold is None:
            found.append(Finding(pcs, check, OPEN, one.ended or "not reached", limit))
            continue
        mean = fmean(power for _, power in one.hold.ac)
        verdict = GOOD if abs(mean - one.wanted) <= CLASS * rated else WRONG
        found.append(Finding(pcs, check, verdict, f"{mean / 1000:+.1f} kW", limit))
    holds = [one.hold for one in trials if one.hold is not None and not one.ended]
    return [*found, *(ramp(site, one) for one in trials if one.rise is not None), *efficiency(site, holds)]


def ramp(site: Site, trial: Full) -> Finding:
    """Whether the power follows the setpoint as fast as the site file lets it go."""
    pcs, way = site.units[0].pcs, (ARRIVED - BEGUN) * abs(trial.wanted)
    told, rise = trial.told or 0.0, trial.rise or 0.0
    latest = told / FOLLOWS + trial.tick
    says = f"{way / rise:.0f} W/s" if rise else f"more than {way / max(trial.tick, 1e-3):.0f} W/s"
    limit = f"within {latest:.1f} s, as it was told (battery.ramp {site.battery[0].ramp:.0f} W/s)"
    check = f"ramp to {trial.wanted / 1000:+.0f} kW"
    return Finding(pcs, check, GOOD if rise <= latest else WRONG, f"{says}, {rise:.1f} s from 10 to 90 %", limit)


@dataclass(frozen=True, slots=True)
class Share:
    """What of a power arrives on the other side."""

    value: float
    doubt: float
    counted: bool
    """By energy counters, not by the area under the readings."""


def share(hold: Hold) -> Share | None:
    """Of the power of a hold. None: there is nothing to tell it from."""
    if len(hold.ac) < LEAST or len(hold.dc) < LEAST:
        return None
    ac, dc, doubt, counted = abs(energy(hold.ac)), abs(energy(hold.dc)), _doubt(hold), False
    if all(side in hold.counted and _counts(*hold.counted[side]) for side in ("ac", "dc")):
        (ac, ac_step), (dc, dc_step) = hold.counted["ac"], hold.counted["dc"]
        doubt, counted = ac_step / ac + dc_step / dc, True
    if not ac or not dc:
        return None
    return Share(ac / dc if hold.wanted > 0 else dc / ac, doubt, counted)


def _counts(went: float, step: float) -> bool:
    return step > 0 and went >= STEPS * step


def _doubt(hold: Hold) -> float:
    """Of the areas: a reading is wrong by half a step, and the mean of many by less."""
    mean = abs(fmean(power for _, power in hold.ac)) or 1.0
    return (hold.ac_step / sqrt(len(hold.ac)) + hold.dc_step / sqrt(len(hold.dc))) / 2 / mean


def efficiency(site: Site, holds: Sequence[Hold]) -> list[Finding]:
    """Of both directions together. The cells' own losses are behind the terminals and not in it."""
    out, into = (next((one for one in holds if one.wanted * sign > 0), None) for sign in (1, -1))
    if out is None or into is None:
        return []
    pcs, expected = site.units[0].pcs, site.battery[0].efficiency ** 2
    limit = (
        f"at least {expected - BELOW:.1%}: battery.efficiency {site.battery[0].efficiency:g} each way, less {BELOW:.0%}"
    )
    shares = share(out), share(into)
    if shares[0] is None or shares[1] is None:
        return [Finding(pcs, "round trip", OPEN, f"too short to tell: less than {LEAST} readings", limit)]
    trip, doubt = shares[0].value * shares[1].value, shares[0].doubt + shares[1].doubt
    if doubt > DOUBT:
        return [Finding(pcs, "round trip", OPEN, f"too short to tell: {trip:.1%}, {doubt:.1%} in doubt", limit)]
    how = "energy counters" if shares[0].counted and shares[1].counted else "power over time"
    says = f"{trip:.1%} AC to the battery's terminals and back ({how})"
    if trip > 1 + doubt:
        return [Finding(pcs, "round trip", WRONG, f"{says}: one side counts wrong", limit)]
    return [Finding(pcs, "round trip", GOOD if trip >= expected - BELOW else WRONG, says, limit)]


@dataclass(frozen=True, slots=True)
class Silence:
    """A trial of the watchdog."""

    seconds: float
    """What it was given."""
    to_zero: float | None
    """Seconds from our last word until the power was gone. None: it did not go."""
    watched: float
    """Seconds it was looked at."""


def watchdog(site: Site, silence: Silence) -> Finding:
    """Whether the device takes the power away when nobody speaks to it."""
    latest = silence.seconds + max(LATE, silence.seconds / 5)
    limit = f"0 within {latest:g} s of our last word"
    if silence.to_zero is None:
        says = f"the power was still there after {silence.watched:.0f} s: without a bridge it goes on as told"
        return Finding(site.units[0].pcs, "watchdog", WRONG, says, limit)
    verdict = GOOD if silence.to_zero <= latest else WRONG
    return Finding(site.units[0].pcs, "watchdog", verdict, f"0 after {silence.to_zero:.1f} s", limit)
