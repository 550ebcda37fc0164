"""`joulebus explain`, as a person types it, out of an archive of both kinds."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.archive.chain.sealing import seal
from consumers.archive.roller import put
from consumers.archive.rows import sort_out
from consumers.archive.store import Store
from joulebus.cli import main
from joulebus.explain import when
from runtime.database import engine
from runtime.heard import Heard
from schemas import messages as m
from schemas import topics
from schemas.flows import Flows
from schemas.tables import flow
from schemas.troubles import Trouble
from tests.consumers.test_archive_money import LATER, NOON, QUARTER, accounts, measure, quarter, site_of
from tests.consumers.test_archive_money_causes import PLANT, Said, commanded, limited

TARIFF = """
import.period = [{ price = 0.20 }]
export.period = [{ price = 0.05 }]
[[demand]]
name = "all"
price = 10.0
"""
THEN = "2026-06-10T12:01:30"
"""In Berlin, within the quarter of an hour from noon on."""


@pytest.fixture
def explain(
    archive_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    monkeypatch.setenv("JOULEBUS_DATABASE", archive_url)
    site_of(tmp_path, TARIFF)

    def run(*more: str) -> tuple[int, str]:
        code = main(["explain", "--site", str(tmp_path / "site.toml"), *more])
        said = capsys.readouterr()
        return code, said.out + said.err

    return run


def planned(at: datetime = NOON, power: float = 40e3, steps: int = 1) -> Said:
    step = m.Step(
        at=at, seconds=900, power=power, soc=42, grid=40e3 - power, load=36e3, pv=0, price_import=0.2,
        price_export=0.05, marginal_value=0.1, cap=30e3,
        reason="holds the month's peak of 30.0 kW at 12:00, worth 10.00 EUR/kW",
        why=[m.Why(code="holds_peak", value=30e3, price=10.0, at=at, per="month")],
    )  # fmt: skip
    later = [step.model_copy(update={"at": at + number * QUARTER}) for number in range(steps)]
    plan = m.Plan(
        id="p",
        at=at - timedelta(minutes=2),
        until=at + 2 * QUARTER,
        currency="EUR",
        steps=later,
        cost=0,
        cost_idle=0,
        prices_until=at,
    )
    return topics.PLAN, PLANT, plan


def fill(url: str, folder: Path, said: Sequence[Said], *quarters: list[Any], sealed: bool = False) -> None:
    async def run() -> None:
        database = engine(url)
        batch = [Heard(topic, parts, one, "", one.model_dump_json().encode(), False, 0) for topic, parts, one in said]
        await Store(database, lambda _: None).keep(sort_out(batch, LATER)[0])
        await measure(database, *quarters)
        async with database.begin() as connection:
            went = dict.fromkeys(Flows._fields, 0.0) | {"grid_load": 5e3, "battery_load": 5e3}
            await put(connection, flow, [{"site": "plant", "at": NOON} | went] if said else [])
        await accounts(database, site_of(folder, TARIFF)).write(LATER)
        if sealed:
            await seal(database, "plant", LATER + timedelta(days=400))
        await database.dispose()

    asyncio.run(run())


def lines(text: str) -> dict[str, str]:
    """The first of each name."""
    found = dict[str, str]()
    for line in text.splitlines()[1:]:
        found.setdefault(line[:10].strip(), line[10:])
    return found


def test_it_tells_plan_order_result_limit_money_and_rest(
    explain: Callable[..., tuple[int, str]], archive_url: str, tmp_path: Path
) -> None:
    """40 kW of load; the plan gives 40, the bridge lets 20 pass: 5 kWh for 1.00 and 20 kW at 10, against 10 kWh for
    2.00 and 40 kW; wear 5 kWh x 0.02."""
    holds = m.Why(code="holds_peak", value=30e3, price=10.0, at=NOON, per="month")
    orders = [(topic, place, said.model_copy(update={"why": [holds, m.Why(code="newer", limit=1.0)]}))
              for topic, place, said in commanded(40e3)]  # fmt: skip
    story = [planned(steps=96), *orders, limited("pcs:rated_power", 40e3, 20e3)]
    fill(archive_url, tmp_path, story, quarter(NOON, grid=20e3, battery=20e3))
    code, said = explain("--at", THEN)
    assert code == 0
    told = lines(said)
    assert said.startswith("2026-06-10 12:01:30 (Europe/Berlin)\n")
    assert told["plan"] == "p, made 2026-06-10 11:58:00, valid until 12:30"
    assert told["step"].startswith(
        "12:00, 15 min: battery gives 40.0 kW, grid 0.0 kW, SoC 42 % at its end; load 36.0 kW"
    )
    assert " as forecast, a stored kWh is worth" in told["step"]
    assert told["why"] == "holds the month's peak of 30.0 kW at 12:00, worth 10.00 EUR/kW"
    assert told["cap"] == "billing windows up to 30.0 kW were meant to be let pass"
    assert re.fullmatch(r"next 24 h: .*, until 2026-06-11 12:00:00", told["costs"]), "of all its steps"
    assert told["told"] == "pcs1: p_set 40.0 kW by dispatch as plan: story"
    assert told["because"] == (
        "pcs1: holds the month's peak of 30.0 kW at 12:00, worth 10.00 EUR/kW; code newer, limit 1.0"
    )
    assert told["did"] == "pcs1: limited"
    assert told["limited"] == "pcs1.p_set: pcs:rated_power made 20.0 kW of 40.0 kW"
    assert told["measured"].startswith("grid 20.0 kW (mean of the quarter of an hour), pcs1 20.0 kW")
    assert "without its batteries the site would have drawn 40.0 kW" in said
    assert told["money"].startswith("the quarter of an hour cost 201.0000 EUR: energy 1.0000 for 5.000 kWh drawn and")
    assert told["resting"] == "with a resting battery 10.000 kWh drawn and 0.000 fed in, 402.0000 EUR"
    assert "saved 200.9000 EUR by the battery" in said
    assert "the battery could do less: its BMS, its PCS, an interlock" in told["planned"]
    assert told["forecast"] == "load 36.0 kW, came 40.0 kW: 4.0 kW more; PV 0.0 kW, as it came (the quarter of an hour)"
    assert "missing" not in told
    code, said = explain("--at", "2026-06-10T10:01:30Z", "--json")
    facts = json.loads(said)
    assert code == 0
    assert facts["step"]["why"] == [
        {"code": "holds_peak", "value": 30e3, "price": 10.0, "at": "2026-06-10T10:00:00Z", "per": "month"}
    ]
    assert [one["code"] for one in facts["ordered"][0]["command"]["why"]] == ["holds_peak", "newer"]
    assert facts["ordered"][0]["outcomes"][0]["limited_by"][0]["source"] == "pcs:rated_power"
    assert facts["without_battery"] == pytest.approx(40e3)
    assert facts["money"]["saved"] == pytest.approx(200.9)


def test_what_is_missing_is_said(explain: Callable[..., tuple[int, str]], archive_url: str, tmp_path: Path) -> None:
    """The battery was silent, nobody commanded, and there was no plan."""
    fill(archive_url, tmp_path, [], quarter(NOON, grid=20e3, battery=None))
    code, said = explain("--at", THEN)
    assert code == 0
    missing = [line[10:] for line in said.splitlines() if line.startswith("missing")]
    assert "a plan from before" in missing
    assert "a command that held" in missing
    assert "readings of pcs1.p" in missing
    assert "what it would have cost with a resting battery" in missing
    assert "without its batteries" not in said
    assert "\nresting" not in said


def test_a_plan_that_had_run_out_is_said_to_have(
    explain: Callable[..., tuple[int, str]], archive_url: str, tmp_path: Path
) -> None:
    fill(archive_url, tmp_path, [planned(NOON - timedelta(hours=3))], quarter(NOON, grid=20e3))
    code, said = explain("--at", THEN)
    assert code == 0
    assert "valid until 09:30, had run out by then" in said
    assert "a step of the plan for this time" in said


def test_a_time_without_anything_says_what_there_is_around_it(
    explain: Callable[..., tuple[int, str]], archive_url: str, tmp_path: Path
) -> None:
    code, said = explain("--at", THEN)
    assert (code, said.splitlines()[1]) == (1, "and of no other time")
    fill(archive_url, tmp_path, [], quarter(NOON, grid=1e3), quarter(NOON + timedelta(days=3), grid=1e3))
    code, said = explain("--at", "2026-06-11T12:00")
    assert code == 1
    assert said.splitlines() == [
        "2026-06-11 12:00:00: the archive knows nothing of that time",
        "before it: something is known of 2026-06-10 12:00:00",
        "after it: something is known of 2026-06-13 12:00:00",
    ]


def test_orders_of_a_sealed_segment_are_told_too(
    explain: Callable[..., tuple[int, str]], archive_url: str, tmp_path: Path
) -> None:
    fill(archive_url, tmp_path, commanded(40e3), quarter(NOON, grid=1e3), sealed=True)
    assert lines(explain("--at", THEN)[1])["told"] == "pcs1: p_set 40.0 kW by dispatch as plan: story"


def test_a_time_is_written_as_people_do(tmp_path: Path) -> None:
    site = site_of(tmp_path, TARIFF)
    assert when("now", site, NOON) == NOON
    assert when("17:15", site, NOON) == datetime(2026, 6, 10, 15, 15, tzinfo=UTC)
    assert when("2026-06-10T17:15", site, LATER) == when("2026-06-10T15:15Z", site, LATER)
    for wrong in ("noon", "25:00", "2026-13-01", ""):
        with pytest.raises(Trouble, match=r"--at: .* is no time; write now, 17:15"):
            when(wrong, site, NOON)
