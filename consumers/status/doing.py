"""What dispatch does and why, for the page: of the site, and of each battery. Pure."""

from consumers.status.state import Moment, State
from consumers.status.values import SILENT, alive
from schemas.messages import Action, BatteryDispatch, ControlDispatch, Mode, Outcome, OutcomeState
from schemas.site_parts import Battery

TOLD: dict[Action, tuple[str, str]] = {
    Action.START: ("Start", "the PCS runs"),
    Action.STOP: ("Stop", "the PCS is stopped"),
    Action.STANDBY: ("Stand by", "the PCS stands by"),
    Action.RESET: ("Reset", "the PCS is reset"),
    Action.GRID_FOLLOWING: ("Follow the grid", "the PCS follows the grid"),
    Action.GRID_FORMING: ("Form a grid", "the PCS forms a grid of its own"),
}
"""An action as an operator calls it, and what holds when it has been followed."""


READ_ONLY = "read only, would do this: "


def why(state: State, now: Moment) -> str:
    """Of the site; empty when dispatch does not say. A lockout says who locked and how it ends."""
    does = _does(state, now)
    if does is None:
        return ""
    asked = "" if does.action is None else f"{TOLD[does.action][0].lower()}, asked "
    return _framed(state, does, [asked + does.reason, *_of_each(does)])


def why_of(state: State, one: Battery, now: Moment) -> str:
    """Of one of several batteries."""
    does = _does(state, now)
    mine = None if does is None else does.batteries.get(one.name)
    if does is None or mine is None or len(does.batteries) == 1:
        return ""
    locked = [does.reason] if does.mode is Mode.LOCKOUT and does.action is None else []
    return _framed(state, does, [*locked, _reason(mine), mine.complaint])


def reason_of(word: Outcome) -> str:
    """Why a command came to this; of an action that was followed the bridge names the device's state alone."""
    if word.action is not None and word.state is OutcomeState.VERIFIED:
        return TOLD[word.action][1]
    return word.reason


def _does(state: State, now: Moment) -> ControlDispatch | None:
    """What a dead service did last it does no more."""
    said = state.does
    if said is None or said.age(now) > SILENT or not alive(state, "dispatch", now):
        return None
    return said.word


def _of_each(does: ControlDispatch) -> list[str]:
    """What is to be said of each battery beside the reason of the site."""
    several = len(does.batteries) > 1
    found = list[str]()
    for name, one in does.batteries.items():
        words = [_reason(one)] if _has_its_own(does, one, several=several) else []
        found += [f"{name}: {each}" if several else each for each in (*words, one.complaint) if each]
    return found


def _has_its_own(does: ControlDispatch, one: BatteryDispatch, *, several: bool) -> bool:
    """A single battery does what the site does; in a lockout each is brought to a stop by itself."""
    match does.mode:
        case Mode.AUTO | Mode.MANUAL:
            return several and not one.takes_part and does.action is None
        case Mode.LOCKOUT:
            return does.action is None
        case Mode.LOCAL:
            return bool(one.locked_out)


def _reason(one: BatteryDispatch) -> str:
    if not one.locked_out:
        return one.reason
    return f"locked out ({one.locked_out}), {one.reason}; ask for auto when it is right"


def _framed(state: State, does: ControlDispatch, said: list[str]) -> str:
    """With whether it is done at all, and how it ends."""
    words = "; ".join(filter(None, [*said, _end(state, does.mode)]))
    return READ_ONLY + words if does.read_only else words


def _end(state: State, mode: Mode) -> str:
    if mode not in (Mode.LOCAL, Mode.LOCKOUT):
        return ""
    held = None if state.mode is None else state.mode.word
    if mode is Mode.LOCKOUT or held is None or held.until is None:
        return "ask for auto to end it"
    return f"it ends at {held.until.astimezone(state.site.zone):%H:%M}, or {held.who} asks for auto"
