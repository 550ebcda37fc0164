"""The chain of each alarm: who is told when, until somebody acknowledges. Pure, by the wall clock: it outlives
a restart.

A chain runs while its alarm is unacknowledged, also where that is over and latched. It stops when the alarm is
acknowledged, shelved, suppressed or out of service, and when it has returned. A consequence is told with its first-out.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel

from consumers.notify.reach import Reach, Told
from schemas.messages import Alarm, AlarmClass, AlarmPriority, AlarmState
from schemas.site_notify import Chain
from schemas.units import Instant

RUNS = (AlarmState.UNACKNOWLEDGED, AlarmState.LATCHED_UNACKNOWLEDGED)
OVER = (AlarmState.NORMAL, AlarmState.RETURNED)
RANK = list(AlarmPriority)
"""Of priorities: the first is the gravest."""
AFTER_FOLD = 30.0
"""Seconds a consequence that outlives its first-out has to end, too."""
SILENT = "broker_lost-notify"
"""Our own alarm, that no broker can carry: it is told once and not escalated, for nobody could acknowledge it."""


class Case(BaseModel):
    """One alarm in one chain; kept on disk."""

    alarm: str
    chain: str
    since: Instant
    """Of the raise that it is about."""
    due: Instant
    """When its first step is due; the others follow by their `after`."""
    step: int = 0
    """The next one."""
    told: dict[str, list[str]] = {}
    """Whom, and where."""
    last: Instant | None = None
    """When somebody was told."""
    stopped: Instant | None = None
    """Since when its clock stands."""
    quiet: bool = False
    """It stands because those who are next have quiet hours."""
    folded: bool = False
    """It is told with its first-out."""
    over: bool = False
    """It was told that it is over."""
    hurried: int = -1
    """Up to this step they were taken at once, because the one before did not arrive."""


@dataclass(frozen=True)
class Notice:
    """Somebody is to be told something about an alarm."""

    kind: Literal["alarm", "again", "over"]
    name: str
    alarm: Alarm
    chain: str
    told: Told
    quiet: bool
    """They have quiet hours, and it can wait."""

    @property
    def urgent(self) -> bool:
        """Never waits for others."""
        return (
            self.kind != "over"
            and self.alarm.priority is AlarmPriority.CRITICAL
            and self.alarm.alarm_class is AlarmClass.SAFETY
        )


@dataclass
class Escalation:
    """All cases of a site."""

    reach: Reach
    alarms: dict[str, Alarm] = field(default_factory=dict)
    """Those that are not normal."""
    cases: dict[tuple[str, str], Case] = field(default_factory=dict)
    unreached: set[tuple[str, str]] = field(default_factory=set)
    """Cases that are due while nobody is on call."""
    unsure: set[str] = field(default_factory=set)
    """Alarms that the broker has not spoken of since we are connected: their chains wait."""

    def hear(self, name: str, alarm: Alarm | None, now: datetime) -> list[Notice]:
        """What an alarm says of itself; None when it is normal."""
        self.unsure.discard(name)
        if alarm is None or alarm.state is AlarmState.NORMAL:
            before = self.alarms.pop(name, None)
            gone = [self.cases.pop(key) for key in [*self.cases] if key[0] == name]
            self.unreached -= {(one.alarm, one.chain) for one in gone}
            ended = alarm or (before and before.model_copy(update={"state": AlarmState.NORMAL, "at": now}))
            return [notice for case in gone if before and ended for notice in self._over(case, ended, now)]
        self.alarms[name] = alarm
        fits = self._chains(name, alarm)
        for case in self.cases.values():
            if case.alarm == name and case.stopped is None and case.chain not in [one.name for one in fits]:
                case.stopped = now  # its priority has changed, or the chain: of this one nobody hears but its end
        return [notice for chain in fits for notice in self._follow(name, alarm, chain, now)]

    def doubt(self, known: set[str]) -> None:
        """The broker keeps these alone: what else we knew is over, or the broker has lost it and will hear it again."""
        self.unsure = self.alarms.keys() - known - {SILENT}

    def forget(self, now: datetime) -> list[Notice]:
        """There was time for that: it is over."""
        return [notice for name in sorted(self.unsure) for notice in self.hear(name, None, now)]

    def tick(self, now: datetime) -> list[Notice]:
        """What is due, the gravest first."""
        found: list[Notice] = []
        for case in sorted(self.cases.values(), key=self._rank):
            chain, alarm = self._chain(case.chain), self.alarms.get(case.alarm)
            if chain is None or alarm is None:  # a chain that the site file has no more
                self.cases.pop((case.alarm, case.chain))
                continue
            if case.alarm in self.unsure:
                continue
            self._wake(case, chain, now)
            self._fold(case, alarm, chain, now)
            if case.stopped is None and not case.folded:
                found += self._due(case, alarm, chain, now)
        return found

    def hurry(self, name: str, chain_name: str, failing: set[str], now: datetime) -> bool:
        """A message did not arrive: what comes until a step with another channel is due at once. Whether one is."""
        case, chain = self.cases.get((name, chain_name)), self._chain(chain_name)
        if case is None or chain is None or case.stopped is not None or case.hurried >= case.step:
            return False
        for number in range(case.step, len(chain.step)):
            step = chain.step[number]
            if any({*told.channels} - failing for told in self.reach.people(step, now)):
                # what fails on the way there hurries nobody after it
                case.hurried = number if number == case.step else number + 1
                case.due = min(case.due, now - timedelta(seconds=step.after))
                return True
        return False

    def shift(self, back: timedelta) -> None:
        """The clock was set back: what was to come in five minutes still does."""
        for case in self.cases.values():
            case.due -= back
            case.last = case.last and case.last - back
            case.stopped = case.stopped and case.stopped - back

    def consequences(self, name: str) -> dict[str, Alarm]:
        """What an alarm explains."""
        return {other: one for other, one in self.alarms.items() if one.consequence_of == name and other != name}

    # --- one case -------------------------------------------------------------------------------

    def _chains(self, name: str, alarm: Alarm) -> list[Chain]:
        chains = self.reach.chains(alarm)
        return chains or (self.reach.notify.chain[:1] if name == SILENT else [])

    def _chain(self, name: str) -> Chain | None:
        return next((one for one in self.reach.notify.chain if one.name == name), None)

    def _rank(self, case: Case) -> tuple[int, datetime]:
        alarm = self.alarms.get(case.alarm)
        return len(RANK) if alarm is None else RANK.index(alarm.priority), case.since

    def _follow(self, name: str, alarm: Alarm, chain: Chain, now: datetime) -> list[Notice]:
        key = name, chain.name
        case = self.cases.get(key)
        if alarm.state in RUNS:
            if case is None or case.since != alarm.since:
                delay, here = timedelta(seconds=chain.delay), now.astimezone(UTC)  # in UTC minutes are minutes
                due = max(here, min(alarm.since, here) + delay)
                self.cases[key] = Case(alarm=name, chain=chain.name, since=alarm.since, due=due)
            elif not case.quiet:
                _resume(case, now)
                case.over = False
            return []
        if case is None:
            return []
        self.unreached.discard(key)
        if alarm.state in OVER and not case.told:
            del self.cases[key]
            return []
        case.stopped, case.quiet = case.stopped or now, False
        return self._over(case, alarm, now) if alarm.state in OVER else []

    def _over(self, case: Case, alarm: Alarm, now: datetime) -> list[Notice]:
        chain = self._chain(case.chain)
        if chain is None or case.over or not chain.returned:
            return []
        case.over = True
        return [
            Notice("over", case.alarm, alarm, case.chain, Told(who, tuple(where)), self._quiet(who, alarm, now))
            for who, where in case.told.items()
        ]

    def _quiet(self, person: str, alarm: Alarm, now: datetime) -> bool:
        known = any(one.name == person for one in self.reach.notify.person)
        return known and alarm.priority is not AlarmPriority.CRITICAL and self.reach.quiet(person, now)

    def _wake(self, case: Case, chain: Chain, now: datetime) -> None:
        """After quiet hours the clock goes on where it stood."""
        if case.quiet and case.stopped is not None:
            people = self.reach.people(chain.step[max(0, case.step - 1)], now)
            if not people or not all(self.reach.quiet(one.person, now) for one in people):
                _resume(case, now)
                if people and not any(one.person in case.told for one in people):
                    case.step = max(0, case.step - 1)  # somebody else is on call by now, who was not told

    def _fold(self, case: Case, alarm: Alarm, chain: Chain, now: datetime) -> None:
        """A consequence waits as long as its first-out is told in the same chain, and is no less grave."""
        first = self.alarms.get(alarm.consequence_of) if alarm.consequence_of != case.alarm else None
        beside = first is not None and (alarm.consequence_of, chain.name) in self.cases
        folded = (
            beside and first is not None and not case.told and RANK.index(first.priority) <= RANK.index(alarm.priority)
        )
        if case.folded and not folded:
            case.due = max(case.due, now + timedelta(seconds=max(chain.delay, AFTER_FOLD)))
        case.folded = folded

    def _due(self, case: Case, alarm: Alarm, chain: Chain, now: datetime) -> Iterator[Notice]:
        key = case.alarm, case.chain
        if case.step >= len(chain.step):
            again = chain.repeat is not None and case.last is not None and case.alarm != SILENT
            if again and now >= case.last + timedelta(seconds=chain.repeat or 0):  # type: ignore[operator]  # asked in `again`
                yield from self._take(case, alarm, chain, len(chain.step) - 1, now)
            return
        if now < case.due + timedelta(seconds=chain.step[case.step].after):
            return
        reached = (n for n in range(case.step, len(chain.step)) if self.reach.people(chain.step[n], now))
        step = next(reached, None)
        if step is None:
            self.unreached.add(key)
            return
        self.unreached.discard(key)
        after = timedelta(seconds=chain.step[step].after)
        if step >= case.hurried:  # late, or nobody was on call for those before: what follows keeps its distance
            case.due = now.astimezone(UTC) - after
        yield from self._take(case, alarm, chain, step, now)
        if case.alarm == SILENT:
            case.step = len(chain.step)

    def _take(self, case: Case, alarm: Alarm, chain: Chain, step: int, now: datetime) -> list[Notice]:
        kind: Literal["alarm", "again"] = "again" if step < case.step else "alarm"
        people = self.reach.people(chain.step[step], now)
        quiet = {one.person for one in people if self._quiet(one.person, alarm, now)}
        for told in people:
            case.told[told.person] = list(dict.fromkeys([*case.told.get(told.person, []), *told.channels]))
        case.step, case.last = max(case.step, step + 1), now
        if people and len(quiet) == len(people):
            case.stopped, case.quiet = now, True
        return [Notice(kind, case.alarm, alarm, case.chain, one, one.person in quiet) for one in people]


def _resume(case: Case, now: datetime) -> None:
    """Go on as if the time between had not passed."""
    if case.stopped is not None:
        away = max(timedelta(), now - case.stopped)
        case.due += away
        case.last = None if case.last is None else case.last + away
    case.stopped, case.quiet = None, False
