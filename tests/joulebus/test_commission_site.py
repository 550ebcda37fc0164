"""An integrator commissions a whole site: battery after battery, racks and a hybrid, PV, loads and contacts."""

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from joulebus.commission import pv_step
from joulebus.commission.command import Wish
from schemas.site_file import load_site
from simulator.service import SimulatedSite
from tests.conftest import Broker
from tests.joulebus.commissioned import LARGE, Integrator, commissioned, large, quicken, writes
from tests.timed import FULL


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)
    monkeypatch.setattr(pv_step, "FOLLOWS", 1.5)


def setpoints(running: SimulatedSite) -> dict[str, float]:
    """W that each PCS is told now."""
    return {name: one.pcs.p_set for name, one in running.world.plant.bess.items()}


class Watch:
    """Whether ever more than one battery was told a power."""

    def __init__(self, running: SimulatedSite) -> None:
        self.running, self.most, self.order = running, 0, list[str]()

    async def look(self) -> None:
        while True:
            told = [name for name, power in setpoints(self.running).items() if power]
            self.most = max(self.most, len(told))
            self.order += [name for name in told if name not in self.order]
            await asyncio.sleep(0.01)


@pytest.mark.slow
async def test_one_battery_after_the_other_is_walked_and_all_that_stands_beside_is_seen(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    """One has tripped: it is left alone, and the others have their walk. Two racks, and a hybrid."""
    async with large(site_name, "pcs1:trip", only=("hall", "depot", "office")) as running:
        watch = Watch(running)
        watching = asyncio.create_task(watch.look())
        code, text = await commissioned(running, broker.url("admin"), tmp_path)
        watching.cancel()
        assert (watch.most, watch.order) == (1, ["pcs3", "hybrid"]), "one after the other"
        assert {one.device for one in writes(running)} == {"pcs3", "hybrid", "roof", "carport", "facade"}
        assert set(setpoints(running).values()) == {0.0}
        assert {one.limit_pct for one in running.world.plant.pv.values()} == {100.0}
    assert code == 1
    hall, depot, office = (
        (tmp_path / f"report-{name}.md").read_text(encoding="utf-8") for name in ("hall", "depot", "office")
    )
    assert "| pcs1 | steps | not decided | the PCS is in fault: start it first |" in hall
    assert "**not passed: " in hall
    assert "- hall: not passed: 1 wrong, 1 not decided; its report is report-hall.md" in text
    for name, report in (("depot", depot), ("office", office)):
        assert report.startswith(f"# Commissioning of Large demo site, battery {name}\n")
        assert "**passed**" in report, report
        assert "| meter | sign | good |" in report
        assert f"- {name}: passed; its report is report-{name}.md" in text
    assert "| bms3+bms4 | sign | good | +1.0" in depot
    assert "| bms3 | sign | good | +0.5" in depot
    assert "| bms3 |" not in hall.split("| device | check |")[1]
    assert "| hybrid | scale | good |" in office
    for line in (
        "| meter | balance | good | grid +",
        "| cooling | sign at rest | good |",
        "| roof | limit step | good | it fell by 37.5 kW in",
        "| meter | sees PV | good | +1.0",
        "| roof | left | good | limit 100 % |",
        "| box | contacts inputs | good | di_0, di_4 on | as the box shows it |",
        "| box | signal | good | does not hold | box.inputs has di_1: feed-in 60 % |",
        "| box | signal | good | holds | box.inputs has di_4: consumption is not limited |",
    ):
        assert line in text, text


async def test_one_that_gives_power_is_brought_to_rest_before_another_is_stepped(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    async with large(site_name, only=("hall", "yard"), sun=0.0) as running:
        running.world.plant.bess["pcs1"].pcs.p_set = 20e3
        _, text = await commissioned(running, broker.url("admin"), tmp_path, wish=Wish(battery="yard"))
        assert writes(running) == []
    assert "| pcs2 | steps | not decided | pcs1 gives +20.0 kW: bring it to rest first" in text


async def test_a_limit_of_pv_is_tried_and_given_back(broker: Broker, site_name: str, tmp_path: Path) -> None:
    """A site that has no battery: it is read, and only its PV is tried."""
    async with large(site_name, "roof:ignores_limit", only=("none",)) as running:
        who = Integrator(lambda words: "carport" not in words)
        code, text = await commissioned(running, broker.url("admin"), tmp_path, who)
        assert {one.limit_pct for one in running.world.plant.pv.values()} == {100.0}
        assert {one.device for one in writes(running)} == {"roof", "facade"}
    assert code == 1
    assert "Limit roof to 25 % (37.5 kW) for some seconds, then give it back?" in who.asked
    assert "| roof | limit step | WRONG | it fell by 0.0 kW only |" in text, text
    assert "| roof | left | good | limit 100 % |" in text
    assert "| carport | limit step | not decided | not wanted |" in text
    assert "| facade | limit step | good |" in text
    assert "battery" not in text.split("| device | check |")[0]


@pytest.mark.slow
@pytest.mark.parametrize("ended", [signal.SIGHUP, *([signal.SIGINT, signal.SIGTERM] if FULL else [])])
async def test_whoever_ends_it_what_was_commanded_is_given_back(
    broker: Broker, site_name: str, tmp_path: Path, ended: signal.Signals
) -> None:
    """The command as a process, ended while a battery is stepped: by Ctrl-C, or with its terminal."""
    async with large(site_name, only=("hall", "yard"), sun=0.0) as running:
        text = LARGE.read_text(encoding="utf-8").replace('site = "large"', f'site = "{site_name}"')
        for device in running.site.device:
            text = text.replace(load_site(LARGE).named(device.name).address, device.address)
        head, *tables = text.replace('"large_tariff', f'"{LARGE.parent}/large_tariff').split("\n[[")
        kept = [one for one in tables if not re.search(r"(pcs3|bms[34]|hybrid)\"", one)]
        (tmp_path / "site.toml").write_text("\n[[".join([head, *kept]), encoding="utf-8")
        words = ["commission", "--site", "site.toml", "--battery", "yard", "--yes"]
        env = os.environ | {"JOULEBUS_BROKER": broker.url("admin")}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "joulebus.cli", *words, cwd=tmp_path, env=env, stderr=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            while not setpoints(running)["pcs2"]:  # noqa: ASYNC110  # another process writes it
                await asyncio.sleep(0.02)
        for _ in range(2):  # who presses Ctrl-C does it again, and a shell that ends sends SIGHUP twice
            process.send_signal(ended)
            await asyncio.sleep(0.01)
        _, said = await process.communicate()
        assert process.returncode in (128 + ended, -ended), f"the second one may meet its exit: {said.decode()}"
        assert setpoints(running)["pcs2"] == 0.0
        assert "Traceback" not in said.decode()


async def test_a_site_that_is_only_watched_is_only_read(broker: Broker, site_name: str, tmp_path: Path) -> None:
    async with large(site_name, "box:inputs_di_0", "meter:inverted", only=("hall",), mode="read_only") as running:
        _, text = await commissioned(running, broker.url("admin"), tmp_path)
        assert writes(running) == []
    assert "| meter | balance | WRONG | grid -" in text
    assert "the meter counts backwards, or something that gives power is not in the site file" in text
    assert "| box | signal | good | holds | box.inputs has di_0: feed-in is not limited |" in text
    assert "| box | contacts inputs | good | di_0" in text, text
