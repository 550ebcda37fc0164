"""The access list forbids something: it is said, tried again, and what runs beside goes on."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from joulebus.examples import EXAMPLES
from runtime import link
from runtime.bus import Bus
from runtime.link import Work
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Meta
from schemas.site_file import load_site
from schemas.topics import META
from tests.conftest import Broker

SITE = load_site(Path(__file__).parents[2] / "tests" / "one_battery.toml")
RIGHT = "topic readwrite ems/v1/+/device/+/meta"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "REFUSED_WAIT", 0.5)
    monkeypatch.setattr(link, "HEARTBEAT", 0.2)


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Broker]:
    """A broker whose access list forgot that a bridge introduces its devices."""
    broker = Broker(tmp_path / "broker")
    acl = broker.secrets.folder / "acl"
    acl.write_text(acl.read_text(encoding="utf-8").replace(RIGHT, ""), encoding="utf-8")
    broker.start()
    yield broker
    broker.stop()


def allow(broker: Broker) -> None:
    """As an administrator puts it right: the broker goes on meanwhile."""
    acl = broker.secrets.folder / "acl"
    acl.write_text(
        acl.read_text(encoding="utf-8").replace("user bridge\n", f"user bridge\n{RIGHT}\n"), encoding="utf-8"
    )
    broker.send(signal.SIGHUP)


@dataclass
class Guarding:
    part: Part
    running: "asyncio.Task[None]"
    beats: int = 0
    """Of what runs beside."""

    async def guard(self) -> None:
        while True:
            self.beats += 1
            await asyncio.sleep(0.01)


@asynccontextmanager
async def guarding(broker: Broker, site: str, folder: Path, work: Work) -> AsyncIterator[Guarding]:
    settings = Settings(parse_broker(broker.url("bridge"), "bridge", None, {}), "", None, folder)
    part = Part("bridge", SITE.model_copy(update={"site": site}), settings)
    it = Guarding(part, asyncio.current_task())  # type: ignore[arg-type]  # replaced in the next line
    it.running = asyncio.create_task(part.run(work, it.guard))
    try:
        yield it
    finally:
        it.running.cancel()
        await asyncio.wait([it.running])


async def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.02)


def introduced(site: str) -> tuple[Meta, dict[str, str]]:
    meta = EXAMPLES[META.name]
    assert isinstance(meta, Meta)
    return meta, {"site": site, "device": "pcs"}


@pytest.mark.parametrize("waiting", [True, False], ids=["waits for the broker", "does not wait"])
async def test_guarding_goes_on_and_it_is_tried_again(
    strict: Broker, site_name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture, waiting: bool
) -> None:
    said = asyncio.Event()

    async def work(bus: Bus) -> None:
        meta, place = introduced(site_name)
        if waiting:
            await bus.say(META, meta, expiry=None, **place)
            said.set()
        while True:
            answer = await bus.post(META.at(**place), meta.model_dump_json().encode(), retain=True)
            if answer < 0x80:
                said.set()
            await asyncio.sleep(0.1)

    async with guarding(strict, site_name, tmp_path, work) as it:
        await until(lambda: "broker_refuses" in it.part.causes.names)
        assert not it.part.causes.ready
        before = it.beats
        await asyncio.sleep(1.5)
        assert it.beats > before + 20, "what runs beside stood still"
        assert not it.running.done()
        lines = [one.message for one in caplog.records if "meta" in one.message]
        assert len(lines) == 1, lines
        allow(strict)
        await asyncio.wait_for(said.wait(), 20)
        await until(lambda: it.part.causes.names == [] and it.part.ready)
