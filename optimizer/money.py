"""What a quarter of an hour cost, and what it would have cost without the battery. Pure.

Without the battery its energy is put back at the meter. PV stays as it was measured: how much of it would have been
curtailed without the battery nobody measured. Money is in the tariff's currency, energy in Wh; None is unknown.
"""

from typing import NamedTuple

from optimizer.demand_share import Share
from schemas.flows import saved


class Energies(NamedTuple):
    """Of a quarter of an hour, as it was measured; each is >= 0 but `battery` and `stored`."""

    imported: float | None = None
    exported: float | None = None
    pv: float | None = None
    battery: float | None = None
    """What all batteries together gave, less what they took."""
    wear: float | None = None
    """Money: the wear of what they gave."""
    stored: float | None = None
    """How much more the cells hold at the end than at the beginning, by their SoC."""
    drawn: float | None = None
    """The mean power drawn, as Wh of the quarter: what a billed peak is made of; None where nothing was seen of it."""

    @property
    def load(self) -> float | None:
        """What the site used."""
        if self.imported is None or self.exported is None or self.pv is None or self.battery is None:
            return None
        return max(0.0, self.imported - self.exported + self.pv + self.battery)

    @property
    def drawn_without(self) -> float | None:
        """The same if the batteries had rested."""
        if self.drawn is None or self.exported is None or self.battery is None:
            return None
        return shifted(self.drawn, self.exported, self.battery)[0]

    @property
    def without(self) -> tuple[float, float] | None:
        """Import and export if the batteries had rested."""
        if self.imported is None or self.exported is None or self.battery is None:
            return None
        return shifted(self.imported, self.exported, self.battery)


def shifted(imported: float, exported: float, more: float) -> tuple[float, float]:
    """Import and export when the site draws `more` from the grid, or less where that is below 0.

    What was fed in is used up first, then more is drawn; the other way round what was drawn falls away first.
    """
    if more >= 0:
        kept = min(exported, more)
        return imported + more - kept, exported - kept
    spared = min(imported, -more)
    return imported - spared, exported - more - spared


class Prices(NamedTuple):
    """Per kWh."""

    buy: float
    sell: float
    stored: float | None = None
    """What a stored kWh is worth: see `worth_of_stored`."""


def worth_of_stored(buys: list[float], efficiency: float, wear: float) -> float | None:
    """A kWh in the cells saves what it costs on an average hour of its day, less the loss and the wear on its way out.

    `buys`: the import prices of the local day, as far as they are known.
    """
    return (sum(buys) / len(buys) - wear) * efficiency if buys else None


class Cost(NamedTuple):
    """Of a quarter of an hour. What the cells gained is no part of the bill and stands beside it."""

    energy: float
    """Import less what is paid for export."""
    demand: float
    """What this quarter has added to the charge for the highest draw of its period."""
    energy_without: float | None
    demand_without: float | None
    wear: float | None
    stored: float | None
    """What the change of the stored energy is worth."""

    @property
    def saved(self) -> float | None:
        """By the battery, its wear deducted."""
        return saved((self.energy, self.demand), (self.energy_without, self.demand_without), self.wear)


def paid(imported: float, exported: float, prices: Prices) -> float:
    """For energy."""
    return (imported * prices.buy - exported * prices.sell) / 1000


def cost(energies: Energies, prices: Prices, share: Share, share_without: Share) -> Cost | None:
    """None while it is not known what went through the meter."""
    if energies.imported is None or energies.exported is None:
        return None
    rest = energies.without
    worth = None if energies.stored is None or prices.stored is None else energies.stored * prices.stored / 1000
    return Cost(
        energy=paid(energies.imported, energies.exported, prices),
        demand=share.at(energies.drawn or 0.0),
        energy_without=None if rest is None else paid(*rest, prices),
        demand_without=None if rest is None else share_without.at(energies.drawn_without or 0.0),
        wear=energies.wear,
        stored=worth,
    )


def emitted(imported: float, intensity: float) -> float:
    """g of CO2 of what was drawn, at so many g per kWh. What is fed in is given no credit."""
    return imported * intensity / 1000
