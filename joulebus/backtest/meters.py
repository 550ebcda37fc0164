"""What a bill has counted while a year is played: of each demand its running window and the peaks of its periods."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from joulebus.backtest.score import NO_WINDOWS
from optimizer.charge import Made, highest
from optimizer.demand import charged, counts, period
from optimizer.record import QUARTER
from optimizer.running_window import RunningWindow
from optimizer.tariff import window
from schemas.tariff_demand import Demand


@dataclass
class Meter:
    """Of one demand."""

    component: Demand
    zone: ZoneInfo
    start: datetime
    """Of the first quarter that is played: nothing is billed before."""
    before: Sequence[Made] = ()
    """What was billed before."""
    imported: list[float] = field(default_factory=list)
    """Wh, by quarter."""
    peaks: dict[datetime, float] = field(default_factory=dict)
    """W, by the begin of its period."""
    _period: tuple[datetime, datetime] | None = None

    def __post_init__(self) -> None:
        self.peaks = highest(self.component, self.before, self.start, self.zone)

    @cached_property
    def _quarters(self) -> int:
        return self.component.minutes // 15

    def period(self, at: datetime) -> datetime:
        """The begin of the period of an instant."""
        if self._period is None or not self._period[0] <= at < self._period[1]:
            self._period = period(at, self.zone, charged(self.component))
        return self._period[0]

    def peak(self, at: datetime) -> float:
        """W of the period of an instant, so far."""
        return self.peaks.get(self.period(at), 0.0)

    def turn(self, at: datetime, imported: float) -> None:
        """A quarter that began at an instant is over: Wh that were drawn in it."""
        self.imported.append(imported)
        after, length = at + QUARTER, timedelta(minutes=self.component.minutes)
        begin = after - length
        if not self.component.sliding and window(at, self.zone, self.component.minutes)[1] != after:
            return
        if len(self.imported) < self._quarters or begin < self.start:
            return
        if self.component.hours and not counts(self.component, begin, self.zone):
            return
        mean = sum(self.imported[-self._quarters :]) * 60 / self.component.minutes
        first = self.period(begin)
        self.peaks[first] = max(self.peaks.get(first, 0.0), mean)

    def so_far(self, at: datetime) -> float:
        """Wh imported in the window of an instant before it."""
        if self._quarters == 1:
            return 0.0
        begin = window(at, self.zone, self.component.minutes)[0]
        over = min((at - begin) // QUARTER, len(self.imported))
        return sum(self.imported[-over:]) if over else 0.0

    def running(self, at: datetime) -> RunningWindow:
        """As dispatch has it at the begin of a quarter."""
        empty = RunningWindow(self.zone, self.component, peak=self.peak(at))
        begin = window(at, self.zone, self.component.minutes)[0] if self._quarters > 1 else at
        if begin == at:
            return empty
        return replace(empty, at=at, energy=self.so_far(at), seen=(at - begin).total_seconds())


def meters(
    components: Sequence[Demand], zone: ZoneInfo, start: datetime, before: Mapping[str, Sequence[Made]] = NO_WINDOWS
) -> list[Meter]:
    """One of each demand. `before`: windows by its name."""
    return [Meter(one, zone, start, before.get(one.name, ())) for one in components]
