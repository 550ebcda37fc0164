"""A task that was told to end ends, also when the answer it waited for came in the same moment."""

import asyncio

import pytest

from runtime.cancelled import heed_cancellation


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
