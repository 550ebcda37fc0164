"""What the battery of a site that is hardly known may charge up to."""

from dataclasses import replace
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from joulebus.backtest.walk import walk
from optimizer.forecast.cold import guessed
from optimizer.forecast.lessons import Stretch
from optimizer.forecast.local_days import LocalDays
from optimizer.lowest_peak import Alone
from optimizer.outlook import Outlook
from optimizer.policy import solve
from optimizer.policy.caution import passed_anyway, within
from optimizer.policy.policy import Policy
from tests.joulebus.backtest.files import lines, prepared, rows, write
from tests.optimizer.outlooks import BERLIN, outlook


@given(st.integers(0, 28), st.integers(0, 30))
def test_days_that_are_alike_come_in_any_order(known: int, drawn: int) -> None:
    """Drawn one after the other: each may fall below a known day, between two, or above all."""
    each = [prod((place + day) / (known + 1 + day) for day in range(drawn)) for place in range(1, known + 1)]
    assert within(known, float(drawn)).tolist() == pytest.approx(each)


def test_of_a_load_nobody_knows_any_value_up_to_the_highest_is_as_likely() -> None:
    """An error that is taken for larger makes a high load near at hand, and a peak up to it free."""
    known = Stretch(LocalDays(BERLIN, ()), 0, np.array([40e3, 100e3, 60e3]), np.zeros(3))
    assert guessed(known, "load", 0.0) == pytest.approx(np.full(96, np.std(np.linspace(0, 100e3, 10001))), rel=1e-3)


@pytest.mark.parametrize(
    ("daily", "days", "sure"),
    [
        ([], 30, 0.0),  # nothing is known
        ([90e3], 14, 0.0),  # of seven that count, one in eight months stays below a single day
        ([90e3], 30, 90e3),
        ([90e3, 60e3], 14, 60e3),
        ([90e3, 60e3, 70e3], 14, 70e3),
        ([90e3, 60e3, 70e3], 2, 0.0),  # the last day or two may well be lower than all
        ([90e3, 60e3, 70e3], 0, 0.0),
    ],
)
def test_what_a_period_passes_anyway(daily: list[float], days: float, sure: float) -> None:
    assert passed_anyway(daily, days) == sure


def unsure(alone: Alone | None, billed: float = 0.0) -> Policy:
    """A high load of which nobody knows how high it will be, and a battery half full."""
    look: Outlook = outlook(24, load=80e3, soc=30.0, demand=15.0, billed=billed, buy=0.1)
    charges = [replace(one, daily=[], alone=alone) for one in look.charges]
    return solve(replace(look, spread=np.full(len(look.starts), 80e3), charges=charges))


@pytest.mark.parametrize(
    ("alone", "billed", "most"),
    [
        (Alone(90e3, []), 0.0, 90e3),  # what it has drawn of itself
        (Alone(90e3, []), 110e3, 110e3),  # what is billed
        (Alone(0.0, [95e3, 120e3]), 0.0, 95e3),  # what the days left of the month will pass
        (Alone(0.0, []), 0.0, 0.0),
    ],
)
def test_charging_makes_no_peak_that_the_site_did_not_make(alone: Alone, billed: float, most: float) -> None:
    nets = np.linspace(0.0, 200e3, 81)
    found = unsure(alone, billed).answer(0, 30.0, billed, nets)
    grid = nets - found.power
    assert grid.max(where=found.power < 0, initial=0.0) <= most + 10
    assert grid.max(where=nets <= most, initial=0.0) <= most + 10


def test_a_site_that_is_known_may_charge_further() -> None:
    """It buys for a load that may be twice as high: the month passes that anyway."""
    assert unsure(None).answer(0, 30.0, 0.0, np.array([100e3])).power[0] < -1e3


def test_the_first_days_cost_no_peak(tmp_path: Path) -> None:
    """A site of which nothing is known: at no time is more billed than what it has drawn of itself."""
    span = prepared(write(tmp_path / "new.csv", lines(rows(2))), "2025-03-03", 2).span
    net, battery = span.played.net, walk(span, "plan", lambda _: None).battery
    grid = net - battery
    assert (np.maximum.accumulate(grid) - np.maximum.accumulate(net)).max() < 100, "W"
    assert battery.min() < -1e3
    assert battery.max() > 1e3
