"""A cancellation can get lost: Python 3.11's wait_for, which drivers wait with, forgets one that comes with the
answer, and a TaskGroup one that comes together with an error.

Who goes on in a loop after either looks again, or it could not be stopped: one stop of the archive in fourteen.
"""

import asyncio


def heed_cancellation() -> None:
    """Raises CancelledError when this task was told to end, whoever has swallowed that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
