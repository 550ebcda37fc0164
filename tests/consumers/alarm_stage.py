"""A stage for stories of alarms: the service as a process of its own, beside a real broker with the shipped access
list, a bridge's voice, people who ask, and a SCADA that only listens. Times are seconds since the story began."""

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
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
from tests.consumers.alarm_rows import PULSE, Reading, Row, readings

MARK = "end-of-stored"
EPOCH = "0" * 16


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


def _explained_anew(before: Alarm | None, now: Alarm) -> bool:
    plain = {"at": now.at, "first_out": now.first_out, "consequence_of": now.consequence_of}
    other = before is not None and (before.first_out, before.consequence_of) != (now.first_out, now.consequence_of)
    return before is not None and other and before.model_copy(update=plain) == now


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
