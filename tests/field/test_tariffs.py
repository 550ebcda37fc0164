"""Tariffs as suppliers print them: closed intervals, a floor under the billed peak, public holidays."""

import tomllib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.optimize.look import look
from consumers.optimize.past import Past
from joulebus.cli import main
from optimizer.bill import peaks
from optimizer.forecast.model import learn
from optimizer.outlook import Outlook, step_starts
from optimizer.plan import plan
from optimizer.record import Record
from optimizer.shortage import shortages
from optimizer.tariff import Source, prices, quotes
from optimizer.tariff_walk import walk
from optimizer.verify import verify
from schemas.holidays import easter
from schemas.tariff import Tariff
from tests.consumers.test_dispatch_desk import TARIFF, Story, plant_site
from tests.consumers.test_optimize_pure import told
from tests.optimizer.outlooks import battery, grid, outlook, wild

BERLIN = ZoneInfo("Europe/Berlin")
LISBON = ZoneInfo("Europe/Lisbon")
MONDAY = datetime(2026, 6, 1, tzinfo=UTC)


def tariff(text: str) -> Tariff:
    return Tariff.model_validate(tomllib.loads(text))


# 12 tariff-with-holes: https://github.com/AmyJeanes/TeslaMateAgile/issues/22

WEEK = ["mon", "tue", "wed", "thu", "fri"]
PORTUGUESE = "".join(
    f'[[import.period]]\nprice = {price}\nstart = "{start}"\nend = "{end}"\n{f"days = {days}" if days else ""}\n'
    for price, start, end, days in (
        (0.09, "00:00", "06:59", []),
        (0.18, "07:00", "23:59", WEEK),
        (0.09, "07:00", "09:30", ["sat"]),
        (0.18, "09:31", "13:00", ["sat"]),
        (0.09, "13:01", "18:30", ["sat"]),
        (0.18, "18:31", "22:00", ["sat"]),
        (0.09, "22:01", "23:59", ["sat"]),
        (0.09, "07:00", "23:59", ["sun"]),
    )
)


def test_every_minute_without_a_price_is_counted_and_the_lines_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plant_site(tmp_path, tariff=PORTUGUESE)
    assert main(["check", str(tmp_path / "site.toml")]) == 1
    said = capsys.readouterr().err
    days = [datetime.now(BERLIN).date() + timedelta(days=number) for number in range(366)]
    minutes = 2 * 366 + 4 * sum(day.isoweekday() == 6 for day in days)  # each morning and midnight, four on a Saturday
    assert (
        f"{minutes} min of a year have no price: 06:59-07:00 every day; 23:59-24:00 every day; 09:30-09:31 Sat" in said
    )
    assert 'tariff.toml:4: import.period.0.end: the end does not belong to the period: write end = "07:00"' in said
    assert said.count("write end = ") == 8


def test_written_as_it_says_it_is_good(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mended = PORTUGUESE
    for wrong, right in (("06:59", "07:00"), ("23:59", "00:00"), ("09:30", "09:31"), ("13:00", "13:01"),
                         ("18:30", "18:31"), ("22:00", "22:01")):  # fmt: skip
        mended = mended.replace(f'end = "{wrong}"', f'end = "{right}"')
    plant_site(tmp_path, tariff=mended)
    assert main(["check", str(tmp_path / "site.toml")]) == 0
    assert "warning" not in capsys.readouterr().out


def test_each_plan_of_the_week_is_made_and_says_what_is_missing(tmp_path: Path) -> None:
    """The dearest price holds there: nothing is bought that a later bill could turn into a loss."""
    side = tariff(PORTUGUESE).import_
    for quarter in range(7 * 96):
        starts = step_starts(MONDAY + timedelta(minutes=15 * quarter, seconds=1), 36.0)
        assert {one.price for one in quotes(side, starts, LISBON)} <= {0.09, 0.18}
    friday = MONDAY + timedelta(days=4, hours=12)
    (short,) = shortages(tariff(PORTUGUESE), {}, friday, LISBON)
    assert short.urgent
    assert short.words == (
        "no import price holds on Saturday 09:30, nor in 3 more quarter hours of the next 36 h: "
        "the dearest price is taken"
    )
    site = plant_site(tmp_path, tariff=PORTUGUESE)
    outlook_ = look(told(site), Past(site), {}, friday, 0.0).outlook
    at = outlook_.starts.index(datetime(2026, 6, 6, 7, 30, tzinfo=UTC))  # 09:30 in Berlin
    assert outlook_.buy[at] == 0.18
    assert verify(plan(outlook_), outlook_) == []


CLOCKS = st.times().map(lambda clock: clock.replace(minute=clock.minute // 15 * 15, second=0, microsecond=0))


@given(
    st.lists(
        st.tuples(CLOCKS, CLOCKS, st.sets(st.sampled_from([*WEEK, "sat", "sun", "holiday"]), min_size=1)), max_size=4
    ),
    st.integers(0, 365 * 96),
)
def test_the_walk_finds_a_hole_exactly_where_a_quote_finds_no_price(
    periods: list[tuple[object, object, set[str]]], quarter: int
) -> None:
    given_ = [{"price": 0.1, "start": a, "end": b, "days": sorted(days)} for a, b, days in periods]
    known = Tariff.model_validate({"holidays": ["12-25", "easter+1"], "import": {"period": given_ or [{"price": 1.0}]}})
    first = date(2026, 11, 26)
    at = datetime(2026, 11, 26, tzinfo=UTC) + timedelta(minutes=15 * quarter)
    clock = at.hour * 3600 + at.minute * 60
    found = walk(known.import_, first)
    missing = any(begin <= clock < end and at.date() in days for (begin, end), days in found.holes.items())
    (quote,) = quotes(known.import_, [at], ZoneInfo("UTC"))
    assert (quote.source is Source.OUTERMOST) is missing


# 22 capacity-tariff-with-a-floor: https://github.com/evcc-io/evcc/issues/7455 , https://github.com/davidusb-geek/emhass/issues/540


def flemish(**change: float) -> list[float]:
    """W of the battery over a day and a half with a peak of 2.3 kW at ten, at one price for energy."""
    load = [400.0] * 144
    load[40:48] = [2300.0] * 8
    look_ = outlook(
        36, MONDAY, load=load, buy=0.3, sell=0.05, soc=60.0, demand=4.9, battery=battery(energy=10_000.0),
        grid=grid(import_limit=9_000.0, export_limit=5_000.0), rated=5_000.0, **change,
    )  # fmt: skip
    found = plan(look_)
    assert verify(found, look_) == []
    assert found.peak is not None
    return [max(0.0, change.get("floor", 0.0) - found.peak), *(step.power for step in found.steps)]


def test_below_the_floor_the_battery_does_nothing_for_the_peak() -> None:
    assert sum(power for power in flemish() if power > 0) > 10_000, "without a floor the peak is worth shaving"
    below, *powers = flemish(floor=2_500.0)
    assert below == 0, "the floor is billed"
    assert max(abs(power) for power in powers) < 1


def test_above_the_floor_the_peak_is_kept_down_to_it_and_no_further() -> None:
    _, *powers = flemish(floor=1_500.0)
    assert max(powers) == pytest.approx(800, abs=1)


def test_a_floor_stands_in_the_tariff_file_in_kilowatts(tmp_path: Path) -> None:
    site = plant_site(tmp_path, tariff=TARIFF.replace("price = 15.0", "price = 15.0, floor = 42.5"))
    assert look(told(site), Past(site), {}, MONDAY, 0.0).outlook.windows[0].stands[0] == 42_500.0


@pytest.mark.parametrize(("floor", "peak"), [("", 30e3), (", floor = 42.5", 42.5e3), (", floor = 900", 250e3)])
def test_dispatch_keeps_no_window_below_the_floor(tmp_path: Path, floor: str, peak: float) -> None:
    site = plant_site(tmp_path, tariff=TARIFF.replace("price = 15.0", f"price = 15.0{floor}"))
    desk = Story(site).desk
    desk.peaks.peak = 30e3
    assert desk.peaks.lowest(None, MONDAY) == peak, "never above the import limit"


@given(wild(), st.floats(0, 300e3))
def test_whatever_the_floor_the_second_check_agrees_and_no_month_is_billed_less(look_: Outlook, floor: float) -> None:
    floored = replace(
        look_,
        charges=[
            replace(one, component=one.component.model_copy(update={"floor": floor / 1000})) for one in look_.charges
        ],
    )
    found = plan(floored)
    assert verify(found, floored) == []
    grid_ = np.array([step.grid for step in found.steps])
    assert all(made.min() >= floor for made in peaks(floored, grid_))


# 24 public-holidays: https://github.com/rl-institut/spice_ev/issues/202 , https://github.com/cheald/srp-bill-calculator/issues/1

PEAK_HOURS = """\
[[import.period]]
price = 0.32
start = "07:00"
end = "22:00"
days = ["mon", "tue", "wed", "thu", "fri"]
[[import.period]]
price = 0.19
"""
GERMAN = '["01-01", "easter-2", "easter+1", "05-01", "easter+39", "easter+50", "10-03", "12-25", "12-26"]'
CHRISTMAS = datetime(2026, 12, 25, 17, tzinfo=UTC)
"""A Friday, 18:00 in Berlin."""


@pytest.mark.parametrize(
    ("head", "when", "price"),
    [
        ("", CHRISTMAS, 0.32),
        ('holidays = ["2026-12-25"]\n', CHRISTMAS, 0.19),
        ("holidays = [2026-12-25]\n", CHRISTMAS, 0.19),
        (f"holidays = {GERMAN}\n", CHRISTMAS, 0.19),
        (f"holidays = {GERMAN}\n", CHRISTMAS + timedelta(days=3), 0.32),
        (f"holidays = {GERMAN}\n", datetime(2027, 5, 17, 10, tzinfo=UTC), 0.19),
        (f"holidays = {GERMAN}\n", datetime(2027, 5, 24, 10, tzinfo=UTC), 0.32),
        ('holidays = ["4 thu nov"]\n', datetime(2026, 11, 26, 17, tzinfo=UTC), 0.19),
        ('holidays = ["last mon may"]\n', datetime(2026, 5, 25, 17, tzinfo=UTC), 0.19),
        ('holidays = ["2026-12-25"]\n', datetime(2026, 12, 25, 21, 30, tzinfo=UTC), 0.19),
    ],
    ids=["no key", "a text", "a date", "each year", "the Monday after", "Whit Monday", "a week later", "Thanksgiving",
         "Memorial Day", "its night"],
)  # fmt: skip
def test_a_public_holiday_is_billed_like_a_sunday(head: str, when: datetime, price: float) -> None:
    assert prices(tariff(head + PEAK_HOURS).import_, [when], BERLIN) == [price]


def test_a_holiday_may_have_a_price_of_its_own() -> None:
    own = [(0.07, "holiday"), (0.5, "sun")]
    periods = "".join(f'[[import.period]]\nprice = {price}\ndays = ["{day}"]\n' for price, day in own)
    text = f"holidays = {GERMAN}\n{periods}"
    known = tariff(text + PEAK_HOURS)
    sunday = CHRISTMAS + timedelta(days=2)
    assert prices(known.import_, [CHRISTMAS, sunday], BERLIN) == [0.07, 0.5]


def test_the_load_of_a_holiday_is_that_of_a_weekend_and_poisons_no_workday() -> None:
    known = tariff('holidays = ["2026-12-25"]\n' + PEAK_HOURS)
    now = datetime(2026, 12, 24, 12, tzinfo=UTC)
    local = [(now - timedelta(minutes=15 * n)).astimezone(BERLIN) for n in range(14 * 96, 0, -1)]
    past = Record(
        now - timedelta(days=14), np.where([at.weekday() >= 5 for at in local], 20e3, 90e3), np.zeros(14 * 96)
    )
    ahead = [now, CHRISTMAS]
    assert learn(past, now, BERLIN).ahead(past, ahead).load[1] == pytest.approx(90e3, rel=0.01)
    assert learn(past, now, BERLIN, known.days_off).ahead(past, ahead).load[1] == pytest.approx(20e3, rel=0.01)
    after = datetime(2026, 12, 28, 17, tzinfo=UTC)
    local = [(after - timedelta(minutes=15 * n)).astimezone(BERLIN) for n in range(14 * 96, 0, -1)]
    free = [at.weekday() >= 5 or at.date() == date(2026, 12, 25) for at in local]
    seen = Record(after - timedelta(days=14), np.where(free, 20e3, 90e3), np.zeros(14 * 96))
    later = [after, after + timedelta(hours=16)]
    assert learn(seen, after, BERLIN, known.days_off).ahead(seen, later).load[1] == pytest.approx(90e3, rel=0.01)


@pytest.mark.parametrize(
    ("year", "day"),
    [(1961, (4, 2)), (2024, (3, 31)), (2026, (4, 5)), (2027, (3, 28)), (2038, (4, 25)), (2285, (3, 22))],
)
def test_easter(year: int, day: tuple[int, int]) -> None:
    assert easter(year) == date(year, *day)
