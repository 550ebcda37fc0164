"""A site that is hardly known: its battery makes no peak that the site might not make itself. Pure.

Nobody knows yet how high a month goes. That a high load is near and that the battery should be full for it is a guess
then; charged for it at a load that is high already it costs a month.
"""

from collections.abc import Iterator, Sequence
from math import inf

import numpy as np
from scipy.special import gammaln

from optimizer.charge import pieces
from optimizer.demand import charged, period
from optimizer.outlook import Outlook, Vector
from optimizer.policy.rest import ALONE, UNLIKELY
from optimizer.windows import Windows


def within(known: int, drawn: float) -> Vector:
    """The chance that the highest of `drawn` days to come is no higher than each of so many known, the lowest first.

    All days are alike, so in which order they come tells nothing: the next one is above n known with a chance of
    1 / (n + 1), and the highest of d to come is within them with one of n / (n + d).
    """
    each = np.arange(1, known + 1)
    return np.asarray(np.exp(gammaln(each + drawn) - gammaln(each) + gammaln(known + 1) - gammaln(known + 1 + drawn)))


def passed_anyway(daily: Sequence[float], days: float) -> float:
    """W that the highest of the days left reaches, but for a chance of UNLIKELY; 0 where too few are known to tell."""
    below = within(len(daily), ALONE * days) <= UNLIKELY
    return float(np.sort(np.asarray(daily, dtype=float))[below].max(initial=0.0))


def charged_to(look: Outlook, state: Windows | None, periods: Vector, held: Vector) -> Vector:
    """W by step that a window of a charge may reach by charging; inf where four weeks are known, and where no window
    counts. `periods` by step, `held` what is above 0 where a window counts."""
    found = np.full(len(look.starts), inf)
    for number, bound in enumerate(_bounds(look, state) if state else ()):
        found[(periods == number) & (held > 0)] = bound
    return found


def _bounds(look: Outlook, windows: Windows) -> Iterator[float]:
    """W by period: what is billed, what the site has drawn of itself, and what the days left will pass anyway. None
    where four weeks are known."""
    one, alone, zone = windows.charge, windows.charge.alone, windows.zone
    if alone is None:
        return
    for number, begin in enumerate(windows.firsts[:2]):
        left = (period(begin, zone, charged(one.component))[1] - max(begin, look.now)).total_seconds() / 86400
        free = pieces(one.component, one.peaks, begin, zone)[0].above
        so_far = max(one.peaks.get(begin, 0.0), 0.0 if number else alone.so_far)
        yield max(free, so_far, passed_anyway(alone.daily, left))


def grid_to(look: Outlook, others: Sequence[Windows]) -> Vector:
    """W at the grid by step that charging may reach for charges whose peak is not the state of the program.

    A load that is forecast before lifts it: the program could not believe otherwise that it may charge again after one.
    """
    found, net = np.full(len(look.starts), inf), look.load - look.pv
    for windows in others:
        for number, bound in enumerate(_bounds(look, windows)):
            mine = windows.of[np.array(windows.periods, dtype=int) == number].any(axis=0)
            before = np.maximum.accumulate(np.concatenate([[bound], np.where(mine, net, 0.0)[:-1]]))
            found[mine] = np.minimum(found[mine], before[mine])
    return found


def needed(look: Outlook, drawn_to: Vector) -> Vector:
    """Wh at the end of each step up to which charging keeps to no bound: a reserve goes first.

    What a reserve needs then, or what must be there already because until it is needed the windows leave no room to
    charge it. `drawn_to`: W at the grid that each step may reach by charging. A load that is higher than forecast by
    its usual error leaves less room.
    """
    net = look.load - look.pv + look.spread
    room = np.clip(np.minimum(drawn_to, look.import_limit) - net, 0.0, look.most_charge)
    gained, found = look.battery.efficiency * look.hours * room, look.floors.copy()
    for step in range(len(found) - 2, -1, -1):
        found[step] = max(found[step], found[step + 1] - gained[step + 1])
    return found
