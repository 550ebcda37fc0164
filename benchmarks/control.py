"""What control costs and how fast it is: `python -m benchmarks.control --json` prints one line.

200 devices are read and 20 of them steered: batteries behind one meter, each with its limits, its proof and its place
beside the others; beside it the time until a power is shared among 20 batteries, until a command stands in a register
of a real Modbus server, and until a new limit of the BMS does. Last, random walks in virtual time that look for a write
that must not be.
"""

import argparse
import asyncio
import contextlib
import json
import logging
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from bridges.control.battery_control import BatteryControl
from bridges.control.controller import Controller
from bridges.control.grid_connection import GridConnection
from bridges.fieldbus.contract import Writable
from bridges.served import devices
from bridges.service import Bridge
from bridges.telemetry.latest_values import LatestValues
from optimizer.split import Room, split
from runtime.heard import Heard
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Authority, Command, Telemetry
from schemas.site import Site
from schemas.site_file import load_site
from schemas.topics import COMMAND
from schemas.units import utc_now
from simulator.service import SimulatedSite
from tests.bridges.control.bare import Bare
from tests.bridges.control.test_search import Walk
from tests.virtual import run

REPOSITORY = Path(__file__).resolve().parent.parent
SITE = load_site(REPOSITORY / "tests" / "one_battery.toml")
P_SET = 135
"""The Sinexcel's register for active power."""
DEVICES, STEERED = 200, 20
EPOCH = "0" * 16


def command(power: float) -> Heard[Command]:
    """One of dispatch's."""
    now = utc_now()
    one = Command(
        id=f"b{time.monotonic_ns()}",
        at=now,
        until=now + timedelta(seconds=10),
        source="dispatch",
        authority=Authority.PLAN,
        values={"p_set": power},
        reason="benchmark",
    )
    return Heard(COMMAND, {}, one, "", one.model_dump_json().encode(), False, 0)


def note(latest: LatestValues, device: str, values: dict[str, Any]) -> None:
    sample = Telemetry.model_construct(at=utc_now(), epoch=EPOCH, seq=1, values=values, quality={})
    latest.note(device, sample, asyncio.get_running_loop().time())


def crowd() -> Site:
    """Many batteries behind one meter."""
    found, first = [], SITE.battery[0]
    devices = [SITE.named("meter")]
    for number in range(STEERED):
        pcs, bms = f"pcs{number}", f"bms{number}"
        devices += [SITE.named(old).model_copy(update={"name": new}) for old, new in (("pcs", pcs), ("bms", bms))]
        found.append(first.model_copy(update={"name": f"battery{number}", "pcs": [pcs], "bms": [bms], "ramp": 1e9}))
    return SITE.model_copy(update={"battery": found, "device": devices})


def steered(latest: LatestValues) -> list[Controller]:
    """All of them, under control."""
    site, found = crowd(), []
    site.__dict__.pop("profiles", None)  # those of the demo's devices
    connection = GridConnection(site, latest)
    for battery in site.units:
        device = Bare(battery.pcs, {
            "p_set": Writable("p_set", -1e5, 1e5, None), "q_set": Writable("q_set", -1e5, 1e5, 0.0),
        })  # fmt: skip
        control = BatteryControl(battery, site, device, (), latest, connection=connection)
        found.append(Controller(device, site, latest, lambda _: None, battery=control))
    return found


async def cycles(turns: int) -> list[float]:
    """Milliseconds of a cycle of all that are steered, while all devices are read."""
    latest, clock, found = LatestValues(), time.perf_counter, []
    controls = steered(latest)
    for turn in range(turns):
        for number in range(DEVICES):
            kind = ("pcs", "bms", "load")[number // STEERED if number < 2 * STEERED else 2]
            name = f"{kind}{number % STEERED if kind != 'load' else number}"
            note(latest, name, {"p": 0.0, "u": 800.0, "ccl": 200.0, "dcl": 200.0, "soc": 50.0, "state": "running"})
        note(latest, "meter", {"p": 50_000.0 + turn % 7})
        for number, control in enumerate(controls):
            control.read(asyncio.get_running_loop().time())
            control.hear(command(1000.0 * ((turn + number) % 50)))
        began = clock()
        for control in controls:
            await control.cycle()
        found.append(1000 * (clock() - began))
    return found


@contextlib.asynccontextmanager
async def bridge(folder: Path) -> AsyncIterator[tuple[SimulatedSite, Bridge]]:
    """The demo's site behind real Modbus servers, without a broker."""
    update = {"battery": [one.model_copy(update={"ramp": 1e9}) for one in SITE.battery]}
    async with SimulatedSite(SITE.model_copy(update=update), free_ports=True) as simulated:
        settings = Settings(parse_broker("mqtt://127.0.0.1:1", "bridge", None, {}), "", None, folder)
        part = Part("bridge", simulated.site, settings)
        it = Bridge(part, devices(part))
        serving = asyncio.create_task(it.serve())
        await asyncio.sleep(3)
        try:
            yield simulated, it
        finally:
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
            it.close()


async def reaches(simulated: SimulatedSite, value: int, began: float) -> float:
    """When the register was written with this value, after a moment of the monotonic clock."""
    while True:
        for one in reversed(simulated.written):
            if (one.device, one.register, one.values) == ("pcs", P_SET, (value,)) and one.at >= began:
                return one.at
        await asyncio.sleep(0.0005)


async def delays(turns: int) -> tuple[list[float], list[float]]:
    """Milliseconds from a command, and from a reading with a new limit of the BMS, to the register."""
    commands, limits, clock = [], [], asyncio.get_running_loop().time
    with tempfile.TemporaryDirectory() as folder:
        async with bridge(Path(folder)) as (simulated, it):
            control = it.controls["pcs"]
            for turn in range(turns):
                await asyncio.sleep(random.uniform(0.02, 0.08))
                began, power = clock(), 100 + turn
                control.hear(command(100.0 * power))
                commands.append(1000 * (await reaches(simulated, power, began) - began))
            for turn in range(turns // 5):
                control.hear(command(50_000.0 + 100 * turn))
                await reaches(simulated, 500 + turn, clock() - 1.0)
                began = clock()
                note(it.latest, "bms", {"u": 800.0, "ccl": 0.0, "dcl": 0.0, "soc": 50.0})
                control.wake()
                with contextlib.suppress(TimeoutError):  # the BMS may have spoken for itself in between
                    async with asyncio.timeout(1.0):
                        limits.append(1000 * (await reaches(simulated, 0, began) - began))
                await asyncio.sleep(1.2)  # until the BMS has said again what it allows
    return commands, limits


def splits(turns: int) -> list[float]:
    """Milliseconds to share a power among 20 batteries of any SoC."""
    chance, found, last = random.Random(20), list[float](), dict[str, float]()
    for _ in range(turns):
        rooms = [Room(f"b{n}", -50e3, 50e3, 50e3, 100e3, chance.uniform(10, 90)) for n in range(STEERED)]
        began = time.perf_counter()
        last = split(chance.uniform(-1e6, 1e6), rooms, last)
        found.append(1000 * (time.perf_counter() - began))
    return found


def walks(sequences: int) -> int:
    """Steps of random walks in virtual time; gives how many found something unsafe."""
    unsafe, length = 0, 5_000
    for seed in range(sequences // length):

        async def told(seed: int = seed) -> None:
            await Walk(seed, wears=seed % 3 == 2).run(length)

        try:
            run(told())
        except AssertionError as found:
            print(f"seed {seed}: {found}", file=sys.stderr)
            unsafe += 1
    return unsafe


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--turns", type=int, default=200)
    parser.add_argument("--sequences", type=int, default=100_000)
    chosen = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the walks make every device fail
    cycle = asyncio.run(cycles(chosen.turns))
    commands, limits = asyncio.run(delays(chosen.turns))
    unsafe = walks(chosen.sequences)
    found = {
        "cycle_ms_p50": _share(cycle, 50),
        "cycle_ms_p99": _share(cycle, 99),
        "command_to_register_ms_p50": _share(commands, 50),
        "command_to_register_ms_p99": _share(commands, 99),
        "wake_on_bms_limit_ms": _share(limits, 50),
        "split_20_batteries_ms": _share(splits(10 * chosen.turns), 50),
        "random_sequences": chosen.sequences,
        "unsafe_writes": unsafe,
    }
    print(json.dumps(found) if chosen.json else "\n".join(f"{name:<28} {value}" for name, value in found.items()))


def _share(values: list[float], percent: int) -> float:
    return round(quantiles(values, n=100, method="inclusive")[percent - 1], 3)


if __name__ == "__main__":
    main()
