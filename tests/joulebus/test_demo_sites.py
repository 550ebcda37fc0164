"""Sites of other shapes as whole processes: without any battery, and with two PCS on two racks beside a hybrid."""

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from joulebus.server import free_port
from tests import web
from tests.joulebus.test_demo import EIGHT, REPOSITORY, all_online, demo, until

HEAD = """
site = "{name}"
time_zone = "Europe/Berlin"
tariff = "{tariff}"
grid = {{ meter = "meter", import_limit = 500e3, export_limit = 150e3 }}
"""
BATTERIES = """
[[battery]]
name = "hall"
pcs = ["pcs", "pcs2"]
bms = ["bms", "bms2"]
energy = 200e3
chemistry = "lfp"
ramp = 50e3
[[battery]]
name = "roof"
pcs = "hybrid"
energy = 20e3
"""
KINDS = {
    "meter": "janitza_umg96rme", "pv": "sunspec_pv", "pcs": "sinexcel_pws2", "bms": "pylontech_powercube_m2",
    "pcs2": "kaco_gridsave", "bms2": "byd_c130", "hybrid": "goodwe_et",
}  # fmt: skip


def written(folder: Path, name: str, more: str, *devices: str) -> Path:
    text = HEAD.format(name=name, tariff=REPOSITORY / "tariff.toml") + more
    for device in devices:
        text += f'\n[[device]]\nname = "{device}"\nprofile = "{KINDS[device]}"\npoll = 0.5\nrated_power = 50e3\n'
        text += f'address = "tcp://127.0.0.1:{free_port()}"\n'
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return path


def state(port: int) -> dict[str, Any]:
    found: dict[str, Any] = web.get(f"http://127.0.0.1:{port}/api/state", timeout=2).json()
    return found


def details(port: int) -> dict[str, str]:
    return {one["service"]: one["detail"] for one in state(port)["services"]}


@pytest.mark.slow
def test_a_site_without_a_battery_is_watched_by_every_part(tmp_path: Path) -> None:
    port = free_port(EIGHT)
    with demo(tmp_path, written(tmp_path, "watched", "", "meter", "pv"), port, "--json", "--past", "1") as process:
        until(partial(all_online, port), 120)
        until(lambda: state(port)["flow"]["load"]["state"] == "live", 20)
        until(lambda: "no battery" in details(port)["dispatch"], 20)
        until(lambda: details(port)["optimize"] == "no battery: nothing to plan", 20)
        assert web.get(f"http://127.0.0.1:{port}/", timeout=5).status_code == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=150)
    said = json.loads(out.splitlines()[-1])
    assert said["published"] == said["archived"] > 10, err
    assert (said["failed"], said["commands"]["sent"]) == ([], 0)


@pytest.mark.slow
def test_two_pcs_on_two_racks_and_a_hybrid_are_steered_together(tmp_path: Path) -> None:
    port = free_port(EIGHT)
    devices = ("meter", "pcs", "bms", "pcs2", "bms2", "hybrid")
    with demo(tmp_path, written(tmp_path, "mixed", BATTERIES, *devices), port, "--json", "--past", "1") as process:
        until(partial(all_online, port), 120)
        until(lambda: all(one["dispatch"] for one in state(port)["batteries"]), 60)
        names = [one["battery"] for one in state(port)["batteries"]]
        assert names == ["hall-pcs", "hall-pcs2", "roof"]
        until(lambda: state(port)["plan"] is not None, 90)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=150)
    said = json.loads(out.splitlines()[-1])
    assert said["commands"]["verified"] > 0, err
    assert (said["lost"], said["duplicated"], said["failed"]) == (0, 0, [])
