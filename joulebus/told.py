"""What the archive knows of a time. Pure."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from optimizer.dispatch import current_step
from runtime.forecast_quarter import Forecast
from runtime.money_rows import MoneyQuarter
from runtime.rollups import floor
from schemas.messages import Alarm, Command, Outcome, Plan, Step

INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True)
class Reading:
    """A point of a device about then."""

    device: str
    point: str
    value: float
    seconds: int
    """It is a mean over so long; 0 for a single reading."""


@dataclass(frozen=True)
class Ordered:
    """What a device was told then, and what became of it."""

    device: str
    command: Command
    outcomes: list[Outcome]
    """Oldest first."""


@dataclass(frozen=True)
class Told:
    """All that the archive knows of a time."""

    at: datetime
    now: datetime
    plan: Plan | None = None
    """The newest one from before then."""
    ordered: list[Ordered] = field(default_factory=list)
    readings: list[Reading] = field(default_factory=list)
    forecast: Forecast | None = None
    money: MoneyQuarter | None = None
    alarms: list[tuple[str, Alarm]] = field(default_factory=list)
    """That changed in this quarter of an hour."""

    @property
    def quarter(self) -> datetime:
        """Where the quarter of an hour begins."""
        return floor(self.at, 900)

    @property
    def step(self) -> Step | None:
        """Of the plan, also of one that had run out."""
        if self.plan is None:
            return None
        lasting = self.plan.model_copy(update={"until": max(self.plan.until, self.at + INSTANT)})
        return current_step(lasting, self.at)

    @property
    def nothing(self) -> bool:
        """Nothing is known of this time itself."""
        return not (self.ordered or self.readings or self.money or self.forecast or self.alarms) and (
            self.step is None or self.plan is None or self.plan.until <= min(self.at, self.now)
        )
