"""Start the battery, then the inverter; rest, stop the inverter, then open the battery. Pure: a table of stages.

Unknown is never taken for open, closed or `not ours`: an inverter starts only on a contactor that is seen closed, or
that is not ours to switch, and what cannot be seen is waited for until its time is over.
"""

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


class Contactor(StrEnum):
    """What is known of the battery's contactor."""

    OPEN = "open"
    CLOSED = "closed"
    UNKNOWN = "unknown"
    NOT_OURS = "not_ours"  # it switches by itself, or the battery has none


class Inverter(StrEnum):
    """What is known of the inverter."""

    STOPPED = "stopped"
    RUNNING = "running"
    BETWEEN = "between"  # on its way, or in a state that is none of the two
    UNKNOWN = "unknown"
    SILENT = "silent"  # its profile has no state: being told must do


@dataclass(frozen=True, slots=True)
class Sight:
    """What is seen of the two."""

    inverter: Inverter
    contactor: Contactor
    resting: bool | None
    """No power flows. None: unknown."""


Reached = bool | None
"""None: it cannot be seen at all, so being told must do."""

STAGES: dict[Action, tuple[Stage, ...]] = {
    Action.START: (Stage.BATTERY_ON, Stage.INVERTER_ON),
    Action.STOP: (Stage.REST, Stage.INVERTER_OFF, Stage.BATTERY_OFF),
}
"""A contactor never opens under load, and an inverter never starts on an open contactor."""

_I, _C = Inverter, Contactor
_RUNS: dict[Inverter, Reached] = {
    _I.RUNNING: True, _I.STOPPED: False, _I.BETWEEN: False, _I.UNKNOWN: False, _I.SILENT: None,
}  # fmt: skip
_STANDS: dict[Inverter, Reached] = {
    _I.RUNNING: False, _I.STOPPED: True, _I.BETWEEN: False, _I.UNKNOWN: False, _I.SILENT: None,
}  # fmt: skip
_CLOSED: dict[Contactor, Reached] = {_C.CLOSED: True, _C.OPEN: False, _C.UNKNOWN: False, _C.NOT_OURS: True}
_OPEN: dict[Contactor, Reached] = {_C.CLOSED: False, _C.OPEN: True, _C.UNKNOWN: False, _C.NOT_OURS: True}

STATES = {
    "off": _I.STOPPED, "standby": _I.STOPPED, "sleeping": _I.STOPPED, "running": _I.RUNNING, "throttled": _I.RUNNING,
}  # fmt: skip
"""The states of profiles that are an end; every other is between."""
STOPPED = tuple(name for name, inverter in STATES.items() if inverter is _I.STOPPED)

PATIENCE: dict[Stage, float] = {
    Stage.BATTERY_ON: 30.0,  # precharge
    Stage.INVERTER_ON: 120.0,  # soft start and grid observation time (60 s and more: VDE-AR-N 4105, 8.3.1)
    Stage.REST: 10.0,
    Stage.INVERTER_OFF: 20.0,
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
        match stage:
            case Stage.BATTERY_ON:
                reached = _CLOSED[seen.contactor]
            case Stage.INVERTER_ON:
                reached = _RUNS[seen.inverter]
            case Stage.INVERTER_OFF:
                reached = _STANDS[seen.inverter]
            case Stage.BATTERY_OFF:
                reached = _OPEN[seen.contactor]
            case _:
                # An inverter that does not let go of its power is stopped all the same; one that is stopped rests.
                late = self.stage is Stage.REST and self.overdue(now)
                passed = self.stage in (Stage.INVERTER_OFF, Stage.BATTERY_OFF)
                return seen.resting is True or seen.inverter is Inverter.STOPPED or late or passed
        return stage in self.told if reached is None else reached
