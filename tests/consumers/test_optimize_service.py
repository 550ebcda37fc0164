"""Optimize beside a real broker and a real archive: plans come, and what goes wrong leaves the last one standing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from consumers.optimize import occasions, service, setbacks
from consumers.optimize.past import Past
from consumers.optimize.service import Optimize
from consumers.optimize.situation import Situation
from consumers.optimize.think import think
from consumers.optimize.thought import Thought
from optimizer.tariff import Series
from runtime.database import engine
from runtime.history import History
from runtime.part import Part
from schemas.messages import Cause, Plan
from schemas.site import Site
from schemas.site_file import load_site
from schemas.tables import telemetry
from schemas.topics import BILLING, PLAN, SERVICE_EVENT
from schemas.units import utc_now
from tests.conftest import Broker
from tests.consumers.test_dispatch_desk import TARIFF, plant_site
from tests.consumers.test_dispatch_service import Ear, Plant, on_the_bus, plant_of, running, until


@pytest.fixture
def database(sqlite_archive: str) -> str:
    return sqlite_archive


async def fill(database: str, site: str, now: datetime, days: int) -> None:
    """One reading in each quarter hour: 80 kW from the grid, in the first of them 150 kW."""
    rows = []
    count = days * 96
    for number in range(count):
        at = now - (count - number) * timedelta(minutes=15)
        for device, power in (("grid", 150e3 if number == count - 8 else 80e3), ("pcs1", 0.0), ("pv1", 0.0)):
            points = f'{{"p": {power}}}'
            key = {"site": site, "device": device, "at": at, "epoch": "0" * 16, "seq": number + 1}
            rows.append({**key, "historical": False, "points": points, "quality": None})
    store = engine(database)
    async with store.begin() as connection:
        await connection.execute(insert(telemetry), rows)
    await store.dispose()


@dataclass
class Scene:
    plant: Plant
    part: Part
    ear: Ear

    @property
    def plans(self) -> list[Plan]:
        return [message for message in self.ear.messages if message is not None]


@asynccontextmanager
async def scene(broker: Broker, site: Site, database: str, optimize: type[Optimize] = Optimize) -> AsyncIterator[Scene]:
    async def run(part: Part) -> None:
        service_ = optimize(part)
        try:
            await part.run(service_.work)
        finally:
            await service_.history.engine.dispose()

    async with plant_of(broker, site.site) as plant, on_the_bus(broker, "scada") as scada:
        ear = Ear(scada, PLAN.at(site=site.site))
        async with running(broker, site, "optimize", run, database) as part:
            yield Scene(plant, part, ear)
        await ear.stop()


async def test_a_plan_is_made_from_the_archive_and_the_present(
    broker: Broker, tmp_path: Path, site_name: str, database: str
) -> None:
    site = plant_site(tmp_path, site_name)
    await fill(database, site_name, utc_now(), days=3)
    async with plant_of(broker, site_name), running(broker, site, "optimize", service.run, database) as part:
        async with on_the_bus(broker, "scada") as scada, on_the_bus(broker, "admin") as admin:
            ear, kept = Ear(scada, PLAN.at(site=site_name)), Ear(admin, SERVICE_EVENT.at(site=site_name))
            await until(lambda: ear.messages, within=30)
            plan: Plan = ear.messages[0]
            await until(lambda: part.counts["plans"] == 1)
            await until(lambda: [event.payload["id"] for event in kept.messages] == [plan.id])
            await ear.stop()
            await kept.stop()
        assert len(plan.steps) == 144
        assert plan.steps[0].load == pytest.approx(30e3, rel=0.02)
        assert plan.steps[20].load == pytest.approx(80e3, rel=0.02)
        assert plan.peak is not None
        assert plan.peak > 30e3, "of what is to come"
        assert (plan.until - plan.at) == timedelta(hours=1)
        assert plan.inputs.keys() == {"grid", "pcs1", "bms1", "pv1"}
        assert part.detail.startswith("plan of ")
        assert "h: energy " in part.detail
        assert "without the archive" not in part.detail, "a slow machine may still read it"

        async with on_the_bus(broker, "scada") as scada:  # who comes later hears it, too
            late = Ear(scada, PLAN.at(site=site_name))
            await until(lambda: late.heard)
            assert (late.heard[0].retained, late.heard[0].message) == (True, plan)
            await late.stop()


async def test_the_past_is_read_backwards_and_then_only_what_is_new(
    tmp_path: Path, site_name: str, database: str
) -> None:
    now = datetime(2026, 6, 10, 10, 7, tzinfo=UTC)
    await fill(database, site_name, now, days=20)
    past, history = Past(plant_site(tmp_path, site_name)), History(engine(database))
    assert not await past.fill(history, now, seconds=0)
    assert 90 <= len(past.load()) <= 97  # the last day
    assert await past.fill(history, now, seconds=60)
    assert now - timedelta(days=20) <= past.load()[0][0] <= now - timedelta(days=13.9)
    later = now + timedelta(days=1)
    assert await past.fill(history, later, seconds=0)
    assert past.load()[0][0] >= later - timedelta(days=15)  # what is too old is forgotten
    await history.engine.dispose()


async def test_without_an_archive_it_plans_with_the_present(broker: Broker, tmp_path: Path, site_name: str) -> None:
    empty = f"sqlite+aiosqlite:///{tmp_path / 'never-migrated.db'}"
    async with scene(broker, plant_site(tmp_path, site_name), empty) as played:
        await until(lambda: played.plans, within=30)
        await until(lambda: played.part.detail.endswith("without the archive"))
        assert played.plans[0].steps[-1].load == pytest.approx(30e3, rel=0.02)


async def test_a_site_without_a_battery_is_told_what_is_billed(
    broker: Broker, tmp_path: Path, site_name: str, database: str
) -> None:
    """And a tariff that cannot be read is told as one: no plan is made there, but the page shows the peak."""
    plant_site(tmp_path, site_name)
    path = tmp_path / "site.toml"
    text, gone = path.read_text(encoding="utf-8"), ("battery = {", '"pcs1"', '"bms1"')
    path.write_text(
        "\n".join(line for line in text.splitlines() if not any(one in line for one in gone)), encoding="utf-8"
    )
    async with billed_site(broker, path, database) as (ear, part):
        await until(lambda: ear.messages and ear.messages[-1].archived, within=20)
        assert ear.messages[-1].components[0].seen is not None
        assert part.detail == "no battery: nothing to plan"
    (tmp_path / "tariff.toml").write_text("import = nonsense", encoding="utf-8")
    async with billed_site(broker, path, database) as (ear, part):
        await until(lambda: ear.messages and "tariff.toml" in ear.messages[-1].fault, within=20)
        assert ear.messages[-1].components == []
        assert Cause.TARIFF in part.causes.names


@asynccontextmanager
async def billed_site(broker: Broker, path: Path, database: str) -> AsyncIterator[tuple[Ear, Part]]:
    """Optimize alone, and what it says to be billed."""
    site = load_site(path)
    async with running(broker, site, "optimize", service.run, database) as part, on_the_bus(broker, "scada") as scada:
        ear = Ear(scada, BILLING.at(site=site.site))
        yield ear, part
        await ear.stop()


async def test_a_silent_device_is_waited_for_and_said_when_it_lasts(
    broker: Broker, tmp_path: Path, site_name: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setbacks, "LACKS", 1.0)
    async with scene(broker, plant_site(tmp_path, site_name), database) as played:
        bms, causes = played.plant.state.pop("bms1"), played.part.causes
        await until(lambda: played.part.detail == "no new plan: bms1 was never heard")
        assert played.plans == []
        await until(lambda: causes.names == [Cause.NO_PLAN])
        assert causes.words == "no plan is valid: bms1 was never heard"
        played.plant.state["bms1"] = bms
        await until(lambda: bool(played.plans) and not causes.names, within=40)


class Fickle(Optimize):
    """Its planner succeeds once; then it does what the test says."""

    mishap = "crash"

    def __init__(self, part: Part) -> None:
        super().__init__(part, self._fickle)
        self.calls = 0

    def _fickle(
        self, situation: Situation, past: Past, series: dict[str, Series], now: datetime, mono: float
    ) -> Thought:
        self.calls += 1
        thought = think(situation, past, series, now, mono)
        if self.calls == 1:
            return thought
        match self.mishap:
            case "crash":
                raise ZeroDivisionError("a bug")
            case "broken":
                return Thought(thought.plan, ["SoC 99.00 % is above 90 %"], {"id": thought.plan.id})
            case _:
                time.sleep(1.5)
                return thought


@pytest.mark.parametrize(
    ("mishap", "words"),
    [
        ("crash", "the planner failed: a bug"),
        ("broken", "the plan was not published: SoC 99.00 % is above 90 %; it is kept in refused-plan-{site}.json"),
        ("slow", "no plan in 1 s"),
    ],
)
async def test_what_goes_wrong_leaves_the_last_plan_standing(  # noqa: PLR0917  # fixtures
    broker: Broker,
    tmp_path: Path,
    site_name: str,
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    mishap: str,
    words: str,
) -> None:
    monkeypatch.setattr(service, "EVERY", 1.0)
    monkeypatch.setattr(Fickle, "mishap", mishap)
    async with scene(broker, plant_site(tmp_path, site_name), database, Fickle) as played:
        await until(lambda: played.plans, within=30)
        monkeypatch.setattr(service, "DEADLINE", 1.0)
        await until(lambda: played.part.detail == words.format(site=site_name))
        await until(lambda: played.part.counts["failed"] >= 2)
        assert len(played.plans) == 1
        assert played.part.counts["plans"] == 1


async def test_a_badly_wrong_forecast_is_planned_anew(
    broker: Broker, tmp_path: Path, site_name: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LASTING", "APART"):
        monkeypatch.setattr(occasions, name, 0.5)
    monkeypatch.setattr("consumers.optimize.situation.SMOOTH", 0.5)
    async with scene(broker, plant_site(tmp_path, site_name), database) as played:
        await until(lambda: len(played.plans) == 1, within=30)
        played.plant.state["grid"] = {"p": 90e3}
        await until(lambda: len(played.plans) >= 2)
        assert played.part.counts["surprises"] >= 1
        assert played.plans[-1].steps[0].load > 60e3


async def test_prices_are_read_again_when_their_file_changes(
    broker: Broker, tmp_path: Path, site_name: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "EVERY", 1.0)
    tariff = TARIFF.splitlines()
    tariff[1] = 'import.day_ahead = { file = "prices.csv", plus = 0.10 }'
    _write_prices(tmp_path / "prices.csv", 50.0)
    async with scene(broker, plant_site(tmp_path, site_name, "\n".join(tariff)), database) as played:
        await until(lambda: played.plans, within=30)
        assert all(step.price_import == pytest.approx(0.15) for step in played.plans[0].steps)
        _write_prices(tmp_path / "prices.csv", 80.0)
        await until(lambda: played.plans[-1].steps[0].price_import == pytest.approx(0.18))
        (tmp_path / "prices.csv").unlink()
        await until(lambda: "prices.csv cannot be read" in played.part.detail)


def _write_prices(path: Path, price: float) -> None:
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    rows = [f"{(begin + timedelta(hours=hour)).isoformat()},{price}" for hour in range(48)]
    path.write_text("\n".join(["timestamp_utc,price_eur_per_mwh", *rows]) + "\n", encoding="utf-8")


async def test_a_broker_that_forgot_gets_the_plan_again(
    broker: Broker, tmp_path: Path, site_name: str, database: str
) -> None:
    site = plant_site(tmp_path, site_name)
    async with scene(broker, site, database) as played:
        await until(lambda: played.plans, within=30)
        plan = played.plans[0]
    part = Part("optimize", site, played.part.settings)
    optimize = Optimize(part)
    optimize.plan = plan
    async with on_the_bus(broker, "scada") as scada:
        async with on_the_bus(broker, "optimize") as bus:
            await bus.say(PLAN, None, site=site_name)
        ear = Ear(scada, PLAN.at(site=site_name))
        job = asyncio.ensure_future(part.run(optimize.work))
        await until(lambda: plan in ear.messages)
        job.cancel()
        await asyncio.gather(job, return_exceptions=True)
        await ear.stop()
    await optimize.history.engine.dispose()
