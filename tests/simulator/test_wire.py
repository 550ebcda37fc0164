"""The line without sockets gives what the line with sockets gives, and a whole site lives on it in virtual time."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from bridges.fieldbus.contract import Declined, Unreachable
from schemas.site import Site
from simulator.lies import SAYS, knows
from simulator.plant import Surroundings
from simulator.service import SimulatedSite
from tests.simulator.conftest import NOON
from tests.simulator.rig import Rig, rig
from tests.virtual import loop, virtual

SECONDS = 1000.0
PERIOD = 0.5


@asynccontextmanager
async def wired(site: Site, *faults: str, **change: Any) -> AsyncIterator[SimulatedSite]:
    async with SimulatedSite(site, faults, start=NOON, sockets=False, **change) as simulated:
        yield simulated


@pytest.mark.slow
def test_a_site_lives_a_thousand_seconds_in_less_than_twenty(site: Site) -> None:
    """Four devices are read each 0.5 s, and the battery is told another power each second."""
    readings = dict.fromkeys((device.name for device in site.device), 0)
    powers: list[tuple[float, object]] = []

    async def poll(it: Rig, name: str) -> None:
        for turn in range(int(SECONDS / PERIOD)):
            await asyncio.sleep(turn * PERIOD - loop().time())
            power = 1000.0 * (turn // 2 % 40)
            if name == "pcs" and turn % 2 == 0:
                await it.tell(p_set=power)
            values = await it.read(name)
            readings[name] += 1
            if name == "pcs":
                powers.append((power, values["p"]))

    @virtual
    async def story() -> None:
        async with rig(site) as it:
            await asyncio.gather(*(poll(it, name) for name in readings))
            lived = (it.simulated.world.at - NOON).total_seconds()
            assert lived == pytest.approx(SECONDS, abs=2 * PERIOD)

    began = time.process_time()
    story()
    assert time.process_time() - began < 20
    assert readings == dict.fromkeys(readings, int(SECONDS / PERIOD))
    assert all(wish == power for wish, power in powers)


def test_the_same_story_has_the_same_end(site: Site) -> None:
    async def lived() -> tuple[float, float, list[int]]:
        async with wired(site) as simulated:
            line = simulated.wire(site.named("pcs").address)
            for power in (100, 300, 0xFF00, 50):
                await line.write(1, 6, 135, [power])
                await asyncio.sleep(7.3)
            plant = simulated.world.plant
            return plant.battery.stored, plant.e_import, await line.read(1, 3, 122, 1)

    ends: list[tuple[float, float, list[int]]] = []
    for _ in range(2):
        virtual(lambda: _keep(lived(), ends))()
    assert ends[0] == ends[1]
    assert ends[0][2] == [500]


async def _keep(story: Any, ends: list[Any]) -> None:
    ends.append(await story)


@virtual
async def test_a_trial_brings_its_own_load_and_sun(site: Site) -> None:
    def step(at: datetime) -> Surroundings:
        return Surroundings(90_000.0 if at < NOON + timedelta(seconds=25) else 140_000.0, 0.0)

    async with wired(site, around=step) as simulated:
        line = simulated.wire(site.named("meter").address)
        powers = []
        for _ in range(4):
            await asyncio.sleep(10)
            high, low = await line.read(1, 3, 19026, 2)
            powers.append(struct.unpack(">f", struct.pack(">HH", high, low))[0])
        assert powers == [90_000, 90_000, 140_000, 140_000]


@virtual
async def test_declined_is_what_the_device_says(site: Site) -> None:
    async with wired(site, "bms:exception") as simulated:
        pcs, bms = (simulated.wire(site.named(name).address) for name in ("pcs", "bms"))
        for wrong, code in (
            (pcs.read(1, 3, 60_000, 1), 2),
            (pcs.write(1, 6, 122, [1]), 2),
            (pcs.read(1, 4, 122, 1), 2),
            (bms.read(1, 3, 5127, 1), 4),
        ):
            with pytest.raises(Declined, match=rf"the device .* \(exception {code}\)") as no:
                await wrong
            assert no.value.code == code
        assert list(simulated.written) == []


@virtual
async def test_a_silent_one_is_waited_for_and_a_busy_one_asked_once_more(site: Site) -> None:
    async with wired(site, "bms:silent", "meter:busy") as simulated:
        bms, meter = (simulated.wire(site.named(name).address) for name in ("bms", "meter"))
        with pytest.raises(Unreachable, match="no answer"):
            await bms.read(1, 3, 5127, 1)
        assert loop().time() == bms.timeout
        assert len(await meter.read(1, 3, 19026, 2)) == 2
        with pytest.raises(Unreachable, match="no unit 9"):
            await bms.read(9, 3, 5127, 1)


@virtual
async def test_what_a_late_one_was_told_happens_all_the_same(site: Site) -> None:
    async with wired(site, "pcs:slow") as simulated:
        pcs = simulated.wire(site.named("pcs").address)
        with pytest.raises(Unreachable):
            await pcs.write(1, 6, 135, [300])
        assert simulated.world.plant.pcs.p_set == 0
        await asyncio.sleep(2.5)
        assert simulated.world.plant.pcs.p_set == 30_000
        pcs.timeout = 3.0
        assert await pcs.read(1, 3, 135, 1) == [300]


@pytest.mark.parametrize("name", [*SAYS, "wrong_register_count"])
@virtual
async def test_an_answer_that_is_none_is_no_answer(name: str, site: Site) -> None:
    async with wired(site, f"meter:{name}") as simulated:
        line = simulated.wire(site.named("meter").address)
        if name in SAYS and not knows(name, rtu=False):
            assert len(await line.read(1, 3, 19026, 2)) == 2
            return
        with pytest.raises(Unreachable):
            await line.read(1, 3, 19026, 2)


@virtual
async def test_one_line_takes_one_request_at_a_time(site: Site) -> None:
    shared = site.device[0].address
    devices = [d.model_copy(update={"address": shared, "unit": n}) for n, d in enumerate(site.device, 1)]
    async with wired(site.model_copy(update={"device": devices}), "pcs:slow") as simulated:
        line = simulated.wire(shared)
        line.timeout = 5.0
        answers = await asyncio.gather(line.read(1, 3, 122, 1), line.read(2, 3, 5127, 1), line.read(1, 3, 135, 1))
        assert [*answers] == [[0], [500], [0]]
        assert loop().time() == 4.0, "two slow ones, one after the other"
