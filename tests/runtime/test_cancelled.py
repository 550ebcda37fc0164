"""A task that was told to end ends, also when the answer it waited for came in the same moment."""

import asyncio
from pathlib import Path

import aiomqtt
import pytest

from runtime.bus import Bus
from runtime.cancelled import heed_cancellation
from runtime.part import Part
from runtime.settings import Settings, parse_broker
from schemas.site import load_site
from tests.conftest import Broker

SITE = load_site(Path(__file__).parents[2] / "site.toml")


async def test_a_cancellation_that_comes_with_the_answer_is_not_forgotten() -> None:
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def ask_for_ever() -> None:
        while True:
            await asyncio.wait_for(answer, 5)
            heed_cancellation()

    task = asyncio.create_task(ask_for_ever())
    await asyncio.sleep(0.01)
    answer.set_result(1)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}
    assert task.cancelled()


async def test_nobody_else_is_stopped() -> None:
    heed_cancellation()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await asyncio.sleep(1)
    heed_cancellation()


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
