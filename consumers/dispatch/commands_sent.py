"""The commands of the batteries that went out, and what becomes of them. Pure: both clocks are arguments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consumers.dispatch.answers import complaint, in_words, later
from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.instruction import Instruction
from consumers.dispatch.modes import Control
from consumers.dispatch.outcomes import OF_A_BATTERY, SAID, Effect, effect
from consumers.dispatch.requests import name
from consumers.dispatch.site_mode import SiteMode
from consumers.dispatch.verdicts import Verdicts
from schemas.messages import Action, Outcome, RequestOutcome

REMEMBERED = 100
"""Commands of each battery whose outcomes are still waited for."""


@dataclass
class CommandsSent:
    """Of all batteries."""

    mode: SiteMode
    verdicts: Verdicts
    sent: dict[str, tuple[str, Instruction]] = field(default_factory=dict)
    """To which PCS, by id, the oldest first."""

    @property
    def batteries(self) -> Mapping[str, BatteryDesk]:
        """By the name of their PCS."""
        return self.mode.batteries

    def gives(self, sent: dict[str, Instruction]) -> dict[str, Instruction]:
        """What goes out next, by PCS: who gets no order of the request that is served is no part of its answer."""
        for pcs, one in self.batteries.items():
            order = sent.get(pcs)
            one.last = order.counted if order is not None and order.action is None else None
            if order is None or order.request is None:
                self.verdicts.aside(one.battery.name)
        return sent

    def sends(self, command: str, pcs: str, instruction: Instruction) -> None:
        """It goes out under this id."""
        self.sent[command] = pcs, instruction
        self.verdicts.sends(self.batteries[pcs].battery.name, instruction)
        while len(self.sent) > REMEMBERED * len(self.batteries):
            del self.sent[next(iter(self.sent))]

    def settle(self, pcs: str) -> None:
        """What is still said of commands from before was settled by a person."""
        self.sent = {key: sent for key, sent in self.sent.items() if sent[0] != pcs}

    def hear(self, outcome: Outcome, now: datetime, mono: float) -> RequestOutcome | None:
        """The bridge says what became of a command; gives what a person is told about it."""
        control = self.mode.control
        if outcome.id not in self.sent or control is None:
            return None
        pcs, instruction = self.sent[outcome.id]
        request, one = instruction.request, self.batteries[pcs]
        if request is not None and request.mode is not None and request is not self.mode.serves:
            request = None  # another mode holds: what its last command comes to is no answer to it
        one.hear_limits(outcome, mono)
        self._weigh(outcome, one, control, now, mono)
        if instruction.action is Action.RESET:
            one.resets.hear(outcome.state)
        ran_out = len(self.batteries) > 1 and one.ran_out(outcome, instruction)
        held = self.mode.control or control  # it may be a lockout by now
        one.unlatch(outcome, held.mode, mono)
        if request is None or SAID[outcome.state] is None or ran_out:
            return None
        serves = self.mode.serves
        self.verdicts.keep({name(asked) for _, sent in self.sent.values() if (asked := sent.request or serves)})
        without = [each.battery.name for each in self.batteries.values() if each.is_settled(held.mode, mono)]
        followed = bool(SAID[outcome.state])
        reason = self.verdicts.hear(request, one.battery.name, in_words(outcome), followed=followed, without=without)
        return None if reason is None else later(request, outcome, reason, followed=followed, now=now)

    def _weigh(self, outcome: Outcome, one: BatteryDesk, control: Control, now: datetime, mono: float) -> None:
        words = complaint(outcome)
        match effect(outcome.cause, control.mode.mode):
            case Effect.LOCK if outcome.cause in OF_A_BATTERY:
                self.mode.take_out(one, outcome.cause or "", words, now)
            case Effect.LOCK:
                self.mode.lock(control, outcome.cause or "", words, now)
            case Effect.SAY:
                one.complaint = words, mono
            case Effect.NONE if SAID[outcome.state]:
                one.complaint = ("", mono)
