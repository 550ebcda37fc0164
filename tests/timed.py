"""Tests that look at the clock: a machine that stood still for a moment is not what they are about."""

import functools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

TRIES = 3


def timed(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Judge a test up to three times, each in a folder of its own: what is wrong fails each time."""

    @functools.wraps(test)
    async def tried(*, tmp_path: Path, **given: Any) -> None:
        for number in range(1, TRIES + 1):
            folder = tmp_path / str(number)
            folder.mkdir()
            try:
                return await test(tmp_path=folder, **given)
            except AssertionError:
                if number == TRIES:
                    raise
        return None

    return tried
