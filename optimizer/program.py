"""The linear program of a battery behind a meter, in kW and kWh so that the solver's tolerances mean something.

Columns, each once a step: charge, discharge, import, export, the import and export beyond the limits, the energy
at the end of the step, and how far it lies below or above what the owner allows (only where it begins there);
then, by demand, a peak for each period (a month or a year) and, where it gets dearer further up, what lies beyond.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from optimizer.charge import Piece
from optimizer.outlook import Outlook, Vector
from optimizer.windows import Windows

BEYOND = 100.0
"""Per kWh beyond a limit of the site: dearer than any energy, so that it happens only where it must, and late."""
OUTSIDE = 0.5
"""Per kWh and hour outside of the allowed SoC: it comes back soon, but not at the price of a new peak."""
SOONER = 1e-5
"""Per kWh and horizon: of equal hours the earlier one charges, a forecast is best near."""
SECONDS = 5.0
"""The solver may take so long for one program."""
TINY = 1e-4
"""kW"""

CHARGE, DISCHARGE, IMPORT, EXPORT, IMPORT_BEYOND, EXPORT_BEYOND, ENERGY, BELOW, ABOVE = range(9)


class Unsolved(Exception):
    """The solver found no answer, or not in time."""


@dataclass
class Program:
    """cost, equalities, inequalities and bounds; the sizes are steps and columns of peaks."""

    outlook: Outlook
    cost: Vector
    equal: sparse.csr_array
    equal_to: Vector
    at_most: sparse.csr_array
    most: Vector
    low: Vector
    high: Vector

    @property
    def steps(self) -> int:
        return len(self.outlook.starts)

    def part(self, x: Vector, block: int) -> Vector:
        """One of the nine quantities of a solution, by step."""
        return x[block * self.steps : (block + 1) * self.steps]


@dataclass(frozen=True)
class Peak:
    """The peak of a period of one charge, in kW: its column, and one for each part that is dearer than those below."""

    windows: Windows
    period: int
    column: int

    @property
    def pieces(self) -> tuple[Piece, ...]:
        return self.windows.pieces[self.period]

    @property
    def low(self) -> list[float]:
        """What is billed anyway, in each column."""
        stands = float(self.windows.stands[self.period])
        return [stands / 1000, *(max(0.0, stands - one.above) / 1000 for one in self.pieces[1:])]


def _peaks_of(outlook: Outlook) -> list[Peak]:
    found, column = list[Peak](), 9 * len(outlook.starts)
    for windows in outlook.windows:
        for period in range(len(windows.firsts)):
            found.append(Peak(windows, period, column))
            column += len(found[-1].pieces)
    return found


def build(outlook: Outlook) -> Program:
    """The program of an outlook; it always has a solution: to rest."""
    n, peaks = len(outlook.starts), _peaks_of(outlook)
    equal, equal_to = _physics(outlook, sum(len(peak.pieces) for peak in peaks))
    at_most, most = _peaks(outlook, peaks)
    low, high = _bounds(outlook, peaks)
    return Program(outlook, _cost(outlook, n, peaks), equal, equal_to, at_most, most, low, high)


def _cost(outlook: Outlook, n: int, peaks: Sequence[Peak]) -> Vector:
    hours = outlook.hours
    columns = np.zeros((9, n))
    columns[CHARGE] = SOONER * hours * np.arange(n) / n
    columns[DISCHARGE] = outlook.battery.wear * hours
    columns[IMPORT] = outlook.buy * hours
    columns[EXPORT] = -outlook.sell * hours
    columns[IMPORT_BEYOND] = (np.maximum(outlook.buy, 0) + BEYOND * outlook.urgency) * hours
    columns[EXPORT_BEYOND] = np.where(outlook.gives_way, 0.0, BEYOND * outlook.urgency) * hours
    columns[BELOW] = columns[ABOVE] = OUTSIDE * hours
    for block, sign in ((ENERGY, -1.0), (BELOW, 1.0), (ABOVE, -1.0)):
        columns[block, -1] += sign * outlook.stored_value
    return np.concatenate([columns.ravel(), [piece.price for peak in peaks for piece in peak.pieces]])


def _physics(outlook: Outlook, more: int) -> tuple[sparse.csr_array, Vector]:
    """Power balances at the grid point, energy balances in the battery; `more` columns have no part in them."""
    n, both = len(outlook.starts), outlook.battery.efficiency
    one = sparse.eye_array(n)
    change = one - sparse.eye_array(n, k=-1)
    into = sparse.diags_array(outlook.hours * both)
    out = sparse.diags_array(outlook.hours / both)
    none = sparse.csr_array((n, more))
    balance = [-one, one, one, -one, one, -one, None, None, None, none]
    energy = [-into, out, None, None, None, None, change, -change, change, none]
    begin = np.zeros(n)
    begin[0] = outlook.battery.energy * outlook.soc / 1e5
    return (
        sparse.csr_array(sparse.block_array([balance, energy])),
        np.concatenate([(outlook.load - outlook.pv) / 1000, begin]),
    )


def _peaks(outlook: Outlook, peaks: Sequence[Peak]) -> tuple[sparse.csr_array, Vector]:
    """The mean import of every billing window is at most the peak of its period, and each further part of a peak is
    what lies beyond where it begins."""
    blocks, most, n = list[sparse.csr_array](), list[float](), len(outlook.starts)
    width = 9 * n + sum(len(peak.pieces) for peak in peaks)
    for peak in peaks:
        length = peak.windows.charge.component.minutes / 60
        mine = [number for number, period in enumerate(peak.windows.periods) if period == peak.period]
        rows = sparse.lil_array((len(mine) + len(peak.pieces) - 1, width))
        share = peak.windows.of[mine] * outlook.hours / length
        for row, step in np.argwhere(share):
            for block in (IMPORT, IMPORT_BEYOND):
                rows[row, block * n + step] = share[row, step]
        rows[: len(mine), peak.column] = -1.0
        for part in range(1, len(peak.pieces)):
            row = len(mine) + part - 1
            rows[row, peak.column], rows[row, peak.column + part] = 1.0, -1.0
        blocks.append(sparse.csr_array(rows))
        most += [*(-peak.windows.before[mine] / 1000 / length), *(one.above / 1000 for one in peak.pieces[1:])]
    return sparse.csr_array(sparse.vstack([sparse.csr_array((0, width)), *blocks])), np.array(most)


def _bounds(outlook: Outlook, peaks: Sequence[Peak]) -> tuple[Vector, Vector]:
    n, battery, into, out = len(outlook.starts), outlook.battery, outlook.import_limit, outlook.export_limit
    low, high = np.zeros((9, n)), np.full((9, n), np.inf)
    high[CHARGE] = high[DISCHARGE] = outlook.rated / 1000
    high[IMPORT] = into / 1000
    high[EXPORT] = out / 1000
    # Only as far beyond as the site would be with a resting battery, which is therefore always an answer.
    high[IMPORT_BEYOND] = np.maximum(outlook.load - outlook.pv - into, 0) / 1000
    high[EXPORT_BEYOND] = outlook.surplus / 1000
    low[ENERGY], high[ENERGY] = (battery.energy * share / 1e5 for share in (battery.soc_min, battery.soc_max))
    high[DISCHARGE] = np.minimum(high[DISCHARGE], np.maximum(outlook.rated - outlook.inside, 0.0) / 1000)
    high[BELOW] = battery.energy * max(0.0, battery.soc_min - outlook.soc) / 1e5
    high[ABOVE] = battery.energy * max(0.0, outlook.soc - battery.soc_max) / 1e5
    least = [power for peak in peaks for power in peak.low]
    return np.concatenate([low.ravel(), least]), np.concatenate([high.ravel(), np.full(len(least), np.inf)])


def solve(program: Program) -> tuple[Vector, Vector]:
    """The solution and the worth of one more stored kWh after each step.

    Where it pays to burn energy (negative prices, a full battery behind a closed export), the relaxed program
    charges and discharges at once: those steps get a direction from a mixed-integer program, and the linear one
    is solved again with the directions fixed, for only that has marginal values.
    """
    high, torn = program.high, np.zeros((2, program.steps), dtype=bool)
    while True:
        found = linprog(  # type: ignore[call-overload]  # scipy-stubs do not know that it takes sparse arrays
            program.cost,
            A_ub=program.at_most,
            b_ub=program.most,
            A_eq=program.equal,
            b_eq=program.equal_to,
            bounds=np.column_stack([program.low, high]),
            method="highs",
            options={"time_limit": SECONDS},
        )
        if found.x is None or found.status != 0:
            raise Unsolved(f"the linear program: {found.message}")
        more = _torn(program, found.x) & ~torn
        if not more.any():
            return found.x, -np.asarray(found.eqlin.marginals)[program.steps :]
        torn |= more
        high = _directed(program, torn)


def _torn(program: Program, x: Vector) -> NDArray[np.bool_]:
    """Which steps flow both ways: in the battery, and at the grid where that would earn money."""
    imported = program.part(x, IMPORT) + program.part(x, IMPORT_BEYOND)
    exported = program.part(x, EXPORT) + program.part(x, EXPORT_BEYOND)
    battery = np.minimum(program.part(x, CHARGE), program.part(x, DISCHARGE)) > TINY
    sell = np.where(program.outlook.gives_way, np.maximum(program.outlook.sell, 0.0), program.outlook.sell)
    grid = (np.minimum(imported, exported) > TINY) & (sell > program.outlook.buy)
    return np.array([battery, grid])


def _directed(program: Program, torn: NDArray[np.bool_]) -> Vector:
    """Upper bounds that leave one direction open in each torn step: the best, by a mixed-integer program."""
    ways = [(int(kind), int(step)) for kind, step in np.argwhere(torn)]
    n, columns = program.steps, len(program.cost)
    most = 2 * (program.outlook.rated + float(np.max(program.outlook.load + program.outlook.pv))) / 1000
    rows = sparse.lil_array((2 * len(ways), columns + len(ways)))
    upper = np.zeros(2 * len(ways))
    for number, (kind, step) in enumerate(ways):
        one, other = _sides(kind)
        rows[2 * number, [block * n + step for block in one]] = 1.0
        rows[2 * number, columns + number] = -most
        rows[2 * number + 1, [block * n + step for block in other]] = 1.0
        rows[2 * number + 1, columns + number] = most
        upper[2 * number + 1] = most
    wide = sparse.csr_array((program.equal.shape[0] + program.at_most.shape[0], len(ways)))
    body = sparse.hstack([sparse.vstack([program.equal, program.at_most]), wide])
    floor = np.concatenate([program.equal_to, np.full(len(program.most), -np.inf)])
    ceiling = np.concatenate([program.equal_to, program.most])
    found = milp(
        np.concatenate([program.cost, np.zeros(len(ways))]),
        constraints=[LinearConstraint(body, floor, ceiling), LinearConstraint(sparse.csr_array(rows), -np.inf, upper)],
        integrality=np.concatenate([np.zeros(columns), np.ones(len(ways))]),
        bounds=Bounds(
            np.concatenate([program.low, np.zeros(len(ways))]), np.concatenate([program.high, np.ones(len(ways))])
        ),
        options={"time_limit": SECONDS, "mip_rel_gap": 1e-4},
    )
    if found.x is None:
        raise Unsolved(f"the mixed-integer program: {found.message}")
    high = program.high.copy()
    for number, (kind, step) in enumerate(ways):
        one, other = _sides(kind)
        for block in other if found.x[columns + number] > 0.5 else one:
            high[block * n + step] = 0.0
    return high


def _sides(kind: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    if kind == 0:
        return (CHARGE,), (DISCHARGE,)
    return (IMPORT, IMPORT_BEYOND), (EXPORT, EXPORT_BEYOND)
