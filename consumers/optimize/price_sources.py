"""Where the market prices of a plan come from: a topic, files, and what was fetched. Of one moment the topic's holds,
then that of a file, then a fetched one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from consumers.optimize.market_heard import MarketHeard
from consumers.optimize.prices import PriceFiles, files_of
from optimizer.price_documents.wanted import Wanted
from optimizer.published import Published, Row, join, stated
from optimizer.tariff import Series, Way
from runtime.heard import Heard
from runtime.settings import Settings
from runtime.signature import forgery
from schemas.messages import MarketPrices
from schemas.site import Site
from schemas.tariff import DayAhead
from schemas.topics import MARKET_PRICES
from schemas.troubles import Trouble


@dataclass
class PriceSources:
    """Of one site; `state` is the folder in which the fetcher keeps its documents."""

    site: Site
    state: Path
    billing: bool = False
    """Whether what was drawn is priced: then prices of the topic hold that are past, too."""
    files: PriceFiles = field(default_factory=PriceFiles)
    heard: MarketHeard | None = None
    faults: dict[str, str] = field(default_factory=dict)
    """What was wrong with a source when it was last looked at, while others go on."""
    notes: list[str] = field(default_factory=list)
    """Which source is silent, while others go on."""
    _early: tuple[Heard[Any], Settings] | None = None

    def hear(self, heard: Heard[Any], settings: Settings, now: datetime) -> str:
        """Prices came on the topic; gives why they are not followed, or nothing."""
        self._early = (heard, settings) if self.site.tariff_fault else None
        if self._early is not None:
            return ""
        if not any(rule.topic for rule in self.site.prices.markets.values()):
            return "the tariff does not name the topic: write topic = true in day_ahead"
        said = heard.message if isinstance(heard.message, MarketPrices) else None
        key, address = settings.price_key, MARKET_PRICES.at(site=self.site.site)
        forged = forgery(heard.payload, address, key) if key and heard.payload else ""
        market = self.heard = self.heard or MarketHeard(self.site.prices.currency)
        return market.hear(said, now, fault=forged or heard.fault, forged=forged)

    def recall(self, told: Sequence[Heard[Any]], settings: Settings, now: datetime) -> None:
        """What the archive has of the topic, in the order in which it was said; each is judged as it was then."""
        before = MarketHeard(self.site.prices.currency)
        for heard in told:
            if isinstance(heard.message, MarketPrices):
                said = heard.message
                key, address = settings.price_key, MARKET_PRICES.at(site=self.site.site)
                before.hear(said, min(said.at, now), forged=forgery(heard.payload, address, key) if key else "")
        self.heard = self.heard or MarketHeard(self.site.prices.currency)
        self.heard.recall(before, now)

    def young(self, wall: float) -> float:
        """Seconds until the files that were never read are surely whole."""
        paths = self.site.price_files
        found = [self.files.young(paths[place], wall, wanted(self.site, rule))
                 for place, rule in self.site.prices.markets.items() if place in paths]  # fmt: skip
        return max(found, default=0.0)

    def series(self, now: datetime, wall: float) -> dict[str, Series]:
        """The prices by their place in the tariff, such as `import`. Raises Trouble where a place has none at all."""
        self.faults, self.notes = {}, []
        if self._early is not None:  # it came while the tariff could not be read
            self.hear(*self._early, now)
        found = {place: self._of(place, rule, now, wall) for place, rule in self.site.prices.markets.items()}
        self.faults |= {str(path): "; ".join(words[:3]) for path, words in self.files.faults.items() if words}
        return found

    def _of(self, place: str, rule: DayAhead, now: datetime, wall: float) -> Series:
        parts = list[Series]()
        folder = fetched_folder(self.state, rule)
        if folder is not None and files_of(folder):
            self._read(parts, place, folder, wall, rule)
        if (path := self.site.price_files.get(place)) is not None:
            self._read(parts, place, path, wall, rule)
        rows = self._told(_way(place), now) if rule.topic else []
        if not parts and not rows:
            said = "; ".join(self.faults.values())
            raise Trouble(said or f"{place}: {rule.sources} {'have' if rule.many else 'has'} no price yet")
        if rule.topic and not any(row.end and row.end > now for row in rows):
            self.notes.append(f"{place}: the topic market/prices has no price from now on")
        if len(parts) == 1 and not rows:
            return parts[0]
        layers = [*(stated(one, self.site.zone) for one in parts), rows]
        return join([Published.of(one) for one in layers if one]).series

    def _told(self, way: Way, now: datetime) -> list[Row]:
        if self.heard is None:
            return []
        return [*(self.heard.used(way) if self.billing else self.heard.rows(way, now))]

    def _read(self, parts: list[Series], place: str, path: Path, wall: float, rule: DayAhead) -> None:
        try:
            parts.append(self.files.series(path, wall, wanted(self.site, rule)))
        except Trouble as wrong:
            self.faults[f"{place} {path}"] = str(wrong)


def _way(place: str) -> Way:
    """The side of the tariff that a place lies in."""
    return "import" if place.startswith("import") else "export"


def wanted(site: Site, rule: DayAhead) -> Wanted:
    """What is read of a document."""
    return Wanted(site.prices.currency, rule.area, rule.auction, rule.part, rule.minutes)


def fetched_folder(state: Path, rule: DayAhead) -> Path | None:
    """Where the documents are that are fetched for a side; None where none are."""
    if rule.fetch is None:
        return None
    return state / "prices" / "-".join(filter(None, (rule.fetch.from_, rule.area.replace("/", "_").lstrip("."))))
