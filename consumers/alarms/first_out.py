"""Which alarm of a flood came first, by the time of its condition: the others are probably its consequence. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from consumers.alarms.reading import CAUSES
from schemas.messages import Cause
from schemas.site_alarm import AlarmRule
from schemas.site_battery import Battery

FLOOD = 120.0
"""Seconds. The first alarm of a group after so long a calm is a first-out: what comes behind it is probably its
consequence. Longer than a silence needs, after its own alarm, to become an interlock: a point that is read in turn is
fresh for 60 s, and interlocks wait for another 10 or 60 s before what is not known acts."""
HEARSAY = 10.0
"""Seconds. An interlock is a consequence of what it saw; the alarm of that may be told so much later."""
SYSTEM = "system"
"""The group of joulebus' own parts."""


@dataclass
class _Incident:
    """The alarms of one group that came without a calm between them."""

    first: str
    came: dict[str, float] = field(default_factory=dict)
    """When the condition of each came."""
    last: float = 0.0
    """When the last of them was raised."""
    over: float | None = None
    """Since when the condition of the first is gone."""


class FirstOut:
    """Of all groups. Times are seconds on the steady clock."""

    def __init__(self) -> None:
        self._now: dict[str, _Incident] = {}
        self._marked: set[str] = set()
        self._because: dict[str, str] = {}

    def marked(self, name: str) -> bool:
        """It came first, and others came with it: one alone is the first of nothing."""
        return name in self._marked

    def because(self, name: str) -> str:
        """The first-out that explains it; empty for none."""
        return self._because.get(name, "")

    def raised(self, name: str, group: str, came: float, now: float) -> set[str]:
        """An alarm is raised; `came`: when its condition did. Returns the others that are explained anew."""
        one = self._now.get(group)
        if one is None or now - one.last >= FLOOD or (one.over is not None and now - one.over >= FLOOD):
            self._now[group] = _Incident(name, {name: came}, now)
            self.forget(name)
            return set()
        one.last = now
        one.came[name] = min(came, one.came.get(name, came))
        if name == one.first:
            one.over = None
            return set()
        if one.came[name] >= one.came[one.first]:
            self._because[name] = one.first
            self._marked.discard(name)
            told = one.first in self._marked
            self._marked.add(one.first)
            return set() if told else {one.first}
        return self._lead(one, name) - {name}

    def returned(self, name: str, group: str, now: float) -> None:
        """The condition of an alarm is gone."""
        one = self._now.get(group)
        if one is not None and one.first == name:
            one.over = now

    def taken_away(self, name: str, group: str) -> set[str]:
        """An alarm is explained by what suppresses it: it leads no more. Returns the others that are explained anew."""
        self._marked.discard(name)
        self._because.pop(name, None)
        one = self._now.get(group)
        if one is None or name not in one.came:
            return set()
        del one.came[name]
        if not one.came:
            del self._now[group]
            return set()
        if one.first == name:
            return self._lead(one, min(one.came, key=lambda each: one.came[each]))
        if len(one.came) == 1 and one.first in self._marked:
            self._marked.discard(one.first)
            return {one.first}
        return set()

    def forget(self, name: str) -> None:
        """It is normal: nobody is told of it any more."""
        self._marked.discard(name)
        self._because.pop(name, None)

    def restore(self, name: str, group: str, came: float, now: float, *, first: bool, because: str) -> None:
        """What was said of it before we were started."""
        if first:
            self._marked.add(name)
            self._now[group] = _Incident(name, {name: came}, now)
        elif because:
            self._because[name] = because
        self._now.setdefault(group, _Incident(name, {name: came}, now)).came[name] = came

    def _lead(self, one: _Incident, name: str) -> set[str]:
        """It takes the mark."""
        self._marked.discard(one.first)
        changed = {*one.came}
        one.first, one.over = name, None
        if len(one.came) > 1:
            self._marked.add(name)
        self._because.pop(name, None)
        self._because |= dict.fromkeys(changed - {name}, name)
        return changed


def came(rule: AlarmRule, began_at: float) -> float:
    """When its condition came, as far as that explains others."""
    hearsay = rule.point == CAUSES and rule.contains == Cause.INTERLOCK
    return began_at + HEARSAY if hearsay else began_at


def groups(batteries: Sequence[Battery]) -> dict[str, str]:
    """The battery of each PCS and BMS: what they say is about the same cells."""
    return {device: one.name for one in batteries for device in (*one.pcs, *one.bms)}
