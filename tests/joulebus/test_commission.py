"""An integrator commissions a simulated site: what is right passes, and each thing that is wrong is named."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from joulebus import commission
from joulebus.findings import GOOD, OPEN, WRONG, Step, judge
from runtime.settings import Settings, parse_broker
from schemas.messages import ServiceStatus
from schemas.site import Site, load_site
from schemas.topics import SERVICE_STATUS
from schemas.troubles import Trouble
from schemas.units import utc_now
from simulator.service import SimulatedSite
from tests.conftest import Broker
from tests.ear import ear

DEMO = Path(__file__).parents[2] / "site.toml"
NIGHT = datetime(2026, 6, 21, 1, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commission, "PAUSE", 0.05)
    monkeypatch.setattr(commission, "LONGEST", 2.0)


@asynccontextmanager
async def simulated(name: str, *faults: str, **change: Any) -> AsyncIterator[SimulatedSite]:
    demo = load_site(DEMO).model_copy(update={"site": name} | change)
    async with SimulatedSite(demo, faults, ramp=math.inf, start=NIGHT, free_ports=True) as running:
        yield running


def settings(broker: Broker) -> Settings:
    return Settings(parse_broker(broker.url("admin"), "admin", None, {}), "")


async def walk(site: Site, broker: Broker, path: Path, *, yes: bool = True) -> tuple[int, str]:
    asked: list[str] = []

    def ask(words: str) -> bool:
        asked.append(words)
        return yes

    code = await commission.commission(site, settings(broker), path, ask, lambda _: None)
    return code, await asyncio.to_thread(path.read_text, encoding="utf-8")


async def test_a_site_that_is_right_passes(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running:
        code, text = await walk(running.site, broker, tmp_path / "report.md")
        assert running.world.plant.pcs.p_set == 0.0
        powers = [one.values for one in running.written if one.register == 135]
    assert code == 0, text
    assert "**passed**" in text
    for line in ("| pcs | sign | good", "| bms | sign | good", "| meter | sign | good", "| meter | scale | good"):
        assert line in text
    assert powers == [(50,), (0,), (0x10000 - 50,), (0,)]


async def test_a_meter_the_wrong_way_round_is_named(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name, "meter:inverted") as running:
        code, text = await walk(running.site, broker, tmp_path / "report.md")
    assert code == 1
    assert "| meter | sign | WRONG |" in text
    assert "it counts backwards" in text


@pytest.mark.parametrize(
    ("device", "point", "factor", "says"),
    [
        ("pcs", "p", 10.0, "| pcs | scale | WRONG | 10.00 instead of 1 (a factor of 10) |"),
        ("bms", "i", -1.0, "| bms | sign | WRONG |"),
        ("meter", "p", 0.1, "| meter | scale at rest | WRONG |"),
    ],
)
async def test_a_wrong_scale_is_named(  # noqa: PLR0917  # pytest gives them by name
    broker: Broker, site_name: str, tmp_path: Path, device: str, point: str, factor: float, says: str
) -> None:
    async with simulated(site_name) as running:
        profile = running.site.profiles[device]
        wrong = profile.points[point].model_copy(update={"scale": profile.points[point].scale * factor})
        mistaken = profile.model_copy(update={"points": profile.points | {point: wrong}})
        site = running.site.model_copy()
        site.__dict__["profiles"] = running.site.profiles | {device: mistaken}
        code, text = await walk(site, broker, tmp_path / "report.md")
    assert code == 1
    assert says in text


async def test_nothing_is_written_without_a_yes(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running:
        code, text = await walk(running.site, broker, tmp_path / "report.md", yes=False)
        assert list(running.written) == []
    assert code == 1
    assert "| pcs | steps | not decided | none was made |" in text


async def test_a_watched_site_is_read_only_here_too(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name, mode="read_only") as running:
        await walk(running.site, broker, tmp_path / "report.md")
        assert list(running.written) == []


async def test_a_silent_device_is_named_and_the_battery_left_alone(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    async with simulated(site_name, "bms:silent") as running:
        code, text = await walk(running.site, broker, tmp_path / "report.md")
        assert list(running.written) == []
    assert code == 1
    assert "| bms | connection | WRONG |" in text
    assert "no step without bms" in text


async def test_while_a_bridge_serves_the_site_it_refuses(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running, ear(broker.url("bridge")) as bridge:
        status = ServiceStatus(state="online", at=utc_now())
        await bridge.bus.say(SERVICE_STATUS, status, site=site_name, service="bridge")
        with pytest.raises(Trouble, match="stop it first"):
            await walk(running.site, broker, tmp_path / "report.md")
        await bridge.bus.say(SERVICE_STATUS, None, site=site_name, service="bridge")


@pytest.mark.parametrize(
    ("meter", "noise", "verdicts"),
    [
        ((-5000.0, 5000.0), 10.0, [GOOD, GOOD]),
        ((5000.0, -5000.0), 10.0, [WRONG, GOOD]),
        ((-500.0, 500.0), 10.0, [GOOD, WRONG]),
        ((0.0, 0.0), 10.0, [WRONG]),
        ((-5000.0, 5000.0), 4000.0, [OPEN]),
    ],
    ids=["right", "inverted", "a tenth", "somewhere else", "the load moves"],
)
def test_what_a_step_tells_of_the_meter(meter: tuple[float, float], noise: float, verdicts: list[str]) -> None:
    site = load_site(DEMO)
    steps = [
        Step(wish, {"pcs": wish, "bms": wish * 1.02, "meter": seen}, noise, {})
        for wish, seen in zip((5000.0, -5000.0), meter, strict=True)
    ]
    assert [one.verdict for one in judge(site, steps) if one.device == "meter"] == verdicts
