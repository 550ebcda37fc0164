"""The interlocks that act, in words for people: what one cause explains is one sentence. Pure."""

import math
from collections.abc import Collection, Sequence

from bridges.control.interlock_state import State
from bridges.control.interlocks import Acting

SHOWN = 3
"""Names of a group that are told; its others are counted."""
UNKNOWN = "does not say all that must be known"
ROUND = 10.0
"""Seconds to which the time until an end is rounded up: a status is no clock."""


def sentences(acting: Sequence[Acting], silent: Collection[str]) -> list[str]:
    """One for each, but for what nobody knows of one device: those are one. `silent`: devices that are not read any
    more."""
    groups: dict[tuple[str, str], list[Acting]] = {}
    for one in acting:
        key = (one.device, _why(one)) if one.blind else (one.name, "")
        groups.setdefault(key, []).append(one)
    told = list[str]()
    for (device, why), found in groups.items():
        if why and len(found) >= SHOWN:
            told.append(_group(device, "is silent" if why == UNKNOWN and device in silent else why, found))
        else:
            told += [f"{one.name}: {one.reason}{_ends([one])}" for one in found]
    return told


def _why(one: Acting) -> str:
    if one.state is State.UNTOLD:
        return "was not read yet"
    return UNKNOWN if one.ends is None else "is known again"


def _group(device: str, why: str, found: Sequence[Acting]) -> str:
    names = [one.name.removesuffix(f"-{device}") for one in found]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{device} {why}: {len(found)} interlocks act ({', '.join(names[:SHOWN])}{more}){_ends(found)}"


def _ends(found: Sequence[Acting]) -> str:
    left = [one.ends for one in found if one.ends is not None]
    return f", ends within {math.ceil(max(left) / ROUND) * ROUND:.0f} s" if left else ""
