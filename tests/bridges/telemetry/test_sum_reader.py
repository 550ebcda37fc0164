"""The sum of two meters, one of which is exchanged; and over a restart of the bridge."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from bridges.fieldbus.contract import Reading
from bridges.service import Bridge
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.messages import DeviceState
from schemas.site_file import load_site
from schemas.units import Kind
from tests.bridges.control.bare import Bare
from tests.virtual import loop, virtual

TWO = Path(__file__).parents[2] / "two_meters.toml"
POLL, POWER = 60.0, 60e3


@dataclass
class Meter(Bare):
    """It imports, and counts."""

    base: float = 0.0
    """Wh it began with."""

    async def read(self) -> Reading:
        now = loop().time()
        counted = self.base + POWER * now / 3600
        return Reading({"p": POWER, "e_import": counted}, now, {"all": [int(now) % 65536]})


@contextlib.asynccontextmanager
async def bridge(folder: Path, *bases: float) -> AsyncIterator[tuple[Bridge, list[Meter]]]:
    site = load_site(TWO)
    site = site.model_copy(update={"device": [one.model_copy(update={"poll": POLL}) for one in site.device]})
    meters = [
        Meter(name, {}, kind=Kind.METER, poll=POLL, actions=(), base=base)
        for name, base in zip(("north", "south"), bases, strict=True)
    ]
    settings = Settings(parse_broker("mqtt://127.0.0.1:1", "bridge", None, {}), "", None, folder)
    one = Bridge(Part("bridge", site, settings), meters)
    serving = asyncio.create_task(one.serve())
    try:
        yield one, meters
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        one.close()


def counted(one: Bridge) -> float | None:
    """Wh of the sum, as far as it is known now."""
    return one.latest.number("grid", "e_import", loop().time(), POLL)


@virtual
async def test_a_meter_that_is_exchanged_does_not_move_the_sum(tmp_path: Path) -> None:
    """It is doubted for an hour, and the sum says nothing of the energy meanwhile; then it goes on where it was. Its
    power counts all the time."""
    async with bridge(tmp_path, 7e6, 2e6) as (one, meters):
        await asyncio.sleep(10 * POLL)
        before = counted(one)
        assert before is not None
        assert before >= 9e6
        meters[0].base = 1e3
        await asyncio.sleep(2 * POLL)
        assert counted(one) is None
        assert one.latest.number("grid", "p", loop().time(), POLL) == 2 * POWER
        assert one.said["grid"].state is DeviceState.DEGRADED
        assert one.said["grid"].reason.startswith("north: e_import implausible")
        await asyncio.sleep(4200)
        after = counted(one)
        assert after is not None
        assert before <= after <= before + 2 * POWER * 4400 / 3600, "by what has flowed, at most"
        last = meters[0].base + POWER * loop().time() / 3600, meters[1].base + POWER * loop().time() / 3600
    began = loop().time()
    bases = [value - POWER * began / 3600 for value in last]
    async with bridge(tmp_path, *bases) as (one, _):
        await asyncio.sleep(POLL / 2)
        again = counted(one)
        assert again is not None
        assert 0 <= again - after <= 2 * POWER * 3 * POLL / 3600
