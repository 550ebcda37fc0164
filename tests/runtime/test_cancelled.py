"""A task that was told to end ends, also when the answer it waited for came in the same moment."""

import asyncio
import contextlib
from pathlib import Path

import aiomqtt
import pytest

from runtime.bus import Bus
from runtime.cancelled import stoppable
from runtime.link import LOST, end
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.site_file import load_site
from tests.conftest import Broker
from tests.virtual import virtual

SITE = load_site(Path(__file__).parents[2] / "tests" / "one_battery.toml")


async def test_a_cancellation_that_comes_with_the_answer_is_not_forgotten() -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def ask_for_ever() -> None:
        while True:
            with stoppable():
                await asyncio.wait_for(answer, 5)

    task = asyncio.create_task(ask_for_ever())
    await asyncio.sleep(0.01)
    answer.set_result(1)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}
    assert task.cancelled()


async def test_nobody_else_is_stopped() -> None:
    with stoppable(), pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(1)


async def test_a_stop_that_comes_together_with_an_error_is_not_forgotten() -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def ask_for_ever() -> None:
        while True:
            with contextlib.suppress(OSError), stoppable():
                await asyncio.wait_for(answer, 5)

    task = asyncio.create_task(ask_for_ever())
    await asyncio.sleep(0.01)
    answer.set_exception(OSError("the line is gone"))
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}
    assert task.cancelled()


async def test_what_was_counted_before_stops_nobody() -> None:
    async def work() -> str:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(1)
        with stoppable():
            await asyncio.sleep(0)
        return "went on"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "went on"


async def test_a_part_that_loses_its_broker_while_it_is_stopped_ends(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    working = asyncio.Event()

    async def work(_: Bus) -> None:
        working.set()
        try:
            await asyncio.Event().wait()
        finally:
            raise aiomqtt.MqttError("the broker went in the same moment")

    settings = Settings(parse_broker(broker.url("alarms"), "alarms", None, {}), "", None, tmp_path)
    running = asyncio.create_task(Part("alarms", SITE.model_copy(update={"site": site_name}), settings).run(work))
    await asyncio.wait_for(working.wait(), 20)
    running.cancel()
    done, _ = await asyncio.wait([running], timeout=10)
    assert done == {running}


async def test_a_part_comes_back_when_a_group_of_its_work_lost_the_broker(
    broker: Broker, site_name: str, tmp_path: Path
) -> None:
    """The group waits for its end when its member fails: Python 3.11 leaves a cancellation in the count there."""
    begun: asyncio.Queue[None] = asyncio.Queue()

    async def fail() -> None:
        await asyncio.sleep(0.01)
        raise aiomqtt.MqttError("the broker went")

    async def work(_: Bus) -> None:
        begun.put_nowait(None)
        async with asyncio.TaskGroup() as group:
            group.create_task(fail())

    settings = Settings(parse_broker(broker.url("alarms"), "alarms", None, {}), "", None, tmp_path)
    running = asyncio.create_task(Part("alarms", SITE.model_copy(update={"site": site_name}), settings).run(work))
    for _ in range(3):
        await asyncio.wait_for(begun.get(), 20)
    running.cancel()
    await asyncio.wait([running], timeout=10)
    assert running.cancelled()


@virtual
async def test_who_has_lost_its_cancellation_is_told_again() -> None:
    swallowed = 0

    async def driver() -> None:
        nonlocal swallowed
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                swallowed += 1
                if swallowed == 2:
                    raise

    jobs = [asyncio.create_task(driver()), asyncio.create_task(asyncio.sleep(3600))]
    await asyncio.sleep(1)
    await end(jobs)
    assert swallowed == 2
    assert asyncio.get_running_loop().time() == 1 + LOST
