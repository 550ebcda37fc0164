"""The market prices of a tariff, for a part that may not know the planner's."""

import time
from collections.abc import Sequence
from typing import Any

from consumers.optimize.price_sources import PriceSources
from optimizer.tariff import Series
from runtime.heard import Heard
from runtime.settings import Settings
from schemas import messages as m
from schemas.site import Site
from schemas.units import utc_now


class MarketPrices:
    """Files, what was fetched, and what was said on the topic: by the planner's own rules."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._sources: PriceSources | None = None
        self._last: dict[str, Series] = {}

    def of(self, site: Site, said: Sequence[Heard[Any]] = ()) -> dict[str, Series]:
        """By their place in the tariff, such as `import`; the same object while they are the same. `said`: on the topic
        since the last call. Raises Trouble that names the file and the line."""
        if self._sources is None or self._sources.site is not site:
            self._sources = PriceSources(site, self._settings.state, billing=True)
        for one in said:
            if isinstance(one.message, m.MarketPrices):  # judged as when it was said
                self._sources.hear(one, self._settings, min(one.message.at, utc_now()))
        found = self._sources.series(utc_now(), time.time())
        self._last = {place: _same(self._last.get(place), one) for place, one in found.items()}
        return self._last


def _same(before: Series | None, now: Series) -> Series:
    return before if before is not None and before == now else now
