"""A burst of events neither starves the planner nor runs it hot, and the last event is planned for: in virtual time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise

import pytest

from consumers.optimize.limits_heard import LimitsHeard
from consumers.optimize.occasions import APART, LONGEST, Occasions
from consumers.optimize.situation import Situation
from schemas.messages import Alarm, AlarmState, HeldLimit, Plan
from tests.consumers.test_optimize_limits import RAISED, SITE, said
from tests.consumers.test_optimize_pure import NOON, told
from tests.optimizer.outlooks import limit

EVERY = 60.0
ENDED = RAISED.model_copy(update={"state": AlarmState.NORMAL})


@dataclass
class Planning:
    """Optimize, second by second: what is heard, when plans begin, and what each of them knew."""

    took: float = 1.0
    fails: bool = False
    situation: Situation = field(default_factory=lambda: told(SITE))
    second: int = 0
    prices: int = 0
    begun: list[int] = field(default_factory=list)
    knew: list[tuple[float, int]] = field(default_factory=list)
    """The import limit and the prices that a plan was made with."""

    def __post_init__(self) -> None:
        self.limits = LimitsHeard(SITE)
        self.occasions = Occasions(self.situation, self.limits)

    def price(self, number: int) -> None:
        self.prices = number
        self.occasions.hear_prices(number)

    def alarm(self, name: str, alarm: Alarm) -> None:
        self.occasions.hear_alarm(name, alarm, float(self.second))

    def narrow(self, power: float) -> None:
        at = NOON + timedelta(seconds=self.second)
        self.limits.hear(said(limit(power=power, since=at), at=at), at, float(self.second))

    def run(self, seconds: int, event: Callable[["Planning"], None], until: int) -> None:
        """For so many seconds; the event comes each second until one of them."""
        self.situation.seen.powers.clear()  # nothing is measured: no surprise
        making: tuple[int, list[HeldLimit]] | None = (0, [])
        self._begin()
        last = 0
        for self.second in range(1, seconds):
            now = NOON + timedelta(seconds=self.second)
            if self.second <= until:
                event(self)
            if making is not None:
                if self.second - making[0] < self.took:
                    continue
                self._end(making[1])
                making, last = None, self.second
            since = float(self.second - last)
            raster = self.second % EVERY == 0
            if raster or self.occasions.due(since, now, float(self.second)):
                making = self.second, self._begin()

    def _begin(self) -> list[HeldLimit]:
        now = NOON + timedelta(seconds=self.second)
        self.occasions.begin(float(self.second))
        held = self.limits.held(now, float(self.second))
        self.begun.append(self.second)
        self.knew.append((min((one.power for one in held), default=0.0), self.prices))
        return held

    def _end(self, held: list[HeldLimit]) -> None:
        if self.fails:
            self.occasions.failed()
            return
        at = NOON + timedelta(seconds=self.second)
        plan = Plan(id="x", at=at, until=at + timedelta(hours=1), currency="EUR", steps=[], cost=0.0, cost_idle=0.0)
        self.occasions.made(plan, held)


def flapping_limit(it: Planning) -> None:
    if it.second % 2 == 0:
        it.narrow(10e3 + it.second)


def prices_each_second(it: Planning) -> None:
    it.price(it.second)


def chattering_alarms(it: Planning) -> None:
    it.alarm(f"trip-{it.second % 7}", RAISED if it.second // 7 % 2 else ENDED)


def all_at_once(it: Planning) -> None:
    for event in (flapping_limit, prices_each_second, chattering_alarms):
        event(it)


@pytest.mark.parametrize("took", [1.0, 12.0], ids=["quick", "a slow machine"])
@pytest.mark.parametrize("fails", [False, True], ids=["made", "each one fails"])
@pytest.mark.parametrize("event", [flapping_limit, prices_each_second, chattering_alarms, all_at_once])
def test_a_burst_neither_starves_the_planner_nor_runs_it_hot(
    event: Callable[[Planning], None], fails: bool, took: float
) -> None:
    it = Planning(took=took, fails=fails)
    it.run(1900, event, until=1800)
    storm = [at for at in it.begun if 120 < at < 1800]
    by_event = [at for at in storm if at % EVERY]
    gaps = [b - a for a, b in pairwise(by_event)]
    assert min(gaps, default=APART) >= APART
    assert len(storm) <= 1680 / EVERY + 1680 / LONGEST + 1
    assert max(b - a for a, b in pairwise([*it.begun, 1900])) <= EVERY + took


@pytest.mark.parametrize("ends", [301, 313, 329, 341])
@pytest.mark.parametrize("took", [1.0, 12.0])
def test_the_last_event_is_planned_for_within_seconds(ends: int, took: float) -> None:
    it = Planning(took=took)
    it.run(ends + 120, all_at_once, until=ends)
    last = (10e3 + ends // 2 * 2, ends)
    first = next(at for at, knew in zip(it.begun, it.knew, strict=True) if knew == last)
    assert first - ends <= LONGEST + took


def test_the_first_of_them_is_planned_for_at_once() -> None:
    it = Planning()

    def once(self: Planning) -> None:
        if self.second == 31:
            self.narrow(20e3)

    it.run(50, once, until=50)
    assert it.begun == [0, 31]


def test_the_same_prices_said_each_second_are_no_news() -> None:
    it = Planning()
    it.run(600, lambda self: self.price(7), until=600)
    assert len(it.begun) <= 600 / EVERY + 2


def test_what_asked_for_a_plan_that_failed_asks_again() -> None:
    it = Planning(fails=True)

    def once(self: Planning) -> None:
        if self.second == 20:
            self.price(5)

    it.run(50, once, until=50)
    assert it.begun[1] <= 22
    it.fails = False
    assert len(it.begun) >= 3, "it asks again before the minute is over"
