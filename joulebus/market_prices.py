"""The market prices of a tariff, for a part that may not know the planner's."""

import time

from consumers.optimize.prices import PriceFiles
from optimizer.tariff import Series
from schemas.site import Site


class MarketPrices:
    """Read again when their files change."""

    def __init__(self) -> None:
        self._files = PriceFiles()

    def of(self, site: Site) -> dict[str, Series]:
        """By the side of the tariff, `import` and `export`. Raises Trouble that names the file and the line."""
        return {name: self._files.series(path, time.time()) for name, path in site.price_files.items()}
