"""Virtual time: an event loop that never waits. When nothing is ready, it is already as late as the next timer says.

So a story of an hour takes as long as what happens in it, and each telling is the same. No sockets and no processes:
they live in real time, and a loop that jumps does not wait for them.
"""

import asyncio
import functools
import selectors
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, ParamSpec, TypeVar

import schemas.units

T = TypeVar("T")
P = ParamSpec("P")

NOON = datetime(2026, 6, 16, 10, tzinfo=UTC)
"""A Tuesday with sun, 12:00 in Berlin: where the wall clock begins."""


class Deadlock(RuntimeError):
    """Everybody waits, and nothing is due that could wake anybody."""


class _Leap(selectors.DefaultSelector):
    """Instead of waiting it moves the clock."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise Deadlock
        if not ready and timeout:
            self.now = round(self.now + timeout, 9)  # a float added to a float would stop beside the timer
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its `time` begins at 0; its wall clock at `start`, and can be moved."""

    def __init__(self, start: datetime = NOON) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)
        self.start, self.moved = start, 0.0

    def time(self) -> float:
        return self._leap.now

    def wall(self) -> datetime:
        """The wall clock: what `utc_now` says in here."""
        return self.start + timedelta(seconds=self.time() + self.moved)

    def step_wall(self, seconds: float) -> None:
        """Somebody sets the wall clock ahead or back. The loop's own clock goes on as it was."""
        self.moved += seconds

    def run_forever(self) -> None:
        try:
            super().run_forever()
        except Deadlock:
            waiting = ", ".join(sorted(_where(task) for task in asyncio.all_tasks(self)))
            raise Deadlock(f"after {self.time():g} s nothing is due any more, and these wait: {waiting}") from None

    def run_in_executor(self, _: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # typeshed gives it as a coroutine, too
        """A thread would run in real time: here its work is done at once."""
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as wrong:  # noqa: BLE001  # whoever waits for it gets it
            done.set_exception(wrong)
        return done


def run(story: Coroutine[Any, Any, T], start: datetime = NOON) -> T:
    """Tell a story in virtual time. Raises Deadlock when it cannot go on."""
    with asyncio.Runner(loop_factory=functools.partial(VirtualLoop, start)) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        with _wall_clock(loop):
            return runner.run(story)


def virtual(story: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """A test that is told in virtual time."""

    @functools.wraps(story)
    def told(*args: P.args, **kwargs: P.kwargs) -> None:
        run(story(*args, **kwargs))

    return told


def loop() -> VirtualLoop:
    """The one that runs."""
    running = asyncio.get_running_loop()
    assert isinstance(running, VirtualLoop)
    return running


@contextmanager
def _wall_clock(loop: VirtualLoop) -> Iterator[None]:
    """`utc_now` is the loop's wall clock in every module of ours that has it, but for what took it as a default."""
    real = schemas.units.utc_now
    for module in _that_have(real):
        module.utc_now = loop.wall  # type: ignore[attr-defined]  # it has it: just looked
    try:
        yield
    finally:
        for module in _that_have(loop.wall):  # some may have come in between
            module.utc_now = real  # type: ignore[attr-defined]  # as above


def _that_have(clock: Callable[[], datetime]) -> list[ModuleType]:
    ours = [module for name, module in sys.modules.items() if name.partition(".")[0] in _ROOMS]
    return [module for module in ours if vars(module).get("utc_now") == clock]


_ROOMS = ("schemas", "runtime", "optimizer", "bridges", "consumers", "simulator", "joulebus", "tests", "benchmarks")


def _where(task: asyncio.Task[Any]) -> str:
    frames = task.get_stack(limit=1)
    return f"{task.get_name()} in {frames[0].f_code.co_qualname}" if frames else task.get_name()
