"""Prices on the local clock, right through the nights on which it jumps."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from optimizer.demand import period
from optimizer.tariff import Series, Source, prices, quotes, window
from schemas.tariff import DayAhead, Period, Side
from schemas.troubles import Trouble

BERLIN = ZoneInfo("Europe/Berlin")
LOS_ANGELES = ZoneInfo("America/Los_Angeles")
KOLKATA = ZoneInfo("Asia/Kolkata")
QUARTER = timedelta(minutes=15)

NIGHT = Side(period=[Period(price=0.10, start=time(22), end=time(6)), Period(price=0.20)])
EVENING = Side(
    period=[
        Period(price=0.22, start=time(16), end=time(21), months=[6, 7, 8, 9, 10]),
        Period(price=0.18, start=time(16), end=time(21)),
        Period(price=0.10, end=time(14), days=["sat", "sun"]),
        Period(price=0.10, end=time(6)),
        Period(price=0.13),
    ]
)


def local(*when: int, zone: ZoneInfo = BERLIN, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=zone, fold=fold).astimezone(UTC)  # type: ignore[misc, arg-type]


def day(year: int, month_: int, day_: int, zone: ZoneInfo = BERLIN) -> list[datetime]:
    """The quarter hours of a local day, however many it has."""
    at, end = local(year, month_, day_, zone=zone), local(year, month_, day_, zone=zone) + timedelta(hours=30)
    found = []
    while at < end and at.astimezone(zone).day == day_:
        found.append(at)
        at += QUARTER
    return found


@pytest.mark.parametrize(
    ("date", "quarters", "cheap"),
    [((2026, 3, 29), 92, 4 * 7), ((2026, 10, 25), 100, 4 * 9), ((2026, 10, 26), 96, 4 * 8)],
    ids=["the night that loses an hour", "the night that has one twice", "any other"],
)
def test_a_night_tariff_has_the_hours_the_night_has(date: tuple[int, int, int], quarters: int, cheap: int) -> None:
    found = prices(NIGHT, day(*date), BERLIN)
    assert len(found) == quarters
    assert found.count(0.10) == cheap


@pytest.mark.parametrize(
    ("when", "price"),
    [
        ((2026, 7, 1, 16, 0), 0.22),
        ((2026, 7, 1, 20, 59), 0.22),
        ((2026, 7, 1, 21, 0), 0.13),
        ((2026, 12, 1, 17, 0), 0.18),
        ((2026, 12, 5, 13, 0), 0.10),
        ((2026, 12, 5, 14, 0), 0.13),
        ((2026, 12, 4, 13, 0), 0.13),
        ((2026, 12, 4, 5, 59), 0.10),
    ],
)
def test_the_first_period_that_matches_holds(when: tuple[int, ...], price: float) -> None:
    assert prices(EVENING, [local(*when, zone=LOS_ANGELES)], LOS_ANGELES) == [price]


@pytest.mark.parametrize(
    ("when", "price"), [((2026, 6, 6, 3), 0.10), ((2026, 6, 8, 3), 0.20), ((2026, 6, 6, 23), 0.20)]
)
def test_a_period_across_midnight_belongs_to_the_day_it_began(when: tuple[int, ...], price: float) -> None:
    """Friday's night reaches into Saturday; Sunday's, which is not one of the days, does not reach into Monday."""
    workdays = Period(price=0.10, start=time(22), end=time(6), days=["mon", "tue", "wed", "thu", "fri"])
    assert prices(Side(period=[workdays, Period(price=0.20)]), [local(*when)], BERLIN) == [price]


def test_where_no_period_holds_the_outermost_price_is_taken_and_marked() -> None:
    """A plan is made all the same: it neither buys nor sells in an hour whose price nobody knows."""
    side = Side(period=[Period(price=0.1, start=time(6), end=time(22)), Period(price=0.3, days=["sun"])])
    when = [local(2026, 6, 10, 12), local(2026, 6, 10, 23)]
    assert quotes(side, when, BERLIN) == [(0.1, Source.OWN), (0.3, Source.OUTERMOST)]
    assert quotes(side, when, BERLIN, way="export") == [(0.1, Source.OWN), (0.1, Source.OUTERMOST)]


def test_no_prices_at_all_pay_nothing() -> None:
    assert prices(Side(), [local(2026, 6, 10, 23)], BERLIN) == [0.0]


def hourly(first: datetime, days: int) -> Series:
    """A price that says its weekday and local hour: 3.17 is Thursday 17 h; the year stands in the thousands."""
    starts = [first + timedelta(hours=hour) for hour in range(days * 24)]
    clocks = [start.astimezone(BERLIN) for start in starts]
    return Series(starts, [clock.year * 10 + clock.weekday() + clock.hour / 100 for clock in clocks])


YEARS = hourly(local(2020, 1, 1), 4 * 365 + 1)
REPEAT = Side(day_ahead=DayAhead(file="prices.csv", repeat=True))


def test_a_known_price_is_taken_as_it_is() -> None:
    side = Side(day_ahead=DayAhead(file="prices.csv", plus=0.10, times=2.0))
    assert prices(side, [local(2021, 7, 1, 17, 59)], BERLIN, YEARS) == [pytest.approx(20213.17 * 2 + 0.1)]


def test_a_floor_holds() -> None:
    side = Side(day_ahead=DayAhead(file="prices.csv", plus=-0.005, floor=0.0))
    series = Series([local(2021, 7, 1)], [-0.05])
    assert prices(side, [local(2021, 7, 1)], BERLIN, series) == [0.0]


@pytest.mark.parametrize("year", [2024, 2026, 2031, 2019, 2016])
def test_a_simulation_repeats_weekday_hour_and_season(year: int) -> None:
    for when in (local(year, 2, 10, 6), local(year, 7, 1, 17), local(year, 10, 27, 23)):
        clock = when.astimezone(BERLIN)
        (price,) = prices(REPEAT, [when], BERLIN, YEARS)
        assert price % 10 == pytest.approx(clock.weekday() + clock.hour / 100)


def test_a_simulation_repeats_the_year_that_is_nearest() -> None:
    (price,) = prices(REPEAT, [local(2024, 7, 4, 17)], BERLIN, YEARS)
    assert price // 10 == 2023


def test_beyond_the_market_the_same_hour_of_the_last_day_holds() -> None:
    side = Side(day_ahead=DayAhead(file="prices.csv"))
    (price,) = prices(side, [YEARS.starts[-1] + timedelta(hours=2)], BERLIN, YEARS)
    assert price == YEARS.at(YEARS.starts[-1] - timedelta(hours=22))


def test_a_market_without_prices_is_said() -> None:
    side = Side(day_ahead=DayAhead(file="prices.csv"))
    with pytest.raises(Trouble, match=r"prices.csv has no price for 2026-06-01 00:00 UTC"):
        prices(side, [datetime(2026, 6, 1, tzinfo=UTC)], BERLIN, YEARS)


@pytest.mark.parametrize(
    ("at", "zone", "minutes", "start"),
    [
        ((2026, 6, 10, 10, 14), BERLIN, 15, (2026, 6, 10, 10, 0)),
        ((2026, 6, 10, 10, 44), BERLIN, 60, (2026, 6, 10, 10, 0)),
        ((2026, 6, 10, 10, 44), KOLKATA, 60, (2026, 6, 10, 10, 30)),
        ((2026, 10, 25, 0, 59), BERLIN, 60, (2026, 10, 25, 0, 0)),
        ((2026, 10, 25, 1, 0), BERLIN, 60, (2026, 10, 25, 1, 0)),
    ],
    ids=["a quarter", "an hour", "an hour half an hour off", "the first 2 h", "the second 2 h"],
)
def test_billing_windows_stand_on_the_local_clock(
    at: tuple[int, ...], zone: ZoneInfo, minutes: int, start: tuple[int, ...]
) -> None:
    begin = local(*start, zone=ZoneInfo("UTC"))
    assert window(local(*at, zone=ZoneInfo("UTC")), zone, minutes) == (begin, begin + timedelta(minutes=minutes))


def test_months_are_local_and_touch() -> None:
    first, following = period(local(2026, 3, 31, 23, 59), BERLIN)
    assert (first, following) == (local(2026, 3, 1), local(2026, 4, 1))
    assert period(following, BERLIN)[0] == following
    assert following - first == timedelta(days=31) - timedelta(hours=1)
