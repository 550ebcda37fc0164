"""Who is on call and who has quiet hours, on the local clock of the site. Pure.

Each question is about an instant: in the night in which the clock is set back the hour that comes twice is asked twice,
and in the other one nobody asks for the hour that is missing.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from optimizer.tariff import holds
from schemas.holidays import Holidays
from schemas.site_notify import Person, Rota, Shift
from schemas.tariff_hours import ByTheHour, Hours


class Week(ByTheHour):
    """Hours that belong together: where one of them names holidays, a holiday is no Sunday for any."""

    hours: list[Hours]

    @property
    def hours_of(self) -> Sequence[Hours]:
        return self.hours

    @classmethod
    def of(cls, hours: Sequence[Hours], holidays: Holidays) -> "Week":
        week = cls.model_construct(hours=[*hours])
        week._holidays = holidays
        return week


class Calendar:
    """The rotas and the quiet hours of a site."""

    def __init__(self, people: Sequence[Person], rotas: Sequence[Rota], holidays: Holidays, zone: ZoneInfo) -> None:
        self.zone = zone
        self._rotas = {one.name: (Week.of(one.shift, holidays), one.shift) for one in rotas}
        self._quiet = {one.name: Week.of(one.quiet, holidays) for one in people}

    def on_call(self, name: str, now: datetime) -> str | None:
        """The person that a name stands for: of a rota, who is on call. None where nobody is."""
        if name in self._quiet:
            return name
        week, shifts = self._rotas[name]
        local = now.astimezone(self.zone)
        return next((one.person for one in shifts if _dated(one, local) and holds(week, one, local)), None)

    def quiet(self, person: str, now: datetime) -> bool:
        week, local = self._quiet[person], now.astimezone(self.zone)
        return any(holds(week, hours, local) for hours in week.hours)


def _dated(shift: Shift, local: datetime) -> bool:
    """Whether the day on which it began is one of its days."""
    day = local.date()
    if shift.start is not None and shift.end is not None and shift.end <= shift.start and local.time() < shift.end:
        day -= timedelta(days=1)
    if (shift.first is not None and day < shift.first) or (shift.last is not None and day > shift.last):
        return False
    if shift.first is None or shift.every == 1:
        return True
    monday = shift.first - timedelta(days=shift.first.weekday())
    return (day - monday).days // 7 % shift.every == 0
