"""The answer of a battery to whatever the load turns out to be, in each step of an outlook."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from optimizer.digits import PERCENT, PRICE, SECOND, WATT, rounded, watts_of
from optimizer.outlook import Outlook, Vector
from optimizer.policy import kernel
from optimizer.policy.bends import bends
from optimizer.policy.kernel import Array
from optimizer.policy.model import UNBOUND, WIDEST, Model, pose
from optimizer.policy.power_range import Bounds
from optimizer.program import OUTSIDE
from schemas.messages import Step

PAIRS = 20
"""Of a table, at most."""
SMALL = 50.0
"""W: less is nothing."""
NETS = 81
"""Net loads that are looked at for a table, evenly over what may come."""


class Answer(NamedTuple):
    """To each net load."""

    power: Vector
    """W of the battery, positive discharging."""
    peak: Vector
    """W: the highest window mean after the step."""


class Table(NamedTuple):
    """The answers of a step."""

    pairs: list[tuple[float, float]]
    """Net load and power of the battery in W, by rising net load, few: where the answer bends."""
    cap: float | None
    """W: the highest window mean of the first demand that is let pass while the battery could do more against it; None
    where no window counts, and where another demand is the state: dispatch would hold the first one at it."""


class Walk(NamedTuple):
    """The expected way, by step."""

    power: Vector
    """W, positive discharging."""
    soc: Vector
    """%, at the begin."""
    peak: Vector
    """W: the highest window mean of the period so far, at the begin."""
    worth: Vector
    """What one more stored kWh is worth at the end."""


@dataclass(frozen=True)
class Policy:
    """The solved program. `peak` is that of the step's billing period so far in W, `soc` in %, at the step's begin."""

    model: Model
    value: Array
    """By step, slow error, peak and energy: what is still to be paid, but for a constant."""

    @property
    def outlook(self) -> Outlook:
        return self.model.outlook

    @property
    def stands(self) -> float:
        """W of the charge that is the state, now; 0 where nothing is billed by the kW."""
        return 0.0 if self.model.state is None else float(self.model.state.stands[0])

    def answer(self, step: int, soc: float, peak: float, nets: Vector) -> Answer:
        """The best power for each mean net load (W) of the step, as far as limits, energy and rating let it."""
        found = np.empty((len(nets), 2))
        battery, within = self.outlook.battery, self._bounds.of(step, soc)
        kernel.forward(
            *self._arrays, battery.efficiency, self.value, step, battery.energy * soc / 1e5, peak / 1000,
            within.charge / 1000, within.discharge / 1000, self._outside,
            np.ascontiguousarray(nets, dtype=float) / 1000, found,
        )  # fmt: skip
        return Answer(-1000 * found[:, 0] + 0.0, 1000 * found[:, 1])

    def table(self, step: int, soc: float, peak: float) -> Table:
        """For Step.policy and Step.cap."""
        nets = self._nets(step, peak)
        found, near = self.answer(step, soc, peak, nets), max(1.0, 1e-3 * self.outlook.rated)
        pairs = bends(nets, found.power, PAIRS, near)
        if not self._is_of_first or self.model.steps[step, kernel.SHARE] == 0:
            return Table(pairs, None)
        more = found.power < found.power.max() - near  # the battery could do more
        return Table(pairs, float(np.max(found.peak[more], initial=self._floor(step, peak))))

    def walk(self, soc: float | None = None, peak: float | None = None) -> Walk:
        """The load as it is forecast, and the answer to it in each step."""
        look, period = self.outlook, self.model.steps[:, kernel.PERIOD]
        now, high = look.soc if soc is None else soc, self.stands if peak is None else peak
        power, socs, peaks = np.empty((3, len(look.starts) + 1))
        for step, net in enumerate(look.load - look.pv):
            socs[step], peaks[step] = now, high
            found = self.answer(step, now, high, np.array([net]))
            power[step] = self._said(found)
            now -= 100 * self._drained(step, power[step]) / look.battery.energy
            ends = step + 1 < len(period) and period[step + 1] != period[step]
            high = 0.0 if ends else float(found.peak[0])
        socs[-1], peaks[-1] = now, high
        return Walk(power[:-1], socs[:-1], peaks[:-1], self._worth(socs[1:], peaks[1:]))

    def step(self, number: int, soc: float, peak: float) -> Step:
        """One step of a plan with what is known when it begins; its power is the answer to the load of the forecast."""
        look = self.outlook
        net = float(look.load[number] - look.pv[number])
        found = self.answer(number, soc, peak, np.array([net]))
        power, table = self._said(found), self.table(number, soc, peak)
        after = min(max(soc - 100 * self._drained(number, power) / look.battery.energy, 0.0), 100.0)
        return Step(
            at=look.starts[number],
            seconds=rounded(float(look.hours[number]) * 3600, SECOND),
            power=power,
            soc=rounded(after, PERCENT),
            grid=rounded(net - power, WATT),
            load=rounded(float(look.load[number]), WATT),
            pv=rounded(float(look.pv[number]), WATT),
            price_import=rounded(float(look.buy[number]), PRICE),
            price_export=rounded(float(look.sell[number]), PRICE),
            marginal_value=rounded(self.worth(number, after, float(found.peak[0])), PRICE),
            cap=None if table.cap is None else rounded(table.cap, WATT),
            policy=table.pairs,
            reason=_why(power, net - power, table.cap),
        )

    def worth(self, step: int, soc: float, peak: float) -> float:
        """What one more kWh is worth that is stored after a step, with `soc` and `peak` there."""
        return float(self._worth(np.array([soc]), np.array([peak]), slice(step, step + 1))[0])

    def _said(self, found: Answer) -> float:
        """W of the first answer, as a plan says it."""
        return rounded(float(found.power[0]), watts_of(self.outlook.battery.energy))

    # the insides ----------------------------------------------------------------------------------

    @cached_property
    def _bounds(self) -> Bounds:
        return Bounds(self.outlook)

    @property
    def _is_of_first(self) -> bool:
        return self.model.state is not None and self.model.state is self.outlook.windows[0]

    @cached_property
    def _arrays(self) -> tuple[Array, ...]:
        of = self.model
        return of.steps, of.hinges, of.peaks, of.worth, of.steep, of.missing, of.energies, of.slow, of.moves

    @cached_property
    def _outside(self) -> float:
        """Per kWh outside of the band of the SoC: it is brought back for any price of energy, not for a new peak."""
        return OUTSIDE + float(np.max(np.abs(self.outlook.buy)))

    def _drained(self, step: int, power: float) -> float:
        """Wh that leave the cells."""
        both = self.outlook.battery.efficiency
        return float((power / both if power > 0 else power * both) * self.outlook.hours[step])

    def _floor(self, step: int, peak: float) -> float:
        """W: no peak below it is worth anything."""
        return max(peak, 1000 * float(self.model.peaks[int(self.model.steps[step, kernel.PERIOD]), 0]))

    def _nets(self, step: int, peak: float) -> Vector:
        """W of net loads that may come, with room at both ends."""
        row = self.model.steps[step].astype(float)
        wide = WIDEST * row[kernel.SPREAD] * (kernel.SLOW + kernel.FAST) + row[kernel.CHARGE]
        even = row[kernel.NET] + np.linspace(-wide, wide, NETS)
        top = self._floor(step, peak) / 1000
        edges = [0.0, top - row[kernel.CHARGE], top, top + row[kernel.DISCHARGE]]
        for bound in (row[kernel.UPTO], row[kernel.REACH]):
            if bound < UNBOUND:
                edges += [bound - row[kernel.CHARGE], bound]
        return np.unique(np.concatenate([even, edges])) * 1000

    def _worth(self, soc: Vector, peak: Vector, steps: slice = slice(None)) -> Vector:
        """What one more kWh is worth after each step, at the SoC and the peak there and no error of the forecast."""
        middle, count = self.value.shape[1] // 2, len(soc)
        mine = np.einsum("sz,szme->sme", self.model.moves[steps, middle], self.value[1:][steps])
        levels = self.model.peaks[self.model.steps[steps, kernel.PERIOD].astype(int)]
        at = np.clip((levels <= peak[:, np.newaxis] / 1000).sum(axis=1) - 1, 0, levels.shape[1] - 1)
        row = mine[np.arange(count), at].astype(float)
        gap = float(self.model.energies[1] - self.model.energies[0])
        place = (self.outlook.battery.energy * soc / 1e5 - float(self.model.energies[0])) / gap
        left = np.clip(np.round(place).astype(int) - 1, 0, row.shape[1] - 3)
        return np.asarray((row[np.arange(count), left] - row[np.arange(count), left + 2]) / (2 * gap))


def solve(outlook: Outlook) -> Policy:
    """The policy of an outlook. Raises program.Unsolved where there are several demands and the linear program of
    their peaks has no answer in time."""
    model = pose(outlook)
    shape = (len(outlook.starts) + 1, len(model.slow), model.peaks.shape[1], len(model.energies))
    found = Policy(model, np.empty(shape, dtype=np.float32))
    found.value[-1] = model.last
    kernel.backward(*found._arrays, model.able, np.float32(outlook.battery.efficiency), found.value)
    return found


def respond(pairs: Sequence[tuple[float, float]], net: float) -> float:
    """W of the battery for a mean net load in W by the pairs of Step.policy: straight between them, level beyond."""
    if net <= pairs[0][0]:
        return pairs[0][1]
    for (low, of_low), (high, of_high) in pairwise(pairs):
        if net <= high:
            return of_low + (of_high - of_low) * (net - low) / (high - low)
    return pairs[-1][1]


def _why(power: float, grid: float, cap: float | None) -> str:
    """A word for a trace; a plan has its own reasons."""
    if cap is not None and power > SMALL and grid > cap - SMALL:
        return "holds the peak"
    return "discharges" if power > SMALL else "charges" if power < -SMALL else "rests"
