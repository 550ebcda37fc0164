"""What the batteries do now and why, in a line: `Charging 80.0 kW: cheap now, dear at 18:00`. Pure.

The way is that of the power told, and the reason is chosen from its codes by that way: the two cannot contradict. The
amount is what is measured. Where nothing is measured, or it goes another way, it is said to be told and not to be done.
"""

from consumers.status.doing import TOLD, does_now, reason_of
from consumers.status.state import Moment, State
from consumers.status.values import Shown, alive, flow, value_of
from optimizer.why_heads import head
from optimizer.why_words import Place
from schemas.messages import Action, BatteryDispatch, ControlDispatch, Mode, Outcome, OutcomeState, Why
from schemas.site_battery import Unit
from schemas.topics import COMMAND_TTL
from schemas.why import way

TAKEN = (OutcomeState.APPLIED, OutcomeState.VERIFIED, OutcomeState.LIMITED)
"""What is told is done."""
DOING = {1: "Discharging", 0: "Resting", -1: "Charging"}
TO_DO = {1: "Told to discharge", 0: "Told to rest", -1: "Told to charge"}
UNTOLD = "No command"
READ_ONLY = "Read only, would be "
READ_ONLY_TELLS = "Read only, would tell: "


def headline(state: State, now: Moment) -> str:
    """Of all batteries together; empty at a site without one."""
    if not state.site.units:
        return ""
    does = does_now(state, now)
    if does is None:
        return _unheard(state, now) or _by_outcome(state, now)
    if stands := _stands(state, does):
        return stands
    if does.power is None:
        return _each_rests(state, does, now)
    battery = flow(state, now)["battery"]
    return _refused(state, does, now) or _does(state, does.power, does.why, battery, now, shadow=does.read_only)


def _unheard(state: State, now: Moment) -> str:
    if not state.broker:
        return "Not known: no connection to the broker"
    return "" if alive(state, "dispatch", now) else f"{UNTOLD}: dispatch is down"


def headline_of(state: State, one: Unit, now: Moment) -> str:
    """Of one of several."""
    does = does_now(state, now)
    mine = None if does is None else does.batteries.get(one.name)
    if does is None or mine is None:
        return ""
    if mine.locked_out or does.mode is Mode.LOCKOUT:
        return "Stopping: locked out" if mine.action is Action.STOP else "Stopped: locked out"
    if mine.power is None:
        return UNTOLD if mine.action is None else _told(does, mine.action)
    said = state.outcomes.get(one.pcs)
    if said is not None and said.age(now) <= COMMAND_TTL and said.word.state not in TAKEN:
        return _last(said.word)
    return _does(state, mine.power, mine.why, value_of(state, one.pcs, "p", now), now, shadow=does.read_only)


def _stands(state: State, does: ControlDispatch) -> str:
    """Where nothing is decided about a power."""
    who = "somebody" if state.mode is None else state.mode.word.who
    if does.action is not None:
        asked = does.reason.partition(", ")[2].partition(":")[0]  # as dispatch words a grid mode
        return ": ".join(filter(None, (_told(does, does.action), asked)))
    if does.mode is Mode.LOCAL:
        return f"{UNTOLD}: {who} steers at the device"
    if does.mode is Mode.LOCKOUT:
        stops = any(one.action is Action.STOP or one.power is not None for one in does.batteries.values())
        return f"{'Stopping' if stops else 'Stopped'}: locked out by {who}"
    return ""


def _each_rests(state: State, does: ControlDispatch, now: Moment) -> str:
    """No power is shared."""
    each = [*does.batteries.values()]
    acts = next((one for one in each if one.action is not None), None)
    if acts is not None and acts.action is not None:
        return f"{_told(does, acts.action)}: {_short(acts)}"
    told = next((one for one in each if one.power is not None), None)
    if told is not None and told.power is not None:
        doing = _doing(state, told.power, flow(state, now)["battery"], shadow=does.read_only)
        return _refused(state, does, now) or f"{doing}: {_short(told)}"
    return f"{UNTOLD}: {_short(each[0])}" if len(each) == 1 else f"{UNTOLD}: no battery takes part"


def _short(one: BatteryDispatch) -> str:
    return one.reason.split("; ")[0].removeprefix("rests: ")


def _told(does: ControlDispatch, action: Action) -> str:
    """`Start`; where nothing may be written, that it would be told."""
    words = TOLD[action][0]
    return f"{READ_ONLY_TELLS}{words[:1].lower()}{words[1:]}" if does.read_only else words


def _does(state: State, power: float, whys: list[Why], measured: Shown, now: Moment, *, shadow: bool) -> str:
    why = head(whys, power, place(state), now.at)
    doing = _doing(state, power, measured, shadow=shadow)
    return f"{doing}: {why}" if why else doing


def _doing(state: State, power: float, measured: Shown, *, shadow: bool) -> str:
    told, came = way(power), measured["value"] if measured["state"] == "live" else None
    if shadow:
        return READ_ONLY + _amount(DOING[told].lower(), power)
    if came is None:  # of a silent PCS nobody knows what it does
        return _amount(TO_DO[told], power)
    if way(came) == told:
        return _amount(DOING[told], came)
    other = max(abs(power), abs(came)) > state.site.rated_power * NEAR
    return _amount((TO_DO if other else DOING)[told], power)


NEAR = 0.02
"""Of the rated power: so little of another way is no doubt about what is told."""


def _amount(doing: str, power: float) -> str:
    return doing if way(power) == 0 else f"{doing} {abs(power) / 1000:.1f} kW"


def _refused(state: State, does: ControlDispatch, now: Moment) -> str:
    """The newest outcome of those that are told, where that is not what was told."""
    told = [one.pcs for one in state.site.units if _is_told(does.batteries.get(one.name))]
    heard = [said for pcs in told if (said := state.outcomes.get(pcs)) is not None and said.age(now) <= COMMAND_TTL]
    if not heard:
        return ""
    newest = min(heard, key=lambda said: said.age(now))
    return "" if newest.word.state in TAKEN else _last(newest.word)


def _is_told(one: BatteryDispatch | None) -> bool:
    return one is not None and (one.power is not None or one.action is not None)


def _by_outcome(state: State, now: Moment) -> str:
    """Dispatch is there, and does not say what it does: an older one, or one that has just begun."""
    heard = [said for one in state.site.units if (said := state.outcomes.get(one.pcs)) is not None]
    if not heard:
        return "No command heard yet"
    newest = min(heard, key=lambda said: said.age(now))
    if newest.age(now) > COMMAND_TTL:
        return f"No command for {newest.age(now):.0f} s"
    if newest.word.state not in TAKEN:
        return _last(newest.word)
    if newest.word.action is not None:
        return TOLD[newest.word.action][0]
    power = sum(said.word.applied.get("p_set", 0.0) for said in heard if said.age(now) <= COMMAND_TTL)
    return _amount(DOING[way(power)], power)


def _last(word: Outcome) -> str:
    why = reason_of(word).split("; ")[0]
    return f"Last command {str(word.state).replace('_', ' ')}{f': {why}' if why else ''}"


def place(state: State) -> Place:
    """How the reasons of this site are said."""
    known = None if state.plan is None else state.plan.word
    currency = "" if state.site.tariff_fault else state.site.prices.currency
    return Place(known.currency if known else currency, state.site.zone, known.prices_until if known else None)
