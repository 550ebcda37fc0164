"""Which prices are known when."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from joulebus.backtest.prices import Prices

BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2025, 3, 2, 23, tzinfo=UTC)
"""Monday in Berlin."""


def prices(known: str) -> Prices:
    day = np.repeat(np.arange(24), 4)
    buy = np.concatenate([100 * number + day for number in range(14)]).astype(float)
    return Prices(START, buy, buy / 2, BERLIN, known)  # type: ignore[arg-type]  # one of two words


@pytest.mark.parametrize(("hour", "days"), [(0, 9), (12, 9), (13, 10), (23, 10)])
def test_tomorrow_is_known_from_13_o_clock_on(hour: int, days: int) -> None:
    at = 8 * 96 + 4 * hour
    assert prices("day-ahead").known_until(at) == 96 * days
    assert prices("all").known_until(at) == 96 * 14


def test_beyond_it_is_as_the_latest_day_of_its_kind() -> None:
    tuesday_noon = 8 * 96 + 48
    buy, sell = prices("day-ahead").seen(tuesday_noon, 144)
    assert buy[:48].tolist() == prices("all").buy[tuesday_noon : 9 * 96].tolist()
    assert buy[48:].tolist() == prices("all").buy[8 * 96 : 9 * 96].tolist()  # Wednesday as Tuesday
    assert sell.tolist() == (buy / 2).tolist()


def test_a_saturday_is_as_the_saturday_before() -> None:
    friday_noon = 11 * 96 + 48
    buy, _ = prices("day-ahead").seen(friday_noon, 144)
    assert buy[48:].tolist() == prices("all").buy[5 * 96 : 6 * 96].tolist()
