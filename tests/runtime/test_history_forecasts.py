"""What was believed when: forecasts with the time they were made, and their errors, on both databases."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from runtime.forecast_quarter import Forecast
from runtime.history import History
from schemas import messages as m
from schemas import topics
from tests.runtime.test_history_rollups import LATER, NOON, SITE, Archive, archive, history

__all__ = ["archive", "history"]

QUARTER = timedelta(minutes=15)
ONE = NOON + timedelta(hours=1)
NEAR = pytest.approx
"""Rollups keep nine digits."""


def plan(minutes: float, load: float, *, reach: int = 12) -> m.Plan:
    """Made some minutes after noon: the rest of the quarter, and `reach` more."""
    made = NOON + timedelta(minutes=minutes)
    begun = NOON + (made - NOON) // QUARTER * QUARTER
    starts = [made, *(begun + n * QUARTER for n in range(1, reach + 1))]
    steps = [
        m.Step(
            at=at, seconds=(begun + (n + 1) * QUARTER - at).total_seconds(), power=0.0, soc=50.0, grid=load,
            load=load + n, pv=100.0 + n, price_import=0.3, price_export=0.1, marginal_value=0.2, reason="test",
        )
        for n, at in enumerate(starts)
    ]  # fmt: skip
    return m.Plan(
        id=f"p{minutes}", at=made, until=made + timedelta(hours=1), currency="EUR", steps=steps, cost=1.0, cost_idle=1.0
    )


async def tell(archive: Archive, *plans: m.Plan) -> None:
    """Plans, and one hour that is measured: 4 kW from the grid, 2 kW of PV, 1 kW into the battery."""
    await archive.say(*((topics.PLAN, {}, one) for one in plans))
    seconds = range(3600, 7200, 10)
    for device, power in (("meter", 4000.0), ("pcs", -1000.0), ("pv", 2000.0)):
        await archive.keep(device, *((second, {"p": power}) for second in seconds))
    await archive.roller.roll(LATER)


def told(found: list[Forecast]) -> list[tuple[int, int, float]]:
    """Whole minutes after noon of the quarter and of the belief, and the load."""
    return [((one.at - NOON).seconds // 60, (one.made - NOON).seconds // 60, one.load) for one in found]


async def test_what_was_believed_at_a_moment_and_some_time_ahead(history: History, archive: Archive) -> None:
    await tell(archive, plan(0.5, 1000.0), plan(20, 2000.0), plan(35.001, 3000.0))
    at = SITE.site, ONE, ONE + timedelta(minutes=30)
    assert await history.forecasts(*at, known=NOON) == []
    assert told(await history.forecasts(*at, known=NOON + timedelta(minutes=19.9))) == [
        (60, 0, 1004.0),
        (75, 0, 1005.0),
    ]
    assert told(await history.forecasts(*at, known=NOON + timedelta(minutes=20))) == [
        (60, 20, 2003.0),
        (75, 20, 2004.0),
    ]
    newest = await history.forecasts(*at)
    assert [one.load for one in newest] == [3002.0, 3003.0]
    assert [one.measured_load for one in newest] == NEAR([5000.0] * 2)
    assert [one.measured_pv for one in newest] == NEAR([2000.0] * 2)
    assert [one.load_error for one in newest] == NEAR([-1998.0, -1997.0])
    assert [one.pv_error for one in newest] == NEAR([-1898.0, -1897.0])
    span = SITE.site, ONE, ONE + timedelta(hours=1)
    assert told(await history.forecasts(*span, ahead=timedelta(minutes=40))) == [
        (60, 20, 2003.0),
        (75, 20, 2004.0),
        (90, 35, 3004.0),
        (105, 35, 3005.0),
    ]
    known = NOON + timedelta(minutes=30)
    assert {one.made for one in await history.forecasts(*span, ahead=timedelta(minutes=40), known=known)} == {
        NOON + timedelta(minutes=20)
    }


async def test_what_was_not_forecast_or_not_measured_yet_is_not_made_up(history: History, archive: Archive) -> None:
    await tell(archive, plan(0, 1000.0, reach=9))
    found = await history.forecasts(SITE.site, ONE + timedelta(minutes=45), ONE + timedelta(hours=3))
    assert [one.at - ONE for one in found] == [3 * QUARTER, 4 * QUARTER, 5 * QUARTER]
    assert [one.measured_load for one in found] == [NEAR(5000.0), None, None]
    assert [one.load_error for one in found] == [NEAR(1007.0 - 5000.0), None, None]
    assert await history.forecasts("elsewhere", ONE, ONE + timedelta(hours=3)) == []


async def test_the_view_says_the_same(history: History, archive: Archive) -> None:
    await tell(archive, plan(50.0000001, 1000.0, reach=3), plan(55, 2000.0, reach=1))
    async with history.engine.connect() as connection:
        rows = (await connection.execute(text("SELECT * FROM v_forecasts ORDER BY made_at, at"))).mappings().all()
    moments = [str(row["at"]).removesuffix(".000000") for row in rows]
    assert moments == [
        "2026-06-01 12:50:00.000006",
        "2026-06-01 13:00:00",
        "2026-06-01 13:15:00",
        "2026-06-01 13:30:00",
        "2026-06-01 12:55:00",
        "2026-06-01 13:00:00",
    ]
    assert [row["load_w"] for row in rows] == [1000.0, 1001.0, 1002.0, 1003.0, 2000.0, 2001.0]
    assert [row["covers_s"] for row in rows] == [599.999994, 900.0, 900.0, 900.0, 300.0, 900.0]
    assert [row["measured_load_w"] for row in rows] == [None, *[NEAR(5000.0)] * 3, None, NEAR(5000.0)]
    assert [row["measured_pv_w"] for row in rows] == [None, *[NEAR(2000.0)] * 3, None, NEAR(2000.0)]
    assert {row["site"] for row in rows} == {SITE.site}
    newest = await history.forecasts(SITE.site, ONE, ONE + QUARTER)
    assert [(one.load, one.measured_load) for one in newest] == [(rows[-1]["load_w"], rows[-1]["measured_load_w"])]
