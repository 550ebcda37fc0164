"""A PCS goes through its states as the table says, follows its setpoint and loses what it should."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.pcs import Pcs
from simulator.states import NEXT, Order, State

RATED = 100_000.0


def carried(pcs: Pcs, dt: float = 0.0) -> float:
    pcs.live(dt, 770.0, lit=True)
    wanted = pcs.wanted(dt)
    pcs.carry(pcs.dc_of(wanted), wanted)
    return pcs.p


@pytest.mark.parametrize(("state", "order"), list(product(State, Order)))
def test_what_is_not_in_the_table_changes_nothing(state: State, order: Order) -> None:
    pcs = Pcs(RATED, RATED, state=state)
    pcs.order(order)
    assert pcs.state is NEXT.get((state, order), state)


def test_a_fault_ends_only_with_a_reset() -> None:
    pcs = Pcs(RATED, RATED, p_set=5e4)
    pcs.order(Order.TRIP)
    assert carried(pcs) == 0
    for order in (Order.START, Order.STANDBY, Order.STOP):
        pcs.order(order)
        assert pcs.state is State.FAULT
    pcs.order(Order.RESET)
    pcs.order(Order.START)
    carried(pcs)
    assert pcs.state is State.RUNNING
    assert pcs.p_set == 0  # no jump to a setpoint from before the fault


@given(st.floats(-RATED, RATED))
def test_direct_and_alternating_side_agree(ac: float) -> None:
    pcs = Pcs(RATED, RATED)
    dc = pcs.dc_of(ac)
    assert dc > ac  # the loss always comes out of the battery's side
    assert pcs.ac_of(dc) == pytest.approx(ac, abs=1e-6)


def test_it_is_good_but_not_perfect() -> None:
    pcs = Pcs(RATED, RATED)
    assert RATED / pcs.dc_of(RATED) == pytest.approx(0.975, abs=0.002)
    assert pcs.dc_of(-RATED) / -RATED == pytest.approx(0.975, abs=0.002)


@given(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6))
def test_it_never_leaves_the_circle_of_its_apparent_power(p: float, q: float) -> None:
    pcs = Pcs(RATED, 1.1 * RATED, p_set=p, q_set=q)
    carried(pcs)
    assert abs(pcs.p) <= RATED + 1e-6
    assert pcs.p**2 + pcs.q**2 <= (1.1 * RATED) ** 2 * (1 + 1e-9)


def test_without_a_ramp_it_follows_at_once_and_with_one_in_time() -> None:
    ramped = Pcs(RATED, RATED, ramp=2e4, p_set=6e4)
    for none in (None, float("inf")):
        assert carried(Pcs(RATED, RATED, ramp=none, p_set=6e4), 0) == pytest.approx(6e4)
    assert [round(carried(ramped, 1)) for _ in range(4)] == [20_000, 40_000, 60_000, 60_000]


def test_the_watchdog_takes_the_power_away_and_a_new_write_brings_it_back() -> None:
    pcs = Pcs(RATED, RATED, timeout=10, p_set=5e4)
    assert carried(pcs, 9) == pytest.approx(5e4)
    assert carried(pcs, 2) == pytest.approx(0)
    assert pcs.timed_out
    pcs.heard()
    assert carried(pcs, 1) == pytest.approx(0)  # the old setpoint is not taken up again
    pcs.p_set = 4e4
    assert carried(pcs, 1) == pytest.approx(4e4)


def test_operated_at_its_panel_it_needs_no_controller() -> None:
    pcs = Pcs(RATED, RATED, timeout=10, p_set=5e4, local=True)
    assert carried(pcs, 100) == pytest.approx(5e4)
    pcs.local = False
    assert carried(pcs, 1) == pytest.approx(0), "back in remote it is without one"


def test_a_dead_time_delays_what_it_is_told_and_not_its_watchdog() -> None:
    pcs = Pcs(RATED, RATED, timeout=10, dead_time=3.0)
    carried(pcs, 1)
    pcs.p_set = 5e4
    assert [round(carried(pcs, 1)) for _ in range(5)] == [0, 0, 0, 50_000, 50_000]
    pcs.unheard = 11.0
    assert carried(pcs, 0.1) == pytest.approx(0)


def test_a_timeout_of_zero_never_acts() -> None:
    pcs = Pcs(RATED, RATED, timeout=0, p_set=5e4)
    assert carried(pcs, 1e6) == pytest.approx(5e4)


def test_a_deaf_one_keeps_its_power() -> None:
    pcs = Pcs(RATED, RATED, p_set=3e4)
    carried(pcs)
    pcs.deaf, pcs.p_set = True, -7e4
    assert carried(pcs, 5) == pytest.approx(3e4)
    assert pcs.p_set == -7e4
