"""Flexible loads from the desk of dispatch through the real bridge into registers and physics, in virtual time.

A room that must not get cold, and a load that nobody may start too often, as the thermal and deferrable loads of
https://github.com/davidusb-geek/emhass; a person at the switch, whom no controller may fight.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from schemas.messages import LoadStep, Plan
from schemas.topics import COMMAND_TTL
from tests.bridges.control.story import DEMO
from tests.field.curtailed import CurtailedSite, curtailed
from tests.virtual import loop, virtual

HEATER = """
make = "test"
model = "heater with a relay"
kind = "load"
source = "this test"
[points]
p = { register = 0, type = "i32", unit = "W" }
t = { register = 2, type = "i16", scale = 0.01, unit = "degC" }
switch = { register = 3 }
[commands]
switch = { register = 3, low = 0, high = 1, fallback = 0 }
"""
CHARGER = """
make = "test"
model = "charger that takes a power"
kind = "load"
source = "this test"
[points]
p = { register = 0, type = "i32", unit = "W" }
p_set = { register = 2, type = "i32", unit = "W" }
[commands]
p_set = { register = 2, type = "i32", unit = "W", low = 0, high = 1, fallback = 0 }
"""
SITE = """
[[device]]
name = "charger"
profile = "charger"
address = "tcp://127.0.0.1:15042"
rated_power = 22_000
[[load]]
device = "charger"
energy = 20e3
deadline = "06:00"
least = 20
minimum_on = 30
fallback = "off"
sheds = true
[[device]]
name = "heater"
profile = "heater"
address = "tcp://127.0.0.1:15041"
rated_power = 10_000
[[load]]
device = "heater"
minimum_off = 20
fallback = "on"
comfort = { point = "t", low = 18, high = 22, time_constant = 0.02, rest = 5, per_kw = 3 }
"""
SWITCH = 3


def heated(folder: Path, band: str = "low = 18, high = 22") -> Path:
    (folder / "profiles").mkdir()
    (folder / "profiles" / "heater.toml").write_text(HEATER, encoding="utf-8")
    (folder / "profiles" / "charger.toml").write_text(CHARGER, encoding="utf-8")
    text = DEMO.read_text().replace('"../tariff.toml"', f'"{DEMO.parents[1] / "tariff.toml"}"')
    file = folder / "heated.toml"
    file.write_text(text + SITE.replace("low = 18, high = 22", band))
    return file


def planned(it: CurtailedSite, power: float, load: str = "heater") -> None:
    now = loop().wall()
    steps = {load: [LoadStep(at=now, seconds=7200, power=power)]}
    until = now + timedelta(hours=2)
    it.desk.plans.hear(
        Plan(id=f"{now}", at=now, until=until, currency="EUR", steps=[], cost=0, cost_idle=0, loads=steps), now
    )


@virtual
async def test_a_heater_is_told_by_the_plan_and_its_room_stays_in_its_band(tmp_path: Path) -> None:
    async with curtailed(tmp_path, file=heated(tmp_path), sun=0.0, export_limit=150e3) as it:
        heater, clock = it.it.simulated.world.plant.driven["heater"], loop().time
        assert heater.told == 1.0
        planned(it, 0.0)
        await it.live(5)
        assert (heater.told, heater.p) == (0.0, 0.0)
        assert "verified" in it.said_of("heater")
        began, told = clock(), list[tuple[float, float]]()
        while clock() - began < 35:
            await it.live(1)
            told.append((heater.told, heater.value or 0.0))
        cold = next(n for n, (_, value) in enumerate(told) if value < 18.0)
        warm = next(n for n, (on, _) in enumerate(told) if on)
        assert 0 < warm - cold < 20, "cold before its minimum time off is over: heated as soon as it may be"
        assert warm >= 15
        assert {one.values[0] for one in it.it.simulated.written if one.device == "heater"} == {0, 1}


@virtual
async def test_without_a_command_it_goes_to_its_fallback(tmp_path: Path) -> None:
    async with curtailed(tmp_path, file=heated(tmp_path), sun=0.0, export_limit=150e3) as it:
        heater = it.it.simulated.world.plant.driven["heater"]
        planned(it, 0.0)
        await it.live(6)
        assert heater.told == 0.0
        it.sends = False
        await it.live(COMMAND_TTL + 2)
        assert heater.told == 1.0


@virtual
async def test_more_than_it_can_take_is_clamped(tmp_path: Path) -> None:
    async with curtailed(tmp_path, file=heated(tmp_path), sun=0.0, export_limit=150e3) as it:
        it.sends = False
        command = it.it.command("heater", values={"switch": 7.0})
        await it.live(3)
        assert it.it.states(command, "heater")[-1] == "limited"
        assert [one.source for one in it.it.said(command, "heater")[-1].limited_by] == ["heater:range"]


@pytest.mark.parametrize("by_hand", [0, 1])
@virtual
async def test_a_person_at_the_device_is_not_fought(tmp_path: Path, by_hand: int) -> None:
    """Off at the device, also to 0 where another device would be taken to have been through a power cycle."""
    file = heated(tmp_path, "low = -40, high = 90").read_text().replace("minimum_off = 20", "")
    (tmp_path / "heated.toml").write_text(file)
    async with curtailed(tmp_path, file=tmp_path / "heated.toml", sun=0.0, export_limit=150e3) as it:
        heater = it.it.simulated.world.plant.driven["heater"]
        planned(it, 10e3 * (1 - by_hand))
        await it.live(8)
        assert heater.told == 1 - by_hand
        it.it.simulated.devices["heater"].write(16, SWITCH, [by_hand])
        began = loop().time()
        await it.live(10)
        assert heater.told == by_hand
        assert it.writes(began, "heater") == 0
        assert "foreign_change" in it.said_of("heater")
        assert "somebody has switched it at the device" in it.desk.loads.told["heater"].complaint
        it.sends = False
        await it.live(COMMAND_TTL + 5)
        assert heater.told == by_hand, "neither by its fallback"


@virtual
async def test_a_charger_takes_the_power_it_is_told_and_is_read_back(tmp_path: Path) -> None:
    """Half of its rating by the plan, less where less fits under the import limit, 0 without commands."""
    grid = {"import_limit": 60e3}
    async with curtailed(
        tmp_path, file=heated(tmp_path), sun=0.0, soc=5.0, load=20e3, export_limit=150e3, grid=grid
    ) as it:
        charger = it.it.simulated.world.plant.driven["charger"]
        assert (charger.told, charger.p) == (0.0, 0.0)
        planned(it, 11e3, "charger")
        await it.live(6)
        assert (charger.told, charger.p) == (11e3, 11e3)
        assert "verified" in it.said_of("charger")
        it.load = 42e3
        await it.live(8)
        assert 0.2 * 22e3 <= charger.told <= 8e3, "10 kW of the heater and 42 kW stay"
        assert it.it.grid <= 60e3
        told = charger.told
        await it.live(20)
        assert charger.told == told, "it is not raised each 2 s"
        it.sends = False
        await it.live(COMMAND_TTL + 2)
        assert (charger.told, charger.p) == (0.0, 0.0)


@virtual
async def test_a_charger_that_is_not_read_is_told_nothing_and_its_register_is_left(tmp_path: Path) -> None:
    """Its line is cut: no command goes out, and when it is back it goes on with its minimum time."""
    async with curtailed(tmp_path, file=heated(tmp_path), sun=0.0, export_limit=150e3) as it:
        charger = it.it.simulated.world.plant.driven["charger"]
        planned(it, 22e3, "charger")
        await it.live(6)
        assert charger.told == 22e3
        planned(it, 0.0, "charger")
        it.it.simulated.faults.on("charger:silent")
        await it.live(10)
        assert it.desk.loads.told["charger"].reason == "no command: it does not answer"
        assert it.desk.loads.told["charger"].state is None
        it.it.simulated.faults.off("charger:silent")
        await it.live(15)
        assert it.desk.loads.told["charger"].state is not None
        await it.live(40)
        assert charger.told == 0.0


@virtual
async def test_a_charger_without_a_car_and_one_that_somebody_stops_are_said(tmp_path: Path) -> None:
    async with curtailed(tmp_path, "charger:idle", file=heated(tmp_path), sun=0.0, export_limit=150e3) as it:
        charger = it.it.simulated.world.plant.driven["charger"]
        planned(it, 22e3, "charger")
        await it.live(30)
        assert (charger.told, charger.p) == (22e3, 0.0)
        assert "the measured power stays at 0 W" in it.desk.loads.told["charger"].complaint
        it.it.simulated.faults.off("charger:idle")
        it.it.simulated.faults.on("charger:weak", 0.5)
        await it.live(6)
        assert charger.p == 11e3
        it.it.simulated.faults.on("charger:by_hand")
        await it.live(6)
        assert charger.told == 0.0
        assert "somebody has switched it at the device" in it.desk.loads.told["charger"].complaint
