"""A flexible load from the plan to its relay: broker, bridge, dispatch and Modbus as they are on a site."""

import math
from datetime import timedelta
from pathlib import Path

from bridges.service import run as bridge
from schemas.messages import ControlDispatch, LoadState, LoadStep, Plan
from schemas.site_file import load_site
from schemas.topics import CONTROL_DISPATCH, PLAN
from schemas.units import utc_now
from simulator.service import SimulatedSite
from tests.conftest import Broker
from tests.consumers.test_dispatch_service import Ear, dispatching, on_the_bus, running, until
from tests.field.test_flexible_loads import heated


def of_loads(name: str, **powers: float) -> Plan:
    """For an hour, W by load."""
    return Plan(
        id=name, at=utc_now(), until=utc_now() + timedelta(hours=1), currency="EUR", steps=[], cost=0, cost_idle=0,
        loads={load: [LoadStep(at=utc_now(), seconds=3600, power=power)] for load, power in powers.items()},
    )  # fmt: skip


async def test_the_plan_of_a_load_reaches_its_relay_and_all_hear_why(
    broker: Broker, tmp_path: Path, site_name: str
) -> None:
    site = load_site(heated(tmp_path)).model_copy(update={"site": site_name})
    plan = of_loads("p1", heater=0.0, charger=11e3)
    async with SimulatedSite(site, soc=50.0, ramp=math.inf, free_ports=True) as simulated:
        heater = simulated.world.plant.driven["heater"]
        charger = simulated.world.plant.driven["charger"]
        assert (heater.told, charger.told) == (1.0, 0.0)
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
                await until(lambda: (heater.told, charger.told) == (0.0, 11e3), within=15)
                await until(lambda: any(one.loads for one in ear.messages if isinstance(one, ControlDispatch)))
                await until(
                    lambda: all(told(ear, load).on is on for load, on in (("heater", False), ("charger", True)))
                )
            before = [told(ear, load).since for load in ("heater", "charger")]
            await planner.say(PLAN, of_loads("p2", heater=10e3, charger=0.0), site=site_name)
            heard = len(ear.messages)
            async with dispatching(broker, simulated.site, folders[1]):  # what was switched just now stays as it is
                await until(lambda: len(ear.messages) > heard and "minimum times" in reason(ear, "charger"))
                assert "minimum times" in reason(ear, "heater")
            assert (heater.told, charger.told > 0) == (0.0, True), "at its least, and not switched"
            after = [told(ear, load).since for load in ("heater", "charger")]
            assert all(abs((one - other).total_seconds()) <= 2 for one, other in zip(before, after, strict=True))
            await ear.stop()
    said = [one.loads["heater"] for one in ear.messages if isinstance(one, ControlDispatch) and one.loads]
    assert any((one.power, one.reason) == (0.0, "off: as it is planned") for one in said), said
    kept = (folders[1] / f"dispatch-{site_name}.json").read_text()
    assert '"heater":' in kept


def told(ear: Ear, load: str) -> LoadState:
    """What the load does, as dispatch said it last."""
    states = [one.loads[load].state for one in ear.messages if isinstance(one, ControlDispatch) and one.loads]
    return next((one for one in reversed(states) if one is not None), LoadState(on=False, since=utc_now()))


def reason(ear: Ear, load: str) -> str:
    found = [one.loads[load].reason for one in ear.messages if isinstance(one, ControlDispatch) and one.loads]
    return found[-1]
