"""Which grid modes an operator can ask for now, and why one cannot be: by the rule of dispatch itself. Pure."""

from collections.abc import Collection

from consumers.status.state import Moment, State
from consumers.status.values import Shown, value_of
from schemas.grid_modes import barred, whose
from schemas.messages import Action

MODES = (Action.GRID_FOLLOWING, Action.GRID_FORMING)


def grid_modes(state: State, now: Moment) -> list[Shown]:
    """Of each battery whose PCS knows them: by mode why it cannot be, empty where it can."""
    units, found = state.site.units, list[Shown]()
    for one in units:
        able = state.site.profiles[one.pcs].actions
        if not any(mode in able for mode in MODES):
            continue
        said = value_of(state, one.pcs, "state", now)
        does = str(said["value"]) if said["state"] == "live" else ""
        pcs = whose(one.name, one.pcs, several=len(units) > 1)
        found.append({"battery": one.name} | {mode.value: _why(state, mode, pcs, does, able) for mode in MODES})
    return found


def _why(state: State, mode: Action, pcs: str, does: str, able: Collection[str]) -> str:
    if state.mode is None:
        return "dispatch was not heard"
    no = barred(mode, pcs, state.mode.word, state=does, able=able)
    return "" if no is None else no[1]
