"""The shipped large site, in virtual time: four batteries of which one after the other trips, three PV plants, nothing
may be fed in. The same site runs as `make demo ARGS="--site large"`.
"""

from datetime import timedelta
from pathlib import Path

import pytest

from joulebus.shipped_sites import SITES
from schemas.messages import ControlRequest, Mode
from tests.field.curtailed import CurtailedSite, curtailed
from tests.virtual import loop, virtual

LARGE = SITES / "large.toml"
PV = ("roof", "carport", "facade")
OFFICE = 10e3
"""W of the hybrid, whose register is kept in flash: it may be told anew each five minutes."""
PEAK = 270e3
"""W of the PV plants, without the hybrid's own."""


def powers(it: CurtailedSite) -> float:
    """W of all batteries, positive discharging."""
    return sum(one.pcs.p for one in it.it.simulated.world.plant.bess.values())


def sunny(it: CurtailedSite) -> float:
    return sum(it.pv(name) for name in PV)


@pytest.mark.slow
@virtual
async def test_at_noon_what_one_cannot_store_the_others_do_and_the_rest_is_curtailed(tmp_path: Path) -> None:
    async with curtailed(tmp_path, file=LARGE, load=60e3, sun=0.8, soc=50.0) as it:
        await it.live(40)
        assert sunny(it) == pytest.approx(0.8 * PEAK, rel=0.02), "nothing is curtailed while the batteries can take it"
        room = {"pcs1": 230e3, "pcs2": 130e3, "pcs3": 0.0}  # W that those left can charge with, beside the hybrid
        for pcs, left in room.items():
            it.it.simulated.faults.on(f"{pcs}:trip")
            await it.live(40)
            stored = min(left, 0.8 * PEAK - it.load)
            assert -powers(it) == pytest.approx(stored, abs=0.05 * PEAK), f"{pcs} has tripped: {it.desk.detail}"
            assert it.most(20) <= 0.01 * PEAK
            assert it.least(20) >= -0.05 * PEAK, "and no more is curtailed than must be"
        assert it.longest_beyond() <= 10.0


@pytest.mark.slow
@virtual
async def test_a_power_by_hand_is_held_as_long_as_the_batteries_can(tmp_path: Path) -> None:
    async with curtailed(tmp_path, file=LARGE, load=400e3, sun=0.0, soc=50.0) as it:
        await it.live(10)
        now = loop().wall()
        end = now + timedelta(hours=1)
        wish = ControlRequest(at=now, mode=Mode.MANUAL, who="anna", why="test", power=150e3, until=end)
        assert it.desk.hear(wish, now, loop().time()).followed
        await it.live(20)
        for pcs, most in ((None, 340e3), ("pcs1", 240e3), ("pcs2", 140e3), ("pcs3", 10e3)):
            if pcs:
                it.it.simulated.faults.on(f"{pcs}:trip")
                await it.live(20)
            wanted = min(150e3, most)
            assert wanted - OFFICE - 2e3 <= powers(it) <= wanted + 2e3, f"{pcs} has tripped: {it.desk.detail}"
