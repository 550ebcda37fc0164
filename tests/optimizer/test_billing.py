"""What a demand charge bills, from quarters of an hour and from live readings: one rule."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.archive.rollups import Rollup, merge, roll
from optimizer.billing import Quarter, is_billed, least_seen, peaks_by_period, quarter, windows, within
from optimizer.demand import Charged, period
from optimizer.running_window import RunningWindow
from schemas.tariff import Demand
from tests.optimizer.outlooks import BERLIN

KOLKATA, UTC_ = ZoneInfo("Asia/Kolkata"), ZoneInfo("UTC")
NOON = datetime(2026, 6, 10, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


def demand(**more: Any) -> Demand:
    return Demand.model_validate({"price": 15.0, **more})


def quarters(powers: list[float], start: datetime = NOON, seconds: float = 900.0) -> list[Quarter]:
    """Mean imports in W, each seen for so long."""
    return [Quarter(start + n * QUARTER, power * seconds / 3600, seconds) for n, power in enumerate(powers)]


def highest(seen: list[Quarter], zone: ZoneInfo = BERLIN, poll: float = 1.0, **more: Any) -> float | None:
    """W of all windows that were over with the last quarter."""
    one = demand(**more)
    end = seen[-1].at + QUARTER
    found = peaks_by_period(windows(seen, one, zone), one, poll, zone, seen[0].at, end)
    peak = within(found, seen[0].at - timedelta(days=400), end).highest
    return None if peak is None else peak.mean


@pytest.mark.parametrize(
    ("seen", "more", "peak"),
    [
        (quarters([80e3, 300e3, 80e3]), {}, 300e3),
        ([*quarters([80e3]), Quarter(NOON + QUARTER, 700e3 * 30 / 3600, 30.0)], {}, 80e3),
        ([Quarter(NOON, 700e3 * 30 / 3600, 30.0)], {}, None),
        (quarters([100e3, 300e3, 100e3, 100e3]), {"minutes": 30}, 200e3),
        (quarters([100e3, 300e3, 100e3, 100e3]), {"minutes": 60}, 150e3),
        (quarters([100e3, 300e3, 100e3]), {"minutes": 60}, None),
        (quarters([100e3, 300e3], seconds=820.0), {}, 300e3),
        (quarters([100e3, 300e3], seconds=800.0), {}, None),
    ],
    ids=[
        "the highest",
        "30 s at 700 kW are no quarter hour at 700 kW",
        "and alone they tell nothing",
        "half an hour",
        "an hour",
        "an hour that is not over",
        "nine tenths are enough",
        "less is not",
    ],
)
def test_the_highest_window(seen: list[Quarter], more: dict[str, Any], peak: float | None) -> None:
    assert highest(seen, **more) == (None if peak is None else pytest.approx(peak))


def test_what_was_fed_in_takes_nothing_off() -> None:
    """7 min at 200 kW from the grid, 8 min at 200 kW into it: the import register of the meter counts 23.3 kWh."""
    samples = [{"p": 200e3 if second < 420 else -200e3} for second in range(900)]
    found = roll(range(900), samples, 0.0, 900.0)["p"]
    assert highest([Quarter(NOON, found.plus, found.seconds)]) == pytest.approx(200e3 * 7 / 15)
    running = RunningWindow(UTC_, demand())
    for second in range(901):
        running = running.fold(NOON + timedelta(seconds=second), samples[min(second, 899)]["p"])
    assert running.peak == pytest.approx(200e3 * 7 / 15), "and live it is the same"


@pytest.mark.parametrize(("zone", "peak"), [(KOLKATA, 300e3), (UTC_, 200e3)])
def test_hours_stand_on_the_local_clock(zone: ZoneInfo, peak: float) -> None:
    """An hour of India begins at half past by UTC: 300 kW of one hour there lie in two of UTC."""
    seen = quarters([*[100e3] * 2, *[300e3] * 4, *[100e3] * 2])
    found = windows(seen, demand(minutes=60), zone).values()
    billed = [one.mean for one in found if is_billed(one, demand(minutes=60), 1.0, zone)]
    assert max(billed) == pytest.approx(peak)


@pytest.mark.parametrize(
    ("day", "hours"), [(datetime(2026, 3, 29, tzinfo=BERLIN), 23), (datetime(2026, 10, 25, tzinfo=BERLIN), 25)]
)
@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_each_window_of_a_day_when_the_clocks_change_counts_once(
    day: datetime, hours: int, minutes: Literal[15, 30, 60]
) -> None:
    begin, end = day.astimezone(UTC), (day + timedelta(days=1)).astimezone(UTC)
    assert end - begin == timedelta(hours=hours)
    seen = [Quarter(begin + n * QUARTER, 1000.0 + n, 900.0) for n in range(4 * hours)]
    found = peaks_by_period(
        windows(seen, demand(minutes=minutes), BERLIN), demand(minutes=minutes), 1.0, BERLIN, begin, end
    )
    (month,) = found.values()
    assert month.over == month.billed == hours * 60 // minutes
    assert month.highest is not None
    assert month.highest.start == end - timedelta(minutes=minutes)


def test_months_and_years_are_local_and_each_has_its_own_highest() -> None:
    """The last quarter of December of Berlin begins at 22:45 by UTC."""
    last = datetime(2025, 12, 31, 22, 45, tzinfo=UTC)
    seen = quarters([50e3, 400e3, 90e3, 60e3], last - QUARTER)
    found = peaks_by_period(windows(seen, demand(), BERLIN), demand(), 1.0, BERLIN, last - QUARTER, last + 3 * QUARTER)
    assert [one.highest.mean if one.highest else None for _, one in sorted(found.items())] == [400e3, 90e3]
    year = period(last + QUARTER, BERLIN, Charged("year"))
    assert within(found, *year).highest == found[year[0]].highest, "the year that begins knows nothing of the last"


def test_what_was_not_seen_is_told() -> None:
    seen = [one for n, one in enumerate(quarters([50e3] * 8)) if n % 4]
    (month,) = peaks_by_period(
        windows(seen, demand(), BERLIN), demand(), 1.0, BERLIN, NOON, NOON + 8 * QUARTER
    ).values()
    assert (month.over, month.billed, month.share) == (8, 6, 0.75)


@pytest.mark.parametrize(
    ("poll", "least"), [(0.1, 810.0), (10.0, 810.0), (60.0, 810.0), (120.0, 390.0), (300.0, 120.0), (900.0, 0.0)]
)
def test_of_a_meter_that_is_read_rarely_less_can_be_seen(poll: float, least: float) -> None:
    assert least_seen(15, poll) == pytest.approx(least)


def test_a_meter_that_is_read_every_five_minutes_makes_a_peak_but_not_by_one_reading() -> None:
    """A reading stands for a minute at most: of a quarter hour three are seen."""
    running = RunningWindow(BERLIN, demand(), poll=300.0)
    for second in range(0, 1801, 300):
        running = running.fold(NOON + timedelta(seconds=second), 90e3)
    assert running.peak == pytest.approx(90e3)
    assert highest([Quarter(NOON, 90e3 / 20, 180.0)], poll=300.0) == pytest.approx(90e3)
    assert highest([Quarter(NOON, 700e3 / 60, 60.0)], poll=300.0) is None


def rolled(readings: list[tuple[float, float]], count: int, poll: float = 1.0) -> list[Quarter]:
    """Quarters as the archive makes them of samples: minutes first."""
    found = []
    for number in range(count):
        minutes: list[Rollup] = []
        for start in range(900 * number, 900 * (number + 1), 60):
            near = [(at, power) for at, power in readings if start - 60 <= at < start + 60]
            rows = roll([at for at, _ in near], [{"p": power} for _, power in near], start, start + 60.0)
            minutes += rows.values()
        if minutes:
            one = merge(minutes)
            found.append(quarter(NOON + number * QUARTER, one.plus, one.seconds, one.samples, poll))
    return found


GAPS = st.sampled_from([1.0, 30.0, 30.0, 45.0, 59.0, 59.0, 59.0, 100.0, 400.0])


@given(st.lists(st.tuples(GAPS, st.floats(-1e6, 1e6)), min_size=20, max_size=200), st.sampled_from([15, 30, 60]))
def test_live_readings_and_the_archive_s_quarters_are_billed_alike(
    gaps: list[tuple[float, float]], minutes: int
) -> None:
    """Whatever was read, and missed: no window counts in the archive alone, and where none is missing the means are
    the same."""
    second, readings, missed = 0.0, [(0.0, 5e4)], set[datetime]()
    for gap, power in gaps:
        if gap > 60:
            missed |= {NOON + timedelta(seconds=at // 900 * 900) for at in (second, second + gap)}
        second += gap
        readings.append((second, power))
    one, count, live = demand(minutes=minutes), int(second // 900), dict[datetime, float]()
    running = RunningWindow(UTC_, one)
    for at, power in readings:
        running = running.fold(NOON + timedelta(seconds=at), power)
        live |= {each.start: each.mean for each in running.closed}
    unsure = set(windows([Quarter(at, 0.0, 0.0) for at in missed], demand(minutes=minutes), UTC_))
    archived = {
        start: each.mean
        for start, each in windows(rolled(readings, count), demand(minutes=minutes), UTC_).items()
        if start + timedelta(minutes=minutes) <= NOON + count * QUARTER and is_billed(each, one, 1.0, UTC_)
    }
    assert archived.keys() <= live.keys()
    sure = {start: mean for start, mean in live.items() if start not in unsure}
    assert sure == {start: pytest.approx(archived[start], rel=1e-6, abs=1e-3) for start in sure}


@pytest.mark.parametrize("poll", [60.0, 61.0, 120.0, 300.0])
@pytest.mark.parametrize("late", [0.0, 29.0, 59.9])
def test_a_meter_that_is_read_once_a_minute_or_more_rarely(poll: float, late: float) -> None:
    """Whenever in a minute it answers, and now and then a little later: its windows count, by its readings."""
    seconds = [n * poll + late + (0.2 if n % 2 else 0.0) for n in range(int(1800 / poll) + 1)]
    readings = [(second, 90e3 if second < 900 else 30e3) for second in seconds if second < 1800]
    assert highest(rolled(readings, 2, poll), poll=poll) == pytest.approx(90e3, rel=0.07)


def test_a_window_that_slides_is_found_across_two_hours() -> None:
    """From 12:30 to 13:30 300 kW flow, in each hour of the clock 150 kW; the archive tells it by its quarters."""
    seen = [Quarter(NOON + n * QUARTER, 75e3 if 2 <= n < 6 else 0.0, 900.0) for n in range(12)]
    found = {}
    for sliding in (None, 15, 30):
        one = demand(minutes=60, sliding=sliding)
        (month,) = peaks_by_period(windows(seen, one, UTC_), one, 1.0, UTC_, NOON, NOON + 12 * QUARTER).values()
        found[sliding] = month.highest.mean if month.highest else None
    assert found == {None: 150e3, 15: 300e3, 30: 300e3}
