"""The virtual clock jumps from timer to timer, in their order, and knows when nobody can wake anybody any more."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest

import schemas.units
from schemas.units import utc_now
from tests.virtual import NOON, Deadlock, loop, run, virtual


def test_a_day_takes_no_time() -> None:
    began = time.monotonic()

    async def story() -> float:
        await asyncio.sleep(86_400)
        return loop().time()

    assert run(story()) == 86_400
    assert time.monotonic() - began < 1


@virtual
async def test_who_is_due_first_wakes_first() -> None:
    woke = []

    async def sleeper(seconds: float) -> None:
        await asyncio.sleep(seconds)
        woke.append((seconds, loop().time()))

    await asyncio.gather(*map(sleeper, (3.0, 0.1, 2.5, 0.1)))
    assert woke == [(0.1, 0.1), (0.1, 0.1), (2.5, 2.5), (3.0, 3.0)]


@virtual
async def test_a_timeout_ends_at_its_moment() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(7.5):
            await asyncio.Event().wait()
    assert loop().time() == 7.5


def test_a_deadlock_names_who_waits() -> None:
    async def stuck() -> None:
        await asyncio.sleep(5)
        await asyncio.Event().wait()

    async def story() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(stuck(), name="the stuck one")

    with pytest.raises(Deadlock, match=r"after 5 s .*the stuck one in .*stuck"):
        run(story())


@virtual
async def test_the_wall_clock_follows_and_can_be_set() -> None:
    assert utc_now() == NOON
    await asyncio.sleep(60)
    assert utc_now() == schemas.units.utc_now() == NOON + timedelta(seconds=60)
    loop().step_wall(-3600)
    await asyncio.sleep(60)
    assert utc_now() == NOON + timedelta(seconds=120 - 3600)
    assert loop().time() == 120, "the monotonic clock does not see it"


def test_afterwards_the_wall_clock_is_the_real_one() -> None:
    run(asyncio.sleep(1), start=datetime(2000, 1, 1, tzinfo=UTC))
    assert abs(utc_now() - datetime.now(UTC)) < timedelta(seconds=5)


@virtual
async def test_the_work_of_a_thread_is_done_at_once() -> None:
    assert await asyncio.to_thread(sorted, [2, 1]) == [1, 2]
    with pytest.raises(ZeroDivisionError):
        await asyncio.to_thread(divmod, 1, 0)
    assert loop().time() == 0
