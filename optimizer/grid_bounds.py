"""What the limits of a grid connection come to, now and later: for dispatch, for bridges and for the plan. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf

from schemas.messages import Authority, Direction, HeldLimit
from schemas.site import Site
from schemas.site_grid import Grid


@dataclass(frozen=True)
class Bounds:
    """What holds at the grid connection, in W."""

    import_limit: float
    export_limit: float
    pv: float = inf
    """That PV may give."""
    draw: float = inf
    """That batteries may draw from the grid."""


def bounds(grid: Grid, held: Iterable[HeldLimit]) -> Bounds:
    """All of them together with the site file's. A limit only ever narrows."""
    least = {"consumption:connection_point": grid.import_limit, "feed_in:connection_point": grid.export_limit}
    for one in held:
        key = f"{one.direction}:{one.scope}"
        least[key] = min(least.get(key, inf), one.power)
    return Bounds(
        least["consumption:connection_point"], least["feed_in:connection_point"],
        least.get("feed_in:steerable", inf), least.get("consumption:steerable", inf),
    )  # fmt: skip


def narrowed(grid: Grid, bounds: Bounds, net: float | None = None) -> Grid:
    """The grid connection as it may be used. `net`: W it would carry without batteries; what those may draw is beside
    what the site takes itself."""
    draw = inf if bounds.draw == inf else bounds.draw + max(net or 0.0, 0.0)
    return grid.model_copy(update={"import_limit": min(bounds.import_limit, draw), "export_limit": bounds.export_limit})


def binding(grid: Grid, held: Iterable[HeldLimit], direction: Direction, net: float) -> HeldLimit | None:
    """The one that leaves the least in a direction; None where the site file's own limit is as narrow."""
    side = "import_limit" if direction == "consumption" else "export_limit"

    def leaves(one: HeldLimit) -> float:
        return float(getattr(narrowed(grid, bounds(grid, [one]), net), side))

    least = min((one for one in held if one.direction == direction), key=leaves, default=None)
    return least if least is not None and leaves(least) < getattr(grid, side) else None


# what is said anew, and what is safe --------------------------------------------------------------


def awaited(site: Site, direction: Direction) -> Authority:
    """Whose word a direction waits for while it is not known: what another one says is no news of that."""
    signals = [one.authority for one in site.grid.signal if one.direction == direction]
    may = {*site.command_sources.values(), *signals}
    return next((one for one in (Authority.DSO, Authority.PROTECTION) if one in may), Authority.OPERATOR)


def whole(site: Site, direction: Direction) -> float:
    """W that 100 % are."""
    if direction == "consumption":
        return site.grid.import_limit
    return sum(one.rated_power or 0.0 for one in site.pv) or site.rated_power


def safe(site: Site, direction: Direction) -> float | None:
    """W that the site file declares safe while nobody is heard; None where it declares nothing."""
    if direction == "consumption":
        return site.grid.safe_consumption
    return None if site.grid.safe_feed_in is None else whole(site, direction) * site.grid.safe_feed_in / 100


def said_anew(site: Site, direction: Direction, authority: Authority) -> bool:
    """Whether this authority's word is expected again and again: its end is none then, but the next word's due time."""
    return safe(site, direction) is not None and authority.rank <= awaited(site, direction).rank


def end(site: Site, one: HeldLimit) -> datetime | None:
    """When a limit is over by itself; None while nobody can tell."""
    if one.cause != "asked" or said_anew(site, one.direction, one.authority):
        return None
    return one.until


def holding(site: Site, held: Sequence[HeldLimit], at: datetime) -> list[HeldLimit]:
    """Those that still hold at a later time, as far as it is known now."""
    return [one for one in held if (over := end(site, one)) is None or at < over]


def in_words(one: HeldLimit) -> str:
    """For people."""
    what = {"feed_in": "feed-in", "consumption": "consumption"}[one.direction]
    whose = "" if one.scope == "connection_point" else " of the steerable devices"
    why = f": {one.reason}" if one.reason else ""
    return f"{what}{whose} at most {one.power / 1000:g} kW, by {one.source} as {one.authority}, {one.cause}{why}"
