"""The quarter hour that runs now: the net load and the battery's power in it so far, and what is expected of the rest.

A policy of a plan is a function of the mean net load of a quarter hour. While it runs that mean is what was seen of it,
and for the rest the present load: smoothed, so that a motor that starts is no news of the next ten minutes. Pure.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import exp

LENGTH = 900.0
"""Seconds, on the clock. All zones' offsets are whole quarters of an hour."""
SMOOTH = 60.0
"""Seconds of the smoothing (a low pass of first order). A lift or a compressor starts within ten seconds; a load that
stays is believed to two thirds after a minute, and what was missed until then the integral of the window makes up."""
BELIEVED = 10.0
"""Seconds a reading may stand for; a longer silence was not seen. Decisions come each 2 s."""


@dataclass(frozen=True)
class RunningQuarter:
    """Folded from what each decision saw. Powers in W, energies in Wh."""

    at: datetime | None = None
    """Of the last one."""
    net: float = 0.0
    """The load less PV then."""
    battery: float = 0.0
    """What the battery gave then."""
    smooth: float = 0.0
    """The net load, smoothed: what is expected of the rest."""
    seen: float = 0.0
    """Seconds of this quarter hour that were seen."""
    net_energy: float = 0.0
    battery_energy: float = 0.0

    def fold(self, at: datetime, net: float, battery: float) -> "RunningQuarter":
        """The next moment. One that is not newer changes nothing, unless the clock was set back: then it begins
        anew."""
        if self.at is None:
            return RunningQuarter(at, net, battery, net)
        past = (at - self.at).total_seconds()
        if past <= 0:
            return self if past > -BELIEVED else RunningQuarter(at, net, battery, net)
        same = start(at) == start(self.at)
        now = self if same else replace(self, seen=0.0, net_energy=0.0, battery_energy=0.0)
        # of a reading from before this quarter hour only what reaches into it
        stood = min(past, BELIEVED) if same else min(max(0.0, BELIEVED - past + elapsed(at)), elapsed(at))
        smooth = net + (self.smooth - net) * exp(-past / SMOOTH)
        return RunningQuarter(
            at,
            net,
            battery,
            smooth,
            now.seen + stood,
            now.net_energy + self.net * stood / 3600,
            now.battery_energy + self.battery * stood / 3600,
        )

    def expected(self, now: datetime) -> float:
        """W: the mean net load of the quarter hour of `now`, as it is expected at its end. What was not seen of it is
        taken to be like what was."""
        if self.at is None or start(self.at) != start(now) or self.seen <= 0:
            return self.smooth
        past = elapsed(now)
        return (self.net_energy * 3600 / self.seen * past + self.smooth * (LENGTH - past)) / LENGTH

    def missing(self, now: datetime, power: float) -> float:
        """Wh that the battery gave less in the part that was seen than `power` in W all along."""
        if self.at is None or start(self.at) != start(now):
            return 0.0
        return power * self.seen / 3600 - self.battery_energy


def start(at: datetime) -> datetime:
    """Of the quarter hour."""
    return datetime.fromtimestamp(at.timestamp() // LENGTH * LENGTH, UTC)


def elapsed(at: datetime) -> float:
    """Seconds of the quarter hour."""
    return at.timestamp() % LENGTH
