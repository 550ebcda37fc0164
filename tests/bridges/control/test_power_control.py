"""What is written, and in which order: each point by its own limits, what is safer first."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.limits import BUDGET, RAMP, WORN, Limit, cause_of, clamp
from bridges.control.power_control import Now, Targets, decide, fallback, ramp_step, waiting
from bridges.fieldbus.contract import Writable
from schemas.messages import Cause

P, Q = Limit("pcs:range", -100.0, 100.0), Limit("pcs:range", -60.0, 60.0)


def now(
    *limits: Limit, held: dict[str, float] | None = None, step: float = 0.0, worn: frozenset[str] = frozenset()
) -> Now:
    return Now({"p_set": [P, *limits], "q_set": [Q]}, held or {}, {"p_set": step}, worn, 120.0)


def wanted(fallen: bool = False, **values: float) -> Targets:
    return Targets(values, frozenset(values) if fallen else frozenset())


def test_what_is_safer_is_written_first() -> None:
    more = decide(wanted(p_set=80.0, q_set=10.0), now(held={"p_set": 50.0, "q_set": 20.0}))
    assert list(more.values) == ["q_set", "p_set"]
    less = decide(wanted(p_set=10.0, q_set=30.0), now(held={"p_set": 50.0, "q_set": 20.0}))
    assert list(less.values) == ["p_set", "q_set"]


def test_a_value_beyond_a_limit_is_urgent_a_ramp_is_not() -> None:
    held = {"p_set": 50.0}
    ramp, bms = Limit(RAMP, 45.0, 55.0), Limit("bms:current", -20.0, 20.0)
    ramping = decide(wanted(p_set=80.0), now(ramp, held=held))
    assert (ramping.values["p_set"], ramping.ramping, set(ramping.urgent)) == (55.0, True, set())
    cut = decide(wanted(p_set=80.0), now(bms, ramp, held=held))
    assert (cut.values["p_set"], cut.ramping, set(cut.urgent)) == (20.0, False, {"p_set"})
    assert decide(wanted(True, p_set=0.0), now(held={"p_set": 0.0})).urgent == {"p_set"}


@pytest.mark.parametrize("ramp", [5.0, 0.83, 33.0])
def test_a_ramp_below_one_step_of_the_register_moves_all_the_same(ramp: float) -> None:
    """83 W/s on a register of 100 W: the ramp is a float, what is written is rounded."""
    position, held, cycles = 0.0, 0.0, 0
    while held < 100.0 and cycles < 1000:
        limit = Limit(RAMP, position - ramp, position + ramp)
        found = decide(wanted(p_set=100.0), now(limit, held={"p_set": held}, step=10.0))
        assert found.position is not None
        position, held, cycles = found.position, found.values["p_set"], cycles + 1
    assert cycles == pytest.approx(100 / ramp, abs=2)


def test_a_cell_that_is_worn_rests_at_0() -> None:
    found = decide(wanted(p_set=80.0), now(held={"p_set": 20.0}, worn=frozenset({"p_set"})))
    assert (found.values, set(found.urgent)) == ({"p_set": 0.0}, {"p_set"})
    assert [(one.source, one.wanted, one.allowed) for one in found.limited_by] == [(WORN, 80.0, 0.0)]


def test_a_value_that_waits_for_its_budget_is_a_limit_by_name() -> None:
    found = waiting({"p_set": 80.0, "q_set": 5.0}, {"p_set": 20.0})
    assert [(one.point, one.source, one.wanted, one.allowed) for one in found] == [("p_set", BUDGET, 80.0, 20.0)]
    assert cause_of(found) is Cause.WRITE_BUDGET


def test_a_power_factor_follows_the_power_that_is_allowed() -> None:
    found = decide(wanted(p_set=80.0, pf_set=0.8), now(Limit("bms:current", -40.0, 40.0)))
    assert found.values == {"q_set": pytest.approx(30.0), "p_set": 40.0}


def test_what_is_declared_safe() -> None:
    commands = {
        "p_set": Writable("p_set", -1, 1, None),
        "q_set": Writable("q_set", -1, 1, 0.0),
        "p_limit_pct": Writable("p_limit_pct", 0, 100, 100.0),
    }
    assert fallback(commands, 5.0) == {"p_set": 5.0, "q_set": 0.0, "p_limit_pct": 100.0}
    assert fallback({"p_set": Writable("p_set", -1, 1, 2.0)}, None) == {"p_set": 2.0}


def test_after_a_rest_the_first_step_is_as_small_as_any_other() -> None:
    assert [ramp_step(1000.0, rested, 0.5) for rested in (0.1, 0.5, 1.0, 3600.0)] == [100.0, 500.0, 750.0, 750.0]
    assert ramp_step(math.inf, 0.1, 0.5) == math.inf


bounds = st.tuples(st.floats(-200, 0), st.floats(0, 200)).map(lambda one: Limit("some", *one))


@given(st.floats(-500, 500), st.lists(bounds, max_size=4), st.floats(-100, 100), st.sampled_from([0.0, 1.0, 10.0]))
def test_whatever_is_wanted_no_limit_is_broken(wish: float, limits: list[Limit], held: float, step: float) -> None:
    found = decide(wanted(p_set=wish), now(*limits, held={"p_set": held}, step=step))
    value = found.values["p_set"]
    assert clamp(value, [P, *limits])[0] == pytest.approx(value, abs=1e-9)
    assert bool(found.limited_by) == (clamp(wish, [P, *limits])[0] != wish)
