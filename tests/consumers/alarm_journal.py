"""Thirty days of a site with 200 alarms a day, whose figures can be reckoned by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from schemas.messages import Alarm, AlarmPriority, AlarmState

BEGIN = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 30
S = AlarmState
LOW, MEDIUM, HIGH, CRITICAL = AlarmPriority.LOW, AlarmPriority.MEDIUM, AlarmPriority.HIGH, AlarmPriority.CRITICAL

Change = tuple[str, Alarm]


def change(  # a row of a journal
    name: str,
    at: datetime,
    state: AlarmState,
    *,
    since: datetime | None = None,
    priority: AlarmPriority = LOW,
    respond: float | None = None,
    by: str = "",
    why: str = "",
    active: bool | None = None,
) -> Change:
    return name, Alarm(
        at=at, state=state, active=active, priority=priority, device="bms1", point="cell_u_max", text="Too high.",
        since=since or at, time_to_respond=respond, by=by, why=why,
    )  # fmt: skip


def excursion(  # as above
    name: str,
    at: datetime,
    *,
    ack: float | None,
    lasts: float,
    priority: AlarmPriority = LOW,
    respond: float | None = None,
) -> list[Change]:
    """Raised, acknowledged after `ack` s, over after `lasts` s; whichever comes first."""

    def one(after: float, state: AlarmState, by: str = "") -> Change:
        then = at + timedelta(seconds=after)
        return change(name, then, state, since=at, priority=priority, respond=respond, by=by)

    first = [one(0, S.UNACKNOWLEDGED)]
    if ack is None:
        return [*first, one(lasts, S.RETURNED)]
    if ack < lasts:
        return [*first, one(ack, S.ACKNOWLEDGED, "anna"), one(lasts, S.NORMAL)]
    return [*first, one(lasts, S.RETURNED), one(ack, S.NORMAL, "anna")]


def day(midnight: datetime) -> Iterator[Change]:
    """144 + 30 + 3 + 2 + 20 + 1 = 200 alarms."""
    for slot in range(144):  # one in each 10 min, of 12 names
        at = midnight + timedelta(minutes=10 * slot + 1)
        yield from excursion(f"steady-{slot % 12}", at, ack=120, lasts=300, respond=600)
    for number in range(30):  # each 10 s from 8:00 on
        at = midnight + timedelta(hours=8, seconds=10 * number)
        yield from excursion(f"flood-{number}", at, ack=300, lasts=600, priority=MEDIUM)
    for number in range(3):  # 12:02:00, :20 and :40
        at = midnight + timedelta(hours=12, minutes=2, seconds=20 * number)
        yield from excursion("chatter", at, ack=60 if number == 2 else None, lasts=10, priority=HIGH)
    for number in range(2):
        at = midnight + timedelta(hours=16, minutes=3 + 10 * number)
        yield from excursion(f"fleeting-{number}", at, ack=None, lasts=30, priority=HIGH)
    for number in range(20):
        at = midnight + timedelta(hours=18, minutes=3 + 12 * number)
        yield from excursion(f"critical-{number}", at, ack=60, lasts=120, priority=CRITICAL, respond=50)
    yield from kept(midnight + timedelta(hours=22, minutes=4))


def kept(at: datetime) -> list[Change]:
    """Acknowledged after 30 s, shelved after 2 min for an hour; under the shelf it comes and goes."""

    def one(after: float, state: AlarmState, *, active: bool) -> Change:
        then = at + timedelta(seconds=after)
        return change("kept", then, state, since=at, priority=HIGH, by="anna", active=active)

    return [
        one(0, S.UNACKNOWLEDGED, active=True),
        one(30, S.ACKNOWLEDGED, active=True),
        one(120, S.SHELVED, active=True),
        one(600, S.SHELVED, active=False),
        one(1200, S.SHELVED, active=True),
        one(1800, S.SHELVED, active=False),
        one(3720, S.NORMAL, active=False),
    ]


def before() -> list[Change]:
    """One that stands since three days, and is known."""
    since = BEGIN - timedelta(days=3)
    return [change("stands", since + timedelta(minutes=5), S.ACKNOWLEDGED, since=since, by="anna")]


def month() -> list[Change]:
    """All of the thirty days, oldest first; one alarm is out of service for two of them."""
    out = BEGIN + timedelta(days=3, hours=12)
    changes = [one for number in range(DAYS) for one in day(BEGIN + timedelta(days=number))]
    changes += [
        change("out", out, S.OUT_OF_SERVICE, by="erik", why="the sensor is replaced"),
        change("out", out + timedelta(hours=48), S.NORMAL, by="erik"),
    ]
    return sorted(changes, key=lambda one: one[1].at)
