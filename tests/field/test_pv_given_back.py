"""PV that was curtailed is given back as fast as the site takes it, and battery and PV never work against each other.

Case 20, https://github.com/wills106/homeassistant-solax-modbus/issues/851: an inverter at zero feed-in hides its
surplus, and a battery behind a late meter either waits for it or feeds in.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.bridges.control.story import DEMO
from tests.field.curtailed import RATED, TOLERANCE, CurtailedSite, curtailed
from tests.timed import few
from tests.virtual import loop, virtual


def late(it: CurtailedSite, meter: float, inverter: float) -> None:
    for fault, size in (("meter:late", meter), ("pv:late", inverter)):
        if size:
            it.it.simulated.faults.on(fault, size)


@pytest.mark.parametrize("meter", [8.0, 12.0])
@virtual
async def test_a_start_with_a_late_meter(tmp_path: Path, meter: float) -> None:
    """Before its delay was measured our own step was taken for a load: 45 kW were fed in for 14 s."""
    async with curtailed(tmp_path) as it:
        late(it, meter, 0.0)
        await it.live(80)
        assert it.longest_beyond() <= 10.0
        assert it.most(70) < TOLERANCE, "nothing comes after the first step"


def with_pv(folder: Path, rated: int) -> Path:
    """The demo with so many W of PV beside its battery of 100 kW."""
    text = DEMO.read_text().replace('"../tariff.toml"', f'"{DEMO.parents[1] / "tariff.toml"}"')
    file = folder / "site.toml"
    file.write_text(text.replace("rated_power = 150_000", f"rated_power = {rated}"))
    return file


@pytest.mark.parametrize(("load", "soc"), [(19e3, 91.0), (3e3, 95.0)])
@virtual
async def test_no_battery_discharges_beside_pv_that_is_curtailed(tmp_path: Path, load: float, soc: float) -> None:
    """650 kW of PV, held at 14 kW because the battery gave 5: each thought the other one covers the load."""
    async with curtailed(tmp_path, file=with_pv(tmp_path, 650_000), load=load, soc=soc) as it:
        await it.live(100)
        assert it.it.power == pytest.approx(0.0, abs=100), it.desk.detail
        assert it.pv() >= 0.85 * load
        assert it.most(80) <= 0.01 * 650e3
        assert it.writes(loop().time() - 50) <= 1


async def full_then_free(it: CurtailedSite) -> None:
    """Its BMS is silent, and the battery takes nothing; then it can take all that is left of the sun."""
    it.it.simulated.faults.on("bms:silent")
    await it.live(30)
    it.it.simulated.faults.off("bms:silent")
    await it.it.until(lambda: it.it.power < -2e3, 120)


@pytest.mark.parametrize(("meter", "inverter"), few([(0.0, 1.0), (8.0, 1.0), (8.0, 8.0)], one_in=2))
@virtual
async def test_the_sun_is_given_back_whatever_the_meter(tmp_path: Path, meter: float, inverter: float) -> None:
    """42 kW of room took 8 minutes behind a meter that is 2 s late."""
    async with curtailed(tmp_path, soc=50.0, load=48e3) as it:
        late(it, meter, inverter)
        await full_then_free(it)
        since = loop().time()
        await it.it.until(lambda: it.pv() > 0.99 * 90e3, 75)
        await it.live(30)
        assert it.pv() == pytest.approx(90e3, rel=0.02), "and it stays"
        assert it.it.power == pytest.approx(-42e3, abs=2 * TOLERANCE)
        assert it.longest_beyond() <= 10.0
        assert it.longest_beyond(since=since) == 0.0
        assert it.least(loop().time() - since) >= -0.15 * RATED, "what the battery takes ahead is imported"


def derated(it: CurtailedSite) -> None:
    it.it.simulated.world.plant.battery.temperature = 2.0


def full(it: CurtailedSite) -> None:
    battery = it.it.simulated.world.plant.battery
    battery.stored = 0.96 * battery.energy


HURT: dict[str, Callable[[CurtailedSite], None]] = {
    "stuck": lambda it: it.it.simulated.faults.on("pcs:ignores_setpoint"),
    "trips": lambda it: it.it.simulated.faults.on("pcs:trip"),
    "cold at once": derated,
    "full at once": full,
}


@pytest.mark.parametrize("kind", few([*HURT], one_in=2))
@pytest.mark.parametrize(("meter", "inverter"), [(8.0, 6.0)])
@virtual
async def test_a_battery_that_does_not_take_what_it_is_told(
    tmp_path: Path, kind: str, meter: float, inverter: float
) -> None:
    async with curtailed(tmp_path, soc=50.0, load=30e3, sun=0.8) as it:
        late(it, meter, inverter)
        await full_then_free(it)
        await it.it.until(lambda: it.pv() > 60e3, 75)
        HURT[kind](it)
        await it.live(60)
        assert it.longest_beyond() <= 10.0
        assert it.most(20) < TOLERANCE
