"""Which limits of the bridge say for how long what a battery may do. Pure: a table of all that `limited_by` may name.

What lasts narrows its share, and others give the rest. What passes by itself, is no limit of this battery alone, or is
told by its state and its silence anyway, narrows nothing: the battery would rest for longer than its reason.
"""

from collections.abc import Sequence

from schemas.messages import Limited

LASTS: dict[str, bool] = {
    "register:worn": True,
    "DEVICE:range": True,
    "DEVICE:apparent_power": True,
    "interlock:NAME": True,
    "pcs:reversed": True,
    "loop:CAUSE": False,
    "pcs:stopping": False,
    "pcs:not_running": False,
    "pcs:state_unknown": False,
    "pcs:apparent_power": True,
    "pcs:rated_power": True,
    "pcs:own_pv": False,
    "bms:missing": False,
    "bms:current": True,
    "bms:soc_missing": False,
    "battery:soc": True,
    "meter:trial": False,
    "meter:missing": False,
    "site:grid": False,
    "AUTHORITY:limit": True,
    "battery:ramp": False,
    "register:budget": False,
}
"""By the names of docs/control.md and in their order, the strongest first; those in capitals stand for any. What waits
for its budget is held where it stands, whatever is wanted: `held_back.Standing`."""
_HEADS = {key.partition(":")[0]: key for key in LASTS if key.partition(":")[2].isupper()}
_ORDER = {key: number for number, key in enumerate(LASTS)}
_TAILS = {key.partition(":")[2]: key for key in LASTS if key.partition(":")[0].isupper()}


def row(source: str) -> str:
    """Of the table, for a limit as the bridge names it; empty when a newer bridge alone knows it."""
    if source in LASTS:
        return source
    head, _, tail = source.partition(":")
    return _HEADS.get(head) or _TAILS.get(tail, "")


def order(source: str) -> int:
    """When the bridge applies it; -1 where a newer bridge alone knows."""
    return _ORDER.get(row(source), -1)


def lasting(limited: Sequence[Limited]) -> list[Limited]:
    """What narrows the power of this battery for a while. What is not known does not: the battery is asked again."""
    return [one for one in limited if one.point == "p_set" and LASTS.get(row(one.source), False)]
