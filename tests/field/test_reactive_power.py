"""The reactive power at the connection point, from batteries and PV together: issue 9 names it of every site whose
network operator wants one (VDE-AR-N 4105 and 4110). In virtual time: the real bridge and desk, the simulator's physics.

A PV inverter of SunSpec's model 123 takes a power factor and counts it by the EEI: Fronius 42,0410,2049, "sign
convention for the power factor", https://www.fronius.com/QR-link/0006.
"""

import math
from pathlib import Path
from typing import Any

import pytest

from schemas.profiles import load_profile
from schemas.site_reactive import Reactive
from tests.field.curtailed import CurtailedSite, curtailed
from tests.virtual import virtual

AT_METER = {"reactive": Reactive(meter_power_factor=0.99), "export_limit": 150e3}
BAND = math.tan(math.acos(0.99))
SUN = 0.6
"""90 kW of PV; the load of 160 kW draws 40 kvar."""
SITE: dict[str, Any] = {"load": 160e3, "sun": SUN, "soc": 5.0, "grid": AT_METER}


def drawn(it: CurtailedSite) -> float:
    """var at the connection point."""
    return it.it.simulated.world.reactive


def given(it: CurtailedSite) -> tuple[float, float]:
    """var of PV and battery."""
    plant = it.it.simulated.world.plant
    return plant.pv["pv"].q, plant.pcs.q


def allowed(it: CurtailedSite) -> float:
    return BAND * abs(it.it.grid)


@virtual
async def test_pv_and_battery_hold_the_power_factor_together(tmp_path: Path) -> None:
    async with curtailed(tmp_path, **SITE) as it:
        await it.live(20)
        assert drawn(it) < 40e3, "what they give is less drawn"
        await it.live(90)
        assert abs(drawn(it)) <= 1.1 * allowed(it)
        assert min(given(it)) > 5e3, "both take part"
        assert it.said_of("pv") <= {"applied", "verified"}, "and nothing complains"
        assert it.it.causes("pv") == []
        it.sun = 0.8
        await it.live(100)
        assert abs(drawn(it)) <= 1.1 * allowed(it), "the power factor of the PV follows its power"
        it.sends = False
        await it.live(20)  # a command lives for 10 s
        assert given(it) == (0.0, 0.0), "without dispatch it goes back to what is declared safe"


@pytest.mark.parametrize("lost", ["pv:silent", "pcs:silent"])
@virtual
async def test_one_is_lost_and_the_other_takes_over(tmp_path: Path, lost: str) -> None:
    async with curtailed(tmp_path, **SITE) as it:
        await it.live(50)
        it.it.simulated.faults.on(lost)
        await it.live(100)
        assert abs(drawn(it)) <= 1.1 * allowed(it)
        plant = it.it.simulated.world.plant
        assert math.hypot(plant.pcs.p, plant.pcs.q) <= 1.001 * plant.pcs.apparent, "inside its circle"
        assert abs(plant.pv["pv"].q) <= 0.76 * plant.pv["pv"].p, "no power factor below 0.8"


@virtual
async def test_one_that_does_not_give_it_is_named_and_the_other_gives_it(tmp_path: Path) -> None:
    rule = {"reactive": Reactive(q=30e3), "export_limit": 150e3}
    async with curtailed(tmp_path, **SITE | {"grid": rule}) as it:
        await it.live(20)
        assert sum(given(it)) == pytest.approx(30e3, rel=0.03)
        it.it.simulated.faults.on("pv:ignores_q")
        await it.live(90)
        assert "kvar it is told" in it.desk.detail
        assert "not_obeyed" in it.said_of("pv"), "and the bridge says so"
        pv, battery = given(it)
        assert (pv, battery) == pytest.approx((0.0, 30e3), rel=0.05)
        it.it.simulated.faults.off("pv:ignores_q")
        await it.live(30)
        assert "kvar" not in it.desk.detail
        assert sum(given(it)) == pytest.approx(30e3, rel=0.03)


@virtual
async def test_what_enables_a_power_factor_is_renewed_and_given_again(tmp_path: Path) -> None:
    rule = {"reactive": Reactive(q=40e3), "export_limit": 150e3}
    async with curtailed(tmp_path, "pv:reverts", **SITE | {"grid": rule}) as it:
        await it.live(10)
        for _ in range(45):
            await it.live(1)
            assert sum(given(it)) == pytest.approx(40e3, rel=0.1), "its timer of 30 s never ends"
        it.it.simulated.faults.on("pv:clears_enable")
        await it.live(5)
        assert sum(given(it)) == pytest.approx(40e3, rel=0.1)


@virtual
async def test_a_pv_inverter_that_sleeps_is_left_alone(tmp_path: Path) -> None:
    async with curtailed(tmp_path, **SITE | {"sun": 0.0}) as it:
        await it.live(100)
        assert "pv" not in it.desk.reactive.told
        assert abs(drawn(it)) <= 1.1 * allowed(it), "the battery gives it alone"


@pytest.mark.parametrize("name", ["sunspec_pv", "sunspec_pv_101", "sunspec_pv_102"])
def test_an_over_excited_inverter_reads_a_negative_number(name: str) -> None:
    command = load_profile(name).commands["pf_set"]
    assert (command.scale, command.enable, command.fallback) == (-1, 14, 1)
    assert command.reverts is not None
    assert command.reverts.register_ == 12
