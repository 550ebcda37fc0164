"""Where the prices of a plan are not the tariff's own: from when on, why, and whether an operator must act. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.published import gap
from optimizer.tariff import Series, Source, Way, quotes
from schemas.tariff import Side, Tariff

AHEAD = timedelta(hours=36)
"""A plan reaches past the next day's evening, so that its end does not show in the morning."""
QUARTER = timedelta(minutes=15)
SOON = timedelta(hours=6)
"""The market publishes the next day at about 13 h: who knows less than six hours ahead has missed that."""


@dataclass(frozen=True)
class Shortage:
    """Prices that are missing within the horizon of a plan."""

    words: str
    """Which side, since when, and what is taken instead."""
    urgent: bool
    """Somebody has to look: it is more than the next day that is not published yet."""


def shortages(tariff: Tariff, series: Mapping[str, Series], now: datetime, zone: ZoneInfo) -> list[Shortage]:
    """What is missing in the next 36 h, a sentence a side. Raises Trouble where there is no price at all."""
    sides: tuple[tuple[Way, Side], ...] = (("import", tariff.import_), ("export", tariff.export))
    found = [_of_side(way, side, series, now, zone) for way, side in sides]
    return [one for one in found if one is not None]


def _of_side(way: Way, side: Side, every: Mapping[str, Series], now: datetime, zone: ZoneInfo) -> Shortage | None:
    instants = [now + QUARTER * step for step in range(round(AHEAD / QUARTER))]
    sources = [one.source for one in quotes(side, instants, zone, way=way, every=every)]
    lent = (Source.OTHER_DAY, Source.OUTERMOST)
    strange = [at for at, source in zip(instants, sources, strict=True) if source in lent]
    if not strange:
        return None
    markets = {place: every.get(f"{way}.{place}".removesuffix("."), Series([], [])) for place in side.markets}
    place = next((one for one, known in markets.items() if known.known(strange[0], zone) is None), None)
    if place is None:
        taken = "the dearest price is taken" if way == "import" else "the lowest price is taken"
        others = f", nor in {len(strange) - 1} more quarter hours of the next 36 h" if strange[1:] else ""
        words = f"no {way} price holds on {strange[0].astimezone(zone):%A %H:%M}{others}: {taken}"
        return Shortage(words, urgent=True)
    series, rule = markets[place], side.markets[place]
    begin, end = gap(series, strange[0])
    since, hole = begin or strange[0], end is not None
    until = f" to {end.astimezone(zone):%Y-%m-%d %H:%M}" if end else " on"
    taken = "borrowed" if hole else "forecast"
    words = f"{way} prices from {since.astimezone(zone):%Y-%m-%d %H:%M}{until} are {taken} from the days before"
    many = rule.many
    verb = ("have none there" if many else "has none there") if hole else ("end there" if many else "ends there")
    return Shortage(f"{words}: {rule.sources} {verb}", urgent=hole or since < now + SOON)
