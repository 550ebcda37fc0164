"""Whether what a person asked for has come true: of all the batteries that were told for it. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, field

from consumers.dispatch.instruction import Instruction
from consumers.dispatch.requests import name
from schemas.messages import ControlRequest


@dataclass
class Told:
    """A battery that was told, and what came of it."""

    lasts: bool
    """An action: its end is awaited, also while nothing more is sent."""
    followed: bool | None = None
    """None: nothing yet."""
    words: str = ""


@dataclass
class Verdicts:
    """By request and battery. It outlives its mode: outcomes of its commands still come."""

    several: bool
    """There are several batteries: each word is said with the name of its battery."""
    told: dict[str, dict[str, Told]] = field(default_factory=dict)
    said: set[tuple[str, str, bool]] = field(default_factory=set)
    """Which later answers the asker of a request has got, and of which batteries."""

    def awaits(self, request: ControlRequest, battery: str) -> None:
        """It is to end well there, too, also where it is told some seconds later."""
        self.told.setdefault(name(request), {})[battery] = Told(lasts=True)

    def sends(self, battery: str, instruction: Instruction) -> None:
        """It goes out; an action that is told again is awaited again."""
        if instruction.request is None:
            return
        known = self.told.setdefault(name(instruction.request), {})
        if instruction.action is not None or battery not in known:
            known[battery] = Told(lasts=instruction.action is not None)
        known[battery].lasts = instruction.action is not None

    def aside(self, battery: str) -> None:
        """It is told nothing for a request any more: what its last setpoint comes to is no answer."""
        for known in self.told.values():
            if battery in known and not known[battery].lasts:
                del known[battery]

    def hear(
        self, request: ControlRequest, battery: str, words: str, *, followed: bool, without: Collection[str]
    ) -> str | None:
        """What came of a command to one of them; gives the words for the asker, or None while there is nothing new.

        That one did not follow is said at once, that it is followed when all did. `without`: who need not.
        """
        if not self.several:
            return words if self._once((name(request), battery, followed)) else None
        known = self.told.setdefault(name(request), {})
        known.setdefault(battery, Told(lasts=False))
        known[battery].followed, known[battery].words = followed, f"{battery}: {words}"
        if not followed:
            return known[battery].words if self._once((name(request), battery, False)) else None
        if not all(one.followed for whose, one in known.items() if whose not in without):
            return None
        amends = sorted(whose for asked, whose, well in self.said if asked == name(request) and not well)
        well = "; ".join(one.words for one in known.values() if one.followed)
        return well if self._once((name(request), ", ".join(amends), True)) else None

    def keep(self, awaited: Collection[str]) -> None:
        """Of all others nothing more will be heard."""
        self.told = {asked: known for asked, known in self.told.items() if asked in awaited}
        self.said = {one for one in self.said if one[0] in awaited}

    def _once(self, key: tuple[str, str, bool]) -> bool:
        if key in self.said:
            return False
        self.said.add(key)
        return True
