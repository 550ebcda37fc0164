"""What the site pays, with its battery and without: a day by hand, and sums that are the bill."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optimizer.billing import COMPLETE, Quarter
from optimizer.charge import Made, due
from optimizer.demand import charged, known_peak, period
from optimizer.demand_share import QUARTER, Metered, Share, shares
from optimizer.invoice import Interval, invoice, total
from optimizer.money import (
    Cost,
    Energies,
    Prices,
    cost,
    emitted,
    paid,
    shifted,
    worth_of_stored,
)
from optimizer.tariff import window
from schemas.flows import autarky, self_consumption
from schemas.tariff import Demand, KnownPeak, Tariff
from tests.timed import FULL

BERLIN, KOLKATA = ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata")
MIDNIGHT = datetime(2026, 6, 1, tzinfo=BERLIN).astimezone(UTC)
MONTHLY = Demand(price=10.0)


def shared(demand: Sequence[Demand], imports: Mapping[datetime, float | None], zone: ZoneInfo) -> dict[datetime, Share]:
    """Of quarters that were seen whole, or not at all (None); the last one is just over."""
    seen = {at: Quarter(at, wh, 900.0) for at, wh in imports.items() if wh is not None}
    return shares(Metered(demand, 1.0, zone), seen, imports, max(imports) + QUARTER)


def booked(
    quarters: dict[datetime, Energies], prices: dict[datetime, Prices], demand: list[Demand], zone: ZoneInfo
) -> dict[datetime, Cost]:
    """As the archive does it."""
    quarters = {at: one._replace(drawn=one.imported) for at, one in quarters.items()}
    drawn = shared(demand, {at: one.drawn for at, one in quarters.items()}, zone)
    rest = shared(demand, {at: one.drawn_without for at, one in quarters.items()}, zone)
    found = {at: cost(one, prices[at], drawn[at], rest[at]) for at, one in quarters.items()}
    return {at: one for at, one in found.items() if one is not None}


def test_a_day_by_hand() -> None:
    """At 0.30 from 16 to 20 h and 0.20 else, 0.08 for export, 10 per kW and month; load 8 kW, from 17 to 18 h 20 kW.

    PV gives 12 kW from 10 to 14 h: a surplus of 4 kW, which charges the battery with 16 kWh; it gives 12 kWh back from
    17 to 18 h, where the load is 20 kW.
    With: import 20 h x 8 kW - (17 to 18 h) 8 kW + 8 kW = 8 kW in each of 20 hours but 10 to 14: 160 kWh, of which 4 h
    are dear: 32 x 0.30 + 128 x 0.20 = 9.60 + 25.60 = 35.20. Peak 8 kW: 80. Wear 12 x 0.02 = 0.24.
    Without: 17 to 18 h 20 kW: 12 x 0.30 = 3.60 more; 16 kWh x 0.08 = 1.28 for what is fed in: 37.52. Peak 20 kW: 200.
    Saved: 37.52 + 200 - 35.20 - 80 - 0.24 = 122.08.
    """
    quarters, prices = {}, {}
    for number in range(96):
        at, hour = MIDNIGHT + number * QUARTER, number // 4
        load, sun = (20.0 if hour == 17 else 8.0), (12.0 if 10 <= hour < 14 else 0.0)
        battery = 12.0 if hour == 17 else -4.0 if sun else 0.0
        grid = load - sun - battery
        into, out, pv, gave = (250.0 * kw for kw in (max(grid, 0.0), max(-grid, 0.0), sun, battery))
        quarters[at] = Energies(into, out, pv, gave, wear=0.02 * max(battery, 0.0) / 4)
        prices[at] = Prices(0.30 if 16 <= hour < 20 else 0.20, 0.08)
    found = booked(quarters, prices, [MONTHLY], BERLIN).values()
    assert sum(one.energy for one in found) == pytest.approx(35.20)
    assert sum(one.demand for one in found) == pytest.approx(80.0)
    assert sum(one.energy_without or 0 for one in found) == pytest.approx(37.52)
    assert sum(one.demand_without or 0 for one in found) == pytest.approx(200.0)
    assert sum(one.wear or 0 for one in found) == pytest.approx(0.24)
    assert sum(one.saved or 0 for one in found) == pytest.approx(122.08)
    # the load of the day is 23 x 8 + 20 = 204 kWh, of which 160 were drawn; nothing was fed in
    day = [
        sum(values) for values in zip(*((q.imported, q.exported, q.pv, q.load) for q in quarters.values()), strict=True)
    ]
    assert autarky(day[0], day[3]) == pytest.approx(1 - 160 / 204)
    assert self_consumption(day[1], day[2]) == 1.0
    assert emitted(day[0], 400.0) == pytest.approx(64_000)


@pytest.mark.parametrize(
    ("imported", "exported", "more", "then"),
    [
        (100, 0, 50, (150, 0)),  # the battery gave 50 to the load
        (0, 80, 50, (0, 30)),  # it fed the grid
        (0, 20, 50, (30, 0)),
        (100, 0, -60, (40, 0)),  # it was charged from the grid
        (10, 0, -60, (0, 50)),  # and from PV
        (30, 40, 0, (30, 40)),  # it rested: what went to and fro within the quarter stays
    ],
)
def test_the_batterys_energy_is_put_back_at_the_meter(
    imported: float, exported: float, more: float, then: tuple[float, float]
) -> None:
    assert shifted(imported, exported, more) == then


WH = st.floats(0, 200_000)


@given(WH, WH, st.floats(-100_000, 100_000))
def test_putting_back_keeps_the_balance_and_is_undone_by_its_opposite(into: float, out: float, more: float) -> None:
    after = shifted(into, out, more)
    assert min(after) >= 0
    assert after[0] - after[1] == pytest.approx(into - out + more, abs=1e-6)


def test_what_is_not_known_stays_unknown() -> None:
    share, prices = shared([MONTHLY], {MIDNIGHT: 0.0}, BERLIN)[MIDNIGHT], Prices(0.2, 0.1)
    assert cost(Energies(None, 0.0), prices, share, share) is None
    half = cost(Energies(1000.0, 0.0, pv=0.0, battery=None), prices, share, share)
    assert half is not None
    assert (half.energy_without, half.demand_without, half.wear, half.saved) == (None, None, None, None)
    assert half.energy == pytest.approx(0.2)
    assert Energies(1000.0, 0.0, None, 0.0).load is None
    assert (autarky(None, 5.0), autarky(5.0, None), autarky(5.0, 0.0)) == (None, None, None)
    assert (self_consumption(1.0, None), self_consumption(None, 1.0), self_consumption(0.0, 0.0)) == (None, None, None)


def test_a_negative_price_is_earned_by_who_draws_and_paid_by_who_feeds_in() -> None:
    assert paid(1000.0, 0.0, Prices(-0.05, -0.05)) == pytest.approx(-0.05)
    assert paid(0.0, 1000.0, Prices(-0.05, -0.05)) == pytest.approx(0.05)


def test_a_stored_kwh_is_worth_an_average_hour_of_its_day_less_loss_and_wear() -> None:
    assert worth_of_stored([0.10, 0.30], 0.9, 0.02) == pytest.approx((0.20 - 0.02) * 0.9)
    assert worth_of_stored([], 0.9, 0.02) is None


# --- the demand charge ---------------------------------------------------------------------------------


def billed(demand: Demand, imports: dict[datetime, float | None], zone: ZoneInfo) -> float:
    """The bills of all periods, in the other way: the highest whole window of each."""
    peaks, parts = dict[datetime, float](), dict[datetime, list[float]]()
    for at, wh in imports.items():
        begin, end = period(at, zone, charged(demand))
        known = max(known_peak(demand, one, zone) for one in imports if begin <= one < end)
        peaks[begin] = max(peaks.get(begin, 0.0), known)
        if wh is not None:
            parts.setdefault(window(at, zone, demand.minutes)[0], []).append(wh)
    for at, some in parts.items():
        if len(some) >= COMPLETE * demand.minutes / 15:
            begin = period(at, zone, charged(demand))[0]
            peaks[begin] = max(peaks[begin], sum(some) / len(some) * 4)
    return sum(due(demand, peak, 1000 * demand.floor) for peak in peaks.values())


DEMANDS = st.builds(
    lambda price, how, minutes, floor, known: Demand(price=price, minutes=minutes, floor=floor, known=known, **how),
    price=st.floats(0, 200),
    how=st.sampled_from([{"per": "month"}, {"per": "year"}, {"per": "year", "year_begins": 7}]),
    minutes=st.sampled_from([15, 30, 60]),
    floor=st.sampled_from([0.0, 2.5, 90.0]),
    known=st.lists(st.builds(KnownPeak, peak=st.floats(1, 300), on=st.dates(date(2026, 3, 20), date(2026, 11, 5)))),
)
BORDERS = [
    datetime(2026, 3, 28, 20, tzinfo=UTC),  # a night of 23 hours, and a month that ends
    datetime(2026, 10, 24, 20, tzinfo=UTC),  # a night of 25 hours
    datetime(2026, 6, 30, 6, tzinfo=UTC),  # a year that begins in July
    datetime(2026, 12, 31, 6, tzinfo=UTC),
]
DAYS = st.lists(st.none() | WH, min_size=1, max_size=300)


@given(st.lists(DEMANDS, min_size=1, max_size=2), st.sampled_from(BORDERS), DAYS, st.sampled_from([BERLIN, KOLKATA]))
def test_the_quarters_of_a_period_add_up_to_its_bill(
    demands: list[Demand], begin: datetime, drawn: list[float | None], zone: ZoneInfo
) -> None:
    imports = {begin + number * QUARTER: wh for number, wh in enumerate(drawn)}
    found = shared(demands, imports, zone)
    total = sum(one.at(imports[at] or 0.0) for at, one in found.items())
    assert total == pytest.approx(sum(billed(one, imports, zone) for one in demands), abs=0.005)


@given(st.lists(DEMANDS, max_size=2), st.lists(st.tuples(WH, WH, WH), min_size=1, max_size=200))
def test_without_a_battery_both_cost_the_same(demands: list[Demand], drawn: list[tuple[float, float, float]]) -> None:
    quarters = {MIDNIGHT + number * QUARTER: Energies(*wh, battery=0.0, wear=0.0) for number, wh in enumerate(drawn)}
    prices = {at: Prices(0.3, -0.1) for at in quarters}
    for one in booked(quarters, prices, demands, BERLIN).values():
        assert (one.energy_without, one.demand_without) == (one.energy, one.demand)
        assert one.saved == pytest.approx(0.0, abs=1e-9)


@given(DEMANDS, st.integers(0, 99))
def test_the_order_of_days_within_a_month_changes_no_sum(demand: Demand, seed: int) -> None:
    random = Random(seed)
    if demand.known:
        demand = demand.model_copy(update={"known": []})
    days = [[random.uniform(0, 50_000) for _ in range(96)] for _ in range(6)]
    sums = []
    for _ in range(2):
        flat = [wh for day in days for wh in day]
        imports = {MIDNIGHT + number * QUARTER: wh for number, wh in enumerate(flat)}
        sums.append(sum(one.at(imports[at] or 0.0) for at, one in shared([demand], imports, BERLIN).items()))
        random.shuffle(days)
    assert sums[0] == pytest.approx(sums[1])


def test_a_window_bears_what_it_adds_at_its_last_quarter() -> None:
    hour = Demand(price=10.0, minutes=60, floor=2.0)
    drawn = [1000.0, 1000.0, 1000.0, 5000.0, 0.0, 0.0, 0.0, 4000.0, 9000.0, 9000.0]
    imports: dict[datetime, float | None] = {MIDNIGHT + n * QUARTER: wh for n, wh in enumerate(drawn)}
    found = [one.at(wh) for one, wh in zip(shared([hour], imports, BERLIN).values(), drawn, strict=True)]
    # floor 2 kW at the beginning; 8 kWh in the first hour are 6 kW more; the third hour is not over
    assert found == pytest.approx([20.0, 0, 0, 60.0, 0, 0, 0, 0, 0, 0])


def test_a_quarter_that_was_hardly_seen_makes_no_peak() -> None:
    imports = {MIDNIGHT: None, MIDNIGHT + QUARTER: 1000.0}
    assert next(one.at(50_000.0) for one in shared([MONTHLY], imports, BERLIN).values()) == 0.0


TARIFF = {
    "import": {"period": [{"price": 0.2}]},
    "export": {"period": [{"price": 0.05}]},
    "demand": [
        {
            "name": "on-peak", "price": 12.0, "hours": [{"start": "08:00", "end": "20:00", "months": [3, 4, 5, 6]}],
            "ratchet": {"share": 0.8, "months": 2}, "known": [{"peak": 60.0, "on": "2026-02-11"}],
        },
        {
            "name": "all", "per": "year", "price": 40.0, "minutes": 60,
            "contract": {"power": 30.0, "price": 2.0, "penalty": 9.0},
        },
    ],
}  # fmt: skip


@pytest.mark.parametrize("seed", range(5 if FULL else 2))
def test_the_quarters_of_a_year_of_months_add_up_to_the_invoice(seed: int) -> None:
    """With hours, a ratchet over a known peak and a contract: by the tariff's own bill, line by line."""
    tariff, random = Tariff.model_validate(TARIFF), Random(seed)
    begin, end = (datetime(2026, month, 1, tzinfo=BERLIN).astimezone(UTC) for month in (3, 8))
    imports = {begin + n * QUARTER: random.uniform(0, 15_000) for n in range((end - begin) // QUARTER)}
    intervals = [Interval(at, wh) for at, wh in imports.items()]
    made = {
        one.name: [Made(at, wh * 4) for at, wh in imports.items()]
        if one.minutes == 15
        else [Made(at, sum(imports[at + n * QUARTER] for n in range(4))) for at in list(imports)[::4]]
        for one in tariff.components
    }
    billed_ = total(invoice(tariff, intervals, made, BERLIN, {}, (begin, end)))
    energy = sum(paid(wh, 0.0, Prices(0.2, 0.05)) for wh in imports.values())
    demand = sum(one.at(imports[at]) for at, one in shared(tariff.components, imports, BERLIN).items())
    assert energy + demand == pytest.approx(billed_, abs=0.005)
