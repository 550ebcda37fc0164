"""The market prices of a tariff, for a part that may not know the planner's."""

import time
from pathlib import Path

from consumers.optimize.price_sources import PriceSources
from optimizer.tariff import Series
from schemas.site import Site
from schemas.troubles import Trouble
from schemas.units import utc_now


class MarketPrices:
    """Files and what was fetched, read again when they change. Prices of the topic are heard by the planner alone."""

    def __init__(self, state: Path) -> None:
        self._state = state
        self._sources: PriceSources | None = None

    def of(self, site: Site) -> dict[str, Series]:
        """By their place in the tariff, such as `import`. Raises Trouble that names the file and the line."""
        markets = site.prices.markets
        if deaf := next((place for place, rule in markets.items() if not rule.file and rule.fetch is None), ""):
            raise Trouble(f"{deaf}: prices of the topic are heard by the planner alone: give a file or fetch beside it")
        if self._sources is None or self._sources.site is not site:
            self._sources = PriceSources(site, self._state)
        return self._sources.series(utc_now(), time.time())
