"""Price files as people get them: rows that come twice, that are corrected, left out, or that end."""

import gzip
import os
import time
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.optimize.prices import read_prices, read_published
from consumers.optimize.service import Optimize
from optimizer.published import Row, publish
from optimizer.shortage import shortages
from optimizer.tariff import Series, Source, quotes
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Cause
from schemas.tariff import Tariff
from schemas.troubles import Trouble
from schemas.units import utc_now
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_optimize_pure import CELLS, fold, said, told

BERLIN = ZoneInfo("Europe/Berlin")
HOUR = timedelta(hours=1)
DAY = datetime(2026, 1, 10, 23, tzinfo=UTC)
"""Midnight in Berlin."""
HEAD = "timestamp_utc,price_eur_per_mwh"
Prices = Iterable[tuple[datetime, float]]

TARIFF = Tariff.model_validate({"import": {"day_ahead": {"file": "prices.csv"}}})


def rows(prices: Prices, head: str = HEAD, between: str = ",") -> str:
    return "\n".join([head, *(f"{at:%Y-%m-%dT%H:%M:%SZ}{between}{price:g}" for at, price in prices), ""])


def hourly(first: datetime, prices: Iterable[float], step: timedelta = HOUR) -> list[tuple[datetime, float]]:
    return [(first + number * step, price) for number, price in enumerate(prices)]


def asked(series: Series, instants: Iterable[datetime]) -> list[float]:
    """EUR/MWh."""
    return [round(1000 * one.price, 3) for one in quotes(TARIFF.import_, [*instants], BERLIN, series)]


def written(folder: Path, text: str) -> Path:
    path = folder / "prices.csv"
    path.write_text(text, encoding="utf-8")
    return path


# 07 twice-the-same-moment: https://github.com/EnergieID/entsoe-py/issues/204


def test_a_correction_that_is_published_later_holds(tmp_path: Path) -> None:
    late = [*hourly(DAY, [80] * 48), (DAY + 30 * HOUR, 20), (DAY + 35 * HOUR, -5), (DAY + 35 * HOUR, 7)]
    published = read_published(written(tmp_path, rows(late)))[0]
    assert asked(published.series, [DAY + h * HOUR for h in (29, 30, 31, 35)]) == [80, 20, 80, 7]
    assert (published.corrected, published.repeated) == (3, 0)


@pytest.mark.parametrize("times", [2, 3])
def test_a_download_that_is_appended_again_changes_nothing(tmp_path: Path, times: int) -> None:
    late = [one for day in range(6) for one in hourly(DAY + 24 * day * HOUR, range(50, 74)) * times]
    series = read_prices(written(tmp_path, rows(late)))
    assert asked(series, [DAY + (120 + h) * HOUR for h in range(3)]) == [50, 51, 52]
    assert series.hold == HOUR


QUARTER = timedelta(minutes=15)
HOURS = hourly(DAY, [100] * 48)
QUARTERS = hourly(DAY, [60, 61, 62, 63] * 48, QUARTER)
BETWEEN = sorted([*HOURS, *QUARTERS], key=lambda one: one[0])
SEQUENCES = sorted([*HOURS, *hourly(DAY, [99] * 48)], key=lambda one: one[0])


@pytest.mark.parametrize(
    "both",
    [BETWEEN, HOURS + QUARTERS, QUARTERS + HOURS, SEQUENCES],
    ids=["between each other", "hours first", "quarters first", "two hourly ones"],
)
def test_two_auctions_in_one_file_are_refused_with_their_line(tmp_path: Path, both: Prices) -> None:
    with pytest.raises(Trouble, match=r"prices\.csv:\d+: a second price for 2026-01-1.*keep the rows of"):
        read_prices(written(tmp_path, rows(both)))


def test_a_market_that_goes_over_to_quarter_hours_is_one_series(tmp_path: Path) -> None:
    """As the day-ahead markets did on 1 October 2025."""
    later = DAY + 24 * HOUR
    series = read_prices(written(tmp_path, rows([*HOURS[:24], *hourly(later, [60, 61, 62, 63] * 24, QUARTER)])))
    instants = [later + step * QUARTER for step in (-4, -3, -1, 0, 1, 95)]
    assert asked(series, instants) == [100, 100, 100, 60, 61, 63]
    assert {one.source for one in quotes(TARIFF.import_, instants, BERLIN, series)} == {Source.OWN}


@given(st.permutations(range(24)), st.lists(st.integers(0, 23), max_size=30))
def test_neither_order_nor_repetition_changes_a_price(order: list[int], again: list[int]) -> None:
    table = [Row(number + 2, DAY + hour * HOUR, float(hour)) for number, hour in enumerate([*order, *again])]
    series = publish(table).series
    assert [series.at(DAY + hour * HOUR) for hour in range(24)] == list(range(24))


@pytest.mark.parametrize(
    ("date", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)], ids=["the short day", "the long day"]
)
def test_the_days_on_which_the_clock_is_set_have_each_hour_once(tmp_path: Path, date: str, hours: int) -> None:
    first = datetime.fromisoformat(date).replace(tzinfo=BERLIN)
    begin, local = first.astimezone(UTC), [first.astimezone(UTC) + hour * HOUR for hour in range(hours)]
    stamped = "\n".join(f"{at.astimezone(BERLIN).isoformat()},{number}" for number, at in enumerate(local))
    series = read_prices(written(tmp_path, f"{HEAD}\n{stamped}\n"))
    assert asked(series, [begin + hour * HOUR for hour in range(hours)]) == list(range(hours))
    assert series.end == (first + timedelta(days=1)).astimezone(UTC)


TWO = hourly(DAY, [12.5, -3.25])


@pytest.mark.parametrize(
    "content",
    [
        ("﻿" + rows(TWO)).encode(),
        rows(TWO).replace("\n", "\r\n").encode(),
        rows(TWO, "timestamp_utc;price_eur_per_mwh", ";").encode(),
        rows(TWO, "timestamp_utc;price_eur_per_mwh", ";").replace(".", ",").encode(),
        rows(TWO, "Timestamp_UTC\tPrice_EUR_per_MWh", "\t").encode(),
        rows(TWO).replace("\n", "\n\n,\n").encode(),
        (rows(TWO) + "2026-01-11T01:00:00Z,nan\n2026-01-11T02:00:00Z,\n2026-01-11T03:00:00Z\n").encode(),
        rows(TWO).replace("T", " ").replace("Z", "").encode(),
        rows(TWO).replace("T23:00:00Z", "T23:00:00+00:00").replace("T00:00:00Z", "T01:00:00+01:00").encode(),
        rows([(at, price / 1000) for at, price in TWO], "timestamp_utc,price_eur_per_kwh").encode(),
        rows([(at, price / 10) for at, price in TWO], "timestamp_utc,price_ct_per_kwh").encode(),
        b"\n" + rows(TWO).encode(),
    ],
    ids=["byte order mark", "CRLF", "semicolons", "decimal comma", "tabs", "empty lines", "no numbers", "no T and Z",
         "zones", "EUR/kWh", "ct/kWh", "an empty first line"],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_what_tools_write_is_read(tmp_path: Path, content: bytes, *, packed: bool) -> None:
    path = tmp_path / ("prices.csv.gz" if packed else "prices.csv")
    path.write_bytes(gzip.compress(content) if packed else content)
    assert asked(read_prices(path), [DAY, DAY + HOUR]) == [12.5, -3.25]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (f"{HEAD}\n2026-01-10T23:00:00Z,12,5\n", r":2: 3 cells below 2 names: with a decimal comma, put ; between"),
        ("timestamp_utc;price_eur_per_mwh\n2026-01-10T23:00:00Z;1.234,5\n", r":2: .*1\.234,5"),
        (f"{HEAD}\n2026-01-10T23:00:00Z,inf\n", r":2: .*inf is no price"),
        (f"{HEAD}\n\n\n10.01.2026 23:00,5\n", r":4: .*10\.01\.2026"),
        (f"{HEAD}\n0001-01-01T00:00:00+14:00,5\n", r":2: "),
        ("timestamp_utc,price\n", r":1: .*the header has timestamp_utc, price; one price of price_eur_per_mwh, "),
        ("timestamp_utc,price_eur_per_mwh,price_ct_per_kwh\n", r":1: .*one price of"),
        ("2026-01-10T23:00:00Z,5\n", r":1: not `timestamp_utc,price_eur_per_mwh`: the header has 2026-01-10t23"),
        ("", r":1: not .*the header has nothing"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(Trouble, match=r"prices\.csv" + words):
        read_prices(written(tmp_path, text))


# 10 hole-in-the-prices: https://github.com/Hexagon/entsoe-api-client/issues/7 , https://github.com/krose/entsoeapi/issues/39

FIRST = datetime(2025, 6, 1, 22, tzinfo=UTC)
SECOND = FIRST + 24 * HOUR
TWO_DAYS = [*hourly(FIRST, range(30, 54)), *hourly(SECOND, range(90, 66, -1))]


def without(*hours: int) -> list[tuple[datetime, float]]:
    """The second day lacks these."""
    return [one for one in TWO_DAYS if (one[0] - SECOND) / HOUR not in hours]


@pytest.mark.parametrize(
    ("missing", "at", "prices"),
    [
        ((5, 6), (4, 5, 6, 7), [86, 86, 86, 83]),
        (tuple(range(1, 23)), (0, 1, 22, 23), [90, 90, 90, 67]),
        ((), (4, 5, 6, 7), [86, 85, 84, 83]),
    ],
    ids=["two hours", "all but the first and the last", "none"],
)
def test_an_hour_that_the_day_leaves_out_equals_the_one_before(
    tmp_path: Path, missing: tuple[int, ...], at: tuple[int, ...], prices: list[float]
) -> None:
    series = read_prices(written(tmp_path, rows(without(*missing))))
    instants = [SECOND + hour * HOUR + QUARTER for hour in at]
    assert asked(series, instants) == prices
    assert {one.source for one in quotes(TARIFF.import_, instants, BERLIN, series)} == {Source.OWN}


def test_the_evening_before_a_published_day_is_left_out_alike(tmp_path: Path) -> None:
    kept = [one for one in TWO_DAYS if not SECOND - 2 * HOUR <= one[0] < SECOND]
    assert asked(read_prices(written(tmp_path, rows(kept))), [SECOND - HOUR, SECOND]) == [51, 90]


@pytest.mark.parametrize(
    ("kept", "now", "says", "urgent"),
    [
        (TWO_DAYS, SECOND - 12 * HOUR, "", False),
        (TWO_DAYS, SECOND + 9 * HOUR, "import prices from 2025-06-04 00:00 on are forecast from the", False),
        (TWO_DAYS, SECOND + 20 * HOUR, "prices.csv ends there", True),
        (TWO_DAYS, SECOND + 90 * HOUR, "import prices from 2025-06-04 00:00 on are forecast", True),
        ([*TWO_DAYS[:24], *hourly(SECOND + 24 * HOUR, [70] * 24)], SECOND - 2 * HOUR,
         "from 2025-06-03 00:00 to 2025-06-04 00:00 are borrowed from the days before: prices.csv has none there",
         True),
        (TWO_DAYS[:24] + TWO_DAYS[26:], SECOND - HOUR, "from 2025-06-03 00:00 to 2025-06-03 02:00 are borrowed", True),
    ],
    ids=["nothing is missing", "tomorrow is not published yet", "nobody fetched it", "it ended days ago", "a whole day",
         "the first hours of a day, which no curve leaves out"],
)  # fmt: skip
def test_borrowed_prices_are_said_with_since_when(kept: Prices, now: datetime, says: str, *, urgent: bool) -> None:
    series = publish([Row(2, at, price / 1000) for at, price in kept]).series
    found = shortages(TARIFF, {"import": series}, now, BERLIN)
    assert [says in one.words for one in found] == ([True] if says else [])
    assert any(one.urgent for one in found) is urgent


def test_a_simulation_that_repeats_years_is_short_of_nothing() -> None:
    tariff = Tariff.model_validate({"import": {"day_ahead": {"file": "prices.csv", "repeat": True}}})
    year = publish([Row(2, FIRST + hour * HOUR, 0.1) for hour in range(366 * 24)]).series
    assert shortages(tariff, {"import": year}, FIRST + 800 * 24 * HOUR, BERLIN) == []


async def test_the_planner_says_that_prices_are_borrowed_until_the_file_goes_on(tmp_path: Path) -> None:
    site = plant_site(tmp_path, tariff='import.day_ahead = { file = "prices.csv" }')
    settings = Settings(
        parse_broker("mqtt://127.0.0.1:1", "optimize", None, {}), f"sqlite+aiosqlite:///{tmp_path}/a.db", None, tmp_path
    )
    part = Part("optimize", site, settings)
    optimize = Optimize(part)
    midnight = utc_now().astimezone(BERLIN).replace(hour=0, minute=0, second=0, microsecond=0).astimezone(UTC)
    try:
        for days, borrowed in ((1, True), (6, False)):  # it ended a day ago; then it goes on
            path = written(tmp_path, rows(hourly(midnight - 72 * HOUR, [50] * 24 * (1 + days))))
            os.utime(path, (days, days))
            optimize.situation, mono = told(site), time.monotonic()
            fold(optimize.situation, "bms1", said(mono, CELLS), mono)
            for device in ("grid", "pcs1", "pv1"):
                fold(optimize.situation, device, said(mono, {"p": 30e3}), mono)
            await optimize._once()
            status = part.status()
            assert part.counts["plans"] == (1 if borrowed else 2), status.detail
            assert (Cause.PRICES in status.causes) is borrowed
            assert optimize.plan is not None
            assert optimize.past.learning.prices == []  # of less than a week before it
            assert optimize.plan.prices_until == (optimize.plan.at if borrowed else None)
            assert ("are forecast from the days before: prices.csv ends there" in status.detail) is borrowed
            assert (
                f"import prices from {midnight.astimezone(BERLIN) - timedelta(days=1):%Y-%m-%d}" in status.detail
            ) is borrowed
    finally:
        await optimize.history.engine.dispose()


A44 = """<?xml version="1.0" encoding="utf-8"?>
<Publication_MarketDocument xmlns="urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:3">
<type>A44</type><TimeSeries><currency_Unit.name>EUR</currency_Unit.name>
<price_Measure_Unit.name>MWH</price_Measure_Unit.name><curveType>{curve}</curveType><Period>
<timeInterval><start>2025-06-02T22:00Z</start><end>2025-06-03T22:00Z</end></timeInterval>
<resolution>PT60M</resolution>
{points}</Period></TimeSeries></Publication_MarketDocument>"""


@pytest.mark.parametrize(
    ("curve", "prices", "says"),
    [
        ("A03", [86, 86, 86, 83], ""),
        ("A01", [86, 35, 36, 83], "from 2025-06-03 05:00 to 2025-06-03 07:00 are borrowed from the days before"),
    ],
)
def test_what_the_document_itself_leaves_out(tmp_path: Path, curve: str, prices: list[float], says: str) -> None:
    """The same two hours in the document of the publisher: of A03 they equal the hour before, to the end of the period;
    of A01 they are missing, and borrowing is said."""
    kept = [one for one in without(5, 6) if one[0] >= SECOND]
    points = "\n".join(
        f"<Point><position>{(at - SECOND) // HOUR + 1}</position><price.amount>{price}</price.amount></Point>"
        for at, price in kept[: -1 if curve == "A03" else None]
    )
    first = "\n".join(
        f"<Point><position>{n + 1}</position><price.amount>{30 + n}</price.amount></Point>" for n in range(24)
    )
    day = A44.replace("2025-06-02", "2025-06-01").replace("2025-06-03", "2025-06-02")
    (tmp_path / "1.xml").write_text(day.format(curve="A01", points=first), encoding="utf-8")
    (tmp_path / "2.xml").write_text(A44.format(curve=curve, points=points), encoding="utf-8")
    series = read_prices(tmp_path)
    assert asked(series, [SECOND + hour * HOUR + QUARTER for hour in (4, 5, 6, 7)]) == prices
    assert series.at(SECOND + 23 * HOUR) == pytest.approx(0.068 if curve == "A03" else 0.067)
    found = shortages(TARIFF, {"import": series}, SECOND - 2 * HOUR, BERLIN)
    assert [one.urgent for one in found if says and says in one.words] == ([True] if says else [])
