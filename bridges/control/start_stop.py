"""The battery's contactor and its inverter, as the sequence of a start or a stop finds and switches them."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from bridges.control import sequence as steps
from bridges.control.sequence import STAGES, STATES, Contactor, Inverter, Sight, Stage
from bridges.control.verification import near
from bridges.fieldbus.contract import Declined, FieldDevice, Unreachable
from schemas.messages import Action, Cause, Value

CONTACTOR = {"connected": Contactor.CLOSED, "disconnected": Contactor.OPEN}
"""What a battery's state tells of it, where it has no point of its own (SunSpec 802)."""
SAYS = {"closed": Contactor.CLOSED, "open": Contactor.OPEN}

OF_SEVERAL = (Contactor.CLOSED, Contactor.UNKNOWN, Contactor.OPEN)
"""Which counts of several racks: one that is closed is enough to start, and all are open only where none is closed."""

log = logging.getLogger("bridge")


@dataclass(frozen=True, slots=True)
class Ended:
    """How a start or a stop came to its end."""

    cause: Cause | None
    """Why it did not reach its goal; None when it did."""
    reason: str
    goal: Action


@dataclass
class StartStop:
    """One inverter and, where they are ours to switch, the racks behind it."""

    inverter: FieldDevice
    racks: Sequence[FieldDevice]
    rest: Callable[[], Awaitable[None]]
    """Brings the power to 0."""
    shared: Callable[[], bool] = lambda: False
    """Another inverter works on the same racks."""
    sequence: steps.Sequence | None = None
    saw: tuple[float, str] | None = None
    """When the inverter was looked at last, and its state."""

    @property
    def stopping(self) -> bool:
        return self.sequence is not None and self.sequence.goal is Action.STOP

    def begin(self, goal: Action, now: float) -> str:
        """The stages that lie ahead, in words."""
        if self.sequence is None or self.sequence.goal is not goal:  # one on its way orders nothing again
            self.sequence = steps.Sequence(goal, now)
        return f"{goal.value}: {' then '.join(STAGES[goal])}"

    async def go_on(self, now: float, forbidden: str = "") -> Ended | None:
        """The next stage; gives how it ended. `forbidden`: why it may not be started now, in words."""
        if self.sequence is None:
            return None
        goal = self.sequence.goal
        seen, says = await self._look()
        if seen.inverter not in (Inverter.UNKNOWN, Inverter.SILENT):
            self.saw = now, says
        stage = self.sequence.go_on(seen, now)
        if stage is Stage.DONE:
            self.sequence = None
            return Ended(None, says, goal)
        if forbidden and self.sequence.goal is Action.START:
            return self._take_back(stage, forbidden, now)
        if self.sequence.overdue(now):
            late = self.sequence.stage.value
            self.sequence = None
            found = f"{late}: the inverter is {says or seen.inverter}, its contactor {seen.contactor}"
            return Ended(Cause.NOT_OBEYED, found, goal)
        return None if stage is None else await self._try(stage, goal)

    def _take_back(self, ahead: Stage | None, why: str, now: float) -> Ended:
        """A start ends here: nothing more is ordered, and an inverter that was told to start, and may yet do so after
        its grid observation time, is stopped."""
        assert self.sequence is not None  # noqa: S101  # told by go_on
        ordered = Stage.INVERTER_ON in self.sequence.told - {ahead}
        self.sequence = steps.Sequence(Action.STOP, now) if ordered else None
        return Ended(Cause.INTERLOCK, why, Action.START)

    async def _try(self, stage: Stage, goal: Action) -> Ended | None:
        try:
            await self._order(stage)
        except Declined as no:
            self.sequence = None
            return Ended(Cause.NOT_OBEYED, f"{stage.value}: {no}", goal)
        except Unreachable as silent:  # it may have been heard: what is seen next decides
            log.warning("%s: %s: %s", self.inverter.name, stage.value, silent)
        return None

    async def _order(self, stage: Stage) -> None:
        log.info("%s: %s", self.inverter.name, stage.value)
        match stage:
            case Stage.REST:
                await self.rest()
            case Stage.INVERTER_ON:
                await self.inverter.act(Action.START)
            case Stage.INVERTER_OFF:
                await self.inverter.act(Action.STOP)
            case _:
                await self._switch(Action.START if stage is Stage.BATTERY_ON else Action.STOP)

    async def _switch(self, action: Action) -> None:
        """Each rack; one that declines, such as one that is repaired, holds up no other."""
        wrong = list[Declined | Unreachable]()
        ours = self._ours
        for rack in ours:
            try:
                await rack.act(action)
            except (Declined, Unreachable) as no:
                wrong.append(no)
        if wrong and len(wrong) == len(ours):
            raise wrong[0]

    async def _look(self) -> tuple[Sight, str]:
        """What is seen, and the inverter's state in its own word."""
        try:
            seen = (await self.inverter.look("p", "state")).values
        except (Unreachable, Declined):
            return Sight(Inverter.UNKNOWN, await self._contactor(), None), "not answering"
        power, says = seen.get("p"), seen.get("state")
        resting = abs(power) <= 2 * near(0.0, self.inverter.rated_power) if isinstance(power, float) else None
        return Sight(self._state(says), await self._contactor(), resting), says if isinstance(says, str) else ""

    def _state(self, says: Value | None) -> Inverter:
        if "state" not in self.inverter.points:
            return Inverter.SILENT
        return STATES.get(says, Inverter.BETWEEN) if isinstance(says, str) else Inverter.UNKNOWN

    @property
    def _ours(self) -> list[FieldDevice]:
        return [rack for rack in self.racks if {Action.START, Action.STOP} <= set(rack.actions)]

    async def _contactor(self) -> Contactor:
        """Of all racks."""
        if not self._ours or (self.stopping and self.shared()):
            return Contactor.NOT_OURS
        seen = [await self._contactor_of(rack) for rack in self._ours]
        return next(one for one in OF_SEVERAL if one in seen)

    async def _contactor_of(self, rack: FieldDevice) -> Contactor:
        """One that cannot be read has an unknown contactor; it is ours all the same."""
        try:
            seen = (await rack.look("contactor", "state")).values
        except (Unreachable, Declined):
            return Contactor.UNKNOWN
        says = seen.get("contactor")
        if isinstance(says, str):
            return SAYS.get(says, Contactor.UNKNOWN)
        return CONTACTOR.get(str(seen.get("state")), Contactor.UNKNOWN)
