"""What binds each command, as codes for programs: of batteries, PV inverters and loads. Pure.

An action carries none: a stop must reach whatever bridge there is. A bridge that is older than the field refuses it, as
an order half understood. So the first command to each device asks: until its outcome has come the others carry none,
however long it takes. Where it was refused the bridge is told without for a day, and the order is told again at once.
"""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from consumers.dispatch.desk import Desk
from consumers.dispatch.instruction import Instruction
from optimizer.dispatch import current_step
from optimizer.loads.choice import Why as Decides
from schemas.messages import Cause, Command, Mode, Outcome, Why
from schemas.why import WhyCode

SIDES = {WhyCode.IMPORT_HELD.value: "consumption", WhyCode.EXPORT_HELD.value: "feed_in"}
AGAIN = 86_400.0
"""Seconds after which a bridge that takes no reasons is asked again: it may be a newer one by now."""
UNANSWERED = 60.0
"""Seconds without an outcome after which it is asked again: the bridge may have been away."""
AWAITED = 60
"""Commands of a device whose outcomes may still come."""
OF_A_LOAD = {
    Decides.PLAN: WhyCode.LOAD_PLANNED,
    Decides.FALLBACK: WhyCode.LOAD_UNPLANNED,
    Decides.SHED: WhyCode.LOAD_SHED,
    Decides.TIMES: WhyCode.LOAD_TIMES,
    Decides.COMFORT: WhyCode.LOAD_COMFORT,
    Decides.UNKNOWN: WhyCode.LOAD_UNREAD,
    Decides.DEADLINE: WhyCode.LOAD_DEADLINE,
    Decides.DONE: WhyCode.LOAD_DONE,
}


@dataclass
class Reasons:
    """Of all devices that are commanded. Times of the monotonic clock."""

    _takes: set[str] = field(default_factory=set)
    """Whose bridge has taken a command with a reason."""
    _deaf: dict[str, float] = field(default_factory=dict)
    """Until when a bridge that has refused one is told without."""
    _asked: dict[str, float] = field(default_factory=dict)
    """When the command went out that asks whether a bridge takes reasons; none once that is known."""
    _told: dict[str, deque[str]] = field(default_factory=dict)
    """The ids of the last commands with a reason, by device."""

    def add(self, command: Command, desk: Desk, device: str, order: Instruction, mono: float) -> Command:
        """The command with what binds it, where that may be told."""
        if command.action is not None or not self._may(device, mono):
            return command
        try:
            found = whys(desk, device, order, command.at)
        except ValueError:  # a number that no message carries is no cause to tell a battery nothing
            found = []
        if not found:
            return command
        if device not in self._takes:
            self._asked[device] = mono
        self._told.setdefault(device, deque(maxlen=AWAITED)).append(command.id)
        return command.model_copy(update={"why": found})

    def _may(self, device: str, mono: float) -> bool:
        if mono < self._deaf.get(device, -inf):
            return False
        return device in self._takes or mono - self._asked.get(device, -inf) >= UNANSWERED

    def hear(self, device: str, outcome: Outcome, mono: float) -> bool:
        """Whether its bridge has refused a command for its reason alone: then the order itself has no outcome yet."""
        if outcome.id not in self._told.get(device, ()):
            return False
        self._asked.pop(device, None)
        if outcome.cause != Cause.INVALID:
            self._takes.add(device)
            return False
        self._takes.discard(device)
        self._deaf[device] = mono + AGAIN
        return True


def whys(desk: Desk, device: str, order: Instruction, now: datetime) -> list[Why]:
    """The binding reason of a setpoint first, two at most; empty where none is known."""
    if device in desk.loads.seen:
        return _of_load(desk, device, now)
    if device in desk.pv.seen:
        return _of_pv(desk, now)
    return [_named(desk, one, now) for one in order.wanted.whys] or _locked_out(desk, device)


def _named(desk: Desk, why: Why, now: datetime) -> Why:
    """A limit of the grid connection that somebody has sent, with its sender."""
    side = SIDES.get(why.code)
    if side is None or why.limit is None:
        return why
    held = [one for one in desk.limits.held(now) if one.direction == side]
    for one in held:
        if one.scope == "connection_point" and abs(one.power - why.limit) <= 1.0:
            return why.model_copy(update={"of": one.source})
    of_it = next((one for one in held if one.scope == "steerable" and side == "consumption"), None)
    if of_it is None or why.limit > desk.limits.bounds(now).import_limit - 1.0:
        return why
    steered = {"code": WhyCode.STEERABLE_HELD.value, "limit": round(of_it.power, 1), "of": of_it.source}
    return why.model_copy(update=steered)


def _locked_out(desk: Desk, pcs: str) -> list[Why]:
    site = None if desk.control is None else desk.control.mode
    mode = site if site is not None and site.mode is Mode.LOCKOUT else desk.batteries[pcs].out
    return [] if mode is None else [Why(code=WhyCode.LOCKED_OUT.value, of=mode.who, at=mode.at)]


def _of_pv(desk: Desk, now: datetime) -> list[Why]:
    """Why it is curtailed."""
    if not desk.pv.reason:
        return []
    plan = desk.plans.at(now)
    step = current_step(plan, max(now, plan.at)) if plan else None
    if step is not None and step.price_export < 0:
        return [Why(code=WhyCode.FEED_IN_COSTS.value, price=round(-step.price_export, 4))]
    limits = desk.rules.narrowed(desk.limits.said(now), now)
    most = min(limits.export_limit, inf if limits.pv_limit is None else limits.pv_limit)
    by = next((one for one in limits.held if one.direction == "feed_in" and abs(one.power - most) <= 1.0), None)
    return [Why(code=WhyCode.EXPORT_HELD.value, limit=round(most, 1), of="" if by is None else by.source)]


def _of_load(desk: Desk, name: str, now: datetime) -> list[Why]:
    decides, told = desk.loads.decides.get(name), desk.loads.told.get(name)
    if decides not in OF_A_LOAD or told is None:
        return []
    load, state, why = desk.loads.seen[name].load, told.state, Why(code=OF_A_LOAD[decides].value)
    band = load.rule.comfort
    match decides:
        case Decides.COMFORT | Decides.UNKNOWN if band is not None:
            return [why.model_copy(update={"of": str(band.point), "value": state.value if state else None})]
        case Decides.DEADLINE if state is not None:
            left = max(0.0, (load.rule.energy or 0.0) - state.taken)
            return [why.model_copy(update={"value": left, "at": load.deadline(now)})]
    return [why]
