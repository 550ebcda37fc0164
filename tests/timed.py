"""Tests that look at the clock: how long their stories are, and what a slow machine may do in them."""

import functools
import os
from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, TypeVar

import pytest

FULL = os.environ.get("JOULEBUS_CHAOS") == "full"
"""Tell the long stories: as long as in the field, with `make chaos`, `make faults` and `make search`."""
TRIES = 3

Case = TypeVar("Case")
Test = TypeVar("Test", bound=Callable[..., Any])


def long(reason: str) -> Callable[[Test], Test]:
    """A story for `make search` alone: a shorter one of its kind is told each time."""

    def marked(test: Test) -> Test:
        told: Test = pytest.mark.search(pytest.mark.skipif(not FULL, reason=f"{reason}: make search")(test))
        return told

    return marked


def some(*each: Iterable[Any], one_in: int) -> list[tuple[Any, ...]]:
    """Of all combinations one in so many, scattered but always the same ones; all of them with `make search`."""
    return few([*product(*each)], one_in=one_in)


def few(cases: Sequence[Case], *, one_in: int) -> list[Case]:
    """The same of cases that stand in a list."""
    return [*cases] if FULL else Random(0).sample(cases, len(cases) // one_in)


class Late(AssertionError):
    """Something did not come in its time."""


def in_time(came: bool, words: object = "") -> None:
    """Raises Late. For what a machine that stood still for a moment does as well as a mistake of ours."""
    if not came:
        raise Late(words)


def _anew(given: dict[str, Any], number: int) -> dict[str, Path]:
    if "tmp_path" not in given:
        return {}
    folder: Path = given["tmp_path"] / str(number)
    folder.mkdir()
    return {"tmp_path": folder}


def timed(test: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Tell a story again that was late, up to three times, in a folder of its own; whatever else is wrong fails it."""

    @functools.wraps(test)
    async def tried(**given: Any) -> None:
        for number in range(1, TRIES + 1):
            try:
                return await test(**given | _anew(given, number))
            except Late:
                if number == TRIES:
                    raise
        return None

    return tried
