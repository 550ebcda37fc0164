"""One case in closed loop: the real bridge and the real desk of dispatch, the simulator's physics, virtual time."""

import asyncio
import random
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from bridges.control.verification import near
from consumers.dispatch.desk import Desk
from consumers.dispatch.modes import begin
from schemas.messages import Authority, Cause, Telemetry, Value
from schemas.units import Quality
from simulator.plant import Surroundings
from tests.bridges.control.story import SUMMER_NOON, Story, story
from tests.optimizer.test_dispatch import planned
from tests.scenarios.cases import ALLOWED, PEAK, RAMP, RATED, TICK, Case
from tests.virtual import loop, run

LOOK = 0.1
"""Seconds between two looks at what is true."""
SOURCES = {"dispatch": Authority.OPERATOR, "scada": Authority.DSO}


@dataclass(frozen=True, slots=True)
class Truth:
    """What is true at a moment, in s from the first command and W."""

    at: float
    load: float
    power: float
    grid: float
    setpoint: float
    """As the register holds it."""
    causes: tuple[str, ...]
    """What the bridge says is wrong with battery or meter."""


@dataclass
class Trial:
    """A case as it is told."""

    case: Case
    it: Story
    began: float
    truths: list[Truth] = field(default_factory=list)

    async def tell(self) -> None:
        """From the first command to the end."""
        steering = asyncio.create_task(self._steer(), name="trial.steer")
        operator = asyncio.create_task(self._operate(), name="trial.operator")
        happened = False
        try:
            while (second := self.second) < self.case.ends:
                if not happened and second >= self._breaks:
                    happened = True
                    self._switch(self.case.kind.faults)
                self._note(second)
                await asyncio.sleep(LOOK)
        finally:
            for task in (steering, operator):
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    @property
    def second(self) -> float:
        return loop().time() - self.began

    @property
    def _breaks(self) -> float:
        """A device that does not do as it is told breaks when something happens; a slow or late one always was."""
        return self.case.event if self.case.kind.broken else float("inf")

    def _switch(self, faults: Mapping[str, float]) -> None:
        for name, size in faults.items():
            self.it.simulated.faults.on(name, size)

    def _note(self, second: float) -> None:
        plant = self.it.simulated.world.plant
        causes = (*self.it.causes(), *self.it.causes("meter"))
        self.truths.append(Truth(second, plant.load, plant.pcs.p, plant.grid, plant.pcs.p_set, causes))

    async def _operate(self) -> None:
        """The network operator says each 10 s what he leaves."""
        while self.case.limit.name.startswith("operator"):
            percent = 100 * ALLOWED if self.second >= self.case.event - 1e-6 else 100.0
            until = loop().wall() + timedelta(seconds=30)
            self.it.command(source="scada", authority=Authority.DSO, values={"p_limit_pct": percent}, until=until)
            await asyncio.sleep(10.0)

    async def _steer(self) -> None:
        """Dispatch, or a plan that wants more than there is."""
        if self.case.limit.wish is not None:
            await self.it.steer(self.case.limit.wish, self.case.ends)
            return
        desk = self._desk()
        heard = 0
        while True:
            now, mono = loop().wall(), loop().time()
            for _, name, outcome in self.it.outcomes[heard:]:
                if name == "pcs":
                    desk.hear_outcome(outcome, now, mono)
            heard = len(self.it.outcomes)
            instruction = desk.instruct(now, mono).get("pcs")
            if instruction is not None:
                change = {"values": {"p_set": instruction.wanted.power}} if instruction.action is None else {
                    "values": {}, "action": instruction.action}  # fmt: skip
                command = self.it.command(authority=instruction.wanted.authority, **change)
                desk.sends(command.id, "pcs", instruction)
                desk.has_sent("pcs", instruction, mono)
            await asyncio.sleep(TICK)

    def _desk(self) -> Desk:
        """It hears what the bridge publishes."""
        desk = Desk.of(self.it.site)
        desk.control = begin(loop().wall())
        if self.case.limit.name.startswith("peak"):
            at = loop().wall()
            plan = planned(0.0, load=PEAK, peak=PEAK, at=at, seconds=3600)
            desk.plans.hear(plan.model_copy(update={"at": at, "until": at + timedelta(hours=1)}), at)
        publish = self.it.bridge.outgoing.put

        def put(device: str, values: dict[str, Value], quality: Mapping[str, Quality]) -> Telemetry:
            said = publish(device, values, quality)
            desk.read(device, said, loop().wall(), loop().time())
            return said

        self.it.bridge.outgoing.put = put  # type: ignore[method-assign]  # the wire between the two parts
        return desk


async def _told(case: Case) -> list[Truth]:
    began = [0.0]

    def around(at: datetime) -> Surroundings:
        return Surroundings(case.load((at - SUMMER_NOON).total_seconds() - began[0]), 0.0)

    with tempfile.TemporaryDirectory() as folder:
        async with story(
            Path(folder), grid=case.limit.grid, battery={"ramp": RAMP}, around=around, only=("pcs", "bms", "meter"),
            command_sources=SOURCES,
        ) as it:  # fmt: skip
            trial = Trial(case, it, loop().time())
            began[0] = trial.began
            if case.kind.broken is None:
                trial._switch(case.kind.faults)
            await trial.tell()
            return trial.truths


def tell(case: Case) -> list[Truth]:
    """What is true all along a case; the same each time."""
    random.seed(8)
    return run(_told(case))


def apart(truths: list[Truth]) -> Iterator[Truth]:
    """When the battery did not do what its register holds."""
    return (one for one in truths if abs(one.power - one.setpoint) > near(one.setpoint, RATED))


def named(truths: list[Truth], cause: Cause) -> float | None:
    """Seconds of the first moment at which it is said."""
    return next((one.at for one in truths if cause.value in one.causes), None)
