"""The grid connection of a site as the control of its batteries shares it: one net load, and trust in its meter."""

import logging
from dataclasses import dataclass, field

from bridges.control.meter_polarity import MeterPolarity, Reading
from bridges.control.meter_trial import Loop, MeterTrial, Seen
from bridges.control.site_limits import SiteLimits
from bridges.control.swing import SwingWatch
from bridges.telemetry.latest_values import LatestValues, lasts
from optimizer.shared_load import Beside, Member, SharedLoad
from optimizer.site_load import AGE, SiteLoad
from schemas.messages import Cause
from schemas.site import Site

log = logging.getLogger("bridge")

SHORTEST_DEAD_TIME = 5.0
"""Seconds: the dead time of several batteries is measured of all together, and one may be slower than the others."""
SETTLES = 5.0
"""Seconds, beside two dead times, in which the batteries follow another wish: one may have to wait for the other."""


@dataclass
class GridConnection:
    """Powers in W, times of the monotonic clock. Batteries by the names of their PCS."""

    site: Site
    latest: LatestValues
    limits: SiteLimits | None = None
    """Narrower ones than the site file's, as dispatch says them."""
    distrust: dict[Cause, str] = field(default_factory=dict)
    """Why no loop is closed over the meter; in words."""

    def __post_init__(self) -> None:
        self.bounds = self.limits or SiteLimits(self.site)
        rated = self.site.rated_power
        self.meter = self.site.named(self.site.grid.meter)
        slowest = max((self.site.named(pcs).poll for pcs in self.site.pcs), default=0.0)
        dead_time = max((one.dead_time for one in self.site.battery), default=0.0)
        self._fallbacks = {one.pcs: one.fallback for one in self.site.units}
        several = len(self._fallbacks) > 1  # the sum follows as soon as the fastest does, and not before the slowest
        least = max(SHORTEST_DEAD_TIME, dead_time) if several else 0.0
        ages = lasts(self.meter.poll, AGE), lasts(slowest, AGE)
        load = SiteLoad(rated, dead_time, *ages, least=least, known_delay=self.meter.late)
        self.shared = SharedLoad(load)
        self.polarity = MeterPolarity(rated, load.shows)
        self.trial = MeterTrial(rated, self.site.grid)
        self.swing = SwingWatch(rated)
        self.loops: dict[str, Loop] = {}
        """Which one moves each battery that may be tried."""
        self._positions: dict[str, float] = {}
        self._wishes: dict[str, float] = {}
        self._asked = float("-inf")
        self._meter = float("-inf")

    # what is read ------------------------------------------------------------------------------

    def follow(self, now: float) -> None:
        """Take what was read since the last time, the batteries first."""
        for pcs in self._fallbacks:
            self._expect(pcs, now)
            began, power = self._newest(pcs, now)
            if power is not None:
                self.shared.read(pcs, began, power)
        self._gather()
        began, grid = self._newest(self.meter.name, now)
        load = self.shared.load
        if grid is not None and began > self._meter and load.net.shown is not None:
            self._meter = began
            self.shared.meter(began, grid)
            self.polarity.shows = load.shows
            self.polarity.meter(began, grid)
            self._try(now, (began, grid))

    def _try(self, now: float, shown: Reading) -> None:
        """Does a step of ours have to show which way round the meter is?"""
        if self.distrust:
            return
        members = {pcs: self.shared.members[pcs] for pcs, loop in self.loops.items() if loop is not Loop.OPEN}
        powers = {pcs: one.shown[1] for pcs, one in members.items() if one.shown and not one.silent(now)}
        seen = Seen(self.polarity.stands, shown, self.polarity.shows, self.polarity.confirmed)
        self.trial.look(now, seen, self.loops.values(), powers)

    def _gather(self) -> None:
        if (total := self.shared.gather()) is not None:
            self.polarity.battery(*total)

    def _expect(self, pcs: str, now: float) -> None:
        if pcs not in self.shared.members:
            device = self.site.named(pcs)
            self.shared.members[pcs] = Member(device.rated_power or 0.0, device.poll, self._fallbacks[pcs], now)

    def _newest(self, device: str, now: float) -> tuple[float, float | None]:
        return self.latest.began(device, "p"), self.latest.number(device, "p", now, float("inf"))

    def glance(self, pcs: str, at: float, power: float) -> None:
        """A PCS was looked at between two readings."""
        self._expect(pcs, at)
        self.shared.read(pcs, at, power)
        self._gather()

    def shown(self, pcs: str) -> tuple[float, float] | None:
        """The last reading of a PCS."""
        one = self.shared.members.get(pcs)
        return None if one is None else one.shown

    def reach(self, pcs: str, now: float, silent: float) -> tuple[float, float]:
        """W between which a PCS is, at least and at most: what it was seen at, and, while it has said nothing for so
        long, what it was told last, too."""
        one = self.shared.members.get(pcs)
        if one is None or one.shown is None:
            return 0.0, 0.0
        at, power = one.shown
        powers = [power, *([one.told[-1][1]] if one.told and now - at > silent else [])]
        return min(powers), max(powers)

    @property
    def dead_time(self) -> float:
        """Seconds by which no battery is later than what it was told."""
        return self.shared.load.net.dead_time

    def net(self, now: float) -> float | None:
        """W that the grid would carry if all batteries rested; None while the meter or all of them are silent."""
        return self.shared.net(now)

    def beside(self, pcs: str, now: float) -> Beside:
        """What the other batteries do."""
        return self.shared.beside(pcs, now)

    # what is told ------------------------------------------------------------------------------

    def claims(self, pcs: str, now: float, power: float | None) -> None:
        """It was decided what a battery is told now; the next one that is decided counts with it."""
        self._expect(pcs, now)
        self.shared.claims(pcs, now, power)

    def told(self, pcs: str, now: float, power: float) -> None:
        """A setpoint was written."""
        self._expect(pcs, now)
        total = self.shared.told(pcs, now, power)
        if not self.trial.on:  # which looks at its own steps
            self.polarity.told(total)

    # trust -------------------------------------------------------------------------------------

    def decided(self, pcs: str, now: float, position: float, *, closed: bool, wish: float | None) -> None:
        """Where the ramp of a battery stands: does the sum of all swing? `wish`: what somebody wants of it who
        closes no loop over the meter."""
        if wish is not None and wish != self._wishes.get(pcs):
            self._wishes[pcs], self._asked = wish, now
        self._positions[pcs] = position
        # one that waits for another is no swing, nor is a trial
        settled = now - max(self._asked, self.trial.moved) > 2 * self.dead_time + SETTLES
        total, alone = sum(self._positions.values()), self.shared.load.alone
        if why := self.swing.see(now, total, closed=closed and settled, alone=alone):
            self._lose(Cause.SWINGING, why)

    def watch(self) -> None:
        """Does the meter show the steps of the batteries?"""
        if why := self.polarity.suspicion or self.trial.suspicion:
            self._lose(Cause.METER_POLARITY, f"{self.meter.name}: {why}")

    def trust(self) -> None:
        """A named person says that the meter is right now."""
        self.distrust.clear()
        self.polarity.forget()
        self.trial.forget()
        self.swing.forget()
        self.shared.forget()

    def _lose(self, cause: Cause, words: str) -> None:
        if cause not in self.distrust:
            self.distrust[cause] = words
            self.trial.forget()
            log.error("%s: no loop is closed any more, %s: %s", self.meter.name, cause.value, words)
