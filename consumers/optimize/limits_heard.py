"""The limits of the grid connection as dispatch says them, for the plan: what holds now, and until when. Pure: both
clocks are arguments.

What was said last holds, whether dispatch lives or not, but for its end: as the bridges do. Where the site file says
what is safe while nobody is heard, dispatch says its word again and again: when it is silent for `dso_hold`, the safe
limit narrows the last word.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import get_args

from optimizer.grid_bounds import bounds, end, holding, safe
from schemas.messages import Authority, ControlLimits, Direction, HeldLimit
from schemas.site import Site

WITHHELD = 30.0
"""Seconds from dispatch's mode to its limits at most: it says both when it starts, and the broker keeps both."""


@dataclass
class LimitsHeard:
    """Of one site."""

    site: Site
    heard: float | None = None
    """On the monotonic clock, when dispatch has said anything new, or this service began to listen."""
    said: ControlLimits | None = None
    moded: float | None = None
    """On the monotonic clock, when a mode of dispatch was first heard."""

    def withheld(self, mono: float) -> str:
        """Why no limit is heard although dispatch is: mosquitto grants the subscription and keeps the word back. Empty
        when one is heard, or nobody can say."""
        if self.said is not None or self.moded is None or mono - self.moded < WITHHELD:
            return ""
        return (
            "the plan does not know the limits of the grid connection: dispatch's mode is heard and its "
            "control/limits is not; the broker's access list is older than this program: put the shipped "
            "mosquitto/acl in its place and reload the broker"
        )

    def hear(self, said: ControlLimits | None, now: datetime, mono: float, *, retained: bool = False) -> None:
        """The next word. None is none: the broker was cleared, or it could not be read. A retained one is as old as it
        says."""
        if said is None or said == self.said:
            return
        self.heard = mono - (max(0.0, (now - said.at).total_seconds()) if retained else 0.0)
        self.said = said

    def held(self, now: datetime, mono: float) -> list[HeldLimit]:
        """What narrows the site file's limits now."""
        said = self.said
        known = [] if said is None else [*said.held, *_unnamed(self.site, said)]
        return [*holding(self.site, known, now), *self._silent(now, mono)]

    def _silent(self, now: datetime, mono: float) -> list[HeldLimit]:
        self.heard = mono if self.heard is None else self.heard
        if (silent := mono - self.heard) < self.site.grid.dso_hold:
            return []
        since = now - timedelta(seconds=silent)
        words = "dispatch is silent, and nobody knows what is wanted"
        declared = {direction: safe(self.site, direction) for direction in get_args(Direction)}
        return [_nobodys(direction, size, since, words) for direction, size in declared.items() if size is not None]


def _unnamed(site: Site, said: ControlLimits) -> list[HeldLimit]:
    """Where the sums of a word are narrower than what it says of each authority: they hold, too."""
    known = bounds(site.grid, said.held)
    sums: tuple[tuple[Direction, float, float], ...] = (
        ("consumption", said.import_limit, known.import_limit),
        ("feed_in", said.export_limit, known.export_limit),
    )
    return [_nobodys(direction, size, said.at, "") for direction, size, named in sums if size < named]


def _nobodys(direction: Direction, power: float, since: datetime, reason: str) -> HeldLimit:
    return HeldLimit(
        direction=direction, scope="connection_point", power=max(0.0, power), authority=Authority.DSO, source="site",
        since=since, cause="safe", reason=reason,
    )  # fmt: skip


Shape = list[tuple[object, ...]]


def shape(site: Site, held: list[HeldLimit], now: datetime) -> Shape:
    """What a plan depends on: a limit that is over by now was foreseen."""
    holds = holding(site, held, now)
    return sorted((one.direction, one.scope, one.power, one.source, str(end(site, one) or "")) for one in holds)
