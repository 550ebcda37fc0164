"""How soon alarms are there: the real service beside a real broker, from a reading that is wrong to its alarm.

One alarm, with none and with 1000 others that stand; and 200 that one message raises. Beside it the parts that nobody
can do without, measured in the same moments: a message through the broker, and one write that waits for the disk.
"""

import asyncio
import contextlib
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import quantiles

from joulebus.broker import Secrets, prepare
from joulebus.server import Server, free_port
from runtime.bus import Bus
from runtime.settings import parse_broker
from schemas.messages import AlarmState, Telemetry
from schemas.topics import ALARM, TELEMETRY
from schemas.units import utc_now

EPOCH = "0" * 16
CROWD, FLOOD = 1000, 200
HIGH, GOOD = 2000.0, 0.0
"""W of a meter: above and below what its rules allow."""
LOUD = {AlarmState.UNACKNOWLEDGED: "raised", AlarmState.RETURNED: "returned"}

SITE = """\
site = "bench"
mode = "read_only"
tariff = "tariff.toml"
archive = false
grid = { meter = "grid", import_limit = 100e3, export_limit = 0.0 }
"""
DEVICE = """\
[[device]]
name = "%s"
profile = "meter"
address = "tcp://127.0.0.1:%d"
"""
RULE = """\
[[alarm]]
name = "%s"
device = "%s"
when = "abs(p) > 1 kW"
on_delay = %s
"""
METER = """\
make = "Benchmark"
model = "meter"
kind = "meter"
source = "benchmarks/alarms_raised.py"
points = { p = { register = 0, type = "i32", unit = "W" } }
"""


def site(on_delay: float) -> str:
    """Three meters: one alarm of the first, 200 of the second, 1000 of the third."""
    devices = [DEVICE % (name, 502 + number) for number, name in enumerate(("grid", "flood", "crowd"))]
    rules = [RULE % ("high", "grid", on_delay)]
    rules += [RULE % (f"f{number}", "flood", 0) for number in range(FLOOD)]
    rules += [RULE % (f"c{number}", "crowd", 0) for number in range(CROWD)]
    return "".join([SITE, *devices, *rules])


class Ear:
    """When each reading of the first meter and each alarm came back from the broker, on the clock of this process."""

    def __init__(self, bus: Bus) -> None:
        self.reading = asyncio.Event()
        self.news = asyncio.Event()
        self.read_at = 0.0
        self.heard: dict[str, dict[str, float]] = {}
        """By what became of them (`LOUD`), the alarms since they were forgotten last."""
        self.task = asyncio.create_task(self._listen(bus))
        self.forget()

    def forget(self) -> None:
        self.reading.clear()
        self.heard = {word: {} for word in LOUD.values()}

    async def hears(self, word: str, device: str, count: int, within: float = 30) -> list[float]:
        """When so many alarms of a device were raised, or returned."""
        async with asyncio.timeout(within):
            while len(times := [at for name, at in self.heard[word].items() if name.endswith(f"-{device}")]) < count:
                self.news.clear()
                await self.news.wait()
        return sorted(times)

    async def _listen(self, bus: Bus) -> None:
        async for batch in bus.listen(TELEMETRY.at(site="bench"), ALARM.at(site="bench")):
            bus.ack(batch)
            now = time.perf_counter()
            for heard in batch:
                if heard.topic is TELEMETRY:
                    if heard.place["device"] == "grid":
                        self.read_at = now
                        self.reading.set()
                elif heard.message is not None and heard.message.state in LOUD:
                    self.heard[LOUD[heard.message.state]].setdefault(heard.place["alarm"], now)
                    self.news.set()


class Plant:
    """What the meters say; who has said nothing for a second repeats itself: a silent meter is an alarm of its own."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._last = dict.fromkeys(("grid", "flood", "crowd"), (GOOD, 0.0))
        self.task = asyncio.create_task(self._breathe())

    async def say(self, device: str, power: float) -> float:
        """One reading; when it was said."""
        began = time.perf_counter()
        self._last[device] = power, began
        telemetry = Telemetry(at=utc_now(), epoch=EPOCH, seq=time.monotonic_ns(), values={"p": power})
        await self._bus.say(TELEMETRY, telemetry, site="bench", device=device)
        return began

    async def _breathe(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            for device, (power, when) in [*self._last.items()]:
                if time.perf_counter() - when > 1:
                    await self.say(device, power)


@contextlib.asynccontextmanager
async def service(folder: Path, on_delay: float) -> AsyncIterator[Secrets]:
    """The alarms as the process they are, beside a broker with the shipped configuration."""
    (folder / "profiles").mkdir()
    (folder / "profiles" / "meter.toml").write_text(METER, encoding="utf-8")
    (folder / "tariff.toml").write_text("[[import.period]]\nprice = 0.3\n", encoding="utf-8")
    (folder / "site.toml").write_text(site(on_delay), encoding="utf-8")
    secrets = prepare(folder / "broker", free_port())
    server = Server(secrets.command, secrets.env, secrets.port, folder / "broker.log")
    server.start()
    own = {"JOULEBUS_STATE": str(folder), "JOULEBUS_HEALTH": "127.0.0.1:0", "JOULEBUS_BROKER": secrets.url("alarms")}
    command = [sys.executable, "-m", "joulebus.cli", "alarms", "--site", str(folder / "site.toml")]
    log = (folder / "alarms.log").open("wb")
    process = await asyncio.create_subprocess_exec(*command, env=os.environ | secrets.env | own, stderr=log)
    try:
        yield secrets
    finally:
        process.terminate()
        await process.wait()
        log.close()
        server.stop()


async def raised(turns: int, floods: int, on_delay: float) -> dict[str, float]:
    """Milliseconds from a wrong reading to its alarm, beyond the on-delay, and of the parts of that way."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            service(Path(folder), on_delay) as secrets,
            _bus(secrets, "admin") as hears,
            _bus(secrets, "bridge") as says,
        ):
            ear, plant = Ear(hears), Plant(says)
            await _until_there(plant, ear)
            late, bare, disk = await _one_by_one(turns, plant, ear, on_delay, Path(folder) / "bare")
            found = (
                _spread("raise_latency_ms", late) | _spread("bare_message_ms", bare) | _spread("bare_fsync_ms", disk)
            )
            found |= await _flooded(floods, plant, ear)
            await plant.say("crowd", HIGH)
            await ear.hears("raised", "crowd", CROWD)
            late, *_ = await _one_by_one(turns, plant, ear, on_delay, Path(folder) / "bare")
            found |= _spread("raise_latency_1000_active_ms", late)
            ear.task.cancel()
            plant.task.cancel()
    return found


def _bus(secrets: Secrets, role: str) -> Bus:
    return Bus(parse_broker(secrets.url(role), role, None, {}), identifier=f"{role}-bench")


async def _one_by_one(turns: int, plant: Plant, ear: Ear, on_delay: float, file: Path) -> list[list[float]]:
    """Seconds of each turn: to the alarm, to the reading itself, and of a bare fsync."""
    late, bare, disk = list[float](), list[float](), list[float]()
    for turn in range(turns):
        ear.forget()
        began = await plant.say("grid", HIGH)
        await ear.reading.wait()
        bare.append(ear.read_at - began)
        if on_delay:
            await asyncio.sleep(began + on_delay - time.perf_counter())
            while not ear.heard["raised"]:  # from now on any reading may be the one that raises it
                await plant.say("grid", HIGH)
                await asyncio.sleep(0.002)
        late.append((await ear.hears("raised", "grid", 1))[0] - began - on_delay)
        disk.append(_bare_fsync(file))
        await asyncio.sleep(0.02 + 0.001 * (turn % 20))
        await plant.say("grid", GOOD)
        await ear.hears("returned", "grid", 1)
    return [late, bare, disk]


async def _flooded(turns: int, plant: Plant, ear: Ear) -> dict[str, float]:
    """From one reading to the first and to the last of the alarms that it raises."""
    first, last = [], []
    for _ in range(turns):
        ear.forget()
        began = await plant.say("flood", HIGH)
        times = await ear.hears("raised", "flood", FLOOD)
        first.append(times[0] - began)
        last.append(times[-1] - began)
        await plant.say("flood", GOOD)
        await ear.hears("returned", "flood", FLOOD)
    return _spread("flood_of_200_first_ms", first) | _spread("flood_of_200_last_ms", last)


def _bare_fsync(file: Path) -> float:
    """Seconds that the disk takes for one small write at the end of a file."""
    began = time.perf_counter()
    with file.open("ab", buffering=0) as end:
        end.write(b"x" * 600)
        os.fsync(end.fileno())
    return time.perf_counter() - began


async def _until_there(plant: Plant, ear: Ear) -> None:
    """The service has started: the alarm was raised, and has returned."""
    for power, word in ((HIGH, "raised"), (GOOD, "returned")):
        async with asyncio.timeout(60):
            while not ear.heard[word]:
                await plant.say("grid", power)
                await asyncio.sleep(0.3)
    await asyncio.sleep(1)


def _spread(name: str, seconds: list[float]) -> dict[str, float]:
    hundredths = quantiles(seconds, n=100)
    return {f"{name}_p50": round(hundredths[49] * 1000, 2), f"{name}_p99": round(hundredths[98] * 1000, 2)}
