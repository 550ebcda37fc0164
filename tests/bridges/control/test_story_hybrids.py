"""Hybrids, in virtual time: one device is inverter, battery and PV, and tells the limits of its cells itself."""

from pathlib import Path
from textwrap import dedent

import pytest

from schemas.messages import Cause
from schemas.site_file import load_site
from simulator.plant import Surroundings
from tests.bridges.control.story import Story, story
from tests.virtual import virtual

PROFILES = ("goodwe_et", "sungrow_sh", "huawei_sun2000_luna")
SITE = """
    site = "hybrid"
    tariff = "tariff.toml"
    grid = {{ meter = "meter", import_limit = 20e3, export_limit = 20e3 }}

    [battery]
    pcs = "pcs"
    energy = 10e3
    ramp = 100e3
    {more}

    [[device]]
    name = "pcs"
    profile = "{profile}"
    address = "tcp://127.0.0.1:15021"
    rated_power = 10e3

    [[device]]
    name = "meter"
    profile = "janitza_umg96rme"
    address = "tcp://127.0.0.1:15023"
    """
NIGHT = Surroundings(6e3, 0.0)
NOON = Surroundings(2e3, 0.8)


def written(folder: Path, profile: str, more: str = "") -> Path:
    path = folder / "site.toml"
    path.write_text(dedent(SITE).format(profile=profile, more=more), encoding="utf-8")
    return path


def allowed(it: Story) -> float:
    battery = it.simulated.world.plant.battery
    return 0.95 * battery.dcl * battery.voltage


async def settled(it: Story, power: float) -> float:
    """What it gives when it was told often enough; its register is written seldom."""
    await it.steer(power, 12)
    return it.power


@pytest.mark.parametrize("profile", PROFILES)
@virtual
async def test_a_hybrid_is_a_battery_without_a_bms(tmp_path: Path, profile: str) -> None:
    async with story(tmp_path, file=written(tmp_path, profile), around=lambda _: NIGHT) as it:
        assert await settled(it, 4e3) == pytest.approx(4e3, rel=0.03)
        assert it.states()[-1] in ("applied", "verified")
        assert it.causes() == []
        it.simulated.world.plant.battery.dcl = 3.0
        await it.steer(4e3, 12)
        assert it.power <= allowed(it) + 100, "its own limits hold"
        assert "bms:current" in {limit.source for said in it.said() for limit in said.limited_by}


@pytest.mark.parametrize("profile", PROFILES)
@virtual
async def test_a_full_hybrid_takes_nothing_more(tmp_path: Path, profile: str) -> None:
    async with story(tmp_path, file=written(tmp_path, profile), soc=95.0, around=lambda _: NIGHT) as it:
        assert await settled(it, -3e3) == pytest.approx(0.0, abs=50)
        assert "battery:soc" in {limit.source for said in it.said() for limit in said.limited_by}


@pytest.mark.parametrize("profile", PROFILES)
@virtual
async def test_its_sun_is_no_smaller_load_and_leaves_the_connection_its_room(tmp_path: Path, profile: str) -> None:
    """8 kW of sun and a load of 2 kW feed 6 kW: behind an export limit of 7 kW the battery gives 1 kW more."""
    file = written(tmp_path, profile)
    async with story(tmp_path, file=file, grid={"export_limit": 7e3}, around=lambda _: NOON) as it:
        assert await settled(it, 6e3) == pytest.approx(1e3, abs=250)
        assert -it.grid <= 7e3 + 250
        values = it.bridge.latest.since("pcs", 0.0)
        sun = sum(float(str(values[point])) for _, point in it.site.pv_points)
        assert sun == pytest.approx(8e3, rel=0.03)


@virtual
async def test_a_limit_that_cannot_be_is_none_and_the_battery_rests(tmp_path: Path) -> None:
    file = written(tmp_path, "sungrow_sh")
    profile = load_site(file).profiles["pcs"]
    odd = profile.points["dcl"].model_copy(update={"high": 1.0})
    profiles = {"pcs": profile.model_copy(update={"points": profile.points | {"dcl": odd}})}
    async with story(tmp_path, file=file, profiles=profiles, around=lambda _: NIGHT) as it:
        assert await settled(it, 4e3) == pytest.approx(0.0, abs=50)
        assert it.said()[-1].cause == Cause.BMS_MISSING
        assert it.causes() == ["critical_point", "doubted_values"], "and the device says which"


@virtual
async def test_limits_of_the_site_file_hold_where_the_map_has_none(tmp_path: Path) -> None:
    more = "charge_limit = 2e3\ndischarge_limit = 3e3"
    async with story(tmp_path, file=written(tmp_path, "goodwe_et", more), around=lambda _: NIGHT) as it:
        assert await settled(it, 5e3) == pytest.approx(0.95 * 3e3, rel=0.03)
