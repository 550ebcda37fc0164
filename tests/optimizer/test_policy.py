"""What the battery answers where the load is not known: within its limits, at least as good as rest, and as good as can
be where a grid that is small enough can be searched whole."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.policy import Policy, kernel, respond, solve
from optimizer.policy.bends import bends
from optimizer.policy.model import pose
from optimizer.policy.rest import rest_of_period
from optimizer.storage import Part, Storage
from optimizer.taper import Taper
from optimizer.verify import verify
from schemas.messages import Plan
from tests.optimizer.outlooks import BERLIN, NOON, battery, charge, grid, outlook, prices_by_hour, wild

DAYS = [70e3, 80e3, 90e3, 100e3] * 7
EVENING = [150e3 if 18 <= clock < 19 else 50e3 for clock in [(12 + step // 4) % 24 for step in range(96)]]


def unsure(hours: float = 24, spread: float = 10e3, daily: Any = DAYS, **change: Any) -> Outlook:
    """An outlook whose load is known to `spread` W, after days like those of `daily`."""
    look = outlook(hours, **change)
    charges = [replace(one, daily=daily) for one in look.charges]
    return replace(look, spread=np.full(len(look.starts), spread), charges=charges)


def good(look: Outlook) -> Plan:
    found = plan(look)
    assert verify(found, look) == []
    return found


def at(policy: Policy, step: int, soc: float, peak: float, *nets: float) -> list[float]:
    return [float(one) for one in policy.answer(step, soc, peak, np.array(nets)).power]


# the properties -----------------------------------------------------------------------------------


@settings(max_examples=40)
@given(wild(), st.sampled_from([1.0, 10e3, 80e3]), st.lists(st.floats(0, 300e3), max_size=28))
def test_no_outlook_leads_beyond_a_limit(look: Outlook, spread: float, daily: list[float]) -> None:
    """Whatever the outlook: the plan passes the second check, and no answer to any load breaks rating, energy, or a
    limit of the connection further than rest would."""
    charges = [replace(one, daily=daily) for one in look.charges]
    look = replace(look, spread=np.full(len(look.starts), spread), charges=charges)
    found = good(look)
    policy, nets = solve(look), np.linspace(-400e3, 500e3, 13)
    both, most = look.battery.efficiency, look.rated
    for step in {0, len(look.starts) - 1}:
        power = policy.answer(step, look.soc, policy.stands, nets).power
        drained = np.where(power > 0, power / both, power * both) * look.hours[step]
        left = look.soc - 100 * drained / look.battery.energy
        assert np.all(np.abs(power) <= most + 1)
        assert np.all(left >= min(look.soc, look.battery.soc_min) - 1e-3)
        assert np.all(left <= max(look.soc, look.battery.soc_max) + 1e-3)
        assert np.all(nets - power <= np.maximum(nets, look.import_limit[step]) + 1)
        assert np.all(power - nets <= np.maximum(-nets, look.export_limit[step]) + 1)
    pairs = found.steps[0].policy
    assert 2 <= len(pairs) <= 20
    assert [net for net, _ in pairs] == sorted(net for net, _ in pairs)


@pytest.mark.parametrize("soc", [15.0, 50.0, 90.0])
@pytest.mark.parametrize("peak", [60e3, 90e3, 130e3])
def test_more_load_is_no_less_discharge_beyond_the_cap(soc: float, peak: float) -> None:
    policy = solve(unsure(load=EVENING, demand=15.0, billed=60e3, buy=prices_by_hour()))
    for step in (0, 12, 25):
        cap = policy.table(step, soc, peak).cap
        assert cap is not None
        assert cap >= peak
        nets = np.linspace(cap, cap + 120e3, 60)
        powers = policy.answer(step, soc, peak, nets).power
        assert np.all(powers >= np.minimum(nets - cap, max(powers)) - 1e3), "what the cap needs, as far as it goes"
        at_the_cap = nets - powers > cap - 1e3  # below it energy may be kept for a load that is more likely now
        assert np.all(np.diff(powers[at_the_cap]) >= -100)
        assert powers[-1] == max(powers)


@settings(max_examples=15)
@given(
    st.lists(st.floats(10e3, 160e3), min_size=16, max_size=16),
    st.lists(st.floats(0.05, 0.4), min_size=16, max_size=16),
    st.floats(15, 85),
)
def test_with_hardly_any_error_it_is_no_worse_than_rest_and_near_the_exact_plan(
    load: list[float], buy: list[float], soc: float
) -> None:
    """A spread of 1 W: the answer of the grid against the linear program on the same hours."""
    look = outlook(4, load=load, buy=buy, soc=soc, demand=15.0, billed=60e3)
    known, found = plan(look), good(replace(look, spread=np.full(16, 1.0)))
    gained = known.cost_idle - known.cost
    assert found.cost <= known.cost_idle + 0.02 * abs(known.cost_idle)
    assert found.cost <= known.cost + 0.05 * gained + 0.02 * abs(known.cost)


def test_a_perfect_forecast_has_the_exact_plan() -> None:
    look = unsure(load=EVENING, demand=15.0, billed=60e3, buy=prices_by_hour(), spread=0.0)
    assert plan(look).cost == pytest.approx(plan(replace(look, spread=0.0)).cost, rel=1e-9)
    assert plan(look).steps[0].policy == []
    assert plan(look).steps[0].cap == plan(look).peak


# against brute force ------------------------------------------------------------------------------


def test_two_steps_are_as_good_as_all_that_can_be_done() -> None:
    """The load of the first step is seen; of the second it has the values and chances of the model. All pairs of powers
    of 1 kW are tried."""
    look = unsure(0.5, load=[80e3, 100e3], spread=20e3, buy=[0.10, 0.40], demand=15.0, billed=60e3, daily=[60e3])
    policy, powers = solve(look), np.arange(-100.0, 101.0)
    first, second = powers[:, np.newaxis, np.newaxis], powers[np.newaxis, :, np.newaxis]
    left = look.stored_value - 0.95 * 0.02  # of a kWh at the end
    chances = policy.model.moves[0, policy.model.moves.shape[1] // 2]
    nets = (100 + 20 * (0.85 * policy.model.slow[:, np.newaxis] + 0.55 * np.array([-1.732, 0.0, 1.732]))).ravel()
    weights = (chances[:, np.newaxis] * np.array([1 / 6, 2 / 3, 1 / 6])).ravel()

    def paid(price: float, grid: Any, power: Any) -> Any:
        drawn, given = np.maximum(grid, 0), np.maximum(power, 0)
        cells = np.where(power > 0, power / 0.95, power * 0.95)
        return 0.25 * (price * drawn - 0.05 * np.maximum(-grid, 0) + 0.02 * given + left * cells)

    peak = np.maximum(np.maximum(80 - first, nets - second), 60)
    money = paid(0.10, 80 - first, first) + paid(0.40, nets - second, second) + 15 * (peak - 60)
    expected = money.min(axis=1) @ weights  # the second power is chosen when its load is seen
    chosen = at(policy, 0, 50.0, 60e3, 80e3)[0] / 1000
    assert np.interp(chosen, powers, expected) <= expected.min() + 0.3
    assert expected.min() < expected[100] - 10  # rest


def test_what_the_rest_of_a_month_brings_is_the_highest_of_its_days() -> None:
    """P(highest <= a) by trying all sequences of two days, which is what 4 days that half depend on each other are."""
    end = datetime(2026, 6, 26, 22, tzinfo=UTC)  # four days before July in Berlin
    windows = outlook(2, demand=15.0).windows[0]
    days = [40e3, 70e3, 90e3]
    found = rest_of_period(windows, 0, end, days, np.array([50e3, 80e3]))
    by_hand = [np.mean([15 * max(level, *pair) for pair in product([40, 70, 90], repeat=2)]) for level in (50, 80)]
    assert found == pytest.approx([0.0, by_hand[1] - by_hand[0]])


def test_few_pairs_say_the_same_as_many() -> None:
    x = np.linspace(0, 10, 101)
    y = np.clip(x - 4, 0, 3)
    found = bends(x, y, 20, 1e-6)
    assert len(found) <= 6
    assert np.allclose([respond(found, net) for net in x], y, atol=1e-5)
    assert (respond(found, -5.0), respond(found, 50.0)) == (0.0, 3.0)


# stories ------------------------------------------------------------------------------------------


def test_what_may_come_is_kept_energy_for() -> None:
    """The plain forecast stays below the peak, so the exact plan sells the battery; who knows his error keeps some."""
    load = [58e3] * 48
    look = outlook(12, load=load, buy=[0.30] * 8 + [0.12] * 40, demand=15.0, billed=60e3, soc=30.0)
    sure, wary = plan(look), good(replace(look, spread=np.full(48, 15e3)))
    assert min(step.soc for step in wary.steps[:12]) > min(step.soc for step in sure.steps[:12]) + 3


@settings(max_examples=15)
@given(
    st.lists(st.floats(0, 60e3), min_size=24, max_size=24),
    st.floats(1e3, 80e3),
    st.floats(0.05, 0.4),
    st.floats(10, 90),
)
@example([20e3] * 24, 40e3, 0.10, 90.0)
def test_a_surplus_that_cannot_be_is_worth_nothing(load: list[float], spread: float, buy: float, soc: float) -> None:
    """No PV, and one price: whatever is not known of the load, nothing will be left over to charge for free."""
    found = good(unsure(6, spread, load=load, buy=buy, sell=buy / 2, soc=soc))
    assert min(step.power for step in found.steps) >= -1.0


def test_a_first_night_of_one_price_is_rest() -> None:
    """A site of which hardly anything is known: the error is twice the load. It was discharged at 0.10 and charged at
    0.10 in the same night, as the night was believed to have PV."""
    night = NOON.replace(hour=22)  # midnight
    found = good(unsure(24, 40e3, now=night, load=20e3, buy=[0.10] * 24 + [0.20] * 72, soc=90.0))
    assert {step.power for step in found.steps[:24]} == {0.0}
    assert max(step.power for step in found.steps[24:]) == pytest.approx(20e3, abs=10)


@settings(max_examples=15)
@given(
    st.lists(st.floats(-60e3, 60e3), min_size=16, max_size=16), st.lists(st.floats(0, 60e3), min_size=16, max_size=16)
)
def test_a_load_below_nothing_may_be_as_it_is_forecast(load: list[float], pv: list[float]) -> None:
    """PV that nobody measures makes a load negative: the surplus of the forecast is believed."""
    steps = pose(unsure(4, load=load, pv=pv)).steps
    assert np.all(steps[:, kernel.LOWEST] <= steps[:, kernel.NET] + 1e-3)


def test_a_load_that_nobody_forecast_is_held_at_the_cap() -> None:
    found = good(unsure(load=50e3, demand=15.0, billed=90e3))
    step = found.steps[0]
    assert step.cap is not None
    assert step.cap >= 90e3
    for surprise in (100e3, 130e3, 160e3):
        assert surprise - respond(step.policy, surprise) <= step.cap + 500
    assert respond(step.policy, 50e3) == pytest.approx(0.0, abs=500)


def test_the_policy_is_there_for_an_hour_and_no_longer() -> None:
    found = good(unsure(demand=15.0, now=NOON.replace(minute=7)))
    with_policy = [step.at < found.until for step in found.steps]
    assert [bool(step.policy) for step in found.steps] == with_policy
    assert [step.cap is not None for step in found.steps] == with_policy


def test_what_was_imported_in_this_window_leaves_less() -> None:
    """10 of 15 min at 300 kW are over: what is left may carry 150 kW for the mean of 250."""
    late = NOON.replace(minute=10)
    look = unsure(1, now=late, load=200e3, imported=300e3 / 6, billed=250e3, demand=15.0, spread=5e3, daily=[])
    assert good(look).steps[0].grid == pytest.approx(150e3, abs=1e3)


def test_an_hour_of_a_window_is_bounded_by_its_parts() -> None:
    found = good(unsure(4, load=[60e3] * 8 + [120e3] * 4 + [60e3] * 4, demand=15.0, minutes=60, billed=80e3))
    assert found.peak is not None
    assert found.peak < 110e3


def test_only_hours_that_count_have_a_cap() -> None:
    hours = [{"start": "18:00", "end": "20:00"}]
    look = unsure(24, load=100e3, charges=[charge(demand=20.0, hours=hours, name="on-peak")], soc=85.0, daily=[30e3])
    found, policy = good(look), solve(look)
    caps = [policy.table(step, 50.0, 0.0).cap is not None for step in range(96)]
    clocks = [step.at.astimezone(BERLIN).hour for step in found.steps]
    assert caps == [18 <= clock < 20 for clock in clocks]
    assert found.peaks["on-peak"] < 70e3


def test_of_several_demands_none_is_forgotten() -> None:
    hours = [{"start": "18:00", "end": "20:00"}]
    dear, other = charge(demand=90.0, name="all"), charge(demand=15.0, hours=hours, name="on-peak")
    look = unsure(24, load=EVENING, charges=[other, dear], soc=60.0)
    policy = solve(look)
    assert policy.model.state is not None
    assert policy.model.state.charge.component.name == "all"
    found, alone = good(look), good(replace(look, charges=look.charges[1:]))
    assert found.peaks["on-peak"] <= alone.peaks["all"] + 2e3
    # dispatch takes a cap for one of the first demand: it would let `on-peak` rise to what is meant for `all`
    assert {step.cap for step in found.steps} == {None}
    swapped = good(replace(look, charges=[dear, other]))
    assert all(step.cap is not None for step in swapped.steps if step.policy)


def test_a_contract_that_is_dear_to_pass_is_held() -> None:
    look = unsure(load=EVENING, charges=[charge(demand=0.0, contract={"power": 80, "penalty": 20.0})], daily=[50e3])
    found = good(look)
    assert found.peak is not None
    assert found.peak <= 82e3


def test_a_new_month_begins_a_new_peak() -> None:
    end_of_june = NOON.replace(day=30, hour=20)  # 22 h in Berlin
    load = [100e3] * 8 + [150e3] * 4 + [100e3] * 12
    found = good(unsure(6, 2e3, [60e3], now=end_of_june, load=load, demand=15.0, billed=100e3))
    assert found.peak == pytest.approx(100e3, abs=2e3)
    assert max(step.grid for step in found.steps[8:]) < 130e3  # July is shaved although June saw no such load


def test_a_month_gains_nothing_below_what_no_month_stays_below() -> None:
    """The first day of a month: who knows that its other days bring 100 kW spends nothing to keep 50."""
    first = NOON.replace(day=1)
    known = good(unsure(12, 1e3, [100e3] * 28, now=first, load=[50e3] * 40 + [80e3] * 8, demand=15.0))
    assert max(step.grid for step in known.steps) >= 79e3
    unknown = good(unsure(12, 1e3, [], now=first, load=[50e3] * 40 + [80e3] * 8, demand=15.0))
    assert max(step.grid for step in unknown.steps) < 70e3


@pytest.mark.parametrize("soc", [0.0, 4.0, 97.0, 100.0])
def test_a_battery_outside_of_its_limits_comes_back(soc: float) -> None:
    found = good(unsure(soc=soc))
    assert 10 - 1e-3 <= found.steps[8].soc <= 90 + 1e-3


def test_negative_prices_do_not_burn_energy() -> None:
    found = good(unsure(6, buy=-0.10, sell=-0.20, soc=50.0, spread=5e3))
    assert min(step.power for step in found.steps) < -1e3  # paid to import
    assert sum(abs(step.power) for step in found.steps) / 4 <= 1.2 * 200e3  # fills up once, no to and fro


def test_a_load_beyond_the_limit_is_held_as_far_as_it_goes() -> None:
    found = good(unsure(load=[450e3] * 2 + [50e3] * 94, spread=20e3))
    assert found.steps[0].power == pytest.approx(100e3)


SLOW_WHEN_FULL = (Taper(60, 1e5, 1e5), Taper(90, 1e4, 1e5))
SLOW_AT_BOTH_ENDS = (Taper(10, 1e5, 5e3), Taper(40, 1e5, 1e5), *SLOW_WHEN_FULL)


@pytest.mark.parametrize("taper", [SLOW_WHEN_FULL, SLOW_AT_BOTH_ENDS])
def test_cells_that_slow_down_are_charged_in_time(taper: tuple[Taper, ...]) -> None:
    """0.10 for three hours, 0.08 for two, then 0.30: two hours at full power would fill it, if the cells took that."""
    buy = [0.20] * 4 + [0.10] * 12 + [0.08] * 8 + [0.30] * 12 + [0.20] * 12
    look = unsure(12, 1.0, load=60e3, buy=buy, sell=0.03, soc=30.0, battery=Storage(200e3, taper=taper))
    found, known = good(look), plan(replace(look, spread=0.0))  # whose lines stay below the table
    assert found.cost <= known.cost
    assert found.steps[16].soc > 40  # it does not wait for the 0.08 that begins now


def test_pv_that_gives_way_is_stored_first() -> None:
    look = unsure(4, load=10e3, pv=100e3, soc=50.0, grid=grid(export_limit=0.0), curtails=True, spread=5e3)
    assert good(look).steps[-1].soc == pytest.approx(90.0, abs=0.1)


def test_pv_inside_of_a_hybrid_leaves_so_much_less_to_discharge() -> None:
    look = unsure(2, load=200e3, pv=80e3, inside=80e3, buy=[0.5] * 4 + [0.1] * 4, soc=90.0)
    assert max(step.power for step in good(look).steps) <= 20e3 + 1


@pytest.mark.parametrize("change", [{"rated": 0.0}, {"battery": battery(energy=1.0)}])
def test_hardly_a_battery(change: dict[str, Any]) -> None:
    found = good(unsure(demand=15.0, load=EVENING, **change))
    assert all(abs(step.power) < 10 for step in found.steps)


def test_without_a_demand_there_is_no_peak_to_remember() -> None:
    policy = solve(unsure(buy=prices_by_hour()))
    assert policy.value.shape[2] == 1
    assert policy.table(0, 50.0, 0.0).cap is None
    assert good(unsure(buy=prices_by_hour())).cost < plan(outlook()).cost_idle


def test_steps_of_five_minutes() -> None:
    long = unsure(4, load=EVENING[20:36], demand=15.0, billed=60e3)
    starts = [datetime.fromtimestamp(NOON.timestamp() + 300 * step, UTC) for step in range(48)]
    each: dict[str, Any] = {name: np.repeat(getattr(long, name), 3) for name in ("load", "pv", "buy", "sell", "spread")}
    coarse, fine = plan(long), plan(replace(long, starts=starts, **each))
    assert fine.steps[1].seconds == 300
    assert fine.peak == pytest.approx(coarse.peak, rel=0.08)  # a node of M apart at most


def test_a_step_of_a_backtest_says_what_the_plan_says() -> None:
    look = unsure(load=EVENING, demand=15.0, billed=60e3)
    found, policy = plan(look), solve(look)
    words: dict[str, Any] = {"reason": "", "why": []}
    assert policy.step(0, look.soc, policy.stands).model_copy(update=words) == found.steps[0].model_copy(update=words)


@pytest.mark.parametrize(
    "more",
    [
        {"battery": Storage(200e3, taper=(Taper(10, 1e5, 1e4), Taper(20, 1e5, 1e5), Taper(90, 5e3, 1e5)))},
        {"battery": Storage(200e3, parts=(Part(5e4, 0.0, 8e4), Part(5e4, 8e4, 0.0)))},
        {"floor": 120e3},
        {"floor": 60e3, "ceiling": 150e3, "up": 20e3, "down": 30e3},
        {"ramp": 20.0},
        {"allowed_charge": 0.0, "allowed_discharge": 10e3},
    ],
    ids=["taper", "apart", "floor above what is stored", "reserve", "ramp", "derated"],
)  # fmt: skip
def test_whatever_limits_the_battery_a_plan_of_an_unsure_load_keeps_to_it(more: dict[str, Any]) -> None:
    look = replace(unsure(load=EVENING, buy=prices_by_hour(), demand=15.0, billed=60e3), **more)
    assert verify(plan(look), look) == []
