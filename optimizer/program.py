"""The linear program of a battery behind a meter, in kW and kWh so that the solver's tolerances mean something.

Columns, each once a step: charge, discharge, import, export, the import and export beyond the limits, the energy
at the end of the step, how far it lies below or above what the owner allows (only where it begins there), and how far
below or above what reserves need; then, by demand, a peak for each period (a month or a year) and, where it gets dearer
further up, what lies beyond.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import OptimizeResult, linprog

from optimizer.cell_rows import add_cells
from optimizer.charge import Piece
from optimizer.columns import (
    ABOVE,
    BELOW,
    BLOCKS,
    CHARGE,
    DISCHARGE,
    ENERGY,
    EXPORT,
    EXPORT_BEYOND,
    IMPORT,
    IMPORT_BEYOND,
    OVER,
    SHORT,
    Program,
    Rows,
)
from optimizer.directions import by_net, directed, open_ways, torn
from optimizer.outlook import Outlook, Vector
from optimizer.windows import Windows

__all__ = ["CHARGE", "DISCHARGE", "Program", "Unsolved", "build", "solve"]

BEYOND = 100.0
"""Per kWh beyond a limit of the site: dearer than any energy, so that it happens only where it must, and late."""
OUTSIDE = 0.5
"""Per kWh and hour outside of the allowed SoC: it comes back soon, but not at the price of a new peak."""
DUE = 5.0
"""Times the dearest price, per kWh and hour that a reserve is short of: it is ready in time whatever energy costs, and
makes no new peak for what an hour more would do. Nothing that is there is sold: see `_bounds`."""
SOONER = 1e-5
"""Per kWh and horizon: of equal hours the earlier one charges, a forecast is best near."""
FEW = 1e-5
"""Per kWh discharged, at least: where it gains nothing a battery rests, also one without losses and wear."""
SECONDS = 5.0
"""The solver may take so long for one program."""
ROUNDS = 3
"""Times that torn steps get directions by a mixed-integer program; after that every step gets one, by its sum."""


class Unsolved(Exception):
    """The solver found no answer, or not in time."""


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
    found, column = list[Peak](), BLOCKS * len(outlook.starts)
    for windows in outlook.windows:
        for period in range(len(windows.firsts)):
            found.append(Peak(windows, period, column))
            column += len(found[-1].pieces)
    return found


def build(outlook: Outlook) -> Program:
    """The program of an outlook; it always has a solution: to rest."""
    n, peaks = len(outlook.starts), _peaks_of(outlook)
    more = sum(len(peak.pieces) for peak in peaks)
    equal, equal_to = _physics(outlook, more)
    rows = Rows(BLOCKS * n + more)
    for peak in peaks:
        _peak(rows, outlook, peak)
    add_cells(rows, outlook)
    at_most, most = rows.built()
    low, high = _bounds(outlook, peaks)
    return Program(outlook, _cost(outlook, n, peaks), equal, equal_to, at_most, most, low, high)


def _cost(outlook: Outlook, n: int, peaks: Sequence[Peak]) -> Vector:
    hours = outlook.hours
    columns = np.zeros((BLOCKS, n))
    columns[CHARGE] = SOONER * hours * np.arange(n) / n
    columns[DISCHARGE] = max(outlook.battery.wear, FEW) * hours
    columns[IMPORT] = outlook.weighed * hours
    columns[EXPORT] = -outlook.sell * hours
    columns[IMPORT_BEYOND] = (np.maximum(outlook.weighed, 0) + BEYOND * outlook.urgency) * hours
    columns[EXPORT_BEYOND] = np.where(outlook.gives_way, 0.0, BEYOND * outlook.urgency) * hours
    columns[BELOW] = columns[ABOVE] = OUTSIDE * hours
    columns[SHORT] = columns[OVER] = DUE * max(OUTSIDE / DUE, float(np.max(outlook.weighed))) * hours
    for block, sign in ((ENERGY, -1.0), (BELOW, 1.0), (ABOVE, -1.0)):
        columns[block, -1] += sign * (outlook.stored_value + outlook.stored_carbon)
    return np.concatenate([columns.ravel(), [piece.price for peak in peaks for piece in peak.pieces]])


def _physics(outlook: Outlook, more: int) -> tuple[sparse.csr_array, Vector]:
    """Power balances at the grid point, energy balances in the battery; `more` columns have no part in them."""
    n, both = len(outlook.starts), outlook.battery.efficiency
    one = sparse.eye_array(n)
    change = one - sparse.eye_array(n, k=-1)
    into = sparse.diags_array(outlook.hours * both)
    out = sparse.diags_array(outlook.hours / both)
    none = sparse.csr_array((n, 2 * n + more))
    balance = [-one, one, one, -one, one, -one, None, None, None, none]
    energy = [-into, out, None, None, None, None, change, -change, change, none]
    begin = np.zeros(n)
    begin[0] = outlook.begin / 1000
    return (
        sparse.csr_array(sparse.block_array([balance, energy])),
        np.concatenate([(outlook.load - outlook.pv) / 1000, begin]),
    )


def _peak(rows: Rows, outlook: Outlook, peak: Peak) -> None:
    """The mean import of every billing window is at most the peak of its period, and each further part of a peak is
    what lies beyond where it begins."""
    n, length = len(outlook.starts), peak.windows.charge.component.minutes / 60
    mine = np.flatnonzero(np.array(peak.windows.periods, dtype=int) == peak.period)
    if mine.size:
        share = peak.windows.of[mine] * outlook.hours / length
        window, step = np.nonzero(share)
        most = -peak.windows.before[mine] / 1000 / length
        imported = [(window, block * n + step, share[window, step]) for block in (IMPORT, IMPORT_BEYOND)]
        rows.add(most, *imported, (np.arange(len(mine)), peak.column, -1.0))
    for part, piece in enumerate(peak.pieces[1:], 1):
        rows.add(np.array([piece.above / 1000]), (0, peak.column, 1.0), (0, peak.column + part, -1.0))


def _bounds(outlook: Outlook, peaks: Sequence[Peak]) -> tuple[Vector, Vector]:
    n, battery, into, out = len(outlook.starts), outlook.battery, outlook.import_limit, outlook.export_limit
    low, high = np.zeros((BLOCKS, n)), np.full((BLOCKS, n), np.inf)
    net = outlook.load - outlook.pv
    high[CHARGE], high[DISCHARGE] = outlook.most_charge / 1000, outlook.most_discharge / 1000
    high[IMPORT] = np.minimum(into, np.maximum(net + outlook.most_charge, 0)) / 1000
    high[EXPORT] = np.minimum(out, np.maximum(outlook.most_discharge - net, 0)) / 1000
    # Only as far beyond as the site would be with a resting battery, which is therefore always an answer.
    high[IMPORT_BEYOND] = outlook.overdraw / 1000
    high[EXPORT_BEYOND] = outlook.surplus / 1000
    lowest, highest = (battery.energy * share / 100 for share in (battery.soc_min, battery.soc_max))
    fallen, risen = battery.reach(outlook.hours)
    low[ENERGY] = np.clip(outlook.begin - fallen, lowest, highest) / 1000
    high[ENERGY] = np.clip(outlook.begin + risen, lowest, highest) / 1000
    high[BELOW] = max(0.0, lowest - outlook.begin) / 1000
    high[ABOVE] = max(0.0, outlook.begin - highest) / 1000
    # The same with reserves: no further short of them than it would be at rest, or than the connection's limits take.
    high[SHORT], high[OVER] = outlook.short_at_most / 1000, outlook.over_at_most / 1000
    stands = [power for peak in peaks for power in peak.low]
    return np.concatenate([low.ravel(), stands]), np.concatenate([high.ravel(), np.full(len(stands), np.inf)])


def solve(program: Program) -> tuple[Vector, Vector]:
    """The solution and the worth of one more stored kWh after each step.

    Where it pays to burn energy (negative prices, a full battery behind a closed export), the relaxed program
    charges and discharges at once: those steps get a direction (`optimizer.directions`), and the linear one
    is solved again with the directions fixed, for only that has marginal values.
    """
    found, both = _solved(program, program.high), np.zeros((2, program.steps), dtype=bool)
    for _ in range(ROUNDS):
        more = torn(program, found.x) & ~both
        if not more.any():
            break
        both |= open_ways(program, more)
        high = directed(program, both)
        found = _solved(program, by_net(program, both, found.x) if high is None else high)
    else:
        if torn(program, found.x).any():
            every = np.array([np.ones(program.steps, dtype=bool), both[1] | torn(program, found.x)[1]])
            found = _solved(program, by_net(program, every, found.x))
    return found.x, -np.asarray(found.eqlin.marginals)[program.steps :]


def _solved(program: Program, high: Vector) -> OptimizeResult:
    found: OptimizeResult = linprog(  # type: ignore[call-overload]  # scipy-stubs do not know that it takes sparse arrays
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
    return found
