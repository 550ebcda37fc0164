"""Python 3.11's wait_for forgets a cancellation that comes together with the answer; drivers wait with it.

Who asks a driver in a loop looks again after each answer, or it could not be stopped: one stop of the archive in ten.
"""

import asyncio


def heed_cancellation() -> None:
    """Raises CancelledError when this task was told to end, whoever has swallowed that."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
