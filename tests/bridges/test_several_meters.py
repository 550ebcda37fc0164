"""Two grid meters behind two Modbus servers: their sum arrives at its topic, and dispatch steers by it."""

from datetime import datetime
from pathlib import Path

import pytest

from bridges.served import devices
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Outcome
from schemas.site_file import load_site
from schemas.topics import COMMAND, DEVICE_STATUS, META, OUTCOME, TELEMETRY
from schemas.troubles import Trouble
from schemas.units import Kind
from simulator.plant import Surroundings
from tests.bridges.conftest import Start
from tests.conftest import Broker
from tests.consumers.test_dispatch_service import dispatching

TWO = Path(__file__).parents[1] / "two_meters.toml"
LOAD = 60e3


def still(_: datetime) -> Surroundings:
    return Surroundings(LOAD, 0.0)


async def test_the_sum_arrives_at_its_topic_and_dispatch_steers_by_it(
    start: Start, broker: Broker, tmp_path: Path
) -> None:
    bench = await start(file=TWO)
    bench.simulated.world.around = still
    meta = await bench.hears.until(META, device="grid")
    assert (meta.kind, meta.model, meta.commands) == (Kind.METER, "the sum of north and south", [])
    sample = await bench.hears.until(TELEMETRY, lambda one: abs((one.number("p") or 0.0) - LOAD) < 1e3, device="grid")
    assert {one.at for name in ("north", "south") for one in bench.hears.all(TELEMETRY, device=name)} >= {sample.at}
    wish = await bench.command("grid", values={"p_set": 1.0})
    refused: Outcome = await bench.hears.until(OUTCOME, lambda one: one.id == wish.id, device="grid")
    assert refused.state.value == "refused", "a sum takes no commands, and says so"
    (tmp_path / "dispatch").mkdir()
    async with dispatching(broker, bench.site, tmp_path / "dispatch"):
        await bench.hears.until(
            COMMAND, lambda one: one.values.get("p_set", 0.0) > 0.8 * LOAD, device="pcs", seconds=15.0
        )
        await bench.hears.until(TELEMETRY, lambda one: abs(one.number("p") or LOAD) < 0.1 * LOAD, device="grid")
    assert bench.simulated.world.plant.grid == pytest.approx(0.0, abs=0.1 * LOAD), "both halves of it"
    assert {one.state.value for one in bench.hears.all(DEVICE_STATUS, device="grid")} <= {"online"}


@pytest.mark.parametrize(
    ("only", "words"),
    [
        (["north"], "the bridge of north must also serve south: it adds them up"),
        (["pcs", "bms"], "the bridge of pcs must also serve north, south: it guards by them"),
    ],
)
async def test_no_bridge_serves_half_of_a_connection(tmp_path: Path, only: list[str], words: str) -> None:
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "bridge", None, {}), "", None, tmp_path)
    part = Part("bridge", load_site(TWO), settings)
    with pytest.raises(Trouble, match=words):
        devices(part, only)
    assert len(devices(part, ["pcs", "bms", "north", "south"])) == 4
