"""Which alarms are not shown because another one explains them (suppression by design, ISA-18.2). Pure."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from schemas.messages import AlarmClass, AlarmPriority
from schemas.site_alarm import AlarmRule


class Suppression:
    """Who explains whom. An alarm explains another while its condition is there: also while it is acknowledged,
    shelved or itself suppressed, but not while it is out of service, because then nobody trusts it."""

    def __init__(self, rules: Mapping[str, AlarmRule], of_points: Callable[[str], bool]) -> None:
        """`of_points`: whether an alarm looks at points of its device alone; its device's silence suppresses it."""
        self._parents: dict[str, tuple[str, ...]] = {}
        self._children: dict[str, list[str]] = {}
        self.by_link: dict[str, list[str]] = {}
        """Of each device, the alarms that mean nothing while its bridge cannot reach it."""
        named = {(str(rule.device), rule.name): name for name, rule in rules.items()}
        silences: dict[str, list[str]] = {}
        for name, rule in rules.items():
            if rule.seconds:
                silences.setdefault(str(rule.device), []).append(name)
        wanted = {}
        for name, rule in rules.items():
            if protected(rule):
                continue
            device, implied = str(rule.device), not rule.seconds and of_points(name)
            if implied:
                self.by_link.setdefault(device, []).append(name)
            written = (named.get((device, parent), parent) for parent in rule.suppressed_by)
            both = [*written, *(silences.get(device, ()) if implied else ())]
            if parents := [parent for parent in dict.fromkeys(both) if parent in rules and parent != name]:
                wanted[name] = parents
        for name, parents in wanted.items():
            kept = tuple(parent for parent in parents if name not in _ancestors(parent, wanted))
            self._parents[name] = kept
            for parent in kept:
                self._children.setdefault(parent, []).append(name)

    def parents(self, name: str) -> Sequence[str]:
        return self._parents.get(name, ())

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
