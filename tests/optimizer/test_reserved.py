"""Plans for what limits a real battery: taper, derates, reserves, CO2, batteries that are apart, and how they fail."""

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optimizer.carbon import carbon_prices
from optimizer.derate import derated, with_derate
from optimizer.outlook import Outlook, step_starts
from optimizer.plan import plan
from optimizer.reserve_now import offered
from optimizer.reserve_price import in_words, prices
from optimizer.reserve_shortage import lacking
from optimizer.reserves import backup, kept, with_reserves
from optimizer.storage import Part, as_they_are, tapered, together
from optimizer.taper import Taper, at
from optimizer.taper_lines import lines
from optimizer.tariff import Series
from optimizer.verify import verify
from schemas.messages import Plan
from schemas.site_battery import Battery
from schemas.site_carbon import Carbon
from schemas.site_reserves import Reserve
from tests.optimizer.outlooks import BERLIN, NOON, battery, charge, outlook, prices_by_hour, wild


def good(look: Outlook) -> Plan:
    found = plan(look)
    assert verify(found, look) == []
    return found


def stored(found: Plan, look: Outlook) -> list[float]:
    """kWh at the end of each step."""
    return [look.battery.energy * step.soc / 1e5 for step in found.steps]


@st.composite
def reserved(draw: st.DrawFn) -> Outlook:
    """Anything that could happen at a site, and anything that somebody may want kept beside."""
    look = draw(wild())
    n, rated, energy = len(look.starts), look.rated, look.battery.energy

    def some(most: float) -> Any:
        one = st.floats(0, most).map(lambda number: round(number, 3))
        return draw(st.one_of(st.just(0.0), one, st.lists(one, min_size=n, max_size=n).map(np.array)))

    powers = st.floats(0, 1.2 * rated)
    socs = st.lists(st.integers(0, 100), min_size=1, max_size=5, unique=True).map(sorted)
    taper = tuple(Taper(soc, draw(powers), draw(powers)) for soc in draw(st.one_of(st.just([]), socs)))
    part = st.builds(Part, st.floats(0, rated), st.floats(0, energy), st.floats(0, energy))
    return replace(
        look,
        battery=replace(look.battery, taper=taper, parts=tuple(draw(st.lists(part, max_size=3)))),
        allowed_charge=rated - some(rated),
        allowed_discharge=rated - some(rated),
        up=some(rated),
        down=some(rated),
        floor=some(1.1 * energy),
        ceiling=energy - some(energy),
        carbon=some(0.1),
        ramp=draw(st.sampled_from([np.inf, 20e3, 5.0])),
        inside=some(rated / 2),
    )


@settings(max_examples=30)
@given(reserved())
def test_whatever_is_reserved_there_is_a_plan_and_it_is_right(look: Outlook) -> None:
    good(look)


# cells ---------------------------------------------------------------------------------------------

HOME = tuple(Taper(soc, 1e3 * kw, 100e3) for soc, kw in ((95, 100), (96, 80), (97, 60), (98, 40), (99, 20), (100, 8)))
"""What a FENECON Home 64 takes near full, by OpenEMS."""
EMPTY = (Taper(0, 100e3, 0.0), Taper(10, 100e3, 20e3), Taper(30, 100e3, 100e3))


def test_it_charges_the_last_percents_no_faster_than_the_cells_take_them() -> None:
    look = outlook(6, buy=[0.05] * 3 + [0.4] * 21, soc=80.0, battery=battery(energy=100e3, soc_max=100.0))
    free, slow = good(look), good(replace(look, battery=replace(look.battery, taper=HOME)))
    assert stored(free, look)[0] == pytest.approx(100, abs=0.1)
    assert slow.steps[0].soc < 97
    assert all(-step.power <= at(HOME, step.soc)[0] + 10 for step in slow.steps)
    wrong = verify(free, replace(look, battery=replace(look.battery, taper=HOME)))
    assert any("W is more than may be charged at 100.0 % SoC" in words for words in wrong)


def test_an_almost_empty_battery_is_not_counted_on_for_the_whole_peak() -> None:
    look = outlook(4, load=[50e3] * 8 + [120e3] * 4 + [50e3] * 4, soc=35.0, demand=15.0, billed=50e3)
    tapered_look = replace(look, battery=replace(look.battery, taper=EMPTY))
    assert good(tapered_look).peak > (good(look).peak or 0) + 1e3  # type: ignore[operator]


powers = st.floats(0, 100e3)


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, 100), powers, powers), min_size=1, max_size=6, unique_by=lambda one: one[0]))
def test_no_line_promises_what_the_table_denies(rows: list[tuple[int, float, float]]) -> None:
    table = tuple(Taper(*one) for one in sorted(rows))
    found = lines(table)
    for soc in np.linspace(0, 100, 41):
        for way, most in zip(found, at(table, float(soc)), strict=True):
            least = min(line.power + line.slope * soc for line in way)
            assert -0.5 <= least <= most + 0.5, "W"


def test_a_table_that_only_falls_faster_and_faster_is_kept_as_it_is() -> None:
    table = (Taper(0, 100e3, 30e3), Taper(20, 100e3, 100e3), Taper(80, 100e3, 100e3), Taper(100, 10e3, 100e3))
    for soc in (0, 7, 20, 50, 80, 93, 100):
        least = [min(line.power + line.slope * soc for line in way) for way in lines(table)]
        assert least == pytest.approx(at(table, soc), abs=1)


def test_a_derate_lasts_an_hour_and_goes_in_four() -> None:
    hours = np.full(24, 0.25)
    found = derated(30e3, 100e3, hours)
    assert found[0] == found[4] == 30e3
    assert found[12] == pytest.approx(65e3)
    assert np.isinf(found[20:]).all()
    assert np.isinf(derated(97e3, 100e3, hours)).all(), "as good as the rating"
    assert derated(0.0, 100e3, hours)[0] == 0.0
    assert np.isinf(derated(8e3, 8e3, hours)).all(), "nearly full it takes no more: that is the taper's"


def test_the_plan_knows_what_the_bms_allows_now() -> None:
    look = outlook(buy=prices_by_hour(), soc=20.0)
    found = good(with_derate(look, charge=10e3, discharge=np.inf))
    assert min(step.power for step in found.steps[:4]) >= -10e3 - 1
    wrong = verify(plan(look), with_derate(look, charge=10e3, discharge=np.inf))
    assert any("W is more than may be charged now (10000 W)" in words for words in wrong)


def test_several_tables_add_up_and_one_without_has_its_rating() -> None:
    a = {"name": "a", "pcs": "p1", "bms": "b1", "energy": 1e5, "taper": [{"soc": 90}, {"soc": 100, "charge": 10}]}
    both = [Battery.model_validate(a), Battery.model_validate({"name": "b", "pcs": "p2", "bms": "b2", "energy": 1e5})]
    assert tapered(both, [100e3, 50e3]) == (Taper(90, 150e3, 150e3), Taper(100, 60e3, 150e3))
    assert tapered(both[1:], [50e3]) == ()


# several ---------------------------------------------------------------------------------------------


def pair(*socs: float) -> Any:
    each = [{"name": f"b{n}", "pcs": f"p{n}", "bms": f"m{n}", "energy": 100e3} for n in range(len(socs))]
    batteries = [Battery.model_validate(one) for one in each]
    return as_they_are(together(batteries), batteries, [50e3] * len(socs), socs)


def test_a_full_and_an_empty_battery_give_what_the_full_one_can() -> None:
    look = outlook(3, load=120e3, buy=[0.9] * 2 + [0.1] * 10)
    assert good(replace(look, battery=pair(50.0, 50.0))).steps[0].power == pytest.approx(100e3)
    found = good(replace(look, battery=pair(90.0, 10.0)))
    assert max(step.power for step in found.steps[:4]) <= 50e3 + 1


def test_the_empty_one_helps_after_it_was_charged() -> None:
    look = outlook(3, load=[20e3] * 4 + [120e3] * 2 + [20e3] * 6, demand=15.0, billed=40e3, battery=pair(90.0, 10.0))
    found = good(look)
    assert [step.power for step in found.steps[4:6]] == pytest.approx([80e3, 80e3], abs=1)
    assert sum(step.power for step in found.steps[:4]) < -60e3, "30 kW for half an hour, and the losses"


def test_a_full_one_takes_nothing_while_the_empty_one_charges() -> None:
    look = outlook(2, load=0.0, pv=100e3, sell=0.0, buy=0.3, battery=pair(90.0, 10.0))
    assert min(step.power for step in good(look).steps[:4]) >= -50e3 - 1


@settings(max_examples=15)
@given(st.lists(st.floats(10, 90), min_size=2, max_size=4), st.sampled_from([1.0, -1.0]))
def test_what_the_first_step_promises_each_battery_can_do(socs: list[float], sign: float) -> None:
    look = outlook(2, load=400e3, buy=[0.9] + [0.1] * 7, pv=0.0, battery=pair(*socs), rated=50e3 * len(socs))
    look = look if sign > 0 else replace(look, load=0 * look.load, pv=look.load, sell=0 * look.buy - 0.1)
    limit = look.battery.gives(look.hours) if sign > 0 else look.battery.takes(look.hours)
    each = [100e3 * ((soc - 10) if sign > 0 else (90 - soc)) / 100 for soc in socs]
    factor = 0.95 if sign > 0 else 1 / 0.95
    can = sum(min(50e3, energy * factor * 4) for energy in each)
    assert sign * good(look).steps[0].power <= can + 5
    assert limit is None or limit[0] == pytest.approx(can)


# reserves ---------------------------------------------------------------------------------------------


def reserve(**change: Any) -> Reserve:
    return Reserve.model_validate({"name": "fcr", "minutes": 30, **change})


def test_a_backup_stays_in_the_battery_although_the_evening_is_dear() -> None:
    bare = outlook(buy=prices_by_hour(dear=0.9), load=60e3, soc=60.0)
    every = kept(bare, [], 60.0)
    look = with_reserves(bare, every)
    need = 20 + 60 / 0.95
    assert look.floors == pytest.approx(np.full(96, 1e3 * need))
    assert min(stored(good(bare), bare)) == pytest.approx(20, abs=0.1)
    found = good(look)
    assert min(stored(found, look)) == pytest.approx(need, abs=0.1)
    assert lacking(bare, every, found.steps) == []
    cost = prices(bare, every)["backup"]
    assert cost == pytest.approx(found.cost - plan(bare).cost, abs=1e-3), "of 24 h, so of a day"
    assert in_words({"backup": cost, "fcr": 0.4}, "EUR") == f"backup costs {cost:.2f} EUR a day, fcr 0.40 EUR"


def test_a_reserve_that_is_there_anyway_costs_nothing() -> None:
    bare = outlook(soc=50.0)
    assert prices(bare, kept(bare, [reserve(up=20e3)], 30.0)) == {"backup": 0.0, "fcr": 0.0}
    assert prices(bare, []) == {}


def test_power_is_kept_free_both_ways_and_energy_for_it() -> None:
    bare = outlook(buy=prices_by_hour(dear=0.9), load=150e3, soc=60.0)
    every = kept(bare, [reserve(up=40e3, down=30e3, minutes=30)])
    look = with_reserves(bare, every)
    found = good(look)
    assert max(step.power for step in found.steps) == pytest.approx(60e3, abs=1)
    assert min(step.power for step in found.steps) >= -70e3 - 1
    assert min(stored(found, look)) >= 20 + 40 * 0.5 / 0.95 - 0.1
    assert max(stored(found, look)) <= 180 - 30 * 0.5 * 0.95 + 0.1
    assert lacking(bare, every, found.steps) == []


EVENING = [{"start": "18:00", "end": "20:00"}]


def test_what_is_offered_in_the_evening_is_there_when_it_begins() -> None:
    """10 % at noon, and 60 kW for an hour at 18 h: it is charged before, at any price of energy, and free after."""
    bare = outlook(buy=[0.3] * 24 + [0.05] * 72, soc=10.0)
    every = kept(bare, [reserve(name="dr", up=60e3, minutes=60, hours=EVENING)])
    look = with_reserves(bare, every)
    assert stored(plan(bare), bare)[23] == pytest.approx(20)
    energy = stored(good(look), look)
    assert energy[23] == pytest.approx(20 + 60 / 0.95, abs=0.1)
    assert [each > 0 for each in every[0].up].count(True) == 8


def test_an_empty_reserve_is_filled_within_hours_at_a_low_peak() -> None:
    bare = outlook(load=80e3, soc=12.0, demand=15.0, billed=90e3)
    every = kept(bare, [], 60.0)
    found = good(with_reserves(bare, every))
    assert found.peak is not None
    assert 90e3 <= found.peak < 100e3
    assert found.steps[40].soc > 50
    first = lacking(bare, every, found.steps)
    assert first[0].startswith("the reserve backup is not kept whole from 10 Jun 12:00 to 10 Jun ")
    assert first[0].endswith("kWh are missing")


def test_a_limit_of_the_connection_comes_before_a_reserve() -> None:
    """A backup of an hour, and 80 kW beyond the import limit for half an hour: the limit takes 42 kWh of it."""
    bare = outlook(4, load=[50e3] * 4 + [380e3] * 2 + [50e3] * 10, soc=40.0, rated=100e3)
    every = kept(bare, [reserve(up=30e3)], 15.0)
    look = with_reserves(bare, every)
    found = good(look)
    assert [step.grid for step in found.steps[4:6]] == pytest.approx([300e3, 300e3], abs=1)
    assert any(
        "the reserve fcr is not kept whole" in words and "kW up" in words for words in lacking(bare, every, found.steps)
    )


@pytest.mark.parametrize("soc", [0.0, 5.0, 15.0, 95.0, 100.0])
def test_a_reserve_never_makes_a_plan_impossible(soc: float) -> None:
    bare = outlook(load=50e3, soc=soc)
    every = kept(bare, [reserve(up=100e3, down=100e3, minutes=240)], 1440.0)
    found = good(with_reserves(bare, every))
    assert len(lacking(bare, every, found.steps)) >= 2


def test_a_backup_is_the_load_that_comes_and_no_more_than_the_inverters_carry() -> None:
    bare = outlook(2, load=[40e3] * 4 + [400e3] * 4, rated=100e3)
    assert backup(bare, 30.0).below * 0.95 / 1e3 == pytest.approx([20, 20, 35, 50, 50, 50, 50, 50])


OFFERED = [
    ({}, (2026, 6, 10, 3), True),
    ({"hours": EVENING}, (2026, 6, 10, 17), False),
    ({"hours": EVENING}, (2026, 6, 10, 18), True),
    ({"hours": [{"days": ["sat"]}]}, (2026, 6, 10, 18), False),
    ({"first": date(2026, 6, 11)}, (2026, 6, 10, 23), False),
    ({"first": date(2026, 6, 11)}, (2026, 6, 11, 0), True),
    ({"last": date(2026, 6, 11)}, (2026, 6, 12, 0), False),
]


@pytest.mark.parametrize(("given", "local", "is_"), OFFERED)
def test_when_it_is_offered(given: dict[str, Any], local: tuple[int, int, int, int], is_: bool) -> None:
    assert offered(reserve(up=1e3, **given), datetime(*local, tzinfo=BERLIN), BERLIN) is is_


# CO2, prices, and what is nothing -----------------------------------------------------------------


def test_a_price_of_co2_moves_what_it_draws_and_is_on_no_bill() -> None:
    """300 g per kWh more in the afternoon at 500 per tonne are 0.15 per kWh."""
    grams = np.array([100.0] * 48 + [400.0] * 48)
    look = outlook(load=80e3, soc=20.0)
    dirty = replace(look, carbon=grams * 500 / 1e6)
    rests, shifts = good(look), good(dirty)
    assert {step.power for step in rests.steps} == {0.0}
    assert rests.carbon == rests.carbon_idle == 0.0
    assert sum(step.power for step in shifts.steps[48:]) > 100e3
    assert shifts.cost > shifts.cost_idle, "of money it takes some"
    assert shifts.cost + shifts.carbon < shifts.cost_idle + shifts.carbon_idle - 1
    assert any("its CO2 costs" in words for words in verify(rests, dirty))


def test_the_price_of_co2_is_that_of_the_same_hour_yesterday_where_a_file_ends() -> None:
    starts = step_starts(NOON, 2)
    known = Series([NOON.replace(day=9), NOON.replace(day=9, hour=11)], [100.0, 300.0])
    priced = Carbon.model_validate({"file": "co2.csv", "price": 100.0})
    assert carbon_prices(priced, known, starts) == pytest.approx([0.01] * 4 + [0.03] * 4)
    assert carbon_prices(Carbon.model_validate({"intensity": 400.0}), None, starts) == 0.0
    assert carbon_prices(Carbon.model_validate({"intensity": 400.0, "price": 50.0}), None, starts) == 0.02


PRICES: dict[str, tuple[dict[str, Any], float, float]] = {
    "paid to draw: it fills, once": ({"buy": [-0.1] * 8 + [0.3] * 8, "sell": -0.2, "soc": 50.0}, 10.0, 90.0),
    "paid to draw and full: it rests": ({"buy": -0.1, "sell": -0.2, "soc": 90.0}, 90.0, 90.0),
    "feed-in costs money: PV goes into it": ({"pv": 100e3, "sell": -0.1, "soc": 50.0}, 50.0, 90.0),
    "the same price always: it rests": ({"sell": 0.2, "soc": 50.0}, 50.0, 50.0),
    "a fair spread, less than its losses": ({"buy": [0.2, 0.21] * 8, "soc": 50.0}, 50.0, 50.0),
}


@pytest.mark.parametrize(("change", "least", "most"), PRICES.values(), ids=PRICES)
def test_prices_move_it_once_or_not_at_all(change: dict[str, Any], least: float, most: float) -> None:
    found = good(outlook(4, **change))
    socs = [step.soc for step in found.steps]
    assert min(socs) >= least - 0.01
    assert max(socs) == pytest.approx(most, abs=0.01)
    turns = np.diff(np.sign([step.power for step in found.steps if abs(step.power) > 50]))
    assert np.count_nonzero(turns) <= 1, "no pointless cycling"


def test_it_sells_where_selling_pays() -> None:
    found = good(outlook(4, sell=[0.05] * 8 + [0.6] * 8, soc=90.0))
    assert min(step.grid for step in found.steps[8:]) < -40e3
    assert found.cost < found.cost_idle - 25


NOTHING: dict[str, dict[str, Any]] = {
    "no rating": {"rated": 0.0},
    "all PV of the hybrid is in the way": {"inside": 100e3, "soc": 90.0},
    "the cells allow nothing": {"allowed_charge": 0.0, "allowed_discharge": 0.0},
    "no room between the limits": {"battery": replace(battery(), soc_min=50.0, soc_max=50.0)},
    "no energy": {"battery": replace(battery(), energy=0.0, taper=HOME)},
}


@pytest.mark.parametrize("change", NOTHING.values(), ids=NOTHING)
def test_a_battery_that_can_nothing_has_a_plan_to_rest(change: dict[str, Any]) -> None:
    found = good(outlook(buy=prices_by_hour(), demand=15.0, **change))
    assert max(abs(step.power) for step in found.steps) < 1
    assert found.cost == pytest.approx(found.cost_idle, abs=1e-3)


def test_a_slow_ramp_is_kept_from_step_to_step() -> None:
    look = outlook(6, load=150e3, buy=[0.1] * 8 + [0.9] * 4 + [0.1] * 12, soc=90.0, ramp=20.0)  # 18 kW in 15 min
    powers = [step.power for step in good(look).steps]
    assert max(abs(np.diff(powers))) <= 18e3 + 1
    assert any("more than its ramp of 20 W/s" in words for words in verify(plan(replace(look, ramp=np.inf)), look))


# horizon and steps ------------------------------------------------------------------------------------


def test_steps_of_five_minutes_see_what_a_quarter_of_an_hour_hides() -> None:
    late = NOON.replace(minute=7)
    starts = step_starts(late, 24, 5)
    assert [at.minute for at in starts[:3]] == [7, 10, 15]
    assert len(starts) == 24 * 12
    look = outlook(24, late, step_minutes=5, load=50e3, demand=15.0, billed=60e3)
    assert look.end == starts[-1].replace(minute=5)
    assert look.hours[:2] * 60 == pytest.approx([3, 5])
    assert sum(look.hours) * 60 == pytest.approx(24 * 60 - 2)
    good(look)


def test_a_window_that_slides_by_five_minutes_is_met_in_steps_of_five() -> None:
    """20 minutes of 150 kW from 12:05: no window on the quarter hour sees more than 10 of them."""
    load = [50e3] + [150e3] * 2 + [50e3] * 9
    sliding = [charge(demand=15.0, sliding=5, minutes=15, billed=50e3)]
    look = outlook(1, step_minutes=5, load=load, soc=10.0, buy=0.2, charges=sliding)
    assert look.windows[0].begins[1] == NOON.replace(minute=5)
    assert good(look).peak == pytest.approx(50e3 + 100e3 * 2 / 3, rel=0.2)
