"""A BMS: what it protects its cells from, its trip that stays, and its own watchdog. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.battery import Battery
from simulator.contactor import Contactor
from simulator.states import Turn

MARGIN = 0.1
"""Of the rated current: so far a current may stand beyond its limit."""


@dataclass(frozen=True, slots=True)
class Protection:
    """A last limit: beyond the one where currents are no longer allowed, and before cells are damaged."""

    seconds: float
    """So long it must last."""
    beyond: Callable[[Battery], bool]


PROTECTIONS: dict[str, Protection] = {
    "over_voltage": Protection(2.0, lambda battery: battery.worst.high >= 3.80),
    "under_voltage": Protection(2.0, lambda battery: battery.worst.low <= 2.30),
    "over_temperature": Protection(5.0, lambda battery: battery.worst.hot >= 70.0),
    "charge_over_current": Protection(
        5.0, lambda battery: -battery.current > battery.ccl + MARGIN * battery.rated_current
    ),
    "discharge_over_current": Protection(
        5.0, lambda battery: battery.current > battery.dcl + MARGIN * battery.rated_current
    ),
}
"""By the names of their trips; the voltages and degrees are those of LFP cells."""


@dataclass(slots=True)
class Bms:
    """Opens the contactor of its battery, under load when it must."""

    tripped: str = ""
    """The protection that opened it, until somebody resets it."""
    timeout: float = 0.0
    """Seconds without a request until it opens the contactor; 0 never."""
    unheard: float = 0.0
    _lasted: dict[str, float] = field(default_factory=lambda: dict.fromkeys(PROTECTIONS, 0.0))

    def step(self, dt: float, battery: Battery, contactor: Contactor) -> None:
        """Looks at the cells once more after `dt` seconds."""
        self.unheard += dt
        for name, protection in PROTECTIONS.items():
            if not protection.beyond(battery):
                self._lasted[name] = 0.0
                continue
            self._lasted[name] += dt
            if self._lasted[name] >= protection.seconds:
                self.trip(name)
        if self.tripped or (self.timeout and self.unheard > self.timeout):
            contactor.turn(Turn.OPEN)

    def trip(self, why: str) -> None:
        """The first reason stays."""
        self.tripped = self.tripped or why

    def reset(self) -> None:
        """Somebody has looked. It stays tripped while what tripped it lasts."""
        if not self._lasted.get(self.tripped):
            self.tripped = ""
