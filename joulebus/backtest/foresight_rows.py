"""The rows, prices and bounds of a year's program (`foresight_program` says what its columns are)."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from joulebus.backtest.foresight_peaks import Peaks
from joulebus.backtest.foresight_ways import SAME, Torn, Ways
from joulebus.backtest.score import HOUR, Played
from joulebus.backtest.site import Terms
from optimizer.record import Vector
from optimizer.storage import Storage

TINY = 1e-6
"""Per kWh: of equal schedules the one that moves less."""


def whole_numbers(torn: Torn, export: Vector, rated: float, width: int) -> tuple[sparse.csr_array, Vector]:
    """Rows and their right sides, with a column for each way beyond `width`: c <= rated y, d <= rated (1 - y);
    import <= its most (1 - z), e <= its most z. `export`: kW at most."""
    n, burns, both = len(torn.net), torn.battery, torn.grid
    y, z = np.eye(len(burns)), np.eye(len(both))
    most = np.maximum(torn.net[both] + rated, 0.0)
    none, wide = np.zeros((len(both), len(burns))), np.zeros((len(burns), len(both)))
    left = [
        _column(burns, 0, n, width),
        _column(burns, 1, n, width),
        imports(both, n, width),
        _column(both, 2, n, width),
    ]
    right = [
        np.hstack([-rated * y, wide]), np.hstack([rated * y, wide]),
        np.hstack([none, most[:, np.newaxis] * z]), np.hstack([none, -export[both][:, np.newaxis] * z]),
    ]  # fmt: skip
    at_most = [np.zeros(len(burns)), np.full(len(burns), rated), most - torn.net[both], np.zeros(len(both))]
    rows = sparse.vstack(
        [sparse.hstack([a, sparse.csr_array(b)]) for a, b in zip(left, right, strict=True)], format="csr"
    )
    return rows, np.concatenate(at_most)


def _column(quarters: NDArray[np.int64], block: int, n: int, width: int) -> sparse.csr_array:
    """A block's column of some quarters, a row each."""
    count = len(quarters)
    return sparse.csr_array((np.ones(count), (np.arange(count), block * n + quarters)), shape=(count, width))


def imports(quarters: NDArray[np.int64], n: int, width: int) -> sparse.csr_array:
    """c - d + e + k of some quarters, a row each."""
    count = len(quarters)
    rows = np.tile(np.arange(count), 4)
    columns = np.concatenate([block * n + quarters for block in range(4)])
    signs = np.repeat([1.0, -1.0, 1.0, 1.0], count)
    return sparse.csr_array((signs, (rows, columns)), shape=(count, width))


def one_way(played: Played, ways: Ways, export: Vector, rated: float, width: int) -> tuple[sparse.csr_array, Vector]:
    """Rows and their right sides: what is fed in for more than it costs is not bought in the same quarter. As long as
    the way of a quarter is not settled, the two share it. `export`: kW at most."""
    net = played.net / 1000
    both = np.flatnonzero((played.sell > played.buy) & (export > SAME))
    most = np.minimum(np.maximum(net[both] + rated, 0.0), ways.import_[both])
    rows = imports(both, len(played), width).tolil()
    rows[np.arange(len(both)), 2 * len(played) + both] = 1.0 + most / export[both]
    return sparse.csr_array(rows), most - net[both]


def storage(battery: Storage, n: int, width: int) -> sparse.csr_array:
    one, both = sparse.eye_array(n), battery.efficiency
    change, rest = one - sparse.eye_array(n, k=-1), sparse.csr_array((n, width - 5 * n))
    none = sparse.csr_array((n, n))
    return sparse.csr_array(sparse.block_array([[-HOUR * both * one, HOUR / both * one, none, none, change, rest]]))


def prices(battery: Storage, played: Played, peaks: Peaks) -> Vector:
    buy, sell = played.buy, played.sell
    price = np.concatenate([
        buy * HOUR + TINY * HOUR, (battery.wear - buy) * HOUR, (buy - sell) * HOUR, buy * HOUR + TINY * HOUR,
        np.zeros(len(buy)), peaks.price,
    ])  # fmt: skip
    price[5 * len(buy) - 1] -= float(np.median(played.buy)) * battery.efficiency
    return price


def bounds(  # noqa: PLR0917  # the program, and its ways
    terms: Terms, battery: Storage, net: Vector, peaks: Peaks, ways: Ways, soc: float
) -> NDArray[np.float64]:
    export_limit = terms.grid.export_limit / 1000
    n, rated, energy = len(net), terms.rated / 1000, battery.energy / 1000
    fed_in = np.maximum(rated - net, 0.0)
    allowed = np.minimum(fed_in, export_limit if terms.curtails else np.maximum(export_limit, -net))
    gives_way = np.minimum(fed_in - allowed, np.maximum(-net, 0.0)) if terms.curtails else np.zeros(n)
    allowed = np.minimum(allowed, ways.export)
    low = energy * min(battery.soc_min, soc) / 100
    high = energy * max(battery.soc_max, soc) / 100
    return np.column_stack([
        np.concatenate([np.zeros(4 * n), np.full(n, low), peaks.low]),
        np.concatenate([
            ways.charge, ways.discharge, allowed, gives_way, np.full(n, high), np.full(len(peaks.low), np.inf),
        ]),
    ])  # fmt: skip
