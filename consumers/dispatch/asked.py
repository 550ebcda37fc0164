"""What persons want of the site: another mode, or another grid mode. Pure: both clocks are arguments."""

from dataclasses import dataclass, field
from datetime import datetime

from consumers.dispatch.answers import answer, watched
from consumers.dispatch.commands_sent import CommandsSent
from consumers.dispatch.doing import NO_BATTERY
from consumers.dispatch.grid_mode import GridMode
from consumers.dispatch.modes import Control, ask, begin
from consumers.dispatch.requests import Refusal, Requests
from consumers.dispatch.site_mode import SiteMode
from schemas.messages import Cause, ControlRequest, Mode, RequestOutcome


@dataclass
class Asked:
    """The requests, and what they change."""

    mode: SiteMode
    commands: CommandsSent
    read_only: bool
    """Nothing is sent: what is asked for is watched only."""
    requests: Requests = field(default_factory=Requests)
    grid_mode: GridMode = field(default_factory=GridMode)

    def hear(self, request: ControlRequest, now: datetime, mono: float, *, retained: bool = False) -> RequestOutcome:
        """A person asks; gives the answer."""
        no = self.requests.untimely(request, now, mono, retained=retained)
        if no is not None:
            return answer(request, no, now)
        no = self._ask(self.mode.control or begin(now), request, now, mono)
        if no is None:
            self.requests.follow(request, now, mono)
        return answer(request, no, now, watched(request) if self.read_only else "")

    def _ask(self, held: Control, request: ControlRequest, now: datetime, mono: float) -> Refusal | None:
        batteries = self.mode.batteries
        if not batteries and (request.action is not None or request.mode is Mode.MANUAL):
            return Refusal(Cause.UNKNOWN, NO_BATTERY)
        if request.action is not None:
            return self.grid_mode.ask(held, request, batteries, mono)
        asked = ask(held, request, now, mono)
        if isinstance(asked, Refusal):
            return asked
        self._turn(held, asked, request, mono)
        return None

    def _turn(self, held: Control, asked: Control, request: ControlRequest, mono: float) -> None:
        """Another mode holds, by the word of a person."""
        self.mode.control, self.mode.serves, self.grid_mode = asked, request, GridMode()
        locked = held.mode.mode is Mode.LOCKOUT
        if asked.mode.mode is Mode.AUTO:
            self.mode.left_over = {}
        for one in self.mode.batteries.values():
            match asked.mode.mode:
                case Mode.AUTO | Mode.MANUAL:
                    one.asked(asked.mode, mono)
                case Mode.LOCAL:
                    one.starts.taken()
                    one.why = ""
            if asked.mode.mode is Mode.LOCKOUT:
                one.lockout.undo = None
                self.commands.verdicts.awaits(request, one.battery.name)
            elif locked or (one.out is not None and asked.mode.mode is Mode.AUTO):
                one.undo(held.mode if locked else None)
                self.commands.settle(one.pcs)
