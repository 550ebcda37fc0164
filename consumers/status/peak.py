"""What is billed by the kW so far, for the page: as it was told, and what nobody knows. Pure."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from consumers.status.state import Moment, State
from optimizer.charge import least
from schemas.billing import BilledComponent
from schemas.tariff_demand import Demand

View = dict[str, Any]


def per(state: State) -> str:
    """What the peak is of, `month` or `year`; empty of several demands, and where nobody knows."""
    said = state.billing.components if state.billing else []
    known = [one.per for one in said] or [one.per for one in _demands(state)]
    return known[0] if len(known) == 1 else ""


def _demands(state: State) -> Sequence[Demand]:
    return () if state.site.tariff_fault else state.site.prices.components


def _unknown_peak(doubt: str) -> View:
    nothing = dict.fromkeys(("highest", "per", "window", "ends", "minutes", "seen"))
    return nothing | {"name": "", "counts": True, "floor": None, "others": [], "doubt": doubt}


def _untold(state: State) -> View | None:
    """A plan that keeps a peak, and the tariff, know of a price for it: what is billed is unknown then, not nothing."""
    planned = state.plan is not None and state.plan.word.peak is not None
    return _unknown_peak("optimize does not tell it") if planned or _demands(state) else None


def peak(state: State, now: Moment) -> View | None:
    """The billed peak so far, of the tariff's first component, as it was told; `others` are those of the others.

    A window that is over by more than its length is not followed any more. `highest` and `window` are None where
    nothing is known; `floor` is what is billed at least, for a ratchet, too, where that is more; `counts`: whether the
    window that runs is billed; `seen` is the share of the period that is known; `doubt` says why something is not.
    """
    billing = state.billing
    if billing is None:
        return _untold(state)
    if billing.fault:
        return _unknown_peak(billing.fault)
    if not billing.components:
        return None
    one, *others = billing.components
    if now.at > one.window_end + timedelta(minutes=one.minutes):
        return _untold(state)
    return {
        "name": one.name if others else "",
        "highest": _highest(one, now),
        "floor": _floor(state, one, now),
        "counts": one.counts,
        "others": [{"name": each.name, "highest": _highest(each, now), "per": each.per} for each in others],
        "per": one.per,
        "window": one.mean if now.at < min(billing.until, one.window_end) else None,
        "ends": one.window_end.isoformat(),
        "minutes": one.minutes,
        "seen": one.seen,
        "doubt": "the archive cannot be read" if one.seen is None else "",
    }


def _highest(one: BilledComponent, now: Moment) -> float | None:
    return one.peak if now.at < one.period_end else None


def _floor(state: State, one: BilledComponent, now: Moment) -> float | None:
    demand = next((each for each in _demands(state) if (each.name, each.per) == (one.name, one.per)), None)
    made = {month.start: month.peak for month in one.months if month.peak is not None}
    bound = one.floor if demand is None else least(demand, made, one.period_start, state.site.zone)
    return bound if bound > (_highest(one, now) or 0.0) else None
