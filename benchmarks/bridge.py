"""How good the bridge is: 200 devices x 50 points at 1 Hz on one process, beside a bare pymodbus and aiomqtt loop.

The bridge runs as it ships: outbox, quality, guard, health endpoint, and an archive that confirms each sample.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from joulebus import broker as shipped
from joulebus.server import Server, free_port, is_free
from runtime.bus import Bus
from runtime.settings import parse_broker
from schemas.messages import Archived
from schemas.topics import ARCHIVED, TELEMETRY

HERE = Path(__file__).parent
FIELD_PORTS = range(19_000, 21_000)
"""Where the devices find a row of ports; below those that `free_port` gives to servers that run at the same time."""
POINTS = 50
ON_TIME = 0.1
"""Seconds a reading may stand beside its raster: a tenth of the period."""
START = 60.0
"""Seconds a process may take until each of its devices was heard."""

PROFILE = """\
make = "Benchmark"
model = "{kind} of 50 points"
kind = "{kind}"
source = "benchmarks/bridge_field.py"
[points]
stamp = {{ register = 0, type = "u64", scale = 1e-6, unit = "s" }}
"""
SITE = """\
site = "{site}"
tariff = "tariff.toml"
mode = "read_only"
[grid]
meter = "d0"
import_limit = 500_000
export_limit = 150_000
[battery]
pcs = "d1"
bms = "d2"
energy = 200_000
"""


LINE = "line = { timeout = 2, connect_pause = 0.1, silent_interval = 0.01, most_registers = 120, write = 16 }"
"""Of each device: what a site file says of its line costs nothing while it runs."""


@dataclass
class Seen:
    """What came out of the process under test."""

    came: dict[str, list[float]] = field(default_factory=dict)
    """When each device's samples were taken, by the monotonic clock of this machine."""
    late: list[float] = field(default_factory=list)
    """Seconds from the answer of a device to the message."""


def free_row(devices: int) -> int:
    """The first of so many ports in a row that nobody listens on. Raises StopIteration."""
    return next(
        first
        for first in range(FIELD_PORTS.start + os.getpid() % 200, FIELD_PORTS.stop - devices)
        if all(is_free(first + number) for number in range(devices))
    )


def write_site(folder: Path, site: str, devices: int, first: int) -> Path:
    """A site of meters, with one pcs and one bms because a site has them."""
    (folder / "profiles").mkdir()
    points = [f'a{n} = {{ register = {n}, type = "i16", scale = 0.1, unit = "A" }}' for n in range(4, 37)]
    points += [f'b{n} = {{ register = {n}, type = "u32", scale = 0.1, unit = "W" }}' for n in range(37, 69, 2)]
    for kind in ("meter", "pcs", "bms"):
        text = PROFILE.format(kind=kind) + "\n".join(points) + "\n"
        (folder / "profiles" / f"bench_{kind}.toml").write_text(text, encoding="utf-8")
    (folder / "tariff.toml").write_text("[[import.period]]\nprice = 0.3\n", encoding="utf-8")
    blocks = [SITE.format(site=site)]
    for n in range(devices):
        kind = {1: "pcs", 2: "bms"}.get(n, "meter")
        rated = "rated_power = 100_000\n" if kind == "pcs" else ""
        where = f'address = "tcp://127.0.0.1:{first + n}"\n{LINE}'
        blocks.append(f'[[device]]\nname = "d{n}"\nprofile = "bench_{kind}"\n{where}\n{rated}')
    path = folder / "site.toml"
    path.write_text("\n".join(blocks), encoding="utf-8")
    return path


async def listen(url: str, site: str, seen: Seen, confirm: Callable[[str, bytes], None] | None) -> None:
    """Hear all telemetry; with `confirm` each sample is confirmed at once, as the archive does."""
    broker = parse_broker(url, "admin", None, {})
    async with Bus(broker, identifier="listener") as bus:
        async for batch in bus.listen(TELEMETRY.at(site=site)):
            bus.ack(batch)
            now = time.monotonic()
            for heard in batch:
                words = json.loads(heard.payload)
                if words.get("historical"):
                    continue  # what was said before the archive listened comes a second time
                stamp = words["values"]["stamp"] / (1 if confirm else 1e6)
                seen.late.append(now - stamp)
                seen.came.setdefault(heard.place["device"], []).append(stamp)
                if confirm is not None:
                    confirm(heard.place["device"], heard.payload)


async def measure(command: list[str], env: dict[str, str], work: "Work", confirm: bool) -> tuple[Seen, float, float]:
    """Run a process for a while. Gives what came, its CPU seconds per second, and its memory in MB."""
    seen = Seen()
    async with Bus(parse_broker(work.broker.url("archive"), "archive", None, {}), identifier="archive") as archive:

        def forget(device: str, payload: bytes) -> None:
            sample = json.loads(payload)
            committed = Archived(epoch=sample["epoch"], ranges=[(sample["seq"], sample["seq"])])
            archive.post(ARCHIVED.at(site=work.site, device=device), committed.model_dump_json().encode())

        ear = asyncio.create_task(listen(work.broker.url("admin"), work.site, seen, forget if confirm else None))
        process = subprocess.Popen(command, env=env)  # noqa: ASYNC220  # it starts while nothing else runs
        try:
            async with asyncio.timeout(START):
                while len(seen.came) < work.devices:  # noqa: ASYNC110  # the samples are another process's
                    await asyncio.sleep(0.05)
            await asyncio.sleep(work.warm)
            seen.came.clear()
            seen.late.clear()
            watched = psutil.Process(process.pid)
            before, began = sum(watched.cpu_times()[:2]), time.monotonic()
            await asyncio.sleep(work.seconds)
            used = (sum(watched.cpu_times()[:2]) - before) / (time.monotonic() - began)
            memory = watched.memory_info().rss / 1e6
        finally:
            process.terminate()
            process.wait()
            ear.cancel()
            await asyncio.gather(ear, return_exceptions=True)
    return seen, used, memory


@dataclass
class Work:
    """The size of a run."""

    broker: shipped.Secrets
    site: str
    devices: int
    seconds: float
    warm: float
    first: int
    """Port of the first device."""


def on_time(seen: Seen, work: Work) -> float:
    """The share of the due readings that were made within a tenth of the period beside their raster."""
    good = 0
    for stamps in seen.came.values():
        beside = sorted((stamp - stamps[0] + 0.5) % 1.0 - 0.5 for stamp in stamps)
        raster = stamps[0] + beside[len(beside) // 2]
        slots = {round(stamp - raster) for stamp in stamps if abs((stamp - raster + 0.5) % 1.0 - 0.5) <= ON_TIME}
        good += min(len(slots), int(work.seconds))
    return good / (work.devices * int(work.seconds))


def points_per_second(seen: Seen, work: Work) -> float:
    return POINTS * sum(map(len, seen.came.values())) / work.seconds


async def run(work: Work, folder: Path) -> dict[str, float]:
    site = write_site(folder, work.site, work.devices, work.first)
    env = {
        **os.environ,
        "JOULEBUS_BROKER": work.broker.url("bridge"),
        "JOULEBUS_STATE": str(folder),
        "JOULEBUS_LOG": "WARNING",
    }
    bridge = [sys.executable, "-m", "joulebus.cli", "bridge", "--site", str(site), "--health", "127.0.0.1:0"]
    words = [work.first, work.devices, work.broker.port, "bridge", work.broker.password("bridge"), work.site]
    bare = [sys.executable, str(HERE / "bridge_bare.py"), *map(str, words)]
    seen, used, memory = await measure(bridge, env, work, confirm=True)
    naked, spent, _ = await measure(bare, env, work, confirm=False)
    late = sorted(seen.late)
    return {
        "on_time_share": round(on_time(seen, work), 5),
        "cpu_ms_per_1000_points": round(1e6 * used / points_per_second(seen, work), 2),
        "bare_loop_cpu_ms_per_1000_points": round(1e6 * spent / points_per_second(naked, work), 2),
        "rss_mb": round(memory, 1),
        "latency_ms_p50": round(1000 * late[len(late) // 2], 2),
        "latency_ms_p99": round(1000 * late[int(len(late) * 0.99)], 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--warm", type=float, default=5.0, help="seconds that each device is heard before")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        secrets = shipped.prepare(folder / "broker", free_port())
        broker = Server(secrets.command, secrets.env, secrets.port, folder / "mosquitto.log")
        first = free_row(asked.devices)
        words = [str(first), str(asked.devices), "69"]
        command = [sys.executable, str(HERE / "bridge_field.py"), *words]
        devices = Server(command, dict(os.environ), first + asked.devices - 1, folder / "field.log")
        broker.start()
        devices.start()
        try:
            work = Work(secrets, "bench", asked.devices, asked.seconds, asked.warm, first)
            result = asyncio.run(run(work, folder))
        finally:
            devices.stop()
            broker.stop()
    if asked.json:
        print(json.dumps(result))
    else:
        print("\n".join(f"{name:<34} {value:>10}" for name, value in result.items()))


if __name__ == "__main__":
    main()
