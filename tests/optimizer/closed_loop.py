"""A battery, its PCS and the meter of a site in simulated time, and the loop that is closed over them."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from optimizer.site_load import AGE, SiteLoad

RATED = 100e3
STEP = 0.05
"""Seconds of the physics."""
CYCLE = 0.5
"""Seconds of the control."""
Power = Callable[[float], float]
"""W at a moment."""


@dataclass(frozen=True)
class Rig:
    """What makes a loop hard: seconds, W, W per second."""

    meter_delay: float = 0.0
    meter_mean: float = 0.0
    """The meter shows the mean of the last seconds."""
    meter_poll: float = 0.5
    pcs_delay: float = 0.0
    """The PCS shows its own power late."""
    pcs_poll: float = 0.5
    dead_time: float = 0.3
    ramp: float = math.inf
    """The battery's own."""
    our_ramp: float = math.inf
    noise: float = 0.0
    """Standard deviation of both instruments."""
    jitter: float = 0.02
    """Of both polls."""
    gain: float = 1.0
    """What the battery gives of what it is told: 0.5 half, 0 nothing, -1 the opposite."""
    shows: str = "grid"
    """What the meter measures: the grid, the grid the wrong way `round`, or the load `elsewhere`."""
    changes: tuple[tuple[float, float], ...] = ()
    """When the delay of the meter changes, and to what."""

    def dead(self, step: float) -> float:
        """From a step of the load until the battery can have answered all of it and both instruments show that."""
        shown = self.meter_delay + self.meter_mean + self.meter_poll + self.pcs_delay + self.pcs_poll
        return shown + self.dead_time + CYCLE + step / self.ramp + step / self.our_ramp

    def late(self, now: float) -> float:
        return [self.meter_delay, *(delay for at, delay in self.changes if at <= now)][-1]


@dataclass(frozen=True)
class Limits:
    """The closed loop: what the grid may carry, and what is wanted of the battery besides."""

    exported: float = 1e6
    imported: float = 1e6
    wish: float = 0.0

    def power(self, load: float) -> float:
        """The battery's, at this load."""
        return min(max(min(max(self.wish, load - self.imported), load + self.exported), -RATED), RATED)

    def broken(self, grid: float) -> float:
        """W beyond them."""
        return max(0.0, grid - self.imported, -grid - self.exported)


NO_EXPORT = Limits(exported=0.0, wish=RATED)
LOW_IMPORT = Limits(imported=30e3, wish=-RATED)


@dataclass(frozen=True)
class Moment:
    at: float
    load: float
    battery: float
    setpoint: float
    net: float | None
    """The estimate."""
    alone: bool

    @property
    def grid(self) -> float:
        return self.load - self.battery


@dataclass
class Run:
    rig: Rig
    site: SiteLoad
    moments: list[Moment] = field(default_factory=list)

    @property
    def noise(self) -> float:
        return self.rig.noise

    def between(self, start: float, end: float) -> list[Moment]:
        return [one for one in self.moments if start <= one.at < end]

    def swing(self, start: float, end: float) -> float:
        """W from the lowest to the highest setpoint."""
        setpoints = [one.setpoint for one in self.between(start, end)]
        return max(setpoints) - min(setpoints)

    def settled(self, start: float, end: float, power: float, within: float = 0.02 * RATED) -> float:
        """Seconds until the battery stays at a power."""
        away = [one.at for one in self.between(start, end) if abs(one.battery - power) > within]
        return away[-1] - start if away else 0.0

    def beyond(self, limits: Limits, start: float, end: float, within: float = 0.02 * RATED) -> float:
        """Seconds beyond the limits."""
        return STEP * sum(limits.broken(one.grid) > within for one in self.between(start, end))

    def overshoot(self, start: float, end: float, power: float) -> float:
        """W by which the battery goes past a power that it must go to."""
        moments = self.between(start, end)
        way = math.copysign(1.0, power - moments[0].battery)
        return max(0.0, *(way * (one.battery - power) for one in moments))


class Naive(SiteLoad):
    """How it was: the last reading of the meter and that of the PCS, added."""

    grid: float | None = None

    def meter(self, at: float, grid: float) -> None:
        self.grid = grid
        super().meter(at, grid)

    def value(self, now: float) -> float | None:
        known, shown = super().value(now), self.net.shown
        return None if known is None or self.grid is None or shown is None else self.grid + shown[1]


def run(
    rig: Rig, load: Power, seconds: float, limits: Limits | None, *, told: Power | None = None, seed: int = 0,
    site: SiteLoad | None = None,
) -> Run:  # fmt: skip
    """Close the loop with these limits, or tell the battery what `told` says."""
    chance, ran = random.Random(seed), Run(rig, site or SiteLoad(RATED))
    site, plant = ran.site, Plant(rig, chance)
    site.meter_age, site.battery_age = (max(AGE, 2.5 * poll) for poll in (rig.meter_poll, rig.pcs_poll))

    def wish(now: float, net: float | None) -> float:
        return told(now) if told is not None else limits.power(net) if net is not None and limits else 0.0

    due = {"pcs": chance.uniform(0, rig.pcs_poll), "meter": chance.uniform(0, rig.meter_poll), "control": 0.4}
    setpoint = position = 0.0
    for number in range(round(seconds / STEP)):
        now = number * STEP
        plant.go_on(now, load(now))
        if now >= due["pcs"] - 1e-9:
            site.battery(now, plant.pcs())
            due["pcs"] += plant.next(rig.pcs_poll)
        if now >= due["meter"] - 1e-9:
            site.meter(now, plant.meter(now))
            due["meter"] += plant.next(rig.meter_poll)
        if now >= due["control"] - 1e-9:
            due["control"] += CYCLE
            net = site.value(now)
            wanted = 0.0 if site.net.value is None else wish(now, net)
            room = rig.our_ramp * CYCLE
            position = min(max(wanted, position - room), position + room)
            if abs(position - setpoint) > 1:
                setpoint = position
                site.told(now, setpoint)
                plant.tell(now, setpoint)
        ran.moments.append(Moment(now, load(now), plant.battery, setpoint, site.net.value, site.alone))
    return ran


class Plant:
    """The physics, and what its instruments show."""

    def __init__(self, rig: Rig, chance: random.Random) -> None:
        self.rig, self.chance = rig, chance
        self.battery = self.target = 0.0
        self.queue: list[tuple[float, float]] = []
        self.powers: list[float] = []
        self.grid: list[float] = []

    def go_on(self, now: float, load: float) -> None:
        while self.queue and self.queue[0][0] <= now + 1e-9:
            self.target = self.queue.pop(0)[1]
        room, way = self.rig.ramp * STEP, self.target * self.rig.gain - self.battery
        self.battery += min(max(way, -room), room)
        self.powers.append(self.battery)
        shown = {"grid": load - self.battery, "round": self.battery - load, "elsewhere": load}
        self.grid.append(shown[self.rig.shows])

    def tell(self, now: float, power: float) -> None:
        self.queue.append((now + self.rig.dead_time, power))

    def pcs(self) -> float:
        return self.powers[max(0, len(self.powers) - 1 - round(self.rig.pcs_delay / STEP))] + self._noise()

    def meter(self, now: float) -> float:
        last = max(0, len(self.grid) - 1 - round(self.rig.late(now) / STEP))
        first = max(0, last + 1 - max(1, round(self.rig.meter_mean / STEP)))
        return sum(self.grid[first : last + 1]) / (last + 1 - first) + self._noise()

    def next(self, poll: float) -> float:
        return poll * (1 + self.rig.jitter * self.chance.uniform(-1, 1))

    def _noise(self) -> float:
        return self.chance.gauss(0, self.rig.noise)


# loads ---------------------------------------------------------------------------------------------


def steps(*powers: float, each: float = 60.0) -> Power:
    """One power after the other; the last stays."""
    return lambda now: powers[min(len(powers) - 1, int((now + 1e-9) / each))]


def jumps(seed: int, each: float, low: float = 0.0, high: float = 80e3) -> Power:
    """Another power at random every so many seconds."""
    chance = random.Random(seed)
    powers = [chance.uniform(low, high) for _ in range(300)]
    return lambda now: powers[int((now + 1e-9) / each) % 300]


def walk(seed: int, size: float = 3e3) -> Power:
    """A load that wanders by about that much twice a second."""
    chance, powers = random.Random(seed), [40e3]
    for _ in range(1200):
        powers.append(min(max(powers[-1] + chance.gauss(0, size), 0.0), 80e3))
    return lambda now: powers[int(now / 0.5) % 1200]


def sine(period: float, size: float = 30e3) -> Power:
    return lambda now: 40e3 + size * math.sin(2 * math.pi * now / period)


def square(period: float, size: float = 30e3) -> Power:
    return lambda now: 40e3 + (size if now % period < period / 2 else -size)
