"""What a device is to be told now: targets and limits in, values out. Pure: `now` is the monotonic clock.

Each value stands on its own, and what makes the site safer comes first.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridges.control.grid_limit import LIMIT
from bridges.control.limits import BUDGET, OWN_PV, RAMP, SITE, SLOW, WORN, Limit, clamp, reactive, reported, settle
from bridges.fieldbus.contract import Writable
from schemas.messages import Limited

CATCH_UP = 1.5
"""Cycles of ramp that may be made up at once: after an hour at rest the first step is as small as any other."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to write, in this order."""

    values: dict[str, float]
    limited_by: list[Limited]
    urgent: frozenset[str]
    """Points that stand beyond a limit now, go to their fallback, or limit PV to less: no budget holds these up."""
    flickering: frozenset[str]
    """Those of a hybrid that stand only beyond what the load and its own sun leave at the grid connection now."""
    ramping: bool
    """A ramp of ours still stands between the setpoint and the wish."""
    position: float | None
    """Where the ramp of p_set stands, before it was rounded to the steps of the register; None: p_set is not wanted."""


@dataclass(frozen=True, slots=True)
class Targets:
    """What is wanted of a device."""

    values: Mapping[str, float]
    fallen: frozenset[str] = frozenset()
    """Points for which no valid command is left: what is wanted of them is what was declared safe."""


@dataclass(frozen=True, slots=True)
class Now:
    """What a decision is made from, besides the targets."""

    chains: Mapping[str, Sequence[Limit]]
    """The limits of each point, strongest first."""
    held: Mapping[str, float]
    """What each point was told last."""
    steps: Mapping[str, float]
    """In what steps its register moves."""
    worn: frozenset[str] = field(default_factory=frozenset)
    """Points whose register is spared: they rest at 0."""
    apparent_power: float = 0.0


def decide(targets: Targets, now: Now) -> Decision:
    """Clamp what is wanted, each point by its own limits, and settle it on a value its register can hold."""
    values: dict[str, float] = {}
    limited: list[Limited] = []
    urgent, flickering = set[str](), set[str]()
    ramping, position = False, None
    for point, wish in _wishes(targets.values, now):
        chain = [*([Limit(WORN, 0.0, 0.0)] if point in now.worn else []), *now.chains[point]]
        allowed, steps = clamp(wish, chain)
        values[point] = settle(allowed, now.steps.get(point, 0.0), chain)
        limited += reported(point, steps)
        held = now.held.get(point)
        curtails = point == LIMIT and held is not None and values[point] < held  # more is fed in than may be
        if point in targets.fallen or curtails or _beyond(held, chain):
            urgent.add(point)
            sunny, fixed = any(one.source == OWN_PV for one in chain), [one for one in chain if one.source != SITE]
            flickering |= {point} if sunny and not (point in targets.fallen or _beyond(held, fixed)) else set()
        if point == "p_set":
            ramping, position = any(source == RAMP for source, _, _ in steps), allowed
    order = sorted(values, key=lambda one: (not _safer(values[one], now.held.get(one)), one != "q_set"))
    told = {point: values[point] for point in order}
    return Decision(told, limited, frozenset(urgent), frozenset(flickering), ramping, position)


def waiting(values: Mapping[str, float], held: Mapping[str, float]) -> list[Limited]:
    """Values that wait for the budget of their register: what was told before stands there, and limits a command."""
    return [
        Limited(point=point, source=BUDGET, wanted=value, allowed=held[point])
        for point, value in values.items()
        if point in held
    ]


def fallback(commands: Mapping[str, Writable], power: float | None) -> dict[str, float]:
    """What is declared safe for each point; `power` is the site file's word for the battery's p_set."""
    wanted = {}
    for point, one in commands.items():
        safe = power if point == "p_set" and power is not None else one.fallback
        if safe is not None:
            wanted[point] = safe
    return wanted


def _wishes(wanted: Mapping[str, float], now: Now) -> list[tuple[str, float]]:
    """Reactive power before active: it takes its share of the S-circle. A power factor follows the active power."""
    left = dict(wanted)
    factor = None if "pf_set" in now.chains else left.pop("pf_set", None)
    if factor is not None and "q_set" in now.chains:
        power = left.get("p_set", now.held.get("p_set", 0.0))
        left["q_set"] = reactive(factor, clamp(power, now.chains["p_set"])[0], now.apparent_power)
    return sorted(left.items(), key=lambda one: one[0] != "q_set")


def _beyond(held: float | None, chain: Sequence[Limit]) -> bool:
    """What the register holds breaks a limit that is to be kept at once."""
    if held is None:
        return False
    return clamp(held, [limit for limit in chain if limit.source not in SLOW])[0] != held


def _safer(value: float, held: float | None) -> bool:
    """Less than before, in either direction."""
    return held is not None and abs(value) < abs(held)


def ramp_step(ramp: float, since: float, cycle: float) -> float:
    """W that a ramp may move: `since` seconds after its last move, in cycles of `cycle` seconds."""
    return math.inf if math.isinf(ramp) else ramp * min(since, CATCH_UP * cycle)


def own_limits(name: str, one: Writable) -> list[Limit]:
    """What the device itself takes."""
    return [Limit(f"{name}:range", one.low, one.high)]


def limit_chain(name: str, one: Writable, percent: float | None, source: str, apparent: float) -> list[Limit]:
    """The limits of a point that is not the battery's power."""
    chain = own_limits(name, one)
    if one.name == LIMIT:
        chain.append(Limit(source, 0.0, 100.0 if percent is None else percent))
    elif one.name == "q_set" and apparent:
        chain.append(Limit(f"{name}:apparent_power", -apparent, apparent))
    return chain
