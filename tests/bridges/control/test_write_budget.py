"""How often a register is written: never more than it stands, and never too late for what makes the site safer."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from bridges.control.write_budget import DAY, LONGEST_AGAIN, LONGEST_AGAIN_WEARING, MOST_URGENT, WriteBudget
from bridges.fieldbus.contract import Writable


def allowed(**change: object) -> Writable:
    given: dict[str, object] = {"name": "p_set", "low": -1.0, "high": 1.0, "fallback": 0.0}
    return Writable(**(given | change))  # type: ignore[arg-type]  # a table of changes


FLASH = allowed(wears=True, interval=300.0, per_day=50)


def test_an_eeprom_is_written_for_a_command_and_never_cyclically() -> None:
    budget = WriteBudget(FLASH)
    assert "EEPROM" in budget.wait(0.0, cyclic=True)
    assert budget.wait(0.0, cyclic=False) == ""
    budget.spend(0.0)
    assert "in 200.0 s" in budget.wait(100.0, cyclic=False)
    assert budget.wait(300.0, cyclic=False) == ""


def test_what_is_within_the_deadband_is_not_worth_a_write() -> None:
    budget = WriteBudget(allowed(deadband=100.0))
    assert [budget.worth(change) for change in (0.0, 100.0, 100.1)] == [False, False, True]


@given(st.lists(st.floats(0, DAY / 4), max_size=60), st.integers(1, 8), st.floats(0, 1000))
def test_no_24_hours_see_more_writes_than_allowed(pauses: list[float], per_day: int, interval: float) -> None:
    budget, now, written = WriteBudget(allowed(interval=interval, per_day=per_day)), 0.0, list[float]()
    for pause in pauses:
        now += pause
        if not budget.wait(now, cyclic=True):
            budget.spend(now)
            written.append(now)
    for start in written:
        assert sum(start <= one < start + DAY for one in written) <= per_day
    assert all(later - earlier >= interval for earlier, later in itertools.pairwise(written))


def test_what_was_written_before_the_bridge_began_counts() -> None:
    budget = WriteBudget(allowed(wears=True, interval=300.0, per_day=2))
    budget.recall([DAY - 10, 100.0], now=50.0)
    assert budget.wait(59.0, cyclic=False).startswith("budget: written again in 191.0 s"), "the interval goes on, too"
    assert budget.wait(260.0, cyclic=False) == "", "the older one is a day old by then"
    budget.spend(260.0)
    budget.spare()
    assert budget.wait(260.0, cyclic=False) == ""


@given(st.booleans(), st.floats(0.1, 1.0))
def test_what_does_not_arrive_is_tried_later_each_time(wears: bool, cycle: float) -> None:
    budget, tries, now = WriteBudget(allowed(wears=wears)), 0, 0.0
    while now < DAY:
        if not budget.resting(now):
            tries += 1
            budget.missed(now)
        now = max(now + cycle, budget.again)
    longest = LONGEST_AGAIN_WEARING if wears else LONGEST_AGAIN
    assert tries <= DAY / longest + 12, "34 000 a day wore a flash cell out in three days"
    budget.arrived()
    assert not budget.resting(now)


def test_a_cell_that_wears_goes_to_0_when_it_is_made_safer_again_and_again() -> None:
    flash, ram = WriteBudget(FLASH, urgent=MOST_URGENT), WriteBudget(allowed(), urgent=MOST_URGENT)
    assert (flash.worn_out, ram.worn_out) == (True, False)
