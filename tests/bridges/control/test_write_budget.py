"""How often a register is written: never more than it stands, and never too late for what makes the site safer."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bridges.control.write_budget import DAY, Allowance, Budget, allowance
from schemas.profile import Setpoint


def setpoint(**change: object) -> Setpoint:
    return Setpoint.model_validate({"register": 1, "low": -1.0, "high": 1.0} | change)


def test_ram_is_free_and_eeprom_is_dear() -> None:
    assert allowance(setpoint(deadband=0.01), 100_000) == Allowance(1000.0, 0.0, 100_000, cyclic=True)
    assert allowance(setpoint(memory="eeprom"), 1.0) == Allowance(0.0, 300.0, 50, cyclic=False, kept=True)
    short = setpoint(memory="eeprom", interval=2.0, per_day=3)
    assert allowance(short, 1.0) == Allowance(0.0, 2.0, 3, cyclic=False, kept=True)


def test_an_eeprom_is_written_for_a_command_and_never_cyclically() -> None:
    budget = Budget(allowance(setpoint(memory="eeprom"), 1.0))
    assert "EEPROM" in budget.wait(0.0, cyclic=True)
    assert budget.wait(0.0, cyclic=False) == ""
    budget.spend(0.0)
    assert "in 200.0 s" in budget.wait(100.0, cyclic=False)
    assert budget.wait(300.0, cyclic=False) == ""


def test_what_is_within_the_deadband_is_not_worth_a_write() -> None:
    budget = Budget(Allowance(100.0, 0.0, 10, cyclic=True))
    assert [budget.worth(change) for change in (0.0, 100.0, 100.1)] == [False, False, True]


@given(st.lists(st.floats(0, DAY / 4), max_size=60), st.integers(1, 8), st.floats(0, 1000))
def test_no_24_hours_see_more_writes_than_allowed(pauses: list[float], per_day: int, interval: float) -> None:
    budget, now, written = Budget(Allowance(0.0, interval, per_day, cyclic=True)), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if not budget.wait(now, cyclic=True):
            budget.spend(now)
            written.append(now)
    for start in written:
        assert sum(start <= one < start + DAY for one in written) <= per_day
    assert all(later - earlier >= interval for earlier, later in itertools.pairwise(written))


def test_what_was_written_before_the_bridge_began_counts() -> None:
    budget = Budget(allowance(setpoint(memory="eeprom", per_day=2), 1.0))
    budget.recall([DAY - 10, 100.0], now=50.0)
    assert budget.wait(59.0, cyclic=False).startswith("budget: written again in 191.0 s"), "the interval goes on, too"
    assert budget.wait(260.0, cyclic=False) == "", "the older one is a day old by then"
    budget.spend(260.0)
    budget.spare()
    assert budget.wait(260.0, cyclic=False) == ""
