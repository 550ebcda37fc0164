"""What a field device is to the rest of the bridge, whatever it speaks. Modbus is its first kind; nothing above knows
registers.

Powers in W and var, positive out of the device; times of the monotonic clock, which is the event loop's.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from schemas.messages import Action, Cause, Meta, Value
from schemas.units import Kind

FedBy = Literal["any", "write", "setpoint"]
Doubt = tuple[Cause, str]
"""What is wrong with a device, and in words."""


class Unreachable(Exception):
    """No answer, or one that does not belong to the question. What was asked may or may not have happened."""


class Declined(Exception):
    """The device understood and said no, or it does not have what was asked for. Nothing has changed in it."""

    def __init__(self, words: str, code: int = 0) -> None:
        super().__init__(words)
        self.code = code


@dataclass(frozen=True, slots=True)
class Reading:
    """What a device said in one cycle."""

    values: dict[str, Value]
    """A point that was not read, or that the device does not have, is absent."""
    began: float
    """When the first question of it was asked: no value in it is older."""
    raw: Mapping[Hashable, Sequence[int]] = field(default_factory=dict)
    """What came, piece by piece, before it was decoded: tells a device that stands still from one that is calm."""
    declined: Mapping[str, str] = field(default_factory=dict)
    """Points of the profile that the device does not have, and its words about them."""


@dataclass(frozen=True, slots=True)
class Writable:
    """A quantity that a device can be told, in W, var, % or the unit of its profile."""

    name: str
    low: float
    high: float
    fallback: float | None
    """Where it goes when no valid command is left. None: the site file says it (`p_set` of a battery)."""
    deadband: float = 0.0
    """A smaller change is not worth a write."""
    interval: float = 0.0
    """Seconds between two writes at least."""
    per_day: int = 100_000
    """Most writes in 24 h."""
    wears: bool = False
    """Kept in cells that wear out: never written cyclically, and its writes count beyond a restart."""
    unseen: bool = False
    """It cannot be read back: only the power proves it."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a write has come to."""

    at: float
    """When the device had confirmed it."""
    times: int
    """How often its most written register was written; 0 when it held the value already."""


@dataclass(frozen=True, slots=True)
class Watchdog:
    """The device's own dead-man: it goes to its safe state when it is not fed for `seconds`."""

    seconds: float
    fed_by: FedBy
    """By any request, by being armed again, or by the setpoint written again."""


class FieldDevice(Protocol):
    """One device. Every method that asks it raises Unreachable or Declined, and nothing else."""

    name: str
    kind: Kind
    poll: float
    """Seconds between two readings."""
    place: Hashable
    """Devices of the same place are read at the same moment: they share what is asked there."""
    rated_power: float
    """W; 0 where nobody knows."""
    rated_apparent_power: float
    """VA; the rated power where it is not given."""
    writable: bool
    """The site is controlled, not only watched: without it nothing is ever written."""
    commands: Mapping[str, Writable]
    """What it can be told, by the names of joulebus: p_set, q_set, p_limit_pct..."""
    actions: Collection[Action]
    points: Collection[str]
    """What its profile reads."""
    watchdog: Watchdog | None
    heartbeat: float | None
    """Seconds between two beats that it wants of us."""

    async def read(self) -> Reading:
        """One cycle."""

    async def look(self, *points: str) -> Reading:
        """Only some points, now."""

    async def write(self, name: str, value: float, *, anew: bool = False) -> Written:
        """Tell it a value; what goes with it (enable, mode, companions) is written where it is not held. `anew`: also
        when it is held already, for a watchdog that is fed so."""

    async def reverts(self, name: str) -> float | None:
        """Seconds after which it takes a setpoint back by itself, counted from its last write. None: never, or nobody
        knows."""

    async def act(self, action: Action) -> None:
        """Start, stop, standby, reset, a grid mode. Declined where it cannot."""

    async def arm(self) -> None:
        """Set the time of its watchdog, where it does not hold it already; one that is fed by it is fed."""

    async def armed(self) -> bool | None:
        """Whether its watchdog holds the time we gave it. None: it has none, or it cannot be read back."""

    async def beat(self) -> None:
        """Our heartbeat, where it wants one."""

    def step(self, name: str) -> float:
        """By how much the value it holds can move, as the device scales it now; 0 where it is fine enough."""

    def beside(self, name: str, value: float) -> list[str]:
        """The points that show whether it holds `value`, the setpoint's own first."""

    def held(self, name: str, value: float, seen: Mapping[str, Value]) -> float | None:
        """What a reading shows that it holds where it was told `value`. None: not seen. What goes
        with it is not as it must be, so that the amount means nothing: infinite where the device may have taken it back
        by itself (an enable), not a number where somebody has changed it (a mode)."""

    def forget(self) -> None:
        """It may be another device next time, or the same one after a power cycle: look again."""

    def meta(self) -> Meta:
        """How it introduces itself."""

    def close(self) -> None:
        """Let go of the line."""
