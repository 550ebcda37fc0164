"""The demo's two batteries as a person sees them: one is silent or trips; the other goes on, and the page says why."""

import subprocess
import sys
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from joulebus.parts import SERVICES
from joulebus.server import free_port
from schemas.units import utc_now
from tests import web
from tests.joulebus.test_demo import EIGHT, REPOSITORY, all_online, archive_is_calm, demo, demo_site, until

WANTED = 150e3
"""W: more than either can, so that both must work."""


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


def fault(site: Path, port: int, name: str, switch: str) -> None:
    """`joulebus fault`, at the simulator of this demo."""
    health = f"127.0.0.1:{port + 1 + list(SERVICES).index('simulate')}"
    command = [sys.executable, "-m", "joulebus.cli", "fault", name, switch, "--health", health]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, (site, done.stdout, done.stderr)


def ask(port: int) -> None:
    """Both are to work, by hand."""
    ends = (utc_now() + timedelta(minutes=15)).isoformat()
    asks = {"mode": "manual", "power": WANTED, "who": "anna", "why": "both", "until": ends}
    headers = {"x-joulebus": "page"}
    assert web.post(f"http://127.0.0.1:{port}/api/control", json=asks, headers=headers, timeout=5).is_success


@pytest.mark.slow
def test_kill_or_trip_one_and_the_other_goes_on(tmp_path: Path) -> None:
    port, site = free_port(EIGHT), demo_site(tmp_path)
    with demo(tmp_path, site, port, "--json"):
        until(partial(all_online, port), 120)
        ask(port)
        until(lambda: min(power(port, name) for name in ("hall", "yard")) > 40e3, 40)
        before = power(port, "hall")

        fault(site, port, "pcs2:silent", "on")
        until(lambda: batteries(port)["yard"]["state"] == "offline", 30)
        until(lambda: "yard takes no part: pcs2 is silent; nothing is sent" in page(port)["dispatch"]["why"], 15)
        until(lambda: power(port, "hall") > max(95e3, before), 20)
        yard = batteries(port)["yard"]
        assert yard["reason"].startswith("pcs2: no answer"), yard
        until(lambda: batteries(port)["yard"]["dispatch"]["cause"] is not None, 20)
        time.sleep(10)
        assert power(port, "hall") > 95e3, "and it goes on"

        fault(site, port, "pcs2:silent", "off")
        time.sleep(20)
        ask(port)  # one that was silent for a minute was stopped by an interlock, and waits for a person
        until(lambda: power(port, "yard") > 40e3, 90)

        fault(site, port, "pcs2:trip", "on")
        until(lambda: "yard takes no part: the PCS is in fault" in page(port)["dispatch"]["why"], 20)
        until(lambda: power(port, "hall") > 95e3 and abs(power(port, "yard")) < 1e3, 20)
        until(lambda: any(alarm["device"] == "pcs2" for alarm in page(port)["alarms"]["list"]), 20)
        assert page(port)["mode"]["mode"] == "manual", "the site goes on"
        archive_is_calm(tmp_path, port)
