"""Money through the tariff's own bill, and perfect foresight against another method."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linprog

from joulebus.backtest.foresight import foresight
from joulebus.backtest.prepare import Prepared
from joulebus.backtest.result import outcome, share
from joulebus.backtest.score import money
from joulebus.backtest.walk import Cell, as_it_ran, follow, idle
from optimizer.storage import Storage
from schemas.tariff import Tariff
from tests.joulebus.backtest.files import BATTERY, lines, prepared, rows, write


def ready(folder: Path, days: int, tariff: dict[str, Any] | None = None, begin: str = "2025-03-11") -> Prepared:
    found = prepared(write(folder / "data.csv", lines(rows(8 + days))), begin, days)
    if tariff is None:
        return found
    terms = replace(found.span.terms, tariff=Tariff.model_validate(tariff))
    return replace(found, span=replace(found.span, terms=terms))


def test_the_bill_by_hand(tmp_path: Path) -> None:
    span = ready(tmp_path, 2).span
    power = np.zeros(192)
    power[40:44], power[150:154] = 20e3, -10e3
    found = follow(span, power, "by hand", "")
    paid = money(span.terms, span.played, found.battery, found.gained(span.terms.battery))

    grid = span.played.net / 1000 - power / 1000
    imported, exported = np.maximum(grid, 0).sum() / 4, np.maximum(-grid, 0).sum() / 4
    assert paid.energy == pytest.approx(0.2 * imported - 0.05 * exported)
    assert paid.demand == pytest.approx(15 * grid.max())
    assert paid.wear == pytest.approx(0.02 * 20)
    assert paid.stored == pytest.approx(0.2 * 0.95 * (10 * 0.95 - 20 / 0.95))
    assert paid.total == pytest.approx(paid.energy + paid.demand + paid.wear - paid.stored)


def test_the_peak_is_paid_by_local_month(tmp_path: Path) -> None:
    found = prepared(
        write(tmp_path / "data.csv", lines(rows(35))),
        "2025-03-25",
        12,
        replace(BATTERY, timezone="America/Los_Angeles"),
    )
    one = outcome(found.span, idle(len(found.span.played)))
    grid, instants = found.span.played.net, found.span.played.instants
    zone = found.span.terms.zone
    march = max(power for power, at in zip(grid, instants, strict=True) if at.astimezone(zone).month == 3)
    april = max(power for power, at in zip(grid, instants, strict=True) if at.astimezone(zone).month == 4)
    assert one.peaks == pytest.approx({"2025-03": march / 1000, "2025-04": april / 1000})
    assert one.money.demand == pytest.approx(15 * (march + april) / 1000)
    assert [month for month, _ in one.money.months] == ["2025-03", "2025-04"]


def dense(found: Prepared) -> float:
    """The least cost by another formulation: no column of energy, no export, imports as rows, every row kept."""
    span, n = found.span, len(found.span.played)
    net, buy, sell = span.played.net / 1000, span.played.buy, span.played.sell
    up, down = 0.25 * 0.95 * np.tril(np.ones((n, n))), -0.25 / 0.95 * np.tril(np.ones((n, n)))
    one, none = np.eye(n), np.zeros((n, n))
    peak, zero = np.ones((n, 1)), np.zeros((n, 1))
    # columns: charge, discharge, import, cost-bearing export is import - net - charge + discharge; then the peak
    rows_of = np.vstack([
        np.hstack([up, down, none, zero]), np.hstack([-up, -down, none, zero]),
        np.hstack([one, -one, -one, zero]), np.hstack([none, none, one, -peak]),
    ])  # fmt: skip
    most = np.concatenate([np.full(n, 40.0), np.full(n, 40.0), -net, np.zeros(n)])
    worth = float(np.median(buy)) * 0.95
    gained = np.concatenate([up[-1], down[-1], np.zeros(n + 1)])
    cost = np.concatenate([0.25 * sell, 0.25 * (0.02 - sell), 0.25 * (buy - sell), [15.0]]) - worth * gained
    answer = linprog(
        cost, A_ub=rows_of, b_ub=most, bounds=[(0, 50)] * 2 * n + [(0, None)] * (n + 1), method="highs-ipm"
    )
    return float(answer.fun + 0.25 * (sell * net).sum())


def test_perfect_foresight_is_the_least_by_another_method(tmp_path: Path) -> None:
    found = ready(tmp_path, 2)
    best = outcome(found.span, follow(found.span, foresight(found.span.terms, found.span.played), "", ""))
    assert best.money.total == pytest.approx(dense(found), abs=0.01)
    assert best.money.total < outcome(found.span, idle(192)).money.total - 100


PERIODS = {"period": [{"price": 0.2}]}
TARIFFS: dict[str, dict[str, Any]] = {
    "an hour": {"demand": {"price": 15, "minutes": 60}},
    "an hour that slides": {"demand": {"price": 15, "minutes": 60, "sliding": 15}},
    "some hours": {"demand": {"price": 15, "hours": [{"start": "11:00", "end": "12:00"}]}},
    "a floor": {"demand": {"price": 15, "floor": 70}},
    "a contract": {"demand": {"contract": {"power": 60, "price": 3, "penalty": 20}}},
    "two": {"demand": [
        {"price": 10, "name": "all"}, {"price": 9, "name": "noon", "hours": [{"start": "11:00", "end": "13:00"}]},
    ]},
    "a year": {"demand": {"price": 60, "per": "year"}},
    "a ratchet": {"demand": {"price": 10, "ratchet": {"share": 0.9, "months": 3}}},
    "prices below 0": {"import": {"period": [{"price": -0.3, "start": "02:00", "end": "04:00"}, {"price": 0.2}]}},
    "no demand": {},
}  # fmt: skip


@pytest.mark.parametrize("name", TARIFFS)
def test_no_rule_is_better_than_perfect_foresight_under_any_tariff(tmp_path: Path, name: str) -> None:
    tariff = {"import": PERIODS, "export": {"period": [{"price": 0.05}]}, **TARIFFS[name]}
    span = ready(tmp_path, 2 if "import" in TARIFFS[name] else 4, tariff).span  # whole numbers take their time
    if "import" in TARIFFS[name]:
        hours = np.array([at.hour for at in span.played.instants])
        span = replace(span, played=replace(span.played, buy=np.where((hours >= 2) & (hours < 4), -0.3, 0.2)))
    best = outcome(span, follow(span, foresight(span.terms, span.played), "best", ""))

    rested = outcome(span, idle(len(span.played)))
    assert best.money.total < rested.money.total
    peak = float(span.played.net.max())
    for cap in (0.7, 0.8, 0.9):  # what a rule does that knows its cap
        shaved = follow(span, np.clip(span.played.net - cap * peak, -10e3, 50e3), "rule", "")
        assert best.money.total <= outcome(span, shaved).money.total + 0.01
    covers = follow(span, span.played.net, "covers", "")
    assert best.money.total <= outcome(span, covers).money.total + 0.01


@pytest.mark.parametrize(
    ("none", "cost", "perfect", "found"), [(100, 80, 60, 0.5), (100, 120, 60, -0.5), (100, 100, 100, None)]
)
def test_share(none: float, cost: float, perfect: float, found: float | None) -> None:
    assert share(none, cost, perfect) == found


def test_a_day_as_it_ran_is_billed_by_what_the_meter_counted(tmp_path: Path) -> None:
    """Within a quarter both ways, and an hour in which nobody knew what the battery did: then it saved nothing."""
    header, *plain = lines(rows(9))
    begin, hour = 8 * 96, range(8 * 96 + 40, 8 * 96 + 44)
    measured = [",0,50,30,5,36,0"] * begin + [",10,49,30,5,36,12"] + [",10,50,30,5,36,12"] * 95  # it rested before
    measured = [",,,,,," if i in hour else one for i, one in enumerate(measured)]
    text = [
        f"{header},battery_kw,soc_percent,import_kw,export_kw,drawn_kw,discharged_kw",
        *map("".join, zip(plain, measured, strict=True)),
    ]
    span = prepared(write(tmp_path / "data.csv", text), "2025-03-11", 1).span

    ran = as_it_ran(span)
    assert ran is not None
    assert ran.battery.tolist() == [0.0 if i + begin in hour else 10e3 for i in range(96)]
    assert ran.soc[[0, 1, 40, 95]].tolist() == [49.0, 50.0, 50.0, 50.0]
    rests, paid = (outcome(span, one).money for one in (idle(96), ran))
    assert rests.energy - paid.energy == pytest.approx(23 * (0.2 * 5 + 0.05 * 5)), "what was fed in is used up first"
    assert rests.demand - paid.demand == pytest.approx(15 * 5)
    assert paid.wear == pytest.approx(23 * 12 * 0.02), "what it took back meanwhile wore it, too"
    assert as_it_ran(ready(tmp_path, 1).span) is None, "a file that tells nothing of a battery"


@pytest.mark.parametrize(("power", "played", "energy"), [(20e3, 20e3, 42e3), (20.04e3, 20e3, 42e3), (30e3, 30e3, None)])
def test_what_a_meter_cannot_tell_apart_is_what_ran(power: float, played: float, energy: float | None) -> None:
    """A battery of 50 kW gave 20 kW, and its cells lost 8 kWh in that quarter. Another power is reckoned from there."""
    cell = Cell(Storage(100e3, efficiency=0.95), 50e3, 50e3)
    assert cell.as_lived(cell.turn(power), 20e3, -32e3) == played
    expected = 42e3 - (30e3 - 20e3) / 4 / 0.95 if energy is None else energy
    assert cell.energy == pytest.approx(expected)
