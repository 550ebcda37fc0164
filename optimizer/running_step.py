"""The step of the plan that runs now: the net load and the battery's power in it so far, and what the rest may bring.

A policy is a function of the mean net load of its step. While that runs the mean is what was seen of it, and for the
rest the present load: smoothed, so that a motor that starts is no news of the next ten minutes. Pure.
"""

from dataclasses import dataclass
from datetime import datetime
from math import exp

from schemas.messages import Step

SMOOTH = 60.0
"""Seconds of the smoothing (a low pass of first order). A lift or a compressor starts within ten seconds; a load that
stays is believed to two thirds after a minute, and what was missed until then the integral of the window makes up."""
QUICK = 10.0
"""Seconds of the smoothing where all of the battery is needed: a motor that starts passes even then."""
BELIEVED = 10.0
"""Seconds a reading may stand for; a longer silence was not seen. Decisions come each 2 s."""


@dataclass(frozen=True)
class RunningStep:
    """Folded from what each decision saw. Powers in W, energies in Wh."""

    at: datetime | None = None
    """Of the last decision."""
    net: float = 0.0
    """The load less PV then."""
    battery: float = 0.0
    """What the battery gave then."""
    smooth: float = 0.0
    """The net load, smoothed: what is expected of the rest."""
    quick: float = 0.0
    """The same of the last seconds."""
    begin: datetime | None = None
    """Of the step; None without a plan."""
    before: float = 0.0
    """Wh imported in the billing window before the step began."""
    seen: float = 0.0
    """Seconds of it that were seen."""
    net_energy: float = 0.0
    battery_energy: float = 0.0

    def fold(self, at: datetime, net: float, battery: float, step: Step | None, imported: float) -> "RunningStep":
        """The next decision, by a step; `imported`: Wh in the billing window so far. One that is not newer changes
        nothing, unless the clock was set back: then it begins anew. A new plan begins a new step, also in the middle of
        a quarter hour: it knows what was before."""
        begin, before = None if step is None else step.at, 0.0
        if step is not None:
            before = max(0.0, imported - max(net - battery, 0.0) * elapsed(at, step) / 3600)
        past = 0.0 if self.at is None else (at - self.at).total_seconds()
        if self.at is None or past <= -BELIEVED:
            return RunningStep(at, net, battery, net, net, begin, before)
        if past <= 0:
            return self
        smooth = net + (self.smooth - net) * exp(-past / SMOOTH)
        quick = net + (self.quick - net) * exp(-past / QUICK)
        if begin != self.begin:
            return RunningStep(at, net, battery, smooth, quick, begin, before)
        stood = min(past, BELIEVED)
        seen, hours = self.seen + stood, stood / 3600
        energies = self.net_energy + self.net * hours, self.battery_energy + self.battery * hours
        return RunningStep(at, net, battery, smooth, quick, begin, self.before, seen, *energies)

    def expected(self, now: datetime, step: Step) -> float:
        """W: the mean net load of the step, as it is expected at its end. What was not seen of it is taken to be like
        what was."""
        if self.begin != step.at or self.seen <= 0:
            return self.smooth
        share = elapsed(now, step) / step.seconds
        return self.net_energy * 3600 / self.seen * share + self.smooth * (1.0 - share)

    def missing(self, step: Step, power: float) -> float:
        """Wh that the battery gave less in the part that was seen than `power` in W all along."""
        return power * self.seen / 3600 - self.battery_energy if self.begin == step.at else 0.0


def elapsed(now: datetime, step: Step) -> float:
    """Seconds of a step."""
    return min(max(0.0, (now - step.at).total_seconds()), step.seconds)
