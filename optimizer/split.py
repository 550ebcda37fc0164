"""Shares a power among the batteries of a site. Pure: the same question has the same answer.

- No share leaves what its battery may give or take.
- All flow the same way: no battery charges another.
- The fuller ones discharge first and the emptier ones charge first, so that their SoC come together and stay so.
- An inverter at a tenth of its power loses several times of what it loses at half: at low power only as many work as
  are needed, and they change only where it is worth it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

APART = 5.0
"""% of SoC: a battery so far behind the mean rests, as long as the others can do its share; one so far ahead takes
twice its part."""
JOINS, LEAVES = 0.5, 0.3
"""Of the rated power: an inverter joins when those that work would be above the first, and leaves when the others can
do it below the second."""
SWAPS = 3.0
"""% of SoC by which a battery that rests must be ahead of one that works to work in its place."""
STAYS = 0.01
"""Of the rated power: shares that are so near to the last ones are no reason to write."""
NOTHING = 1e-6
"""W"""


@dataclass(frozen=True, slots=True)
class Room:
    """What one battery may do now. Powers in W, positive discharging."""

    name: str
    low: float
    """0 or less: the most it may charge with."""
    high: float
    """0 or more: the most it may discharge with."""
    rated: float
    energy: float
    """Wh between 0 and 100 % SoC."""
    soc: float


def split(power: float, rooms: Sequence[Room], last: Mapping[str, float]) -> dict[str, float]:
    """W for each battery. What all of them together cannot do is left undone. `last`: what each was told before."""
    sign = 1.0 if power > 0 else -1.0
    most = {one.name: max(0.0, one.high if sign > 0 else -one.low) for one in rooms}
    wanted = min(abs(power), sum(most.values()))
    if wanted <= NOTHING:
        return {one.name: 0.0 for one in rooms}
    before = {one.name: max(0.0, sign * last.get(one.name, 0.0)) for one in rooms}
    shares = dict.fromkeys(most, 0.0) | _shares(wanted, _at_work(wanted, rooms, most, before, sign), most, sign)
    if _still_good(wanted, rooms, most, before, shares):
        shares = before
    return {name: sign * share + 0.0 for name, share in shares.items()}


def _at_work(
    wanted: float, rooms: Sequence[Room], most: Mapping[str, float], before: Mapping[str, float], sign: float
) -> list[Room]:
    """Which of them work: the best placed, as few as can do it at about half of their power."""
    able = [one for one in rooms if most[one.name] > NOTHING]
    works = {one.name for one in able if before[one.name] > NOTHING}
    ahead = sorted(able, key=lambda one: (-(sign * one.soc + (SWAPS if one.name in works else 0.0)), one.name))
    fewest, enough = (_count(wanted, ahead, most, share) for share in (JOINS, LEAVES))
    return ahead[: min(max(len(works), fewest), enough)]


def _count(wanted: float, ahead: Sequence[Room], most: Mapping[str, float], share: float) -> int:
    """How many are needed so that none is above this share of its power."""
    carried = 0.0
    for number, one in enumerate(ahead, 1):
        carried += min(most[one.name], share * one.rated)
        if carried >= wanted:
            return number
    return len(ahead)


def _shares(wanted: float, rooms: Sequence[Room], most: Mapping[str, float], sign: float) -> dict[str, float]:
    """In proportion to the energy, more to those ahead, up to what each may; the rest goes to those with room."""
    energy = sum(one.energy for one in rooms)
    mean = sum(one.energy * one.soc for one in rooms) / energy
    weights = {one.name: one.energy * max(0.0, 1.0 + sign * (one.soc - mean) / APART) for one in rooms}
    shares, left = {one.name: 0.0 for one in rooms}, wanted
    while left > NOTHING and (open_ := [one.name for one in rooms if most[one.name] - shares[one.name] > NOTHING]):
        whole = sum(weights[name] for name in open_)
        if whole <= 0.0:  # only those behind have room
            weights |= {name: most[name] - shares[name] for name in open_}
            whole = sum(weights[name] for name in open_)
        given = {name: min(most[name] - shares[name], left * weights[name] / whole) for name in open_}
        shares |= {name: shares[name] + part for name, part in given.items()}
        left -= sum(given.values())
    return shares


def _still_good(
    wanted: float,
    rooms: Sequence[Room],
    most: Mapping[str, float],
    before: Mapping[str, float],
    shares: Mapping[str, float],
) -> bool:
    """The last shares do it, too: each write wears a little, and every battery answers with a swing of its own."""
    near = all(abs(before[one.name] - shares[one.name]) <= STAYS * one.rated for one in rooms)
    inside = all(before[one.name] <= most[one.name] for one in rooms)
    return near and inside and abs(sum(before.values()) - wanted) <= NOTHING
