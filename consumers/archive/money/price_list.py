"""What a kWh cost in a quarter of an hour, once it is known: a price that is only borrowed makes no bill."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.carbon_table import read_carbon
from optimizer.money import Prices, worth_of_stored
from optimizer.storage import Storage, together
from optimizer.tariff import Quote, Series, Source, quotes
from schemas.site import Site
from schemas.tariff import Tariff
from schemas.troubles import Trouble

QUARTER = timedelta(minutes=15)
BILLED = frozenset({Source.OWN, Source.OTHER_YEAR})
"""Whose price is billed: that of the hour, and where the tariff says so that of another year. Others are guesses."""
WRITING = 20.0
"""Seconds after a change in which a tariff file may still be written: half of it can be read without an error."""
CORRECTED = timedelta(days=3)
"""Markets correct their prices for so long."""


class PriceList:
    """The tariff of a site with the market's prices and the intensities, as they are known now."""

    def __init__(self, site: Site, series: Callable[[], Mapping[str, Series]]) -> None:
        self.site, self._read = site, series
        self._series: Mapping[str, Series] | None = None
        self._carbon: Series | None = None
        self._carbon_of: float | None = None
        self._changed = False
        self._stamp: float | None = None
        """When the tariff file was written that was read last; None before."""
        self._looked = 0.0
        self._tariffs = list[tuple[datetime, Tariff]]()
        """With the moment since which each holds."""
        self.said = list[str]()
        """For the log: that another tariff holds."""
        self._worth: dict[datetime, float | None] = {}

    def renew(self, wall: float) -> bool:
        """Read what has changed; False while there is no tariff that can be read. Raises Trouble for a file of prices
        or intensities, and for a changed tariff. `wall` is in seconds since 1970."""
        if self._stamp is None and (not self.site.tariff_path.is_file() or self._fresh(wall) or self.site.tariff_fault):
            return False
        self._renew_tariff(wall)
        found = self._read()
        before, self._series, self._worth = self._series, found, {}
        self._changed = before is not None and any(found[side] != before.get(side) for side in found)
        self._renew_carbon()
        return True

    def _fresh(self, wall: float) -> bool:
        return 0 <= wall - self.site.tariff_path.stat().st_mtime < WRITING

    def _renew_tariff(self, wall: float) -> None:
        """What begins after the tariff file was changed costs what stands in it now."""
        path = self.site.tariff_path
        stamp = path.stat().st_mtime if path.is_file() else self._stamp
        looked, self._looked = self._looked, wall
        if stamp == self._stamp or stamp is None or (self._tariffs and self._fresh(wall)):
            return
        self.site.renew_prices()
        # a file that was copied is older than the moment it came
        since = datetime.fromtimestamp(min(max(stamp, looked), wall), UTC)
        self._stamp = stamp
        if not self._tariffs:
            self._tariffs.append((datetime.min.replace(tzinfo=UTC), self.site.prices))
        elif self.site.prices != self._tariffs[-1][1]:
            self._tariffs.append((since, self.site.prices))
            self.said.append(f"{path} has changed: quarters that begin since {since:%Y-%m-%d %H:%M}Z are priced by it")

    def tariff(self, at: datetime) -> Tariff:
        """The one that held in a quarter, as far as it was read since the start."""
        return next(one for since, one in reversed(self._tariffs) if since <= at)

    def _renew_carbon(self) -> None:
        path = self.site.carbon_path
        if path is None:
            return
        try:
            stamp = path.stat().st_mtime
        except OSError as wrong:
            raise Trouble(f"{path} cannot be read: {wrong}") from wrong
        if stamp != self._carbon_of:
            self._carbon, self._carbon_of = read_carbon(path), stamp

    @property
    def series(self) -> Mapping[str, Series]:
        """The market prices by their place in the tariff, as they were read last."""
        return self._series or {}

    def changed(self, now: datetime) -> datetime | None:
        """Since when quarters are to be priced anew, where the market has told other prices."""
        return now - CORRECTED if self._changed else None

    def at(self, at: datetime) -> Prices | None:
        """Of a quarter; None while a price is not known."""
        buy, sell = self._quote("import", at), self._quote("export", at)
        return None if buy is None or sell is None else Prices(buy, sell, self._stored(at))

    def _quote(self, way: str, at: datetime) -> float | None:
        tariff, series = self.tariff(at), self.series
        found: Quote
        try:
            if way == "import":
                (found,) = quotes(tariff.import_, [at], self.site.zone, every=series)
            else:
                (found,) = quotes(tariff.export, [at], self.site.zone, way="export", every=series)
        except Trouble:
            return None
        return found.price if found.source in BILLED else None

    def _stored(self, at: datetime) -> float | None:
        begin, end, _ = local_day(at, self.site.zone)
        if begin not in self._worth and self.site.battery:
            count = (end - begin) // QUARTER
            buys = [self._quote("import", begin + number * QUARTER) for number in range(count)]
            cells: Storage = together(self.site.battery)
            self._worth[begin] = worth_of_stored([one for one in buys if one is not None], cells.efficiency, cells.wear)
        return self._worth.get(begin)

    def intensity(self, at: datetime) -> float | None:
        """g of CO2 per kWh; None where nobody says."""
        carbon = self.site.carbon
        if carbon is None or carbon.intensity is not None:
            return carbon.intensity if carbon else None
        return self._carbon.at(at) if self._carbon else None


def local_day(at: datetime, zone: ZoneInfo) -> tuple[datetime, datetime, str]:
    """Where the local day of an instant begins and ends, in UTC, and its date."""
    day = at.astimezone(zone).date()
    first, last = (datetime(one.year, one.month, one.day, tzinfo=zone) for one in (day, day + timedelta(days=1)))
    return first.astimezone(UTC), last.astimezone(UTC), day.isoformat()
