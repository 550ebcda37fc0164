"""Bills by public tariffs, calculated by hand beside them.

A quarter hour of 1 kW is 0.25 kWh. Windows are given by the local time they begin; what is not named drew less.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.charge import Made, due, highest, least, pieces, worth
from optimizer.demand import charged, period
from optimizer.invoice import Interval, Line, invoice, total
from optimizer.tariff import Series, quotes
from schemas.tariff import Tariff
from schemas.tariff_demand import Demand

BERLIN, MADRID, CHICAGO = ZoneInfo("Europe/Berlin"), ZoneInfo("Europe/Madrid"), ZoneInfo("America/Chicago")
ZERO = {"period": [{"price": 0.0}]}


def tariff(**given: Any) -> Tariff:
    return Tariff.model_validate({"import": ZERO, **given})


def at(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def time(begin: str, end: str, zone: ZoneInfo = BERLIN) -> tuple[datetime, datetime]:
    return at(begin, zone), at(end, zone)


def made(*windows: tuple[str, float], zone: ZoneInfo = BERLIN) -> list[Made]:
    """Start and kW."""
    return [Made(at(text, zone), 1000 * power) for text, power in windows]


def amounts(lines: Sequence[Line]) -> dict[str, float | None]:
    return {line.name: None if line.amount is None else round(line.amount, 2) for line in lines}


# Germany: price per kW and year with high-load windows ---------------------------------------------------------------
# Medium voltage from 2500 h/a: 117.98 EUR/kW a (Stadtwerke Passau 2022, https://9dok.net/document/zx54j3w4). Who uses
# the grid atypically (§ 19 (2) 1 StromNEV) pays for the highest quarter hour within the high-load windows alone.

WINTER = {"months": [12, 1, 2], "days": ["mon", "tue", "wed", "thu", "fri"], "start": "16:30", "end": "19:30"}
AUTUMN = {"months": [9, 10, 11], "days": ["mon", "tue", "wed", "thu", "fri"], "start": "17:00", "end": "19:00"}
ATYPICAL = {"name": "high load", "price": 117.98, "per": "year", "hours": [WINTER, AUTUMN]}
PEAKS = {
    "high load": made(
        ("2026-01-14 16:15", 900.0),  # a quarter hour before the window: free
        ("2026-01-14 16:30", 300.0),
        ("2026-01-17 17:00", 850.0),  # a Saturday
        ("2026-07-08 17:00", 800.0),  # no season
        ("2026-11-18 18:45", 310.0),
        ("2026-11-18 19:00", 700.0),  # over
        ("2026-12-25 17:00", 600.0),  # a Friday, and a holiday
    )
}
YEAR = time("2026-01-01", "2027-01-01")


def test_a_high_load_window_is_billed_by_the_year_and_the_rest_is_free() -> None:
    bill = invoice(tariff(demand=ATYPICAL, holidays=["12-25"]), [], PEAKS, BERLIN, {}, YEAR)
    assert amounts(bill) == {"high load": 36573.80}  # 310 kW * 117.98


def test_a_month_of_a_yearly_price_is_what_the_month_added() -> None:
    given_ = tariff(demand=ATYPICAL, holidays=["12-25"])
    january = invoice(given_, [], PEAKS, BERLIN, {}, time("2026-01-01", "2026-02-01"))
    november = invoice(given_, [], PEAKS, BERLIN, {}, time("2026-11-01", "2026-12-01"))
    assert amounts(january) == {"high load": 35394.00}  # 300 kW
    assert amounts(november) == {"high load": 1179.80}  # 10 kW more
    assert invoice(given_, [], PEAKS, BERLIN, {}, time("2026-07-01", "2026-08-01")) == []


# United States: municipal large general service, https://il-batavia.civicplus.com/205/Electrical---Large-General-Service
# $100 a month, 4.362 ct/kWh, $17.25 per kW of the highest 15 or 30 minutes. On it a ratchet as in Texas: 80 % of the
# highest of the 11 months before (https://tcaptx.com/news-roundup/sharyland-utilities-rebills-for-customers-erroneously-charged)
# and an on-peak demand beside the one of all hours, as the large Californian tariffs have it.

LARGE = {
    "currency": "USD",
    "import": {"period": [{"price": 0.04362}]},
    "fixed": 100.0,
    "demand": [
        {"name": "all hours", "price": 17.25, "minutes": 30, "ratchet": {"share": 0.8, "months": 11}},
        {"name": "on-peak", "price": 9.0, "hours": [{"months": [6, 7, 8, 9], "start": "16:00", "end": "21:00"}]},
    ],
}
MADE = made(("2025-07-20 15:00", 1000.0), ("2026-03-02 09:00", 600.0), ("2026-06-10 14:00", 700.0), zone=CHICAGO)
ON_PEAK = made(("2026-03-02 17:00", 590.0), ("2026-06-10 20:45", 480.0), ("2026-06-10 21:00", 690.0), zone=CHICAGO)


@pytest.mark.parametrize(
    ("begin", "end", "energy", "expected"),
    [
        # 600 kW * 17.25 = 10350; the ratchet stands at 0.8 * 1000 = 800 kW: 200 kW * 17.25; no on-peak in March
        ("2026-03-01", "2026-04-01", 200e3, {"import": 8724.0, "all hours": 10350.0, "all hours: ratchet": 3450.0,
                                             "fixed": 100.0}),
        # July 2025 lies 11 months back and still counts: 100 kW beside the 700
        ("2026-06-01", "2026-07-01", 0.0, {"all hours": 12075.0, "all hours: ratchet": 1725.0, "on-peak": 4320.0,
                                           "fixed": 100.0}),
        # 12 months back it does not: 0.8 * 700 kW, and nothing measured
        ("2026-07-01", "2026-08-01", 0.0, {"all hours: ratchet": 9660.0, "fixed": 100.0}),
    ],
    ids=["winter", "summer", "the ratchet ends"],
)  # fmt: skip
def test_a_ratchet_is_billed_where_the_month_is_lower(
    begin: str, end: str, energy: float, expected: dict[str, float]
) -> None:
    used = [Interval(at(begin, CHICAGO), 1000 * energy)] if energy else []
    bill = invoice(
        tariff(**LARGE), used, {"all hours": MADE, "on-peak": ON_PEAK}, CHICAGO, {}, time(begin, end, CHICAGO)
    )
    assert amounts(bill) == expected


def test_peaks_of_the_years_before_may_stand_in_the_tariff() -> None:
    """And a ratchet may look at those of some months only: here a summer's."""
    ratchet = {"share": 0.95, "months": 11, "made_in": [6, 7, 8, 9]}
    known = [{"peak": 1000.0, "on": "2025-07-20"}, {"peak": 2000.0, "on": "2026-01-20"}]
    given_ = tariff(demand={"price": 10.0, "ratchet": ratchet, "known": known})
    assert amounts(invoice(given_, [], {}, BERLIN, {}, time("2026-05-01", "2026-06-01"))) == {"demand: ratchet": 9500.0}


# Spain: contracted power by period, with the excess of the maximeter up to 50 kW ------------------------------------
# https://ca.support.somenergia.coop/article/1086-cost-dels-excessos-de-potencia-per-a-tarifes-de-fins-a-50-kw :
# 2 * (highest quarter hour - contracted power) * 1.4064 EUR/kW, each month and each period of the day.


def spanish(name: str, power: float, price: float, hours: list[dict[str, Any]]) -> dict[str, Any]:
    contract = {"power": power, "price": price / 12, "penalty": 2 * 1.4064}
    return {"name": name, "contract": contract, "hours": hours}


WORKDAYS = ["mon", "tue", "wed", "thu", "fri"]
P1: list[dict[str, Any]] = [
    {"months": [1], "days": WORKDAYS, "start": "09:00", "end": "14:00"},
    {"months": [1], "days": WORKDAYS, "start": "18:00", "end": "22:00"},
]
P6: list[dict[str, Any]] = [{"start": "00:00", "end": "08:00"}, {"days": ["sat", "sun"]}]


def test_each_period_of_a_contract_has_its_own_excess() -> None:
    given_ = tariff(demand=[spanish("P1", 40.0, 24.0, P1), spanish("P6", 45.0, 3.0, P6)])
    windows = made(("2026-01-14 10:00", 46.0), ("2026-01-14 15:00", 60.0), ("2026-01-17 12:00", 44.0), zone=MADRID)
    bill = invoice(given_, [], {"P1": windows, "P6": windows}, MADRID, {}, time("2026-01-01", "2026-02-01", MADRID))
    # 40 kW * 2 EUR; (46 - 40) kW * 2.8128; 45 kW * 0.25 EUR; 44 kW on a Saturday are within
    assert amounts(bill) == {"P1: contract": 80.0, "P1: beyond contract": 16.88, "P6: contract": 11.25}


# Flanders: 2.5 kW at least, https://www.fluvius.be/nl/veelgestelde-vragen/capaciteitstarief-gezinnen-kleine-ondernemingen
# 40.4 EUR/kW and year on the mean of the last 12 months' peaks. Each month's peak counts a twelfth in twelve bills of a
# twelfth: in all 40.4 / 12 EUR, which is what the plan has to weigh and what the bills of a year come to.


def test_the_mean_of_twelve_months_is_a_price_per_month() -> None:
    given_ = tariff(demand={"price": 40.4 / 12, "floor": 2.5})
    peaks = {"demand": made(*((f"2026-{month:02}-10 18:00", 1.5 if month < 7 else 6.0) for month in range(1, 13)))}
    # half a year at the floor and half a year at 6 kW: a mean of 4.25 kW * 40.4
    assert total(invoice(given_, [], peaks, BERLIN, {}, YEAR)) == pytest.approx(4.25 * 40.4)


# by the month --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reactive", "expected"),
    [
        ([400e3, 300e3], {"reactive": 21.57}),  # 700 - 0.48432 * 1000 = 215.68 kvarh * 0.10
        ([100e3, 300e3], {}),
        ([400e3, None], {"reactive": None}),
    ],
    ids=["beyond", "within", "not measured"],
)
def test_reactive_energy_beyond_a_power_factor(reactive: list[float | None], expected: dict[str, float | None]) -> None:
    given_ = tariff(reactive={"cos_phi": 0.9, "price": 0.10})
    used = [Interval(at(f"2026-05-0{day}"), 500e3, 0.0, kvarh) for day, kvarh in enumerate(reactive, 1)]
    bill = invoice(given_, used, {}, BERLIN, {}, time("2026-05-01", "2026-06-01"))
    assert {name: amount for name, amount in amounts(bill).items() if name == "reactive"} == expected


def test_a_month_costs_its_minimum() -> None:
    """Municipal: $750 a month at least."""
    given_ = tariff(minimum=750.0, fixed=100.0, **{"import": {"period": [{"price": 0.05}]}})
    used = [Interval(at("2026-05-10"), 4000e3), Interval(at("2026-06-10"), 40_000e3)]
    bill = invoice(given_, used, {}, BERLIN, {}, time("2026-05-01", "2026-07-01"))
    # May: 4 MWh * 0.05 + 100 = 300, and 450 are missing; June: 2100
    assert amounts(bill) == {"import": 2200.0, "fixed": 200.0, "minimum": 450.0}
    half = invoice(given_, used, {}, BERLIN, {}, time("2026-05-01", "2026-05-20"))
    assert "minimum" not in amounts(half), "only the end of a month tells"


# layers --------------------------------------------------------------------------------------------------------------
# § 14a EnWG, module 3: the grid fee has a high, a standard and a low tariff (10 to 40 % of the standard), in two
# quarters at least, https://bet-energie.de/newsletter-anmeldung/newsletter-fuer-netzbetreiber-01/2024/artikel/wie-sollen-die-tarifzeiten-fuer-die-zeitvariablen-netzentgelte-abgeleitet-werden

GRID_FEE = {
    "name": "grid fee",
    "period": [
        {"price": 0.16, "months": [1, 2, 3, 10, 11, 12], "start": "17:00", "end": "21:00"},
        {"price": 0.02, "months": [1, 2, 3, 10, 11, 12], "start": "00:00", "end": "05:00"},
        {"price": 0.08},
    ],
}
MODULE_3 = {
    "day_ahead": {"file": "prices.csv"},
    "layer": [GRID_FEE, {"name": "levies", "price": 0.05}, {"name": "VAT", "percent": 19.0}],
}


@pytest.mark.parametrize(
    ("text", "market", "price"),
    [
        ("2026-01-14 18:00", 0.20, (0.20 + 0.16 + 0.05) * 1.19),
        ("2026-01-14 04:45", 0.03, (0.03 + 0.02 + 0.05) * 1.19),
        ("2026-07-14 18:00", 0.10, (0.10 + 0.08 + 0.05) * 1.19),
        ("2026-01-14 12:00", -0.14, (-0.14 + 0.08 + 0.05) * 1.19),
        # the night in March that has no two o'clock, and the one in October that has it twice
        ("2026-03-29 03:00", 0.03, (0.03 + 0.02 + 0.05) * 1.19),
        ("2026-10-25 02:30", 0.03, (0.03 + 0.02 + 0.05) * 1.19),
    ],
    ids=["high", "low", "standard", "negative", "spring", "autumn"],
)
def test_a_price_is_the_sum_of_its_layers(text: str, market: float, price: float) -> None:
    given_, instant = tariff(**{"import": MODULE_3}), at(text)
    series = {"import": Series([instant], [market])}
    (quote,) = quotes(given_.import_, [instant], BERLIN, every=series)
    assert quote.price == pytest.approx(price)
    bill = invoice(given_, [Interval(instant, 10e3)], {}, BERLIN, series, (instant, instant + timedelta(minutes=15)))
    assert bill[0].amount == pytest.approx(10 * price)


@pytest.mark.parametrize(("market", "paid"), [(0.05, 0.08), (0.0, 0.08), (-0.001, 0.0)])
def test_a_fixed_feed_in_price_is_not_paid_in_negative_hours(market: float, paid: float) -> None:
    """§ 51 EEG, https://www.gesetze-im-internet.de/eeg_2014/__51.html"""
    instant = at("2026-06-07 13:00")
    given_ = tariff(export={"period": [{"price": 0.08}], "unpaid": {"day_ahead": {"file": "prices.csv"}}})
    series = {"export.unpaid": Series([instant], [market])}
    bill = invoice(given_, [Interval(instant, 0.0, 50e3)], {}, BERLIN, series, (instant, instant + timedelta(hours=1)))
    assert amounts(bill) == {"export": -50 * paid}


# what holds for every bill -------------------------------------------------------------------------------------------

COMPONENTS: list[dict[str, Any]] = [
    {"name": "month", "price": 12.0, "floor": 30.0},
    {"name": "year", "price": 100.0, "per": "year", "year_begins": 4},
    {"name": "ratchet", "price": 8.0, "ratchet": {"share": 0.7, "months": 3}},
    {"name": "contract", "price": 2.0, "contract": {"power": 90.0, "price": 3.0, "penalty": 20.0}},
    {"name": "winter", "price": 5.0, "hours": [{"months": [12, 1], "start": "17:00", "end": "20:00"}]},
]
WINDOWS = st.lists(
    st.builds(
        lambda quarter, power: Made(at("2025-11-01") + timedelta(minutes=15 * quarter), power),
        st.integers(0, 96 * 240),
        st.floats(0, 200e3),
    ),
    max_size=30,
)
DAYS = st.integers(1, 240)


@given(WINDOWS, DAYS, DAYS)
def test_two_bills_of_two_parts_are_together_the_bill_of_the_whole(windows: list[Made], one: int, two: int) -> None:
    given_ = tariff(demand=COMPONENTS, fixed=50.0)
    peaks = {component.name: windows for component in given_.components}
    begin, middle, end = at("2025-11-01"), *(at("2025-11-01") + timedelta(days=day) for day in sorted((one, one + two)))
    parts = [total(invoice(given_, [], peaks, BERLIN, {}, part)) for part in ((begin, middle), (middle, end))]
    assert sum(parts) == pytest.approx(total(invoice(given_, [], peaks, BERLIN, {}, (begin, end))), abs=1e-6)


@given(WINDOWS, st.permutations(COMPONENTS))
def test_the_order_of_the_demands_changes_nothing(windows: list[Made], components: list[dict[str, Any]]) -> None:
    peaks = {str(one["name"]): windows for one in COMPONENTS}
    bills = [
        invoice(tariff(demand=each), [], peaks, BERLIN, {}, time("2026-01-01", "2026-04-01"))
        for each in (COMPONENTS, components)
    ]
    assert sorted(bills[0]) == sorted(bills[1])


@given(WINDOWS)
def test_a_demand_that_never_counts_is_never_billed(windows: list[Made]) -> None:
    never = {"name": "never", "price": 99.0, "hours": [{"days": []}]}
    assert invoice(tariff(demand=never), [], {"never": windows}, BERLIN, {}, YEAR) == []


@given(WINDOWS, st.floats(0, 300e3), st.floats(0, 300e3), st.sampled_from(COMPONENTS))
def test_the_plan_weighs_a_peak_as_it_is_billed(
    windows: list[Made], one: float, two: float, given_: dict[str, Any]
) -> None:
    """With what a ratchet makes of it in the three months after, if nothing is drawn in them."""
    component, when = Demand.model_validate(given_), at("2026-01-20 18:00")
    begin = period(when, BERLIN, charged(component))[0]
    past = [window for window in windows if window.at < at("2026-01-01")]
    peaks = highest(component, past, when, BERLIN)

    def billed(power: float) -> float:
        windows = {component.name: [*past, Made(when, power)]}
        return total(invoice(tariff(demand=given_), [], windows, BERLIN, {}, time("2026-01-01", "2026-05-01")))

    less, more = (max(power, peaks.get(begin, 0.0)) for power in sorted((one, two)))
    found = pieces(component, peaks, begin, BERLIN)
    assert worth(found, more) - worth(found, less) == pytest.approx(billed(more) - billed(less), abs=1e-6)


@given(WINDOWS, st.sampled_from(COMPONENTS))
def test_what_is_due_is_what_stands_on_the_bill(windows: list[Made], given_: dict[str, Any]) -> None:
    component, (begin, end) = Demand.model_validate(given_), time("2026-01-01", "2026-02-01")
    first = period(begin, BERLIN, charged(component))[0]
    mine = [one for one in windows if first <= one.at] if component.per == "year" else windows
    peaks = highest(component, mine, end, BERLIN)
    stands = least(component, peaks, first, BERLIN)
    bill = invoice(tariff(demand=given_), [], {component.name: mine}, BERLIN, {}, (first, end))
    lines = [one for one in bill if one.name != "contract: contract"]
    assert total(lines) == pytest.approx(due(component, peaks.get(first, 0.0), stands), abs=1e-6)
