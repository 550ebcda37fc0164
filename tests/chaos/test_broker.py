"""F08 to F10: the broker freezes, is away, and has no room to keep anything."""

import asyncio
import contextlib
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from bridges.telemetry.publisher import HISTORICAL
from schemas.tables import outcome, telemetry
from tests.chaos.commander import PERIOD, TTL
from tests.chaos.oracles import CYCLES, LOADED, NOTICED, RECOVERED, Watch, moved, rows, steered
from tests.chaos.plant import Plant, plant
from tests.chaos.story import Fault
from tests.conftest import Broker
from tests.timed import FULL

AWAY, FROZEN = (60.0, 20.0) if FULL else (12.0, 12.0)
"""Seconds; longer than any command lives."""


@pytest.mark.slow
async def test_while_the_broker_is_away_the_battery_rests_and_all_is_kept(tmp_path: Path, site_name: str) -> None:
    async with plant(tmp_path, site_name, embedded=True) as site:
        async with steered(site) as (_, watch):
            await _without(site, watch, Fault(0.0, "broker", "kill", AWAY))
            gone, back = (datetime.now(UTC) - timedelta(seconds=ago) for ago in _ago(site))
            await moved(watch)
        late = gone + timedelta(seconds=LOADED), back - timedelta(seconds=HISTORICAL)
        told = await rows(site, select(telemetry.c.historical).where(telemetry.c.at.between(*late)))
        assert {historical for (historical,) in told} == {True}, "what is sent late says so"


@pytest.mark.slow
async def test_what_a_frozen_broker_holds_back_is_not_obeyed(tmp_path: Path, site_name: str) -> None:
    """Also after a freeze so short that no connection is lost: it does not know how long a command has waited."""
    async with plant(tmp_path, site_name, embedded=True) as site:
        async with steered(site) as (commander, watch):
            commander.ttl = 1.0
            await asyncio.sleep(PERIOD + LOADED)  # what was said before lives longer
            await moved(watch)
            await site.suffer(Fault(0.0, "broker", "freeze", commander.ttl + CYCLES + 0.5))
            thawed = time.monotonic()
            assert watch.seen[-1][1] == 0.0
            await moved(watch)
            stale = {one.power for one in commander.given if one.until < thawed}
            assert not stale & watch.standing(thawed, time.monotonic())
            commander.ttl = TTL
            await _without(site, watch, Fault(0.0, "broker", "freeze", FROZEN))
            await moved(watch)
        bodies = await rows(site, select(outcome.c.body).where(outcome.c.state == "expired"))
        late = [said for (body,) in bodies if "it was valid until" in (said := json.loads(body))["reason"]]
        assert stale & {said["requested"]["p_set"] for said in late}, "one did come, and was refused"


@pytest.mark.slow
async def test_a_broker_without_room_loses_nothing(tmp_path: Path, site_name: str) -> None:
    """It can write nothing down and takes all it knew with it when it is killed, what it acknowledged as well."""
    async with plant(tmp_path, site_name, embedded=True) as site:
        data = _on_a_disk_of_its_own(site.broker)
        async with steered(site):
            _fill(_seen_by(site.broker, data) / "filler")
            frozen = asyncio.create_task(site.suffer(Fault(0.0, "archive", "freeze", 6.0)))
            await _until(lambda: "No space left" in site.broker.log.read_text(encoding="utf-8"))
            await site.suffer(Fault(0.0, "broker", "kill", 0.5))
            await frozen
            kept = _seen_by(site.broker, data) / "mosquitto.db"
            await _until(lambda: kept.is_file() and kept.stat().st_size > 0)


async def _without(site: Plant, watch: Watch, fault: Fault) -> None:
    """A long fault of the broker: it is noticed, the battery rests, and the bridge is soon back."""
    began = time.monotonic()
    suffering = asyncio.create_task(site.suffer(fault))
    await site.until("bridge", ready=False, seconds=NOTICED + LOADED)
    await asyncio.sleep(began + fault.lasts - time.monotonic())
    assert watch.standing(began + TTL + CYCLES, time.monotonic()) == {0.0}
    await suffering
    await site.until("bridge", ready=True, seconds=RECOVERED + LOADED)


def _ago(site: Plant) -> tuple[float, float]:
    """How many seconds ago the broker went away, and came back."""
    ((began, end),) = site.away["broker"]
    return time.monotonic() - began, time.monotonic() - end


async def _until(true: Callable[[], bool], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if true():
                return
            await asyncio.sleep(0.2)


def _on_a_disk_of_its_own(broker: Broker) -> Path:
    """From its next start on the broker keeps its files on one of 1 MB, which only it sees. Gives where."""
    data = broker.secrets.folder / "data"
    mount = f'mount -t tmpfs -o size=1m tmpfs "{data}" && exec "$@"'
    alone = ["unshare", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if not shutil.which("unshare") or subprocess.run([*alone, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine lets nobody but root mount a disk of his own (unshare --map-root-user --mount)")
    leash = ["setpriv", "--pdeathsig", "TERM"]  # the one outside is lost with the change of user
    broker.command[:0] = [*alone, *leash]
    config = broker.secrets.folder / "mosquitto.conf"
    text = config.read_text(encoding="utf-8")
    config.write_text(text if text.startswith("user root") else f"user root\n{text}", encoding="utf-8")
    return data


def _seen_by(broker: Broker, folder: Path) -> Path:
    """The folder as the broker sees it."""
    assert broker.process is not None
    return Path(f"/proc/{broker.process.pid}/root{folder}")


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
