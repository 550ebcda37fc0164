"""What is advised, in numbers that were worked out by hand."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from optimizer.advice.base_load import base_load
from optimizer.advice.over_months import Yearly, yearly
from optimizer.advice.peak_drivers import drivers
from optimizer.advice.power_factor import power_factor
from optimizer.advice.sizing import Kept, Sized, Terms, filled, kept, sized, whole_months
from optimizer.advice.tariffs import Billed, compare, per_year
from optimizer.charge import Made
from optimizer.invoice import Interval, Line, invoice
from optimizer.record import QUARTER, Record
from schemas.tariff import Reactive, Tariff
from schemas.tariff_demand import Demand
from tests.optimizer.outlooks import BERLIN, battery, grid

MAY = datetime(2026, 4, 30, 22, tzinfo=UTC)
"""Midnight of the 1st in Berlin, a Friday."""
MONTH = 31 * 96


def record(load: np.ndarray[tuple[int], np.dtype[np.float64]] | float, days: int = 31) -> Record:
    return Record(MAY, np.full(days * 96, 1.0) * load, np.zeros(days * 96))


def test_the_base_load_is_what_is_drawn_at_night_and_its_error_how_nights_differ() -> None:
    """20 kW at night on workdays, 10 on weekends (10 of 31 days), 60 by day from 8 to 18 h."""
    hours = np.arange(MONTH) % 96 // 4
    weekend = np.isin((np.arange(MONTH) // 96 + 4) % 7, [5, 6])
    load = np.where((hours >= 8) & (hours < 18), 60e3, np.where(weekend, 10e3, 20e3))
    found = base_load(record(load), BERLIN)
    assert found is not None
    assert (found.power, found.workday, found.weekend) == (20e3, 20e3, 10e3)
    assert (found.days, found.known) == (31, 1.0)
    assert found.share == pytest.approx(20e3 / np.mean(load))


def test_a_day_that_is_hardly_known_says_nothing_of_the_base_load() -> None:
    load = np.full(MONTH, 30e3)
    load[:60] = np.nan
    load[96 : 2 * 96] = np.nan
    found = base_load(record(load), BERLIN)
    assert found is not None
    assert (found.days, found.power, found.error) == (29, 30e3, 0.0)
    assert found.known == pytest.approx(1 - 156 / MONTH)
    assert base_load(record(np.full(MONTH, np.nan)), BERLIN) is None


def made(day: int, hour: int, kilowatts: float) -> Made:
    return Made(MAY + timedelta(days=day - 1, hours=hour), 1000 * kilowatts)


def test_peaks_are_named_with_their_day_and_how_much_lower_the_next_would_be() -> None:
    """Two windows of one day are one driver; the 5 % make three days."""
    seen = [made(5, 10, 100), made(5, 11, 99), made(12, 10, 97), made(19, 10, 96), made(20, 16, 80), made(32, 9, 50)]
    found = drivers(Demand.model_validate({"price": 10.0}), seen, BERLIN)
    may, june = found.peaks
    assert [one.power for one in may.days] == [100e3, 97e3, 96e3, 80e3]
    assert (may.lower, may.near) == (3e3, 3)
    assert (june.lower, june.near, june.begin) == (None, 1, MAY + timedelta(days=31))
    assert found.hours[0] == (1, 10, 3), "Tuesdays at ten"


def test_windows_whose_hours_do_not_count_drive_no_peak() -> None:
    day = Demand.model_validate({"price": 10.0, "hours": [{"start": "08:00", "end": "12:00"}]}, strict=False)
    found = drivers(day, [made(5, 10, 50), made(5, 18, 100)], BERLIN)
    assert [one.days[0].power for one in found.peaks] == [50e3]


RULE = Reactive.model_validate({"price": 0.10, "cos_phi": 0.9})


def test_reactive_energy_costs_what_the_bill_says_and_its_compensation_ends_that() -> None:
    """10 kWh an hour; 10 kvarh with them from 8 to 16 h, and 3 else."""
    at = [MAY + number * QUARTER for number in range(96)]
    each = [Interval(one, 2500.0, 0.0, 2500.0 if 32 <= n < 64 else 750.0) for n, one in enumerate(at)]
    (found,) = power_factor(RULE, each, BERLIN)
    tariff = Tariff.model_validate({
        "import": {"period": [{"price": 0.2}]}, "export": {"period": [{"price": 0.05}]}, "reactive": RULE.model_dump(),
    })  # fmt: skip
    lines = invoice(tariff, each, {}, BERLIN, {}, (MAY, MAY + timedelta(days=1)))
    billed = next(line.amount for line in lines if line.name == "reactive")
    free = math.tan(math.acos(0.9)) * 240
    assert found.free == pytest.approx(free)
    assert found.cost == pytest.approx(billed) == pytest.approx((128 - free) * 0.10)
    assert found.power_factor == pytest.approx(240 / math.hypot(240, 128))
    left = sum(max(0.0, (one.reactive or 0.0) - found.compensation / 4) for one in each) / 1000
    assert left == pytest.approx(free, abs=2.5), "it is found to 100 var"


def test_what_was_not_measured_of_it_is_said() -> None:
    each = [Interval(MAY, 1e3, 0.0, 100.0), Interval(MAY + QUARTER, 1e3, 0.0, None)]
    (found,) = power_factor(RULE, each, BERLIN)
    assert (found.measured, found.cost, found.compensation) == (0.5, 0.0, 0.0)
    assert power_factor(RULE, [Interval(MAY, 1e3, 0.0, None)], BERLIN) == []


def billed(month: str, amount: float | None, known: int = 100, *, whole: bool = True) -> Billed:
    return Billed(month, [Line("import", amount, "EUR", 0.2, None, "kWh")], 100, known, whole)


def test_only_whole_months_that_both_know_make_a_year() -> None:
    now = [billed("01", 100), billed("02", 120), billed("03", 90, known=60), billed("04", 10, whole=False)]
    other = [billed("01", 90), billed("02", 104), billed("03", 80, known=60), billed("04", 9, whole=False)]
    found = compare(now, other)
    assert [(one.saved, one.counts) for one in found] == [(10, True), (16, True), (10, False), (1, False)]
    year = per_year(found)
    assert year is not None
    assert (year.amount, year.months) == (12 * 13, 2)
    assert year.error == pytest.approx(2 * 12 * math.sqrt(18) / math.sqrt(2))


def test_a_line_that_one_bill_cannot_tell_makes_no_year() -> None:
    (one,) = compare([billed("01", 100)], [billed("01", None)])
    assert (one.counts, one.unknown) == (False, ("import",))
    assert per_year([one]) is None
    with pytest.raises(ValueError, match="give both tariffs the same months"):
        compare([billed("01", 1)], [billed("02", 1)])


def test_a_single_month_says_nothing_of_how_months_differ() -> None:
    assert yearly([]) is None
    assert yearly([10.0]) == (120.0, None, 1)


def terms(buy: np.ndarray[tuple[int], np.dtype[np.float64]] | float, demand: float = 0.0) -> Terms:
    demands = [Demand.model_validate({"price": demand})] if demand else []
    return Terms(np.full(MONTH, 1.0) * buy, np.full(MONTH, 0.05), demands, grid(), BERLIN)


CHEAP_BY_NIGHT = np.where(np.arange(MONTH) % 96 < 48, 0.10, 0.30)


def tried(energy: float, given: Terms, load: Record | None = None) -> Sized:
    return sized(load or record(50e3), given, battery(energy=energy), energy / 2)


def test_what_a_battery_saves_by_the_price_is_what_a_hand_reckons() -> None:
    """Each day 100 kWh between 10 and 90 % take 80 / 0.95 kWh at 0.10 and give 80 x 0.95 at 0.30, less 0.02 of wear."""
    day = 80 * 0.95 * (0.30 - 0.02) - 80 / 0.95 * 0.10
    found = tried(100e3, terms(CHEAP_BY_NIGHT))
    assert found.months == [pytest.approx(31 * day, rel=0.03)]
    assert found.cycles == pytest.approx(0.76, rel=0.03)


def test_what_a_battery_saves_of_a_peak_is_what_a_hand_reckons() -> None:
    """One quarter of 90 kW a month: 50 kWh at 25 kW hold it 25 kW lower, at 15 a kW."""
    load = np.full(MONTH, 50e3)
    load[1000] = 90e3
    assert tried(50e3, terms(0.20, 15.0), record(load)).months == [pytest.approx(25 * 15, rel=0.02)]


@pytest.mark.parametrize(
    ("saved", "found"),
    [
        ([70.0, 80.0, 90.0, 60.0], Kept(0.6, 0.9, 4)),
        ([70.0, None, 90.0, 60.0], Kept(0.6, 0.9, 3)),
        ([-5.0, 80.0, 110.0, 60.0], Kept(0.0, 1.0, 4)),
        ([70.0, None, None, 60.0], Kept()),
    ],
    ids=["all months", "one is not known", "no share is less than nothing or more than all", "too few"],
)
def test_what_a_site_kept_of_the_bound_is_a_band(saved: list[float | None], found: Kept) -> None:
    own = Sized(100e3, 50e3, [100.0] * 4, 0.8)
    assert kept(own, saved) == found
    assert found.band(Yearly(1200.0, None, 4)) == pytest.approx((found.low * 1200, found.high * 1200))
    assert kept(Sized(100e3, 50e3, [0.0] * 4, 0.0), saved) == Kept(), "nothing could be saved"


def test_a_larger_battery_never_saves_less() -> None:
    rng = np.random.default_rng(1)
    load = record(np.clip(50e3 + rng.normal(0, 15e3, MONTH), 0, None))
    each = [tried(energy, terms(CHEAP_BY_NIGHT, 15.0), load).months[0] for energy in (50e3, 150e3)]
    assert 0 < each[0] < each[1]


def test_months_that_were_not_measured_are_left_out_and_small_gaps_filled() -> None:
    load = np.full(2 * MONTH, 50e3)
    load[100:140] = np.nan
    load[MONTH : MONTH + 600] = np.nan
    gappy = Record(MAY, load, np.zeros(2 * MONTH))
    assert whole_months(gappy, BERLIN) == [slice(0, MONTH)]
    part = filled(np.array([*range(96), *[math.nan] * 96, *range(2, 98)], dtype=float))
    assert part[96:192].tolist() == [float(one) for one in range(1, 97)]
    assert np.isfinite(filled(load)).all()
