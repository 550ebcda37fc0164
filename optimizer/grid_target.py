"""What a plan's policy asks of the battery now: a mean of the grid over the running quarter hour, not a power. Pure.

n is the mean net load of the quarter hour as it is expected, b = policy(n) what the battery is to give in the mean, and
n - b the grid's target. Where the target is about 0, or one sign of the load is covered or stored whole, the battery
follows the measured load second by second: an error of n buys and sells nothing. Where the grid may carry a part, the
battery gives b, and what it gave less or more so far is made up for. Only the mean of a billing window costs: a short
peak passes, as long as the battery could still make up for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from optimizer.running_quarter import LENGTH, SMOOTH, RunningQuarter, elapsed
from optimizer.running_window import RunningWindow
from optimizer.stored_worth import Worth
from schemas.messages import Step

SMALL = 50.0
"""W: less is nothing."""
PATIENCE = 300.0
"""Seconds over which the battery makes up at least for what it gave less or more than meant: below a peak that is
billed anyway nothing is won by haste."""
HASTE = 20.0
"""Seconds over which what is beyond a peak is made up for at least: a command needs some until the meter shows it."""
CALM = 0.5
"""Of what the battery can give: as long as a load that rises needs less than that, only its smoothed mean counts; what
needs all of it is answered at once."""
HOLDS = 0.9
"""W given for each W more of load: a policy that gives so much means to hold what the grid carries; the rest is the
line between two pairs."""
MARGIN = 0.001
"""Of a peak: what the last seconds of a window bring nobody knows."""
TIE = 30.0
"""Seconds of a quarter hour in which the policy of that moment decides between two powers that cost the same; later
plans do not change it to and fro."""


@dataclass(frozen=True)
class Target:
    """Of the running quarter hour, in W."""

    net: float
    """The mean net load as it is expected."""
    given: float
    """What the battery is to give in the mean."""
    slope: float = 0.0
    """W that it gives more for each W of net load."""
    cap: float | None = None
    """Of the step."""

    @property
    def grid(self) -> float:
        """The mean that the grid is to carry."""
        return self.net - self.given

    @property
    def sells(self) -> bool:
        return self.given > max(self.net, 0.0) + SMALL

    @property
    def buys(self) -> bool:
        return self.given < min(self.net, 0.0) - SMALL

    @property
    def holds(self) -> bool:
        """Each W more is given: the battery keeps a mean of the grid."""
        return self.given > SMALL and self.slope >= HOLDS

    @property
    def rises(self) -> bool:
        """The policy lets the cap go: so much load cannot be held, or its energy is worth more later."""
        beyond = 0.0 if self.cap is None else self.net - self.cap
        return self.cap is not None and self.grid > self.cap + SMALL and self.given < HOLDS * beyond

    @property
    def peak(self) -> float | None:
        """The highest mean of the window that is meant; None where the plan's peak says it."""
        if self.cap is None:
            return self.grid if self.holds else None
        if self.rises:
            return self.grid
        return min(self.grid, self.cap) if self.holds else self.cap


def target(step: Step, net: float, quarter: RunningQuarter | None, now: datetime) -> Target:
    """Of a step with a policy. Without what was seen of the quarter hour `net` in W is all that is known of it."""
    mean = net if quarter is None or quarter.at is None else quarter.expected(now)
    return Target(mean, *line(step.policy, mean), step.cap)


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


def power(step: Step, meant: Target, net: float, quarter: RunningQuarter | None, now: datetime) -> float:
    """W for now, at the measured net load, before any peak or limit."""
    if meant.sells or meant.buys:
        return made_up(meant.given, quarter, now)
    if net * meant.net < 0 and abs(net) > SMALL:  # the other way round than the mean: as the policy has it there
        return _between(line(step.policy, net)[0], net)
    if abs(meant.grid) <= SMALL:
        return net
    return _between(made_up(meant.given, quarter, now), net)


def made_up(given: float, quarter: RunningQuarter | None, now: datetime) -> float:
    """W that bring the mean of the quarter hour to `given`; between nothing and twice of it, as a new policy in the
    middle of it need not be made up for in a hurry."""
    if quarter is None or abs(given) <= SMALL:
        return given
    wanted = given + quarter.missing(now, given) * 3600 / max(LENGTH - elapsed(now), PATIENCE)
    return min(max(wanted, min(2 * given, 0.0)), max(2 * given, 0.0))


def steady(power: float, last: float, worth: Worth, net: float, now: datetime) -> float:
    """W: the last power again where it costs the same as this one, and each serves the load of now."""
    if worth is not Worth.SAME or elapsed(now) < TIE or abs(_between(last, net) - last) > SMALL:
        return power
    return last if abs(_between(power, net) - power) <= SMALL else power


def _between(power: float, net: float) -> float:
    """No more than the load, and none of what nobody has: an error never sells nor buys."""
    return min(max(power, min(net, 0.0)), max(net, 0.0))


def held_back(  # noqa: PLR0917  # a window, its peak and the load of now read well in a row
    window: RunningWindow, peak: float, now: datetime, net: float, smooth: float, most: float
) -> float:
    """The least power in W of the battery that keeps the mean of a billing window at a peak.

    `net` is the load of now, `smooth` the one that is expected to stay, `most` what the battery can give. The nearer
    what is needed comes to `most`, or the window to its end, the less of a short peak passes. The battery feeds
    nothing in for a peak: what is fed in takes nothing off.
    """
    room = window.room(now, peak * (1.0 - MARGIN), HASTE)
    left = (window.ends(now) - now).total_seconds()
    urgent = (net - room - CALM * most) / max((1.0 - CALM) * most, 1.0)
    share = min(max(urgent if net > smooth else 0.0, 1.0 - left / SMOOTH, 0.0), 1.0)
    return min(smooth + share * (net - smooth) - room, net)


def words(window: RunningWindow, peak: float, now: datetime, currency: str) -> str:
    """What holds a window, for people: `holds 448 kW mean of 17:15-17:30; 10 EUR/kW`."""
    end = window.ends(now)
    first, last = (moment.astimezone(window.zone) for moment in (end - timedelta(minutes=window.minutes), end))
    price = f"; {window.demand.rate:g} {currency}/kW" if window.demand is not None and window.demand.rate else ""
    return f"holds {kilowatts(peak)} mean of {first:%H:%M}-{last:%H:%M}{price}"


def kilowatts(power: float) -> str:
    """Rounded to three digits, so that a sentence does not change with each reading."""
    return f"{float(f'{power / 1000:.3g}'):g} kW"
