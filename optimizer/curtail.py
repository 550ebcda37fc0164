"""How much PV may be fed while the export is limited: the batteries take first, PV is curtailed for the rest. Pure.

All inverters stand at one level, a share of their rated power, so that each gives up in proportion. The level follows
what the site takes. It goes down at once, and up along a ramp. A curtailed PV hides the surplus that a battery could
store, and only a higher level shows it: that is tried in small steps, each after the last one was taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import inf

DEADBAND = 0.01
"""Of the rated PV power: a smaller change of the level is not worth a write."""
MARGIN = 0.005
"""Of the rated PV power: so far below the limit is aimed at, or the dead band would feed in for ever."""
TOO_MUCH = 0.0025
"""The same, beyond the limit: then a smaller change is worth it, too."""
TOLERANCE = 0.01
"""The same: more export than this is beyond the limit."""
RAMP = 0.01
"""Of the rated power per second: 10 % in 10 s upward."""
STEP, SETTLES = 0.0075, 6.0
"""Of the rated power, and seconds, beside twice the delay of the meter: a battery has taken one step before the next
one is made. Together with the margin a step stays within the tolerance, whoever takes it."""
LONGEST_STEP, PROMPT = 0.03, 1.0
"""Of the rated power: each step that was taken may be followed by one of twice its size, up to this, where the meter is
late by less than so many seconds."""
PATIENCE = 3.9
"""Seconds, beside the delay of the meter, a battery may take to store a surplus: two commands. Then PV is curtailed
without it."""
AGAIN, LONGEST_AGAIN = 60.0, 960.0
"""Seconds until such a battery is tried again: doubled each time."""
HEADROOM = 0.1
"""Of the rated power: an inverter that has less sun than it may use can gain so much before it is told anew."""
FREE = 0.02
"""Of the rated power: nearer to its limit it is the limit that holds it, and not the sun."""


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
    """At the connection point, positive importing."""
    export_limit: float
    """That holds now."""
    takes: float
    """What the batteries charge with, negative discharging."""
    room: float
    """The most they could charge with."""
    most: float = inf
    """That PV may give, whatever the site takes: a limit of the PV itself."""
    delay: float = 0.0
    """Seconds by which the grid meter is late, as far as that was measured."""
    measured: bool = True
    """It was; else the meter is not taken for a prompt one."""


@dataclass
class Curtailment:
    """What is remembered from one command to the next. Times of the monotonic clock."""

    level: float = 1.0
    """Share of its rated power that each inverter may give."""
    trusted: float = float("-inf")
    """From then on the batteries are counted on again."""
    reason: str = ""
    """In words; empty while nothing is curtailed."""
    _again: float = AGAIN
    _beyond: float | None = None
    """Since when the batteries leave a surplus."""
    _at: float | None = None
    _raised: float = float("-inf")
    """When the level was last raised into what only a battery takes."""
    _step: float = STEP
    _limits: dict[str, float] = field(default_factory=dict)

    def next(self, inverters: Sequence[Inverter], site: Site, now: float) -> dict[str, float]:
        """The share of its rated power that each inverter that obeys, or should, may give, 0 to 1."""
        rated = sum(one.rated for one in inverters) or 1.0
        self._weigh_batteries(site, rated, now)
        margin = MARGIN * rated if site.export_limit < rated else 0.0
        taken = site.load + site.export_limit - margin
        sure = min(taken + min(site.takes, site.room), site.most)
        hoped = min(taken + site.room, site.most) if now >= self.trusted else sure
        wanted = self._level(inverters, max(hoped, sure))
        if wanted < self.level - DEADBAND or (wanted < self.level and self._exceeds(site, rated)):
            self.level, self._step = wanted, STEP
        elif wanted > self.level + DEADBAND or wanted == 1.0:
            self.level = max(self.level, self._raised_to(wanted, self._level(inverters, sure), site, rated, now))
        self._at = now
        self.reason = "" if self.level >= 1.0 else _reason(site, rated)
        self._limits = {one.name: self.level for one in inverters}
        return dict(self._limits)

    def blind(self, inverters: Sequence[Inverter], safe: float, now: float) -> dict[str, float]:
        """The meter is silent, or what the site takes is not known: never more than what is safe without it."""
        self.level, self._at, self._beyond = min(self.level, safe), now, None
        self.reason = "" if self.level >= 1.0 else "the grid meter is silent: no more than what is safe without a load"
        self._limits = {one.name: self.level for one in inverters}
        return dict(self._limits)

    def _exceeds(self, site: Site, rated: float) -> bool:
        return -site.grid > site.export_limit + TOO_MUCH * rated

    def _weigh_batteries(self, site: Site, rated: float, now: float) -> None:
        """One that leaves the surplus it has room for is not counted on for a while."""
        leaves = self._exceeds(site, rated) and site.room - site.takes > TOLERANCE * rated
        if not leaves or now < self.trusted:
            self._beyond = None
            if site.takes > TOLERANCE * rated and now > self.trusted + PATIENCE:
                self._again = AGAIN  # it was tried again, and stores
            return
        self._beyond = now if self._beyond is None else self._beyond
        if now - self._beyond >= PATIENCE + site.delay:
            self.trusted, self._beyond = now + self._again, None
            self._again = min(2 * self._again, LONGEST_AGAIN)

    def _raised_to(self, wanted: float, sure: float, site: Site, rated: float, now: float) -> float:
        """Along the ramp as far as the site takes it for sure; beyond that in steps that a battery must take first."""
        seconds = 0.0 if self._at is None else min(now - self._at, 4.0)
        along = min(wanted, self.level + RAMP * seconds)
        if along <= sure:
            return along
        if self._exceeds(site, rated) or now - self._raised < SETTLES + 2 * site.delay:
            return min(along, max(self.level, sure))
        prompt, self._raised = site.measured and site.delay < PROMPT, now
        step = self._step if prompt else STEP  # it was found late only after the last one
        self._step = min(2 * step, LONGEST_STEP) if prompt else STEP
        return min(wanted, self.level + step)

    def _level(self, inverters: Sequence[Inverter], allowed: float) -> float:
        """At which level all of them give what is allowed: those with little sun leave the rest to the others."""
        mine = [one for one in inverters if one.obeys]
        left = max(0.0, allowed - sum(one.power for one in inverters if not one.obeys))
        most = {one.name: self._could(one) for one in mine}
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

    def _could(self, one: Inverter) -> float:
        """W that it gives at most until it is told anew: all of it, where only its limit holds it."""
        limit = self._limits.get(one.name, 1.0)
        sunny = one.power >= (limit - FREE) * one.rated
        return one.rated if sunny else min(one.rated, one.power + HEADROOM * one.rated)


def _reason(site: Site, rated: float) -> str:
    if site.most < site.load + site.export_limit + site.takes:
        return f"PV may give {site.most / 1000:.1f} kW"
    beside = f", the batteries {site.takes / 1000:.1f} kW" if site.takes > TOLERANCE * rated else ""
    return (
        f"{site.export_limit / 1000:.1f} kW may be fed in, the site takes {max(site.load, 0.0) / 1000:.1f} kW{beside}"
    )
