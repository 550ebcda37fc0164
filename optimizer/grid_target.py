"""What a plan's policy asks of the battery now: a mean of the grid over the running step, not a power. Pure.

n is the mean net load of the step as it is expected, b = policy(n) what the battery is to give in the mean, and n - b
the grid's target. Where the target is about 0, or one sign of the load is covered or stored whole, the battery follows
the measured load second by second: an error of n buys and sells nothing. Where the grid may carry a part, the battery
gives b, and what it gave less or more so far is made up for. Only the mean of a billing window costs: a short peak
passes, as long as the battery could still make up for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from optimizer.running_step import RunningStep, elapsed
from optimizer.running_window import RunningWindow
from optimizer.stored_worth import Worth
from schemas.messages import Step

SMALL = 50.0
"""W: less is nothing."""
ABOUT = 0.005
"""Of the rated power: the table of a policy is no more exact."""
PATIENCE = 300.0
"""Seconds over which the battery makes up at least for what it gave less or more than meant: below a peak that is
billed anyway nothing is won by haste."""
HASTE = 12.0
"""Seconds over which what is beyond a peak is made up for at least: a command needs some until the meter shows it."""
WAITS = 0.33
"""Of a window, from its begin on: a battery that rested comes in as slowly, as what is beyond the peak so early may be
made up for by the load itself. One that gives already goes on."""
ENDING = 120.0
"""Seconds before the end of a window from which on the load of now counts more and more: too little is left to make up
for what a smoothed one misses."""
CALM = 0.5
"""Of what the battery can give: as long as a load that rises needs less than that, only its smoothed mean counts; what
needs all of it is answered at once."""
HOLDS = 0.9
"""W given for each W more of load: a policy that gives so much means to hold what the grid carries; the rest is the
line between two pairs."""
MARGIN = 0.001
"""Of a peak: what the last seconds of a window bring nobody knows."""
UNSEEN = 60.0
"""Seconds of a window that nobody saw: more is said."""
TIE = 30.0
"""Seconds of a quarter hour in which the policy of that moment decides between two powers that cost the same; later
plans do not change it to and fro."""


@dataclass(frozen=True)
class Target:
    """Of the running step, in W."""

    net: float
    """The mean net load as it is expected."""
    given: float
    """What the battery is to give in the mean."""
    slope: float
    """W that it gives more for each W of net load."""
    near: float
    """Less is nothing."""

    @property
    def grid(self) -> float:
        """The mean that the grid is to carry."""
        return self.net - self.given

    @property
    def sells(self) -> bool:
        return self.given > max(self.net, 0.0) + self.near

    @property
    def buys(self) -> bool:
        return self.given < min(self.net, 0.0) - self.near

    @property
    def holds(self) -> bool:
        """Each W more is given, and not all: the battery keeps a mean of the grid."""
        return self.given > self.near and self.slope >= HOLDS and self.grid > self.near


class Load(NamedTuple):
    """The net load as the grid carries it, with batteries that nobody steers, in W."""

    now: float
    quick: float
    """The mean of the last seconds."""
    smooth: float
    """What is expected to stay."""


def target(step: Step, net: float, running: RunningStep | None, now: datetime, rated: float) -> Target:
    """Of a step with a policy. Without what was seen of it `net` in W is all that is known."""
    mean = net if running is None or running.at is None else running.expected(now, step)
    return Target(mean, *line(step.policy, mean), max(SMALL, ABOUT * rated))


def line(policy: Sequence[tuple[float, float]], net: float) -> tuple[float, float]:
    """W the policy gives at a net load, and its slope: straight between two pairs, level beyond them."""
    before = policy[0]
    for pair in policy:
        if net < pair[0]:
            way = pair[0] - before[0]
            slope = 0.0 if way <= 0 else (pair[1] - before[1]) / way
            return before[1] + slope * (net - before[0]), slope
        before = pair
    return before[1], 0.0


def power(step: Step, meant: Target, net: float, running: RunningStep | None, now: datetime) -> float:
    """W for now, at the measured net load, before any peak or limit."""
    if meant.sells or meant.buys:
        return made_up(step, meant, running, now)
    if net * meant.net < 0 or abs(meant.net) <= meant.near:  # the mean says nothing of it: as the policy has it there
        return between(line(step.policy, net)[0], net)
    if abs(meant.grid) <= meant.near:
        return net
    return between(made_up(step, meant, running, now), net)


def made_up(step: Step, meant: Target, running: RunningStep | None, now: datetime) -> float:
    """W that bring the mean of the step to what is meant; between nothing and twice of it, as a new policy in the
    middle of it need not be made up for in a hurry."""
    given = meant.given
    if running is None or abs(given) <= meant.near:
        return given
    left = max(step.seconds - elapsed(now, step), PATIENCE)
    wanted = given + running.missing(step, given) * 3600 / left
    return min(max(wanted, min(2 * given, 0.0)), max(2 * given, 0.0))


def mean(window: RunningWindow, meant: Target, running: RunningStep | None, now: datetime, step: Step) -> float:
    """W: the mean import of the billing window that the policy comes to at the end of its step."""
    before = window.imported(now) if running is None else running.before
    seconds = step.seconds if running is not None else step.seconds - elapsed(now, step)
    return (before + max(meant.grid, 0.0) * seconds / 3600) * 60 / window.minutes


def steady(power: float, last: float, worth: Worth, net: float, now: datetime) -> float:
    """W: the last power again where it costs the same as this one, and each serves the load of now."""
    if worth is not Worth.SAME or now.timestamp() % 900 < TIE or abs(between(last, net) - last) > SMALL:
        return power
    return last if abs(between(power, net) - power) <= SMALL else power


def between(power: float, net: float) -> float:
    """W: no more than the load, and none of what nobody has: an error never sells nor buys."""
    return min(max(power, min(net, 0.0)), max(net, 0.0))


def held_back(  # noqa: PLR0917  # a window, its peak, the load and the battery of now read well in a row
    window: RunningWindow, peak: float, now: datetime, load: Load, most: float, last: float
) -> float:
    """The least power in W of the battery that keeps the mean of a billing window at a peak.

    `most` is what the battery can give, `last` what it was told to. The nearer what is needed comes to `most`, or the
    window to its end, the less of a short peak passes. The battery feeds nothing in for a peak: what is fed in takes
    nothing off.
    """
    room = window.room(now, peak * (1.0 - MARGIN), HASTE, load.smooth)
    left = window.left(now)
    urgent = (load.quick - room - CALM * most) / max((1.0 - CALM) * most, 1.0)
    share = min(max(urgent, 0.0), 1.0)
    rising, ending = (
        share * max(load.quick - load.smooth, 0.0),
        max(1.0 - left / ENDING, 0.0) * (load.now - load.smooth),
    )
    needed = load.smooth + (rising if abs(rising) > abs(ending) else ending) - room
    if needed > 0.0:
        begun = (1.0 - left / (60.0 * window.minutes)) / WAITS
        needed = max(needed * min(max(begun, share), 1.0), min(needed, last))
    return min(needed, load.now)


def words(window: RunningWindow, peak: float, now: datetime, currency: str) -> str:
    """What holds a window, for people: `holds 448 kW mean of 17:15-17:30; 10 EUR/kW`."""
    end = window.ends(now)
    first, last = (moment.astimezone(window.zone) for moment in (end - timedelta(minutes=window.minutes), end))
    price = f"; {window.demand.rate:g} {currency}/kW" if window.demand is not None and window.demand.rate else ""
    unseen = window.unseen(now)
    dark = f"; {unseen / 60:.0f} min of it were not seen" if unseen > UNSEEN else ""
    return f"holds {kilowatts(peak)} mean of {first:%H:%M}-{last:%H:%M}{price}{dark}"


def kilowatts(power: float) -> str:
    """Rounded to three digits, so that a sentence does not change with each reading."""
    return f"{float(f'{power / 1000:.3g}'):g} kW"
