"""Telemetry folded into what dispatch must know now. Ages run on the monotonic clock from the arrival: no step of a
wall clock makes an old value young, nor a young one old. Pure."""

from dataclasses import dataclass, field
from datetime import datetime

from optimizer.billing import Billing
from optimizer.dispatch import Moment
from optimizer.site_load import SiteLoad
from runtime.arrivals import Arrivals
from schemas.messages import Telemetry
from schemas.site import Site

PCS_SILENT = 5.0
"""Seconds without a reading of the PCS after which nothing is sent: its own watchdog and the bridge's look after it."""
DC_TO_AC = 0.95
"""The cells deliver the losses, too: of DCL x U so much arrives, as the bridge counts it."""
ON_ITS_WAY = 1.0
"""Seconds from a command that is sent until the bridge has written it, at most in good order."""
MOST = 1e12
"""W, V, A: what is beyond no plant has, and its sums would overflow."""
STOPPED = ("off", "sleeping", "standby")
BETWEEN = ("starting", "stopping", "precharge")


@dataclass
class Fold:
    """The last believable values of the site's meter, PCS and BMS."""

    site: Site
    billing: Billing
    load: SiteLoad
    """What the site takes beside the battery."""
    arrivals: Arrivals = field(default_factory=Arrivals)
    heard: dict[str, float] = field(default_factory=dict)
    """Monotonic seconds of the last good reading, by device."""
    power: float | None = None
    """W of the PCS."""
    said: tuple[str, float] = ("", float("-inf"))
    """State of the PCS, and when it said so."""
    soc: float | None = None
    charge: float | None = None
    discharge: float | None = None

    @classmethod
    def of(cls, site: Site) -> "Fold":
        demand = site.demand
        pcs, meter = site.named(site.battery.pcs), site.named(site.grid.meter)
        dead_time, silent = site.battery.dead_time + ON_ITS_WAY, pcs.stale_after(PCS_SILENT)
        load = SiteLoad(pcs.rated_power or 0.0, dead_time, meter.stale_after(PCS_SILENT), silent)
        return cls(site, Billing(site.zone, demand.minutes if demand else 15), load)

    def hear(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """The next message. What does not tell of now, or is not good, changes nothing."""
        battery = self.site.battery
        if device not in (battery.pcs, battery.bms, self.site.grid.meter):
            return
        if not self.arrivals.timely(device, telemetry, mono):
            return
        if device == battery.pcs:
            self._hear_pcs(telemetry, mono)
        elif device == battery.bms:
            self._hear_bms(telemetry, mono)
        else:
            self._hear_meter(telemetry, now, mono)

    def _hear_pcs(self, telemetry: Telemetry, mono: float) -> None:
        state, power = telemetry.good("state"), _number(telemetry, "p")
        if isinstance(state, str):
            self.said = state, mono
        if power is not None:
            self.power = power
            self.heard[self.site.battery.pcs] = mono
            self.load.battery(mono, power)

    def _hear_bms(self, telemetry: Telemetry, mono: float) -> None:
        soc, volts = _number(telemetry, "soc"), _number(telemetry, "u")
        ccl, dcl = _number(telemetry, "ccl"), _number(telemetry, "dcl")
        # All or nothing: a limit without its voltage is no limit, and dispatch rests when it gets old.
        if soc is None or volts is None or ccl is None or dcl is None or not 0 <= soc <= 100 or volts < 0:
            return
        self.soc, self.charge, self.discharge = soc, ccl * volts, dcl * volts * DC_TO_AC
        self.heard[self.site.battery.bms] = mono

    def _hear_meter(self, telemetry: Telemetry, now: datetime, mono: float) -> None:
        grid = _number(telemetry, "p")
        if grid is None:
            return
        # by our own clock: the meter's bridge may have another one, and the bill is made by the true time
        self.billing = self.billing.fold(now, grid)
        self.load.meter(mono, grid)
        self.heard[self.site.grid.meter] = mono

    def age(self, device: str, mono: float) -> float:
        """Seconds since the last good reading of a device."""
        return mono - self.heard.get(device, float("-inf"))

    def state(self, mono: float) -> str:
        """Of the PCS; empty when it does not say, or no more."""
        state, when = self.said
        return state if mono - when <= self._pcs_silent else ""

    def pcs_is_silent(self, mono: float) -> bool:
        return self.age(self.site.battery.pcs, mono) > self._pcs_silent

    @property
    def _pcs_silent(self) -> float:
        return self.site.named(self.site.battery.pcs).stale_after(PCS_SILENT)

    def moment(self, now: datetime, mono: float, last: float) -> Moment:
        return Moment(
            now=now,
            net=self.load.net.value,
            meter_age=self.age(self.site.grid.meter, mono),
            soc=self.soc,
            charge=self.charge,
            discharge=self.discharge,
            bms_age=self.age(self.site.battery.bms, mono),
            last=last,
        )


def _number(telemetry: Telemetry, point: str) -> float | None:
    value = telemetry.number(point)
    return value if value is not None and abs(value) <= MOST else None
