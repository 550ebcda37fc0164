"""F39: whatever is said at whatever topic, by whomever and retained or not, no part ends, and the next good message is
handled. Also when all of it still stands in the broker's store and every part starts anew.

The parts cannot know who wrote a message: here a stranger may say everything, whom no access list holds back.
A short one with `make test`; JOULEBUS_CHAOS=full (`make faults`) says twenty times as much.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from joulebus.server import free_port
from runtime.bus import Bus
from runtime.guarded import FAILED
from runtime.settings import Broker as Door
from schemas import topics
from schemas.messages import AlarmRequest, Archived, Authority, Command, ControlRequest, Mode
from schemas.topics import TOPICS
from schemas.units import utc_now
from tests import web
from tests.chaos.plant import Plant, part, plant
from tests.ear import Ear, ear
from tests.mutations import Mutations
from tests.timed import FULL

SEEDS, MESSAGES = ((1, 2, 3, 4), 15_000) if FULL else ((1,), 600)
PARTS = ("bridge", "archive", "alarms", "optimize", "dispatch", "status")
WAITING = 200
"""Messages on their way at once."""
SOON = 20.0
"""Seconds until a part that has all of it behind itself answers; dispatch follows nothing that is older than what it
has followed, and a stranger's clock may have been 5 s ahead."""


@asynccontextmanager
async def everybody(folder: Path, name: str) -> AsyncIterator[tuple[Plant, str, Door]]:
    """All parts of a site as processes, where its page is, and a door to its broker without any rule."""
    async with plant(folder, name, embedded=True) as site:
        open_door, page = free_port(), f"127.0.0.1:{free_port()}"
        config = site.broker.secrets.folder / "mosquitto.conf"
        with config.open("a", encoding="utf-8") as more:
            more.write(f"\nlistener {open_door} 127.0.0.1\nallow_anonymous true\n")
        for kind in PARTS:
            if kind not in site.parts:
                site.parts[kind] = part(kind, folder, site.broker, site.database)
        site.parts["status"].command += ["--page", page]
        await site.start("broker")
        await asyncio.gather(*(site.start(kind) for kind in PARTS))
        for kind in PARTS:
            await site.until(kind, ready=True, seconds=30)
        yield site, page, Door("127.0.0.1", open_door)


class Stranger:
    """Says anything anywhere."""

    def __init__(self, bus: Bus, site: Plant, seed: int) -> None:
        self.bus, self.mutations = bus, Mutations(seed)
        devices = [device.name for device in site.simulated.site.device]
        alarms = ("soc_low-bms", "pcs_fault-pcs", "meter_silent-meter", "service_down-bridge", "nothing-nowhere")
        self.names = {
            "site": [site.name],
            "device": [*devices, *devices, "nobody", "d" * 64, "d" * 65],
            "alarm": [*alarms, "a" * 64, "a" * 65, "end-of-stored"],
            "forecast": ["roof", "nobody", "f" * 64, "f" * 65],
            "service": [*PARTS, "nobody", "s" * 64, "s" * 65],
        }

    async def talk(self, messages: int) -> None:
        """So many messages, a third of them retained."""
        for _ in range(messages):
            self.mutations.now = utc_now()
            topic = self.mutations.random.choice(TOPICS)
            place = {name: self.mutations.random.choice(self.names[name]) for name in topic.places}
            address = topic.template.format(**place)
            retain = self.mutations.random.random() < 1 / 3
            self.bus.post(address, self.mutations.payload(topic), retain=retain)
            await self._confirmed(WAITING)
        await self._confirmed(0)

    async def _confirmed(self, most: int) -> None:
        """Until no more than so many wait for the broker."""
        while self.bus.unconfirmed > most:  # noqa: ASYNC110  # the bus tells nobody how many there are
            await asyncio.sleep(0.002)


def health(site: Plant, kind: str) -> dict[str, Any]:
    found: dict[str, Any] = web.get(f"http://127.0.0.1:{site.parts[kind].port}/health", timeout=10).json()
    return found


def running(site: Plant) -> dict[str, int | None]:
    return {kind: process.pid if (process := site.parts[kind].process) else None for kind in PARTS}


async def answers(site: Plant, page: str, bus: Bus, hears: Ear) -> None:
    """A good message to each part, and what shows that it was handled. Raises TimeoutError."""
    name, now, mark = site.name, utc_now(), f"good-{time.monotonic_ns()}"
    command = Command(
        id=mark, at=now, until=now + timedelta(seconds=10), source="dispatch", authority=Authority.OPERATOR,
        values={"p_set": 0.0}, reason="test",
    )  # fmt: skip
    await bus.say(topics.COMMAND, command, site=name, device="pcs")
    await hears.until(topics.OUTCOME, lambda one: one.id == mark, SOON)
    request = AlarmRequest(id=mark, at=now, action="ack", who="test")
    await bus.say(topics.ALARM_REQUEST, request, site=name, alarm="no-such-alarm")
    await hears.until(topics.ALARM_OUTCOME, lambda one: one.id == mark, SOON)
    epoch, numbered = site.numbered()
    least = numbered["meter"]
    await hears.until(topics.ARCHIVED, lambda one: _confirms(one, epoch, least), SOON, device="meter")
    await _locked(bus, hears, name, mark)
    async with httpx.AsyncClient(verify=web.PLAIN, base_url=f"http://{page}", timeout=10) as asking:
        for where in ("/", "/api/state", "/api/series", "/api/today", "/health"):
            assert (await asking.get(where)).status_code == 200, where
        async with asking.stream("GET", "/events") as stream:
            assert (await anext(stream.aiter_lines())).startswith("data: {")
        wish = {"id": f"{mark}p", "action": "ack", "who": "test"}
        asked = await asking.post("/api/alarms/no-such-alarm", json=wish, headers={"x-joulebus": "page"})
        assert asked.status_code == 202
        async with asyncio.timeout(SOON):
            while f"{mark}p" not in (await asking.get("/api/state")).json()["answers"]:  # noqa: ASYNC110  # a page is asked
                await asyncio.sleep(0.2)


def _confirms(one: Archived, epoch: str, seq: int) -> bool:
    return one.epoch == epoch and any(last >= seq for _, last in one.ranges)


async def _locked(bus: Bus, hears: Ear, site: str, mark: str) -> None:
    """Dispatch takes a lockout from anybody; again and again, until its own clock has passed that of a stranger."""
    async with asyncio.timeout(SOON):
        while True:
            request = ControlRequest(at=utc_now(), mode=Mode.LOCKOUT, who=mark)
            await bus.say(topics.CONTROL_REQUEST, request, site=site)
            await asyncio.sleep(0.5)
            if any(one.who == mark for one in hears.all(topics.CONTROL_MODE)):
                return


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
async def test_no_message_ends_a_part(seed: int, tmp_path: Path, site_name: str) -> None:
    async with everybody(tmp_path, site_name) as (site, page, open_door):
        before = running(site)
        listens = f"ems/v1/{site_name}/#"
        async with Bus(open_door, identifier="stranger") as bus, ear(site.broker.url("admin"), listens) as hears:
            stranger = Stranger(bus, site, seed)
            await stranger.talk(MESSAGES)
            await answers(site, page, bus, hears)
            assert running(site) == before
            assert site.dead() == []
            said = {kind: health(site, kind) for kind in PARTS}
            assert {kind: one["ready"] for kind, one in said.items()} == dict.fromkeys(PARTS, True)
            assert {kind: one["counts"].get(FAILED, 0) for kind, one in said.items()} == dict.fromkeys(PARTS, 0)
            for kind in PARTS:
                site.parts[kind].kill()
            hears.heard.clear()
            await asyncio.gather(*(site.start(kind) for kind in PARTS))
            anew = running(site)
            for kind in PARTS:
                await site.until(kind, ready=True, seconds=30)
            await answers(site, page, bus, hears)
            assert running(site) == anew
            assert site.dead() == []
        logs = {kind: site.parts[kind].log.read_text(encoding="utf-8", errors="replace") for kind in PARTS}
        assert [kind for kind, text in logs.items() if "Traceback" in text] == []
