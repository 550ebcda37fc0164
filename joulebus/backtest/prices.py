"""The prices of a run, and which of them are known when: a tariff's always, a market's from its auction on."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from math import nan
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from joulebus.backtest.data import DAY, WEEK, Quarters
from joulebus.backtest.site import Known, Terms, market
from optimizer.forecast.prices import LEARNED, with_forecasts
from optimizer.record import QUARTER, Vector
from optimizer.tariff import Series, Source, Way, quotes
from schemas.tariff import DayAhead, Side, Tariff
from schemas.troubles import Trouble

PUBLISHED = 13
"""o'clock on the site's clock: from then on the prices of the next local day are known (the auction of the European
market coupling is published at 12:45 to 13:00 CET)."""
MARGIN = 2 * DAY
"""Quarters beyond the end, and beyond the known: a plan looks so far."""
BEFORE = LEARNED // QUARTER + DAY
"""Quarters before the first: what is told beyond the known is learned from them."""


@dataclass(frozen=True)
class Prices:
    """Per kWh by quarter, from `start` on."""

    start: datetime
    buy: Vector
    sell: Vector
    zone: ZoneInfo
    known: Known
    tariff: Tariff
    markets: Mapping[str, Vector]
    """The prices of its markets as they are published, by their place in it; nan where there are none."""
    _told: dict[int, tuple[Vector, Vector]] = field(default_factory=dict, compare=False)
    """What was told of the quarters from one on, while no more was known."""

    @cached_property
    def _days(self) -> NDArray[np.int64]:
        """The number of the quarter at which each local day begins, and the end."""
        locals_ = [(self.start + i * QUARTER).astimezone(self.zone) for i in range(len(self.buy))]
        changes = [i for i, one in enumerate(locals_) if i == 0 or one.date() != locals_[i - 1].date()]
        return np.array([*changes, len(self.buy)], dtype=np.int64)

    def known_until(self, at: int) -> int:
        """The number of the quarter from which on no price is known at the quarter `at`."""
        if self.known == "all":
            return len(self.buy)
        day = int(np.searchsorted(self._days, at, side="right"))
        published = (self.start + at * QUARTER).astimezone(self.zone).hour >= PUBLISHED
        return int(self._days[min(day + published, len(self._days) - 1)])

    def seen(self, at: int, count: int) -> tuple[Vector, Vector]:
        """What is known at a quarter of it and of those after it, and of the rest what is told live."""
        until, end = self.known_until(at), at + count
        if until >= end:
            return self.buy[at:end], self.sell[at:end]
        if until not in self._told:
            self._told.clear()
            self._told[until] = self._foretold(until)
        buy, sell = (one[: end - until] for one in self._told[until])
        return np.concatenate([self.buy[at:until], buy]), np.concatenate([self.sell[at:until], sell])

    def _foretold(self, until: int) -> tuple[Vector, Vector]:
        """Of the quarters from the first one on that is not known; nothing is looked at from there on."""
        begin, instants = (
            max(0, until - LEARNED // QUARTER),
            [self.start + (until + i) * QUARTER for i in range(MARGIN)],
        )
        cut = {place: self._series(one, begin, until) for place, one in self.markets.items()}
        every = with_forecasts(self.tariff, cut, instants[-1] + QUARTER, self.zone)
        sides: tuple[tuple[Way, Side, Vector], ...] = (
            ("import", self.tariff.import_, self.buy),
            ("export", self.tariff.export, self.sell),
        )
        found = []
        for way, side, known in sides:
            try:
                found.append(np.array([one.price for one in quotes(side, instants, self.zone, way=way, every=every)]))
            except Trouble:  # a file that begins today: less than a day is known
                found.append(np.full(MARGIN, known[until - 1]))
        return found[0], found[1]

    def _series(self, raw: Vector, begin: int, until: int) -> Series:
        known = begin + np.flatnonzero(~np.isnan(raw[begin:until]))
        return Series([self.start + int(i) * QUARTER for i in known], raw[known].tolist(), QUARTER)


def of(terms: Terms, found: Quarters, first: int, last: int, count: Counter[str]) -> tuple[Terms, Prices]:
    """The tariff with the CSV's prices in it, and all prices from four weeks before the first to beyond the last.

    Raises Trouble where the tariff has no price at all.
    """
    terms = market(
        terms,
        *(
            _series(found, one, (first, last), count, way)
            for one, way in ((found.buy, "import"), (found.sell, "export"))
        ),
    )
    begin = max(0, first - BEFORE)
    instants = [found.start + i * QUARTER for i in range(begin, last + MARGIN)]
    scored = slice(first - begin, last - begin)
    known = terms.known if terms.tariff.markets else "all"  # what a tariff says by the hour is always known
    markets = terms.tariff.markets if known == "day-ahead" else {}
    return terms, Prices(
        instants[0],
        _side(terms, "import", instants, scored, count),
        _side(terms, "export", instants, scored, count),
        terms.zone,
        known,
        terms.tariff,
        {place: _market(rule, terms.series.get(place), instants, terms.zone) for place, rule in markets.items()},
    )


def _market(rule: DayAhead, series: Series | None, instants: Sequence[datetime], zone: ZoneInfo) -> Vector:
    """What a market says by quarter, as it is played; nan where it has no price."""
    plain = Side(day_ahead=rule.model_copy(update={"times": 1.0, "plus": 0.0, "floor": None}))

    def price(at: datetime) -> float:
        try:
            return quotes(plain, [at], zone, series)[0].price
        except Trouble:
            return nan

    return np.array([price(at) for at in instants])


def _side(terms: Terms, way: Way, instants: Sequence[datetime], scored: slice, count: Counter[str]) -> Vector:
    side = terms.tariff.import_ if way == "import" else terms.tariff.export
    try:
        quoted = quotes(side, instants, terms.zone, terms.series.get(way), way=way, every=terms.series)
    except Trouble:  # of the days before, in which nothing is billed, a market may have none
        quoted = quotes(side, instants[scored.start :], terms.zone, terms.series.get(way), way=way, every=terms.series)
        quoted = [*([quoted[0]] * scored.start), *quoted]
    for source, words in (
        (Source.OUTERMOST, f"{way}_hours_without_a_price_in_the_tariff_taken_at_the_worst"),
        (Source.OTHER_DAY, f"{way}_prices_of_another_day"),
        (Source.OTHER_YEAR, f"{way}_prices_of_another_year"),
    ):
        count[words] += sum(one.source is source for one in quoted[scored])
    return np.array([one.price for one in quoted])


def _series(
    found: Quarters, given: Vector | None, scored: tuple[int, int], count: Counter[str], way: str
) -> Series | None:
    """A CSV's prices as a market's, without gaps up to beyond the last quarter."""
    if given is None:
        return None
    first, last = scored
    begin = max(0, first - BEFORE)
    whole = np.concatenate([given[:last], np.full(max(0, last + MARGIN - len(given[:last])), np.nan)])[begin:]
    known = np.flatnonzero(~np.isnan(whole))
    if not len(known):
        raise Trouble(f"{way}_price_eur_per_kwh has no value from {found.start + first * QUARTER:%Y-%m-%d} on")
    missing = int(np.isnan(whole[first - begin : last - begin]).sum())
    count[f"{way}_prices_missing_taken_from_the_week_or_day_before"] += missing
    for i in np.flatnonzero(np.isnan(whole)).tolist():
        whole[i] = next(
            (whole[i - b] for b in (WEEK, DAY, 1) if i >= b and not np.isnan(whole[i - b])), whole[known[0]]
        )
    starts = [found.start + i * QUARTER for i in range(begin, begin + len(whole))]
    return Series(starts, whole.tolist(), timedelta(minutes=15))
