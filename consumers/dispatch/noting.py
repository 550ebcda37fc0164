"""What dispatch tells of itself beside its messages: a line for each mode that changed, the causes of its status."""

from dataclasses import dataclass, field

from consumers.dispatch.desk import Desk
from runtime.part import Part
from schemas.messages import Cause, ControlMode, Mode
from schemas.printable import printable


@dataclass
class Noting:
    """Of one site."""

    part: Part
    desk: Desk
    _logged: dict[str, ControlMode | None] = field(default_factory=dict)

    def limits(self) -> None:
        """One that is not held is a trouble of the site, whoever is at fault."""
        if self.desk.watch.words:
            self.part.causes.add(Cause.LIMIT_NOT_HELD, self.desk.watch.words)
        else:
            self.part.causes.clear(Cause.LIMIT_NOT_HELD, words="the limits at the grid connection are held again")
        if self.desk.balance.words:
            self.part.causes.add(Cause.BALANCE_IMPLAUSIBLE, self.desk.balance.words)
        else:
            self.part.causes.clear(Cause.BALANCE_IMPLAUSIBLE, words="the loads and what comes in add up again")

    def modes(self) -> None:
        """A line for each that changed: of the site, and of a battery that is out alone."""
        outs = {f"battery {name}": out for name, out in self.desk.mode.outs.items()}
        site = None if self.desk.control is None else self.desk.control.mode
        modes: dict[str, ControlMode | None] = {"the site": site, **outs}
        for what, mode in modes.items():
            if mode is not None and mode != self._logged.get(what):
                log = self.part.log.warning if mode.mode is Mode.LOCKOUT else self.part.log.info
                log("%s: %s, by %s: %s", what, mode.mode.value, printable(mode.who), printable(mode.why) or "-")
        self._logged = modes
