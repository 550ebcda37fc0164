"""Which way a quarter goes, where a year's program would take both at once."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from optimizer.record import Vector

SAME = 1e-3
"""kW."""


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
