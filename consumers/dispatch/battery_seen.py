"""What dispatch has heard of one battery, of its PCS and its BMS. Ages run on the monotonic clock from the arrival.
Pure."""

from dataclasses import dataclass

from optimizer.split import Room
from schemas.messages import Telemetry
from schemas.site import Site
from schemas.site_parts import Battery

PCS_SILENT = 5.0
"""Seconds without a reading of the PCS after which nothing is sent: its own watchdog and the bridge's look after it."""
DC_TO_AC = 0.95
"""The cells deliver the losses, too: of DCL x U so much arrives, as the bridge counts it."""
MOST = 1e12
"""W, V, A: what is beyond no plant has, and its sums would overflow."""
STOPPED = ("off", "sleeping", "standby")
BETWEEN = ("starting", "stopping", "precharge")
NEVER = float("-inf")


@dataclass
class BatterySeen:
    """Its last believable values."""

    battery: Battery
    rated: float
    """W of the PCS."""
    pcs_silent: float
    bms_fresh: float
    """Seconds after which neither is believed."""
    power: float | None = None
    """W of the PCS."""
    said: tuple[str, float] = ("", NEVER)
    """State of the PCS, and when it said so."""
    panel: tuple[bool, float] = (False, NEVER)
    """Whether it is steered at its own panel, and when it said so."""
    soc: float | None = None
    charge: float | None = None
    discharge: float | None = None
    """W that the BMS allows: CCL and DCL times its voltage."""
    pcs_heard: float = NEVER
    bms_heard: float = NEVER
    """Monotonic seconds of the last good readings."""

    @classmethod
    def of(cls, site: Site, battery: Battery) -> "BatterySeen":
        pcs, bms = site.named(battery.pcs), site.named(battery.bms)
        fresh = bms.stale_after(battery.ccl_stale_after)
        return cls(battery, pcs.rated_power or 0.0, pcs.stale_after(PCS_SILENT), fresh)

    def hear_pcs(self, telemetry: Telemetry, mono: float) -> bool:
        """Whether it says its power."""
        state, place = telemetry.good("state"), telemetry.good("control_loc")
        power = number(telemetry, "p")
        if isinstance(state, str):
            self.said = state, mono
        if isinstance(place, str):
            self.panel = place == "local", mono
        if power is None:
            return False
        self.power, self.pcs_heard = power, mono
        return True

    def hear_bms(self, telemetry: Telemetry, mono: float) -> None:
        """All or nothing: a limit without its voltage is no limit, and dispatch rests when it gets old."""
        soc, volts = number(telemetry, "soc"), number(telemetry, "u")
        ccl, dcl = number(telemetry, "ccl"), number(telemetry, "dcl")
        if soc is None or volts is None or ccl is None or dcl is None or not 0 <= soc <= 100 or volts < 0:
            return
        self.soc, self.charge, self.discharge = soc, ccl * volts, dcl * volts * DC_TO_AC
        self.bms_heard = mono

    def silent(self, mono: float) -> bool:
        return mono - self.pcs_heard > self.pcs_silent

    def state(self, mono: float) -> str:
        """Of the PCS; empty when it does not say, or no more."""
        state, when = self.said
        return state if mono - when <= self.pcs_silent else ""

    def at_panel(self, mono: float) -> bool:
        """Somebody steers at the device itself."""
        local, when = self.panel
        return local and mono - when <= self.pcs_silent

    def unlimited(self, mono: float) -> str:
        """Why nobody knows what it may give or take; empty when its BMS says so."""
        if self.soc is None or self.charge is None or self.discharge is None:
            return "the BMS does not say what it allows"
        old = mono - self.bms_heard > self.bms_fresh
        return f"the BMS has been silent for more than {self.bms_fresh:.0f} s" if old else ""

    def limiter(self, *, charging: bool) -> str:
        """What the room ends at in this direction."""
        one, soc = self.battery, self.soc or 0.0
        if soc >= one.soc_max if charging else soc <= one.soc_min:
            return f"the SoC of {soc:.1f} %"
        allowed = self.charge if charging else self.discharge
        return "the BMS" if (allowed or 0.0) < self.rated else "the PCS rating"

    def room(self) -> Room:
        """What it may give and take, where that is known."""
        charge, discharge, one = self.charge or 0.0, self.discharge or 0.0, self.battery
        soc = self.soc or 0.0
        low = 0.0 if soc >= one.soc_max else -min(max(charge, 0.0), self.rated)
        high = 0.0 if soc <= one.soc_min else min(max(discharge, 0.0), self.rated)
        return Room(one.pcs, low, high, self.rated, one.energy, soc)


def number(telemetry: Telemetry, point: str) -> float | None:
    """A power, a voltage, a current, a SoC that a plant can have."""
    value = telemetry.number(point)
    return value if value is not None and abs(value) <= MOST else None
