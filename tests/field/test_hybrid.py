"""Hybrids: inverter, battery and PV in one unit, as people have them. Case 06.

https://github.com/OpenEMS/openems/pull/3994 and https://github.com/evcc-io/evcc/pull/12833: GoodWe, Huawei and Sungrow
give the battery, the limits of its BMS and the PV through one unit; drivers read all of it from there.
"""

from pathlib import Path

import pytest

from joulebus.cli import main

ROOT = Path(__file__).parents[2]
SITE = """
site = "home"
tariff = "{tariff}"

[grid]
meter = "meter"
import_limit = 40_000
export_limit = 10_000

[battery]
pcs = "hybrid"
energy = 10_000

[[device]]
name = "hybrid"
profile = "{profile}"
address = "tcp://127.0.0.1:1502"
unit = 247
rated_power = 10_000

[[device]]
name = "meter"
profile = "eastron_sdm630"
address = "tcp://127.0.0.1:1503"
"""


@pytest.mark.parametrize("profile", ["goodwe_et", "huawei_sun2000_luna", "sungrow_sh"])
def test_a_hybrid_is_one_line_of_the_site_file(
    tmp_path: Path, profile: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(profile=profile, tariff=ROOT / "tariff.toml"), encoding="utf-8")
    assert main(["check", str(path)]) == 0
    assert "battery of hybrid, 10 kWh" in capsys.readouterr().out
