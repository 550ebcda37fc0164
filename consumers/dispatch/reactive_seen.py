"""What dispatch has heard of one inverter that can be told a reactive power, and whether it gives it. Ages run on the
monotonic clock from the arrival. Pure."""

from collections import deque
from dataclasses import dataclass, field

from optimizer.situation.heard import NEVER, number
from schemas.messages import Telemetry
from schemas.site_device import Device

SILENT = 5.0
"""Seconds without a reading after which nothing is expected of it."""
FOLLOWS, PATIENCE = 60.0, 10.0
"""Seconds a reactive power may take (VDE-AR-N 4110: 3 tau); and it may stand apart beyond that."""
APART = 0.05
"""Of the apparent power: as coarse is reactive power measured, and a power factor held while the active power moves."""
ASLEEP = ("sleeping", "off", "fault")
"""States of an inverter that gives nothing: nobody wakes it for reactive power."""


@dataclass
class ReactiveSeen:
    """One inverter. Powers in W and var, positive fed into the site."""

    device: Device
    point: str
    """`q_set`, or `pf_set` where it takes a power factor only."""
    power: float = 0.0
    given: float | None = None
    """var that it gave last; None where it does not say."""
    heard: float = NEVER
    asleep: bool = False
    _shown: float = NEVER
    """When it said what it gives."""
    _told: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=100))
    _apart: float | None = None
    """Since when it gives something else than all it was told lately."""

    @property
    def apparent(self) -> float:
        return self.device.rated_apparent_power or self.device.rated_power or 0.0

    def hear(self, telemetry: Telemetry, mono: float) -> None:
        """A reading in time."""
        power = number(telemetry, "p")
        if power is None:
            return
        self.power, self.heard = power, mono
        self.asleep = telemetry.good("state") in ASLEEP
        if not self._told or self.asleep:
            self._apart = None
            return
        if (given := number(telemetry, "q")) is None:
            return  # one message may lack it
        self.given, self._shown = given, mono
        late = [var for at, var in self._told if mono - at >= FOLLOWS]
        at_work = [*late[-1:], *(var for at, var in self._told if mono - at < FOLLOWS)]
        near = APART * self.apparent
        if min(at_work) - near <= given <= max(at_work) + near:
            self._apart = None
        elif self._apart is None:
            self._apart = mono

    def awake(self, mono: float) -> bool:
        """It is heard, and works."""
        return mono - self.heard <= self.device.stale_after(SILENT) and not self.asleep

    def tells(self, reactive: float | None, mono: float) -> None:
        """var that it is told now; None while it takes no part."""
        if reactive is None:
            self._told.clear()
            self._apart = None
            return
        if not self._told:  # it comes from where it is
            self._told.append((mono, self.given or 0.0))
        self._told.append((mono, reactive))

    def stuck(self, mono: float) -> float | None:
        """var that it gives instead of what it was told for long; None while it follows, or nobody knows."""
        if self._apart is None or mono - self._apart < PATIENCE:
            return None
        return self.given if mono - self._shown <= self.device.stale_after(SILENT) else None

    def complaint(self, mono: float) -> str:
        stuck = self.stuck(mono)
        if stuck is None or not self._told:
            return ""
        return f"{self.device.name} gives {stuck / 1e3:.1f} kvar, not the {self._told[-1][1] / 1e3:.1f} kvar it is told"
