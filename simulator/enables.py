"""Setpoints that count only while their enable register holds 1, which the device may clear by itself. Pure."""

from dataclasses import dataclass, field

from schemas.profile import Profile
from simulator.wishes import Wish


@dataclass
class Enables:
    """Of one device."""

    profile: Profile
    held: dict[str, float] = field(default_factory=dict)
    """What the registers of the setpoints hold, as far as they have an enable register."""
    asked: dict[str, float] = field(default_factory=dict)
    """What is obeyed of it."""
    on: set[str] = field(default_factory=set)
    """Those that are enabled."""
    written: dict[str, float] = field(default_factory=dict)
    """When each of them, or its enable register, was written last."""

    def __post_init__(self) -> None:
        self.names = [name for name, one in self.profile.commands.items() if one.enable is not None]

    def take(self, wish: Wish, now: float, *, wants_enable: bool = False) -> Wish:
        """What a write comes to, whichever of the two registers was written first; a device that `wants_enable` obeys a
        new value only when that is written after it."""
        name, _, switch = wish.name.partition(":")
        if name not in self.names:
            return wish
        self.written[name] = now
        if switch:
            (self.on.add if wish.value == 1 else self.on.discard)(name)
        else:
            self.held[name] = wish.value
        if name in self.held and (switch or not wants_enable):
            self.asked[name] = self.held[name]
        return Wish(name, self.asked.get(name, 0.0))

    def lapsed(self, now: float, after: float) -> list[str]:
        """Those that were written longer ago than that; they are enabled no more."""
        gone = [name for name in self.on if now - self.written[name] >= after]
        self.on.difference_update(gone)
        return gone
