"""What a hostile reader found in `joulebus commission`: what is commanded is given back, whatever the person does."""

import asyncio
import os
import signal
from pathlib import Path
from typing import cast

import pytest

from bridges.fieldbus.contract import FieldDevice, Unreachable
from joulebus.commission.command import Wish, _until_told
from joulebus.commission.steering import Steering
from schemas.site_file import load_site
from simulator.service import SimulatedSite
from tests.conftest import Broker
from tests.joulebus.commissioned import LARGE, Integrator, commissioned, large, quicken, simulated, writes


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


def told(running: SimulatedSite) -> float:
    (battery,) = running.world.plant.bess.values()
    return battery.pcs.p_set


async def stepping(running: SimulatedSite) -> None:
    async with asyncio.timeout(30):
        while not told(running):  # noqa: ASYNC110  # the walk writes it
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("times", [2, 5])
async def test_an_impatient_person_leaves_no_battery_running(
    broker: Broker, site_name: str, tmp_path: Path, times: int
) -> None:
    """Ctrl-C is pressed again while 0 W is written, and a shell that ends sends SIGHUP twice: the battery went on."""
    async with simulated(site_name) as running:
        walking = asyncio.create_task(commissioned(running, broker.url("admin"), tmp_path))
        await stepping(running)
        for _ in range(times):
            walking.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await walking
        assert told(running) == 0.0


async def test_a_terminal_that_is_gone_does_not_break_off_what_is_given_back() -> None:
    """The first 0 W is not answered, and whoever read what is said has gone: it was never written again."""

    def gone(_: str) -> None:
        raise BrokenPipeError

    pcs = SlowToAnswer()
    assert await Steering(cast("FieldDevice", pcs), gone).rest()
    assert pcs.written == [("p_set", 0.0)]


class SlowToAnswer:
    """A PCS whose first answer is lost."""

    name = "pcs"

    def __init__(self) -> None:
        self.asked, self.written = 0, list[tuple[str, float]]()

    async def write(self, name: str, value: float) -> None:
        self.asked += 1
        if self.asked == 1:
            raise Unreachable("no answer")
        self.written.append((name, value))


async def test_ctrl_c_twice_gives_back_what_was_commanded() -> None:
    """As the process takes it: the second one was a KeyboardInterrupt in the middle of what the first had begun."""
    given = list[str]()

    async def work() -> int:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.2)  # 0 W is written
            given.append("0 W")
        return 0

    running = asyncio.ensure_future(_until_told(work()))
    await asyncio.sleep(0.05)
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(0.02)
    assert await running == 128 + signal.SIGINT
    assert given == ["0 W"]


@pytest.mark.parametrize(
    ("contact", "load", "says"),
    [
        ("di_3", 0.0, "feed-in at most 0 kW, by box as dso, signal: inputs says di_3, di_4 leaves"),
        ("di_5", 300e3, ""),
    ],
)
async def test_what_the_control_box_says_holds_for_a_step_too(  # noqa: PLR0917  # what fixtures bring
    broker: Broker, site_name: str, tmp_path: Path, contact: str, load: float, says: str
) -> None:
    """The network operator's contact forbade feed-in, and a step fed in what the site file alone allowed."""
    grid = load_site(LARGE).grid.model_copy(update={"export_limit": 800e3})
    async with large(site_name, f"box:inputs_{contact}", load=load, only=("hall", "yard"), sun=0.0, grid=grid) as site:
        _, text = await commissioned(site, broker.url("admin"), tmp_path, wish=Wish(battery="yard"))
        told = [one for one in writes(site) if one.device == "pcs2"]
    if says:
        assert f"| pcs2 | steps | not decided | {says}" in text, text
        assert not told
    else:  # 300 kW may be drawn and are: up is tried, and down is not
        assert "consumption at most 300 kW, by box as dso" in text, text


async def test_an_interlock_ends_the_silence_of_the_watchdog_too(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    """The cells got hot while nobody spoke to a PCS whose watchdog takes 100 s: the BMS took the power away, and the
    report said that the watchdog had, in 2 s. Beside cells that do not it went on for minutes."""
    async with simulated(site_name) as running:
        profile = running.site.profiles["pcs"]
        assert profile.watchdog is not None
        slow = profile.watchdog.model_copy(update={"seconds": 100.0})
        running.site.__dict__["profiles"] |= {"pcs": profile.model_copy(update={"watchdog": slow})}
        loop, hot = asyncio.get_running_loop(), list[float]()

        def heat() -> None:
            running.faults.on("bms:hot")
            hot.append(loop.time())

        def ask(words: str) -> bool:
            if "say nothing" in words:
                loop.call_later(1.5, heat)
            return True

        walking = asyncio.create_task(commissioned(running, broker.url("admin"), tmp_path, Integrator(ask)))
        async with asyncio.timeout(60):
            while not hot:  # noqa: ASYNC110  # the walk comes to it
                await asyncio.sleep(0.02)
            while told(running):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        took = loop.time() - hot[0]
        _, text = await walking
    assert took < 5.0
    assert "| pcs | watchdog | not decided | " in text, text
