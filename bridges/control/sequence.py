"""Start the battery, then the inverter; rest, stop the inverter, then open the battery. Pure: a table of stages."""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.messages import Action


class Stage(StrEnum):
    BATTERY_ON = "battery_on"
    INVERTER_ON = "inverter_on"
    REST = "rest"
    INVERTER_OFF = "inverter_off"
    BATTERY_OFF = "battery_off"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of the two. None: it does not say."""

    state: str | None
    """Of the inverter."""
    contactor: str | None
    """Of the battery; None as well where it is not ours to switch."""
    resting: bool
    """No power flows."""


STOPPED = ("off", "standby", "sleeping")
STAGES: dict[Action, tuple[Stage, ...]] = {
    Action.START: (Stage.BATTERY_ON, Stage.INVERTER_ON),
    Action.STOP: (Stage.REST, Stage.INVERTER_OFF, Stage.BATTERY_OFF),
}
"""A contactor never opens under load, and an inverter never starts on an open contactor."""
REACHED: dict[Stage, Callable[[Sight], bool | None]] = {
    Stage.BATTERY_ON: lambda seen: None if seen.contactor is None else seen.contactor == "closed",
    Stage.INVERTER_ON: lambda seen: None if seen.state is None else seen.state in ("running", "throttled"),
    Stage.REST: lambda seen: seen.resting,
    Stage.INVERTER_OFF: lambda seen: None if seen.state is None else seen.state in STOPPED,
    Stage.BATTERY_OFF: lambda seen: None if seen.contactor is None else seen.contactor == "open",
}
"""None: it cannot be seen, so being told must do."""
PATIENCE: dict[Stage, float] = {
    Stage.BATTERY_ON: 30.0,  # precharge
    Stage.INVERTER_ON: 60.0,  # soft start and grid observation time
    Stage.REST: 10.0,
    Stage.INVERTER_OFF: 10.0,
    Stage.BATTERY_OFF: 10.0,
}
"""Seconds."""


@dataclass
class Sequence:
    """On the way to a goal."""

    goal: Action
    since: float
    """Monotonic time at which the stage began."""
    stage: Stage = Stage.DONE
    told: set[Stage] = field(default_factory=set)

    def go_on(self, seen: Sight, now: float) -> Stage | None:
        """The stage to order now, DONE at the end, or None to wait. Looks again each time: it survives surprises."""
        stage = next((one for one in STAGES[self.goal] if not self._reached(one, seen, now)), Stage.DONE)
        if stage is not self.stage:
            self.stage, self.since = stage, now
        if stage is Stage.DONE:
            return stage
        if stage in self.told:
            return None
        self.told.add(stage)
        return stage

    def overdue(self, now: float) -> bool:
        """The stage takes too long. Each is ordered once only: contactors and soft-start resistors wear."""
        return self.stage is not Stage.DONE and now - self.since > PATIENCE[self.stage]

    def _reached(self, stage: Stage, seen: Sight, now: float) -> bool:
        reached = REACHED[stage](seen)
        if reached is None:
            return stage in self.told or (stage in (Stage.BATTERY_ON, Stage.BATTERY_OFF))
        # An inverter that does not let go of its power is stopped all the same.
        late = stage is Stage.REST and self.stage is stage and self.overdue(now)
        passed = stage is Stage.REST and self.stage in (Stage.INVERTER_OFF, Stage.BATTERY_OFF)
        return reached or late or passed
