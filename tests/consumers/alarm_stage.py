"""A stage for stories of alarms: the service as a process of its own, beside a real broker with the shipped access
list, a bridge's voice, people who ask, and a SCADA that only listens. Times are seconds since the story began."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiomqtt

from joulebus.server import Server, free_port
from runtime.bus import Bus, Refused
from runtime.settings import parse_broker
from schemas.messages import Alarm, AlarmRequest, RequestOutcome, Telemetry
from schemas.topics import ALARM, ALARM_FIGURES, ALARM_MAINTENANCE, ALARM_OUTCOME, ALARM_REQUEST, TELEMETRY
from schemas.units import Quality, utc_now
from tests.conftest import Broker
from tests.timed import in_time

MARK = "end-of-stored"
LATE, BEAT = 0.45, 0.95
"""Seconds that this machine may lose before what is wrong may be its own doing, for delays end in the middle between
two readings; and before a change is one of the next reading. Then the story is told again."""
PULSE = "pulse"
"""A device that is wrong each second second: by its alarm it is seen how late the service is."""
EPOCH = "0" * 16
PROFILE = """
make = "ACME"
model = "room"
kind = "sensor"
source = "made up for tests"
[points]
x = { register = 0, scale = 0.1, unit = "%" }
y = { register = 1, scale = 0.1, unit = "%" }
"""
METER = """
make = "ACME"
model = "meter"
kind = "meter"
source = "made up for tests"
[points]
p = { register = 0, type = "i32", unit = "W" }
"""
SITE = """
site = "{name}"
mode = "read_only"
time_zone = "Europe/Berlin"
tariff = "tariff.toml"
grid = {{ meter = "grid", import_limit = 100e3, export_limit = 0.0 }}
[[device]]
name = "grid"
profile = "meter"
address = "tcp://127.0.0.1:502"
"""
DEVICE = """
[[device]]
name = "{d}"
profile = "room"
address = "tcp://127.0.0.1:503"
unit = {unit}
"""
HOT = """
[[alarm]]
name = "hot"
device = "{d}"
point = "x"
above = 30
{rule}
"""


@dataclass(frozen=True)
class Row:
    """One story of one device."""

    told: str
    """What its bridge says each second, such as `0*3 50 50? - 0`: x, x of bad quality, nothing at all; `50/1` is x and
    y, `B` an hour of x = 99 out of the outbox and then 0 now. The last one goes on."""
    sees: str | dict[str, str] = ""
    """What SCADA sees of `hot`, or of each alarm: `6 unacknowledged from 3, 7 returned`. `~`: within a second, by the
    clock; `from`: since when its condition is there; `+` and `-`: whether it is there, where the state does not say."""
    rule: str = ""
    """More of the rule `hot`: x above 30."""
    more: str = ""
    """Further tables of the site file; `{d}` is the device."""
    asks: Sequence[str] = ()
    """`3 operator shelve 5 -> followed`: who asks for what at second 3, for 5 s, and what becomes of it: `followed`, a
    cause, or `forbidden` by the broker. `stale`, `ahead` and `retained` before the action say how it is sent."""


@dataclass(frozen=True)
class Reading:
    values: dict[str, float]
    good: bool = True
    hour: bool = False
    """Behind an hour of history."""


def readings(told: str) -> list[Reading | None]:
    """One each second; None where nothing is said."""
    found: list[Reading | None] = []
    for word in told.split():
        text, _, times = word.partition("*")
        found += [_reading(text)] * int(times or 1)
    return found


def _reading(text: str) -> Reading | None:
    if text == "-":
        return None
    if text == "B":
        return Reading({"x": 0.0, "y": 0.0}, hour=True)
    x, _, y = text.rstrip("?").partition("/")
    return Reading({"x": float(x), "y": float(y or 0)}, good=not text.endswith("?"))


def site_file(folder: Path, name: str, rows: dict[str, Row], more: str = "") -> Path:
    """A site with a device for each row, by the row's name."""
    (folder / "profiles").mkdir(exist_ok=True)
    (folder / "profiles" / "room.toml").write_text(PROFILE, encoding="utf-8")
    (folder / "profiles" / "meter.toml").write_text(METER, encoding="utf-8")
    (folder / "tariff.toml").write_text("[[import.period]]\nprice = 0.30\n", encoding="utf-8")
    devices = "".join(DEVICE.format(d=d, unit=unit) for unit, d in enumerate([*rows, PULSE], 1))
    rules = HOT.format(d=PULSE, rule="") + "".join(
        HOT.format(d=d, rule=row.rule) + row.more.replace("{d}", d) for d, row in rows.items()
    )
    path = folder / "site.toml"
    path.write_text(SITE.format(name=name) + devices + rules + more, encoding="utf-8")
    return path


def part(name: str, broker: Broker, path: Path, *more: str, **env: str) -> Server:
    """A part of joulebus as in production; it answers at its health endpoint."""
    port = free_port()
    command = [sys.executable, "-m", "joulebus.cli", name, "--site", str(path), "--health", f"127.0.0.1:{port}", *more]
    env = {"JOULEBUS_BROKER": broker.url(name), "JOULEBUS_STATE": str(path.parent), "PATH": os.defpath, **env}
    return Server(command, env, port, path.parent / f"{name}.log")


@dataclass
class Seen:
    """What SCADA heard of an alarm."""

    at: float
    """When it came."""
    name: str
    alarm: Alarm | None
    """None: the topic was emptied."""
    retained: bool


@dataclass
class Stage:
    """Everybody but the service and the broker. `ahead`: the service's wall clock, in s before ours."""

    site: str
    rows: dict[str, Row]
    bridge: Bus
    people: dict[str, Bus]
    began: float = 0.0
    wall: datetime = field(default_factory=utc_now)
    ahead: float = 0.0
    seen: list[Seen] = field(default_factory=list)
    answers: list[tuple[str, RequestOutcome]] = field(default_factory=list)
    figures: list[Any] = field(default_factory=list)
    forbidden: list[str] = field(default_factory=list)
    """Requests that the broker did not take, as they stand in the row."""
    calm: bool = False
    """Each device goes on with its last reading."""
    instead: dict[str, Reading] = field(default_factory=dict)
    late: float = 0.0
    """The most that the bridge's voice lost."""
    said: dict[str, list[tuple[float, Reading]]] = field(default_factory=dict)
    """What was said of each device, and when."""
    seq: int = 0
    news: asyncio.Event = field(default_factory=asyncio.Event)
    jobs: list[asyncio.Task[None]] = field(default_factory=list)

    def do(self, job: Coroutine[Any, Any, None]) -> None:
        """Beside all else, to the end."""
        self.jobs.append(asyncio.create_task(job))

    async def begin(self) -> None:
        """Once the service listens: the bridge speaks, and people ask."""
        await self.sees(lambda: bool(self.figures), within=30.0)
        await asyncio.sleep(0.3)
        self.began, self.wall = asyncio.get_running_loop().time() + 0.1, utc_now() + timedelta(seconds=0.1)
        self.do(self.speak())
        self.do(self.ask())

    async def end(self) -> None:
        for job in self.jobs:
            job.cancel()
        for told in await asyncio.gather(*self.jobs, return_exceptions=True):
            if isinstance(told, Exception) and not isinstance(told, aiomqtt.MqttError):
                raise told

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time() - self.began

    def second(self, wall: datetime) -> float:
        """Of the story, by the wall clock."""
        return (wall - self.wall).total_seconds()

    async def until(self, second: float) -> None:
        for job in self.jobs:
            if job.done():
                job.result()  # who stopped says why
        await asyncio.sleep(second - self.now)

    # --- the bridge ---------------------------------------------------------------------------

    async def speak(self, first: int = 0) -> None:
        """Each second one message of each device, from the second `first` on."""
        told = {d: readings(row.told) for d, row in self.rows.items()} | {PULSE: readings("0 50 " * 60)}
        second = first
        while True:
            await self.until(second)
            self.late = max(self.late, self.now - second)
            for device, all_of_it in told.items():
                reading = all_of_it[min(second, len(all_of_it) - 1)]
                if device in self.instead:
                    reading = self.instead[device]
                elif self.calm and device != PULSE:
                    reading = self.said[device][-1][1]
                if reading is not None:
                    if reading.hour:
                        self._past(device)
                    self._post(device, reading)
            self.bridge.post(TELEMETRY.at(site=self.site, device="grid"), self._telemetry({"p": 0.0}))
            second += 1

    def _post(self, device: str, reading: Reading) -> None:
        quality = {} if reading.good else {"x": Quality.IMPLAUSIBLE}
        self.bridge.post(TELEMETRY.at(site=self.site, device=device), self._telemetry(reading.values, quality=quality))
        self.said.setdefault(device, []).append((self.now, reading))

    def _past(self, device: str) -> None:
        for ago in range(3600, 0, -60):
            at = utc_now() - timedelta(seconds=ago)
            body = self._telemetry({"x": 99.0, "y": 0.0}, at=at, historical=True)
            self.bridge.post(TELEMETRY.at(site=self.site, device=device), body)

    def _telemetry(self, values: dict[str, float], **more: Any) -> bytes:
        self.seq += 1
        given = {"at": utc_now(), "epoch": EPOCH, "seq": self.seq, "values": values, **more}
        return Telemetry.model_validate(given).model_dump_json().encode()

    def tell(self, device: str, x: float) -> None:
        """From now on its bridge says that, whatever stands in its row."""
        self.instead[device] = Reading({"x": x, "y": 0.0})

    # --- people -------------------------------------------------------------------------------

    async def ask(self) -> None:
        """All that the rows ask for, each at its second."""
        asks = [(float(ask.split()[0]), device, ask) for device, row in self.rows.items() for ask in row.asks]
        for at, device, ask in sorted(asks):
            await self.until(at)
            try:
                await self.wish(device, ask)
            except Refused:
                self.forbidden.append(f"{device}: {ask}")

    async def wish(self, device: str, ask: str) -> None:
        """Raises Refused where the broker forbids it."""
        words = ask.partition(" -> ")[0].split()[1:]
        who, words = words[0], words[1:]
        name, topic, retain, shift = f"hot-{device}", ALARM_REQUEST, False, self.ahead
        while words[0] in ("stale", "ahead", "retained", "unknown", "maintenance"):
            word = words.pop(0)
            shift += {"stale": -60.0, "ahead": 60.0}.get(word, 0.0)
            retain |= word == "retained"
            name = f"none-{device}" if word == "unknown" else name
            topic = ALARM_MAINTENANCE if word == "maintenance" else topic
        at = utc_now() + timedelta(seconds=shift)
        given: dict[str, Any] = {"at": at, "id": str(len(self.answers)), "action": words[0], "who": who, "why": "test"}
        if len(words) > 1:
            given["until"] = at + timedelta(seconds=float(words[1]))
        body = AlarmRequest.model_construct(**given).model_dump_json(exclude_none=True).encode()
        await self.people[who].send(topic.at(site=self.site, alarm=name), body, retain=retain)
        if retain:
            await self.people[who].send(topic.at(site=self.site, alarm=name), b"", retain=True)

    # --- SCADA --------------------------------------------------------------------------------

    async def watch(self, bus: Bus) -> None:
        """Only listens."""
        topics = (ALARM, ALARM_OUTCOME, ALARM_FIGURES)
        async for batch in bus.listen(*(topic.at(site=self.site) for topic in topics)):
            for heard in batch:
                if heard.topic is ALARM and heard.place["alarm"] != MARK:
                    self.seen.append(Seen(self.now, heard.place["alarm"], heard.message, heard.retained))
                elif heard.topic is ALARM_OUTCOME and heard.message is not None:
                    self.answers.append((heard.place["alarm"], heard.message))
                elif heard.topic is ALARM_FIGURES and heard.message is not None:
                    self.figures.append(heard.message)
            bus.ack(batch)
            self.news.set()

    async def sees(self, true: Callable[[], bool], within: float = 10.0) -> None:
        """Wait for something that SCADA hears. Raises TimeoutError."""
        async with asyncio.timeout(within):
            while not true():
                self.news.clear()
                await self.news.wait()

    def changes(self, name: str) -> list[Seen]:
        """Of one alarm, without the emptied topics, and without what was said again because another explains it now."""
        found: list[Seen] = []
        for one in self.seen:
            if (
                one.name == name
                and one.alarm is not None
                and not (found and _explained_anew(found[-1].alarm, one.alarm))
            ):
                found.append(one)
        return found

    def last(self, name: str) -> Alarm | None:
        """As its topic says it now."""
        return next((one.alarm for one in reversed(self.seen) if one.name == name), None)

    # --- judging ------------------------------------------------------------------------------

    def judge(self, *, steps: bool = False, beside: Collection[str] = ()) -> None:
        """All rows. `beside`: alarms that may come as well. `steps`: clocks were set, so that what the service says of
        times is not compared."""
        wrong = [words for device, row in self.rows.items() for words in self._judge(device, row, steps)]
        if wrong:
            in_time(self.late < LATE and self._stood() < LATE, "this machine stood still: " + "\n".join(wrong))
        assert not wrong, "\n".join(wrong)
        assert not self._strangers() - {*beside}, "nothing else is raised"

    def _stood(self) -> float:
        """The most by which the service was behind the readings of the device that is wrong each second second."""
        late = 0.0
        for one in self.changes(f"hot-{PULSE}"):
            active = one.alarm is not None and one.alarm.active
            said = [at for at, reading in self.said[PULSE] if (reading.values["x"] > 30) is active]
            late = max([late, *[one.at - at for at in said if at <= one.at][-1:]])
        return late

    def _strangers(self) -> set[str]:
        known = {f"{rule}-{device}" for device, row in self.rows.items() for rule in _sees(row)}
        return {one.name for one in self.seen} - known - {f"hot-{PULSE}"}

    def _judge(self, device: str, row: Row, steps: bool) -> list[str]:
        wrong = []
        for rule, text in _sees(row).items():
            meant = [_meant(one) for one in text.split(", ") if one]
            came = self.changes(f"{rule}-{device}")
            if [one.state for one in meant] != [f"{one.alarm.state}" for one in came if one.alarm]:
                had = ", ".join(f"{one.at:.1f} {one.alarm.state}" for one in came if one.alarm)
                wrong.append(f"{rule}-{device}: {text or 'nothing'} is meant, and it was: {had or 'nothing'}")
                continue
            for want, one in zip(meant, came, strict=True):
                wrong += [f"{rule}-{device}: {want.text}: {words}" for words in self._compare(want, one, steps)]
        asked = [(f"{device}: {ask}", ask.rpartition(" -> ")[2]) for ask in row.asks]
        wrong += [
            f"{ask}: the broker did not forbid it"
            for ask, end in asked
            if end == "forbidden" and ask not in self.forbidden
        ]
        wanted = [end for _, end in asked if end != "forbidden"]
        told = [said.cause or "followed" for name, said in self.answers if name.endswith(f"-{device}")]
        return wrong if wanted == told else [*wrong, f"{device}: the answers were {told}, and not {wanted}"]

    def _compare(self, want: "Meant", seen: Seen, steps: bool) -> list[str]:
        alarm = seen.alarm
        assert alarm is not None
        slack = 1.2 if want.by_clock else 0.0
        patience = 3.0 if steps else BEAT
        in_time(-LATE < seen.at - want.at < patience + slack, f"{seen.name}: {want.text}: it came at {seen.at:.2f}")
        wrong = []
        if alarm.active is not want.active:
            wrong.append(f"active is {alarm.active}")
        if not steps:
            at = self.second(alarm.at)
            in_time(abs(seen.at - at) < BEAT, f"{seen.name}: {want.text}: it says {at:.2f} and came at {seen.at:.2f}")
        if want.began is not None and not steps:
            began = self.second(alarm.began) if alarm.began else None
            if began is None or abs(began - want.began) > LATE:
                wrong.append(f"began is {began}")
        return wrong


@dataclass(frozen=True)
class Meant:
    text: str
    at: float
    by_clock: bool
    state: str
    active: bool
    began: float | None


def _explained_anew(before: Alarm | None, now: Alarm) -> bool:
    plain = {"at": now.at, "first_out": now.first_out, "consequence_of": now.consequence_of}
    other = before is not None and (before.first_out, before.consequence_of) != (now.first_out, now.consequence_of)
    return before is not None and other and before.model_copy(update=plain) == now


def _sees(row: Row) -> dict[str, str]:
    return row.sees if isinstance(row.sees, dict) else {"hot": row.sees}


def _meant(text: str) -> Meant:
    found = re.fullmatch(r"([\d.]+)(~?) ([a-z_]+)([+-]?)(?: from ([\d.]+))?", text)
    assert found is not None, text
    at, by_clock, state, mark, began = found.groups()
    active = mark == "+" if mark else state in ("unacknowledged", "acknowledged")
    return Meant(text, float(at), bool(by_clock), state, active, None if began is None else float(began))


@contextmanager
def disk(name: str) -> Iterator[str]:
    """A folder whose syncs do not wait for those of all other tests of this machine: each change of an alarm is synced
    before it is told."""
    folder = Path("/dev/shm") / name  # noqa: S108  # the one other disk of every Linux
    folder.mkdir()
    try:
        yield str(folder)
    finally:
        shutil.rmtree(folder)


@asynccontextmanager
async def on_the_bus(broker: Broker, role: str) -> AsyncIterator[Bus]:
    async with Bus(parse_broker(broker.url(role), role, None, {}), identifier=role) as bus:
        yield bus


@asynccontextmanager
async def stage(broker: Broker, site: str, rows: dict[str, Row], people: Sequence[str] = ()) -> AsyncIterator[Stage]:
    """SCADA listens; `begin` once the service is there."""
    async with AsyncExitStack() as stack:
        scada, bridge = [await stack.enter_async_context(on_the_bus(broker, one)) for one in ("scada", "bridge")]
        asking = {one: await stack.enter_async_context(on_the_bus(broker, one)) for one in people}
        told = Stage(site, rows, bridge, asking | {"scada": scada})
        told.do(told.watch(scada))
        try:
            yield told
        finally:
            await told.end()


@asynccontextmanager
async def running(server: Server) -> AsyncIterator[Server]:
    """A part, until the block ends; it is started in a thread, for others speak meanwhile."""
    await asyncio.to_thread(server.start)
    try:
        yield server
    finally:
        await asyncio.to_thread(server.kill)
