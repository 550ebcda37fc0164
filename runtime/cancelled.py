"""A cancellation can get lost: Python 3.11's wait_for, which drivers wait with, forgets one that comes with the
answer, and `except*` around a group of errors one that comes together with an error.

Who goes on in a loop after either looks again, or it could not be stopped: one stop of the archive in fourteen.
"""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")


@contextmanager
def stoppable() -> Iterator[None]:
    """Raises CancelledError at the end of its block when this task was told to end in it, whoever has swallowed that.

    What was counted before does not matter: a TaskGroup of Python before 3.13 leaves one cancellation of its own in
    the count of its task when a member fails while the group waits for its end. A group that may fail therefore runs
    in a task of its own, not straight in the block.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        yield
    finally:
        if task is not None and task.cancelling() > before:
            raise asyncio.CancelledError


async def to_its_end(job: Coroutine[Any, Any, T], patience: float) -> T:
    """The result of a job. Who is told to end meanwhile first waits up to `patience` seconds for it:
    what it does elsewhere (a server, a disk) goes on in any case, and would be half known."""
    running = asyncio.create_task(job)
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running], timeout=patience)
        running.cancel()
        raise
