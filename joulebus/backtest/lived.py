"""What was measured in the quarters that are played while a battery worked: what another power of it changes is told
from there.

A quarter's mean cannot show a load that swings around 0, nor a model the losses of a PCS. Where a strategy does what
the battery did, the meter counts and the cells hold what they did; elsewhere the difference alone is reckoned. Powers
are in W, nan where nothing is known.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optimizer.money import shifted
from optimizer.record import Vector


class Flow(NamedTuple):
    """Through the grid connection in a quarter of an hour: means in W, each >= 0."""

    imported: float
    exported: float
    drawn: float
    """By the power of the meter: what a billed peak is made of."""

    @property
    def grid(self) -> float:
        """What was drawn less what was fed in."""
        return self.imported - self.exported


@dataclass(frozen=True)
class Lived:
    """By quarter."""

    battery: Vector
    """What it gave, less what it took."""
    imported: Vector
    exported: Vector
    drawn: Vector
    gained: Vector
    """W that the cells took up, by their SoC."""
    soc: Vector
    """% at the end of each quarter."""
    given: Vector
    """What it gave, without what it took meanwhile: that wears it."""

    def flow(self, i: int, battery: float) -> Flow | None:
        """With another power of the battery, as the ledger of the archive tells what it would be without; None where
        it was not measured."""
        more, imported, exported = float(self.battery[i]) - battery, float(self.imported[i]), float(self.exported[i])
        if np.isnan(more) or np.isnan(imported) or np.isnan(exported):
            return None
        drawn = imported if np.isnan(self.drawn[i]) else float(self.drawn[i])
        return Flow(*shifted(imported, exported, more), shifted(drawn, exported, more)[0])

    def part(self, begin: int, end: int) -> "Lived":
        """Of some quarters."""
        each = self.battery, self.imported, self.exported, self.drawn, self.gained, self.soc, self.given
        return Lived(*(one[begin:end] for one in each))
