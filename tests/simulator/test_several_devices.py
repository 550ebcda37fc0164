"""A unit that is several devices: a hybrid with its battery, an inverter with the meters of its chain."""

from pathlib import Path

import pytest

from bridges.fieldbus.modbus.site_lines import modbus_devices
from schemas.site_file import load_site
from simulator.build import Condition
from simulator.service import SimulatedSite

BMS = """\
make = "GoodWe"
model = "ET battery"
kind = "bms"
source = "as in goodwe_et"
[points]
u = { register = 35180, scale = 0.1, unit = "V" }
ccl = { register = 37004, unit = "A" }
dcl = { register = 37005, unit = "A" }
soc = { register = 37007, unit = "%" }
"""
SITE = """\
site = "several"
tariff = "tariff.toml"
[grid]
meter = "grid"
import_limit = 50e3
export_limit = 50e3
[battery]
pcs = "pcs"
bms = "bms"
energy = 20e3
"""


def block(name: str, profile: str, unit: int, more: str = "") -> str:
    return (
        f'[[device]]\nname = "{name}"\nprofile = "{profile}"\naddress = "tcp://127.0.0.1:502"\nunit = {unit}\n{more}\n'
    )


@pytest.mark.parametrize("order", [1, -1], ids=["the hybrid first", "its battery first"])
async def test_each_is_read_where_it_stands(tmp_path: Path, order: int) -> None:
    """And told there: the limit of the inverter does not reach the meters."""
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "goodwe_bms.toml").write_text(BMS, encoding="utf-8")
    (tmp_path / "tariff.toml").write_text("[[import.period]]\nprice = 0.3\n", encoding="utf-8")
    blocks = [
        block("pcs", "goodwe_et", 247, "rated_power = 10e3"),
        block("bms", "goodwe_bms", 247),
        block("grid", "sunspec_meter_203", 1, "instance = 2"),
        block("pv", "sunspec_pv", 1, "rated_power = 30e3"),
        block("production", "sunspec_meter_203", 1, "instance = 1"),
    ]
    (tmp_path / "site.toml").write_text(SITE + "\n".join(blocks[::order]), encoding="utf-8")
    site = load_site(tmp_path / "site.toml")
    around = {"pcs": Condition(soc=40.0)}
    async with SimulatedSite(site, free_ports=True, conditions=around) as simulated:
        found = {one.name: one for one in modbus_devices(simulated.site)}
        assert len({id(one.line) for one in found.values()}) == 1
        seen = {name: (await one.read()).values for name, one in found.items()}
        assert seen["bms"]["soc"] == pytest.approx(40, abs=1)
        assert {"ccl", "dcl", "u"} <= seen["bms"].keys()
        assert seen["pcs"]["soc"] == seen["bms"]["soc"]
        assert {"p", "f"} <= seen["pcs"].keys()
        chain = {name: found[name]._writer.bases for name in ("pv", "production", "grid")}
        assert len({one[1] for one in chain.values()}) == 3, "each has a model 1 of its own"
        assert chain["production"][203] < chain["grid"][203]
        assert await found["pv"].write("p_limit_pct", 30.0)
        assert (await found["pv"].read()).values["p_limit_pct"] == 30.0
        for one in found.values():
            one.close()
