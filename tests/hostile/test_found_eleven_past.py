"""What a hostile reader found in forecasts and in what is read of the past."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from sqlalchemy import text

from consumers.optimize.filling import Filling
from consumers.optimize.past import Past
from consumers.optimize.price_sources import PriceSources
from consumers.optimize.prices_recalled import recall_prices
from consumers.optimize.service import FILLING
from joulebus.backtest.data import quarters
from joulebus.backtest.prepare import begin_of
from joulebus.backtest.table import read
from joulebus.bill import month_of
from joulebus.explain import explain, when
from joulebus.export import moment
from optimizer.forecast.model import learn
from optimizer.forecast.outside import Issue, Proof, prove
from optimizer.forecast.outside_formats import Told
from optimizer.forecast.prices import forecast
from optimizer.policy.bends import bends
from optimizer.record import QUARTER, Record
from optimizer.tariff import Series
from runtime.database import engine
from runtime.history import History
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.topics import MARKET_PRICES
from schemas.troubles import Trouble
from schemas.units import utc_now
from tests.consumers.test_dispatch_desk import plant_site
from tests.virtual import virtual

BERLIN = ZoneInfo("Europe/Berlin")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2025, 5, 4, 22, tzinfo=UTC)
"""A local midnight."""
Price = Callable[[int, int], float]
"""Of a day and an hour."""


def told(days: int, price: Price) -> list[float]:
    """Of the next day, by the quarter."""
    prices = [price(day, hour) for day in range(days) for hour in range(24)]
    series = Series([MONDAY + hour * HOUR for hour in range(len(prices))], prices)
    found = forecast(series, MONDAY + (days + 1) * DAY, BERLIN, ())
    assert found is not None
    return [*found.prices]


def noisy(day: int, hour: int) -> float:
    return float(0.10 + 0.02 * np.sin(7.0 * day) + 0.03 * np.cos(hour / 4))


@pytest.mark.parametrize(
    ("days", "price", "least", "most"),
    [
        pytest.param(27, lambda day, _: 4.0 if day == 26 else 0.1, 0.1, 0.1, id="a spike on the last day"),
        pytest.param(28, lambda day, _: 4.0 if day == 26 else 0.1, 0.1, 0.1, id="on the day before"),
        pytest.param(27, lambda day, _: 4.0 if day == 20 else 0.1, 0.1, 0.1, id="on the last Sunday, for a Sunday"),
        pytest.param(27, lambda day, hour: 4.0 if day == 26 else noisy(day, hour), 0.04, 0.18, id="beside noise"),
        pytest.param(27, lambda *at: 4.0 if at == (26, 18) else noisy(*at), 0.04, 0.18, id="an hour"),
        pytest.param(27, lambda day, hour: -0.5 if day == 26 else noisy(day, hour), 0.03, 0.16, id="below zero"),
        pytest.param(28, lambda day, _: 0.2 if day >= 26 else 0.1, 0.17, 0.2, id="a new level, after two days"),
        pytest.param(31, lambda day, _: 0.2 if day >= 26 else 0.1, 0.185, 0.2, id="after five"),
        pytest.param(30, lambda day, hour: noisy(day, hour) + (0.3 if day >= 26 else 0), 0.3, 0.5, id="and with noise"),
        pytest.param(28, lambda day, _: -0.1 if day >= 26 else 0.1, -0.1, -0.04, id="a new one below zero"),
    ],
)  # fmt: skip
def test_a_day_of_scarcity_lifts_no_forecast_and_a_new_level_is_followed(
    days: int, price: Price, least: float, most: float
) -> None:
    """26 days at .10 and one at 4.00: 2.09 was told for the next day, and 1.09 for the one after it."""
    found = told(days, price)
    assert least - 1e-9 <= min(found) <= max(found) <= most + 1e-9


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "America/Los_Angeles"])
@pytest.mark.parametrize(
    "now",
    [
        pytest.param(datetime(1, 1, 1, 5, tzinfo=UTC), id="the first day of a calendar"),
        pytest.param(datetime(1969, 12, 31, tzinfo=UTC), id="before 1970"),
        pytest.param(datetime(9999, 12, 29, 23, tzinfo=UTC), id="the last days"),
    ],
)
def test_a_clock_at_either_end_of_the_calendar_has_a_forecast(now: datetime, zone: str) -> None:
    """It was a ValueError: the year 0, or 10000, is out of range."""
    count = min(288, (now - datetime(1, 1, 1, tzinfo=UTC)) // QUARTER)
    start = now - count * QUARTER
    record = Record(start, np.full(count, 5e3), np.zeros(count))
    model = learn(record, now, ZoneInfo(zone))
    ahead = model.ahead(record, [now + step * QUARTER for step in range(4)], 5e3, 0.0)
    assert ahead.load.tolist() == pytest.approx([5e3] * 4)


class Slow(History):
    """It takes its time for an answer, or answers what nobody understands."""

    seconds, wrong, odd = 0.0, False, 5e3

    async def means(self, *asked: object) -> list[tuple[datetime, float]]:
        await asyncio.sleep(self.seconds)
        if self.wrong:
            raise ValueError("year 0 is out of range")
        start, end = asked[3], asked[4]
        assert isinstance(start, datetime)
        assert isinstance(end, datetime)
        first = start.timestamp() // 900
        every = (datetime.fromtimestamp(900 * (first + number), UTC) for number in range((end - start) // QUARTER))
        return [(at, self.odd if at.hour == 3 else 5e3) for at in every]


@virtual
async def test_no_plan_waits_for_a_slow_archive_and_what_it_has_comes_at_last(tmp_path: Path) -> None:
    """Each answer took nine seconds, which is patience enough: the plan of a minute came after two of them."""
    database = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "optimize", None, {}), database, None, tmp_path)
    past, slow = Past(plant_site(tmp_path)), Slow(engine(database))
    filling, loop = Filling(Part("optimize", past.site, settings), past, slow), asyncio.get_running_loop()

    async def minute() -> str:
        begun = loop.time()
        said = await filling.fill(FILLING)
        assert loop.time() - begun <= FILLING
        await asyncio.sleep(60 - loop.time() + begun)
        return said

    slow.seconds = 9.0
    assert await minute() == "; the archive is slow: still reading the past"
    assert {await minute() for _ in range(3)} == {"; the archive is slow: still reading the past"}
    read = past.still()
    assert len(read.record()) >= 96
    slow.seconds, before = 0.0, read.load()
    for _ in range(3):
        said = await minute()
    assert said == ""
    assert len(past.record()) > 400 * 96
    assert read.load() == before, "a plan that is being made sees no other past meanwhile"
    slow.wrong = True
    assert "; without the archive, which cannot be understood: ValueError: year 0" in await minute()
    filling.stop()
    await slow.engine.dispose()
    assert past.newest is not None
    assert past.newest <= utc_now()


@pytest.mark.parametrize("given", ["0001-01-01", "0001-01-01T00:00+14:00", "9999-12-31", "9999-12-31T23:59-12:00"])
def test_a_time_of_another_millennium_is_refused_with_what_would_be_right(given: str, tmp_path: Path) -> None:
    """It ended with the traceback of an OverflowError."""
    site = plant_site(tmp_path)
    each: list[Callable[[], datetime]] = [
        lambda: when(given, site, utc_now()),
        lambda: moment(given, BERLIN, "--from"),
        lambda: begin_of(given, BERLIN),
        lambda: month_of(given[:7], site),
    ]
    for asked in each:
        with pytest.raises(Trouble, match="beyond all archives: write a year from 1900 to 2999"):
            asked()


async def test_a_time_that_is_still_to_come_is_said_to_be_so(
    tmp_path: Path, sqlite_archive: str, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "archive", None, {}), sqlite_archive, None, tmp_path)
    assert await explain(settings, plant_site(tmp_path), "2200-01-01T00:00", as_json=False) == 1
    assert "2200-01-01 00:00:00: that is still to come, and no plan tells of it" in capsys.readouterr().out


def of_rows(folder: Path, seconds: Callable[[int], float], load: Callable[[int], float], count: int = 2000) -> Path:
    first = datetime(2024, 3, 1, tzinfo=UTC)
    rows = (f"{(first + timedelta(seconds=seconds(i))).isoformat()},{load(i)}" for i in range(count))
    path = folder / "data.csv"
    path.write_text("\n".join(["timestamp_utc,load_kw", *rows]), encoding="utf-8")
    return path


@pytest.mark.parametrize("step", [1, 10, 20])
def test_rows_of_some_seconds_are_averaged_and_none_is_lost(step: int, tmp_path: Path) -> None:
    """The first of each minute was taken for all of it, and the others for duplicates."""
    table = read(of_rows(tmp_path, lambda i: i * step, lambda i: 60.0 if i * step % 60 else 0.0, 3600), BERLIN)
    found = quarters(table)
    assert found.load[:4] == pytest.approx([1000 * (60.0 - step)] * 4)
    assert table.repairs["duplicated_rows_first_kept"] == 0
    assert table.repairs["rows_of_the_same_minute_averaged"] == 3600


def test_two_meters_in_one_file_are_refused_and_a_few_slips_are_not(tmp_path: Path) -> None:
    """The load of the second one was left out as duplicates."""
    with pytest.raises(Trouble, match=r"row 3: load_kw is 70, and 50 in row 2 of the same .* two meters"):
        read(of_rows(tmp_path, lambda i: i // 2 * 900, lambda i: 50 + i % 2 * 20), BERLIN)
    same = read(of_rows(tmp_path, lambda i: i // 2 * 900, lambda _: 50), BERLIN)
    slips = read(of_rows(tmp_path, lambda i: max(i, 9) * 900, lambda i: 50 + i % 2 * 20), BERLIN)
    assert [one.repairs["duplicated_rows_first_kept"] for one in (same, slips)] == [1000, 9]


def proof_after(days: float, turns: Callable[[np.ndarray], np.ndarray]) -> Proof:
    """Of a PV forecast that was 10 % off for two weeks, and turns into another one then."""
    rng, quarters_ = np.random.default_rng(1), np.arange(96 * 40)
    sky = np.repeat(rng.uniform(0.2, 1, 40), 96)
    came = np.clip(np.sin((quarters_ % 96 - 24) / 48 * np.pi), 0, None) * 50e3 * sky
    now = int(96 * (25 + days)) + 80
    good = came * (1 + 0.1 * np.sin(quarters_ // 96))
    each = ((at, good[at : at + 96]) for at in range(96 * 10, now, 24))
    issues = [Issue(at, Told(at, told if at < 96 * 25 else turns(told))) for at, told in each]
    return prove(issues, now, 0, came[:now], [None] * 3)


@pytest.mark.parametrize(
    ("turns", "words"),
    [
        (lambda told: told / 1000, "in the last two days it told 0.00"),
        (lambda told: told * 1000, "it tells 2"),
        (lambda told: told * 0, "in the last two days it told 0 times what came"),
        (lambda told: (told > 0) * 50e3 - told, "its error of the last two days from 0 h ahead is "),
    ],
    ids=["W become kW", "kW become W", "zeros", "upside down"],
)
def test_an_outside_forecast_that_goes_wrong_counts_for_nothing_within_days(
    turns: Callable[[np.ndarray], np.ndarray], words: str
) -> None:
    """Two good weeks spoke for it: it counted .7 on the second day, and .3 after ten."""
    assert min(proof_after(0, lambda told: told).weights) > 0.9
    assert max(proof_after(0, turns).weights) < 0.65
    wrong = proof_after(2, turns)
    assert wrong.weights == (0.0, 0.0, 0.0)
    assert wrong.words.startswith(words)


@pytest.mark.parametrize("odd", [np.inf, -np.inf, np.nan, 1e308, -1e12])
@virtual
async def test_what_no_site_has_is_unknown_and_hangs_no_planner(tmp_path: Path, odd: float) -> None:
    """A mean of 1e308 made numbers of the plan that are none. Then its curve was sought for ever, in the only thread
    that plans: there was no plan until a restart."""
    past, archive = Past(plant_site(tmp_path)), Slow(engine(f"sqlite+aiosqlite:///{tmp_path}/archive.db"))
    archive.odd = odd
    await past.fill(archive, utc_now(), seconds=-1)
    await archive.engine.dispose()
    record = past.record()
    assert np.isfinite(record.load).sum() == 92
    assert np.nanmax(record.load) == 15e3
    assert len(bends(np.arange(50.0), np.full(50, np.nan), 12, 1.0)) == 2


async def test_prices_of_the_archive_that_nobody_understands_stop_no_plan(
    tmp_path: Path, sqlite_archive: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = plant_site(tmp_path, tariff="import = { day_ahead = { topic = true } }")
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "optimize", None, {}), sqlite_archive, None, tmp_path)
    store = engine(sqlite_archive)
    async with store.begin() as connection:
        row = {"site": "plant", "at": "some day", "topic": MARKET_PRICES.name}
        asked = "INSERT INTO control (site, at, topic, subject, who, body) VALUES (:site, :at, :topic, 'x', 'x', '{}')"
        await connection.execute(text(asked), row)
    recalling = asyncio.create_task(
        recall_prices(Part("optimize", site, settings), PriceSources(site, tmp_path), store)
    )
    with caplog.at_level("INFO"):
        done, _ = await asyncio.wait([recalling], timeout=0.5)
    assert not done, "it is tried again"
    assert "the prices of the last weeks are not known yet: " in caplog.text
    recalling.cancel()
    await store.dispose()
