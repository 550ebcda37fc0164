"""The evening of a day in a closed loop, in virtual time: the real desk, the plant of the simulator, the archive behind
them. The battery is derated, and the ledger names it."""

import asyncio
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import count, islice
from typing import Any

import pytest
from sqlalchemy import select

from consumers.archive.migrate import migrate
from consumers.archive.roller import Roller
from consumers.archive.rows import sort_out
from consumers.archive.service import BATCH
from consumers.archive.store import Store
from consumers.dispatch.desk import Desk
from consumers.dispatch.modes import begin
from runtime.database import engine
from runtime.heard import Heard
from schemas import messages as m
from schemas import topics
from schemas.site import Site
from schemas.tables import CAUSES, money
from simulator.build import Condition, build
from simulator.plant import Surroundings
from tests.consumers.test_archive_money import QUARTER, accounts, site_of
from tests.consumers.test_dispatch_desk import UNBILLED

MIDNIGHT = datetime.fromisoformat("2026-06-10T00:00+02:00")
STEP = 60.0
"""Seconds; each device is read so often."""
LOAD = 25e3
EVENING = range(16 * 3600, 21 * 3600)
HOT = range(18 * 3600, 19 * 3600)
SILENT = range(19 * 3600 + 1800, 20 * 3600)
"""Seconds of the day: those that are told, those in which the BMS allows less, and in which nobody commands."""


def plan_of_the_day() -> m.Plan:
    """It charges with 12 kW until 6 h, and gives what the site uses from 17 to 21 h."""
    steps = []
    for number in range(96):
        hour = number // 4
        power = -12e3 if hour < 6 else LOAD if 17 <= hour < 21 else 0.0
        steps.append(
            m.Step(
                at=MIDNIGHT + number * QUARTER, seconds=900, power=power, soc=50, grid=LOAD - power, load=LOAD, pv=0.0,
                price_import=0.30 if 17 <= hour < 21 else 0.12, price_export=0.05, marginal_value=0.15, reason="story",
            )
        )  # fmt: skip
    until = MIDNIGHT + timedelta(days=1)
    return m.Plan(id="day", at=MIDNIGHT, until=until, currency="EUR", steps=steps, cost=0, cost_idle=0)


def heat(second: float) -> float:
    """degC that a module heats up to, within half an hour: at 54.3 a tenth of the current is left."""
    before = max(0.0, HOT.start - second) / 1800
    return 0.0 if before > 1 or second >= HOT.stop else 54.3 - 9.3 * before


def lived(site: Site) -> Iterator[Heard[Any]]:
    """What a broker would have carried."""
    site = site.model_copy(update={"device": [one.model_copy(update={"poll": STEP}) for one in site.device]})
    desk, plant, seq = Desk.of(site), build(site, site.battery, {"pcs1": Condition(85.0)}), count(1)
    desk.control, plant.pcs.timeout, plan = begin(MIDNIGHT), 0.0, plan_of_the_day()
    desk.plans.hear(plan, MIDNIGHT)
    yield Heard(topics.PLAN, {"site": site.site}, plan, "", b"", False, 0)
    for number in range(round(EVENING.start / STEP), round(EVENING.stop / STEP)):
        second = number * STEP
        now, battery = MIDNIGHT + timedelta(seconds=second), plant.battery
        hottest = battery.cell_degrees[1] - battery.extra_kelvin
        battery.extra_kelvin = max(0.0, heat(second) - hottest)
        plant.step(STEP, Surroundings(LOAD, 0.0))
        for device, values in {
            "pcs1": {"p": plant.pcs.p, "p_set": plant.pcs.p_set, "state": "running"},
            "grid": {"p": plant.grid},
            "bms1": {"soc": battery.soc, "u": battery.voltage, "ccl": battery.ccl, "dcl": battery.dcl},
        }.items():
            said = m.Telemetry(at=now, epoch="0" * 16, seq=next(seq), values=values)  # type: ignore[arg-type]
            desk.read(device, said, now, second)
            yield Heard(topics.TELEMETRY, {"site": site.site, "device": device}, said, "", b"", False, said.seq)
        order = None if round(second) in SILENT else desk.instruct(now, second).get("pcs1")
        plant.pcs.p_set = order.wanted.power if order else 0.0
        if order is not None:
            desk.has_sent("pcs1", order, second)
            told = m.Command(
                id=f"c{number}", at=now, until=now + timedelta(seconds=2 * STEP), source="dispatch",
                authority=order.wanted.authority, values={"p_set": order.wanted.power}, reason=order.wanted.reason,
            )  # fmt: skip
            yield Heard(topics.COMMAND, {"site": site.site, "device": "pcs1"}, told, "", b"", False, number)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """The rows of the day, written once."""
    folder = tmp_path_factory.mktemp("day")
    site = site_of(folder, UNBILLED)
    url, later = f"sqlite+aiosqlite:///{folder}/archive.db", MIDNIGHT + timedelta(hours=25)
    migrate(url)

    async def write() -> list[Any]:
        database = engine(url)
        store = Store(database, lambda _: None)
        story = lived(site)
        while batch := [*islice(story, BATCH)]:
            await store.keep(sort_out(batch, later)[0])
        await Roller(database, site, store).roll(later)
        book = accounts(database, site)
        while await book.write(later):
            pass
        async with database.connect() as connection:
            found = [*(await connection.execute(select(money).order_by(money.c.at))).all()]
        await database.dispose()
        return found

    return asyncio.run(write())


def of(day: list[Any], hours: range, cause: str) -> float:
    """What a cause cost in some seconds of the day."""
    return float(sum(getattr(one, cause) for one in day if int((one.at - MIDNIGHT).total_seconds()) in hours))


def dearer(day: list[Any], hours: range) -> float:
    return sum(of(day, hours, cause) for cause in CAUSES)


def test_a_derated_battery_is_named_for_what_it_cost(day: list[Any]) -> None:
    """An hour of 25 kW for 0.30 was planned for nothing but the wear; what the BMS withheld is drawn instead."""
    short = sum(LOAD / 4 - one.battery for one in day if int((one.at - MIDNIGHT).total_seconds()) in HOT)
    assert short > 3000, "it was derated"
    assert of(day, HOT, "derate") == pytest.approx(short / 1000 * (0.30 - 0.02), rel=0.1)
    assert of(day, HOT, "derate") == pytest.approx(dearer(day, HOT), rel=0.1)


def test_a_silence_is_named_too(day: list[Any]) -> None:
    assert of(day, SILENT, "lost") == pytest.approx(0.5 * 25 * (0.30 - 0.02), rel=0.1)


def test_an_evening_as_planned_costs_what_was_planned(day: list[Any]) -> None:
    calm = range(17 * 3600 + 900, 17 * 3600 + 2700)
    assert dearer(day, calm) == pytest.approx(0.0, abs=0.02)
    assert len(day) == 20
    assert all(one.planned is not None for one in day)
    for one in day:
        parts = sum(getattr(one, cause) for cause in CAUSES)
        assert parts == pytest.approx(one.energy + one.demand + one.wear - one.planned, abs=1e-9)
