"""What dispatch does and why, for the page: of the site, and of each battery. Pure."""

from consumers.status.state import Moment, State
from consumers.status.values import SILENT, alive
from schemas.messages import Action, BatteryDispatch, ControlDispatch, Mode, Outcome, OutcomeState
from schemas.site_battery import Unit
from schemas.state_words import ASK, locked_out

TOLD: dict[Action, tuple[str, str]] = {
    Action.START: ("Start", "the PCS runs"),
    Action.STOP: ("Stop", "the PCS is stopped"),
    Action.STANDBY: ("Stand by", "the PCS stands by"),
    Action.RESET: ("Reset", "the PCS is reset"),
    Action.GRID_FOLLOWING: ("Follow the grid", "the PCS follows the grid"),
    Action.GRID_FORMING: ("Form a grid", "the PCS forms a grid of its own"),
}
"""An action as an operator calls it, and what holds when it has been followed."""


IDLE = "is idle"
"""How the words of a rule end that wants nothing."""
READ_ONLY = "read only, would do this: "


def why(state: State, now: Moment) -> str:
    """Of the site; empty when dispatch does not say. A lockout says who locked and how it ends."""
    does = does_now(state, now)
    if does is None:
        return ""
    return _framed(state, does, [_plain(does.action, does.reason), does.curtailed, *_of_each(does)])


def why_of(state: State, one: Unit, now: Moment) -> str:
    """Of one of several batteries."""
    does = does_now(state, now)
    mine = None if does is None else does.batteries.get(one.name)
    if does is None or mine is None or len(does.batteries) == 1:
        return ""
    locked = [does.reason] if does.mode is Mode.LOCKOUT and does.action is None else []
    return _framed(state, does, [*locked, _reason(does, mine), mine.complaint])


def beside(state: State, now: Moment) -> list[str]:
    """What each flexible load is told and why, and each rule of the site that is not idle, in words."""
    does = does_now(state, now)
    if does is None:
        return []
    loads = [f"{name}: {one.reason}{f'; {one.complaint}' * bool(one.complaint)}" for name, one in does.loads.items()]
    rules = [words for words in does.rules.values() if not words.endswith(IDLE) and words not in does.reason]
    return [*loads, *rules]


def _plain(action: Action | None, reason: str) -> str:
    """A grid mode by its name for people."""
    return reason if action is None else reason.replace(action, TOLD[action][0].lower(), 1)


def is_told(state: State, one: Unit, now: Moment) -> bool:
    """It is told something now; also where dispatch does not say. What it was told before holds no more."""
    does = does_now(state, now)
    mine = None if does is None else does.batteries.get(one.name)
    return mine is None or mine.power is not None or mine.action is not None


def reason_of(word: Outcome) -> str:
    """Why a command came to this; of an action that was followed the bridge names the device's state alone."""
    if word.action is not None and word.state is OutcomeState.VERIFIED:
        return TOLD[word.action][1]
    return word.reason


def does_now(state: State, now: Moment) -> ControlDispatch | None:
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
        words = [_reason(does, one)] if _has_its_own(does, one) else []
        found += [f"{name}: {each}" if several else each for each in (*words, one.complaint) if each]
    return found


def _has_its_own(does: ControlDispatch, one: BatteryDispatch) -> bool:
    """In a lockout each is brought to a stop by itself."""
    match does.mode:
        case Mode.AUTO | Mode.MANUAL:
            return False  # the site says who takes no part
        case Mode.LOCKOUT:
            return does.action is None
        case Mode.LOCAL:
            return bool(one.locked_out)


def _reason(does: ControlDispatch, one: BatteryDispatch) -> str:
    reason = _plain(one.action, one.reason)
    if not one.locked_out:
        return reason
    if does.mode is not Mode.LOCKOUT:
        return f"{locked_out(one.locked_out, reason, alone=True)}; {ASK}"
    if one.locked_out not in does.reason:
        return locked_out(one.locked_out, reason, alone=False)
    return "" if reason in does.reason else reason


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
