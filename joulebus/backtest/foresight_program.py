"""A year as one linear program, with every load, sun and price known, and how it is solved.

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
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from joulebus.backtest import foresight_rows
from joulebus.backtest.foresight_peaks import Peaks
from joulebus.backtest.foresight_ways import Torn, Ways
from joulebus.backtest.score import Played
from joulebus.backtest.site import Terms
from optimizer.record import Vector
from optimizer.storage import Storage
from schemas.troubles import Trouble

SECONDS = 300.0
"""Of one linear program."""
NEARLY = 1e-5
"""A whole-number program is solved to this part of its cost."""


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
        least, most_in = (
            foresight_rows.imports(out, self.n, self.width),
            foresight_rows.imports(into, self.n, self.width),
        )
        export = self.bounds(ways)[2 * self.n : 3 * self.n, 1]
        once, at_most = foresight_rows.one_way(self.played, ways, export, self.rated, self.width)
        most = [net[out], np.maximum(import_limit, net[into]) - net[into], np.array(self.peaks.most), at_most]
        return sparse.vstack([-least, most_in, self.peaks.rows(self.width), once], format="csr"), np.concatenate(most)

    def storage(self) -> tuple[sparse.csr_array, Vector]:
        """What is equal."""
        begin = self.battery.energy * self.soc / 1e5
        return foresight_rows.storage(self.battery, self.n, self.width), np.concatenate([[begin], np.zeros(self.n - 1)])

    def bounds(self, ways: Ways) -> NDArray[np.float64]:
        """Low and high, a row a column."""
        return foresight_rows.bounds(self.terms, self.battery, self.net, self.peaks, ways, self.soc)

    def solve(self, ways: Ways) -> tuple[Vector, float]:
        """The columns and the cost, but for what is paid anyway. Raises Trouble where the solver finds no answer."""
        (most_of, most), (same_of, same) = self.rows(ways), self.storage()
        found = linprog(  # type: ignore[call-overload]  # scipy-stubs do not know that it takes sparse arrays
            foresight_rows.prices(self.battery, self.played, self.peaks),
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
        ways_of, ways_most = foresight_rows.whole_numbers(
            torn, bounds[2 * self.n : 3 * self.n, 1], self.rated, self.width
        )
        count = ways_of.shape[1] - self.width
        wide = [sparse.csr_array((one.shape[0], count)) for one in (most_of, same_of)]
        found: Any = milp(
            np.concatenate([foresight_rows.prices(self.battery, self.played, self.peaks), np.zeros(count)]),
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
