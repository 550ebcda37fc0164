"""The least that a year can cost: one linear program over all of it, with every load, sun and price known.

Columns in kW and kWh, by quarter: charge c, discharge d, export e, PV that gives way k, energy E at the end; then what
is paid by the kW, `Peaks`. The import is net + c - d + e + k, so it needs no column of its own. Rows:

    E[t] - E[t-1] = h (eff c[t] - d[t] / eff)        each quarter
    net + c - d + e + k >= 0                         where PV and battery can exceed the load
    net + c - d + e + k <= import limit              where load and battery can exceed it
    mean of the import over a window <= its peak     where the window can reach the period's least peak

Dropped where they cannot bind, they leave a year's program (some 100,000 columns and rows) to be solved in seconds.
"""

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
TINY = 1e-6
"""Per kWh: of equal schedules the one that moves less."""
ROUNDS = 3
"""How often directions are fixed where energy would be burnt."""


def foresight(terms: Terms, played: Played) -> Vector:
    """W of the battery by quarter, positive discharging. Raises Trouble where the solver finds no answer."""
    battery = terms.battery
    if battery is None:
        return np.zeros(len(played))
    n, peaks = len(played), peaks_of(terms, played)
    most = np.full((2, n), terms.rated / 1000)
    for _ in range(ROUNDS):
        x = _solved(terms, battery, played, peaks, most)
        charge, discharge = x[:n], x[n : 2 * n]
        torn = np.minimum(charge, discharge) > 1e-3
        if not torn.any():
            break
        # where it pays to burn energy (negative prices) a battery still has one direction at a time
        most[0, torn & (charge < discharge)] = 0.0
        most[1, torn & (charge >= discharge)] = 0.0
    return 1000 * np.where(charge > discharge, -charge, discharge) * (np.abs(charge - discharge) > TINY)


def _solved(terms: Terms, battery: Storage, played: Played, peaks: Peaks, most: Vector) -> Vector:
    n, net, rated = len(played), played.net / 1000, terms.rated / 1000
    width = 5 * n + len(peaks.price)
    import_limit = terms.grid.import_limit / 1000
    # import >= 0, and <= its limit; what the site drives beyond by itself is no fault of a battery
    out, into = np.flatnonzero(net < rated), np.flatnonzero(net + rated > import_limit)
    least, most_in = _import(out, n, width), _import(into, n, width)
    found = linprog(  # type: ignore[call-overload]  # scipy-stubs do not know that it takes sparse arrays
        _prices(battery, played, peaks),
        A_ub=sparse.vstack([-least, most_in, peaks.rows(width)]),
        b_ub=np.concatenate([net[out], np.maximum(import_limit, net[into]) - net[into], peaks.most]),
        A_eq=_storage(battery, n, width),
        b_eq=np.concatenate([[battery.energy * START / 1e5], np.zeros(n - 1)]),
        bounds=_bounds(terms, battery, net, peaks, most),
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


def _storage(battery: Storage, n: int, width: int) -> sparse.csr_array:
    one, both = sparse.eye_array(n), battery.efficiency
    change, rest = one - sparse.eye_array(n, k=-1), sparse.csr_array((n, width - 5 * n))
    none = sparse.csr_array((n, n))
    return sparse.csr_array(sparse.block_array([[-HOUR * both * one, HOUR / both * one, none, none, change, rest]]))


def _prices(battery: Storage, played: Played, peaks: Peaks) -> Vector:
    buy, sell = played.buy, played.sell
    # what is fed in for more than it costs would be bought and sold at once: there one price holds for both ways
    twice = sell > buy
    same = np.where((buy < 0) | (played.net >= 0), buy, sell)
    buy, sell = np.where(twice, same, buy), np.where(twice, same, sell)
    price = np.concatenate([
        buy * HOUR + TINY * HOUR, (battery.wear - buy) * HOUR, (buy - sell) * HOUR, buy * HOUR + TINY * HOUR,
        np.zeros(len(buy)), peaks.price,
    ])  # fmt: skip
    price[5 * len(buy) - 1] -= float(np.median(played.buy)) * battery.efficiency
    return price


def _bounds(terms: Terms, battery: Storage, net: Vector, peaks: Peaks, most: Vector) -> NDArray[np.float64]:
    export_limit = terms.grid.export_limit / 1000
    n, rated, energy = len(net), terms.rated / 1000, battery.energy / 1000
    fed_in = np.maximum(rated - net, 0.0)
    allowed = np.minimum(fed_in, export_limit if terms.curtails else np.maximum(export_limit, -net))
    gives_way = np.minimum(fed_in - allowed, np.maximum(-net, 0.0)) if terms.curtails else np.zeros(n)
    low = energy * min(battery.soc_min, START) / 100
    high = energy * max(battery.soc_max, START) / 100
    return np.column_stack([
        np.concatenate([np.zeros(4 * n), np.full(n, low), peaks.low]),
        np.concatenate([most[0], most[1], allowed, gives_way, np.full(n, high), np.full(len(peaks.low), np.inf)]),
    ])  # fmt: skip
