"""How often a register is written: never more than it stands, and never too late for what makes the site safer."""

import asyncio
import itertools
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.control.limits import Limit
from bridges.control.power_control import Now, Targets, decide
from bridges.control.setpoint_writer import Put, SetpointWriter
from bridges.control.write_budget import DAY, LONGEST_AGAIN, LONGEST_AGAIN_WEARING, MOST_URGENT, WriteBudget
from bridges.fieldbus.contract import Writable
from tests.bridges.control.bare import Bare
from tests.virtual import loop, run, virtual


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


def test_a_cell_that_is_made_safer_again_and_again_is_worn_until_its_budget_allows_more() -> None:
    flash, ram = WriteBudget(FLASH), WriteBudget(allowed(interval=300.0))
    for at in range(MOST_URGENT + 1):
        assert not flash.worn(float(at))
        for budget in (flash, ram):
            budget.begin(0.0, float(at))
            budget.spend(float(at))
    assert (flash.worn(6.0), ram.worn(6.0)) == (True, False)
    assert (flash.worn(304.9), flash.worn(305.0)) == (True, False)
    flash.begin(0.0, 305.0)
    flash.spend(305.0)
    assert (flash.beyond, flash.worn(306.0)) == (0, False), "what the budget allows is forgiven"


def test_writes_that_the_budget_allowed_wear_nothing_however_urgent_they_were() -> None:
    flash = WriteBudget(FLASH)
    for turn in range(3 * MOST_URGENT):
        flash.begin(0.0, 300.0 * turn)
        flash.spend(300.0 * turn)
        assert not flash.worn(300.0 * turn + 1)


@pytest.mark.parametrize(
    ("value", "standing", "flash", "ram"),
    [
        (10.0, [50.0], True, True),
        (-10.0, [50.0], True, True),
        (0.0, [0.0, 50.0], True, True),  # the answer to 50 was lost: it may stand there
        (50.0, [10.0], False, True),
        (-50.0, [50.0], False, True),
        (60.0, [math.inf], True, True),  # its enable has fallen
        (60.0, [], True, True),  # nobody knows what stands there
    ],
)
def test_only_what_narrows_goes_beyond_the_budget_of_a_cell_that_wears(
    value: float, standing: list[float], flash: bool, ram: bool
) -> None:
    assert (WriteBudget(FLASH).hurries(value, standing), WriteBudget(allowed()).hurries(value, standing)) == (
        flash,
        ram,
    )


limits = st.lists(st.tuples(st.floats(0.5, 700), st.floats(0, 100)), max_size=120)


@given(limits, st.booleans())
def test_whatever_its_limits_do_a_cell_is_never_beyond_them_nor_worn_out_nor_given_up(
    story: list[tuple[float, float]], fallen: bool
) -> None:
    """80 is wanted all the time; a limit narrows and widens it."""

    async def told() -> None:
        one = allowed(low=-100.0, high=100.0, wears=True, interval=300.0, per_day=50)
        pcs = Bare("pcs", {"p_set": one}, rated_power=100.0)
        writer = SetpointWriter(pcs, Counter())
        writer.recall(0.0)
        wanted = Targets({"p_set": 80.0}, frozenset({"p_set"} if fallen else ()))

        async def cycle(limit: float) -> None:
            now = loop().time()
            chain, worn = [Limit("bms:current", -limit, limit)], frozenset(writer.worn(now))
            decision = decide(wanted, Now({"p_set": chain}, writer.applied, {"p_set": 0.0}, worn))
            for point, value in decision.values.items():
                await writer.put(point, value, now, urgent=point in decision.urgent, cyclic=False)

        for pause, limit in story:
            await asyncio.sleep(pause)
            await cycle(limit)
            assert pcs.held_values.get("p_set", 0.0) <= limit
        writes = [at for at, _, _ in pcs.log]
        for start in writes:
            assert sum(start <= at < start + DAY for at in writes) <= 50 + MOST_URGENT + 2
        await asyncio.sleep(DAY)
        await cycle(70.0)
        assert pcs.held_values["p_set"] == 70.0

    run(told())


@virtual
async def test_what_nobody_sees_arrive_is_not_thought_missing_for_ever() -> None:
    """A setpoint that can only be written: two lost answers in a year are no register that does not hold."""
    pcs = Bare("pcs", {"p_set": allowed(low=-100.0, high=100.0, unseen=True)}, rated_power=100.0)
    writer = SetpointWriter(pcs, Counter())
    writer.recall(0.0)
    for value in (10.0, 20.0, 30.0):
        pcs.silent = True
        lost = await writer.put("p_set", value, loop().time(), urgent=False, cyclic=False)
        assert lost.put is Put.FAILED
        pcs.silent = False
        await asyncio.sleep(100)
        again = await writer.put("p_set", value, loop().time(), urgent=False, cyclic=False)
        assert again.put is Put.WRITTEN
        assert writer.budgets["p_set"].tries == 0
