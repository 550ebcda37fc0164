"""Which alarms are not shown because another one explains them (suppression by design, ISA-18.2). Pure."""

from collections.abc import Iterator, Mapping, Sequence

from consumers.alarms.watches import Watched
from schemas.messages import AlarmClass, AlarmPriority
from schemas.site_alarm import AlarmRule


class Suppression:
    """Who explains whom. An alarm explains another while its condition is there: also while it is acknowledged,
    shelved or itself suppressed, but not while it is out of service, because then nobody trusts it."""

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
