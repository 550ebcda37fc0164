"""What a hostile reader found in the energy balance: a rest that cannot be is not stored as one."""

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from consumers.archive.roller import OTHER, Roller
from consumers.archive.store import Store
from tests.consumers.test_archive_rollups import LATER, LOADED, archive, keep, said

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
