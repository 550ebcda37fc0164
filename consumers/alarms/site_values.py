"""What alarms can look at beside points: values of the site, and words of a device that no device says. Pure.

Their names stand in `site_words`.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from consumers.alarms.rules import Now
from consumers.alarms.seen.billing import BillingSeen
from consumers.alarms.seen.clocks import ClockOffset
from consumers.alarms.seen.commands import GridModes, Unanswered, lasts
from consumers.alarms.seen.plan import PlanSeen
from consumers.alarms.site_words import LIMITING
from schemas.billing import Billing
from schemas.messages import Command, ControlLimits, Outcome, Plan, Telemetry, Value
from schemas.site import Site
from schemas.topics import BILLING, COMMAND, CONTROL_LIMITS, PLAN, Topic

HEARD: tuple[Topic[Any], ...] = (PLAN, BILLING, CONTROL_LIMITS, COMMAND)
"""The topics it needs beside those of points, outcomes and statuses."""


@dataclass
class SiteValues:
    """Of one site, as far as it was heard."""

    site: Site
    began: Now
    plan: PlanSeen = field(init=False)
    billing: BillingSeen = field(init=False)
    limits: ControlLimits | None = None
    modes: GridModes = field(default_factory=GridModes)
    _unanswered: dict[str, Unanswered] = field(default_factory=lambda: defaultdict(Unanswered))
    _clocks: dict[str, ClockOffset] = field(default_factory=lambda: defaultdict(ClockOffset))

    def __post_init__(self) -> None:
        self.plan = PlanSeen(self.began.steady)
        self.billing = BillingSeen(self.site.named(self.site.grid.meter).poll)
        self._known = {device.name for device in self.site.devices}

    def hear(self, message: object, now: Now, device: str = "") -> None:
        """Whatever was said of the site, or of a device; what says nothing of these values changes nothing."""
        match message:
            case Plan():
                self.plan.hear(message, now.steady, now.wall)
            case Billing():
                self.billing.hear(message, self._target(now))
            case ControlLimits():
                self.limits = message
            case Command() if device in self._known:
                self._unanswered[device].send(message.id, lasts(message, now.wall), now.steady)
                self.modes.send(device, message, lasts(message, now.wall), now.steady)
            case Outcome() if device in self._known:
                self._unanswered[device].answer(message.id)
                self.modes.answer(device, message)
            case Telemetry(historical=False) if device in self._known:
                self._clocks[device].hear((now.wall - message.at).total_seconds(), now.steady)
            case _:
                pass

    def deaf(self) -> None:
        """The connection was lost: what was answered meanwhile is not waited for."""
        self.modes.deaf()
        for one in self._unanswered.values():
            one.forget()

    def unheard(self, begin: float, end: float, most: float) -> None:
        """The broker delivered nothing in between, on the steady clock; of one waiting `most` seconds are excused."""
        for one in self._unanswered.values():
            one.unheard(begin, end, most)

    def of_site(self, now: Now) -> dict[str, Value | None]:
        """By all the names in `SITE`; None for what is not known."""
        planned = bool(self.site.battery) or self.plan.plan is not None
        return {
            "plan_age": self.plan.age(now.steady) if planned else None,
            "prices_left": self.plan.prices_left(now.steady),
            "billed_peak": self.billing.peak(now.wall),
            "peak_target": self._target(now),
            "window": self.billing.mean(now.wall),
            "window_seen": self.billing.seen(now.wall),
            "window_length": self.billing.length(self.site.zone),
            "window_closed": self.billing.just_closed(now.wall),
            "target_closed": self.billing.meant,
            "import_limit": self.limits.import_limit if self.limits else self.site.grid.import_limit,
            "export_limit": self.limits.export_limit if self.limits else self.site.grid.export_limit,
            "limits": self._limiting(now.wall),
        }

    def of_device(self, device: str, now: Now) -> dict[str, Value | None]:
        """By all the names in `DEVICE`; None for what is not known."""
        self.modes.look(now.steady)
        return {
            "unanswered": self._unanswered[device].seconds(now.steady),
            "clock_offset": self._clocks[device].seconds(now.steady),
            "grid_mode": self.modes.mode(device).value,
        }

    def _target(self, now: Now) -> float | None:
        plan = self.plan.valid(now.steady)
        peaks = (plan.peak if plan else None, self.billing.peak(now.wall))
        return max((peak for peak in peaks if peak is not None), default=None)

    def _limiting(self, wall: datetime) -> list[str] | None:
        """One whose end has passed is over, unless its source is waited for: dispatch says so then."""
        if self.limits is None:
            return None
        held = {
            one.authority.value
            for one in self.limits.held
            if one.until is None or wall < one.until or one.cause != "asked"
        }
        return [name for name in LIMITING if name in held]
