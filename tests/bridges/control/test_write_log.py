"""The writes of a day are counted beyond a kill -9: a bridge that restarts in a loop does not wear an EEPROM out."""

import asyncio
import contextlib
import functools
import math
import os
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bridges.control.write_budget import DAY
from bridges.control.write_log import WriteLog
from joulebus.server import Server, free_port
from schemas.messages import Authority, Command, Telemetry
from schemas.profiles import PROFILES
from schemas.site_file import load_site
from schemas.topics import COMMAND, OUTCOME, TELEMETRY
from schemas.units import utc_now
from simulator.service import SimulatedSite
from tests.bridges.conftest import DEMO, NOON
from tests.conftest import Broker
from tests.ear import Ear, ear

P_SET = 135


def test_what_is_a_day_old_is_forgotten_and_what_comes_from_ahead_is_not(tmp_path: Path) -> None:
    wear = WriteLog(tmp_path / "writes.db")
    for at in (0.0, 10.0, DAY, 3 * DAY):
        wear.note("pcs", "p_set", at)
    wear.note("pcs", "q_set", DAY)
    wear.retract(wear.note("pcs", "p_set", DAY) or 0)
    wear.close()
    again = WriteLog(tmp_path / "writes.db")
    assert again.ages("pcs", "p_set", DAY + 5) == [DAY - 5, 5.0, 0.0]
    assert again.ages("bms", "p_set", DAY + 5) == []
    again.close()


def test_without_a_file_it_counts_in_memory_and_says_so(tmp_path: Path) -> None:
    wear = WriteLog(tmp_path / "no" / "folder" / "writes.db")
    wear.note("pcs", "p_set", 5.0)
    assert wear.ages("pcs", "p_set", 6.0) == [1.0]
    assert not wear.known
    assert "in memory only" in wear.trouble
    wear.close()


def test_a_damaged_file_is_set_aside_and_the_day_counts_as_used(tmp_path: Path) -> None:
    (tmp_path / "writes.db").write_bytes(b"no database at all" * 100)
    wear = WriteLog(tmp_path / "writes.db")
    assert not wear.known
    assert "was damaged" in wear.trouble
    wear.close()


@pytest.mark.slow
async def test_killed_and_restarted_it_has_no_new_budget(tmp_path: Path, site_name: str, broker: Broker) -> None:
    site_file = written(tmp_path, site_name)
    async with contextlib.AsyncExitStack() as stack:
        simulated = await stack.enter_async_context(SimulatedSite(load_site(site_file), ramp=math.inf, start=NOON))
        hears = await stack.enter_async_context(ear(broker.url("admin"), f"ems/v1/{site_name}/#"))
        tells = await stack.enter_async_context(ear(broker.url("dispatch")))
        states = []
        for power in (10_000.0, 20_000.0, 30_000.0):
            bridge = process(site_file, tmp_path, broker)
            stack.callback(bridge.kill)
            await asyncio.to_thread(bridge.start)
            listens = utc_now() + timedelta(seconds=2)  # it has subscribed by then
            await hears.until(TELEMETRY, functools.partial(later, listens), device="pcs", seconds=30)
            states.append(await told(hears, tells, site_name, power))
            bridge.kill()
        written_words = [one.values for one in simulated.written if (one.device, one.register) == ("pcs", P_SET)]
    assert written_words == [(100,), (200,)]
    assert states == ["verified", "verified", "budget: 2 writes a day are used up"]


def later(than: datetime, said: Telemetry) -> bool:
    return said.at > than


async def told(hears: Ear, tells: Ear, site: str, power: float) -> str:
    """What the bridge says of a command: its state, or why it waits."""
    now = utc_now()
    command = Command(
        id=f"p{power:.0f}", at=now, until=now + timedelta(seconds=10), source="dispatch", authority=Authority.PLAN,
        values={"p_set": power}, reason="test",
    )  # fmt: skip
    await tells.bus.say(COMMAND, command, expiry=10, site=site, device="pcs")
    ends = ("verified", "accepted", "refused", "failed")
    said = await hears.until(OUTCOME, lambda one: one.id == command.id and one.state in ends, seconds=20)
    return said.reason or said.state.value


def written(folder: Path, name: str) -> Path:
    """The demo as files, with free ports, and a PCS whose setpoint stands in an EEPROM for two writes a day."""
    text = DEMO.read_text(encoding="utf-8").replace('site = "demo"', f'site = "{name}"')
    text = text.replace("ramp = 50_000", "ramp = 1e9")
    text = text.replace('"tariff.toml"', f'"{DEMO.parent / "tariff.toml"}"')
    for port in range(15021, 15025):
        text = text.replace(f":{port}", f":{free_port()}")
    (folder / "site.toml").write_text(text, encoding="utf-8")
    (folder / "profiles").mkdir()
    pcs = (PROFILES / "sinexcel_pws2.toml").read_text(encoding="utf-8")
    was = 'p_set = { register = 135, type = "i16", scale = 100, unit = "W", write = 6,'
    assert pcs.count(was) == 1
    worn = pcs.replace(was, f'{was} memory = "eeprom", interval = 0.0, per_day = 2,')
    (folder / "profiles" / "sinexcel_pws2.toml").write_text(worn, encoding="utf-8")
    return folder / "site.toml"


def process(site: Path, folder: Path, broker: Broker) -> Server:
    port = free_port()
    place = {"JOULEBUS_BROKER": broker.url("bridge"), "JOULEBUS_STATE": str(folder)}
    command = [sys.executable, "-m", "joulebus.cli", "bridge", "--site", str(site)]
    env = dict(os.environ) | place | {"JOULEBUS_HEALTH": f"127.0.0.1:{port}"}
    return Server(command, env, port, folder / "bridge.log")
