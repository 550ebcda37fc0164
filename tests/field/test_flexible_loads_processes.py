"""A flexible load from the plan to its relay: broker, bridge, dispatch and Modbus as they are on a site."""

import math
from datetime import timedelta
from pathlib import Path

from bridges.service import run as bridge
from schemas.messages import ControlDispatch, LoadStep, Plan
from schemas.site_file import load_site
from schemas.topics import CONTROL_DISPATCH, PLAN
from schemas.units import utc_now
from simulator.service import SimulatedSite
from tests.conftest import Broker
from tests.consumers.test_dispatch_service import Ear, dispatching, on_the_bus, running, until
from tests.field.test_flexible_loads import heated


async def test_the_plan_of_a_load_reaches_its_relay_and_all_hear_why(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site = load_site(heated(tmp_path)).model_copy(update={"site": site_name})
    plan = Plan(
        id="p1", at=utc_now(), until=utc_now() + timedelta(hours=1), currency="EUR", steps=[], cost=0, cost_idle=0,
        loads={"heater": [LoadStep(at=utc_now(), seconds=3600, power=0.0)]},
    )  # fmt: skip
    async with SimulatedSite(site, soc=50.0, ramp=math.inf, free_ports=True) as simulated:
        heater = simulated.world.plant.driven["heater"]
        assert heater.told == 1.0
        folders = [tmp_path / "bridge", tmp_path / "dispatch"]
        for one in folders:
            one.mkdir()
        async with (
            on_the_bus(broker, "optimize") as planner,
            on_the_bus(broker, "admin") as bus,
            running(broker, simulated.site, "bridge", bridge, state=folders[0]),
        ):
            await planner.say(PLAN, plan, site=site_name)
            ear = Ear(bus, CONTROL_DISPATCH.at(site=site_name))
            async with dispatching(broker, simulated.site, folders[1]):
                await until(lambda: heater.told == 0.0, within=15)
                await until(lambda: any(one.loads for one in ear.messages if isinstance(one, ControlDispatch)))
            await ear.stop()
    said = [one.loads["heater"] for one in ear.messages if isinstance(one, ControlDispatch) and one.loads]
    assert any((one.power, one.reason) == (0.0, "off: as it is planned") for one in said), said
    kept = (folders[1] / f"dispatch-{site_name}.json").read_text()
    assert '"loads":{"heater":' in kept
