"""A field device without registers, for a million steps: it does what it is told, or what its faults make of it.

It keeps the contract of `bridges.fieldbus.contract` and nothing else; what a device does with its registers is told in
the stories on the simulator.
"""

import asyncio
from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Declined, Reading, Unreachable, Watchdog, Writable, Written
from schemas.messages import Action, Meta, Value
from schemas.units import Kind


@dataclass
class Bare:
    """One PCS."""

    name: str
    commands: Mapping[str, Writable]
    rated_power: float = 100_000.0
    rated_apparent_power: float = 110_000.0
    kind: Kind = Kind.PCS
    poll: float = 0.5
    place: Hashable = None
    writable: bool = True
    actions: Collection[Action] = (Action.START, Action.STOP, Action.RESET)
    points: Collection[str] = ("p", "q", "state", "p_set", "q_set")
    watchdog: Watchdog | None = None
    heartbeat: float | None = None
    silent: bool = False
    declines: set[str] = field(default_factory=set)
    held_values: dict[str, float] = field(default_factory=dict)
    state: str = "running"
    reverting: dict[str, float] = field(default_factory=dict)
    """Seconds after which it takes a setpoint back."""
    log: list[tuple[float, str, float]] = field(default_factory=list)
    """Every value that reached it."""

    def values(self) -> dict[str, Value]:
        runs = self.state == "running"
        shown: dict[str, Value] = {"state": self.state, **self.held_values}
        return shown | {"p": self.held_values.get("p_set", 0.0) * runs, "q": self.held_values.get("q_set", 0.0) * runs}

    async def read(self) -> Reading:
        if self.silent:
            raise Unreachable("no answer")
        return Reading(self.values(), _now())

    async def look(self, *points: str) -> Reading:
        reading = await self.read()
        return Reading({name: value for name, value in reading.values.items() if name in points}, reading.began)

    async def write(self, name: str, value: float, *, anew: bool = False) -> Written:
        if self.silent:
            raise Unreachable("no answer")
        if name in self.declines:
            raise Declined("the device does not accept this value (exception 3)", 3)
        times = int(anew or self.held_values.get(name) != value)
        self.held_values[name] = value
        self.log.append((_now(), name, value))
        return Written(_now(), times)

    async def reverts(self, name: str) -> float | None:
        return self.reverting.get(name)

    async def act(self, action: Action) -> None:
        if self.silent:
            raise Unreachable("no answer")
        self.state = {Action.START: "running", Action.STOP: "off"}.get(action, self.state)

    async def arm(self) -> None:
        """It has none."""

    async def armed(self) -> bool | None:
        return None

    async def beat(self) -> None:
        """It wants none."""

    def step(self, name: str) -> float:
        return 100.0 if name == "p_set" else 0.0

    def beside(self, name: str, value: float) -> list[str]:  # noqa: ARG002  # the contract's
        return [name]

    def held(self, name: str, value: float, seen: Mapping[str, Value]) -> float | None:  # noqa: ARG002  # as above
        holds = seen.get(name)
        return holds if isinstance(holds, float) else None

    def forget(self) -> None:
        """It is always the same."""

    def meta(self) -> Meta:
        return Meta(kind=self.kind, make="Test", model="bare", profile="bare", points={})

    def close(self) -> None:
        """There is no line."""


def _now() -> float:
    return asyncio.get_running_loop().time()
