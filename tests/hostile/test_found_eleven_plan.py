"""What a hostile reading of the plans found: what a site pays, and what it keeps for others."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import pytest

from optimizer.lowest_peak import Alone
from optimizer.policy import solve
from tests.optimizer.outlooks import NOON, charge, grid, outlook

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
