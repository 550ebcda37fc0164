"""The plan as alarms look at it: how old it is, how long its prices last, and the peak it means to reach. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.messages import Plan

PATIENCE = 30.0
"""Seconds after the start in which a stored plan would have come. After them one that never came is as old as the
start: a planner that is dead must not stay unknown for ever."""


@dataclass
class PlanSeen:
    """The newest plan of a site. Ages are of the steady clock: a wall clock that is set makes no plan older."""

    began: float
    """When we began to listen; as all times here that are no instants in monotonic seconds."""
    plan: Plan | None = None
    heard: float = 0.0
    age_then: float = 0.0
    wall_then: datetime | None = None

    def hear(self, plan: Plan | None, mono: float, wall: datetime) -> None:
        """A plan, or none: the topic expired, or was emptied. Nothing is younger for that."""
        if plan is None:
            return
        self.plan, self.heard, self.wall_then = plan, mono, wall
        self.age_then = max(0.0, (wall - plan.at).total_seconds())

    def age(self, mono: float) -> float | None:
        """Seconds since the newest plan was made; None in the first seconds, while none has come."""
        if self.plan is not None:
            return self.age_then + mono - self.heard
        since = mono - self.began
        return since if since >= PATIENCE else None

    def valid(self, mono: float) -> Plan | None:
        """The plan, as long as it holds."""
        now = self._now(mono)
        return self.plan if self.plan is not None and now is not None and now < self.plan.until else None

    def prices_left(self, mono: float) -> float | None:
        """Seconds until the first price that is not published; where all are, until the plan ends. None without a
        plan that holds."""
        plan, now = self.valid(mono), self._now(mono)
        if plan is None or now is None:
            return None
        if plan.prices_until is not None:
            return max(0.0, (plan.prices_until - now).total_seconds())
        ends = [step.at + timedelta(seconds=step.seconds) for step in plan.steps]
        return max(0.0, (max(ends) - now).total_seconds()) if ends else None

    def _now(self, mono: float) -> datetime | None:
        """The wall clock as it would stand had nobody set it since the plan came."""
        return None if self.wall_then is None else self.wall_then + timedelta(seconds=mono - self.heard)
