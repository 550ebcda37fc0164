"""Which alarms are not shown because another one explains them (suppression by design, ISA-18.2). Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from consumers.alarms.watches import Watched
from schemas.messages import AlarmClass, AlarmPriority
from schemas.site_alarm import AlarmRule

DOUBT = 60.0
"""Seconds for which an alarm goes on to explain what it explained, after its condition was known last."""
URGENCY = [*AlarmPriority]
"""The most urgent first."""
MOST_NAMED = 3


class Suppression:
    """Who may explain whom."""

    def __init__(self, rules: Mapping[str, AlarmRule], watches: Mapping[str, Watched]) -> None:
        """A device's silence suppresses the alarms that look at its points alone."""
        self._parents: dict[str, tuple[str, ...]] = {}
        self._children: dict[str, list[str]] = {}
        self.by_link: dict[str, list[str]] = {}
        """Of each device, the alarms that mean nothing while its bridge cannot reach it."""
        self._named: dict[tuple[str, str], str] = {}
        """By device and rule."""
        self._unmet: set[tuple[str, str]] = set()
        """What is written as a parent and is none yet: the rule of a device, or a whole name beside no device."""
        self._silences: dict[str, list[str]] = {}
        self._protected: set[str] = set()
        self._take(rules, rules, watches)

    def grow(
        self, more: Mapping[str, AlarmRule], rules: Mapping[str, AlarmRule], watches: Mapping[str, Watched]
    ) -> bool:
        """Take up some more rules; `rules` are all with them. False, and nothing is done, where they may explain what
        was known before: then all has to be looked at anew."""
        for name, rule in more.items():
            if watches[name].silence or {("", name), (str(rule.device), rule.name)} & self._unmet:
                return False
        self._take(more, rules, watches)
        return True

    def _take(
        self, more: Mapping[str, AlarmRule], rules: Mapping[str, AlarmRule], watches: Mapping[str, Watched]
    ) -> None:
        self._named |= {(str(rule.device), rule.name): name for name, rule in more.items()}
        self._protected |= {name for name, rule in more.items() if protected(rule)}
        for name, rule in more.items():
            if watches[name].silence:
                self._silences.setdefault(str(rule.device), []).append(name)
        wanted = {}
        for name, rule in more.items():
            if name in self._protected:
                continue
            device, implied = str(rule.device), watches[name].of_points
            if implied:
                self.by_link.setdefault(device, []).append(name)
            both = [*self._written(device, rule), *(self._silences.get(device, ()) if implied else ())]
            self._unmet |= {("", parent) for parent in both if parent not in rules}
            if parents := [parent for parent in dict.fromkeys(both) if parent in rules and parent != name]:
                wanted[name] = parents
        for name, parents in wanted.items():
            kept = tuple(parent for parent in parents if name not in _ancestors(parent, wanted))
            self._parents[name] = kept
            for parent in kept:
                self._children.setdefault(parent, []).append(name)

    def _written(self, device: str, rule: AlarmRule) -> list[str]:
        """The names of its parents. A rule of the same device comes before a whole name."""
        places = [(device, parent) for parent in rule.suppressed_by]
        self._unmet |= {place for place in places if place not in self._named}
        return [self._named.get(place, place[1]) for place in places]

    def parents(self, name: str) -> Sequence[str]:
        return self._parents.get(name, ())

    def protects(self, name: str) -> bool:
        """It is shown whatever else is wrong."""
        return name in self._protected

    def children(self, name: str) -> Sequence[str]:
        return self._children.get(name, ())

    def parents_first(self, names: Sequence[str]) -> list[str]:
        """In an order in which what explains is judged before what it explains."""
        return sorted(names, key=lambda name: len(_ancestors(name, self._parents)))


class Belief:
    """Since when the conditions of alarms that explain others are not known any more. An explanation is what is there
    now: what nobody knows explains nothing new, and what it explained only for a while."""

    def __init__(self) -> None:
        self._standing: set[str] = set()
        self._since: dict[str, float] = {}
        self._over: set[str] = set()
        self._by: dict[str, str] = {}
        """What each alarm was explained by last."""

    def stands(self, name: str, *, active: bool) -> None:
        """An alarm that explains others; its condition was there when it was known last, or is gone."""
        if active:
            self._standing.add(name)
        else:
            self._standing.discard(name)
            self._since.pop(name, None)
            self._over.discard(name)

    def look(self, known: Callable[[str], bool], now: float) -> list[str]:
        """Those that explain more or less than before. `now`: s on the steady clock."""
        changed = []
        for name in self._standing:
            if known(name):
                if self._since.pop(name, None) is not None:
                    self._over.discard(name)
                    changed.append(name)
            elif name not in self._over and now - self._since.setdefault(name, now) >= DOUBT:
                self._over.add(name)
                changed.append(name)
        return changed

    def explained(self, name: str, by: str | None) -> None:
        """An alarm is suppressed by another one, or by none."""
        if by:
            self._by[name] = by
        else:
            self._by.pop(name, None)

    def holds(self, name: str, child: str) -> bool:
        """Whether it explains another one."""
        return name not in self._since or (self._by.get(child) == name and name not in self._over)


def hides(parent: AlarmRule, child: AlarmRule) -> bool:
    """Whether one on the shelf still explains another: who shelves knows what was shown, and nothing more urgent."""
    return URGENCY.index(child.priority) >= URGENCY.index(parent.priority)


def also_hidden(now: Sequence[str], ever: int) -> str:
    """What an operator is told who shelves an alarm that explains others: those it hides now, of so many."""
    if not ever:
        return ""
    some = ", ".join(now[:MOST_NAMED]) + f" and {len(now) - MOST_NAMED} more" * (len(now) > MOST_NAMED)
    which = f" now, {len(now)} of them: {some}" if now else "; none of them now"
    return f"while its condition is there it also hides {ever} alarm{'s' * (ever > 1)}{which}"


def protected(rule: AlarmRule) -> bool:
    """What may kill somebody is shown whatever else is wrong."""
    return rule.class_ is AlarmClass.SAFETY and rule.priority is AlarmPriority.CRITICAL


def _ancestors(name: str, parents: Mapping[str, Sequence[str]]) -> set[str]:
    """All that explain it, over any number of steps. In a circle everybody is everybody's, so nobody suppresses."""
    return set(_up(name, parents, set()))


def _up(name: str, parents: Mapping[str, Sequence[str]], seen: set[str]) -> Iterator[str]:
    for parent in parents.get(name, ()):
        if parent not in seen:
            seen.add(parent)
            yield parent
            yield from _up(parent, parents, seen)
