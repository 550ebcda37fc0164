"""Which prices are known when."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from joulebus.backtest.prices import Prices
from schemas.tariff import Tariff

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2025, 3, 2, 23, tzinfo=UTC)
"""Monday in Berlin."""
TARIFF = Tariff.model_validate(
    {
        "import": {"day_ahead": {"file": "prices.csv", "plus": 10.0}, "layer": [{"name": "tax", "percent": 100.0}]},
        "export": {"day_ahead": {"file": "prices.csv"}},
    }
)


def prices(known: str, at: int = 0, more: float = 0.0) -> Prices:
    """A market that is dearer each hour and each day, and on a weekend by 50 less; from a quarter on by `more`."""
    days = np.arange(14)
    market = np.concatenate([100 + day + np.repeat(np.arange(24), 4) - 50 * (day % 7 > 4) for day in days]).astype(
        float
    )
    market[at:] += more
    markets = {"import": market, "export": market}
    return Prices(START, 2 * (market + 10), market, BERLIN, known, TARIFF, markets)  # type: ignore[arg-type]  # one of two words


@pytest.mark.parametrize(("hour", "days"), [(0, 9), (12, 9), (13, 10), (23, 10)])
def test_tomorrow_is_known_from_13_o_clock_on(hour: int, days: int) -> None:
    at = 8 * 96 + 4 * hour
    assert prices("day-ahead").known_until(at) == 96 * days
    assert prices("all").known_until(at) == 96 * 14


@pytest.mark.parametrize(("day", "kind"), [(9, "Wednesday"), (12, "Saturday")])
def test_beyond_it_is_what_is_told_live_with_all_that_the_tariff_adds(day: int, kind: str) -> None:
    noon, told, true = (day - 1) * 96 + 48, prices("day-ahead"), prices("all")
    assert (START.astimezone(BERLIN).replace(day=3 + day)).strftime("%A") == kind
    buy, sell = told.seen(noon, 144)
    assert buy[:48].tolist() == true.buy[noon : day * 96].tolist()
    assert sell[48:] == pytest.approx(true.sell[day * 96 : (day + 1) * 96], abs=6)  # each day is dearer by 1
    assert buy == pytest.approx(2 * (sell + 10))
    for known in (day * 96, day * 96 + 5):  # whatever comes then
        assert prices("day-ahead", known, 70.0).seen(noon, 144)[0].tolist() == buy.tolist()


def test_of_less_than_a_day_the_last_price_goes_on() -> None:
    file = prices("day-ahead")
    late = Prices(
        START,
        file.buy[48:],
        file.sell[48:],
        BERLIN,
        "day-ahead",
        TARIFF,
        {place: one[60:] for place, one in file.markets.items()},
    )
    assert np.isfinite(late.seen(0, 144)[0]).all()
