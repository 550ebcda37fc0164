"""Full power in both directions, and the watchdog that takes it away, on a simulated site."""

import asyncio
import re
from itertools import pairwise
from pathlib import Path

import pytest

from joulebus.commission.command import Wish
from schemas.site_file import load_site
from tests.conftest import Broker
from tests.joulebus.commissioned import DEMO, Integrator, commissioned, powers, quicken, simulated


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


pytestmark = pytest.mark.slow


async def test_full_power_in_both_directions(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running:
        code, text = await commissioned(running, broker.url("admin"), tmp_path, wish=Wish(full=True))
        told = powers(running)
        assert running.world.plant.pcs.p_set == 0.0
    assert code == 0, text
    assert max(told) == 100.0
    assert min(told) == -100.0
    steps = [abs(b - a) for a, b in pairwise(told)]
    assert max(steps) < 60, "a ramp, and no jump"
    for check in ("+100 kW | good | +100.0 kW |", "-100 kW | good | -100.0 kW |", "ramp to +100 kW | good |"):
        assert f"| pcs | {check}" in text, text
    trip = next(line for line in text.splitlines() if "round trip" in line)
    assert trip.startswith("| pcs | round trip | good | 95."), "97.5 % each way, as the simulated PCS is built"
    assert "(power over time)" in trip


async def test_a_pcs_that_is_slower_than_the_site_file_says_is_named(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    async with simulated(site_name, ramp=25_000.0) as running:
        code, text = await commissioned(running, broker.url("admin"), tmp_path, wish=Wish(full=True))
    assert code == 1
    line = next(line for line in text.splitlines() if "| ramp to +100 kW |" in line)
    assert "| WRONG |" in line
    measured = float(line.split("|")[4].strip().split()[0])
    assert 20_000 < measured < 28_000
    assert "| pcs | dead time | good |" in text, "a ramp is no dead time"
    assert "| pcs | +100 kW | good |" in text


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"export_limit": 20_000.0}, "| pcs | +100 kW | not decided | site:grid leaves +"),
        ({"import_limit": 60_000.0}, "| pcs | -100 kW | not decided | site:grid leaves -"),
    ],
)
async def test_what_the_site_may_not_carry_is_not_tried(
    broker: Broker, site_name: str, tmp_path: Path, change: dict[str, float], says: str
) -> None:
    grid = load_site(DEMO).grid.model_copy(update=change)
    async with simulated(site_name, grid=grid) as running:
        code, text = await commissioned(running, broker.url("admin"), tmp_path, wish=Wish(full=True))
        assert (max(powers(running)) < 50) == ("export_limit" in change)
        assert (min(powers(running)) > -50) == ("import_limit" in change)
    assert code == 1
    assert says in text, text


async def test_an_interlock_ends_the_trial_at_once(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running:

        def ask(words: str) -> bool:
            if "+100 kW" in words:
                asyncio.get_running_loop().call_later(0.8, running.faults.on, "bms:hot")
            return True

        code, text = await commissioned(running, broker.url("admin"), tmp_path, Integrator(ask), wish=Wish(full=True))
        assert powers(running)[-1] == 0.0
    assert code == 1
    # the BMS takes its currents back and says why: which is read first ends it
    assert re.search(
        r"\| pcs \| \+100 kW \| not decided \| (interlock:discharge_protection-bms|bms:current) leaves", text
    )
    assert "interlock:discharge_protection-bms leaves +0.0 kW: bms reports dis" in text, text


async def test_a_device_that_falls_silent_at_full_power_is_brought_to_0(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    async with simulated(site_name) as running:
        loop = asyncio.get_running_loop()

        def ask(words: str) -> bool:
            if "+100 kW" in words:
                loop.call_later(0.8, running.faults.on, "pcs:exception")
                loop.call_later(2.0, running.faults.off, "pcs:exception")
            return True

        code, text = await commissioned(running, broker.url("admin"), tmp_path, Integrator(ask), wish=Wish(full=True))
        assert max(powers(running)) > 50
        assert running.world.plant.pcs.p_set == 0.0
    assert code == 1
    assert "| pcs | +100 kW | not decided |" in text


# --- the watchdog ----------------------------------------------------------------------------------------


async def test_the_watchdog_is_timed(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running:
        who = Integrator()
        _, text = await commissioned(running, broker.url("admin"), tmp_path, who)
        assert any("say nothing to it for 2 s and more" in words for words in who.asked)
    line = next(line for line in text.splitlines() if "watchdog" in line)
    assert "| good |" in line, text
    assert 1.5 <= float(line.split("0 after ")[1].split()[0]) <= 4.0
    assert "0 within 4 s of our last word" in line


async def test_a_device_that_goes_on_without_us_is_named(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running:

        def ask(words: str) -> bool:
            if "say nothing" in words:  # it holds what it has from the moment it has followed
                asyncio.get_running_loop().call_later(0.6, running.faults.on, "pcs:ignores_setpoint")
            return True

        code, text = await commissioned(running, broker.url("admin"), tmp_path, Integrator(ask))
        assert powers(running)[-1] == 0.0
    assert code == 1
    assert "| pcs | watchdog | WRONG | the power was still there after" in text, text


async def test_a_watchdog_that_takes_hours_is_not_waited_for(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with simulated(site_name) as running:
        profile = running.site.profiles["pcs"]
        assert profile.watchdog is not None
        slow = profile.watchdog.model_copy(update={"seconds": 14_400.0})
        running.site.__dict__["profiles"] |= {"pcs": profile.model_copy(update={"watchdog": slow})}
        who = Integrator()
        _, text = await commissioned(running, broker.url("admin"), tmp_path, who)
        assert not any("say nothing" in words for words in who.asked)
    assert "| pcs | watchdog | not decided | its watchdog waits for 14400 s" in text
