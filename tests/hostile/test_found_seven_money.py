"""The seventh hostile read, of money: what `joulebus backtest` told wrongly, or not at all."""

import csv
import gzip
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from joulebus.backtest.charts import bars, lines, lying
from joulebus.backtest.foresight import best
from joulebus.backtest.play import _least
from joulebus.backtest.result import Outcome, outcome
from joulebus.backtest.score import Money
from joulebus.backtest.table import read
from joulebus.backtest.walk import Cell, Planned, Span, Trace, follow
from joulebus.cli import main
from optimizer.record import QUARTER
from schemas.tariff_demand import Demand
from schemas.troubles import Trouble
from tests.joulebus.backtest import files

ROWS = files.lines(files.rows(3))


def spoilt(raw: bytes) -> bytes:
    """Bits that a disk turned."""
    return raw[:30] + bytes(one ^ 0x77 for one in raw[30:34]) + raw[34:]


def with_row(change: Callable[[str], str]) -> bytes:
    return "\n".join([*ROWS[:50], change(ROWS[50]), *ROWS[51:]]).encode()


def turned(row: str) -> str:
    """PV counted negative while it produces."""
    at, load, pv = row.split(",")
    return f"{at},{load},-{pv}"


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        (spoilt(gzip.compress("\n".join(ROWS).encode())), "cannot be read"),
        (with_row(lambda row: f"{row},5,6"), "row 51: there are 5 cells; give each row the 3 cells of the header"),
        (with_row(lambda row: f'"{row}'), "and no open quote"),
        (with_row(lambda row: row.replace("2025", "9999")), "row 51: its timestamp_utc is many years away"),
        (with_row(lambda row: row.replace("2025", "0001")), "row 51: its timestamp_utc is many years away"),
        (with_row(lambda row: row.replace("2025", "1960")), "row 51: its timestamp_utc is many years away"),
        (with_row(lambda row: f"{row.split(',')[0]},1e300,0"), "row 51: load_kw is '1e300', and beyond 1e+07"),
        ("\n".join([ROWS[0], *map(turned, ROWS[1:])]).encode(), "counted negative in this file, turn its sign"),
    ],
)
def test_a_file_that_cannot_be_used_is_a_sentence(tmp_path: Path, raw: bytes, words: str) -> None:
    """Each of the first four ended in a traceback; a row of 1960 was left out uncounted, and PV of the other sign
    became a site without PV."""
    path = tmp_path / "data.csv"
    path.write_bytes(raw)
    with pytest.raises(Trouble) as told:
        read(path, ZoneInfo("UTC"))
    assert words in str(told.value)


def test_what_inverters_draw_at_night_is_no_wrong_sign(tmp_path: Path) -> None:
    dark = [ROWS[0], *(f"{row.rsplit(',', 1)[0]},-0.04" for row in ROWS[1:])]
    found = read(files.write(tmp_path / "data.csv", dark), ZoneInfo("UTC"))
    assert found.repairs["negative_pv_taken_for_zero"] == len(ROWS) - 1


def test_a_file_of_an_old_mac_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes("\r".join(ROWS).encode())
    assert len(read(path, ZoneInfo("UTC")).minutes) == len(ROWS) - 1


def test_pictures_of_nothing_but_zeros_are_drawn() -> None:
    """A site that stood still ended the backtest in a division by zero after all was played."""
    assert "NaN" not in bars(["2025-03"], {"none": [0.0]}, "kW") + lines({"load": [0.0] * 96}, "kW") + lying(
        {"a": 0}, ""
    )


FLAGS = ["--battery-kw=50", "--battery-kwh=100", "--from=2025-03-03", "--timezone=UTC", "--strategy=self-consumption"]


def backtest(folder: Path, *more: str) -> int:
    data = files.write(folder / "data.csv", ROWS)
    return main(["backtest", f"--data={data}", f"--out={folder / 'out'}", *FLAGS, *more])


@pytest.mark.parametrize("days", [10**7, 10**9])
def test_days_beyond_every_calendar_are_refused(tmp_path: Path, days: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert backtest(tmp_path, f"--days={days}") == 2
    assert f"--days {days}: write 1 to" in capsys.readouterr().err


def test_the_trace_balances_while_pv_is_curtailed(tmp_path: Path) -> None:
    """It told PV that was never produced: load - PV - battery was not the grid."""
    assert backtest(tmp_path, "--days=3", "--export-limit-kw=5", "--strategy=none") == 0
    with (tmp_path / "out" / "trace.csv").open(encoding="utf-8") as file:
        rows = [{name: float(row[name]) for name in row if name.endswith("_kw")} for row in csv.DictReader(file)]
    assert min(row["grid_kw"] for row in rows) == -5
    there = [float(row.rsplit(",", 1)[1]) for row in ROWS[1:]]
    assert any(row["pv_kw"] < pv - 1 for row, pv in zip(rows, there, strict=True))
    for row in rows:
        assert row["load_kw"] - row["pv_kw"] - row["battery_kw"] == pytest.approx(row["grid_kw"], abs=3e-4)


@pytest.mark.parametrize(
    "demands",
    [
        [Demand(price=15, minutes=30)],
        [Demand(price=15, sliding=5)],
        [Demand(name="a", price=10), Demand(name="b", price=5)],
    ],
)
def test_a_backtest_holds_the_windows_that_live_are_held_at_the_peaks_of_the_plan(
    tmp_path: Path, demands: list[Demand]
) -> None:
    """Of windows of half an hour nothing was held but what was billed already, in the first month nothing at all: a
    site was told .44 of perfect foresight, where the plan that runs live keeps .90."""
    data = files.write(tmp_path / "data.csv", files.lines(files.rows(8)))
    span = files.prepared(data, "2025-03-10", 1).span
    tariff = span.terms.tariff.model_copy(update={"demand": demands})
    span = replace(span, terms=replace(span.terms, tariff=tariff))
    assert span.terms.battery is not None
    mind = Planned(span, "plan", span.terms.battery)
    mind.decide(0, float(span.played.net[0]), Cell(span.terms.battery, span.terms.rated, 50e3))
    plan = mind.planner.latest
    assert plan is not None
    assert {one.name: power for one, power in mind._peaks(span.played.start)} == plan.peaks


def test_nobody_is_told_to_have_been_better_than_perfect_foresight() -> None:
    """Under an old feed-in tariff a plan paid less than `perfect foresight`: a share of 1.04 was told."""

    def paid(total: float) -> Outcome:
        return Outcome(Trace("plan", np.zeros(1), np.zeros(1), [""]), Money(total, 0, 0, 0, 0, ()), {}, 0.0)

    none, perfect, better, worse = paid(1408.4), paid(743.2), paid(719.3), paid(800.0)
    assert _least(perfect, [none, better, worse]) is better
    assert _least(perfect, [none, worse]) is perfect


def test_perfect_foresight_is_the_least_where_feeding_in_pays_more_than_drawing_costs(tmp_path: Path) -> None:
    """An old feed-in tariff. The least by another way, with whole numbers for the direction of each quarter."""
    data = files.write(tmp_path / "data.csv", files.lines(files.rows(1)))
    flags = replace(files.BATTERY, import_price=0.1, export_price=0.3, efficiency=0.9, demand_eur_per_kw=3.0)
    span = _noon(files.prepared(data, "2025-03-03", 1, flags).span)
    battery, count, net = span.terms.battery, len(span.played), span.played.net / 1000
    assert battery is not None
    rest = sparse.csr_array((count, count))
    one, before = sparse.eye_array(count), sparse.eye_array(count, k=-1)
    column = sparse.csr_array(np.ones((count, 1)))
    none = sparse.csr_array((count, 1))
    most = np.abs(net) + 50
    # charge, discharge, import, export, energy, whether it exports, peak
    rows: list[tuple[Any, Any, Any]] = [
        ([one, -one, -one, one, rest, rest, none], -net, -net),
        ([-0.225 * one, one / 3.6, rest, rest, one - before, rest, none], [50, *[0] * (count - 1)], None),
        ([rest, rest, one, rest, rest, rest, -column], np.full(count, -np.inf), np.zeros(count)),
        ([rest, rest, one, rest, rest, sparse.diags_array(most), none], np.full(count, -np.inf), most),
        ([rest, rest, rest, one, rest, -sparse.diags_array(most), none], np.full(count, -np.inf), np.zeros(count)),
    ]
    high = np.repeat([50, 50, np.inf, np.inf, 90, 1], count)
    price = np.repeat([0, 0.02 / 4, 0.1 / 4, -0.3 / 4, 0, 0], count)
    price[5 * count - 1] = -0.09
    least: Any = milp(
        [*price, 3.0],
        constraints=[
            LinearConstraint(sparse.hstack(blocks).tocsc(), low, low if high_ is None else high_)
            for blocks, low, high_ in rows
        ],
        bounds=Bounds([*np.repeat([0, 0, 0, 0, 10, 0], count), 0], [*high, np.inf]),
        integrality=[*np.repeat([0, 0, 0, 0, 0, 1], count), 0],
        options={"mip_rel_gap": 2e-3, "time_limit": 20},
    )
    perfect = best(span.terms, span.played)
    found = outcome(span, follow(span, perfect.power, "perfect", "")).money
    assert found.total == pytest.approx(least.fun + 50 * 0.09, rel=2e-3)
    assert perfect.exact
    assert perfect.rounds > 0


def test_what_was_not_found_in_time_is_said(tmp_path: Path) -> None:
    """The same at night prices below 0 and no time: a schedule all the same, and how far from the least it may be."""
    flags = replace(files.BATTERY, import_price=-0.2, export_price=0.3, demand_eur_per_kw=3.0)
    ready = files.prepared(files.write(tmp_path / "data.csv", files.lines(files.rows(1))), "2025-03-03", 1, flags)
    hurried, patient = (best(ready.span.terms, _noon(ready.span).played, seconds=given) for given in (0.0, 20.0))
    cost = [
        outcome(_noon(ready.span), follow(_noon(ready.span), one.power, "perfect", "")).money.total
        for one in (hurried, patient)
    ]
    assert cost[1] <= cost[0] + 0.01
    assert hurried.gap >= cost[0] - cost[1] - 0.02


def _noon(span: Span) -> Span:
    """Six hours, so that the whole numbers are found in a second."""
    day, mine = span.played, slice(40, 64)
    part = {name: getattr(day, name)[mine] for name in ("load", "pv", "buy", "sell")}
    return replace(span, played=replace(day, start=day.start + 40 * QUARTER, **part))
