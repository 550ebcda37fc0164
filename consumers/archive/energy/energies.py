"""The one rule of the energy of a device in a quarter of an hour. Pure.

The device's own counter first: what it gained from the end of the quarter before to the end of this one. Over a gap the
sum is known and not how it is spread: the quarters whose power was measured get that, the others the rest in equal
parts, so that the sum is the counter's. A counter that fell, or gained more than can have gone through the device, is
another one, or began at 0 again: what it gained there is not known, and the power tells both quarters at the break. So
it does where a counter stands still although power flows.

The power second: each five minutes of a quarter are taken to have gone on as the seconds of them that were seen. A
quarter one of whose five minutes nobody saw is not known by the power: it has no energy rather than a wrong one.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

from schemas.energies import Source

QUARTER, STRETCH = 900, 300
"""Seconds."""
LEAST = 0.2
"""Of a quarter that must have been seen where its minutes are forgotten: what a value in each five minutes covers."""
HEADROOM = 2.0
"""So many times its rating a device may give: ratings are not limits. The same holds for the bridge that reads it."""
SINGLE = 2.0**-23
"""The relative step of a float of two registers."""
STEPS, SHARE = 2, 0.5
"""Steps of a counter that its power must say before it is held against it, and how much of it must be counted."""
STRAY = 0.01
"""And of what can flow: a meter that nets its phases counts little otherwise than it measures."""
LONGEST = 366 * 96
"""Quarters: over a longer gap no counter is followed."""
_ORDER = list(Source)

Part = tuple[float, float, float]
"""Wh out and in over so many covered seconds."""


class Power(NamedTuple):
    """The integral of a power over a quarter, as if all of it had been seen, and how much of it was."""

    out: float
    into: float
    seconds: float


class Told(NamedTuple):
    """What a device told of a quarter: its power, and where its counters stood at the end. None: it did not."""

    power: Power | None = None
    out: float | None = None
    into: float | None = None
    seconds: float = 0.0
    """How much of it was seen."""


class Given(NamedTuple):
    """The energy of a quarter: Wh out and in, none of them negative."""

    out: float
    into: float
    source: Source
    seconds: float


def measured(minutes: Iterable[tuple[int, Part]]) -> Power | None:
    """The energy of a quarter by its power, of the parts that begin so many seconds after it; None: not known."""
    sums = [(0.0, 0.0, 0.0)] * (QUARTER // STRETCH)
    for second, part in minutes:
        place = second // STRETCH
        sums[place] = tuple(map(sum, zip(sums[place], part, strict=True)))  # type: ignore[assignment]
    seconds = sum(one[2] for one in sums)
    if any(one[2] <= 0 for one in sums):
        return None
    out, into = (sum(one[way] * STRETCH / one[2] for one in sums) for way in (0, 1))
    return Power(out, into, seconds)


def remembered(part: Part) -> Power | None:
    """The same of a quarter whose minutes are forgotten."""
    out, into, seconds = part
    return None if seconds < LEAST * QUARTER else Power(out * QUARTER / seconds, into * QUARTER / seconds, seconds)


def energies(told: Mapping[int, Told], most: float, *, one_way: bool = False, step: float = 1.0) -> dict[int, Given]:
    """The energies of quarters, by their numbers; one that is not known is missing.

    `most`: W that can go through the device. `one_way`: what flows into it is 0 where nobody tells. `step`: Wh in which
    its counters move.
    """
    powers = {number: one.power for number, one in told.items() if one.power is not None}
    lasts = {n: one.out for n, one in told.items()}, {n: one.into for n, one in told.items()}
    out, idle = _direction(lasts[0], {n: one.out for n, one in powers.items()}, most, step)
    into, idle_too = _direction(lasts[1], {n: one.into for n, one in powers.items()}, most, step)
    found = {}
    for number in sorted(out.keys() & (out.keys() if one_way else into.keys())):
        (given, source), (taken, other) = out[number], into.get(number, (0.0, Source.COUNTER))
        worse = source if one_way else max(source, other, key=_ORDER.index)
        found[number] = Given(given, taken, worse, told[number].seconds if number in told else 0.0)
    return found | {n: _by_power(powers[n], told[n].seconds) for n in idle | idle_too}


def _by_power(power: Power, seconds: float) -> Given:
    return Given(max(0.0, power.out), max(0.0, power.into), Source.POWER, seconds)


def _direction(
    lasts: Mapping[int, float | None], powers: Mapping[int, float], most: float, step: float
) -> tuple[dict[int, tuple[float, Source]], set[int]]:
    """What flowed one way, and the quarters in which its counter did not count."""
    found: dict[int, tuple[float, Source]] = {number: (max(0.0, wh), Source.POWER) for number, wh in powers.items()}
    counter = sorted((number, last) for number, last in lasts.items() if last is not None)
    breaks, gains, least = set[int](), dict[int, float](), dict[int, float]()
    for (before, was), (number, last) in pairwise(counter):
        span, gained = range(before + 1, number + 1), last - was
        seen = sum(powers.get(place, 0.0) for place in span)
        least[number] = max(STEPS * max(step, SINGLE * abs(last)), STRAY * most * QUARTER / 3600)
        if len(span) > LONGEST:
            continue
        if not 0 <= gained <= HEADROOM * most * (len(span) + 1) * QUARTER / 3600:
            breaks |= {before, number}
        elif len(span) == 1:
            found[number], gains[number] = (gained, Source.COUNTER), gained
        elif seen < len(span) * least[number] or gained >= SHARE * seen:
            found |= {place: (wh, Source.SHARE) for place, wh in _spread(gained, span, powers, most).items()}
    found |= {number: (max(0.0, powers[number]), Source.POWER) for number in breaks & powers.keys()}
    return found, _idle(gains, powers, least)


def _idle(gains: Mapping[int, float], powers: Mapping[int, float], least: Mapping[int, float]) -> set[int]:
    """The quarters of whose energy a counter has not shown half at the end of the next one: it stands still, or its
    register is one that its device does not fill. Some count once in a quarter of an hour, and some in large steps."""
    return {
        number
        for number, gained in gains.items()
        if powers.get(number, 0.0) >= least[number]
        and gained + gains.get(number + 1, powers[number]) < SHARE * powers[number]
    }


def _spread(gained: float, span: Sequence[int], powers: Mapping[int, float], most: float) -> dict[int, float]:
    """What a counter gained over a gap, on its quarters: in equal parts where else one had more than its device can."""
    seen = {number: max(0.0, powers[number]) for number in span if number in powers}
    unseen, total = len(span) - len(seen), sum(seen.values())
    if unseen and total <= gained:
        found = dict.fromkeys(span, (gained - total) / unseen) | seen
    elif total > 0:
        found = {number: seen.get(number, 0.0) * gained / total for number in span}
    else:
        found = {}
    even = dict.fromkeys(span, gained / len(span))
    return found if found and max(found.values()) <= HEADROOM * most * QUARTER / 3600 else even
