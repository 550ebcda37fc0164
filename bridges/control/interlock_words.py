"""The interlocks that act, in words for people: what one cause explains is one sentence. Pure."""

import math
from collections.abc import Collection, Mapping, Sequence
from enum import Enum, auto

from bridges.control.interlock_state import State
from bridges.control.interlocks import Acting

SHOWN = 3
"""So many that one cause explains are one sentence."""
ROUND = 10.0
"""Seconds to which the time until an end is rounded up: a status is no clock."""


class Blind(Enum):
    """Why nobody knows of a device what must be known."""

    SILENT = auto()
    UNTOLD = auto()
    UNREAD = auto()
    AGAIN = auto()


SAYS = {
    Blind.SILENT: "{device} is silent, so {which}",
    Blind.UNTOLD: "{device} does not say all that must be known, so {which}",
    Blind.UNREAD: "{device} was not read yet, so {which}",
    Blind.AGAIN: "{device} is known again, still {which}",
}

WAITS = "its cause is gone; it waits for a named person (ask for auto)"
"""One that has latched: nothing else ends it."""


def sentences(acting: Sequence[Acting], silent: Collection[str], each: Mapping[str, int]) -> list[str]:
    """One for each whose cause was seen, and then one for all that a device's silence explains.

    `silent`: devices that are not read any more. `each`: how many interlocks look at each device.
    """
    told = [_single(one) for one in acting if not one.blind]
    groups: dict[tuple[str, Blind], list[Acting]] = {}
    for one in acting:
        if one.blind:
            groups.setdefault((one.device, _why(one, silent)), []).append(one)
    for (device, why), found in groups.items():
        if len(found) >= SHOWN:
            names = [] if why is Blind.SILENT else [_rule(one) for one in found]
            told.append(SAYS[why].format(device=device, which=_which(found, each.get(device, 0), names)))
        else:
            told += [_single(one) for one in found]
    return told


def _single(one: Acting) -> str:
    """Its device is named by what was seen of it."""
    if one.state is State.LATCHED:
        return f"{_rule(one)}: {WAITS}; it was: {one.reason}"
    seen = f"{one.device} is known again" if one.blind and one.ends is not None else one.reason
    return f"{_rule(one)}: {seen}{_ends([one])}"


def _rule(one: Acting) -> str:
    return one.name.removesuffix(f"-{one.device}")


def _why(one: Acting, silent: Collection[str]) -> Blind:
    if one.state is State.UNTOLD:
        return Blind.UNREAD
    if one.ends is not None:
        return Blind.AGAIN
    return Blind.SILENT if one.device in silent else Blind.UNTOLD


def _which(found: Sequence[Acting], count: int, names: Sequence[str]) -> str:
    """With names only where it is not all of them."""
    if len(found) == count:
        return f"all of its {count} interlocks hold{_ends(found)}"
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    which = f" ({', '.join(names[:SHOWN])}{more})" if names else ""
    return f"{len(found)} of its {count} interlocks hold{which}{_ends(found)}"


def _ends(found: Sequence[Acting]) -> str:
    left = [one.ends for one in found if one.ends is not None]
    who = "it ends" if len(found) == 1 else "they end"
    return f", {who} within {math.ceil(max(left) / ROUND) * ROUND:.0f} s" if left else ""
