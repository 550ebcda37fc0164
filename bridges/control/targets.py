"""What is wanted of each point of a device now: what commands ask, and what was declared safe where none is left. Pure:
`now` is the monotonic clock.

Each point has a deadline of its own: a command about q prolongs no p, and ends none.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from bridges.control.grid_limit import LIMIT
from bridges.control.limits import RAMP, Limit, clamp
from bridges.control.power_control import Targets

FOUND = 0.02
"""Of the rated power: so near to a limit a power that was found is within it."""
UNLIMITED = 100.0
"""% of the rated power."""


def register(point: str, commands: Collection[str] = ()) -> str:
    """Where a point is written: a power factor moves the reactive power, unless the device takes it as such."""
    return "q_set" if point == "pf_set" and "pf_set" not in commands else point


@dataclass(frozen=True, slots=True)
class Standing:
    """What is wanted beside the commands."""

    safe: Mapping[str, float] = field(default_factory=dict)
    """What was declared safe, for the points that are ours to bring there."""
    fallback: bool = False
    """The device is in its fallback: no command of before counts any more."""
    rests: bool = False
    """The power is to be 0, or within its limits, whether somebody wants something of it or not."""
    percent: float | None = None
    """The network operator's limit, where the device has a register for it."""


@dataclass
class Wishes:
    """Of one device."""

    grace: float
    """A bridge that starts leaves what it finds until then: the sender has one ttl to say what he wants."""
    commands: Collection[str] = ()
    """What the device has a register for."""
    asked: dict[str, tuple[float, float]] = field(default_factory=dict)
    """What commands want of each point, and until when."""
    fresh: set[str] = field(default_factory=set)
    """Registers of which something is wanted that they were not told yet."""
    _before: Mapping[str, float] = field(default_factory=dict)

    def take(self, values: Mapping[str, float], deadline: float) -> None:
        """A command is followed: it says anew what it names, and nothing of the rest."""
        named = {self._register(point) for point in values}
        self.asked = {point: one for point, one in self.asked.items() if self._register(point) not in named}
        self.asked |= {point: (value, deadline) for point, value in values.items()}
        self.fresh |= named

    def limited(self) -> None:
        """The network operator has spoken."""
        self.fresh.add(LIMIT)

    def forget(self) -> None:
        """Somebody else steers the device: given back, it waits for a new command."""
        self.asked.clear()

    def targets(self, now: float, standing: Standing) -> Targets:
        """What is wanted now."""
        asked = {point: value for point, (value, until) in self.asked.items() if now < until}
        if standing.fallback:
            asked = {}
        named = {self._register(point) for point in asked}
        ended = standing.fallback or now >= self.grace
        safe = {p: value for p, value in standing.safe.items() if ended and self._register(p) not in named}
        wanted = safe | asked
        if standing.rests:
            wanted.setdefault("p_set", 0.0)
        if standing.percent is not None:
            wanted.setdefault(LIMIT, UNLIMITED)
        # One that has changed is a new wish, whoever changed it: also a command that ran out.
        self.fresh |= {self._register(point) for point, value in wanted.items() if self._before.get(point) != value}
        self._before = wanted
        return fallen(wanted, safe, self.commands)

    def _register(self, point: str) -> str:
        return register(point, self.commands)


def fallen(wanted: Mapping[str, float], safe: Mapping[str, float], commands: Collection[str] = ()) -> Targets:
    """Targets of which those that are `safe` are nobody's command."""
    return Targets(wanted, frozenset(safe) | {register(point, commands) for point in safe})


def found(
    targets: Targets, power: float | None, told: Mapping[str, float], chain: Sequence[Limit], rated: float
) -> Targets:
    """A power that no command of ours explains, as a bridge finds one at its start, is left to its sender for a while;
    not where it is beyond a limit. `power`: as it is measured, None while nobody knows; `told`: what we have written.
    """
    if power is None or "p_set" in targets.values or "p_set" in told:
        return targets
    allowed, _ = clamp(power, [limit for limit in chain if limit.source != RAMP])
    if abs(power - allowed) <= FOUND * rated:
        return targets
    return Targets({**targets.values, "p_set": allowed}, targets.fallen | {"p_set"})
