"""The PV of the site on the desk of dispatch: how much of it may be fed in, and what each inverter is told. Pure: both
clocks are arguments.

What the site takes is told from the grid meter, the batteries and the PV together (`optimizer.net_load`): a meter that
is late, or an inverter that is slow, is no change of the load.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf

from consumers.dispatch.instruction import Instruction
from consumers.dispatch.moment import NO_SUN, Sun
from consumers.dispatch.pv_seen import LIMIT, PvSeen
from optimizer.curtail import Curtailment
from optimizer.curtail import Site as Around
from optimizer.dispatch import Wanted
from optimizer.site_load import SiteLoad
from optimizer.situation.heard import number
from schemas.messages import Authority, Outcome, Telemetry
from schemas.site import Site

AGE = 5.0
"""Seconds after which a reading says nothing of now."""
PV_DEAD_TIME = 6.0
"""Seconds from a limit that is sent until an inverter follows it, as long as that was not measured."""
LATEST_METER = 15.0
"""Seconds by which the grid meter may be late, as long as that was not measured: too long is slow for the first steps,
too short takes our own step for a load."""
LATELY = 25.0
"""Seconds after which the latest meter has shown the last step of PV."""


@dataclass(frozen=True)
class Batteries:
    """What the batteries do for the PV. In W."""

    takes: float = 0.0
    """That all of them charge with now; negative: they discharge."""
    room: float = 0.0
    """The most that they would charge with."""
    ahead: float = inf
    """What a billed peak leaves them to draw from the grid before it."""


@dataclass(frozen=True)
class FeedIn:
    """The limits of feed-in that hold now, in W, each with why."""

    export: float
    why: str
    most: float = inf
    """Of the PV itself, whatever the site takes."""


@dataclass
class PvDesk:
    """All inverters. By name."""

    site: Site
    seen: dict[str, PvSeen]
    load: SiteLoad
    """What the site takes beside PV inverters and batteries; the PV of hybrids, which nobody limits, is less load."""
    curtailment: Curtailment = field(default_factory=Curtailment)
    reason: str = ""
    """Why PV is curtailed, in words; empty while it is not."""
    told: dict[str, float] = field(default_factory=dict)
    """% that each is told now."""
    sent: dict[str, str] = field(default_factory=dict)
    """Which inverter each of the last commands was for, by id."""
    _grid: float = 0.0
    """W at the connection point, as it was read last."""
    _powers: dict[str, float] = field(default_factory=dict)
    _began: float | None = None
    _known: bool = False
    _lately: float = float("-inf")
    """When it was curtailed last."""
    _curtailed: bool = False
    """It was, in this run: from then on each inverter is told what it may give, also all of it."""

    @classmethod
    def of(cls, site: Site) -> "PvDesk":
        limited = {one.name for one in site.pv_limited}
        seen = {
            one.name: PvSeen(one, site.profiles[one.name].commands[LIMIT] if one.name in limited else None)
            for one in site.pv
        }
        rated = site.rated_power + sum(one.rated for one in seen.values())
        dead_time = max([PV_DEAD_TIME, *(one.dead_time + 1.0 for one in site.battery)])
        polls = [one.poll for one in site.device if one.name in seen or one.name in site.pcs]
        meter = site.named(site.grid.meter)
        ages = meter.stale_after(AGE), max([AGE, *(2.5 * p for p in polls)])
        load = SiteLoad(rated, dead_time, *ages, assumed=LATEST_METER, known_delay=meter.late)
        return cls(site, seen, load)

    @property
    def curtails(self) -> bool:
        """There is PV that can be limited, and the site file lets us."""
        return bool(self.site.pv_limited)

    # what is heard -------------------------------------------------------------------------------

    def hear(self, device: str, telemetry: Telemetry, mono: float) -> None:
        """A reading in time. What is not good changes nothing."""
        if not self.curtails:
            return
        if device == self.site.grid.meter:
            grid = number(telemetry, "p")
            if grid is not None:
                self.load.meter(mono, grid)
                self._grid = grid
            return
        power = number(telemetry, "p")
        if device in self.seen and self.seen[device].hear(telemetry, mono):
            self._powers[device] = self.seen[device].power
        elif device in self.site.pcs and power is not None:
            self._powers[device] = power
        else:
            return
        self._began = mono if self._began is None else self._began
        if len(self._powers) == len(self.seen) + len(self.site.pcs) or mono - self._began > AGE:
            self.load.battery(mono, sum(self._powers.values()))

    def hear_outcome(self, outcome: Outcome, mono: float) -> None:
        """The bridge says what became of a limit."""
        if outcome.id in self.sent:
            self.seen[self.sent[outcome.id]].hear_outcome(outcome, mono)

    def sends(self, name: str, inverter: str) -> None:
        """A limit goes out under this id."""
        self.sent[name] = inverter
        while len(self.sent) > 100 * len(self.seen):
            del self.sent[next(iter(self.sent))]

    def sun(self, mono: float) -> Sun:
        """What the batteries are told of the PV while it is curtailed, and as long as the meter may not show all of
        it."""
        load = self.load.value(mono)
        if load is None or mono - self._lately > LATELY:
            return NO_SUN
        return Sun(load - sum(one.power for one in self.seen.values()), self.curtailment.spare)

    # what is sent --------------------------------------------------------------------------------

    def instruct(
        self, feed_in: FeedIn, batteries: Batteries, powers: Mapping[str, float], mono: float
    ) -> dict[str, Instruction]:
        """The limit of each inverter. `powers`: W that the batteries are told, by PCS."""
        self.told, self.reason = {}, ""
        if not self.curtails:
            return {}
        inverters = [one.look(mono) for one in self.seen.values()]
        load, mine = self.load.value(mono), [one for one in self.seen.values() if one.command and not one.silent(mono)]
        if load is None and not self._known:
            return {}
        for one in mine:
            one.settle(mono)
        if load is None:
            safe = self.site.pv_safe(feed_in.export, feed_in.most)
            levels = self.curtailment.blind(inverters, safe / 100, mono)
        else:
            self._begin(mine)
            takes, room, ahead = batteries.takes, batteries.room, batteries.ahead
            around = Around(load, self._grid, feed_in.export, takes, room, feed_in.most, ahead)
            before = self.curtailment.level
            levels = self.curtailment.next(inverters, around, mono)
            if not mine:  # nobody hears it: it comes back from where they stand
                self.curtailment.level = min(before, self.curtailment.level)
        if min(levels.values(), default=1.0) < 1.0:
            self._curtailed, self._lately = True, mono
            self.reason = f"PV is curtailed to {100 * min(levels.values()):.0f} %, {feed_in.why}: "
            self.reason += self.curtailment.reason
            if load is not None and len(self.site.pv_points) > len(self.site.pv):
                self.reason += ", less what the PV of hybrids gives"
        needed = self._curtailed or self.site.pv_safe(feed_in.export, feed_in.most) < 100.0
        if not needed:  # its registers are left as they are
            return {}
        self.told = {one.device.name: one.tell(levels.get(one.device.name, 1.0), mono) for one in mine}
        self.curtailment.level = min(self.curtailment.level, max((one.reach for one in mine), default=1.0))
        self._expect(powers, mono)
        why = self.reason or f"PV may give all of it, {feed_in.why}"
        return {
            name: Instruction(Wanted(percent, why[:500], Authority.SELF_CONSUMPTION), point=LIMIT)
            for name, percent in self.told.items()
        }

    def _begin(self, mine: list[PvSeen]) -> None:
        """A new run goes on from where the inverters stand."""
        if not self._known:
            found = [one.found for one in mine if one.found is not None]
            self.curtailment.level = max(0.0, min(1.0, min(found, default=100.0) / 100))
        self._known = True

    def _expect(self, powers: Mapping[str, float], mono: float) -> None:
        """Where PV and batteries are going together."""
        pv = 0.0
        for one in self.seen.values():
            most = self.told.get(one.device.name, 100.0) / 100 * one.rated
            held = one.power >= most - 0.02 * one.rated
            pv += most if held else min(one.power, most)
        batteries = sum(powers.get(pcs, self._powers.get(pcs, 0.0)) for pcs in self.site.pcs)
        self.load.told(mono, pv + batteries)

    def complaints(self, mono: float) -> list[str]:
        """Which inverters do not do as they are told, and why."""
        found = []
        for name, one in self.seen.items():
            if one.command is None or one.silent(mono):
                continue
            words = one.complains(mono) or ("" if one.look(mono).obeys else "gives more than its limit")
            found += [f"{name}: {words}"] if words else []
        return found
