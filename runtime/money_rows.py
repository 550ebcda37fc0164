"""What a quarter of an hour and a local day cost, as the archive keeps it. Wh, g of CO2; None is unknown."""

from datetime import datetime
from typing import Any, NamedTuple

from schemas.flows import autarky, saved, self_consumption


class MoneyQuarter(NamedTuple):
    """Of the quarter of an hour that begins at `at`."""

    at: datetime
    imported: float
    exported: float
    drawn: float | None
    """By the power of the meter, as Wh: what a billed peak is made of."""
    pv: float | None
    battery: float | None
    """What all batteries gave, less what they took."""
    energy: float
    demand: float
    energy_without: float | None
    demand_without: float | None
    wear: float | None
    stored: float | None
    """What the change of the stored energy is worth: no part of the bill."""
    carbon: float | None
    carbon_without: float | None
    planned: float | None
    """Energy, demand and wear as the plan meant; the causes are how much dearer it came."""
    forecast: float | None
    derate: float | None
    grid_limit: float | None
    lost: float | None
    clamp: float | None
    operator: float | None
    unknown: float | None

    @property
    def saved(self) -> float | None:
        """By the battery, its wear deducted."""
        return saved((self.energy, self.demand), (self.energy_without, self.demand_without), self.wear)


class MoneyDay(NamedTuple):
    """Sums of the local day `day`, which begins at `at`; those of what is not always known are of where it is."""

    at: datetime
    day: str
    currency: str
    quarters: int
    compared: int
    """Quarters of which it is known what they would have cost without the battery: `saved` is of these."""
    planned_quarters: int
    """Quarters that had a plan: the causes are of these."""
    imported: float
    exported: float
    pv: float | None
    load: float | None
    energy: float
    demand: float
    energy_without: float | None
    demand_without: float | None
    wear: float | None
    saved: float | None
    stored: float | None
    carbon: float | None
    carbon_without: float | None
    planned: float | None
    forecast: float | None
    derate: float | None
    grid_limit: float | None
    lost: float | None
    clamp: float | None
    operator: float | None
    unknown: float | None

    @property
    def paid(self) -> float:
        """The bill with what the battery has worn."""
        return self.energy + self.demand + (self.wear or 0.0)

    @property
    def autarky(self) -> float | None:
        """The part of the load that came from the site itself, from 0 to 1."""
        return autarky(self.imported, self.load)

    @property
    def self_consumption(self) -> float | None:
        """The part of the PV that was not fed in, from 0 to 1."""
        return self_consumption(self.exported, self.pv)


def told(day: MoneyDay) -> dict[str, Any]:
    """What the page says of a day. `paid` is the sum of the three behind it; `saved` is of the `compared` quarters;
    None where none could be compared."""
    return {
        "currency": day.currency,
        "paid": day.paid,
        "energy": day.energy,
        "demand": day.demand,
        "wear": day.wear,
        "saved": day.saved,
        "stored": day.stored,
        "quarters": day.quarters,
        "compared": day.compared,
    }
