"""What a hostile reader found in the energy balance: a rest that cannot be is not stored as one."""

from collections import deque
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.energy.flow_rows import OTHER
from consumers.archive.roller import Roller
from consumers.archive.store import Store
from consumers.dispatch.balance_watch import BalanceWatch
from schemas.messages import Telemetry
from tests.consumers.conftest import archive
from tests.consumers.test_archive_rollups import LATER, LOADED, keep, said
from tests.consumers.test_dispatch_balance import load_plant
from tests.consumers.test_dispatch_desk import NOON

__all__ = ["archive"]


async def test_a_rest_below_nothing_is_unknown_until_the_pv_has_told(archive: AsyncEngine) -> None:
    """The PV's logger is down at noon and fills its hours up later: meanwhile -500 Wh of other load stood in the view
    as any other number, and whoever read it then kept it."""
    store = Store(archive, lambda _: None)
    powers = {"meter": 0.0, "pcs": -400.0, "pv": 2500.0, "hall": 1600.0, "press": 700.0}

    async def rest(*devices: str) -> float | None:
        batch = [said(n + 1, n * 10, {"p": powers[device]}, device) for device in devices for n in range(91)]
        await keep(store, batch)
        await Roller(archive, LOADED, store).roll(LATER)
        async with archive.connect() as connection:
            asked = text("SELECT used_wh FROM v_loads_15min WHERE device = :name ORDER BY at")
            return (await connection.execute(asked, {"name": OTHER})).scalars().first()

    assert await rest("meter", "pcs", "hall", "press") is None
    assert await rest("pv") == pytest.approx(125, abs=1)


def evening(seconds: float) -> float:
    """The end of a clear day of a 1 MW plant."""
    return max(0.0, 1e6 * float(np.sin((seconds / 3600 + 8) / 12 * np.pi)))


def fronts(seconds: float) -> float:
    """From 800 to 80 kW in twelve minutes and back, again and again."""
    return float(np.interp(seconds % 1440, [0, 720, 1440], [800e3, 80e3, 800e3]))


@pytest.mark.parametrize("sun", [evening, fronts])
@pytest.mark.parametrize("poll", [2.0, 10.0, 60.0])
def test_a_meter_of_means_is_no_balance_that_does_not_add_up(
    tmp_path: Path, sun: Callable[[float], float], poll: float
) -> None:
    """Hardly any load, and a meter of means of 60 s: the PV falls, and the meter shows it half a minute later."""
    site = load_plant(tmp_path)
    site.named("grid").__dict__["poll"] = poll
    watch, lately, read = BalanceWatch(site), deque[float](maxlen=30), -60.0
    for second in range(2, 4 * 3600, 2):
        lately.append(2e3 - sun(second))
        powers = {"pv1": sun(second), "pcs1": 0.0, "hall": 0.0, "press": 0.0}
        if second - read >= poll:
            read, powers["grid"] = second, sum(lately) / len(lately)
        at = NOON + timedelta(seconds=second)
        for device, power in powers.items():
            watch.hear(device, Telemetry(at=at, epoch="0" * 16, seq=second, values={"p": power}), second)
        watch.look(second)
        assert watch.words == ""
