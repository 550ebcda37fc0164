"""How much PV may be fed while the export is limited: the batteries take first, PV is curtailed for the rest. Pure.

All inverters stand at one level, a share of their rated power, so that each gives up in proportion. The level follows
what the site takes. It goes down at once, and up along a ramp. A curtailed PV hides the surplus that a battery could
store. So the batteries go ahead: they charge with a little more than is there, and PV follows what they take. What one
does not take is then never fed in, and the meter, that may be late, is not waited for.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

DEADBAND, FINE = 0.01, 0.0015
"""Of the rated PV power: a smaller change of the level is not worth a write; of one that has stood for a while the
second."""
STOOD = 20.0
"""Seconds, of that."""
MARGIN, LEAST = 0.005, 0.1
"""Of the rated PV power: so far below the limit is aimed at, or the dead band would feed in for ever. Of what the site
takes, at most: a load that is small beside the PV is no reason to import all of it."""
TOO_MUCH = 0.0025
"""The same, beyond the limit: then a smaller change is worth it, too."""
TOLERANCE = 0.01
"""The same: more export than this is beyond the limit."""
RAMP = 0.01
"""Of the rated power per second: 10 % in 10 s upward."""
AHEAD = 0.1
"""Of the rated power: what the batteries take before PV gives it, at most. Along the ramp an inverter that follows
after 8 s has it made up by the time they go on."""
FIRST = 0.0125
"""Of the rated power: what PV gives before the batteries take it, where a billed peak leaves those nothing to go ahead
with. One that leaves it is found out: it is more than TOLERANCE."""
PATIENCE = 3.9
"""Seconds a battery may take to store a surplus: two commands. Then PV is curtailed without it."""
AGAIN, LONGEST_AGAIN = 60.0, 960.0
"""Seconds until such a battery is counted on again, where it does not show before that it stores: doubled each time."""
HEADROOM = 0.1
"""Of the rated power: an inverter that has less sun than it may use can gain so much before it is told anew."""
FREE, FOLLOWS = 0.02, 10.0
"""Of the rated power: nearer to its limit it is the limit that holds it, and not the sun. The limit is the lowest of so
many seconds: it may follow late."""
LITTLE = 0.5
"""Of its limit, at least: or one without any sun would be held by a limit of 1 %, all night."""


@dataclass(frozen=True, slots=True)
class Inverter:
    """A PV inverter. Powers in W."""

    name: str
    rated: float
    power: float
    obeys: bool = True
    """It can be limited, and does as it is told. What another one gives is subtracted from the share of the rest."""


@dataclass(frozen=True, slots=True)
class Site:
    """What the site makes of PV at this moment. Powers in W."""

    load: float
    """Taken beside PV and batteries."""
    grid: float
    """At the connection point, positive importing, as the meter shows it, however late."""
    export_limit: float
    """That holds now."""
    takes: float
    """What the batteries charge with, negative discharging."""
    room: float
    """The most they could charge with."""
    most: float = inf
    """That PV may give, whatever the site takes: a limit of the PV itself."""
    ahead: float = inf
    """The most that the batteries may draw from the grid to go ahead of PV. Less than TOLERANCE: PV goes first."""


@dataclass
class Curtailment:
    """What is remembered from one command to the next. Times of the monotonic clock."""

    level: float = 1.0
    """Share of its rated power that each inverter may give."""
    trusted: float = float("-inf")
    """From then on the batteries are counted on again."""
    reason: str = ""
    """In words; empty while nothing is curtailed."""
    spare: float | None = None
    """W that PV would give beyond what it gives now if the batteries took it, as far as they are to go ahead. None: it
    is not the limit of what the site takes that holds the PV."""
    _again: float = AGAIN
    _beyond: float | None = None
    """Since when the batteries leave a surplus."""
    _left: float = 0.0
    """W that they took when they were not counted on any more."""
    _moved: float = float("-inf")
    """When the level was changed last."""
    _told: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=100))
    """When the inverters were told which level."""

    def next(self, inverters: Sequence[Inverter], site: Site, now: float) -> dict[str, float]:
        """The share of its rated power that each inverter that obeys, or should, may give, 0 to 1."""
        rated, gives = sum(one.rated for one in inverters) or 1.0, sum(one.power for one in inverters)
        self._weigh_batteries(site, rated, gives, now)
        taken = site.load + site.export_limit
        margin = min(MARGIN * rated, LEAST * max(taken, 0.0)) if site.export_limit < rated else 0.0
        taken -= margin
        first = margin + FIRST * rated if now >= self.trusted and site.ahead < TOLERANCE * rated else 0.0
        sure = min(taken + min(site.takes + first, site.room), site.most)
        could = min(taken + site.room, site.most)
        held = any(one.obeys and self._is_held(one, now) for one in inverters)
        wanted = self._level(inverters, max(could, sure) if now >= self.trusted else sure, now)
        if wanted < self.level - DEADBAND or (wanted < self.level and self._exceeds(site, rated)):
            self.level, self._moved = wanted, now
        else:
            along = min(wanted, self.level + RAMP * self._seconds(now))
            self._raise(min(along, self._level(inverters, sure, now)) if held else along, now)
        holds = held and self.level < 1.0 and gives < site.most - TOLERANCE * rated
        self.spare = max(0.0, min(AHEAD * rated, could - gives)) if holds else None
        self.reason = "" if self.level >= 1.0 else _reason(site, rated)
        return self._tell(inverters, now)

    def blind(self, inverters: Sequence[Inverter], safe: float, now: float) -> dict[str, float]:
        """The meter is silent, or what the site takes is not known: never more than what is safe without it."""
        self.level, self._beyond, self.spare = min(self.level, safe), None, None
        self.reason = "" if self.level >= 1.0 else "the grid meter is silent: no more than what is safe without a load"
        return self._tell(inverters, now)

    def _tell(self, inverters: Sequence[Inverter], now: float) -> dict[str, float]:
        self._told.append((now, self.level))
        return {one.name: self.level for one in inverters}

    def _seconds(self, now: float) -> float:
        """That the ramp may use now."""
        return min(now - self._told[-1][0], 4.0) if self._told else 0.0

    def _exceeds(self, site: Site, rated: float) -> bool:
        return -site.grid > site.export_limit + TOO_MUCH * rated

    def _weigh_batteries(self, site: Site, rated: float, gives: float, now: float) -> None:
        """Those that leave a surplus they have room for are not counted on, for a while or until they take more. The
        meter is not asked: it may be late."""
        fed, enough = gives - site.load - site.takes, TOLERANCE * rated
        if now < self.trusted:
            self.trusted = now if site.takes > self._left + enough else self.trusted
        elif fed > site.export_limit + enough and site.room - site.takes > enough:
            self._beyond = now if self._beyond is None else self._beyond
            if now - self._beyond >= PATIENCE:
                self.trusted, self._left, self._beyond = now + self._again, site.takes, None
                self._again = min(2 * self._again, LONGEST_AGAIN)
            return
        elif site.takes > enough and now > self.trusted + PATIENCE:
            self._again = AGAIN  # it was tried again, and stores
        self._beyond = None

    def _raise(self, level: float, now: float) -> None:
        least = FINE if now - self._moved > STOOD else DEADBAND
        if level > self.level + least or level == 1.0:
            self.level, self._moved = max(self.level, level), now

    def _level(self, inverters: Sequence[Inverter], allowed: float, now: float) -> float:
        """At which level all of them give what is allowed: those with little sun leave the rest to the others."""
        mine = [one for one in inverters if one.obeys]
        left = max(0.0, allowed - sum(one.power for one in inverters if not one.obeys))
        most = {one.name: self._could(one, now) for one in mine}
        if not mine or sum(most.values()) <= left:
            return 1.0
        filled = sorted(mine, key=lambda one: (most[one.name] / one.rated, one.name))
        rated = sum(one.rated for one in mine)
        for one in filled:
            if left <= most[one.name] / one.rated * rated:
                return left / rated
            left -= most[one.name]
            rated -= one.rated
        return 1.0

    def _could(self, one: Inverter, now: float) -> float:
        """W that it gives at most until it is told anew: all of it, where only its limit holds it."""
        return one.rated if self._is_held(one, now) else min(one.rated, one.power + HEADROOM * one.rated)

    def _is_held(self, one: Inverter, now: float) -> bool:
        """By its limit, as it was told it lately."""
        lately = [level for at, level in self._told if now - at <= FOLLOWS]
        least = min(lately, default=self.level)
        return one.power >= max(least - FREE, LITTLE * least) * one.rated


def _reason(site: Site, rated: float) -> str:
    if site.most < site.load + site.export_limit + site.takes:
        return f"PV may give {site.most / 1000:.1f} kW"
    beside = f", the batteries {site.takes / 1000:.1f} kW" if site.takes > TOLERANCE * rated else ""
    return (
        f"{site.export_limit / 1000:.1f} kW may be fed in, the site takes {max(site.load, 0.0) / 1000:.1f} kW{beside}"
    )
