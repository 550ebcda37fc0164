"""Signals for the grid connection that would never be seen: a point, a state or a contact that no device has. Pure."""

from collections.abc import Iterator, Mapping

from schemas.profile import Profile
from schemas.site_grid import GridSignal
from schemas.troubles import Trouble

Mistake = tuple[str, str]
"""Where (`grid.signal.0.point`) and what, with what would be right."""


def wrong_signals(declared: list[GridSignal], profiles: Mapping[str, Profile]) -> Iterator[Mistake]:
    """All mistakes; `profiles` by device. A contact that no device has is never closed."""
    for number, one in enumerate(declared):
        yield from ((f"grid.signal.{number}.{key}", words) for key, words in _of(one, profiles[one.device]))


def _of(one: GridSignal, profile: Profile) -> Iterator[tuple[str, str]]:
    point = profile.points.get(one.point)
    if point is None:
        what = f"point {one.point!r} of device {one.device!r}"
        yield "point", str(Trouble.unknown(what, one.point, sorted(profile.points)))
        return
    if point.type == "text":
        return
    states = [*(point.enum or point.first or {}).values(), *([point.otherwise] if point.first else [])]
    flags = [*(point.flags or {}).values()]
    ways = {"state": ["equals"], "flags": ["contains", "lacks"], "number": ["equals", "above", "below", "value"]}
    kind = "flags" if flags else "state" if states else "number"
    key = next(name for name in (*ways["flags"], *ways["number"]) if getattr(one, name) is not None)
    given = getattr(one, key)
    if key not in ways[kind] or (key == "equals" and isinstance(given, str) == (kind == "number")):
        names = f": {', '.join(flags or states)}" if flags or states else ""
        yield (
            key,
            f"{one.point} of device {one.device!r} is {IS[kind]}{names}; write {' or '.join(ways[kind])}{AS[kind]}",
        )
    elif kind != "number" and given not in (flags or states):
        what = f"{given!r} in {one.point} of device {one.device!r}"
        yield key, str(Trouble.unknown(what, str(given), flags or states))


IS = {"flags": "a list of flags", "state": "a state", "number": "a number"}
AS = {"flags": " with one of them", "state": " with one of them", "number": " with a number"}
