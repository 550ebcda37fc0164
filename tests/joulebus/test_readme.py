"""The README as a person lives it: its commands are run, and what it says one sees is what is seen.

The rest of a first hour stands beside it: one battery is silent or trips, the other goes on, and the page says why.
"""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from joulebus.parts import SERVICES
from joulebus.server import free_port
from schemas.site_file import load_site
from schemas.units import utc_now
from tests import web
from tests.joulebus.readme import ACTIVATE, begun, cloned, end, family, lines, running, said
from tests.joulebus.test_demo import EIGHT, all_online, archive_is_calm, demo_site, until
from tests.mosquitto.client import Client
from tests.timed import long

WANTED = 150e3
"""W: more than either can, so that both must work."""
FILLED = {"time_zone": '"Europe/Berlin"', "import_limit": "500e3", "export_limit": "150e3", "energy": "200e3",
          "rated_power": "100e3"}  # fmt: skip
"""What the owner of the site knows, and no register says."""


def page(port: int) -> dict[str, Any]:
    found: dict[str, Any] = web.get(f"http://127.0.0.1:{port}/api/state", timeout=2).json()
    return found


def batteries(port: int) -> dict[str, dict[str, Any]]:
    """What the page shows of each, by its name."""
    return {one["battery"]: one for one in page(port)["batteries"]}


def power(port: int, name: str) -> float:
    """W of a battery, live."""
    one = batteries(port)[name]["power"]
    return float(one["value"]) if one["state"] == "live" else 0.0


def ask(port: int) -> None:
    """Both are to work, by hand."""
    ends = (utc_now() + timedelta(minutes=15)).isoformat()
    asks = {"mode": "manual", "power": WANTED, "who": "anna", "why": "both", "until": ends}
    headers = {"x-joulebus": "page"}
    assert web.post(f"http://127.0.0.1:{port}/api/control", json=asks, headers=headers, timeout=5).is_success


def both_work(port: int) -> None:
    ask(port)
    until(lambda: min(power(port, name) for name in ("hall", "yard")) > 40e3, 40)


def listener(clone: Path, log: Path) -> Client:
    """A client of the demo's broker, which its first lines and its folder tell of."""
    port = re.search(r"the broker is at 127\.0\.0\.1:(\d+)", log.read_text(encoding="utf-8"))
    password = (clone / ".run/demo/broker/secrets/passwords/scada").read_text(encoding="utf-8")
    assert port
    return Client.of(f"mqtt://scada:{password}@127.0.0.1:{port[1]}", "scada")


class Faults:
    """The lines of the README that switch faults, at the demo of the test."""

    def __init__(self, clone: Path, port: int) -> None:
        self.clone, self.port = clone, port
        activate, self.list, self.on, self.off = lines("What you now see")
        assert activate == ACTIVATE

    def say(self, line: str) -> str:
        return said(line.replace("127.0.0.1:8081", f"127.0.0.1:{self.port + 1}"), self.clone)


@pytest.mark.slow
def test_what_the_readme_shows_is_what_one_sees(tmp_path: Path) -> None:
    clone, port, log = cloned(tmp_path), free_port(EIGHT), tmp_path / "demo.log"
    site = load_site(demo_site(clone))
    faults = Faults(clone, port)
    with running(demo_line(port), clone, log, activated=False) as demo:
        until(partial(all_online, port), 120)
        both_work(port)
        scan, *more = own_site([device.address for device in site.device if device.name in ("pcs", "bms", "meter")])
        scanning = begun(scan, clone)
        try:
            the_second_battery_is_silent_and_the_first_goes_on(faults)
            told, _ = scanning.communicate(timeout=60)
        finally:
            end(scanning)
        assert scanning.returncode == 0, told
        with the_own_site(clone, more), listener(clone, log) as heard:
            for topic in ("device/pcs/outcome", "alarm/+/state"):
                heard.subscribe(f"ems/v1/demo/{topic}")
            the_bms_is_silent(faults, heard)
        the_second_battery_trips(faults)
        archive_is_calm(clone / ".run" / "demo", port)
        ctrl_c_ends(demo.pid, family(demo))


@pytest.mark.slow
@long("two minutes of interlocks")
def test_the_interlock_of_the_readme_stops_the_pcs_until_a_person_asks(tmp_path: Path) -> None:
    clone, port, log = cloned(tmp_path), free_port(EIGHT), tmp_path / "demo.log"
    demo_site(clone)
    faults = Faults(clone, port)
    with running(demo_line(port), clone, log, activated=False):
        until(partial(all_online, port), 120)
        with listener(clone, log) as heard:
            heard.subscribe("ems/v1/demo/plan/current")
            both_work(port)
            faults.say(faults.on)
            until(lambda: "pcs is off" in batteries(port)["hall"]["why"], 90)
            faults.say(faults.off)
            until(lambda: batteries(port)["hall"]["state"] != "offline", 20)
            time.sleep(20)
            assert abs(power(port, "hall")) < 1e3, "it waits for a person"
            both_work_again_in = until_both_work(port)
            plans = {json.loads(message)["id"] for _, message in heard.heard}
    assert 10 < both_work_again_in < 180, "about a minute"
    assert len(plans) >= 3, "a plan each minute"


def until_both_work(port: int) -> float:
    ask(port)
    return until(lambda: min(power(port, name) for name in ("hall", "yard")) > 40e3, 240)


def demo_line(port: int) -> str:
    """The first command of the README, on ports of its own and with a shorter past. All it needs is fetched already."""
    (line,) = lines("")
    assert line == "make demo"
    return f'make -o .venv/demo demo ARGS="--port {port} --past 1"'


def own_site(addresses: list[str]) -> list[str]:
    """The README's commands for an own site, with devices that answer in place of those of its example."""
    scan, *more = lines("Your own site")
    for example, address in zip(re.findall(r"tcp://192\.0\.2\.\d+:502", scan), addresses, strict=True):
        scan = scan.replace(example, address)
    return [scan, *more]


def the_second_battery_is_silent_and_the_first_goes_on(faults: Faults) -> None:
    port = faults.port
    known = faults.say(faults.list)
    assert re.search(r"^pcs, .*: pcs2$(.*\n)+^  trip ", known, re.MULTILINE), known
    assert re.search(r"^  silent ", known, re.MULTILINE), known
    faults.say(faults.on.replace("bms:silent", "pcs2:silent"))
    until(lambda: batteries(port)["yard"]["state"] == "offline", 30)
    until(lambda: "yard takes no part: pcs2 is silent; nothing is sent" in page(port)["dispatch"]["why"], 15)
    until(lambda: power(port, "hall") > 95e3, 20)
    yard = batteries(port)["yard"]
    assert yard["reason"].startswith("pcs2: no answer"), yard
    until(lambda: batteries(port)["yard"]["dispatch"]["cause"] is not None, 20)
    faults.say(faults.off.replace("bms:silent", "pcs2:silent"))
    until(lambda: power(port, "yard") > 40e3, 60)


@contextmanager
def the_own_site(clone: Path, commands: list[str]) -> Iterator[None]:
    """Its file is filled in, its commands are run, and in the end it was all there beside the demo."""
    check, migrate, up = commands
    fill_in(clone / "my_site.toml", begun(check, clone))
    said(check, clone)
    said(migrate, clone)
    first, broker = free_port(EIGHT + 1), free_port()
    ports = f"--page 127.0.0.1:{first} --health-from {first + 1} --broker-port {broker}"
    with running(f"{up} {ports}", clone, clone / "up.log") as process:
        yield
        until(partial(all_online, first), 60)
        assert web.get(f"http://127.0.0.1:{first}/", timeout=5).is_success
        until(lambda: page(first)["flow"]["grid"]["state"] == "live", 20)
        until(lambda: counts(first + 1, "archive")["archived"] > 20, 20)
        assert page(first)["mode"]["read_only"], "nothing is written before a person wants it"
        assert said("joulebus alarm list --site my_site.toml --env broker/joulebus.env", clone)
        ctrl_c_ends(process.pid, family(process))
    told = (clone / "up.log").read_text(encoding="utf-8")
    assert not re.search("ended with|joulebus migrate|no broker", told), told


def fill_in(file: Path, check: "subprocess.Popen[str]") -> None:
    """What only its owner knows; `check` names all of it at once."""
    text = file.read_text(encoding="utf-8")
    asked = re.findall(r'^(\w+) = "\?"', text, re.MULTILINE)
    told, _ = check.communicate(timeout=30)
    assert (check.returncode, told.count("is not filled in yet")) == (1, len(asked)), told
    assert set(asked) == set(FILLED)
    filled = re.sub(r'^(\w+) = "\?"', lambda key: f"{key[1]} = {FILLED[key[1]]}", text, flags=re.MULTILINE)
    file.write_text(filled, encoding="utf-8")


def counts(first: int, part: str) -> dict[str, int]:
    """What a part says of itself where `joulebus health` asks it."""
    asked = f"http://127.0.0.1:{first + list(SERVICES).index(part)}/health"
    found: dict[str, int] = web.get(asked, timeout=2).json()["counts"]
    return found


def the_bms_is_silent(faults: Faults, heard: Client) -> None:
    port = faults.port
    both_work(port)
    faults.say(faults.on)
    began = time.monotonic()
    until(lambda: abs(power(port, "hall")) < 1e3, 20)
    assert time.monotonic() - began < 15, "within seconds"
    until(lambda: "hall takes no part: the BMS has been silent" in page(port)["dispatch"]["why"], 10)
    until(lambda: batteries(port)["hall"]["dispatch"]["wanted"] == 0, 10)
    outcomes = [json.loads(message) for topic, message in heard.heard if topic.endswith("pcs/outcome")]
    limited = [one for one in outcomes if any(limit["source"] == "bms:missing" for limit in one["limited_by"])]
    assert {one["state"] for one in limited} == {"limited"}, outcomes[-5:]
    until(lambda: any("The BMS does not answer" in alarm["text"] for alarm in page(port)["alarms"]["list"]), 10)
    assert any(topic.startswith("ems/v1/demo/alarm/") for topic, _ in heard.heard)
    until(lambda: power(port, "yard") > 85e3, 20)
    faults.say(faults.off)  # before its interlock acts, which is a longer story


def the_second_battery_trips(faults: Faults) -> None:
    port = faults.port
    ask(port)
    until(lambda: power(port, "hall") > 40e3, 150)
    faults.say(faults.on.replace("bms:silent", "pcs2:trip"))
    until(lambda: "yard takes no part: the PCS is in fault" in page(port)["dispatch"]["why"], 20)
    until(lambda: power(port, "hall") > 95e3 and abs(power(port, "yard")) < 1e3, 20)
    until(lambda: any(alarm["device"] == "pcs2" for alarm in page(port)["alarms"]["list"]), 20)
    assert page(port)["mode"]["mode"] == "manual", "the site goes on"


def ctrl_c_ends(group: int, processes: list[psutil.Process]) -> None:
    """In a terminal it is for all that was typed there."""
    os.killpg(group, signal.SIGINT)
    _, alive = psutil.wait_procs(processes, timeout=40)
    assert alive == []
