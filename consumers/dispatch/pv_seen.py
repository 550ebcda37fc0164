"""What dispatch has heard of one PV inverter, and whether it does as it is told. Ages run on the monotonic clock from
the arrival. Pure."""

from collections import deque
from dataclasses import dataclass, field

from optimizer.curtail import RAMP, Inverter
from optimizer.situation.ages import PV_SILENT
from optimizer.situation.heard import NEVER, number
from schemas.messages import Outcome, Telemetry
from schemas.register import Setpoint
from schemas.site_device import Device

FOLLOWS = 10.0
"""Seconds an inverter may take to a lower limit."""
BEYOND = 0.04
"""Of the rated power: one that gives so much more than its limit does not obey it."""
COARSE, MOST_COARSE = 0.0075, 0.03
"""Of the rated power: one that settles so far above its limit is told so much less, at most."""
STEP = 10.0
"""%: the steps in which a register is told that wears out or takes few writes a day."""
RAISES = 900.0
"""Seconds until such a register is raised again."""
TOLD = 60.0
"""Seconds what the bridge complains of is said."""
DAY, TICK = 86_400.0, 2.0
LIMIT = "p_limit_pct"


@dataclass
class PvSeen:
    """One inverter."""

    device: Device
    command: Setpoint | None
    """Of its limit; None where it cannot be limited."""
    power: float = 0.0
    heard: float = NEVER
    asleep: bool = False
    found: float | None = None
    """% that its register held when it was heard first."""
    percent: float | None = None
    """% that it was told last."""
    reach: float = 1.0
    """Share of its rated power that the ramp allows it: one that was silent begins where it stands."""
    at: float = NEVER
    """When it was told last."""
    over: float = 0.0
    """Share of its rated power by which it settles above its limit."""
    complaint: tuple[str, float] = ("", NEVER)
    _told: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=100))
    _raised: float = NEVER

    @property
    def rated(self) -> float:
        return self.device.rated_power or 0.0

    @property
    def slow(self) -> bool:
        """Its register wears out, or may be written less often than it is told something."""
        one = self.command
        if one is None:
            return False
        seldom = one.per_day is not None and one.per_day < DAY / TICK
        return one.memory != "ram" or (one.interval or 0.0) > TICK or seldom

    def hear(self, telemetry: Telemetry, mono: float) -> bool:
        """Whether it says its power."""
        power, state = number(telemetry, "p"), telemetry.good("state")
        if power is None:
            return False
        if self.heard == NEVER and telemetry.good("p_limit_state") != "disabled":
            self.found = number(telemetry, LIMIT)
        self.power, self.heard, self.asleep = max(0.0, power), mono, state in ("sleeping", "off")
        return True

    def silent(self, mono: float) -> bool:
        return mono - self.heard > self.device.stale_after(PV_SILENT)

    def tell(self, level: float, mono: float) -> float:
        """% that it is told so that it gives a share of its rated power. One that sleeps is not written to: it is told
        the same again."""
        level = self._along(level, mono)
        if self.asleep and self.percent is not None:
            return self.percent
        if level >= 1.0:
            self.over = 0.0
        percent = int(1000 * max(0.0, level - self.over) + 1e-6) / 10
        if self.slow:
            percent = self._seldom(percent, mono)
        if percent != self.percent:
            self._raised = mono if self.percent is None or percent > self.percent else self._raised
            self._told.append((mono, level))
        self.percent = percent
        return percent

    def _along(self, level: float, mono: float) -> float:
        """The level of all may have risen, or be wrong, while nobody could tell it anything; its bridge has brought it
        to what is safe meanwhile."""
        if self.percent is not None and mono - self.at > PV_SILENT:
            self.reach = min(level, self.power / self.rated if self.rated > 0 else 0.0)
        elif self.reach < 1.0:
            self.reach += RAMP * (mono - self.at)
        self.at = mono
        return min(level, self.reach)

    def _seldom(self, percent: float, mono: float) -> float:
        coarse = percent // STEP * STEP
        if self.percent is None or coarse < self.percent:
            return coarse
        return coarse if mono - self._raised >= RAISES else self.percent

    def look(self, mono: float) -> Inverter:
        """As the decision needs it."""
        obeys = self.command is not None and not self.silent(mono) and not self._beyond(mono)
        return Inverter(self.device.name, self.rated, self.power, obeys)

    def _beyond(self, mono: float) -> bool:
        """It gives more than everything it was told lately."""
        if not self._told:
            return False
        limits = [level for at, level in self._told if mono - at < FOLLOWS]
        before = [level for at, level in self._told if mono - at >= FOLLOWS]
        most = max([*limits, *before[-1:]] if before else [1.0])
        return self.power > (most + BEYOND) * self.rated

    def settle(self, mono: float) -> None:
        """Where it stands, a while after it was told: some take a limit coarsely."""
        if not self._told or mono - self._told[-1][0] < FOLLOWS or self._told[-1][1] >= 1.0:
            return
        above = self.power / self.rated - self._told[-1][1]
        if COARSE < above <= BEYOND:
            self.over = min(self.over + above, MOST_COARSE)

    def hear_outcome(self, outcome: Outcome, mono: float) -> None:
        """What the bridge says of our limit."""
        words = ": ".join(filter(None, (outcome.cause, outcome.reason)))
        if outcome.state.value in ("refused", "failed", "not_obeyed"):
            self.complaint = words, mono
        elif outcome.state.value in ("verified", "limited"):
            self.complaint = "", mono

    def complains(self, mono: float) -> str:
        words, when = self.complaint
        return words if mono - when < TOLD else ""
