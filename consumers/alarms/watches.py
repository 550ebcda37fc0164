"""The conditions of all alarms of a site, compiled, and which are worth a look when something is heard. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from consumers.alarms.expression.scope import OWN, Place, Scope
from consumers.alarms.expression.truths import steady
from consumers.alarms.expression.watch import Look, Watch, watch, watch_text
from consumers.alarms.latest import Latest
from consumers.alarms.reading import ACTION, CAUSES, LINK, OUTCOME, WORDS
from consumers.alarms.rules import Now
from schemas.messages import Telemetry
from schemas.site_alarm import AlarmRule

SPEAKS = {LINK: "Its status", CAUSES: "Its status", ACTION: "Its outcome", OUTCOME: "Its outcome"}
"""Words of a device whose reason stands in the text of an alarm."""
INF = float("inf")
FOLLOW = 1.2
"""Times the longest pause between two steady readings for which a silent device must answer."""
MOST_SHAPES = 200
"""Sets of points in which a device tells its telemetry; a device reads its slow points in turn."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One alarm's conditions."""

    condition: Watch
    meaningless: Watch | None
    """While it holds the alarm is suppressed."""
    gap: float
    """Seconds without a believed reading after which nobody knows how it was meanwhile."""
    held: bool
    """It looks at a word that holds until the next one: its delay goes on by the clock."""
    silence: bool
    """It looks at how long the device says nothing, and at nothing else."""
    of_points: bool
    """It looks at points of its own device, and at nothing else."""
    steady: float
    """Seconds for which a silent device must answer steadily; 0 for what is no silence."""
    speaks: str
    """Whose reason stands in its text; empty where nobody gives one."""


def compiled(rule: AlarmRule, scope: Scope) -> Watched:
    """`scope`: of the rule's device. Raises Wrong."""
    condition = watch(rule, scope)
    reads = condition.reads
    words = {point for _, point in reads if point in WORDS}
    points = {(device, point) for device, point in reads if device in scope.devices}
    points = {(device, point) for device, point in points if point in scope.devices[device].points}
    silence = condition.timed and not reads
    return Watched(
        condition=condition,
        meaningless=watch_text(rule.suppress_when, scope) if rule.suppress_when else None,
        gap=max((scope.patience(place) for place in points), default=INF),
        held=points != reads or not reads,
        silence=silence,
        of_points=bool(reads) and points == reads and {device for device, _ in reads} == {scope.own},
        steady=FOLLOW * steady(scope) if silence else 0.0,
        speaks=next((SPEAKS[word] for word in SPEAKS if word in words and scope.own in scope.devices), ""),
    )


class Watches:
    """By the alarm's name."""

    def __init__(self) -> None:
        self.of: dict[str, Watched] = {}
        self.timed: list[str] = []
        """Those that change by the clock alone."""
        self.meaning: list[str] = []
        """Those with a `suppress_when` that does so."""
        self._reading: dict[Place, list[str]] = {}
        self._beside: dict[Place, list[str]] = {}
        self._shapes: dict[tuple[str, ...], tuple[list[str], list[str]]] = {}
        self._rank: dict[str, int] = {}

    def add(self, name: str, watched: Watched) -> None:
        self.of[name] = watched
        if watched.condition.timed:
            self.timed.append(name)
        for place in watched.condition.reads:
            self._reading.setdefault(place, []).append(name)
        if (beside := watched.meaningless) is not None:
            if beside.timed:
                self.meaning.append(name)
            for place in beside.reads:
                self._beside.setdefault(place, []).append(name)
        self._shapes.clear()

    def order(self, names: Iterable[str], *, behind: bool = False) -> None:
        """In which they are looked at: what explains others first. `behind`: these come behind those of before."""
        known = self._rank if behind else {}
        self._rank = known | {name: place for place, name in enumerate(names, len(known))}
        self.timed.sort(key=self._placed)
        self._shapes.clear()

    def heard(self, device: str, telemetry: Telemetry) -> tuple[list[str], list[str]]:
        """The alarms that a device's points are worth a look at, and those whose meaning they may change."""
        shape = (device, *telemetry.values)
        found = self._shapes.get(shape)
        if found is None:
            places = [(device, point) for point in telemetry.values]
            found = self.told(places), self.doubted(places)
            if len(self._shapes) > MOST_SHAPES * (1 + len(self.of)):
                self._shapes.clear()
            self._shapes[shape] = found
        return found

    def told(self, places: Sequence[Place]) -> list[str]:
        """The alarms that look at one of these."""
        return self._ordered(self._reading, places)

    def doubted(self, places: Sequence[Place]) -> list[str]:
        """The alarms whose meaning depends on one of these."""
        return self._ordered(self._beside, places)

    def look(self, name: str, latest: Latest, now: Now, *, active: bool) -> Look:
        return self.of[name].condition.look(latest, now.steady, now.wall, active)

    def speaks_of(self, name: str, word: str) -> bool:
        """Whether a message may say why: one that a count does not name is none of those that it counts."""
        condition = self.of[name].condition
        return not condition.timed or f"'{word}'" in condition.words

    def means_nothing(self, name: str, latest: Latest, now: Now) -> bool:
        """What nobody knows suppresses nothing."""
        beside = self.of[name].meaningless
        return beside is not None and beside.look(latest, now.steady, now.wall, False).wrong is True

    def _ordered(self, index: dict[Place, list[str]], places: Sequence[Place]) -> list[str]:
        names = dict.fromkeys(name for place in places for name in index.get(place, ()))
        return sorted(names, key=self._placed)

    def _placed(self, name: str) -> int:
        return self._rank.get(name, 0)


def own_place(service: str, word: str) -> Place:
    """Where a word of a part of joulebus is."""
    return f"{OWN}{service}", word
