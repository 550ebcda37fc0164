"""What came of the last start, stop, reset or grid mode of a device. Pure.

Apart from the other commands: those follow each 2 s, and a power that is followed is no word on a stop that is not.
"""

from dataclasses import dataclass, field

from schemas.messages import Action, Cause, Outcome, OutcomeState, Telemetry

ENDS = frozenset(
    {
        OutcomeState.VERIFIED,
        OutcomeState.LIMITED,
        OutcomeState.REFUSED,
        OutcomeState.EXPIRED,
        OutcomeState.FAILED,
        OutcomeState.NOT_OBEYED,
    }
)
"""The other outcomes are steps on the way."""
BY_OTHERS = frozenset({Cause.INTERLOCK, Cause.LOCAL, Cause.STOPPING})
"""What ended an action and has an alarm of its own, or needs none."""
GOALS: dict[Action, tuple[str, ...]] = {
    Action.START: ("running", "throttled"),
    Action.STOP: ("off", "sleeping", "standby"),
}
"""States in which there is nothing left to obey, whoever brought it there."""


@dataclass
class Actions:
    """The last one of each device that was not followed."""

    open: dict[str, Action] = field(default_factory=dict)

    def hear(self, device: str, outcome: Outcome) -> OutcomeState | None:
        """The word for the alarm rules; None for what says nothing of an action's end."""
        if outcome.action is None or outcome.state not in ENDS or outcome.cause in BY_OTHERS:
            return None
        self.open.pop(device, None)
        if outcome.state in (OutcomeState.FAILED, OutcomeState.NOT_OBEYED):
            self.open[device] = outcome.action
        return outcome.state

    def see(self, device: str, telemetry: Telemetry) -> OutcomeState | None:
        """`verified` once the device is where it was told to go after all, by its panel or late."""
        action = self.open.get(device)
        if action is None or telemetry.historical or telemetry.good("state") not in GOALS.get(action, ()):
            return None
        del self.open[device]
        return OutcomeState.VERIFIED
