"""The rows of the linear program that cells and reserves need: taper, floors, batteries that are apart."""

import numpy as np
from numpy.typing import NDArray

from optimizer.columns import ABOVE, BELOW, CHARGE, DISCHARGE, ENERGY, OVER, SHORT, Rows, Term
from optimizer.outlook import Outlook, Vector
from optimizer.taper_lines import Line, lines

APART = 4.0
"""Hours for which batteries of different SoC are not taken for one; then dispatch has brought them together."""
SLACK = 0.5
"""W beyond a line: where the power falls steeply the solver's own tolerance of energy comes to as much."""


def add_cells(rows: Rows, outlook: Outlook) -> None:
    """All of them; none for a single battery without a table that nobody reserves anything of."""
    _reserved(rows, outlook)
    _tapered(rows, outlook)
    _apart(rows, outlook)
    _ramped(rows, outlook)


def _stored(outlook: Outlook, steps: NDArray[np.intp], times: float = 1.0) -> list[Term]:
    """Terms of the energy in the battery at the end of some steps, one row each."""
    n, row = len(outlook.starts), np.arange(len(steps))
    return [(row, block * n + steps, sign * times) for block, sign in ((ENERGY, 1.0), (BELOW, -1.0), (ABOVE, 1.0))]


def _reserved(rows: Rows, outlook: Outlook) -> None:
    """The energy and the room that reserves need, or how far it is short of them."""
    n, battery = len(outlook.starts), outlook.battery
    low = np.flatnonzero(outlook.floors > battery.energy * battery.soc_min / 100)
    if low.size:
        less = _stored(outlook, low, -1.0)
        rows.add(-outlook.floors[low] / 1000, *less, (np.arange(len(low)), SHORT * n + low, -1.0))
    high = np.flatnonzero(outlook.ceilings < battery.energy * battery.soc_max / 100)
    if high.size:
        more = _stored(outlook, high)
        rows.add(outlook.ceilings[high] / 1000, *more, (np.arange(len(high)), OVER * n + high, -1.0))


def _tapered(rows: Rows, outlook: Outlook) -> None:
    """What the cells allow at the SoC of the end of each step."""
    if not outlook.battery.energy:
        return
    found, n = lines(outlook.battery.taper), len(outlook.starts)
    every = np.arange(n)
    for block, each in ((CHARGE, found.charge), (DISCHARGE, found.discharge)):
        for line in (one for one in each if _binds(one, outlook.rated)):
            slope = line.slope / outlook.battery.energy * 100  # W per Wh, or kW per kWh
            stored = _stored(outlook, every, -slope) if slope else []
            most = line.power + (SLACK if slope else 0.0)
            rows.add(np.full(n, most / 1000), (every, block * n + every, 1.0), *stored)


def _binds(line: Line, rated: float) -> bool:
    return min(line.power, line.power + 100 * line.slope) < rated


def _apart(rows: Rows, outlook: Outlook) -> None:
    """Of several batteries only those that have energy discharge, until the others were charged; and the other way
    round: so much from any step to any later one, and what was put into them since now."""
    n, battery, hours = len(outlook.starts), outlook.battery, outlook.hours
    near = int(np.count_nonzero(np.cumsum(hours) <= APART))
    last, first = np.tril_indices(near)
    edges = np.concatenate([[0.0], np.cumsum(hours)])
    length = edges[last + 1] - edges[first]
    both = battery.efficiency**2
    ways: tuple[tuple[int, int, Vector | None, float], ...] = (
        (DISCHARGE, CHARGE, battery.gives(length), both),
        (CHARGE, DISCHARGE, battery.takes(length), 1 / both),
    )
    every = np.arange(near)
    within, before = (every >= first[:, np.newaxis]) & (every <= last[:, np.newaxis]), every < last[:, np.newaxis]
    for block, other, now, factor in ways:
        if now is not None:
            mine, its = np.nonzero(within), np.nonzero(before)
            flows = (mine[0], block * n + mine[1], hours[mine[1]])
            rows.add(now * length / 1000, flows, (its[0], other * n + its[1], -factor * hours[its[1]]))


def _ramped(rows: Rows, outlook: Outlook) -> None:
    """A setpoint that moves so slowly that a step is too short for it; the first step's was told already."""
    n, change = len(outlook.starts), outlook.ramp * outlook.hours[1:] * 3600
    slow = np.flatnonzero(change < 2 * outlook.rated)
    row, after = np.arange(len(slow)), slow + 1
    for sign in (1.0, -1.0):
        flows = [(after, sign), (slow, -sign)]
        terms = [(row, block * n + at, way * s) for at, s in flows for block, way in ((DISCHARGE, 1.0), (CHARGE, -1.0))]
        rows.add(change[slow] / 1000, *terms)
