"""The commands of each device that no outcome answers, and the grid mode that somebody asked for. Pure."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from schemas.messages import Action, Command, Outcome, OutcomeState

MOST = 100
"""Commands of a device that are waited for: the oldest, and the newest ones."""
OVER = 60.0
"""Seconds after the end of the last command in which it is still waited for: nobody steers the device any more."""
GRID_MODES = (Action.GRID_FOLLOWING, Action.GRID_FORMING)
UNDONE = frozenset({OutcomeState.REFUSED, OutcomeState.EXPIRED, OutcomeState.FAILED, OutcomeState.NOT_OBEYED})
"""Outcomes after which a device stands in the grid mode that it had."""
DONE = frozenset({OutcomeState.APPLIED, OutcomeState.VERIFIED, OutcomeState.LIMITED})
"""Outcomes after which it was told: it is, or will be, in the new one."""


@dataclass
class Unanswered:
    """Of one device. What answers a command answers those before it: nobody will say what became of these."""

    waiting: dict[str, float] = field(default_factory=dict)
    """Ids, with when they were heard, in monotonic seconds; the oldest first."""
    excused: dict[str, float] = field(default_factory=dict)
    """Seconds of each one's waiting that are nobody's."""
    over: float = 0.0
    """When the last of them has run out, and `OVER` later."""

    def send(self, command: str, lasts: float, mono: float) -> None:
        """One was sent. The same one again is no new one."""
        self.over = max(self.over, mono + max(0.0, lasts) + OVER)
        self.waiting.setdefault(command, mono)
        if len(self.waiting) > MOST:  # the age of all is that of the oldest: the next one is not missed
            second = [*self.waiting][1]
            del self.waiting[second]
            self.excused.pop(second, None)

    def answer(self, command: str) -> None:
        """Whatever became of it: it and those before it are no longer waited for."""
        if command in self.waiting:
            for before in [*self.waiting]:
                del self.waiting[before]
                self.excused.pop(before, None)
                if before == command:
                    break

    def seconds(self, mono: float) -> float:
        """Since the oldest that waits; 0 while none does."""
        if mono >= self.over:
            self.forget()
        return mono - next(iter(self.waiting.values()), mono)

    def forget(self) -> None:
        """We were deaf: what was answered meanwhile is not known."""
        self.waiting.clear()
        self.excused.clear()

    def unheard(self, begin: float, end: float, most: float) -> None:
        """The broker delivered nothing in between: nobody waited in that time. Of one waiting not more than `most`
        seconds are excused: a broker that is slow for ever answers nobody's commands."""
        for command, since in self.waiting.items():
            before = self.excused.get(command, 0.0)
            more = max(0.0, min(end - max(begin, since), most - before))
            self.excused[command] = before + more
            self.waiting[command] = since + more


@dataclass
class GridModes:
    """Of each device the grid mode it was told, and by which command; before anybody asks it follows the grid."""

    told: dict[str, tuple[str, Action]] = field(default_factory=dict)
    before: dict[str, tuple[str, Action]] = field(default_factory=dict)
    """What held before, until the device has taken what it was told."""
    waits: dict[str, float] = field(default_factory=dict)
    """Until when, in monotonic seconds, an outcome is waited for: a command that reached nobody asked for nothing."""

    def send(self, device: str, command: Command, lasts: float = math.inf, mono: float = 0.0) -> None:
        """Somebody asks: from then on an island is no surprise. `lasts`: seconds."""
        if command.action not in GRID_MODES:
            return
        last = self.told.get(device)
        again = last is not None and last[1] is command.action
        if last is not None and not again and device not in self.waits:  # said again: the first one's end is its end
            self.before[device] = last
        if not again or device in self.waits:
            self.waits[device] = mono + max(0.0, lasts) + OVER
        self.told[device] = command.id, command.action

    def answer(self, device: str, outcome: Outcome) -> None:
        """It does, or does not."""
        last = self.told.get(device)
        if last is None or last[0] != outcome.id:
            return
        if outcome.state in UNDONE:
            self._undo(device)
        elif outcome.state in DONE:
            self.waits.pop(device, None)
            if outcome.state is OutcomeState.VERIFIED:
                self.before.pop(device, None)

    def look(self, mono: float) -> None:
        """Time has passed: what nobody has answered by its end was not done."""
        for device in [device for device, end in self.waits.items() if mono > end]:
            self._undo(device)

    def deaf(self) -> None:
        """What was answered meanwhile is not known."""
        self.waits.clear()

    def _undo(self, device: str) -> None:
        self.waits.pop(device, None)
        self.told.pop(device, None)
        if before := self.before.pop(device, None):
            self.told[device] = before

    @property
    def islands(self) -> list[str]:
        """The devices that were told to form a grid: what the next run must know."""
        return sorted(device for device in self.told if self.mode(device) is Action.GRID_FORMING)

    def recall(self, islands: Iterable[str]) -> None:
        """Those that the last run has kept, as long as nothing else was heard."""
        for device in islands:
            self.told.setdefault(device, ("", Action.GRID_FORMING))

    def mode(self, device: str) -> Action:
        return self.told[device][1] if device in self.told else Action.GRID_FOLLOWING


def lasts(command: Command, wall: datetime) -> float:
    """Seconds it has left."""
    return (command.until - wall).total_seconds()
