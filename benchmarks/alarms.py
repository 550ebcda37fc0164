"""What alarms cost and how soon they are there: `python -m benchmarks.alarms --json` prints one line.

10 000 rules on 200 devices of 50 points at 1 Hz: a third each a plain threshold, two points compared, and what looks
back or around (rate, count, projected mean, spread). Beside it the same conditions written out by hand in a bare loop,
without units, unknown values and deadband: what Python takes for them at least. Then the same through the panel, as
the service hears it, and the real service beside a real broker: from a reading that is wrong to the alarm, beyond the
on-delay.
"""

import argparse
import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

from consumers.alarms.expression.scope import Scope
from consumers.alarms.expression.watch import Watch, watch
from consumers.alarms.latest import Latest
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from consumers.alarms.rules import Now
from joulebus.broker import Secrets, prepare
from joulebus.server import Server, free_port
from runtime.bus import Bus
from runtime.settings import parse_broker
from schemas.messages import AlarmState, Telemetry
from schemas.profile import Profile
from schemas.site_alarm import AlarmRule
from schemas.topics import ALARM, TELEMETRY
from schemas.units import utc_now

DEVICES, POINTS, EACH = 200, 50, 50
"""Rules for each device, 10 000 in all."""
WARM = 70
"""Seconds of the past that windows need, before anything is measured."""
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
EPOCH = "0" * 16

LOOKS_BACK = (
    "rate(a{n}, 60 s) > 5 A/s",
    "count(a{n} > 90 A, 60 s) >= 55",
    "spread(a{n}, a{m}, a1, a2) > 250 A",
    "projected(a{n}, 15 min) > 200 A",
)
SITE = """\
site = "bench"
mode = "read_only"
tariff = "tariff.toml"
archive = false
grid = { meter = "grid", import_limit = 100e3, export_limit = 0.0 }
[[device]]
name = "grid"
profile = "meter"
address = "tcp://127.0.0.1:502"
[[alarm]]
name = "high"
device = "grid"
when = "abs(p) > 1 kW"
on_delay = %s
"""
METER = """\
make = "Benchmark"
model = "meter"
kind = "meter"
source = "benchmarks/alarms.py"
points = { p = { register = 0, type = "i32", unit = "W" } }
"""
Values = dict[str, float]


def rules_of(device: str) -> list[AlarmRule]:
    """The mix. None of them is ever wrong, as on a site that is well."""
    found = []
    for number in range(EACH):
        n, m = number % POINTS, (number * 7 + 3) % POINTS
        condition: dict[str, object]
        if number % 3 == 0:
            condition = {"point": f"a{n}", "above": 250.0, "deadband": 5.0}
        elif number % 3 == 1:
            condition = {"when": f"abs(a{n}) > 1.05 * a{m} + 200 A", "deadband": 5.0}
        else:
            condition = {"when": LOOKS_BACK[number // 3 % len(LOOKS_BACK)].format(n=n, m=m)}
        found.append(AlarmRule.model_validate({"name": f"r{number}", "device": device} | condition))
    return found


def by_hand() -> list[Callable[[Values, float], bool]]:
    """The same conditions as a person would write them for one device."""
    found: list[Callable[[Values, float], bool]] = []
    for number in range(EACH):
        n, m = f"a{number % POINTS}", f"a{(number * 7 + 3) % POINTS}"
        if number % 3 == 0:
            found.append(lambda v, _now, n=n: v[n] > 250.0)  # type: ignore[misc]
        elif number % 3 == 1:
            found.append(lambda v, _now, n=n, m=m: abs(v[n]) > 1.05 * v[m] + 200.0)  # type: ignore[misc]
        else:
            found.append(_back(number // 3 % len(LOOKS_BACK), n, m))
    return found


def _back(which: int, n: str, m: str) -> Callable[[Values, float], bool]:
    past: deque[float] = deque(maxlen=61)
    total = [0.0, 0.0]

    def rate(values: Values, _now: float) -> bool:
        past.append(values[n])
        return (past[-1] - past[0]) / 60.0 > 5.0

    def count(values: Values, now: float) -> bool:
        if values[n] > 90.0 and not total[0]:
            past.append(now)
        total[0] = values[n] > 90.0
        while past and past[0] < now - 60.0:
            past.popleft()
        return len(past) >= 55

    def spread(values: Values, _now: float) -> bool:
        four = values[n], values[m], values["a1"], values["a2"]
        return max(four) - min(four) > 250.0

    def projected(values: Values, now: float) -> bool:
        total[0] += values[n]
        total[1] += 1.0
        over = now % 900.0
        return (total[0] / total[1] * over + values[n] * (900.0 - over)) / 900.0 > 200.0

    return (rate, count, spread, projected)[which]


def profile() -> Profile:
    points = {f"a{n}": {"register": n, "unit": "A"} for n in range(POINTS)}
    return Profile.model_validate({"make": "b", "model": "b", "kind": "meter", "source": "b", "points": points})


def readings(second: int, devices: int) -> list[Telemetry]:
    """Of each device; values between 2 and 90."""
    return [
        Telemetry(
            at=NOON + timedelta(seconds=second),
            epoch=EPOCH,
            seq=second + 1,
            values={f"a{n}": 2.0 + (second * 7 + n * 13 + number) % 88 for n in range(POINTS)},
        )
        for number in range(devices)
    ]


def compiled(devices: int) -> tuple[Scope, dict[str, list[Watch]]]:
    one = profile()
    scope = Scope({f"d{n}": one for n in range(devices)})
    return scope, {device: [watch(rule, scope.of(device)) for rule in rules_of(device)] for device in scope.devices}


def evaluate(seconds: int, devices: int = DEVICES) -> dict[str, float]:
    """CPU seconds of a second on the site, of what judges it and of the bare loop; each sees the same readings."""
    scope, watches = compiled(devices)
    bare = {device: by_hand() for device in watches}
    latest, spent, looks = Latest(scope, 0.0), [0.0, 0.0], 0
    for second in range(WARM + seconds):
        heard = readings(second, devices)
        measured = second >= WARM
        began = time.process_time()
        looked = _looks(watches, latest, heard, float(second))
        between = time.process_time()
        for (_, conditions), said in zip(bare.items(), heard, strict=True):
            values: Mapping[str, object] = said.values
            for condition in conditions:
                condition(values, float(second))  # type: ignore[arg-type]
        spent[0] += measured * (between - began)
        spent[1] += measured * (time.process_time() - between)
        looks += measured * looked
    return {
        "cpu_share_10000_rules": round(spent[0] / looks * DEVICES * EACH, 4),
        "cpu_us_per_evaluation": round(1e6 * spent[0] / looks, 3),
        "bare_loop_us_per_evaluation": round(1e6 * spent[1] / looks, 3),
    }


def through_panel(seconds: int, devices: int = DEVICES) -> dict[str, float]:
    """The same through all that the service does with a reading beside the broker: what is looked at, states, time."""
    scope = Scope({f"d{n}": profile() for n in range(devices)})
    rules = {f"{rule.name}-{device}": rule for device in scope.devices for rule in rules_of(device)}
    began = time.process_time()
    panel = Panel(rules, (), Now(0.0, NOON), {}, Places(scope))
    start, spent = time.process_time() - began, 0.0
    for second in range(WARM + seconds):
        heard, now = readings(second, devices), Now(float(second), NOON + timedelta(seconds=second))
        began = time.process_time()
        changes = [
            one for device, said in zip(scope.devices, heard, strict=True) for one in panel.hear(device, said, now)
        ]
        if [*changes, *panel.tick(now)]:
            raise AssertionError(changes)
        spent += (second >= WARM) * (time.process_time() - began)
    share = spent / seconds / devices * DEVICES
    return {"panel_cpu_share_10000_rules": round(share, 4), "panel_start_s": round(start / devices * DEVICES, 2)}


def _looks(watches: Mapping[str, list[Watch]], latest: Latest, heard: list[Telemetry], now: float) -> int:
    """One second: each device is heard, and each rule looks at it; none of them is wrong."""
    wall, looks = NOON + timedelta(seconds=now), 0
    for (device, rules), said in zip(watches.items(), heard, strict=True):
        latest.hear(device, said, now)
        for one in rules:
            if one.look(latest, now, wall, False).wrong:
                raise AssertionError(one.words)
        looks += len(rules)
    return looks


class Ear:
    """When each reading and each raised alarm came back from the broker, on the clock of this process."""

    def __init__(self, bus: Bus) -> None:
        self.reading, self.alarm = asyncio.Event(), asyncio.Event()
        self.read_at = self.raised_at = 0.0
        self.task = asyncio.create_task(self._listen(bus))

    def forget(self) -> None:
        self.reading.clear()
        self.alarm.clear()

    async def _listen(self, bus: Bus) -> None:
        async for batch in bus.listen(TELEMETRY.at(site="bench"), ALARM.at(site="bench")):
            bus.ack(batch)
            for heard in batch:
                if heard.topic is TELEMETRY:
                    self.read_at = time.perf_counter()
                    self.reading.set()
                elif heard.message is not None and heard.place["alarm"] == "high-grid":
                    if heard.message.state is AlarmState.UNACKNOWLEDGED:
                        self.raised_at = time.perf_counter()
                    self.alarm.set()


@contextlib.asynccontextmanager
async def service(folder: Path, on_delay: float) -> AsyncIterator[Secrets]:
    """The alarms as the process they are, beside a broker with the shipped configuration."""
    (folder / "profiles").mkdir()
    (folder / "profiles" / "meter.toml").write_text(METER, encoding="utf-8")
    (folder / "tariff.toml").write_text("[[import.period]]\nprice = 0.3\n", encoding="utf-8")
    (folder / "site.toml").write_text(SITE % on_delay, encoding="utf-8")
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


async def raised(turns: int, on_delay: float) -> dict[str, float]:
    """Milliseconds from a wrong reading to its alarm, beyond the on-delay, and to the reading itself on the bus."""
    late, bare = [], []
    with tempfile.TemporaryDirectory() as folder:
        async with (
            service(Path(folder), on_delay) as secrets,
            _bus(secrets, "admin") as hears,
            _bus(secrets, "bridge") as says,
        ):
            ear = Ear(hears)
            await _until_there(says, ear)
            for turn in range(turns):
                ear.forget()
                began = await _say(says, 2000.0)
                await ear.reading.wait()
                bare.append(ear.read_at - began)
                if on_delay:
                    await asyncio.sleep(began + on_delay - time.perf_counter())
                    while not ear.alarm.is_set():  # from now on any reading may be the one that raises it
                        await _say(says, 2000.0)
                        await asyncio.sleep(0.002)
                await _within(ear)
                late.append(ear.raised_at - began - on_delay)
                await asyncio.sleep(0.02 + 0.001 * (turn % 20))
                ear.forget()
                await _say(says, 0.0)
                await _within(ear)
            ear.task.cancel()
    return _spread("raise_latency_ms", late) | _spread("bare_message_ms", bare)


def _bus(secrets: Secrets, role: str) -> Bus:
    return Bus(parse_broker(secrets.url(role), role, None, {}), identifier=f"{role}-bench")


async def _say(says: Bus, power: float) -> float:
    """One reading of the meter; when it was said."""
    began = time.perf_counter()
    telemetry = Telemetry(at=utc_now(), epoch=EPOCH, seq=time.monotonic_ns(), values={"p": power})
    await says.say(TELEMETRY, telemetry, site="bench", device="grid")
    return began


async def _within(ear: Ear) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(ear.reading.wait(), ear.alarm.wait())


async def _until_there(says: Bus, ear: Ear) -> None:
    """The service has started: the alarm was raised, and has returned."""
    for power in (2000.0, 0.0):
        async with asyncio.timeout(60):
            while not ear.alarm.is_set():
                await _say(says, power)
                await asyncio.sleep(0.3)
        await asyncio.sleep(0.5)
        ear.forget()


def _spread(name: str, seconds: list[float]) -> dict[str, float]:
    hundredths = quantiles(seconds, n=100)
    return {f"{name}_p50": round(hundredths[49] * 1000, 2), f"{name}_p99": round(hundredths[98] * 1000, 2)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--seconds", type=int, default=20, help="of the site that are judged")
    parser.add_argument("--alarms", type=int, default=200, help="that are raised over the broker")
    parser.add_argument("--on-delay", type=float, default=0.0, help="s, of the alarm that is raised")
    wish = parser.parse_args()
    found: dict[str, Any] = evaluate(wish.seconds) | through_panel(wish.seconds)
    found |= asyncio.run(raised(wish.alarms, wish.on_delay))
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<30} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
