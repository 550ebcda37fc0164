"""Several batteries behind one meter, each with its own SoC, health and fate; without a grid they are an island."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.messages import Action
from schemas.site import Site
from schemas.site_battery import Battery as SiteBattery
from schemas.site_device import Device
from schemas.troubles import Trouble
from simulator.battery import Battery
from simulator.bess import Bess
from simulator.build import Condition
from simulator.contactor import Contactor
from simulator.pcs import Pcs
from simulator.plant import Plant, Surroundings
from simulator.pv import Pv
from simulator.service import SimulatedSite
from simulator.states import QUICK, Order, Turn
from tests.simulator.conftest import NOON
from tests.simulator.rig import rig
from tests.virtual import virtual

OTHER = SiteBattery(pcs=["pcs2"], bms=["bms2"], energy=100_000.0)
CONDITIONS = {"pcs": Condition(80, 96), "pcs2": Condition(30, 70)}


@pytest.fixture(scope="session")
def two(site: Site) -> Site:
    """The demo's site with a second battery of another make."""
    devices = [
        *site.device,
        Device(name="pcs2", profile="refustore_88k", address="tcp://127.0.0.1:15025", rated_power=50_000.0),
        Device(name="bms2", profile="byd_c130", address="tcp://127.0.0.1:15026"),
    ]
    made = site.model_copy(update={"device": devices})
    made.__dict__.pop("profiles")  # they are those of the demo's four
    return made


def both(site: Site) -> dict[str, Any]:
    return {"batteries": [*site.battery, OTHER], "conditions": CONDITIONS}


@virtual
async def test_each_has_its_own_charge_and_health(two: Site) -> None:
    async with rig(two, **both(two)) as it:
        assert [await it.look(bms, "soc") for bms in ("bms", "bms2")] == [80, 30]
        assert [await it.look(bms, "soh") for bms in ("bms", "bms2")] == [96, 70]
        cells = [one.battery.energy for one in it.simulated.world.plant.bess.values()]
        assert cells == [192_000, 70_000], "what is left of 200 and 100 kWh"


@virtual
async def test_the_meter_sees_the_sum_and_each_bms_its_own(two: Site) -> None:
    async with rig(two, **both(two)) as it:
        before = float(await it.look("meter", "p"))
        await it.tell("pcs", p_set=60_000.0)
        await it.tell("pcs2", p_set=-20_000.0)
        assert float(await it.look("meter", "p")) == pytest.approx(before - 40_000, abs=100)
        assert float(await it.look("bms", "i")) == pytest.approx(61_300 / 790, rel=0.02)
        assert float(await it.look("bms2", "i")) == pytest.approx(-19_600 / 790, rel=0.03)


@virtual
async def test_one_trips_and_the_other_goes_on(two: Site) -> None:
    async with rig(two, **both(two)) as it:
        for pcs in ("pcs", "pcs2"):
            await it.tell(pcs, p_set=20_000.0)
        it.on("bms:trips")
        await asyncio.sleep(1)
        assert [await it.look(pcs, "state") for pcs in ("pcs", "pcs2")] == ["fault", "running"]
        assert [await it.look(pcs, "p") for pcs in ("pcs", "pcs2")] == [0, pytest.approx(20_000, abs=50)]
        assert [await it.look(bms, "contactor") for bms in ("bms", "bms2")] == ["open", "closed"]


def test_a_device_of_no_battery_is_refused(two: Site) -> None:
    with pytest.raises(Trouble, match="device 'pcs2' belongs to no battery of the site file, whose pcs is pcs"):
        SimulatedSite(two)


def test_two_are_remembered_over_a_restart_and_live_through_a_past(two: Site) -> None:
    first = SimulatedSite(two, start=NOON, **both(two)).world.plant
    first.step(900, Surroundings(90_000, 0.5))
    second = SimulatedSite(two, start=NOON, batteries=[*two.battery, OTHER]).world.plant
    second.recall(first.remember())
    assert second.remember() == first.remember()
    assert [round(one.battery.soc) for one in second.bess.values()] == [77, 21], "the same energy in newer cells"


# an island --------------------------------------------------------------------------------------


@virtual
async def test_who_forms_a_grid_carries_the_load_and_who_follows_trips(two: Site) -> None:
    async with rig(two, **both(two), start=NOON.replace(hour=1), times=QUICK) as it:
        await it.act("pcs", Action.STOP)
        await asyncio.sleep(3)
        await it.act("pcs", Action.GRID_FORMING)
        await it.act("pcs", Action.START)
        await asyncio.sleep(5)
        await it.tell("pcs", p_set=-10_000.0)
        await it.tell("pcs2", p_set=5_000.0)
        it.on("meter:grid_lost")
        await asyncio.sleep(5)
        assert await it.look("pcs", "grid_state") == "islanded"
        assert [await it.look(pcs, "state") for pcs in ("pcs", "pcs2")] == ["running", "fault"]
        load = it.simulated.world.plant.load
        assert load > 10_000
        assert float(await it.look("pcs", "p")) == pytest.approx(load, abs=500), "whatever its setpoint says"
        assert (await it.look("meter", "p"), await it.look("meter", "f")) == (0, 0)
        assert await it.look("pcs", "f") == 50
        it.on("pcs2:panel_reset")
        await asyncio.sleep(1)
        await it.act("pcs2", Action.START)
        await asyncio.sleep(5)
        await it.tell("pcs2", p_set=5_000.0)
        await asyncio.sleep(1)
        load = it.simulated.world.plant.load
        assert float(await it.look("pcs2", "p")) == pytest.approx(5_000, abs=50), "it follows the grid of the other"
        assert float(await it.look("pcs", "p")) == pytest.approx(load - 5_000, abs=500)


@virtual
async def test_an_island_that_is_too_large_goes_dark(two: Site) -> None:
    """At noon the load is 400 kW."""
    async with rig(two, **both(two)) as it:
        await it.act("pcs", Action.STOP)
        await it.act("pcs", Action.GRID_FORMING)
        await it.act("pcs", Action.START)
        it.on("meter:grid_lost")
        await asyncio.sleep(1)
        assert await it.look("pcs", "state") == "fault"
        assert "output_over_load" in await it.look("pcs", "alarms_3")
        assert (await it.look("pcs", "p"), await it.look("pv", "p"), it.simulated.world.plant.load) == (0, 0, 0)


@virtual
async def test_a_black_start(two: Site) -> None:
    async with rig(two, "meter:grid_lost", **both(two), start=NOON.replace(hour=1)) as it:
        await asyncio.sleep(1)
        assert await it.look("pcs", "state") == "fault"
        for action in (Action.RESET, Action.GRID_FORMING, Action.START):
            await it.act("pcs", action)
        await asyncio.sleep(1)
        assert float(await it.look("pcs", "p")) == pytest.approx(it.simulated.world.plant.load, abs=500)
        assert it.simulated.world.plant.load > 10_000


# energy -----------------------------------------------------------------------------------------

ORDERS = st.sampled_from([None, *Order])
LIVES = st.lists(
    st.tuples(
        st.tuples(st.floats(-150_000, 150_000), st.floats(-80_000, 80_000)),
        st.tuples(ORDERS, ORDERS),
        st.sampled_from([None, Turn.OPEN, Turn.CLOSE]),
        st.booleans(),
        st.floats(0, 300_000),
        st.floats(0, 1),
        st.floats(0.05, 60),
    ),
    max_size=40,
)


@given(LIVES, st.booleans(), st.booleans())
def test_whatever_fails_no_energy_comes_from_nowhere(lives: list[Any], forming: bool, blind: bool) -> None:
    bess = {
        name: Bess(
            Battery(energy, rated, 0.5 * energy),
            Pcs(rated, rated, timeout=0.0, times=QUICK, forming=forming and name == "a", blind=blind),
            Contactor(QUICK),
        )
        for name, energy, rated in (("a", 200_000.0, 100_000.0), ("b", 70_000.0, 50_000.0))
    }
    plant = Plant(bess, {"pv": Pv(150_000, 150_000, QUICK.observe)})
    start = sum(one.battery.stored for one in bess.values())
    converted = through = 0.0
    for powers, orders, turn, plant.grid_lost, load, sun, dt in lives:
        for one, power, order in zip(bess.values(), powers, orders, strict=True):
            one.pcs.p_set = power
            if order is not None:
                one.pcs.order(order)
        if turn is not None:
            plant.first.contactor.turn(turn)
        plant.step(dt, Surroundings(load, sun))
        converted += sum(one.pcs.dc - one.pcs.p for one in bess.values()) * dt / 3600
        through += plant.battery_power * dt / 3600
        assert plant.load - plant.sun_power - plant.battery_power == pytest.approx(plant.grid, abs=1e-6)
        for one in bess.values():
            assert one.contactor.closed or one.battery.current == 0, "nothing flows through an open contactor"
    lost = sum(one.battery.lost for one in bess.values())
    cells = start - sum(one.battery.stored for one in bess.values())
    assert cells == pytest.approx(through + converted + lost, abs=0.01)
    produced = plant.pv["pv"].energy
    assert plant.e_import - plant.e_export + produced + through == pytest.approx(plant.e_load, abs=0.01)
