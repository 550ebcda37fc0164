"""The peak that a battery could have held on each of the last days."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from optimizer.lowest_peak import Alone, alone, daily_peaks
from optimizer.record import Record
from optimizer.storage import Storage
from schemas.tariff_demand import Demand
from tests.optimizer.outlooks import BERLIN

MIDNIGHT = datetime(2026, 6, 1, tzinfo=BERLIN)
BATTERY = Storage(200e3, efficiency=1.0)
"""160 kWh between its limits, 80 of them there in the morning."""
ALL_DAY = Demand.model_validate({"price": 15.0})


def record(days: int, *peaks: tuple[int, int, float], base: float = 50e3) -> Record:
    """Days with a base load and, between two hours of each, another."""
    load = np.full(days * 96, base)
    for first, last, power in peaks:
        for day in range(days):
            load[day * 96 + first * 4 : day * 96 + last * 4] = power
    return Record(MIDNIGHT.astimezone(ZoneInfo("UTC")), load, np.zeros(len(load)))


def peaks(of: Record, demand: Demand = ALL_DAY, rated: float = 100e3, days: float = 3) -> list[float]:
    return daily_peaks(of, BATTERY, rated, demand, BERLIN, MIDNIGHT + timedelta(days=days))


def test_an_hour_of_the_evening_is_shaved_by_what_is_there() -> None:
    """An hour of 200 kW at noon: full in the morning, 160 kWh would do for 40 kW, but the rating leaves 100."""
    assert peaks(record(3, (12, 13, 200e3))) == pytest.approx([100e3] * 3, abs=300)


def test_a_long_day_is_shaved_by_what_was_there_in_the_morning() -> None:
    """22 hours of 100 kW with 80 kWh; what the cap leaves is charged again in the evening."""
    assert peaks(record(3, (0, 22, 100e3), base=0.0)) == pytest.approx([100e3 - 80e3 / 22] * 3, abs=300)
    assert peaks(record(3, (0, 24, 100e3))) == pytest.approx([100e3] * 3, abs=300), "nothing is left to charge with"


def test_only_whole_days_before_now_and_28_of_them() -> None:
    assert len(peaks(record(40, (12, 13, 200e3)), days=35.5)) == 28
    assert len(peaks(record(40), days=2.9)) == 2
    assert peaks(record(1), days=0.3) == []


def test_hours_that_do_not_count_may_draw_all_they_like() -> None:
    evening = Demand.model_validate({"price": 15.0, "hours": [{"start": "18:00", "end": "20:00"}]})
    high = record(3, (8, 17, 300e3), (18, 20, 100e3))
    assert peaks(high, evening) == pytest.approx([20e3] * 3, abs=300)  # 160 kWh over two hours
    never = Demand.model_validate({"price": 15.0, "hours": [{"start": "18:00", "end": "20:00", "months": [1]}]})
    assert peaks(high, never) == [0.0] * 3


def test_a_day_that_is_hardly_known_tells_nothing() -> None:
    gap = record(3, (12, 13, 200e3))
    gap.load[96:150] = np.nan  # the second: more than half
    gap.load[192:200] = np.nan  # the third: two hours
    assert len(peaks(gap)) == 2
    assert peaks(gap) == pytest.approx([100e3] * 2, abs=300)


def test_windows_of_an_hour_and_a_day_of_23() -> None:
    hourly = Demand.model_validate({"price": 15.0, "minutes": 60})
    spiky = record(3)
    spiky.load[::4] = 170e3  # each hour 170, 50, 50, 50 kW: a mean of 80
    assert peaks(spiky, hourly, rated=0.0) == pytest.approx([80e3] * 3)
    spring = Record(datetime(2026, 3, 28, 23, tzinfo=ZoneInfo("UTC")), np.full(92 + 96, 60e3), np.zeros(188))
    found = daily_peaks(spring, BATTERY, 0.0, ALL_DAY, BERLIN, datetime(2026, 3, 31, 0, tzinfo=BERLIN))
    assert found == pytest.approx([60e3, 60e3])


def test_pv_leaves_nothing_to_hold() -> None:
    sunny = record(2, base=10e3)
    sunny.pv[:] = 50e3
    assert peaks(sunny, days=2) == [0.0, 0.0]


def test_what_a_young_site_drew_of_itself() -> None:
    """In the month that runs, and on each whole day; of the day that runs what is over."""
    young = record(4, (12, 13, 200e3))
    young.load[3 * 96 + 40] = 250e3  # at ten of the fourth
    noon = MIDNIGHT + timedelta(days=3, hours=12)
    assert alone(young, ALL_DAY, BERLIN, noon) == Alone(250e3, [200e3] * 3)
    assert alone(young, ALL_DAY, BERLIN, noon - timedelta(hours=3)) == Alone(200e3, [200e3] * 3)
    before = Record(young.start - timedelta(days=3), young.load, young.pv)  # three days of May
    assert alone(before, ALL_DAY, BERLIN, MIDNIGHT) == Alone(0.0, [200e3] * 3)
    evening = Demand.model_validate({"price": 15.0, "hours": [{"start": "18:00", "end": "20:00"}]})
    assert alone(young, evening, BERLIN, noon) == Alone(50e3, [50e3] * 3)
    assert alone(record(0), ALL_DAY, BERLIN, MIDNIGHT) == Alone(0.0, [])
    assert alone(record(28), ALL_DAY, BERLIN, MIDNIGHT + timedelta(days=28)) is None
