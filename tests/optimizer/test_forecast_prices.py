"""Market prices beyond the known: usual for that hour of such a day, at the level of the last ones."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from optimizer.forecast.price_skill import price_skill
from optimizer.forecast.prices import forecast, with_forecasts
from optimizer.published import Published, Row
from optimizer.shortage import shortages
from optimizer.tariff import Series, Source, quotes
from schemas.tariff import Tariff

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
FIRST_OF_MAY = date(2025, 5, 1)
"""A Thursday."""
Price = Callable[[datetime], float]


def midnight(day: date) -> datetime:
    return datetime.combine(day, time(), BERLIN).astimezone(UTC)


def known(first: date, end: date, price: Price, step: timedelta = HOUR) -> Series:
    """Of whole local days."""
    starts = [midnight(first)]
    while starts[-1] + step < midnight(end):
        starts.append(starts[-1] + step)
    return Series(starts, [price(at.astimezone(BERLIN)) for at in starts], step)


def usual(local: datetime) -> float:
    """Of working days, and of weekends."""
    return (0.05 if local.weekday() < 5 else 0.01) + 0.001 * local.hour


def told(series: Series, days: int = 3, off: Sequence[date] = ()) -> list[tuple[datetime, float]]:
    assert series.end is not None
    found = forecast(series, series.end + days * DAY, BERLIN, off)
    return [] if found is None else [*zip(found.starts, found.prices, strict=True)]


@pytest.mark.parametrize(
    ("first", "end", "step"),
    [
        (date(2025, 4, 28), date(2025, 5, 23), HOUR),
        (date(2025, 4, 28), date(2025, 5, 23), HOUR / 4),
        (date(2025, 5, 16), date(2025, 5, 24), HOUR),
        (date(2025, 3, 3), date(2025, 3, 29), HOUR),
        (date(2025, 10, 1), date(2025, 10, 25), HOUR),
    ],
    ids=["into a weekend", "by quarter hours", "a week is known", "the clock goes forward", "and back"],
)
def test_a_week_like_the_last_ones_is_told_as_it_comes(first: date, end: date, step: timedelta) -> None:
    found = told(known(first, end, usual, step))
    assert found[0][0] == midnight(end)
    assert [price for _, price in found] == pytest.approx([usual(at.astimezone(BERLIN)) for at, _ in found])


def test_the_last_days_say_how_far_off_it_is_and_a_holiday_is_a_sunday() -> None:
    def dearer(local: datetime) -> float:
        return usual(local) + (0.1 if local.date() >= date(2025, 4, 29) else 0.0)

    plain = dict(told(known(date(2025, 4, 4), FIRST_OF_MAY, dearer), 1))
    feast = dict(told(known(date(2025, 4, 4), FIRST_OF_MAY, dearer), 1, [FIRST_OF_MAY]))
    for at, price in plain.items():
        assert 0.07 < price - usual(at.astimezone(BERLIN)) < 0.1
        assert 0.035 < price - feast[at] < 0.06


@pytest.mark.parametrize(("hours", "says"), [(23, False), (24, True), (25, True)])
def test_with_a_day_known_it_is_as_that_day(hours: int, says: bool) -> None:
    begin = midnight(date(2025, 5, 20))
    series = Series([begin + i * HOUR for i in range(hours)], [float(i % 24) for i in range(hours)])
    hours_told = [price for _, price in told(series, 1)][::4]
    assert hours_told == pytest.approx([(hours + i) % 24 for i in range(24)] if says else [])


def test_it_ends_eight_days_after_the_last_price_and_goes_on_from_the_middle_of_a_day() -> None:
    whole = known(date(2025, 4, 28), date(2025, 5, 23), usual)
    part = replace(whole, starts=whole.starts[:-6], prices=whole.prices[:-6])
    found = told(part, 20)
    assert part.end == midnight(date(2025, 5, 23)) - 6 * HOUR == found[0][0]
    assert found[-1][0] == part.end + 8 * DAY - HOUR / 4
    assert [price for _, price in found] == pytest.approx([usual(at.astimezone(BERLIN)) for at, _ in found])


def test_a_tariff_adds_its_layers_and_nobody_is_billed_by_it_nor_is_a_shortage_hidden() -> None:
    tariff = Tariff.model_validate(
        {"import": {"day_ahead": {"file": "p.csv"}, "layer": [{"name": "tax", "percent": 100.0}]}}
    )
    series = known(date(2025, 4, 28), date(2025, 5, 23), usual)
    rows = [Row(0, at, p, at + HOUR) for at, p in zip(series.starts, series.prices, strict=True)]
    gone = Published.of([*rows[:-10], *rows[-5:]]).series
    now = midnight(date(2025, 5, 22))
    every = with_forecasts(tariff, {"import": gone}, now + 2 * DAY, BERLIN)
    asked = [now, now + 15 * HOUR, now + DAY]
    found = quotes(tariff.import_, asked, BERLIN, every=every)
    assert [one.source for one in found] == [Source.OWN, Source.OTHER_DAY, Source.FORECAST]
    assert [one.price for one in found] == pytest.approx([2 * usual(at.astimezone(BERLIN)) for at in asked])
    (short,) = shortages(tariff, {"import": gone}, now + 20 * HOUR, BERLIN)
    assert short.urgent
    assert "2025-05-23 00:00 on are forecast from the days before" in short.words


def test_how_far_off_it_was_is_judged_as_it_would_have_been_told_the_day_before() -> None:
    tariff = Tariff.model_validate({"import": {"day_ahead": {"file": "p.csv"}}})

    def dearer(local: datetime) -> float:
        return usual(local) + (0.07 if local.date() == date(2025, 5, 22) else 0.0)

    def judged(first: date, price: Price) -> list[Any]:
        series = known(first, date(2025, 5, 23), price)
        found = price_skill(tariff, {"import": series, "export": series}, BERLIN)
        return [(one.of, one.days, one.bias, one.mae) for one in found]

    assert judged(date(2025, 4, 21), usual) == [("import", 14, pytest.approx(0), pytest.approx(0))]
    assert judged(date(2025, 4, 21), dearer) == [("import", 14, pytest.approx(0.005), pytest.approx(0.005))]
    assert [days for _, days, _, _ in judged(date(2025, 5, 12), dearer)] == [4]
    assert judged(date(2025, 5, 20), dearer) == []
