"""A grid mode that a person wants of one PCS at rest: of which, and whether it is told. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.instruction import Instruction, action
from consumers.dispatch.modes import Control, act
from consumers.dispatch.requests import Refusal
from schemas.grid_modes import DOES, STOPPED, whose
from schemas.messages import Action, Authority, Cause, ControlRequest


@dataclass
class GridMode:
    """What is wanted and not told yet."""

    wish: tuple[str, ControlRequest] | None = None
    """And of which PCS."""

    def ask(
        self, held: Control, request: ControlRequest, batteries: Mapping[str, BatteryDesk], mono: float
    ) -> Refusal | None:
        """Why it is not followed, or None."""
        one = _meant(request, batteries)
        if isinstance(one, Refusal):
            return one
        pcs = whose(one.battery.name, one.pcs, several=len(batteries) > 1)
        no = act(held, request, pcs, state=one.seen.state(mono), able=one.profile.actions)
        self.wish = None if no else (one.pcs, request)
        return no

    def next(self, batteries: Mapping[str, BatteryDesk], mono: float) -> dict[str, Instruction]:
        """What to send, once: who wants it again asks again."""
        wish, self.wish = self.wish, None
        if wish is None:
            return {}
        pcs, request = wish
        if request.action is None or batteries[pcs].seen.state(mono) not in STOPPED:
            return {}
        return {pcs: action(Action(request.action), told(request), Authority.OPERATOR, request)}


def told(request: ControlRequest | None) -> str:
    """What is told, who asked for it, and why."""
    return "" if request is None else f"{request.action}, asked by {request.who.strip()}: {request.why.strip()}"


def named(request: ControlRequest, batteries: Mapping[str, BatteryDesk]) -> BatteryDesk | Refusal:
    """The battery of this name."""
    found = next((one for one in batteries.values() if one.battery.name == request.battery), None)
    return found or Refusal(Cause.UNKNOWN, f"there is no battery {request.battery!r}; there is: {_names(batteries)}")


def _meant(request: ControlRequest, batteries: Mapping[str, BatteryDesk]) -> BatteryDesk | Refusal:
    """The one that is named, or the only one that can."""
    if request.battery is not None:
        return named(request, batteries)
    able = {pcs: one for pcs, one in batteries.items() if str(request.action) in one.profile.actions}
    if not able and len(batteries) > 1:
        return Refusal(Cause.UNKNOWN, f"no PCS of the site can {DOES[request.action]}")
    if len(able) > 1:
        return Refusal(Cause.INVALID, f"say in `battery` which one goes to {request.action}: {_names(able)}")
    return next(iter((able or batteries).values()))


def _names(batteries: Mapping[str, BatteryDesk]) -> str:
    return ", ".join(one.battery.name for one in batteries.values())
