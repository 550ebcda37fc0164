"""The battery's contactor and its inverter, as the sequence of a start or a stop finds and switches them."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bridges.control.sequence import STAGES, Sequence, Sight, Stage
from bridges.fieldbus.modbus.device import ModbusDevice
from schemas.messages import Action, OutcomeState

CONTACTOR = {"connected": "closed", "disconnected": "open"}
"""What a battery's state tells of it, where it has no point of its own (SunSpec 802)."""

log = logging.getLogger("bridge")


@dataclass
class StartStop:
    """One inverter and, where it is ours to switch, the battery behind it."""

    inverter: ModbusDevice
    battery: ModbusDevice | None
    rest: Callable[[], Awaitable[None]]
    """Brings the power to 0."""
    sequence: Sequence | None = None

    @property
    def stopping(self) -> bool:
        return self.sequence is not None and self.sequence.goal is Action.STOP

    def begin(self, goal: Action) -> str:
        """The stages that lie ahead, in words."""
        self.sequence = Sequence(goal, time.monotonic())
        return f"{goal.value}: {' then '.join(STAGES[goal])}"

    async def go_on(self) -> tuple[OutcomeState, str] | None:
        """The next stage; gives how it ended, and why. Raises Unreachable, Declined or struct.error."""
        if self.sequence is None:
            return None
        seen, now = await self._sight(), time.monotonic()
        stage = self.sequence.go_on(seen, now)
        if stage is Stage.DONE:
            return OutcomeState.VERIFIED, seen.state or ""
        if self.sequence.overdue(now):
            late = self.sequence.stage.value
            words = f"{late}: the inverter is {seen.state!r}, the battery's contactor {seen.contactor!r}"
            return OutcomeState.NOT_OBEYED, words
        if stage is not None:
            await self._order(stage)
        return None

    async def _order(self, stage: Stage) -> None:
        log.info("%s: %s", self.inverter.device.name, stage.value)
        match stage:
            case Stage.REST:
                await self.rest()
            case Stage.INVERTER_ON:
                await self.inverter.act(Action.START)
            case Stage.INVERTER_OFF:
                await self.inverter.act(Action.STOP)
            case _ if self.battery is not None:
                await self.battery.act(Action.START if stage is Stage.BATTERY_ON else Action.STOP)

    async def _sight(self) -> Sight:
        seen = (await self.inverter.look("p", "state")).values
        power, state, rated = seen.get("p"), seen.get("state"), self.inverter.device.rated_power or 0.0
        resting = isinstance(power, float) and abs(power) <= 0.02 * rated
        contactor = None
        if self.battery is not None and {"start", "stop"} <= self.battery.profile.actions.keys():
            said = (await self.battery.look("contactor", "state")).values
            contactor = said.get("contactor", CONTACTOR.get(str(said.get("state"))))
        return Sight(
            state if isinstance(state, str) else None, contactor if isinstance(contactor, str) else None, resting
        )
