"""The closed loop: physics, what may be known, and the same result each time."""

from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from joulebus.backtest.flags import STRATEGIES
from joulebus.backtest.prepare import Prepared
from joulebus.backtest.score import carried
from joulebus.backtest.walk import Trace, walk
from tests.joulebus.backtest.files import BATTERY, Row, lines, prepared, rows, write

BEGIN, PLAYED = "2025-03-21", 56
"""A Friday after eighteen days of history, enough for a learned forecast, up to two in the afternoon."""
FIRST = 18 * 96
GAP = range(FIRST + 30, FIRST + 38)
"""Quarters that are missing in the morning."""


def told(_: int) -> None:
    """Nobody watches."""


def ready(folder: Path, given_rows: list[Row], **changed: object) -> Prepared:
    kept = [one for number, one in enumerate(given_rows) if number not in GAP]
    flags = replace(BATTERY, **changed)  # type: ignore[arg-type]  # of any field
    whole = prepared(write(folder / "data.csv", lines(kept)), BEGIN, 1, flags)
    day = whole.span.played
    part = replace(day, load=day.load[:PLAYED], pv=day.pv[:PLAYED], buy=day.buy[:PLAYED], sell=day.sell[:PLAYED])
    return replace(whole, span=replace(whole.span, played=part))


@cache
def played(folder: Path, strategy: str) -> Trace:
    return walk(ready(folder, rows(19), prices_known="day-ahead").span, strategy, told)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backtest")


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moment=st.integers(1, PLAYED - 1), factor=st.floats(0.1, 5), more=st.floats(0, 200))
def test_no_decision_sees_what_comes_after_it(
    folder: Path, strategy: str, moment: int, factor: float, more: float
) -> None:
    before = played(folder, strategy)
    changed = [
        (at, load * factor + more, pv / factor) if number >= FIRST + moment else (at, load, pv)
        for number, (at, load, pv) in enumerate(rows(19))
    ]
    after = walk(ready(folder, changed, prices_known="day-ahead").span, strategy, told)

    assert after.battery[:moment].tolist() == before.battery[:moment].tolist()
    assert after.soc[:moment].tolist() == before.soc[:moment].tolist()
    assert after.reasons[:moment] == before.reasons[:moment]


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_physics_and_the_same_again(folder: Path, strategy: str) -> None:
    span = ready(folder, rows(19), prices_known="day-ahead").span
    trace, again = played(folder, strategy), walk(span, strategy, told)

    assert trace.battery.tolist() == again.battery.tolist()
    assert np.abs(trace.battery).max() <= 50e3
    cells = np.where(trace.battery > 0, trace.battery / 0.95, trace.battery * 0.95)
    assert trace.soc == pytest.approx(50 - np.cumsum(cells) * 0.25 / 100e3 * 100)
    assert trace.soc.min() >= 10 - 1e-9
    assert trace.soc.max() <= 90 + 1e-9


def test_a_plan_holds_the_peak_that_rules_pay_for(folder: Path) -> None:
    span = ready(folder, rows(19)).span
    highest = {
        strategy: carried(span.terms, span.played, played(folder, strategy).battery).max()
        for strategy in ("none", "self-consumption", "lp", "plan")
    }
    assert highest["plan"] < highest["none"] - 1e3
    assert highest["lp"] <= highest["none"]


@pytest.mark.parametrize(("phase", "minutes"), [(0, 0), (20, 30), (40, 45), (15, 15)])
def test_plans_come_once_an_hour_at_their_phase(folder: Path, phase: int, minutes: int) -> None:
    from joulebus.backtest.walk import Planned  # noqa: PLC0415  # its clock alone

    span = ready(folder, rows(19), phase_minutes=phase).span
    assert span.terms.battery is not None
    clock = Planned(span, "plan", span.terms.battery)
    due = [at.minute for at in span.played.instants if clock._due(at)]
    assert due == [minutes] * 14


def test_the_first_quarter_is_planned_at_any_phase(folder: Path) -> None:
    """Live the first plan comes at once, too: until then a battery knows nothing but its rule."""
    span = ready(folder, rows(19), phase_minutes=45).span
    day = span.played
    first = replace(day, load=day.load[:1], pv=day.pv[:1], buy=day.buy[:1], sell=day.sell[:1])
    assert "no valid plan" not in walk(replace(span, played=first), "plan", told).reasons[0]


def test_a_plan_takes_no_quarter_that_is_over_for_the_one_that_begins(folder: Path) -> None:
    from joulebus.backtest.walk import Planned  # noqa: PLC0415  # its planner alone

    span = prepared(write(folder / "longer.csv", lines(rows(68))), "2025-05-09", 1).span  # a Friday
    assert span.terms.battery is not None
    mind = Planned(span, "plan", span.terms.battery)
    seven = span.played.start + timedelta(hours=7)  # each working day 20 kW become 60
    load = mind.planner.outlook(seven, 50.0, mind.meters).load
    assert load[0] == pytest.approx(60e3, rel=0.1)


@pytest.mark.parametrize("zero", ["battery_kw", "battery_kwh"])
def test_a_battery_of_zero_is_none(folder: Path, zero: str) -> None:
    found = ready(folder, rows(19), **{zero: 0.0})
    trace = walk(found.span, "plan", told)
    assert not trace.battery.any()
    assert any("nothing is steered" in one for one in found.notes)


def test_limits_of_the_connection_are_kept_as_far_as_a_battery_can(folder: Path) -> None:
    span = ready(folder, rows(19), import_limit_kw=75.0, export_limit_kw=0.0).span
    trace = walk(span, "self-consumption", told)
    grid = carried(span.terms, span.played, trace.battery)
    assert grid.min() >= 0.0
    empty = trace.soc <= 10 + 1e-6
    assert (grid[~empty] <= 75e3 + 1e-6).all()
