"""An outlook as the arrays of the dynamic program: its grids, its noise, its prices. Units are kW, kWh and h."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from optimizer.bill import peaks as peaks_of
from optimizer.charge import worth
from optimizer.outlook import Outlook, Vector
from optimizer.policy import kernel
from optimizer.policy.caution import charged_to, grid_to, needed
from optimizer.policy.kernel import Array
from optimizer.policy.rest import rest_of_period, unlikely_below
from optimizer.program import BEYOND, CHARGE, DISCHARGE, build
from optimizer.program import solve as solve_program
from optimizer.taper import at
from optimizer.windows import Windows

ENERGIES, LEVELS, SLOW = 33, 14, 11
"""Nodes of stored energy, of the billed peak and of the slow error."""
WIDEST = 3.2
"""Standard deviations of the slow error that are looked at."""
LASTS = 0.93
"""Correlation of the slow error with that of a quarter of an hour before."""
BRIGHTEST = 5.0
"""PV is at most so many times what was forecast: closed clouds leave a fifth of a clear sky."""
UNBOUND = float(kernel.DEAR)
"""kW that no charging ever comes to."""
CLOSEST = 1e-4
"""Of the least energy: nodes that lie closer together are one to the arithmetic."""
ROOM = 0.35
"""Of the battery's power: a peak this much above the lowest is looked at, whatever the forecast says."""


@dataclass(frozen=True)
class Model:
    """The arguments of kernel.backward, by their names there."""

    outlook: Outlook
    state: Windows | None
    """Of the charge whose peak is the state M: the one that the steps can raise by the most money. Each other one is a
    price on what a step draws beyond the peak that the linear program means to reach for it."""

    @cached_property
    def steps(self) -> Array:
        look, found = self.outlook, np.zeros((len(self.outlook.starts), len(kernel.COLUMNS)))
        found[:, kernel.NET] = (look.load - look.pv) / 1000
        found[:, kernel.SPREAD] = np.broadcast_to(look.spread, len(found)) / 1000
        found[:, kernel.HOURS], found[:, kernel.BUY], found[:, kernel.SELL] = look.hours, look.weighed, look.sell
        found[:, kernel.CHARGE], found[:, kernel.DISCHARGE] = look.most_charge / 1000, look.most_discharge / 1000
        found[:, kernel.INTO] = np.minimum(look.import_limit, 1e12) / 1000
        found[:, kernel.OUT] = np.minimum(look.export_limit, 1e12) / 1000
        found[:, kernel.GIVES_WAY] = look.gives_way
        found[:, kernel.OFFSET], found[:, kernel.SHARE], found[:, kernel.PERIOD] = self._means
        found[:, kernel.WEAR] = look.battery.wear
        # no load is less than nothing, so without PV nothing is left over; a load below 0 hides PV that nobody measures
        found[:, kernel.LOWEST] = -BRIGHTEST * (look.pv + np.maximum(-look.load, 0)) / 1000
        self._bound(found)
        return found.astype(np.float32)

    def _bound(self, found: Vector) -> None:
        """Up to where charging may go, of the `steps`."""
        look, share = self.outlook, found[:, kernel.SHARE]
        upto = charged_to(look, self.state, found[:, kernel.PERIOD], share) / 1000
        found[:, kernel.UPTO] = np.minimum(upto, UNBOUND)
        own = np.divide(upto - found[:, kernel.OFFSET], share, out=np.full(len(found), np.inf), where=share > 0)
        others = grid_to(look, [windows for windows in _that_cost(look) if windows is not self.state]) / 1000
        found[:, kernel.REACH] = np.minimum(others, UNBOUND)
        found[:, kernel.NEEDED] = self._node_from(needed(look, 1000 * np.minimum(own, others)) / 1000)

    @cached_property
    def _means(self) -> tuple[Vector, Vector, Vector]:
        """By step what a billing window's mean is taken for: OFFSET + SHARE x the step's import; 0 where no window
        counts. And the number of its period.

        Where a window is longer than a step, the step is taken to draw as much for all that is left of it. A mean is
        no higher than the highest of its parts, so the peak is never taken for less than it becomes. Dispatch holds the
        real mean.
        """
        count = len(self.outlook.starts)
        offset, share, period = np.zeros(count), np.zeros(count), np.zeros(count)
        if self.state is None:
            return offset, share, period
        windows, length = self.state, self.state.charge.component.minutes / 60
        now = self.outlook.now
        left = np.array([1 - max((now - at).total_seconds(), 0) / 3600 / length for at in windows.begins])
        net = np.maximum(self.outlook.load - self.outlook.pv, 0)
        for step in np.flatnonzero(windows.of.any(axis=0)):
            mine = np.flatnonzero(windows.of[:, step])
            before = windows.before[mine] / length
            most = mine[np.argmax(before + left[mine] * net[step])]
            offset[step], share[step] = windows.before[most] / length / 1000, left[most]
            period[step] = windows.periods[most]
        # a step that lies in no window belongs to the period before it
        return offset, share, np.minimum(np.maximum.accumulate(period), 1)

    @property
    def daily(self) -> Sequence[float]:
        """W: achievable peaks of days; where none are known the one that is expected."""
        charge = self.state.charge if self.state else None
        return [] if charge is None else list(charge.daily) or [charge.expected]

    @cached_property
    def peaks(self) -> Array:
        """kW by period: nodes of M, dense at the lower end. Below the first a peak costs nothing: it is made already,
        or no such period will end with less."""
        if self.state is None:
            return np.zeros((1, 1), dtype=np.float32)
        steps, found = self.steps.astype(float), []
        for period, stands in enumerate(self.state.stands[:2].tolist()):
            mine = (steps[:, kernel.PERIOD] == period) & (steps[:, kernel.SHARE] > 0)
            low = max(stands, unlikely_below(self.daily)) / 1000
            reach = steps[mine, kernel.NET].max(initial=0.0) + 2 * steps[mine, kernel.SPREAD].max(initial=0.0)
            high = max(low + max(ROOM * self.outlook.rated / 1000, 0.1), reach)
            nodes = low + (high - low) * (np.arange(LEVELS) / (LEVELS - 1)) ** 1.5
            for piece in self.state.pieces[period]:  # where a further part of the price begins it bends: a node there
                if low < piece.above / 1000 < high:
                    nodes[1 + np.argmin(np.abs(nodes[1:-1] - piece.above / 1000))] = piece.above / 1000
            found.append(nodes)
        return np.array(found, dtype=np.float32)

    @cached_property
    def worth(self) -> Array:
        """What each node of M costs beyond the lowest when its period ends."""
        if self.state is None:
            return np.zeros((1, 1), dtype=np.float32)
        found = [
            [worth(self.state.pieces[period], 1000 * level) for level in levels]
            for period, levels in enumerate(self.peaks.tolist())
        ]
        return np.array([np.array(one) - one[0] for one in found], dtype=np.float32)

    @cached_property
    def steep(self) -> Array:
        """Per kW beyond the highest node, by period."""
        if self.state is None:
            return np.zeros(1, dtype=np.float32)
        each = zip(self.state.pieces, self.peaks[:, -1].tolist(), strict=False)
        found = [sum(one.price for one in pieces if one.above <= 1000 * top) for pieces, top in each]
        return np.array(found, dtype=np.float32)

    @cached_property
    def hinges(self) -> Array:
        """By step: kW at the grid, and what each beyond costs: the import limit, and the peaks of the other charges."""
        look = self.outlook
        found = [np.array([np.minimum(look.import_limit, 1e12) / 1000, BEYOND * look.urgency * look.hours])]
        others = [windows for windows in _that_cost(look) if windows is not self.state]
        reached = self._reached if others else []
        for windows, peaks in zip(look.windows, reached, strict=False):
            if windows in others:
                found.append(_beyond(windows, peaks))
        return np.ascontiguousarray(np.array(found).transpose(2, 0, 1), dtype=np.float32)

    @cached_property
    def _reached(self) -> list[Vector]:
        """W by charge and period that the linear program means to reach."""
        program = build(self.outlook)
        x, _ = solve_program(program)
        power = 1000 * (program.part(x, DISCHARGE) - program.part(x, CHARGE))
        return peaks_of(self.outlook, self.outlook.load - self.outlook.pv - power)

    @cached_property
    def energies(self) -> Array:
        battery = self.outlook.battery
        low, high = (battery.energy * share / 1e5 for share in (battery.soc_min, battery.soc_max))
        return np.linspace(low, max(high, low + CLOSEST * max(low, 1e-3)), ENERGIES, dtype=np.float32)

    def _node_from(self, stored: Vector) -> Vector:
        """kWh of the lowest node of E that holds so much; below the lowest of all where that is not asked for."""
        nodes = np.concatenate([[-1.0], self.energies.astype(float)])
        least = np.where(stored > nodes[1], np.searchsorted(nodes, stored - 1e-3), 0)
        return np.asarray(nodes[np.minimum(least, len(nodes) - 1)])

    @cached_property
    def missing(self) -> Array:
        """By step and node of E, what it costs to end there with less than reserves need, or without their room."""
        look, stored = self.outlook, self.energies.astype(float)[np.newaxis, :]
        short = np.maximum(look.floors[:, np.newaxis] / 1000 - stored, 0.0)
        over = np.maximum(stored - np.minimum(look.ceilings, 1e12)[:, np.newaxis] / 1000, 0.0)
        return np.asarray(BEYOND * look.hours[:, np.newaxis] * (short + over), dtype=np.float32)

    @cached_property
    def able(self) -> Array:
        """kW that may be charged and discharged, by the node of E that it leads to."""
        battery = self.outlook.battery
        socs = (100 * self.energies / max(battery.energy / 1000, 1e-9)).tolist()
        return np.ascontiguousarray(
            np.minimum(np.array([at(battery.taper, soc) for soc in socs]).T / 1000, 1e12), dtype=np.float32
        )

    @cached_property
    def slow(self) -> Array:
        return np.linspace(-WIDEST, WIDEST, SLOW, dtype=np.float32)

    @cached_property
    def moves(self) -> Array:
        """By step the probabilities of the next slow error (Tauchen): a normal law, cut between the nodes."""
        each, of = np.unique(np.round(self.outlook.hours, 6), return_inverse=True)
        found = np.array([_moves(self.slow.astype(float), hours) for hours in each])
        return np.ascontiguousarray(found[of], dtype=np.float32)

    @cached_property
    def last(self) -> Array:
        """The value after the last step: the peak with the rest of its period, less the energy that is left."""
        battery = self.outlook.battery
        each = max(0.0, self.outlook.stored_value - battery.efficiency * battery.wear)  # worn when it is used
        left = each * (self.energies - self.energies[0])
        if self.state is None:
            return np.asarray(-left[np.newaxis, :], dtype=np.float32)
        period = int(self.steps[-1, kernel.PERIOD])
        ahead = rest_of_period(self.state, period, self.outlook.end, self.daily, 1000 * self.peaks[period])
        return np.asarray(ahead[:, np.newaxis] - left[np.newaxis, :], dtype=np.float32)


def pose(outlook: Outlook) -> Model:
    """The model of an outlook, with the charge that is its state."""
    costly = _that_cost(outlook)
    net, sure = outlook.load - outlook.pv, np.broadcast_to(outlook.spread, len(outlook.starts))

    def at_stake(windows: Windows) -> float:
        reach = float(np.max((net + 2 * sure) * windows.of.any(axis=0), initial=0.0))
        stands = float(windows.stands[-1])
        price = windows.pieces[-1]
        return worth(price, max(reach, stands)) - worth(price, stands)

    return Model(outlook, max(costly, key=at_stake, default=None))


def _that_cost(outlook: Outlook) -> list[Windows]:
    return [one for one in outlook.windows if one.begins and any(piece.price for each in one.pieces for piece in each)]


def _beyond(windows: Windows, peaks: Vector) -> Vector:
    """By step: kW, and the price of a kW beyond; 0 where no window counts."""
    found = np.zeros((2, windows.of.shape[1]))
    for row, period in enumerate(windows.periods):
        mine = windows.of[row] > 0
        found[0, mine] = peaks[period] / 1000
        found[1, mine] = sum(one.price for one in windows.pieces[period] if one.above <= peaks[period])
    return found


def _moves(nodes: NDArray[np.float64], hours: float) -> NDArray[np.float64]:
    lasts = LASTS ** (4 * hours)
    apart = np.sqrt(max(1 - lasts**2, 1e-12))
    edges = np.concatenate([[-np.inf], (nodes[1:] + nodes[:-1]) / 2, [np.inf]])
    return np.asarray(np.diff(ndtr((edges[np.newaxis, :] - lasts * nodes[:, np.newaxis]) / apart), axis=1))
