"""Points of devices that limit the grid connection, in words, and what of them can hardly be meant. Pure."""

from collections.abc import Iterator

from schemas.messages import Authority
from schemas.pace import FAST
from schemas.site import Site
from schemas.site_grid import GridSignal

Odd = tuple[str, str]
"""Where in the file and what."""
SAYS: dict[str, str] = {
    "equals": "is",
    "contains": "has",
    "lacks": "has no",
    "above": "is above",
    "below": "is below",
}
"""How a condition is said; `value` has none."""
WHOLE = 100.0


def signal_lines(site: Site) -> Iterator[str]:
    """One line a signal: the contact, and the limit."""
    yield from map(signal_words, site.grid.signal)


def signal_words(one: GridSignal) -> str:
    """When it holds, and what then."""
    who = "" if one.authority is Authority.DSO else f", of {one.authority}"
    return f"{one.device}.{one.point} {_when(one)}: {_limit(one)}{who}"


def _when(one: GridSignal) -> str:
    key = _key(one)
    return "itself" if key == "value" else f"{SAYS[key]} {_given(one)}"


def _key(one: GridSignal) -> str:
    return next(key for key in (*SAYS, "value") if getattr(one, key) is not None)


def _given(one: GridSignal) -> str:
    given = getattr(one, _key(one))
    return f"{given:g}" if isinstance(given, float) else str(given)


def _limit(one: GridSignal) -> str:
    what = {"feed_in": "feed-in", "consumption": "consumption"}[one.direction]
    steerable = " of what is steerable" if one.scope == "steerable" else ""
    if one.value is not None:
        return f"{what}{steerable}, in {'W' if one.value == 'power' else '%'}"
    if one.percent == WHOLE:
        return f"{what}{steerable} is not limited"
    size = f"{one.power / 1000:.6g} kW" if one.power is not None else f"{one.percent:g} %"
    return f"{what}{steerable} {size}"


def odd_signals(site: Site) -> Iterator[Odd]:
    """A contact that is used twice, one whose absence says nothing, and a device that is read too seldom."""
    yield from _twice(site)
    yield from _unsaid(site)
    for number, one in enumerate(site.grid.signal):
        poll = site.named(one.device).poll
        first = next(n for n, other in enumerate(site.grid.signal) if other.device == one.device)
        if poll > FAST and first == number:
            says = f"device {one.device} is read each {poll:g} s, so its limits come up to {poll:g} s late"
            yield f"grid.signal.{number}.device", f"{says}; {FAST:g} s or less would be right"


def _twice(site: Site) -> Iterator[Odd]:
    """Two meanings of one contact for one direction: the narrower holds, and the other one never."""
    seen = dict[tuple[object, ...], int]()
    for number, one in enumerate(site.grid.signal):
        key = _key(one)
        meant = one.device, one.point, key, getattr(one, key), one.authority, one.direction, one.scope
        first = seen.setdefault(meant, number)
        if first != number:
            says = f"{one.device}.{one.point} {_when(one)} is signal {first + 1} already"
            yield f"grid.signal.{number}.{key}", f"{says}: the narrower of both holds, never the other"


def _unsaid(site: Site) -> Iterator[Odd]:
    """Signals of which none says `not limited`: while none holds, nobody knows, and the safe one holds in the end."""
    groups = dict[tuple[str, str, str], list[int]]()
    for number, one in enumerate(site.grid.signal):
        groups.setdefault((one.authority, one.direction, one.scope), []).append(number)
    for (_, direction, _), numbers in groups.items():
        each = [site.grid.signal[number] for number in numbers]
        if any(one.value is not None or one.percent == WHOLE or one.lacks is not None for one in each):
            continue
        says = f"no signal says that {direction} is not limited: while none of them holds it is not known, and"
        right = "add the contact, or the open one with `lacks`, and percent = 100"
        yield f"grid.signal.{numbers[0]}", f"{says} safe_{direction} holds after dso_hold; {right}"
