"""When a plan is due before its minute: other limits or prices, an urgent alarm, cells that allow otherwise, a forecast
that is badly wrong. Pure: the clocks are arguments."""

from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from consumers.optimize.limits_heard import LimitsHeard, shape
from consumers.optimize.situation import Situation
from optimizer.dispatch import current_step
from schemas.messages import Alarm, AlarmPriority, AlarmState, HeldLimit, Plan

APART, LONGEST, GROWS, FREE = 10.0, 30.0, 1.5, 4
"""Seconds between two plans that an event asks for. Another limit is planned for at once, the next one so much later;
in a storm of them, after a few, each wait is longer by a factor, up to the longest, and at least as long as the plan
took."""
STORM = 60.0
"""Seconds for which a plan that an event asked for is a storm's."""
WRONG, LASTING = 0.2, 60.0
"""Of the PCS rating, by which the load or what the cells allow is far off; and seconds, for which the load must be."""
AGAIN = 600.0
"""Seconds for which an alarm that comes and goes asks for one plan."""
URGENT = (AlarmPriority.CRITICAL, AlarmPriority.HIGH)
"""An alarm of this priority that is raised may change what can be done: it is planned anew."""


@dataclass
class Occasions:
    """Since the last plan. Times are monotonic seconds."""

    situation: Situation
    limits: LimitsHeard
    news: bool = False
    """Prices or an alarm ask for a plan."""
    plan: Plan | None = None
    planned: list[HeldLimit] = field(default_factory=list)
    """The limits that plan was made for."""
    allowed: tuple[float, float] = (inf, inf)
    """W that the cells allowed then."""
    _raised: set[str] = field(default_factory=set)
    """Urgent alarms that stand."""
    _urged: dict[str, float] = field(default_factory=dict)
    """When each of them asked for a plan."""
    _prices: object = None
    """What was said of them last."""
    _wrong_since: float | None = None
    _asked: float = -inf
    """When an event asked for a plan."""
    _storm: int = 0
    """How many have since nobody asked for a while."""
    _begun: float = 0.0
    _before: tuple[bool, tuple[float, float]] = (False, (inf, inf))
    """What asked for the plan that is being made."""

    def hear_alarm(self, name: str, alarm: Alarm | None, mono: float) -> None:
        """An alarm as it stands now."""
        if alarm is None or alarm.state is not AlarmState.UNACKNOWLEDGED or alarm.priority not in URGENT:
            self._raised.discard(name)
        elif name not in self._raised:
            self._raised.add(name)
            if mono - self._urged.get(name, -inf) >= AGAIN:
                self._urged[name], self.news = mono, True

    def hear_prices(self, said: object) -> None:
        """What prices say now, without when they said it."""
        self.news, self._prices = self.news or said != self._prices, said

    def begin(self, mono: float) -> None:
        """A plan is being made of what is known now."""
        self._before, self._begun = (self.news, self.allowed), mono
        self.news, self.allowed = False, self.situation.allowed(mono)

    def made(self, plan: Plan, held: list[HeldLimit]) -> None:
        """There is a new one, made for these limits."""
        self.plan, self.planned, self._wrong_since = plan, held, None
        self._before = (False, self.allowed)

    def failed(self) -> None:
        """There is none: what asked for it still does."""
        news, self.allowed = self._before
        self.news, self._before = self.news or news, (False, self.allowed)

    def due(self, since: float, now: datetime, mono: float) -> str:
        """What asks for a plan, `since` seconds after the last one; empty for nothing. Nothing that asks is lost: it
        asks until there is a plan."""
        why = self._why(since, now, mono)
        if not why or not self._rested(since, mono):
            return ""
        self._storm = self._storm + 1 if mono - self._asked < STORM else 1
        self._asked = mono
        return why

    def _rested(self, since: float, mono: float) -> bool:
        if mono - self._asked >= STORM:
            return True
        took = mono - since - self._begun
        apart = min(LONGEST, APART * GROWS ** min(max(0, self._storm - FREE), 10))
        return mono - self._asked >= apart and since >= min(took, LONGEST)

    def _why(self, since: float, now: datetime, mono: float) -> str:
        if self.news and (since > APART or self.plan is None):
            return "urged"
        if since > APART and self._derated(mono):
            return "derated"
        if since > APART and self._badly_wrong(now, mono):
            return "surprises"
        return "limited" if self._limited_anew(now, mono) else ""

    def _limited_anew(self, now: datetime, mono: float) -> bool:
        """Other limits hold than those the plan was made for, or others than it foresaw."""
        site = self.situation.site
        return shape(site, self.limits.held(now, mono), now) != shape(site, self.planned, now)

    def _derated(self, mono: float) -> bool:
        """The cells allow much more or less than when the last plan was made."""
        now, rated = self.situation.allowed(mono), self.situation.site.rated_power
        return any(abs(min(a, rated) - min(b, rated)) > WRONG * rated for a, b in zip(now, self.allowed, strict=True))

    def _badly_wrong(self, now: datetime, mono: float) -> bool:
        """The load less PV has been far from the forecast for a while."""
        step = current_step(self.plan, now)
        if step is None or self.situation.missing(mono):
            return False
        error = self.situation.load(mono) - self.situation.pv(mono) - (step.load - step.pv)
        if abs(error) < WRONG * self.situation.site.rated_power:
            self._wrong_since = None
            return False
        self._wrong_since = mono if self._wrong_since is None else self._wrong_since
        return mono - self._wrong_since > LASTING
