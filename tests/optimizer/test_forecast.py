"""Forecasts: what the site does each day, how sure that is, and nothing that was not known yet."""

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.forecast.ahead import LEVELS, Ahead
from optimizer.forecast.lessons import HORIZON, Errors
from optimizer.forecast.local_days import LocalDays, quarter
from optimizer.forecast.model import Model, learn
from optimizer.forecast.uncertainty import Uncertainty
from optimizer.outlook import step_starts
from optimizer.record import QUARTER, Record

BERLIN = ZoneInfo("Europe/Berlin")
THURSDAY = datetime(2026, 6, 11, 10, tzinfo=UTC)
RECORDING = Path(__file__).parents[2] / "simulator/recordings/commercial_site_2016.csv.gz"


@cache
def site(days: float, now: datetime = THURSDAY, *, noise: float = 0.0, sun: float = 80e3) -> Record:
    """100 kW from 8 to 18 h on workdays, else 20 kW; a triangle of PV from 4 to 20 h UTC, by the day more or less."""
    rng = np.random.default_rng(7)
    count = round(days * 96)
    ats = [now - number * QUARTER for number in range(count, 0, -1)]
    local = [at.astimezone(BERLIN) for at in ats]
    load = np.array([100e3 if at.weekday() < 5 and 8 <= at.hour < 18 else 20e3 for at in local])
    height = np.array([max(0.0, 1 - abs(at.hour + at.minute / 60 - 12) / 8) for at in ats])
    bright = {at.date(): rng.uniform(1 - 3 * noise, 1) if noise else 1.0 for at in ats}
    pv = sun * height * np.array([max(0.0, bright[at.date()]) for at in ats])
    return Record(now - count * QUARTER, load * (1 + noise * rng.standard_normal(count)), pv)


def ahead_of(
    record: Record, now: datetime = THURSDAY, hours: float = 48, days_off: tuple[date, ...] = ()
) -> list[float]:
    return list(learn(record, now, BERLIN, days_off).ahead(record, step_starts(now, hours)).load)


@pytest.mark.parametrize("days", [14, 40])
def test_workdays_and_weekends_differ(days: int) -> None:
    evening = THURSDAY + timedelta(days=2, hours=10)  # Saturday, 22 h
    by_hour = ahead_of(site(days, evening), evening)[::4]
    assert by_hour[:34] == [pytest.approx(20e3, rel=0.1)] * 34  # to Monday 8 h
    assert by_hour[35:44] == [pytest.approx(100e3, rel=0.1)] * 9


@pytest.mark.parametrize(
    "changed",
    [datetime(2026, 3, 28, 21, tzinfo=UTC), datetime(2026, 10, 24, 21, tzinfo=UTC)],
    ids=["a day of 92 quarters", "a day of 100 quarters"],
)
@pytest.mark.parametrize("days", [14, 40])
def test_load_keeps_the_local_clock_through_a_dst_night(changed: datetime, days: int) -> None:
    starts = step_starts(changed, 48)
    record = site(days, changed)
    ahead = learn(record, changed, BERLIN).ahead(record, starts)
    busy = [at.astimezone(BERLIN) for at, load in zip(starts, ahead.load, strict=True) if load > 60e3]
    assert {(at.weekday(), at.hour) for at in busy} == {(0, hour) for hour in range(8, 18)}
    assert int(np.argmax(ahead.pv)) in (60, 156)  # 12 h UTC: the sun keeps its own


@pytest.mark.parametrize("days", [14, 40])
def test_a_holiday_is_a_sunday_and_teaches_no_workday(days: int) -> None:
    tomorrow = (THURSDAY + timedelta(days=1)).date()
    assert ahead_of(site(days))[4 * 24] == pytest.approx(100e3, rel=0.05)
    assert ahead_of(site(days), days_off=(tomorrow,))[4 * 24] == pytest.approx(20e3, rel=0.1)
    seen = site(days)
    before = [(THURSDAY - (len(seen) - place) * QUARTER).astimezone(BERLIN).date() for place in range(len(seen))]
    yesterday = (THURSDAY - timedelta(days=7)).date()
    quiet = Record(seen.start, np.where([day == yesterday for day in before], 20e3, seen.load), seen.pv)
    assert ahead_of(quiet, days_off=(yesterday,))[0] == pytest.approx(100e3, rel=0.05)


def test_the_present_goes_on_for_a_while() -> None:
    for days in (14, 40):
        record = site(days, noise=0.05)
        model = learn(record, THURSDAY, BERLIN)
        usual, high = (model.ahead(record, step_starts(THURSDAY, 24), now).load for now in (100e3, 140e3))
        assert high[0] == pytest.approx(140e3)
        assert high[3] - usual[3] < 0.9 * (high[0] - usual[0])
        assert abs(high[-1] - usual[-1]) < 10e3


COLD = {"nothing": 0.0, "an hour": 1 / 24, "a night": 0.4, "a day": 1.0, "three days": 3.0, "ten days": 10.0}


@pytest.mark.parametrize("what", COLD)
def test_from_the_first_hour_it_tells_the_best_and_how_little_that_is(what: str) -> None:
    record = site(COLD[what], noise=0.1)
    model = learn(record, THURSDAY, BERLIN)
    ahead = model.ahead(record, step_starts(THURSDAY, 48), 90e3, 40e3)
    assert ahead.load[0] == pytest.approx(90e3)
    assert ahead.pv[0] == pytest.approx(40e3)
    assert np.isfinite([*ahead.load, *ahead.pv, *ahead.spread]).all()
    assert ahead.spread.min() >= (10e3 if COLD[what] < 1 else 2e3)  # at night, of 20 kW
    assert ahead.spread[:8].min() >= 10e3, "at noon, of 100 kW and a sun nobody knows"
    if COLD[what] >= 1:
        assert ahead.load[4 * 12] == pytest.approx(20e3, rel=0.4)  # tonight
        assert ahead.pv[4 * 24] > 20e3
    assert ahead.pv[4 * 14] == 0.0, "at night"
    if COLD[what] >= 1:
        assert ahead.quantile("pv", 0.95)[4 * 14] == 0.0, "the sun is sure not to shine at night"
        assert ahead.quantile("net", 0.05)[4 * 14] >= 0.0, "so there is no surplus to be hoped for"


def test_it_learns_to_be_sure_and_never_is() -> None:
    spreads = []
    for days in (0.05, 3.0, 40.0):
        record = site(days, noise=0.02)
        spreads.append(learn(record, THURSDAY, BERLIN).ahead(record, step_starts(THURSDAY, 24), 100e3).spread.max())
    assert spreads == sorted(spreads, reverse=True)
    constant = Record(THURSDAY - timedelta(days=60), np.full(60 * 96, 50e3), np.zeros(60 * 96))
    known = learn(constant, THURSDAY, BERLIN).ahead(constant, step_starts(THURSDAY, 24))
    assert list(known.load) == [pytest.approx(50e3)] * 96
    assert 0 < known.spread.min() < 1e3


def spoiled(change: Callable[[np.ndarray, np.ndarray], None], days: int = 60) -> Record:
    record = site(days, noise=0.05)
    load, pv = record.load.copy(), record.pv.copy()
    change(load, pv)
    return Record(record.start, load, pv)


def put(column: int, where: slice, value: float) -> Callable[[np.ndarray, np.ndarray], None]:
    def change(*columns: np.ndarray) -> None:
        columns[column][where] = value

    return change


def times(column: int, where: slice, factor: float) -> Callable[[np.ndarray, np.ndarray], None]:
    def change(*columns: np.ndarray) -> None:
        columns[column][where] *= factor

    return change


DAY = 96
POISON = {
    "a flat head of zeros": put(0, slice(0, 20 * DAY), 0.0),
    "a head of nothing known": put(0, slice(0, 20 * DAY), np.nan),
    "an outage of zeros": put(0, slice(-20 * DAY, -17 * DAY), 0.0),
    "a meter that stood still": put(0, slice(-20 * DAY, -18 * DAY), 61234.5),
    "missing weeks": put(0, slice(-40 * DAY, -25 * DAY), np.nan),
    "nothing of the last five days": put(0, slice(-5 * DAY, None), np.nan),
    "two weeks of shutdown": times(0, slice(-35 * DAY, -21 * DAY), 0.2),
    "a spike of a gigawatt": put(0, slice(-9 * DAY, -9 * DAY + 1), 1e9),
    "a spike of five megawatts": put(0, slice(-200, -198), 5e6),
    "negative load": put(0, slice(-12 * DAY, -12 * DAY + 20), -50e3),
    "infinity": put(0, slice(-100, -99), np.inf),
    "PV that stood still at noon": put(1, slice(-8 * DAY, -7 * DAY), 43210.0),
    "a spike of the sun": put(1, slice(-9 * DAY, -9 * DAY + 1), 4e8),
    "no PV for a week": put(1, slice(-40 * DAY, -33 * DAY), 0.0),
}


@cache
def unspoiled() -> Ahead:
    record = site(60, noise=0.05)
    return learn(record, THURSDAY, BERLIN).ahead(record, step_starts(THURSDAY, 48))


@pytest.mark.parametrize("what", POISON)
def test_what_was_not_so_spoils_no_forecast(what: str) -> None:
    """Within a quarter of the forecast without it, and no less and not far more doubt."""
    starts = step_starts(THURSDAY, 48)
    record, expected = spoiled(POISON[what]), unspoiled()
    found = learn(record, THURSDAY, BERLIN).ahead(record, starts)
    assert np.abs(found.load - expected.load).max() < 25e3
    assert np.abs(found.pv - expected.pv).max() < 20e3
    assert 0.6 < found.spread.mean() / expected.spread.mean() < 4


def test_a_column_that_wakes_up_does_not_explode() -> None:
    """PV is built after two months: 4e8 kW were forecast once, where features had a scale of their first day."""
    record = site(80)
    for age in (1, 3, 25):
        new = Record(record.start, record.load, np.where(np.arange(80 * DAY) < (80 - age) * DAY, 0.0, record.pv))
        model = learn(new, THURSDAY, BERLIN)
        pv = model.ahead(new, step_starts(THURSDAY, 48)).pv
        assert 0 <= pv.min() <= pv.max() <= 1.1 * 80e3
    assert pv.max() > 50e3, "after some weeks it is known"


def test_pv_that_never_was_is_never_forecast() -> None:
    record = site(60, sun=0.0)
    ahead = learn(record, THURSDAY, BERLIN).ahead(record, step_starts(THURSDAY, 48))
    assert set(ahead.pv) == {0.0}
    assert set(ahead.quantile("pv", 0.9)) <= {0.0} or ahead.quantile("pv", 0.9).max() < 10


def test_a_new_level_of_the_load_is_followed_within_days() -> None:
    """A second shift, a heat pump: three days later the forecast has gone most of the way."""
    found = ahead_of(spoiled(times(0, slice(-3 * DAY, None), 1.6)), hours=24)
    assert found[4] == pytest.approx(160e3, rel=0.12)
    assert found[-8] == pytest.approx(160e3, rel=0.25)  # tomorrow morning


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 30), st.booleans())
def test_any_record_gives_finite_powers_and_the_future_changes_none(seed: int, days: int, wild: bool) -> None:
    rng = np.random.default_rng(seed)
    later = 3 * DAY
    load, pv = rng.normal(50e3, 40e3, (2, days * DAY + later)) * (10 ** rng.uniform(-3, 6) if wild else 1)
    for column in (load, pv):
        holes = rng.integers(0, len(column), 5)
        for hole in holes:
            column[hole : hole + int(rng.integers(1, 400))] = rng.choice([np.nan, 0.0, 1e6, -1e5, np.inf])
    start = THURSDAY - days * DAY * QUARTER
    record = Record(start, load, pv)
    other = Record(start, *(np.concatenate([one[: days * DAY], rng.normal(1e6, 1e6, later)]) for one in (load, pv)))
    starts = step_starts(THURSDAY + timedelta(minutes=7), 48)
    found, same = (learn(one, starts[0], BERLIN).ahead(one, starts, 44e3) for one in (record, other))
    for one, two in zip(
        (found.load, found.pv, found.spread, *found.quantiles),
        (same.load, same.pv, same.spread, *same.quantiles),
        strict=True,
    ):
        assert np.isfinite(one).all()
        assert np.array_equal(one, two)
    assert min(found.load.min(), found.pv.min()) >= 0
    assert found.spread.min() > 0
    assert (np.diff(found.quantiles.net, axis=0) >= 0).all()
    most = np.nanmax(np.where(np.isfinite(load[: days * DAY]), load[: days * DAY], 0.0), initial=44e3)
    assert found.load.max() <= 1.1 * most + 1


def test_steps_of_five_minutes_are_those_of_their_quarters() -> None:
    record = site(60, noise=0.05)
    model = learn(record, THURSDAY, BERLIN)
    now = THURSDAY + timedelta(minutes=3)
    fine = [now, *(THURSDAY + number * timedelta(minutes=5) for number in range(1, 60))]
    coarse = model.ahead(record, step_starts(now, 6))
    assert list(model.ahead(record, fine).load) == [coarse.load[int((at - THURSDAY) / QUARTER)] for at in fine]
    with pytest.raises(ValueError, match=r"reaches from .* for 48 h"):
        model.ahead(record, [now, now + timedelta(hours=49)])


def test_a_day_later_only_that_day_is_learned_and_the_forecast_is_as_if_all_was() -> None:
    record = site(75, noise=0.05)
    begin = THURSDAY - timedelta(days=3)
    model = learn(record, begin, BERLIN)
    for day in (1, 2, 3):
        model = learn(record, begin + timedelta(days=day), BERLIN, before=model)
    starts = step_starts(THURSDAY, 48)
    anew = learn(record, THURSDAY, BERLIN).ahead(record, starts)
    assert np.allclose(model.ahead(record, starts).load, anew.load, rtol=0.02, atol=500)
    assert np.allclose(model.ahead(record, starts).spread, anew.spread, rtol=0.1)


def test_an_error_goes_on_in_the_scenarios_as_it_does() -> None:
    record = site(60, noise=0.1)
    ahead = learn(record, THURSDAY, BERLIN).ahead(record, step_starts(THURSDAY, 24))
    paths = ahead.scenarios(4000, np.random.default_rng(1))
    for level in (0.1, 0.5, 0.9):
        held = (paths <= ahead.quantile("net", level)).mean(axis=0)
        assert np.abs(held - level).max() < 0.03
    off = paths - paths.mean(axis=0)
    step = [np.corrcoef(off[:, 40], off[:, 40 + gap])[0, 1] for gap in (1, 12)]
    assert step[0] == pytest.approx(0.93 * 0.7, abs=0.08)  # the fast part is of its quarter alone
    assert step[1] == pytest.approx(0.93**12 * 0.7, abs=0.08)


def off_by(*sizes: float) -> list[Errors]:
    """Days of load forecasts, each off by so many W at random; of PV none."""
    rng, first = np.random.default_rng(4), quarter(THURSDAY) - DAY * len(sizes)
    shape = (24, HORIZON)
    return [
        Errors(
            np.arange(24) * 4 + first + DAY * day,
            rng.normal(0, size, shape).astype(np.float32),
            np.zeros(shape, np.float32),
        )
        for day, size in enumerate(sizes)
    ]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([10e3] * 42, 10e3),
        ([10e3] * 40 + [30e3] * 2, 17e3),  # a term begins: the next morning it is less sure
        ([30e3] * 14 + [10e3] * 28, 13.3e3),  # four weeks after it has ended, nearly as before
        ([10e3] * 40 + [0.0] * 2, 9e3),  # two quiet days prove little
    ],
    ids=["as ever", "since two days", "long ago", "two quiet days"],
)
def test_what_changed_lately_counts_more_than_what_was_six_weeks_ago(sizes: list[float], expected: float) -> None:
    at = quarter(THURSDAY)
    found = [replace(one, load=_so_far(one, at)) for one in off_by(*sizes)]
    doubt = Uncertainty.of(found, LocalDays(BERLIN, ()), at)
    assert doubt is not None
    assert doubt.spread.mean() == pytest.approx(expected, rel=0.1)
    bands = doubt.bands(np.full(96, 100e3), np.zeros(96), np.arange(96), np.arange(96))
    assert bands.load[-1].mean() - 100e3 == pytest.approx(1.92 * doubt.spread.mean(), rel=0.25)


def _so_far(one: Errors, at: int) -> np.ndarray:
    """Without what is not over yet."""
    targets = one.origins[:, None] + np.arange(HORIZON)[None, :]
    return np.where(targets < at, one.load, np.nan).astype(np.float32)


@pytest.fixture(scope="module")
def year() -> Record:
    """A commercial site of a whole year (simbench), from January."""
    with gzip.open(RECORDING, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    load, pv = (1000 * np.array([float(row[name]) for row in rows]) for name in ("load_kw", "pv_kw"))
    return Record(datetime.fromisoformat(rows[0]["timestamp_utc"]), load, pv)


def test_bands_hold_as_often_as_they_say_and_the_skill_says_so_too(year: Record) -> None:
    """Of a measured year, 40 days from April on, each told by what was known then."""
    begin, days = datetime(2016, 4, 1, tzinfo=UTC), 40
    model: Model | None = None
    held, count = np.zeros(len(LEVELS)), 0
    errors = []
    for day in range(days):
        now = begin + timedelta(days=day)
        model = learn(year, now, BERLIN, before=model)
        for hour in (0, 11):
            at = now + timedelta(hours=hour)
            place = int((at - year.start) / QUARTER)
            ahead = model.ahead(year, step_starts(at, 24))
            came = year.load[place : place + 96] - year.pv[place : place + 96]
            held += (came[None, :] <= ahead.quantiles.net).sum(axis=1)
            count += 96
            errors.append((came - ahead.load + ahead.pv) / ahead.spread)
    assert held / count == pytest.approx(LEVELS, abs=0.06)
    assert 0.85 < np.sqrt(np.mean(np.square(errors))) < 1.2, "the spread is the size of the error"
    assert model is not None
    skill = model.skill(begin + timedelta(days=days))
    assert {(one.of, one.from_hours) for one in skill.skills} >= {("load", 0), ("pv", 1), ("net", 6)}
    assert all(65 < (one.covered or 0) < 95 for one in skill.skills if one.of != "pv")
    said = skill.model_dump_json()
    assert skill.model_validate_json(said).model_dump_json() == said
