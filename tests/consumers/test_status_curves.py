"""The curves out of a real archive: beside what was measured stands what was planned of it then."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert

from consumers.status.curves import Curves
from consumers.status.series import Asked
from consumers.status.state import Said, State
from runtime import kept_plans
from runtime.database import engine
from runtime.history import History
from schemas.messages import Plan, Step
from schemas.tables import plan
from schemas.units import utc_now
from tests.consumers.test_status_state import page_site

QUARTER = timedelta(minutes=15)


def made(at: datetime, power: float) -> Plan:
    """A plan of the quarters from its own on, each of which it gives the same power."""
    first = datetime.fromtimestamp(at.timestamp() // 900 * 900, UTC)
    steps = [
        Step(
            at=first + number * QUARTER, seconds=900.0, power=power, soc=50.0, grid=1e3, load=1e3 + power, pv=0.0,
            price_import=power / 1e5, price_export=0.1, marginal_value=0.0, reason="test",
        )
        for number in range(12)
    ]  # fmt: skip
    until = at + timedelta(hours=1)
    return Plan(
        id=f"{at:%H%M}", at=at, until=until, currency="EUR", prices_until=until, steps=steps, cost=0.0, cost_idle=0.0
    )


def row(site: str, one: Plan) -> dict[str, Any]:
    kept = {"body": kept_plans.forecasts(one), "packed": kept_plans.pack(one)}
    return {"site": site, "at": one.at, "id": one.id, "until": one.until, **kept}


async def test_the_past_shows_the_plan_that_held_when_each_quarter_began_and_reads_few_rows(
    sqlite_archive: str, tmp_path: Path
) -> None:
    now, site, database = utc_now(), page_site(tmp_path), engine(sqlite_archive)
    quarter = datetime.fromtimestamp(now.timestamp() // 900 * 900, UTC)
    # two of each quarter of an hour: one is made before it begins, and one in it; none for two hours
    plans = [
        made(quarter - number * QUARTER + timedelta(minutes=minutes), 1e3 * number + minutes)
        for number in range(40)
        if not 12 <= number < 20
        for minutes in (-3, 4)
    ]
    plans = [one for one in plans if one.at <= now]
    rows = [row(site.site, one) for one in plans]
    async with database.begin() as connection:
        await connection.execute(insert(plan), rows)
    asked = list[str]()
    event.listen(database.sync_engine, "before_cursor_execute", lambda *said: asked.append(said[2]))
    state = State(site, broker=True)
    state.plan = Said(max(plans, key=lambda one: one.at), 0.0)
    found = await Curves(state, History(database)).over(Asked())
    await database.dispose()
    columns: dict[str, Any] = found["columns"]
    at = {datetime.fromtimestamp(one, UTC): number for number, one in enumerate(found["at"])}

    def told(number: int, name: str = "plan_battery") -> set[float | None]:
        begin = quarter - number * QUARTER
        return {columns[name][place] for one, place in at.items() if begin <= one < begin + QUARTER}

    for number in (1, 2, 11, 25, 39):
        assert told(number) == {1e3 * number - 3}, f"{number}: the one from before it began"
        assert told(number, "price_import") == {round((1e3 * number - 3) / 1e5, 5)}
    assert told(17) == {20_004.0}, "the last one before the silence, as long as it was valid"
    assert told(13) == {None}, "nothing is drawn where no plan held"
    assert told(-4) == {state.plan.word.steps[0].power}
    assert found["planned"] == (quarter - 40 * QUARTER).timestamp()
    assert found["forecast"] == state.plan.word.until.timestamp()
    of_plans = [one for one in asked if "plan" in one.split("FROM")[-1].split("WHERE")[0]]
    assert len(of_plans) == 2, "one for when they were made, and one for those that are shown"


async def test_a_plan_that_cannot_be_read_or_comes_too_late_is_said_and_hides_no_other(
    sqlite_archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All curves were gone, and of an archive that took too long it was said that no plan was archived."""
    now, site, database = utc_now(), page_site(tmp_path), engine(sqlite_archive)
    quarter = datetime.fromtimestamp(now.timestamp() // 900 * 900, UTC)
    plans = [made(quarter - number * QUARTER, 1e3 * number) for number in (3, 2, 1)]
    rows = [row(site.site, one) | ({"packed": b"?"} if number == 1 else {}) for number, one in enumerate(plans)]
    async with database.begin() as connection:
        await connection.execute(insert(plan), rows)
    found = await Curves(State(site, broker=True), History(database)).over(Asked(ahead=0.0))
    told = dict(zip(found["at"], found["columns"]["plan_battery"], strict=True))
    assert [told[(quarter - number * QUARTER).timestamp()] for number in (3, 2, 1)] == [3e3, None, 1e3]
    assert found["fault"] == "a plan of the archive cannot be read"
    monkeypatch.setattr("consumers.status.archive.PATIENCE", 0.3)
    history = History(database)

    async def never(*_: object) -> AsyncIterator[Any]:
        await asyncio.sleep(60)
        yield

    monkeypatch.setattr(history, "plans_at", never)
    found = await Curves(State(site, broker=True), history).over(Asked(ahead=0.0))
    await database.dispose()
    assert (found["planned"], found["fault"]) == (None, "the archive did not say what was planned")


async def test_without_the_archive_the_time_to_come_is_drawn_all_the_same(tmp_path: Path) -> None:
    database = engine(f"sqlite+aiosqlite:///{tmp_path}/none.db")
    state = State(page_site(tmp_path), broker=True)
    state.plan = Said(made(utc_now(), 7e3), 0.0)
    found = await Curves(state, History(database)).over(Asked())
    await database.dispose()
    coming = [one for at, one in zip(found["at"], found["columns"]["plan_battery"], strict=True) if at > found["now"]]
    assert coming[:30] == [7e3] * 30
    assert found["fault"] == "the archive cannot be read"
    assert "Nothing was measured lately. Battery: the plan discharges 7 kW now." in found["words"]["power"]
