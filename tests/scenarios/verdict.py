"""What a case came to, and whether that is what is promised. Pure."""

from dataclasses import dataclass, replace
from math import hypot, inf

from bridges.control.verification import REVERSING, SETTLING
from optimizer.delays import SLACK
from schemas.messages import Cause
from schemas.units import Kind
from simulator.sensors import NOISE
from tests.scenarios.cases import AFTER, POLL, RATED, WARM, Case
from tests.scenarios.inputs import SITE
from tests.scenarios.trial import LOOK, Truth, apart, named

BAND = 0.025 * RATED
"""W: nearer than that is settled."""
SWING = 0.015 * RATED
"""W the setpoint may go to and fro at constant load, beside what the noise of the meters makes of it."""
SIGMAS = 6.0
"""Between the highest and the lowest of some hundred readings."""
AT_REST = 0.02 * RATED
METER_RANGE = 500_000.0
"""W of the demo's grid meter."""


@dataclass(frozen=True)
class Result:
    """W and s; None: the question does not arise."""

    case: Case
    settled: float | None
    """Seconds after the event; infinite for never."""
    overshoot: float
    """The most beyond the limit."""
    beyond: float
    """Seconds it was beyond by more than the band."""
    swing: float | None
    """Between the highest and the lowest setpoint at constant load, once it must have settled."""
    named: float | None
    """Seconds from when a broken device stood apart until it was called what it is; infinite for never. None also for
    one that stood apart for a shorter time than that takes: what it was told was by chance what it did."""
    at_rest: float | None
    """The same until a reversed one had no power any more."""
    wrong: tuple[str, ...] = ()
    """What is not as promised, in words."""


def allowed_swing(case: Case) -> float:
    """W: what is promised, and what the noise of PCS and meter adds to it."""
    load = case.load(case.ends)
    power = abs(case.limit.right(load, happened=True))
    grid = abs(load - case.limit.right(load, happened=True))
    pcs, meter = NOISE[Kind.PCS]["W"], NOISE[Kind.METER]["W"]
    sizes = pcs.share * power + pcs.floor * RATED, meter.share * grid + meter.floor * METER_RANGE
    return SWING + SIGMAS * hypot(*sizes)


def naming(case: Case) -> float:
    """Seconds within which a broken device must be called so: the dead time that is assumed, what is waited for, two
    readings, and the dead time of the loop, in which its setpoint moves on. One that is stuck beside a restless load is
    now and then where it should be: nothing is promised of it."""
    if case.shape == "noise" and case.kind.name == "stuck":
        return inf
    waits = REVERSING if case.kind.broken is Cause.REVERSED else SETTLING
    return SITE.battery[0].dead_time + SLACK + waits + 2 * POLL + case.dead_time


def judge(case: Case, truths: list[Truth]) -> Result:
    """A case by what was true all along."""
    after = [one for one in truths if one.at >= case.event]
    beyond = [_beyond(case, one) for one in after]
    result = Result(
        case,
        _settled(case, truths) if case.kind.broken is None and case.shape != "noise" else None,
        max(beyond),
        round(sum(LOOK for one in beyond if one > BAND), 1),
        _swing(case, truths) if case.kind.broken is None and case.shape != "noise" else None,
        _named(case, after) if case.kind.broken else None,
        _at_rest(after) if case.kind.broken is Cause.REVERSED else None,
    )
    return replace(result, wrong=tuple(_wrong(result, truths)))


def _beyond(case: Case, one: Truth) -> float:
    return case.limit.beyond(one.grid, one.power, happened=one.at >= case.event)


def _error(case: Case, one: Truth) -> float:
    return abs(one.power - case.limit.right(one.load, happened=one.at >= case.event))


def _settled(case: Case, truths: list[Truth]) -> float:
    """When it was within the band for good, from when the load stood still."""
    off = [one.at for one in truths if one.at >= case.calm and _error(case, one) > BAND]
    if off and off[-1] > truths[-1].at - AFTER / 2:
        return float("inf")
    return round(max(off, default=case.calm) - case.calm, 1)


def _swing(case: Case, truths: list[Truth]) -> float:
    tail = [one.setpoint for one in truths if one.at >= case.calm + 3 * case.dead_time]
    return max(tail) - min(tail)


def _named(case: Case, after: list[Truth]) -> float | None:
    """None when it never stood apart: it did what it was told, by chance."""
    cause = case.kind.broken
    first = next(apart(after), None)
    if cause is None or first is None:
        return None
    said = named(after, cause)
    if said is None:
        return None if _longest_apart(after) < naming(case) else float("inf")
    return round(said - first.at, 1)


def _longest_apart(after: list[Truth]) -> float:
    """Seconds at a stretch."""
    longest = stretch = 0
    off = {one.at for one in apart(after)}
    for one in after:
        stretch = stretch + 1 if one.at in off else 0
        longest = max(longest, stretch)
    return longest * LOOK


def _at_rest(after: list[Truth]) -> float | None:
    first = next(apart(after), None)
    if first is None:
        return None
    moving = [one.at for one in after if abs(one.power) > AT_REST]
    return float("inf") if moving[-1] > after[-1].at - AFTER / 2 else round(moving[-1] - first.at, 1)


def _wrong(result: Result, truths: list[Truth]) -> list[str]:
    case, found = result.case, []
    within = 3 * case.dead_time
    if case.kind.broken is not None:
        if result.named is not None and result.named > naming(case):
            found.append(f"named after {result.named:g} s, not {naming(case):.1f} s")
        if result.at_rest is not None and result.at_rest > naming(case):
            found.append(f"at rest after {result.at_rest:g} s, not {naming(case):.1f} s")
        return found
    if result.settled is not None and result.settled > within:
        found.append(f"settled after {result.settled:g} s, not {within:.1f} s")
    if result.swing is not None and result.swing > allowed_swing(case):
        found.append(f"swings by {result.swing:.0f} W, not {allowed_swing(case):.0f} W")
    if result.overshoot > (most := most_beyond(case)):
        found.append(f"{result.overshoot:.0f} W beyond the limit, not {most:.0f} W")
    if result.beyond > (longest := longest_beyond(case)):
        found.append(f"{result.beyond:g} s beyond the limit, not {longest:.1f} s")
    wander = _wander([one.power for one in truths if one.at >= WARM / 2])
    if case.shape == "noise" and wander > (most := 1.5 * _wander([one.load for one in truths]) + BAND + _drop(case)):
        found.append(f"the battery wanders by {wander:.0f} W, not {most:.0f} W")
    said = {name for one in truths for name in one.causes} & {"swinging", "not_obeyed", "reversed", "meter_polarity"}
    found += [f"falsely called {name}" for name in sorted(said)]
    return found


def longest_beyond(case: Case) -> float:
    """Seconds beyond the limit that cannot be helped; beside a restless load nothing is promised."""
    return inf if case.shape == "noise" else 3 * case.dead_time + (case.calm - case.event)


def most_beyond(case: Case) -> float:
    """W beyond the limit that cannot be helped: what the load does in the dead time, and no more."""
    match case.shape:
        case "ramp":
            moves = 1000.0 * 3 * case.dead_time + _drop(case)
        case "noise":
            moves = _wander([case.load(float(second)) for second in range(round(case.ends))]) + _drop(case)
        case _:
            moves = case.way
    return moves + BAND


def _drop(case: Case) -> float:
    """W by which the limit itself falls."""
    before = abs(case.limit.right(case.limit.before, happened=False))
    return max(0.0, before - abs(case.limit.right(case.limit.before, happened=True)))


def _wander(values: list[float]) -> float:
    return max(values) - min(values)
