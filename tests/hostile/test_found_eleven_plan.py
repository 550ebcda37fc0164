"""What a hostile reading of the plans found: what a site pays, and what it keeps for others."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import pytest

from optimizer.lowest_peak import Alone
from optimizer.outlook import step_starts
from optimizer.plan import plan
from optimizer.policy import solve
from optimizer.verify import verify
from schemas.messages import Plan
from tests.optimizer.outlooks import BERLIN, NOON, battery, charge, grid, outlook, prices_by_hour

QUARTERS = 42
AHEAD = 48
"""Quarters that a plan looks ahead."""
ENERGY = 200e3
"""Wh of the battery."""


class Quarter(NamedTuple):
    """What came of one."""

    load: float
    grid: float
    """W."""
    short: float
    """Wh missing to the reserve at its end."""


class Day(NamedTuple):
    """A day of a site of which nothing is known but its first quarters."""

    load: Callable[[int], float]
    """W by quarter."""
    floor: Callable[[int], float]
    """% to be left at the end of a quarter."""
    soc: float = 20.0
    given: dict[str, Any] = {}
    """What is different."""


def flat(power: float) -> Callable[[int], float]:
    return lambda _: power


def rises(at: int, to: float, before: float = 0.0) -> Callable[[int], float]:
    return lambda quarter: to if quarter >= at else before


def played(day: Day, spread: float = 20e3) -> Iterator[Quarter]:
    """A plan each hour, and its answers to the load as it comes."""
    soc, billed, own = day.soc, 0.0, 0.0
    for quarter in range(QUARTERS):
        if quarter % 4 == 0:
            ahead = range(quarter, quarter + AHEAD)
            load, floor = ([of(each) for each in ahead] for of in (day.load, day.floor))
            look = outlook(
                AHEAD / 4, NOON + timedelta(minutes=15 * quarter), load=load, soc=soc,
                **{"demand": 15.0, "billed": billed, "buy": 0.1, **day.given},
            )  # fmt: skip
            charges = [replace(one, alone=Alone(own, [])) for one in look.charges]
            floors = np.array(floor) * ENERGY / 100
            policy = solve(replace(look, spread=np.full(AHEAD, spread), floor=floors, charges=charges))
        net = day.load(quarter)
        power = float(policy.answer(quarter % 4, soc, billed, np.array([net])).power[0])
        both = look.battery.efficiency
        soc -= 100 * (power / both if power > 0 else power * both) / 4 / ENERGY
        billed, own = max(billed, net - power), max(own, net)
        yield Quarter(net, net - power, (day.floor(quarter) - soc) * ENERGY / 100)


@pytest.mark.parametrize(
    ("day", "highest"),
    [
        (Day(flat(60e3), rises(24, 80.0)), 95e3),  # no window leaves room for it: it is spread over all of them
        (Day(lambda at: 90e3 if 16 <= at < 40 else 30e3, rises(30, 80.0)), 92e3),  # a high load lies before it
        (Day(rises(20, 90e3, 30e3), rises(16, 55.0, 25.0), soc=30.0), 92e3),  # minutes of a load that rises
        (Day(lambda at: 90e3 if at < 28 else 30e3, lambda at: 55.0 if 16 <= at < 28 else 25.0, soc=30.0), 110e3),
        (Day(rises(30, 50e3), rises(24, 80.0)), 60e3),  # no load at all at first
        (Day(flat(60e3), rises(24, 80.0), given={"buy": -0.2, "sell": -0.3}), 95e3),
        (Day(flat(60e3), rises(24, 40.0), soc=3.0), 80e3),  # it begins below its band
        (Day(flat(60e3), rises(40, 80.0), given={"grid": grid(import_limit=80e3)}), 80e3),
    ],
)
def test_a_reserve_that_rises_later_is_there_in_time_at_a_site_that_is_hardly_known(day: Day, highest: float) -> None:
    """It is not begun when it is due: that is too late, and at full power the peak of the month."""
    found = list(played(day))
    assert max(one.short for one in found) < 500
    assert max(one.grid for one in found) <= highest + 10


def test_a_reserve_for_which_low_loads_leave_room_makes_no_peak() -> None:
    found = list(played(Day(lambda at: 20e3 if 16 <= at < 32 else 90e3, rises(36, 80.0))))
    assert max(one.short for one in found) < 500
    assert max(one.grid for one in found) <= 90e3 + 10


@pytest.mark.parametrize("prices", [(5.0, 20.0), (10.0, 10.0)])
def test_no_demand_is_charged_beyond_what_a_new_site_draws_of_itself(prices: tuple[float, float]) -> None:
    """Of several demands too: a high load is forecast, and it does not come."""
    load, soc, peaks, names = 30e3, 30.0, [0.0, 0.0], ("all", "evening")
    for hour in range(8):
        at = NOON + timedelta(hours=hour)
        hours: list[dict[str, Any]] = [{}, {"hours": [{"start": "16:00", "end": "20:00"}]}]
        charges = [
            replace(charge(at, demand=price, billed=peak, name=name, **more), alone=Alone(load if hour else 0.0, []))
            for price, peak, name, more in zip(prices, peaks, names, hours, strict=True)
        ]
        ahead = [90e3 if 20 <= quarter - 4 * hour < 30 and quarter else load for quarter in range(96)]
        look = outlook(24, at, load=ahead, soc=soc, buy=0.1, charges=charges)
        policy = solve(replace(look, spread=np.full(96, 30e3)))
        found = policy.answer(0, soc, policy.stands, np.array([load]))
        power = float(found.power[0])
        counted = (True, 2 <= hour < 6)
        peaks = [max(peak, (load - power) * of) for peak, of in zip(peaks, counted, strict=True)]
        soc -= 100 * (power / 0.95 if power > 0 else power * 0.95) / ENERGY
    assert max(peaks) <= load + 10


UNSURE: dict[str, Any] = {"spread": np.full(96, 8e3), "floor": 70e3, "up": 20e3, "down": 10e3}
KEPT = replace(
    outlook(
        24, load=[50e3] * 40 + [80e3] * 20 + [30e3] * 36, pv=[0.0] * 10 + [90e3] * 10 + [0.0] * 76, soc=60.0,
        buy=prices_by_hour(), demand=15.0, billed=40e3, grid=grid(import_limit=90e3, export_limit=0.0),
    ),
    **UNSURE,
)  # fmt: skip
MADE = plan(KEPT)


def answers(*pairs: tuple[float, float]) -> Plan:
    return MADE.model_copy(update={"steps": [MADE.steps[0].model_copy(update={"policy": [*pairs]}), *MADE.steps[1:]]})


def other(**values: Any) -> Plan:
    return MADE.model_copy(update=values)


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (other(until=MADE.at + timedelta(days=2)), "until 12 Jun"),
        (other(until=MADE.at + timedelta(hours=2)), "it has no policy, and others"),
        (other(at=MADE.at - timedelta(hours=1)), "it is from 10 Jun 09:00:00Z"),
        (other(currency="CHF"), "its money is CHF, not EUR"),
        (other(prices_until=MADE.at), "prices are known until"),
        (other(peaks={**MADE.peaks, "night": 1.0}), "a peak of night"),
        (other(cost=math.nan), "it costs"),
        (other(cost_idle=math.nan), "idling costs"),
        (other(steps=[MADE.steps[0].model_copy(update={"price_import": math.nan}), *MADE.steps[1:]]), "import price"),
        (other(steps=[MADE.steps[0].model_copy(update={"cap": 1e9}), *MADE.steps[1:]]), "W that may come"),
        (answers(), "it has no policy, and others"),
        (answers((0.0, -50e3), (80e3, -50e3)), "at a net load of 80000 W, and 90000 W may be drawn"),
        (answers((0.0, 50e3), (99e3, 50e3)), "at a net load of 0 W, and 0 W may be fed in"),
        (answers((0.0, 0.0), (85e3, 85e3)), "and 20000 of 100000 W are reserved"),
        (answers((-99e3, -95e3), (85e3, 0.0)), "and 10000 of 100000 W are reserved"),
    ],
)
def test_what_dispatch_would_do_is_checked_too(broken: Plan, words: str) -> None:
    """Dispatch goes by the answers, the cap and the end of a plan, more than by its powers."""
    wrong = verify(broken, KEPT)
    assert any(words in sentence for sentence in wrong), wrong


def test_no_answer_takes_what_is_reserved_or_its_room() -> None:
    low = replace(KEPT, soc=36.0, up=0.0, charges=())
    made = plan(low)
    pairs = {"below": [(0.0, 0.0), (85e3, 60e3)], "above": [(-85e3, -60e3), (0.0, 0.0)]}
    assert verify(made, low) == []
    for look, policy, words in (
        (low, pairs["below"], "70.0 kWh are reserved"),
        (replace(low, floor=0.0, down=0.0, ceiling=75e3), pairs["above"], "the room above 75.0 kWh"),
    ):
        good = plan(look)
        bad = good.model_copy(update={"steps": [good.steps[0].model_copy(update={"policy": policy}), *good.steps[1:]]})
        assert verify(good, look) == []
        assert any(words in sentence for sentence in verify(bad, look))


@pytest.mark.parametrize("spread", [1e3, 5e3])
@pytest.mark.parametrize(
    ("now", "busy"),
    [
        (datetime(2026, 3, 30, 22, 0, tzinfo=UTC), 31),  # a month ends, and the next one begins with a free day
        (datetime(2026, 5, 1, 4, 0, tzinfo=UTC), 0),  # a month has begun with one
    ],
)
def test_a_month_that_begins_with_free_days_has_plans(now: datetime, busy: int, spread: float) -> None:
    """Up to what the month reaches anyway the night is bought from; to the second check that was dearer than rest."""
    clocks = [at.astimezone(BERLIN) for at in step_starts(now, 36)]
    load = [100e3 if at.day == busy and 7 <= at.hour < 18 else 20e3 for at in clocks]
    look = outlook(36, now, load=load, buy=[0.1 if at.hour < 8 else 0.25 for at in clocks], soc=15.0, demand=15.0)
    days = np.linspace(90e3, 150e3, 28).tolist()
    look = replace(look, spread=np.full(len(load), spread), charges=[replace(one, daily=days) for one in look.charges])
    found = plan(look)
    assert max(step.grid for step in found.steps) > 80e3
    assert verify(found, look) == []
    knows_less = replace(look, charges=[replace(one, daily=[10e3] * 28) for one in look.charges])
    assert any("dearer than idling" in words for words in verify(found, knows_less))


@pytest.mark.parametrize("spread", [0.0, 5e3])
@pytest.mark.parametrize(("soc", "of_all"), [(97.0, {"floor": 199e3}), (3.0, {"ceiling": 1e3})])
def test_a_reserve_larger_than_the_battery_takes_no_plan_away(
    soc: float, of_all: dict[str, Any], spread: float
) -> None:
    """The SoC is outside of its band, and goes back into it: a reserve asks for no more than the owner allows."""
    look = replace(outlook(12, soc=soc, load=60e3), spread=np.full(48, spread), **of_all)
    found = plan(look)
    assert verify(found, look) == []
    assert 10.0 - 0.1 <= found.steps[-1].soc <= 90.0 + 0.1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("load", math.nan),
        ("pv", math.inf),
        ("buy", math.nan),
        ("sell", -math.inf),
        ("soc", math.nan),
        ("spread", math.nan),
    ],
)
def test_what_is_no_number_makes_no_plan_and_ends_no_process(name: str, value: float) -> None:
    """The dynamic program is machine code: of an index that is no number it wrote where it should not."""
    look = replace(outlook(2), spread=np.full(8, 5e3))
    given: Any = value if name == "soc" else np.where(np.arange(8) == 3, value, 1.0)
    with pytest.raises(ValueError, match=f"`{name}`.* is -?(nan|inf), and should be a number"):
        replace(look, **dict[str, Any]({name: given}))


@pytest.mark.parametrize("spread", [0.0, 1.0])
@pytest.mark.parametrize(
    "given",
    [
        {"battery": battery(efficiency=1.0, wear=0.0), "sell": 0.2},
        {"battery": battery(efficiency=1.0, wear=0.0), "buy": 0.0, "sell": 0.0},
        {"battery": replace(battery(), soc_min=50.0, soc_max=50.0), "demand": 15.0},
        {"battery": replace(battery(), energy=0.0), "demand": 15.0},
        {"rated": 0.0, "demand": 15.0},
        {"allowed_charge": 0.0, "allowed_discharge": 0.0, "demand": 15.0},
    ],
)
def test_what_gains_nothing_or_cannot_be_done_is_not_begun(given: dict[str, Any], spread: float) -> None:
    look = replace(outlook(12, **given), spread=np.full(48, spread))
    found = plan(look)
    assert {step.power for step in found.steps} == {0.0}
    assert verify(found, look) == []
