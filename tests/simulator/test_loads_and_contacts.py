"""Loads that are measured apart, and a box of contacts, seen through registers."""

from pathlib import Path

import pytest

from schemas.site_file import load_site
from simulator.plant import MEASURED
from tests.simulator.rig import rig
from tests.virtual import virtual

CHILLER = """
make = "test"
model = "load meter"
kind = "load"
source = "this test"

[points]
p = { register = 0, type = "i32", unit = "W" }
e_import = { register = 2, type = "u32", scale = 100, unit = "Wh" }
state = { register = 4, enum = { 0 = "off", 1 = "running" } }
"""
BOX = """
make = "test"
model = "box"
kind = "sensor"
source = "this test"

[points]
k1 = { register = 0, enum = { 0 = "open", 1 = "closed" } }
k2 = { register = 1, enum = { 0 = "open", 1 = "closed" } }
doors = { register = 2, flags = { 0 = "front", 3 = "back" } }
t = { register = 3, type = "i16", scale = 0.1, unit = "degC" }
"""
MORE = """
[[device]]
name = "chiller"
profile = "load_meter"
address = "tcp://127.0.0.1:15031"
rated_power = 50_000

[[device]]
name = "oven"
profile = "load_meter"
address = "tcp://127.0.0.1:15032"
rated_power = 100_000

[[device]]
name = "box"
profile = "box"
address = "tcp://127.0.0.1:15033"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "load_meter.toml").write_text(CHILLER, encoding="utf-8")
    (tmp_path / "profiles" / "box.toml").write_text(BOX, encoding="utf-8")
    root = Path(__file__).parents[2]
    (tmp_path / "tariff.toml").write_text((root / "tariff.toml").read_text(encoding="utf-8"), encoding="utf-8")
    text = (root / "tests" / "one_battery.toml").read_text(encoding="utf-8")
    (tmp_path / "site.toml").write_text(text + MORE, encoding="utf-8")
    return tmp_path


@virtual
async def test_loads_draw_their_parts_of_what_the_site_takes(folder: Path) -> None:
    async with rig(load_site(folder / "site.toml")) as it:
        powers = [await it.look(load, "p") for load in ("chiller", "oven")]
        whole = it.simulated.world.plant.load
        assert sum(powers) == pytest.approx(min(MEASURED * whole, 150e3), rel=0.05)
        assert powers[1] == pytest.approx(2 * powers[0], rel=0.05)
        assert await it.look("oven", "state") == "running"


@virtual
async def test_the_contacts_of_a_box_rest_until_a_fault_says_otherwise(folder: Path) -> None:
    async with rig(load_site(folder / "site.toml"), "box:k2_closed", "box:doors_back") as it:
        assert [await it.look("box", point) for point in ("k1", "k2", "doors")] == ["open", "closed", ["back"]]
        assert await it.look("box", "t") == pytest.approx(22, abs=1)
        it.off("box:k2_closed")
        it.on("box:k1_closed")
        assert [await it.look("box", point) for point in ("k1", "k2")] == ["closed", "open"]


@virtual
async def test_the_counter_of_a_load_is_remembered(folder: Path, tmp_path: Path) -> None:
    site = load_site(folder / "site.toml")
    async with rig(site, memory=tmp_path / "memory.json") as it:
        it.simulated.world.plant.e_loads["oven"] = 5e6
        before = await it.look("oven", "e_import")
    async with rig(site, memory=tmp_path / "memory.json") as it:
        assert await it.look("oven", "e_import") >= before >= 5e6
