"""Energy counters: physics before repetition. A simulated SunSpec inverter and its bridge in virtual time; what is
published is read from the bridge's outbox, as the archive gets it.

Case 14: https://github.com/victronenergy/dbus-fronius/issues/18 , https://github.com/Refoss/refoss_rpc/issues/14: the
counter says 0 for minutes while the inverter wakes up, then the true total: a day's production of the whole life.
Case 16: https://github.com/0xAHA/Growatt_ModbusTCP/issues/417: a counter takes one count back.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from bridges.service import Bridge
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import Cause
from schemas.site_file import load_site
from simulator import service
from simulator.pv import Pv
from simulator.service import SimulatedSite
from tests.bridges.control.story import DEMO, SUMMER_NOON, changed, field_devices
from tests.virtual import loop, virtual

LIFE = 87_300_000.0
HOUR = 3600.0


@dataclass
class Inverter:
    """A PV inverter behind its registers, and the bridge that reads it."""

    pv: Pv
    bridge: Bridge

    async def shows(self, energy: Callable[[float], float], seconds: float) -> None:
        """For a while its counter says something else than the truth."""
        true, ends = self.pv.energy, loop().time() + seconds
        while loop().time() < ends:
            self.pv.energy = before = energy(true)
            await asyncio.sleep(1.0 if seconds < 1000 else 10.0)
            true += max(0.0, self.pv.energy - before)
        self.pv.energy = true

    def published(self) -> tuple[list[float], list[float]]:
        """The counter as it went out: what was good, and what was doubted."""
        good: list[float] = []
        doubted: list[float] = []
        for row in self.bridge.outgoing.spool.backlog(loop().time(), 100_000):
            sample = json.loads(row.body)
            if (value := sample["values"].get("e_inj_total")) is not None:
                (doubted if "e_inj_total" in sample["quality"] else good).append(value)
        return good, doubted

    @property
    def counted(self) -> float:
        """Wh that somebody counts who adds up every good value."""
        good, _ = self.published()
        return sum(max(0.0, after - before) for before, after in pairwise(good))


@contextlib.asynccontextmanager
async def inverter(state: Path, energy: float = LIFE, poll: float = 1.0) -> AsyncIterator[Inverter]:
    demo = load_site(DEMO)
    site = demo.model_copy(update={"device": changed(demo, "pv", poll=poll)})
    only_read = demo.profiles["pv"].model_copy(update={"commands": {}})  # no control cycle: an hour takes a second
    site.__dict__["profiles"] = demo.profiles | {"pv": only_read}
    made = SimulatedSite(site, start=SUMMER_NOON, noisy=True, sockets=False)
    made.world.plant.pv["pv"].energy = energy
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(service, "TICK", 1.0)  # no setpoint moves here: ten steps a second were most of an hour's work
        async with made as simulated:
            settings = Settings(parse_broker("mqtt://127.0.0.1:1", "bridge", None, {}), "", None, state)
            bridge = Bridge(Part("bridge", site, settings), field_devices(simulated, ["pv"]))
            serving = asyncio.create_task(bridge.serve())
            try:
                await asyncio.sleep(10)
                yield Inverter(simulated.world.plant.pv["pv"], bridge)
                await asyncio.sleep(2)
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)
                bridge.close()


FAULTS: dict[str, tuple[Callable[[float], float], float]] = {
    "0 for four minutes at dawn": (lambda _: 0.0, 240),
    "it runs ahead for 25 minutes, counts there, and comes back": (lambda true: true + 2_000_000, 1500),
    "ten times as much": (lambda true: true * 10, 60),
    "half": (lambda true: true / 2, 60),
    "words swapped": (lambda true: float((int(true) & 0xFFFF) << 16 | int(true) >> 16), 60),
    "one count back": (lambda true: true - 1000, 10),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_counted_that_was_not_produced(fault: str, tmp_path: Path) -> None:
    @virtual
    async def told() -> None:
        shown, seconds = FAULTS[fault]
        async with inverter(tmp_path, poll=1.0 if seconds < 1000 else 10.0) as it:
            before = it.pv.energy
            await it.shows(shown, seconds)
            await asyncio.sleep(20)
            good, doubted = it.published()
            produced = it.pv.energy - before
            assert doubted
            assert all(abs(value - LIFE) < 500_000 for value in good)
            assert it.counted <= produced + 1000
            assert good[-1] == pytest.approx(it.pv.energy, abs=produced / 4), "it is believed again at once"
            assert it.bridge.said["pv"].causes == []

    told()


def test_a_bridge_that_restarts_at_dawn_knows_that_0_is_not_true(tmp_path: Path) -> None:
    @virtual
    async def evening() -> None:
        async with inverter(tmp_path):
            pass

    @virtual
    async def dawn() -> None:
        async with inverter(tmp_path, 0.0) as it:
            await it.shows(lambda _: 0.0, 60)
            it.pv.energy = LIFE + 500
            await asyncio.sleep(20)
            good, doubted = it.published()
            assert len(doubted) > 10
            assert min(good[-3:]) > LIFE
            assert it.counted < 5000

    evening()
    dawn()


@pytest.mark.slow
@virtual
async def test_another_meter_is_taken_at_last_and_a_person_is_told(tmp_path: Path) -> None:
    async with inverter(tmp_path, poll=30.0) as it:
        await asyncio.sleep(300)
        it.pv.energy = 0.0
        await asyncio.sleep(HOUR - 60)
        good, _ = it.published()
        assert min(good) >= LIFE
        assert it.bridge.said["pv"].causes == [Cause.DOUBTED_VALUES]
        await asyncio.sleep(240)
        good, _ = it.published()
        assert good[-1] == pytest.approx(it.pv.energy, rel=0.05)
        assert it.counted < 10_000
        assert "another meter" in it.bridge.said["pv"].reason
        await asyncio.sleep(HOUR)
        assert it.bridge.said["pv"].causes == []
