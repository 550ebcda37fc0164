"""Which sites are tried in closed loop: each device, with each load, at each limit that binds. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import product
from random import Random

from schemas.messages import Cause

RATED = 100_000.0
"""W of the battery."""
RAMP = 50_000.0
"""W/s its setpoint may move, as the demo's site file has it."""
SLOW = 5.0
"""% of its rating per second: a slow battery."""
STEP_RATE = 1_000.0
"""W/s of a load that goes up or down slowly."""
NOISE = 3_000.0
"""W: the standard deviation of a restless load."""
PEAK = IMPORT = 100_000.0
"""W: what the billing window, and the connection, may carry."""
ALLOWED = 0.3
"""Of the rated power: what the network operator leaves."""


@dataclass(frozen=True)
class Kind:
    """A device, or a meter, that is not as the others are."""

    name: str
    faults: Mapping[str, float] = field(default_factory=dict)
    """Of the simulator, each with its size."""
    late: float = 0.0
    """Seconds it adds to the dead time of the loop."""
    ramp: float = RAMP
    """W/s."""
    broken: Cause | None = None
    """What it must be called: no loop can do anything with it."""


KINDS = (
    Kind("ideal"),
    Kind("late 0.5 s", {"pcs:late": 0.5}, 0.5),
    Kind("late 2 s", {"pcs:late": 2.0}, 2.0),
    Kind("late 5 s", {"pcs:late": 5.0}, 5.0),
    Kind("slow 5 %/s", {"pcs:slow_ramp": SLOW}, ramp=SLOW / 100 * RATED),
    Kind("meter late 0.5 s", {"meter:late": 0.5}, 0.5),
    Kind("meter late 2 s", {"meter:late": 2.0}, 2.0),
    Kind("meter late 5 s", {"meter:late": 5.0}, 5.0),
    Kind("meter averages 5 s", {"meter:averaging": 5.0}, 5.0),
    Kind("stuck", {"pcs:stuck": 1.0}, broken=Cause.NOT_OBEYED),
    Kind("half", {"pcs:half": 0.5}, broken=Cause.NOT_OBEYED),
    Kind("reversed", {"pcs:reversed": 1.0}, broken=Cause.REVERSED),
)


@dataclass(frozen=True)
class Limit:
    """A limit that binds, and who wants more than it leaves. Powers in W, positive discharging and importing."""

    name: str
    before: float
    """The load until the event."""
    after: float
    """And from then on."""
    grid: Mapping[str, float]
    """What the site file says of it."""
    wish: float | None
    """What the plan wants of the battery; None: dispatch itself steers."""

    def right(self, load: float, *, happened: bool) -> float:
        """The battery's power that is as near to the wish as the limit allows."""
        match self.name:
            case "export 0":
                return load
            case "operator 30 %" if happened:
                return min(load, ALLOWED * RATED)
            case "operator 30 %":
                return load
            case _:
                return load - IMPORT

    def beyond(self, grid: float, power: float, *, happened: bool) -> float:
        """W on the wrong side of the limit."""
        match self.name:
            case "export 0":
                return max(0.0, -grid)
            case "operator 30 %":
                return max(0.0, abs(power) - ALLOWED * RATED) if happened else 0.0
            case _:
                return max(0.0, grid - IMPORT)


LIMITS = (
    Limit("export 0", 60_000.0, 20_000.0, {"export_limit": 0.0}, 90_000.0),
    Limit("import 100 kW", 30_000.0, 70_000.0, {"import_limit": IMPORT}, -90_000.0),
    Limit("peak 100 kW", 115_000.0, 150_000.0, {}, None),
    Limit("operator 30 %", 45_000.0, 80_000.0, {"dso_limit": 100.0}, None),
)
SHAPES = ("constant", "step", "ramp", "noise")
WARM, AFTER = 60.0, 45.0
"""Seconds a loop runs before the event, and at constant load when it must have settled."""
POLL, TICK = 0.5, 2.0
"""Seconds between two readings of the PCS, as of the meter, and between two commands."""


@dataclass(frozen=True)
class Case:
    """One row of the table. Times in s from the first command on."""

    kind: Kind
    shape: str
    limit: Limit

    def __str__(self) -> str:
        return f"{self.limit.name}, load {self.shape}, {self.kind.name}"

    @property
    def event(self) -> float:
        """When something happens. Before a constant load that is the first command, to a battery at rest."""
        return 0.0 if self.shape == "constant" and self.limit.name != "operator 30 %" else WARM

    @property
    def calm(self) -> float:
        """From when on the load stands still again; a restless one never does."""
        return self.event + (abs(self.limit.after - self.limit.before) / STEP_RATE if self.shape == "ramp" else 0.0)

    @property
    def ends(self) -> float:
        return self.calm + 3 * self.dead_time + AFTER

    @property
    def way(self) -> float:
        """W the battery must go at once."""
        if self.shape == "constant" and self.event == 0.0:
            return abs(self.limit.right(self.limit.before, happened=True))
        load = self.limit.before if self.shape in ("constant", "noise") else self.limit.after
        return abs(self.limit.right(load, happened=True) - self.limit.right(self.limit.before, happened=False))

    @property
    def dead_time(self) -> float:
        """Seconds from a step of the load until the battery can have answered it and the meter can have shown it: what
        device and meter add, a reading of each, a command where dispatch closes the loop, and the ramp."""
        ticks = TICK if self.limit.wish is None else 0.0
        return self.kind.late + 2 * POLL + ticks + self.way / self.kind.ramp

    def load(self, second: float) -> float:
        """W."""
        if self.shape == "noise":
            return self.limit.before + _restless(int(max(0.0, second)))
        if self.shape == "constant" or second < self.event:
            return self.limit.before
        way = self.limit.after - self.limit.before
        done = min(1.0, (second - self.event) * STEP_RATE / abs(way)) if self.shape == "ramp" else 1.0
        return self.limit.before + done * way


CASES = tuple(Case(kind, shape, limit) for limit, shape, kind in product(LIMITS, SHAPES, KINDS))


def _made(seconds: int) -> tuple[float, ...]:
    """Each second another load, that remembers the last one for a while."""
    random, load, found = Random(8), 0.0, []
    for _ in range(seconds):
        load = 0.8 * load + random.gauss(0.0, 0.6 * NOISE)
        found.append(load)
    return tuple(found)


_LOADS = _made(1000)


def _restless(second: int) -> float:
    return _LOADS[second % len(_LOADS)]
