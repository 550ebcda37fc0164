"""A demand charge per kW and year: the one highest quarter hour of twelve months, paid whole."""

import asyncio
import tomllib
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import insert

from consumers.archive.migrate import migrate
from consumers.dispatch.kept import Stored
from consumers.optimize.look import look
from consumers.optimize.past import Past
from optimizer.demand import Charged, charged, known_peak, period, same_period
from optimizer.dispatch import Moment as Seen
from optimizer.dispatch import Ratings, decide
from optimizer.lowest_peak import lowest_peak, usual_peak
from optimizer.outlook import QUARTER
from optimizer.plan import plan
from optimizer.running_window import RunningWindow
from optimizer.storage import Storage
from optimizer.verify import verify
from runtime.database import engine
from runtime.history import History
from schemas.messages import ControlMode, Mode
from schemas.tables import rollup_15m
from schemas.tariff import Demand
from tests.consumers.billed import on_the_page, read
from tests.consumers.test_dispatch_desk import TARIFF, Story, plant_site
from tests.consumers.test_optimize_pure import billed as archived
from tests.consumers.test_optimize_pure import filled as in_memory
from tests.consumers.test_optimize_pure import told
from tests.optimizer.outlooks import BERLIN, NOON, battery, outlook
from tests.optimizer.played_forward import Loop, measured
from tests.timed import long

# A German site with metered load profile: https://www.gesetze-im-internet.de/stromnev/__17.html ("Jahresleistungspreis
# ... mit der Jahreshöchstleistung"); an own year: UK and Australian network years begin in April and July.

KOLKATA, ST_JOHNS, SYDNEY = (ZoneInfo(name) for name in ("Asia/Kolkata", "America/St_Johns", "Australia/Sydney"))
YEAR = Charged("year")
YEARLY = TARIFF.replace("price = 15.0", 'price = 140.0, per = "year"')
TENTH = datetime(2026, 6, 10, 10, tzinfo=UTC)


def demand(**more: object) -> Demand:
    return Demand.model_validate({"price": 140.0, "per": "year", **more})


# --- which period ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "zone", "how", "begin", "end"),
    [
        ("2026-06-10T10:00", BERLIN, YEAR, "2025-12-31T23:00", "2026-12-31T23:00"),
        ("2026-12-31T22:59", BERLIN, YEAR, "2025-12-31T23:00", "2026-12-31T23:00"),
        ("2026-12-31T23:00", BERLIN, YEAR, "2026-12-31T23:00", "2027-12-31T23:00"),
        ("2026-12-31T18:29", KOLKATA, YEAR, "2025-12-31T18:30", "2026-12-31T18:30"),
        ("2026-12-31T18:30", KOLKATA, YEAR, "2026-12-31T18:30", "2027-12-31T18:30"),
        ("2026-06-10T10:00", SYDNEY, Charged("year", 7), "2025-06-30T14:00", "2026-06-30T14:00"),
        ("2026-03-31T21:59", BERLIN, Charged("year", 4), "2025-03-31T22:00", "2026-03-31T22:00"),
        ("2026-03-31T22:00", BERLIN, Charged("year", 4), "2026-03-31T22:00", "2027-03-31T22:00"),
        ("2026-01-01T02:00", ST_JOHNS, Charged("year", 12), "2025-12-01T03:30", "2026-12-01T03:30"),
        ("2026-03-31T22:00", BERLIN, Charged(), "2026-03-31T22:00", "2026-04-30T22:00"),
        ("2026-12-31T18:29", KOLKATA, Charged(), "2026-11-30T18:30", "2026-12-31T18:30"),
    ],
)
def test_a_period_begins_at_a_midnight_of_the_site(  # one row of the table
    at: str, zone: ZoneInfo, how: Charged, begin: str, end: str
) -> None:
    found = period(datetime.fromisoformat(f"{at}Z"), zone, how)
    assert found == (datetime.fromisoformat(f"{begin}Z"), datetime.fromisoformat(f"{end}Z"))


@given(
    st.integers(0, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    st.sampled_from([BERLIN, KOLKATA, ST_JOHNS, SYDNEY, ZoneInfo("Africa/Cairo"), ZoneInfo("Asia/Amman")]),
    st.builds(Charged, st.sampled_from(["month", "year"]), st.integers(1, 12)),
)
def test_periods_touch_and_hold_what_they_are_asked_for(at: datetime, zone: ZoneInfo, how: Charged) -> None:
    begin, end = period(at, zone, how)
    assert begin <= at < end
    assert period(begin, zone, how) == (begin, end)
    assert period(end, zone, how)[0] == end
    assert same_period(at, begin, zone, how)
    assert not same_period(at, end, zone, how)


# --- what is billed ----------------------------------------------------------------------------------


def test_the_peak_of_a_year_goes_through_its_months_and_ends_with_it() -> None:
    billing = RunningWindow(BERLIN, demand(), poll=10.0)
    for at, power in ((TENTH, 90e3), (TENTH + timedelta(days=40), 60e3)):
        for second in range(0, 1811, 10):
            billing = billing.fold(at + timedelta(seconds=second), power)
    assert billing.peak == pytest.approx(90e3)
    assert billing.fold(datetime(2026, 12, 31, 22, 59, tzinfo=UTC), 1e3).peak == pytest.approx(90e3)
    assert billing.fold(datetime(2026, 12, 31, 23, 0, tzinfo=UTC), 1e3).peak == 0.0


@pytest.mark.parametrize(
    ("known", "now", "peak"),
    [
        ([("2026-02-11", 412.0)], TENTH, 412e3),
        ([("2026-02-11", 412.0), ("2026-05-02", 430.0)], TENTH, 430e3),
        ([("2025-12-31", 412.0)], TENTH, 0.0),
        ([("2026-02-11", 412.0)], datetime(2026, 12, 31, 22, 59, tzinfo=UTC), 412e3),
        ([("2026-02-11", 412.0)], datetime(2026, 12, 31, 23, 0, tzinfo=UTC), 0.0),
        ([("2026-06-11", 412.0)], TENTH, 0.0),
        ([], TENTH, 0.0),
    ],
    ids=["of this year", "the highest", "of the last", "the last minute", "expired", "to come", "none"],
)
def test_a_peak_the_owner_knows_counts_in_its_own_year(
    known: list[tuple[str, float]], now: datetime, peak: float
) -> None:
    given_ = demand(known=[{"on": date.fromisoformat(on), "peak": kilowatts} for on, kilowatts in known])
    assert known_peak(given_, now, BERLIN) == peak


def test_plan_and_dispatch_begin_with_it(tmp_path: Path) -> None:
    tariff = YEARLY.replace('"year"', '"year", known = [{ peak = 212.0, on = 2026-02-11 }]')
    site = plant_site(tmp_path, tariff=tariff)
    ahead = look(told(site), Past(site), {}, TENTH, 0.0).outlook
    (one,) = ahead.charges
    assert (max(one.peaks.values()), one.component.rate, charged(one.component)) == (212e3, 140.0, YEAR)
    assert plan(ahead).peak == 212e3
    desk = Story(site).desk
    assert desk.peaks.lowest(None, TENTH) == 212e3
    assert Story(plant_site(tmp_path, tariff=YEARLY)).desk.peaks.lowest(None, TENTH) is None


def test_dispatch_holds_the_plan_of_this_year_and_knows_it_after_a_restart(tmp_path: Path) -> None:
    story = Story(plant_site(tmp_path, tariff=YEARLY))
    found = plan(outlook(how=YEAR, demand=140.0, billed=80e3))
    assert found.peak == pytest.approx(80e3)
    # its month is over, and its year goes on
    assert story.desk.peaks.lowest(found, NOON + timedelta(days=30)) == pytest.approx(80e3)
    story.hear_all()
    story.order()
    kept = story.desk.keep(story.now, story.second)
    assert kept is not None
    other = Story(plant_site(tmp_path, tariff=YEARLY))
    other.desk.begin(Stored(kept.mode, kept=kept), Stored(), other.now, other.second)
    assert other.desk.peaks.lowest(None, NOON + timedelta(days=60)) == pytest.approx(80e3)


async def filled(url: str, site: str, first: datetime, days: int, peaks: dict[datetime, float]) -> None:
    """Rollups of the meter and the PCS: four quarters a day of 50 kW, and some that are higher."""
    rows = []
    for at in [*(first + timedelta(hours=6 * number) for number in range(4 * days)), *peaks]:
        for device, power in (("grid", peaks.get(at, 50e3)), ("pcs1", 0.0)):
            same = dict.fromkeys(("low", "mean", "high", "last", "twa"), power)
            key = {"site": site, "device": device, "point": "p", "at": at, "samples": 90, **same}
            rows.append({**key, "seconds": 900.0, "plus": power / 4, "minus": 0.0})
    store = engine(url)
    async with store.begin() as connection:
        await connection.execute(insert(rollup_15m), rows)
    await store.dispose()


async def test_after_a_restart_in_the_middle_of_a_year_the_archive_tells_its_peak(tmp_path: Path) -> None:
    """In January it was made. One reading of the past is enough."""
    url, site = f"sqlite+aiosqlite:///{tmp_path / 'archive.db'}", plant_site(tmp_path, "plant", YEARLY)
    await asyncio.to_thread(migrate, url)
    january, december = datetime(2026, 1, 20, 8, tzinfo=UTC), datetime(2025, 12, 31, 22, 45, tzinfo=UTC)
    begin = TENTH - timedelta(days=180)
    await filled(url, site.site, begin, 180, {january: 190e3, december: 240e3})
    history = History(engine(url))
    said = await read(site, tmp_path, history, TENTH)
    (one,) = said.components
    assert (one.peak, one.peak_at) == (190e3, january), "the one of December is of the year before"
    assert [month.peak for month in one.months] == [240e3, 190e3, *[50e3] * 5], "what a ratchet would look at"
    assert one.months[-1].seen == pytest.approx(9 * 4 / (9.5 * 96), abs=0.01), "four quarters of a day were seen"
    shown = on_the_page(site, said, TENTH)
    assert (shown["highest"], shown["per"]) == (190e3, "year"), "the page reads the same"
    await history.engine.dispose()


# --- what a new peak is worth ------------------------------------------------------------------------


def hill(**more: Any) -> list[float]:
    """Of a plan: its peak, and Wh discharged; 60 kW with an hour of 100 kW, energy at one price."""
    load = [60e3] * 96
    load[40:44] = [100e3] * 4
    ahead = outlook(load=load, soc=80.0, demand=140.0, how=YEAR, **more)
    found = plan(ahead)
    assert verify(found, ahead) == []
    assert found.peak is not None
    return [found.peak, sum(max(step.power, 0.0) * step.seconds / 3600 for step in found.steps)]


def test_a_new_peak_of_the_year_is_held_down_even_where_it_costs_more_than_a_month_would() -> None:
    """At 100 EUR/kWh of wear only the whole price of a year pays: a twelfth of it would not."""
    dear = battery(wear=30.0)
    assert hill(billed=50e3, battery=dear)[0] < 70e3
    load = [60e3] * 96
    load[40:44] = [100e3] * 4
    twelfth = outlook(load=load, soc=80.0, demand=140.0 / 12, billed=50e3, battery=dear)
    assert plan(twelfth).peak == pytest.approx(100e3, rel=1e-3)


def test_below_the_peak_of_the_year_nothing_is_shaved() -> None:
    peak, discharged = hill(billed=120e3)
    assert peak == 120e3
    assert discharged == pytest.approx(0.0, abs=1.0)


def test_the_end_of_a_year_is_two_peaks() -> None:
    """The old year's is paid already; that of the new one counts from its midnight on."""
    eve = datetime(2026, 12, 31, 11, tzinfo=UTC)
    ahead = outlook(24, eve, load=[90e3] * 48 + [60e3] * 48, demand=140.0, how=YEAR, billed=100e3, soc=50.0)
    assert ahead.windows[0].periods == [0] * 48 + [1] * 48
    found = plan(ahead)
    assert verify(found, ahead) == []
    assert found.peak == 100e3
    grid = np.array([step.grid for step in found.steps])
    assert max(grid[48:]) < 60e3, "the battery is full when the new year begins"
    assert max(grid[:48]) <= 100e3 + 1


# --- a year that begins ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nets", "peak"),
    [
        ([], 0.0),
        ([-40e3] * 8, 0.0),
        ([50e3] * 96, 43.7e3),
        ([10e3] * 40 + [90e3] * 4 + [10e3] * 52, 7e3),
        ([10e3] * 40 + [250e3] * 2 + [10e3] * 52, 150e3),
    ],
    ids=["nothing", "PV alone", "level: the battery ends", "an hour it can", "more than the PCS can"],
)
def test_the_lowest_peak_a_battery_could_hold(nets: list[float], peak: float) -> None:
    known = [(NOON + n * QUARTER, net) for n, net in enumerate(nets)]
    assert lowest_peak(known, QUARTER, Storage(200e3), 100e3) == pytest.approx(peak, abs=200)


@given(st.lists(st.floats(-100e3, 300e3), min_size=1, max_size=96), st.floats(10e3, 500e3), st.floats(1e3, 200e3))
def test_a_larger_battery_never_holds_less_and_none_does_magic(nets: list[float], energy: float, rated: float) -> None:
    known = [(NOON + n * QUARTER, net) for n, net in enumerate(nets)]
    found = [lowest_peak(known, QUARTER, Storage(energy * much), rated * much) for much in (1, 2)]
    assert found[1] <= found[0] + 200
    most = max(0.0, *nets)
    assert max(0.0, most - rated) - 1 <= found[0] <= most


@pytest.mark.parametrize(("expected", "given_"), [(0.0, True), (90e3, False)], ids=["hoped for", "known better"])
def test_at_the_beginning_no_energy_is_spent_for_a_peak_that_will_be_passed_anyway(
    expected: float, *, given_: bool
) -> None:
    """A holiday of 40 kW, then 70 kW that nobody forecast, where the last weeks reached 90 kW with this battery. The
    plan keeps its energy, charges to no peak of its own, and dispatch spends none."""
    load = [30e3] * 40 + [40e3] * 8 + [30e3] * 48
    ahead = outlook(load=load, buy=[0.05] * 32 + [0.4] * 64, soc=60.0, demand=140.0, how=YEAR, expected=expected)
    found = plan(ahead)
    assert verify(found, ahead) == []
    assert max(step.grid for step in found.steps) < 40e3
    assert found.peak is not None
    assert (found.peak == 90e3) is not given_
    wanted = decide(
        Ratings(ahead.battery, ahead.grid, ahead.rated),
        Seen(NOON, 70e3, 0.0, 60.0, 100e3, 100e3),
        ControlMode(mode=Mode.AUTO, at=NOON, who="", why=""),
        billing=RunningWindow(BERLIN, demand()),
        step=found.steps[0],
        peak=found.peak,
    )
    assert (wanted.power > 1e3) is given_
    assert ("limited by the year's peak" in wanted.reason) is given_


@pytest.mark.parametrize(
    ("days", "peak"),
    [
        ([90e3] * 14, 90e3),
        ([90e3] * 13 + [400e3], 90e3),
        ([90e3] * 9 + [20e3] * 5, 90e3),
        ([90e3], 90e3),
        ([20e3] * 13 + [400e3], 20e3),
        ([], 0.0),
    ],
    ids=["each day", "one high day", "weekends", "one day is known", "rare days", "nothing is known"],
)
def test_the_peak_of_a_usual_day_is_no_record(days: list[float], peak: float) -> None:
    """The battery is so small that it changes little."""
    midnight = NOON.replace(hour=22)
    known = [(midnight + day * timedelta(days=1) + n * QUARTER, net) for day, net in enumerate(days) for n in range(96)]
    assert usual_peak(known, QUARTER, BERLIN, Storage(1e3), 1e3) == pytest.approx(peak, abs=1100)


def test_a_plan_takes_it_from_the_archive_as_the_load_would_be_without_the_battery(tmp_path: Path) -> None:
    """The meter showed 50 kW while the battery gave 10 kW: level at 60 kW, of which 152 kWh take 6.3 kW in a day."""
    site = plant_site(tmp_path, tariff=YEARLY)
    past = in_memory(site, {"grid": [50e3] * 96, "pcs1": [10e3] * 96}, TENTH.replace(hour=22))
    seen = archived(told(site), [50e3] * 96, TENTH.replace(hour=22))
    ahead = look(seen, past, {}, TENTH.replace(hour=22), 0.0).outlook
    (one,) = ahead.charges
    assert one.expected == pytest.approx(53.7e3, abs=200)
    assert [*one.peaks.values()] == [50e3]
    assert look(told(site), Past(site), {}, TENTH, 0.0).outlook.charges[0].expected == 0.0


RECORDING = Path(__file__).parents[2] / "simulator" / "recordings" / "commercial_site_2016.csv.gz"
APRIL = datetime(2016, 3, 31, 22, tzinfo=UTC)


@long("five measured days, played forward twice; made ones are played each time")
def test_the_first_days_of_a_measured_year() -> None:
    """A commercial site played forward, its year begins on a Friday in April: what a usual day tells costs no peak."""
    rows = measured(RECORDING, APRIL - timedelta(days=14), APRIL + timedelta(days=5))
    loops = [Loop(rows, BERLIN, 140.0, Charged("year", 4), sure=sure, replan=timedelta(hours=1)) for sure in (1.0, 0.0)]
    for loop in loops:
        loop.run(APRIL)
    told_, hoped = loops
    idle = max(load - pv for at, load, pv in rows if at >= APRIL)
    assert told_.billed[APRIL] < idle - 50e3
    # one run of six days: a per cent is luck
    assert told_.demands + told_.cost <= 1.02 * (hoped.demands + hoped.cost)


def test_the_gaps_of_the_tariff_file_are_read_as_written() -> None:
    written = tomllib.loads('price = 140\nper = "year"\nyear_begins = 4\n[[known]]\npeak = 412.0\non = 2026-04-11\n')
    assert Demand.model_validate(written).known[0].on == date(2026, 4, 11)
    assert Demand.model_validate({"price": 1.0, "known": [{"peak": 1.0, "on": "2026-04-11"}]}).known[0].on.year == 2026
    begins = [period(TENTH + timedelta(days=30 * n), BERLIN, Charged("year", 4))[0] for n in range(24)]
    assert all(one <= two for one, two in pairwise(begins))
