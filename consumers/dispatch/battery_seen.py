"""What dispatch has heard of one battery: its powers and its cells as the fold of the site knows them, and beside them
what only dispatch asks its PCS. Ages run on the monotonic clock from the arrival. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from optimizer.racks import Neighbour, part
from optimizer.situation.ages import PCS_SILENT
from optimizer.situation.cells import CellsSeen
from optimizer.situation.heard import NEVER, Known
from optimizer.situation.site_seen import SiteSeen
from optimizer.split import Room
from schemas.messages import Telemetry
from schemas.site_battery import Unit

DC_TO_AC = 0.95
"""The cells deliver the losses, too: of DCL x U so much arrives, as the bridge counts it."""
BETWEEN = ("starting", "stopping", "precharge")


@dataclass
class BatterySeen:
    """Its last believable values."""

    battery: Unit
    rated: float
    """W of the PCS."""
    pcs_silent: float
    """Seconds after which it is not believed."""
    site: SiteSeen
    suns: Sequence[str] = ()
    """Points of a hybrid's own PV."""
    said: tuple[str, float] = ("", NEVER)
    """State of the PCS, and when it said so."""
    panel: tuple[bool, float] = (False, NEVER)
    """Whether it is steered at its own panel, and when it said so."""
    beside: Sequence[tuple[Neighbour, float, float]] = ()
    """The other PCS of its battery, with what each charges and discharges."""

    @classmethod
    def of(cls, seen: SiteSeen, battery: Unit) -> "BatterySeen":
        pcs, suns = seen.site.named(battery.pcs), seen.site.profiles[battery.pcs].pv_points
        return cls(battery, pcs.rated_power or 0.0, pcs.stale_after(PCS_SILENT), seen, suns)

    @property
    def cells(self) -> CellsSeen:
        """Shared with the other PCS of its battery."""
        return self.site.cells[self.battery.of]

    @property
    def power(self) -> float | None:
        """W of the PCS."""
        return self.site.power(self.battery.pcs)

    @property
    def sun(self) -> float:
        """W of a hybrid's own PV: it goes through the same inverter, and the battery gives what is left of it. A
        message without it does not make it dark."""
        return sum(self.site.power(self.battery.pcs, point) or 0.0 for point in self.suns)

    @property
    def soc(self) -> float | None:
        """%."""
        return self.cells.now.soc

    @property
    def charge(self) -> float | None:
        """W that the cells allow it."""
        allowed = self.cells.now.charge
        return (
            allowed if allowed is None else part(allowed, self.rated, [(one, takes) for one, takes, _ in self.beside])
        )

    @property
    def discharge(self) -> float | None:
        """The same, as it arrives behind its losses; of a hybrid no more than its PV leaves of the inverter."""
        allowed = self.cells.now.discharge
        if allowed is None:
            return None
        mine = part(allowed, self.rated, [(one, gives / DC_TO_AC) for one, _, gives in self.beside]) * DC_TO_AC
        return min(mine, max(0.0, self.rated - self.sun)) if self.sun > 0 else mine

    @property
    def narrowed_by(self) -> str:
        """Whose limit `discharge` is, where it is below the rating."""
        left = self.rated - self.sun if self.sun > 0 else inf
        return "its PV in the same inverter" if (self.discharge or 0.0) >= max(0.0, left) else "the BMS"

    @property
    def bms_heard(self) -> float:
        """Monotonic seconds of the last word of its cells that is acted on."""
        return NEVER if self.cells.once else self.cells.heard

    @property
    def bms_fresh(self) -> float:
        """Seconds after which it is not believed."""
        return self.cells.fresh

    def hear_pcs(self, telemetry: Telemetry, mono: float) -> None:
        """What it says of its state."""
        state, place = telemetry.good("state"), telemetry.good("control_loc")
        if isinstance(state, str):
            self.said = state, mono
        if isinstance(place, str):
            self.panel = place == "local", mono

    def silent(self, mono: float) -> bool:
        return self.site.known(self.battery.pcs, "p", mono, PCS_SILENT) is not Known.GOOD

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
        return self.cells.unknown(mono)

    def limiter(self, *, charging: bool) -> str:
        """What the room ends at in this direction."""
        one, soc = self.battery, self.soc or 0.0
        if soc >= one.soc_max if charging else soc <= one.soc_min:
            return f"the SoC of {soc:.1f} %"
        allowed = self.charge if charging else self.discharge
        whose = "the BMS" if charging else self.narrowed_by
        return whose if (allowed or 0.0) < self.rated else "the PCS rating"

    def room(self) -> Room:
        """What it may give and take, where that is known."""
        charge, discharge, one = self.charge or 0.0, self.discharge or 0.0, self.battery
        soc = self.soc or 0.0
        low = 0.0 if soc >= one.soc_max else -min(max(charge, 0.0), self.rated)
        high = 0.0 if soc <= one.soc_min else min(max(discharge, 0.0), self.rated)
        return Room(one.pcs, low, high, self.rated, one.energy * self.cells.now.connected, soc)
