"""Hybrids, in virtual time: one device is inverter, battery and PV, and tells the limits of its cells itself."""

from pathlib import Path
from textwrap import dedent

import pytest

from bridges.control.interlock_rules import rules_for
from schemas.messages import Cause
from schemas.site_file import load_site
from schemas.units import Kind
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


def test_the_cells_of_a_hybrid_are_guarded_where_its_pcs_tells_them(tmp_path: Path) -> None:
    cells = 'chemistry = "lfp"\n    charge_limit = 5e3\n    discharge_limit = 5e3'
    path = written(tmp_path, "foxess_h3_pro", cells)
    path.write_text('mode = "read_only"\n' + path.read_text(encoding="utf-8"), encoding="utf-8")
    site = load_site(path)
    names = {lock.name for lock in rules_for(site, site.units[0]) if lock.rule.kind is Kind.BMS}
    hot = {"cell_warm", "cell_too_hot", "cell_heats_up", "cells_unevenly_warm"}
    assert names == {f"{name}-pcs" for name in hot | {"cell_freezes"}}


@pytest.mark.parametrize("profile", PROFILES)
@virtual
async def test_a_full_hybrid_takes_nothing_more(tmp_path: Path, profile: str) -> None:
    async with story(tmp_path, file=written(tmp_path, profile), soc=95.0, around=lambda _: NIGHT) as it:
        assert await settled(it, -3e3) == pytest.approx(0.0, abs=50)
        assert "battery:soc" in {limit.source for said in it.said() for limit in said.limited_by}


@pytest.mark.parametrize("profile", PROFILES)
@virtual
async def test_its_sun_is_no_smaller_load_and_leaves_the_connection_its_room(tmp_path: Path, profile: str) -> None:
    """8 kW of sun and a load of 2 kW feed 6 kW: behind an export limit of 7 kW the battery gives 1 kW more, or less for
    a while where its register wears and was narrowed twice."""
    file = written(tmp_path, profile)
    async with story(tmp_path, file=file, grid={"export_limit": 7e3}, around=lambda _: NOON) as it:
        least = -50 if it.bridge.readers["pcs"].device.commands["p_set"].wears else 750
        assert least <= await settled(it, 6e3) <= 1250
        assert -it.grid <= 7e3 + 250
        values = it.bridge.latest.since("pcs", 0.0)
        sun = sum(float(str(values[point])) for _, point in it.site.pv_points)
        assert sun == pytest.approx(8e3, rel=0.03)


@pytest.mark.parametrize("profile", PROFILES)
@virtual
async def test_battery_and_sun_share_one_inverter(tmp_path: Path, profile: str) -> None:
    """8 kW of sun through an inverter of 10 kW: the battery is told 2, does it, and nobody says it does not obey."""
    file = written(tmp_path, profile)
    async with story(tmp_path, file=file, grid={"export_limit": 20e3}, around=lambda _: NOON) as it:
        assert await settled(it, 6e3) == pytest.approx(2e3, abs=250)
        assert {limit.source for said in it.said() for limit in said.limited_by} == {"pcs:own_pv"}
        assert "not_obeyed" not in it.states()
        assert len(it.simulated.written) <= 4, "the sun flickers, and no register is worn to follow it"


@virtual
async def test_the_sun_rises_while_the_register_may_not_be_written(tmp_path: Path) -> None:
    """It was told 6 kW in the morning, and its register wears: it gives 2, and that is no disobedience."""
    sky = [NIGHT]
    file = written(tmp_path, "sungrow_sh")
    async with story(tmp_path, file=file, grid={"export_limit": 20e3}, around=lambda _: sky[0]) as it:
        assert await settled(it, 6e3) == pytest.approx(6e3, rel=0.03)
        sky[0], writes = NOON, len(it.simulated.written)
        await it.steer(6e3, 60)
        assert it.power == pytest.approx(2e3, abs=250)
        assert "not_obeyed" not in it.states()
        assert it.causes() == []
        assert len(it.simulated.written) <= writes + 1


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
