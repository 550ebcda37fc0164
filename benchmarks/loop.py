"""How long the loop takes: a command from publish to verified outcome, and a reading from the device to a subscriber.

Side by side with the bare work of the same loop: one MQTT round trip, one Modbus write and one read-back.
`python -m benchmarks.loop --json` prints one line; times in ms, resident memory in MiB, as `top` shows it.
"""

import argparse
import asyncio
import contextlib
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import psutil
from pymodbus.client import AsyncModbusTcpClient

from joulebus.broker import Secrets, prepare
from joulebus.server import Server, free_port
from runtime.bus import Bus
from runtime.settings import parse_broker
from schemas.messages import Authority, Command, OutcomeState
from schemas.site import Site
from schemas.site_file import load_site
from schemas.topics import COMMAND, OUTCOME, TELEMETRY
from schemas.units import utc_now

REPOSITORY = Path(__file__).resolve().parent.parent
P_SET = 135
"""The Sinexcel's register for active power."""


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--commands", type=int, default=100)
    wish = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = await _measure(Path(folder), wish.commands)
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<24} {value}" for name, value in found.items()))


async def _measure(folder: Path, commands: int) -> dict[str, float]:
    path = folder / "site.toml"
    text = re.sub(r"127\.0\.0\.1:\d+", lambda _: f"127.0.0.1:{free_port()}", (REPOSITORY / "site.toml").read_text())
    text = text.replace("ramp = 50_000", "ramp = 1e9")  # our own ramp is not what is measured
    path.write_text(text.replace('"tariff.toml"', f'"{REPOSITORY / "tariff.toml"}"'))
    secrets = prepare(folder / "broker", free_port())
    server = Server(secrets.command, secrets.env, secrets.port, folder / "broker.log")
    server.start()
    try:
        async with _parts(folder, path, secrets) as processes:
            found = await _loop(load_site(path), secrets, commands)
            found |= {
                f"{n}_rss_mb": round(p.memory_info().rss / 2**20, 1) for n, p in processes.items() if n != "simulate"
            }
            return found
    finally:
        server.stop()


@contextlib.asynccontextmanager
async def _parts(folder: Path, site: Path, secrets: Secrets) -> AsyncIterator[dict[str, psutil.Process]]:
    """Simulator, bridge and archive as the processes they are."""
    database = {"JOULEBUS_DATABASE": f"sqlite+aiosqlite:///{folder}/archive.db", "JOULEBUS_STATE": str(folder)}
    env = os.environ | secrets.env | database
    joulebus = [sys.executable, "-m", "joulebus.cli"]
    await (
        await asyncio.create_subprocess_exec(*joulebus, "migrate", env=env, stdout=asyncio.subprocess.DEVNULL)
    ).wait()
    processes = {}
    try:
        for part in ("simulate", "bridge", "archive"):
            own = env | {"JOULEBUS_HEALTH": "127.0.0.1:0"}
            if part != "simulate":
                own["JOULEBUS_BROKER"] = secrets.url(part)
            log = (folder / f"{part}.log").open("wb")
            processes[part] = await asyncio.create_subprocess_exec(
                *joulebus, part, "--site", str(site), env=own, stderr=log
            )
        yield {name: psutil.Process(process.pid) for name, process in processes.items()}
    finally:
        for process in processes.values():
            process.terminate()
        await asyncio.gather(*(process.wait() for process in processes.values()))


async def _loop(site: Site, secrets: Secrets, commands: int) -> dict[str, float]:
    async with (
        Bus(parse_broker(secrets.url("admin"), "admin", None, {}), identifier="admin") as ear,
        Bus(parse_broker(secrets.url("dispatch"), "dispatch", None, {}), identifier="dispatch") as mouth,
    ):
        verified: dict[str, asyncio.Event] = {}
        readings: list[float] = []
        listening = asyncio.create_task(_listen(ear, site, verified, readings))
        while len(readings) < 20:  # noqa: ASYNC110  # the parts are other processes
            await asyncio.sleep(0.1)
        trips = [await _command(mouth, site, verified, turn) for turn in range(commands)]
        bare = await _bare(site, mouth, ear, commands)
        await asyncio.sleep(5)  # the parts are idle again: telemetry and memory at rest
        listening.cancel()
    return {
        **_spread("round_trip_ms", trips),
        **_spread("bare_round_trip_ms", bare),
        **_spread("telemetry_ms", readings[20:]),
    }


async def _listen(bus: Bus, site: Site, verified: dict[str, asyncio.Event], readings: list[float]) -> None:
    known: set[tuple[str, int]] = set()
    async for batch in bus.listen(OUTCOME.at(site=site.site), TELEMETRY.at(site=site.site)):
        bus.ack(batch)
        for heard in batch:
            if (
                heard.topic is TELEMETRY
                and heard.message is not None
                and (heard.place["device"], heard.message.seq) not in known
            ):
                known.add((heard.place["device"], heard.message.seq))  # what is sent again is no reading
                readings.append((utc_now() - heard.message.at).total_seconds())
            elif heard.message is not None and heard.message.state is OutcomeState.VERIFIED:
                verified.setdefault(heard.message.id, asyncio.Event()).set()


async def _command(bus: Bus, site: Site, verified: dict[str, asyncio.Event], turn: int) -> float:
    now = utc_now()
    values = {"p_set": 2000.0 if turn % 2 else -2000.0}
    command = Command(
        id=f"b{turn}", at=now, until=now + timedelta(seconds=10), source="dispatch", authority=Authority.PLAN,
        values=values, reason="benchmark",
    )  # fmt: skip
    began = time.perf_counter()
    await bus.say(COMMAND, command, expiry=10, site=site.site, device=site.units[0].pcs)
    async with asyncio.timeout(15):
        await verified.setdefault(command.id, asyncio.Event()).wait()
    await asyncio.sleep(0.02)
    return time.perf_counter() - began - 0.02


async def _bare(site: Site, mouth: Bus, _ear: Bus, commands: int) -> list[float]:
    """The least the loop can cost: a publish with its acknowledgement there and back, a write, a read."""
    host, port = site.named(site.units[0].pcs).endpoint
    client = AsyncModbusTcpClient(host, port=port, timeout=1)
    await client.connect()
    trips = []
    for turn in range(commands):
        began = time.perf_counter()
        await mouth.send(COMMAND.at(site="nobody", device="pcs"), b"{}", expiry=10)
        await client.write_register(P_SET, turn % 10, device_id=1)
        await client.read_holding_registers(P_SET, count=2, device_id=1)
        await mouth.send(COMMAND.at(site="nobody", device="pcs"), b"{}", expiry=10)
        trips.append(time.perf_counter() - began)
    client.close()
    return trips


def _spread(name: str, seconds: list[float]) -> dict[str, Any]:
    hundredths = quantiles(seconds, n=100)
    return {f"{name}_p50": round(hundredths[49] * 1000, 2), f"{name}_p99": round(hundredths[98] * 1000, 2)}


if __name__ == "__main__":
    asyncio.run(main())
