"""What dispatch does and why, for the page: of the site, and of each battery. Pure."""

import re

from consumers.status.state import Moment, State
from consumers.status.values import alive
from schemas.messages import Action, ControlMode, Mode, Outcome, OutcomeState
from schemas.site_parts import Battery

HEAD = re.compile(rf"^(?:{'|'.join(Mode)}): (?:-?[\d.]+ kW, )?")
"""Dispatch's sign of life begins with what the page shows in its own places: `auto: 0.0 kW, rests: ...`."""
SHADOW = "read only, would do this: "

TOLD: dict[Action, tuple[str, str]] = {
    Action.START: ("Start", "the PCS runs"),
    Action.STOP: ("Stop", "the PCS is stopped"),
    Action.STANDBY: ("Stand by", "the PCS stands by"),
    Action.RESET: ("Reset", "the PCS is reset"),
    Action.GRID_FOLLOWING: ("Follow the grid", "the PCS follows the grid"),
    Action.GRID_FORMING: ("Form a grid", "the PCS forms a grid of its own"),
}
"""An action as an operator calls it, and what holds when it has been followed."""


def why(state: State, now: Moment) -> str:
    """Of the site; empty when dispatch does not say. A lockout says who locked and how it ends."""
    return _framed(state, _said(state, now))


def why_of(state: State, one: Battery, now: Moment) -> str:
    """Of one of several batteries; who takes part does what the site does."""
    said = _said(state, now)
    if not said or len(state.site.battery) == 1:
        return ""
    parts = _parts(said, [each.name for each in state.site.battery])
    out = "" if state.mode is None else state.mode.word.out.get(one.name, "")
    mine = parts.get(one.name, "")
    if out and out not in mine:
        mine = "; ".join(filter(None, (f"locked out ({out})", mine)))
    return _framed(state, mine or parts.get("", ""))


def reason_of(word: Outcome) -> str:
    """Why a command came to this; of an action that was followed the bridge names the device's state alone."""
    if word.action is not None and word.state is OutcomeState.VERIFIED:
        return TOLD[word.action][1]
    return word.reason


def _said(state: State, now: Moment) -> str:
    """Dispatch's own words on what it does; what a dead service said last is no reason."""
    status = state.services.get("dispatch")
    if status is None or not alive(state, "dispatch", now):
        return ""
    detail = status.word.detail
    shadow = SHADOW if detail.startswith(SHADOW) else ""
    said = HEAD.sub("", detail.removeprefix(SHADOW), count=1)
    for action, (name, _) in TOLD.items():
        if said.startswith(f"{action} by "):
            said = said.replace(f"{action} by ", f"{name.lower()}, asked by ", 1)
    return shadow + said


def _framed(state: State, said: str) -> str:
    """With who holds the mode, and how it ends."""
    if not said or state.mode is None:
        return said
    mode = state.mode.word
    match mode.mode:
        case Mode.LOCKOUT:
            return "; ".join(filter(None, (_by(mode), said, "ask for auto to end it")))
        case Mode.LOCAL:
            return f"{said}; {_until(state, mode)}"
        case _:
            return said


def _by(mode: ControlMode) -> str:
    return f"{mode.mode} by {mode.who}: {mode.why}" if mode.why.strip() else f"{mode.mode} by {mode.who}"


def _until(state: State, mode: ControlMode) -> str:
    if mode.until is None:
        return "ask for auto to end it"
    return f"it ends at {mode.until.astimezone(state.site.zone):%H:%M}, or {mode.who} asks for auto"


def _parts(said: str, names: list[str]) -> dict[str, str]:
    """What is said of each battery, and of none (an empty name): `covers the load; yard: pcs2 is off`."""
    found, whose = dict[str, list[str]](), ""
    for part in said.split("; "):
        name = next((one for one in names if part.startswith(f"{one}: ")), None)
        whose = whose if name is None else name
        found.setdefault(whose, []).append(part.removeprefix(f"{name}: "))
    return {name: "; ".join(parts) for name, parts in found.items()}
