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
from time import monotonic
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from joulebus.backtest.before import Before
from joulebus.backtest.foresight_peaks import Peaks, peaks_of
from joulebus.backtest.score import HOUR, Played
from joulebus.backtest.site import Terms
from optimizer.record import Vector
from optimizer.storage import Storage
from schemas.troubles import Trouble

SECONDS = 300.0
"""Of one linear program."""
BRANCHING = 20.0
"""Seconds for all whole-number programs together."""
NEARLY = 1e-5
"""A whole-number program is solved to this part of its cost."""
HALF_FULL = Before()
SAME = 1e-3
"""kW."""
TINY = 1e-6
"""Per kWh: of equal schedules the one that moves less."""
CENT = 0.01


@dataclass(frozen=True)
class Best:
    """The cheapest schedule that was found."""

    power: Vector
    """W of the battery by quarter, positive discharging."""
    gap: float = 0.0
    """Money: nobody could have paid less than its cost less this."""
    rounds: int = 0
    """Of whole-number programs."""

    near: float = CENT
    """Money: a gap so small is none."""

    @property
    def exact(self) -> bool:
        """There is nothing cheaper, but for NEARLY of the cost."""
        return self.gap <= self.near


@dataclass
class Ways:
    """kW that each quarter may have at most, which settles its direction where the program would take both."""

    charge: Vector
    discharge: Vector
    import_: Vector
    """inf: not settled."""
    export: Vector

    def settle(self, torn: "Torn", x: Vector) -> None:
        """Each torn quarter goes the way it goes more."""
        charge, discharge, import_, export = torn.flows(x)
        burns, both = torn.battery, torn.grid
        self.charge[burns[charge[burns] < discharge[burns]]] = 0.0
        self.discharge[burns[charge[burns] >= discharge[burns]]] = 0.0
        self.import_[both[import_[both] <= export[both]]] = 0.0
        self.export[both[import_[both] > export[both]]] = 0.0


@dataclass
class Torn:
    """Quarters in which a linear program would charge and discharge at once, or buy and sell: their way is a whole
    number."""

    net: Vector
    """kW."""
    twice: NDArray[np.bool_]
    """More is paid for what is fed in than drawing costs."""
    battery: NDArray[np.int64]
    grid: NDArray[np.int64]

    def flows(self, x: Vector) -> tuple[Vector, Vector, Vector, Vector]:
        """kW charged, discharged, drawn and fed in."""
        n = len(self.net)
        charge, discharge, export, gives_way = x[: 4 * n].reshape(4, n)
        return charge, discharge, self.net + charge - discharge + export + gives_way, export

    def more(self, x: Vector) -> "Torn | None":
        """With those of a solution that are new; None where there are none."""
        charge, discharge, import_, export = self.flows(x)
        # where it pays to burn energy (negative prices) a battery still has one direction at a time
        burns = np.union1d(self.battery, np.flatnonzero(np.minimum(charge, discharge) > SAME))
        both = np.union1d(self.grid, np.flatnonzero(self.twice & (np.minimum(import_, export) > SAME)))
        new = len(burns) > len(self.battery) or len(both) > len(self.grid)
        return Torn(self.net, self.twice, burns, both) if new else None


@dataclass
class Program:
    """The linear program of a year; the bounds of its columns are those of the ways."""

    terms: Terms
    battery: Storage
    played: Played
    peaks: Peaks
    soc: float
    """% at the begin."""

    @property
    def n(self) -> int:
        return len(self.played)

    @property
    def width(self) -> int:
        return 5 * self.n + len(self.peaks.price)

    @property
    def net(self) -> Vector:
        """kW."""
        return self.played.net / 1000

    @property
    def rated(self) -> float:
        """kW."""
        return self.terms.rated / 1000

    def free(self) -> Ways:
        """No quarter is settled."""
        n = self.n
        return Ways(np.full(n, self.rated), np.full(n, self.rated), np.full(n, np.inf), np.full(n, np.inf))

    def rows(self, ways: Ways) -> tuple[sparse.csr_array, Vector]:
        """What is at most."""
        net, import_limit = self.net, self.terms.grid.import_limit / 1000
        # import >= 0, and <= its limit; what the site drives beyond by itself is no fault of a battery
        out, into = np.flatnonzero(net < self.rated), np.flatnonzero(net + self.rated > import_limit)
        least, most_in = _import(out, self.n, self.width), _import(into, self.n, self.width)
        export = self.bounds(ways)[2 * self.n : 3 * self.n, 1]
        once, at_most = _once(self.played, ways, export, self.rated, self.width)
        most = [net[out], np.maximum(import_limit, net[into]) - net[into], np.array(self.peaks.most), at_most]
        return sparse.vstack([-least, most_in, self.peaks.rows(self.width), once], format="csr"), np.concatenate(most)

    def storage(self) -> tuple[sparse.csr_array, Vector]:
        """What is equal."""
        begin = self.battery.energy * self.soc / 1e5
        return _storage(self.battery, self.n, self.width), np.concatenate([[begin], np.zeros(self.n - 1)])

    def bounds(self, ways: Ways) -> NDArray[np.float64]:
        """Low and high, a row a column."""
        return _bounds(self.terms, self.battery, self.net, self.peaks, ways, self.soc)

    def solve(self, ways: Ways) -> tuple[Vector, float]:
        """The columns and the cost, but for what is paid anyway. Raises Trouble where the solver finds no answer."""
        (most_of, most), (same_of, same) = self.rows(ways), self.storage()
        found = linprog(  # type: ignore[call-overload]  # scipy-stubs do not know that it takes sparse arrays
            _prices(self.battery, self.played, self.peaks),
            A_ub=most_of, b_ub=most, A_eq=same_of, b_eq=same, bounds=self.bounds(ways), method="highs-ds",
            options={"time_limit": SECONDS},
        )  # fmt: skip
        if found.x is None or found.status != 0:
            raise Trouble(f"perfect foresight: the linear program of {self.n} quarters was not solved: {found.message}")
        return np.asarray(found.x), float(found.fun)

    def branch(self, torn: Torn, seconds: float) -> tuple[Vector | None, float]:
        """With whole numbers for the ways of torn quarters: the columns, None where none came in time, and what the
        cost is not below."""
        ways = self.free()
        (most_of, most), (same_of, same) = self.rows(ways), self.storage()
        bounds = self.bounds(ways)
        ways_of, ways_most = _whole(torn, bounds[2 * self.n : 3 * self.n, 1], self.rated, self.width)
        count = ways_of.shape[1] - self.width
        wide = [sparse.csr_array((one.shape[0], count)) for one in (most_of, same_of)]
        found: Any = milp(
            np.concatenate([_prices(self.battery, self.played, self.peaks), np.zeros(count)]),
            constraints=[
                LinearConstraint(sparse.hstack([most_of, wide[0]], format="csc"), -np.inf, most),
                LinearConstraint(sparse.hstack([same_of, wide[1]], format="csc"), same, same),
                LinearConstraint(ways_of.tocsc(), -np.inf, ways_most),
            ],
            bounds=Bounds(np.append(bounds[:, 0], np.zeros(count)), np.append(bounds[:, 1], np.ones(count))),
            integrality=np.repeat([0, 1], [self.width, count]),
            options={"time_limit": seconds, "mip_rel_gap": NEARLY},
        )
        low = -np.inf if found.mip_dual_bound is None else float(found.mip_dual_bound)
        return (None if found.x is None else np.asarray(found.x)[: self.width]), low


def foresight(terms: Terms, played: Played, before: Before = HALF_FULL) -> Vector:
    """W of the battery by quarter, positive discharging. Raises Trouble where the solver finds no answer."""
    return best(terms, played, before).power


def best(terms: Terms, played: Played, before: Before = HALF_FULL, seconds: float = BRANCHING) -> Best:
    """The least cost. Where the linear program tears quarters, these alone become whole numbers, until none is torn, or
    `seconds` are over: then they are settled one way or the other, and the gap says what that may cost."""
    if terms.battery is None:
        return Best(np.zeros(len(played)))
    one = Program(terms, terms.battery, played, peaks_of(terms, played, before.made), before.soc)
    none = np.array([], dtype=np.int64)
    torn, rounds, ends = Torn(one.net, played.sell > played.buy, none, none), 0, monotonic() + seconds
    x, low = one.solve(one.free())
    while (found := torn.more(x)) is not None:
        torn, rounds = found, rounds + 1
        whole, least = one.branch(torn, max(1.0, ends - monotonic()))
        low = max(low, least)
        if whole is None or monotonic() > ends:
            return _settled(one, torn, x if whole is None else whole, low, rounds)
        x = whole
    return _best(one, x, low, rounds)


def _best(one: Program, x: Vector, low: float, rounds: int) -> Best:
    cost = float(_prices(one.battery, one.played, one.peaks) @ x)
    return Best(_power(x, one.n), max(0.0, cost - low), rounds, max(CENT, 2 * NEARLY * abs(cost)))


def _settled(one: Program, torn: Torn, x: Vector, low: float, rounds: int) -> Best:
    """A schedule for what is still torn."""
    ways = one.free()
    more: Torn | None = torn
    while more is not None:
        ways.settle(more, x)
        x = one.solve(ways)[0]
        more = more.more(x)
    return _best(one, x, low, rounds)


def _power(x: Vector, n: int) -> Vector:
    charge, discharge = x[:n], x[n : 2 * n]
    return 1000 * np.where(charge > discharge, -charge, discharge) * (np.abs(charge - discharge) > TINY)


def _whole(torn: Torn, export: Vector, rated: float, width: int) -> tuple[sparse.csr_array, Vector]:
    """Rows and their right sides, with a column for each way beyond `width`: c <= rated y, d <= rated (1 - y);
    import <= its most (1 - z), e <= its most z. `export`: kW at most."""
    n, burns, both = len(torn.net), torn.battery, torn.grid
    y, z = np.eye(len(burns)), np.eye(len(both))
    most = np.maximum(torn.net[both] + rated, 0.0)
    none, wide = np.zeros((len(both), len(burns))), np.zeros((len(burns), len(both)))
    left = [
        _column(burns, 0, n, width),
        _column(burns, 1, n, width),
        _import(both, n, width),
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


def _bounds(  # noqa: PLR0917  # the program, and its ways
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
