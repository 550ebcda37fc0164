"""Answers that many ask for: each question is asked once, and serves everyone who asks it while it is fresh.

A page in each control room, a wall of screens, a script in a loop: what the archive is asked does not grow with them.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")

FRESH = 10.0
"""Seconds an answer serves for everyone who asks."""
MOST = 16
"""Different questions whose answers are kept, or that wait for one."""


class Busy(Exception):
    """So many other questions wait that this one is not taken."""


class Answers(Generic[Q, A]):
    """One question after the other, the newest answers kept."""

    def __init__(self, ask: Callable[[Q], Awaitable[A]]) -> None:
        self._ask = ask
        self._kept: dict[Q, tuple[float, asyncio.Task[A]]] = {}
        self._turn = asyncio.Lock()

    async def to(self, question: Q) -> A:
        """The answer. Raises Busy. Who goes away meanwhile takes it from nobody else."""
        now = asyncio.get_running_loop().time()
        self._kept = {one: kept for one, kept in self._kept.items() if not _is_old(kept, now)}
        if question not in self._kept:
            self._make_room()
            self._kept[question] = now, asyncio.create_task(self._in_turn(question), name="status.answer")
        return await asyncio.shield(self._kept[question][1])

    def _make_room(self) -> None:
        if len(self._kept) < MOST:
            return
        done = next((one for one, (_, task) in self._kept.items() if task.done()), None)
        if done is None:
            raise Busy
        del self._kept[done]

    async def _in_turn(self, question: Q) -> A:
        async with self._turn:
            answer = await self._ask(question)
            self._kept[question] = asyncio.get_running_loop().time(), self._kept[question][1]
            return answer


def _is_old(kept: tuple[float, asyncio.Task[A]], now: float) -> bool:
    """A question that waits is never old; one that failed is asked again."""
    since, task = kept
    return task.done() and (now - since >= FRESH or task.cancelled() or task.exception() is not None)
