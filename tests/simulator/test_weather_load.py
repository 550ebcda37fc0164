"""The recorded year answers for any moment, with the same weekday, season and clock."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulebus.simulate import weather_of
from schemas.site import Site
from simulator.weather_load import RECORDINGS, alike, price, recording, surroundings

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = st.integers(1_577_836_800, 2_208_988_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(st.dates(date(1990, 1, 1), date(2060, 1, 1)), st.sampled_from([2016, 2023]))
def test_a_day_alike_has_the_weekday_and_the_season(day: date, year: int) -> None:
    twin = alike(day, year)
    assert (twin.year, twin.weekday()) == (year, day.weekday())
    apart = abs(twin.timetuple().tm_yday - day.timetuple().tm_yday)
    assert min(apart, 366 - apart) <= 8


@given(MOMENTS, st.integers(0, 1000))
def test_every_moment_has_load_and_sun(at: datetime, seed: int) -> None:
    around = surroundings(at, BERLIN, seed)
    assert 9_000 < around.load < 620_000
    assert 0 <= around.sun <= 1
    assert -500 <= price(at, BERLIN) <= 871


def test_the_recorded_year_itself_comes_back() -> None:
    series = recording("commercial_site_2016")
    first = datetime.fromtimestamp(series.start, BERLIN)
    assert (series.year, series.step) == (2016, 900)
    for index in (0, 5_000, 20_000, 35_000):
        local = (first.astimezone(UTC) + timedelta(minutes=15 * index + 7)).astimezone(BERLIN)
        assert series.mean(0, local) == series.columns[0][index]


def test_it_is_day_at_noon_and_night_at_midnight_on_any_clock() -> None:
    for zone in (BERLIN, ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Tokyo")):
        noons = [datetime(2026, 6, day, 12, 30, tzinfo=zone) for day in range(1, 29)]
        assert sum(surroundings(noon, zone).sun for noon in noons) / 28 > 0.3
        assert all(surroundings(noon + timedelta(hours=12), zone).sun == 0 for noon in noons)


def test_a_workday_is_not_a_sunday() -> None:
    tuesday = datetime(2026, 6, 16, 10, tzinfo=BERLIN)
    assert surroundings(tuesday, BERLIN).load > 5 * surroundings(tuesday + timedelta(days=5), BERLIN).load


@pytest.mark.parametrize("night", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_it_lives_through_the_nights_the_clock_is_changed(night: datetime) -> None:
    loads = [surroundings(night + timedelta(minutes=minute), BERLIN).load for minute in range(180)]
    assert all(abs(b - a) < 15_000 for a, b in pairwise(loads))


def test_two_samples_later_it_has_moved_but_not_jumped() -> None:
    at = datetime(2026, 6, 16, 10, tzinfo=UTC)
    loads = [surroundings(at + timedelta(seconds=second), BERLIN, seed=7).load for second in range(60)]
    assert len(set(loads)) == 60
    assert all(abs(b - a) < 5_000 for a, b in pairwise(loads))


def test_what_ships_is_small_and_says_where_it_comes_from() -> None:
    files = list(RECORDINGS.glob("*.csv.gz"))
    assert sum(file.stat().st_size for file in files) < 600_000
    told = (RECORDINGS / "ATTRIBUTION.md").read_text(encoding="utf-8")
    assert all(file.name in told for file in files)
    assert "ODbL" in told
    assert "CC BY 4.0" in told


def test_the_weather_of_another_moment_goes_on_from_there(site: Site) -> None:
    now = datetime(2026, 11, 26, 21, 30, tzinfo=UTC)
    noon = datetime(2026, 6, 7, 12, 0)  # noqa: DTZ001  # of the site's zone, as it is typed
    around = weather_of(site, noon, now)
    assert around is not None
    for later in (timedelta(), timedelta(hours=3)):
        assert around(now + later) == surroundings(noon.replace(tzinfo=BERLIN) + later, BERLIN)
    assert around(now).sun > 0.5
    assert weather_of(site, None, now) is None
