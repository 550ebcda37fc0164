"""What a hostile reader found in what is billed and in the money that is kept of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.money.accounts import Accounts
from consumers.archive.money.price_list import PriceList
from consumers.optimize.price_sources import PriceSources
from joulebus.money import total as total_of
from optimizer.billing import Quarter, peaks_by_period, windows
from optimizer.charge import Made
from optimizer.demand import charged, period
from optimizer.demand_share import Metered, shares
from optimizer.invoice import invoice, total
from optimizer.running_window import RunningWindow
from optimizer.shortage import shortages
from optimizer.tariff import Series, Source, quotes, window
from runtime.history import History
from schemas.tables import rollup_15m, unpriced
from schemas.tariff import Demand, Hours, Tariff
from tests.consumers.conftest import lite
from tests.consumers.test_archive_money import LATER, NOON, count, measure, quarter, rows, site_of
from tests.consumers.test_dispatch_desk import Story, plant_site
from tests.consumers.test_price_sources import old
from tests.optimizer.outlooks import BERLIN
from tests.optimizer.test_site_billing import archived, quarters, site

__all__ = ["lite"]
QUARTER = timedelta(minutes=15)
UNPAID = """
import.period = [{ price = 0.2 }]
export.period = [{ price = 0.08 }]
export.unpaid.day_ahead = { file = "prices.csv" }
"""


def test_a_peak_of_hours_that_do_not_count_is_not_held_once_the_tariff_can_be_read() -> None:
    """The tariff could not be read in the night, and the batteries charged with 180 kW. Mended, it bills the evening
    alone: dispatch took the night's 180 kW for its peak, and let the evening through."""
    night = datetime(2026, 6, 10, 0, tzinfo=UTC)
    running = RunningWindow(BERLIN, None)
    for second in range(0, 901, 10):
        running = running.fold(night + timedelta(seconds=second), 180e3)
    assert running.peak == pytest.approx(180e3)
    evening = Demand(price=20.0, hours=[Hours.model_validate({"start": "17:00", "end": "20:00"})])
    assert running.of(evening).peak == 0.0
    assert running.of(Demand(price=20.0)).peak == pytest.approx(180e3), "each quarter counts: it was made"


def test_an_hour_that_slides_over_two_reads_of_the_archive_is_not_forgotten() -> None:
    """A peak of an hour that slides was forgotten two days later, for as long as it lay across the border between what
    is read each minute and what is read each half hour: the plan spent energy to stay below what it had paid for."""
    now = datetime(2026, 6, 10, 10, 20, tzinfo=UTC)
    billing = site(minutes=60, sliding=15)
    border = billing.recent(now)
    made = [border + number * QUARTER for number in (-2, -1, 0, 1)]
    found = archived(billing, quarters(dict.fromkeys(made, 200e3), end=now - timedelta(minutes=5)), now)
    said = found.said(now).components[0]
    assert (said.peak, said.peak_at, said.seen) == (200e3, made[0], 1.0)


@pytest.mark.parametrize(("market", "price"), [(-0.01, 0.0), (0.05, 0.08)])
def test_that_nothing_is_paid_is_no_more_than_a_guess_where_the_market_is_borrowed(market: float, price: float) -> None:
    """§ 51 EEG by a file that ended yesterday, at a negative price: the feed-in of today was booked as unpaid, for
    good, and nobody was told that the price was missing."""
    tariff = Tariff.model_validate(
        {
            "import": {"period": [{"price": 0.2}]},
            "export": {"period": [{"price": 0.08}], "unpaid": {"day_ahead": {"file": "prices.csv"}}},
        }
    )
    every = {"export.unpaid": Series([NOON - timedelta(days=1)], [market])}
    (found,) = quotes(tariff.export, [NOON], BERLIN, way="export", every=every)
    assert found == (price, Source.OTHER_DAY)
    (own,) = quotes(tariff.export, [NOON - timedelta(days=1)], BERLIN, way="export", every=every)
    assert own == (price, Source.OWN)
    every = {"export.unpaid": Series([NOON - n * timedelta(hours=1) for n in range(30, 0, -1)], [market] * 30)}
    (short,) = shortages(tariff, every, NOON, BERLIN)
    assert short.urgent
    assert "export prices" in short.words


async def test_a_quarter_waits_for_the_market_that_says_whether_it_is_paid(lite: AsyncEngine, tmp_path: Path) -> None:
    known = site_of(tmp_path, UNPAID)
    await measure(lite, quarter(NOON, grid=-4e3))
    told = {"export.unpaid": Series([NOON - timedelta(days=1)], [-0.01])}
    assert await Accounts(lite, known, lambda: told).write(LATER) == 0
    told = {"export.unpaid": Series([NOON], [0.05])}
    assert await Accounts(lite, known, lambda: told).write(LATER) == 1
    assert [one.energy for one in await rows(lite)] == pytest.approx([-0.08])


def test_prices_of_two_sources_that_did_not_change_price_nothing_anew(tmp_path: Path) -> None:
    """A file beside a fetcher: each round of the money took their prices for others, and priced the last three days
    again, 288 quarters a minute, for ever."""
    market = 'import.day_ahead = {{ file = "prices.csv", area = "DE-LU", fetch = {{ from = "entsoe" }} }}\n'
    known = site_of(tmp_path, market.format() + "export.period = [{ price = 0.05 }]\n")
    rule, head = known.prices.markets["import"], "timestamp_utc,price_eur_per_mwh\n"
    folder = tmp_path / "state" / "prices" / "entsoe-DE-LU"
    folder.mkdir(parents=True)
    for path, price in ((folder / "one.csv", 50), (tmp_path / "prices.csv", 60)):
        path.write_text(f"{head}{NOON:%Y-%m-%dT%H:%M:%S}Z,{price}\n", encoding="utf-8")
        old(path)
    sources = PriceSources(known, tmp_path / "state")
    book = PriceList(known, lambda: sources.series(NOON, 1e9))
    assert rule.many
    assert book.renew(1e9)
    assert book.renew(1e9)
    assert book.changed(LATER) is None
    (tmp_path / "prices.csv").write_text(f"{head}{NOON:%Y-%m-%dT%H:%M:%S}Z,70\n", encoding="utf-8")
    old(tmp_path / "prices.csv", 2000.0)
    assert book.renew(1e9)
    assert book.changed(LATER) is not None
    prices = book.at(NOON)
    assert prices is not None
    assert prices.buy == pytest.approx(0.07)


async def test_a_file_that_has_only_today_leaves_yesterday_priced(lite: AsyncEngine, tmp_path: Path) -> None:
    """A file that is written anew each day took the prices of the three days before away: their quarters were marked to
    be priced again, for ever, and new ones waited behind them."""
    known = site_of(tmp_path, 'import.day_ahead = { file = "prices.csv" }\n')
    told = {"import": Series([NOON], [0.5])}
    book = Accounts(lite, known, lambda: dict(told))
    await measure(lite, quarter(NOON, grid=4e3))
    await book.write(LATER)
    told["import"] = Series([NOON + timedelta(days=1)], [0.7])
    await measure(lite, quarter(NOON + timedelta(days=1), grid=4e3))
    await book.write(LATER)
    assert [one.energy for one in await rows(lite)] == pytest.approx([0.5, 0.7])
    assert await count(lite, unpriced) == 0


HOURLY = """
import.period = [{{ price = 0.1 }}]
export.period = [{{ price = 0.05 }}]
demand = {{ price = 10.0, {how} }}
"""


async def test_an_hour_is_booked_as_it_is_billed_when_two_minutes_of_it_were_not_seen(
    lite: AsyncEngine, tmp_path: Path
) -> None:
    """A bridge that starts anew within the hour of the peak: the peak of the month was billed, and the money that is
    kept of that month lacked its whole charge, with the battery and without."""
    known = site_of(tmp_path, HOURLY.format(how="minutes = 60"))
    hour = [quarter(NOON + n * QUARTER, grid=40e3, battery=-10e3, seconds=780 if n == 2 else 900) for n in range(4)]
    await measure(lite, *hour)
    await Accounts(lite, known, dict).write(LATER)
    found = await rows(lite)
    assert sum(one.demand for one in found) == pytest.approx(400)
    assert sum(one.demand_without for one in found) == pytest.approx(300)


async def test_an_hour_that_slides_is_booked_as_it_is_billed(lite: AsyncEngine, tmp_path: Path) -> None:
    """40 kW from a half past to a half past: billed 40 kW, and half of it was booked."""
    known = site_of(tmp_path, HOURLY.format(how="minutes = 60, sliding = 15"))
    hour = [quarter(NOON + n * QUARTER, grid=40e3 if 2 <= n < 6 else 0.0) for n in range(8)]
    await measure(lite, *hour)
    await Accounts(lite, known, dict).write(LATER)
    found = await rows(lite)
    assert [one.demand for one in found] == pytest.approx([0, 0, 0, 200, 100, 100, 0, 0])


async def test_the_peak_of_a_meter_that_is_read_each_minute_is_booked(lite: AsyncEngine, tmp_path: Path) -> None:
    """Its rollups cover a minute for each reading that the next one follows in time, and the others for less: billed,
    and of what was paid the charge was never booked."""
    known = site_of(tmp_path, HOURLY.format(how="minutes = 15"))
    known = known.model_copy(update={"device": [one.model_copy(update={"poll": 60.0}) for one in known.device]})
    await measure(lite, quarter(NOON, grid=40e3, seconds=600.0))
    async with lite.begin() as connection:
        await connection.execute(update(rollup_15m).values(samples=15))
    await Accounts(lite, known, dict).write(LATER)
    (found,) = await rows(lite)
    assert found.demand == pytest.approx(400)


DEMANDS = st.builds(
    lambda minutes, more, hours, how: Demand.model_validate({"price": 10.0, "minutes": minutes} | more | hours | how),
    minutes=st.sampled_from([30, 60]),
    more=st.sampled_from([{}, {"sliding": 15}, {"sliding": 5}, {"floor": 20.0}]),
    hours=st.sampled_from([{}, {"hours": [{"start": "08:00", "end": "20:00"}]}]),
    how=st.sampled_from([{}, {"per": "year", "year_begins": 7}, {"contract": {"power": 30.0, "penalty": 9.0}}]),
)
BORDERS = [datetime(2026, month, day, 14, tzinfo=UTC) for month, day in ((3, 28), (6, 30), (10, 24))]
SEEN = st.one_of(st.just(900.0), st.floats(700, 900), st.sampled_from([0.0, 30.0, 600.0]))


@given(DEMANDS, st.sampled_from(BORDERS), st.lists(st.tuples(st.floats(0, 2e5), SEEN), min_size=1, max_size=90))
def test_what_is_booked_is_what_is_billed(demand: Demand, begin: datetime, drawn: list[tuple[float, float]]) -> None:
    """Quarters that were seen in part, and hours that slide: the ledger and the bill come to the same cent."""
    tariff = Tariff.model_validate({"import": {"period": [{"price": 0.2}]}, "demand": demand})
    ats = [begin + n * QUARTER for n in range(len(drawn))]
    seen = {at: Quarter(at, wh * part / 900, part) for at, (wh, part) in zip(ats, drawn, strict=True)}
    end, how = ats[-1] + timedelta(hours=1), charged(demand)
    found = shares(Metered([demand], 1.0, BERLIN), seen, ats, end)
    booked = sum(found[at].at(wh) for at, (wh, _) in zip(ats, drawn, strict=True))
    whole = windows(seen.values(), demand, BERLIN)
    highest = peaks_by_period(whole, demand, 1.0, BERLIN, window(begin, BERLIN, 60)[0], end, how)
    made = [Made(one.highest.start, one.highest.mean) for one in highest.values() if one.highest]
    spans = period(begin, BERLIN, how)[0], period(ats[-1], BERLIN, how)[1]
    billed = total(invoice(tariff, [], {demand.name: made}, BERLIN, {}, spans))
    assert booked == pytest.approx(billed, abs=0.005)


OLD = """
import.period = [{ price = 0.1 }]
export.period = [{ price = 0.05 }]
demand = { price = 10.0, per = "year", contract = { power = 100, price = 12.0 } }
"""


async def test_a_new_price_sheet_leaves_what_was_booked_before(lite: AsyncEngine, tmp_path: Path) -> None:
    """A year's demand and contract, and a new price sheet in June: the contract's price moves a little in each quarter
    since January, and with it each was priced anew, its energy at the new price: the ledger of a year was rewritten,
    where it is said that what stands before a new tariff keeps its price."""
    await measure(lite, quarter(NOON - timedelta(days=90), grid=40e3))
    await Accounts(lite, site_of(tmp_path, OLD), dict).write(LATER)
    await measure(lite, quarter(NOON, grid=40e3))
    book = Accounts(lite, site_of(tmp_path, OLD.replace("12.0", "13.0").replace("0.1 ", "0.3 ")), dict)
    before = await rows(lite)
    for _ in range(3):
        await book.write(LATER)
    after = await rows(lite)
    assert after[:1] == before
    assert after[1].energy == pytest.approx(3.0)


async def test_what_a_silent_battery_does_not_tell_saves_no_carbon_and_costs_none(
    lite: AsyncEngine, tmp_path: Path
) -> None:
    """In one of two quarters the battery was silent: the day drew 20 kWh with it, and only 9 were known without it, so
    the battery was said to have made 4.4 kg of CO2. It took 1 kWh: 0.4 kg. So it was in sums of days."""
    known = site_of(tmp_path, more="carbon = { intensity = 400.0 }\n")
    await measure(lite, quarter(NOON, grid=40e3, battery=-4e3), quarter(NOON + QUARTER, grid=40e3, battery=None))
    await Accounts(lite, known, dict).write(LATER)
    await measure(lite, quarter(NOON + timedelta(days=1), grid=40e3, battery=None))
    await Accounts(lite, known, dict).write(LATER)
    days = await History(lite).money_days("plant", NOON - timedelta(days=1), LATER)
    one, other = days
    assert (one.quarters, one.compared, other.compared) == (2, 1, 0)
    assert one.carbon is not None
    assert one.carbon_without is not None
    assert one.carbon_without - one.carbon == pytest.approx(-400)
    assert one.energy_without is not None
    assert one.energy_without - one.energy == pytest.approx(-0.12)
    assert other.carbon == pytest.approx(4000)
    assert (other.carbon_without, other.energy_without) == (None, None)
    whole = total_of(days)
    assert whole.carbon is not None
    assert whole.carbon_without is not None
    assert whole.carbon_without - whole.carbon == pytest.approx(-400)
    assert total_of([other]).carbon_without is None


TWO = """
import.period = [{{ price = 0.2 }}]
[[demand]]
name = "one"
price = 20
{one}
known = [{{ peak = {peak}, on = "2026-06-02" }}]
[[demand]]
name = "all"
price = 15
known = [{{ peak = 100, on = "2026-06-02" }}]
"""


def drawn(story: Story, minutes: int, load: float) -> list[float]:
    """kW at the meter, each 10 s, with a battery that follows at once and is kept at half."""
    power, found = 0.0, list[float]()
    for _ in range(0, 60 * minutes, 10):
        for _ in range(2):  # a BMS is believed for 5 s
            story.second += 5
            story.hear_all(grid=load - power, power=power, soc=50.0)
        power = story.power() or 0.0
        found.append((load - power) / 1000)
    return found


@pytest.mark.parametrize(
    ("one", "peak"),
    [('hours = [{ start = "16:00", end = "20:00" }]', 60), ("minutes = 60", 200)],
    ids=["the first counts in the evening", "the first looks at hours"],
)
def test_a_demand_is_held_in_its_own_windows_wherever_it_stands_in_the_file(
    tmp_path: Path, one: str, peak: int
) -> None:
    """A demand of all hours behind one of the evening was not held all day, and one of quarters behind one of hours was
    held by the hour: a quarter of 150 kW went through, where 100 kW were billed."""
    story = Story(plant_site(tmp_path, tariff=TWO.format(one=one, peak=peak)))
    story.second = 0.0
    drawn(story, 30, 20e3)
    assert fmean(drawn(story, 15, 150e3)) == pytest.approx(100, abs=2)


def test_an_hour_that_slides_is_held_wherever_it_begins(tmp_path: Path) -> None:
    """Half of one hour and half of the next at 170 kW: each of both held 100 kW, and the hour between them made 135."""
    more = "demand = { price = 15, minutes = 60, sliding = 15, known = [{ peak = 100, on = 2026-06-02 }] }\n"
    story = Story(plant_site(tmp_path, tariff="import.period = [{ price = 0.2 }]\n" + more))
    story.second = 0.0
    drawn(story, 30, 20e3)
    assert fmean(drawn(story, 60, 170e3)) == pytest.approx(100, abs=2)
