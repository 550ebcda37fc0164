"""The least that a year can cost: one linear program over all of it, with every load, sun and price known.

Columns in kW and kWh, by quarter: charge c, discharge d, export e, PV that gives way k, energy E at the end; then what
is paid by the kW, `Peaks`. The import is net + c - d + e + k, so it needs no column of its own. Rows:

    E[t] - E[t-1] = h (eff c[t] - d[t] / eff)        each quarter
    net + c - d + e + k >= 0                         where PV and battery can exceed the load
    net + c - d + e + k <= import limit              where load and battery can exceed it
    mean of the import over a window <= its peak     where the window can reach the period's least peak
    import / its most + e / its most <= 1            where more is paid for e than the import costs: one way at a time

Dropped where they cannot bind, they leave a year's program (some 100,000 columns and rows) to be solved in seconds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from joulebus.backtest.foresight_peaks import Peaks, peaks_of
from joulebus.backtest.score import HOUR, Played
from joulebus.backtest.site import Terms
from optimizer.record import Vector
from optimizer.storage import Storage
from schemas.troubles import Trouble

START = 50.0
"""% SoC at the begin."""
SECONDS = 300.0
SAME = 1e-3
"""kW."""
TINY = 1e-6
"""Per kWh: of equal schedules the one that moves less."""
ROUNDS = 3
"""How often directions are fixed where energy would be burnt, or bought and sold at once."""


@dataclass
class Ways:
    """kW that each quarter may have at most, which settles its direction where the program would take both."""

    charge: Vector
    discharge: Vector
    import_: Vector
    """inf: not settled."""
    export: Vector

    def settle(self, x: Vector, net: Vector, twice: NDArray[np.bool_]) -> bool:
        """Whether something was. `x`: a solution; `twice`: more is paid for the export than the import costs."""
        n = len(net)
        charge, discharge, export, gives_way = x[: 4 * n].reshape(4, n)
        import_ = net + charge - discharge + export + gives_way
        # where it pays to burn energy (negative prices) a battery still has one direction at a time
        torn = np.minimum(charge, discharge) > SAME
        self.charge[torn & (charge < discharge)] = 0.0
        self.discharge[torn & (charge >= discharge)] = 0.0
        both = twice & (np.minimum(import_, export) > SAME)
        if both.any():
            self.import_[twice & (import_ <= export)] = 0.0
            self.export[twice & (import_ > export)] = 0.0
        return bool(torn.any() or both.any())


def foresight(terms: Terms, played: Played) -> Vector:
    """W of the battery by quarter, positive discharging. Raises Trouble where the solver finds no answer."""
    battery = terms.battery
    if battery is None:
        return np.zeros(len(played))
    n, peaks, rated = len(played), peaks_of(terms, played), terms.rated / 1000
    ways = Ways(np.full(n, rated), np.full(n, rated), np.full(n, np.inf), np.full(n, np.inf))
    for _ in range(ROUNDS):
        x = _solved(terms, battery, played, peaks, ways)
        if not ways.settle(x, played.net / 1000, played.sell > played.buy):
            break
    charge, discharge = x[:n], x[n : 2 * n]
    return 1000 * np.where(charge > discharge, -charge, discharge) * (np.abs(charge - discharge) > TINY)


def _solved(terms: Terms, battery: Storage, played: Played, peaks: Peaks, ways: Ways) -> Vector:
    n, net, rated = len(played), played.net / 1000, terms.rated / 1000
    width = 5 * n + len(peaks.price)
    import_limit = terms.grid.import_limit / 1000
    # import >= 0, and <= its limit; what the site drives beyond by itself is no fault of a battery
    out, into = np.flatnonzero(net < rated), np.flatnonzero(net + rated > import_limit)
    least, most_in = _import(out, n, width), _import(into, n, width)
    bounds = _bounds(terms, battery, net, peaks, ways)
    once, at_most = _once(played, ways, bounds[2 * n : 3 * n, 1], rated, width)
    found = linprog(  # type: ignore[call-overload]  # scipy-stubs do not know that it takes sparse arrays
        _prices(battery, played, peaks),
        A_ub=sparse.vstack([-least, most_in, peaks.rows(width), once]),
        b_ub=np.concatenate([net[out], np.maximum(import_limit, net[into]) - net[into], peaks.most, at_most]),
        A_eq=_storage(battery, n, width),
        b_eq=np.concatenate([[battery.energy * START / 1e5], np.zeros(n - 1)]),
        bounds=bounds,
        method="highs-ds",
        options={"time_limit": SECONDS},
    )
    if found.x is None or found.status != 0:
        raise Trouble(f"perfect foresight: the linear program of {n} quarters was not solved: {found.message}")
    return np.asarray(found.x)


def _import(quarters: NDArray[np.int64], n: int, width: int) -> sparse.csr_array:
    """c - d + e + k of some quarters, a row each."""
    count = len(quarters)
    rows = np.tile(np.arange(count), 4)
    columns = np.concatenate([block * n + quarters for block in range(4)])
    signs = np.repeat([1.0, -1.0, 1.0, 1.0], count)
    return sparse.csr_array((signs, (rows, columns)), shape=(count, width))


def _once(played: Played, ways: Ways, export: Vector, rated: float, width: int) -> tuple[sparse.csr_array, Vector]:
    """Rows and their right sides: what is fed in for more than it costs is not bought in the same quarter. As long as
    the way of a quarter is not settled, the two share it. `export`: kW at most."""
    net = played.net / 1000
    both = np.flatnonzero((played.sell > played.buy) & (export > SAME))
    most = np.minimum(np.maximum(net[both] + rated, 0.0), ways.import_[both])
    rows = _import(both, len(played), width).tolil()
    rows[np.arange(len(both)), 2 * len(played) + both] = 1.0 + most / export[both]
    return sparse.csr_array(rows), most - net[both]


def _storage(battery: Storage, n: int, width: int) -> sparse.csr_array:
    one, both = sparse.eye_array(n), battery.efficiency
    change, rest = one - sparse.eye_array(n, k=-1), sparse.csr_array((n, width - 5 * n))
    none = sparse.csr_array((n, n))
    return sparse.csr_array(sparse.block_array([[-HOUR * both * one, HOUR / both * one, none, none, change, rest]]))


def _prices(battery: Storage, played: Played, peaks: Peaks) -> Vector:
    buy, sell = played.buy, played.sell
    price = np.concatenate([
        buy * HOUR + TINY * HOUR, (battery.wear - buy) * HOUR, (buy - sell) * HOUR, buy * HOUR + TINY * HOUR,
        np.zeros(len(buy)), peaks.price,
    ])  # fmt: skip
    price[5 * len(buy) - 1] -= float(np.median(played.buy)) * battery.efficiency
    return price


def _bounds(terms: Terms, battery: Storage, net: Vector, peaks: Peaks, ways: Ways) -> NDArray[np.float64]:
    export_limit = terms.grid.export_limit / 1000
    n, rated, energy = len(net), terms.rated / 1000, battery.energy / 1000
    fed_in = np.maximum(rated - net, 0.0)
    allowed = np.minimum(fed_in, export_limit if terms.curtails else np.maximum(export_limit, -net))
    gives_way = np.minimum(fed_in - allowed, np.maximum(-net, 0.0)) if terms.curtails else np.zeros(n)
    allowed = np.minimum(allowed, ways.export)
    low = energy * min(battery.soc_min, START) / 100
    high = energy * max(battery.soc_max, START) / 100
    return np.column_stack([
        np.concatenate([np.zeros(4 * n), np.full(n, low), peaks.low]),
        np.concatenate([
            ways.charge, ways.discharge, allowed, gives_way, np.full(n, high), np.full(len(peaks.low), np.inf),
        ]),
    ])  # fmt: skip
