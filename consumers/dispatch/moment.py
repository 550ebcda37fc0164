"""Telemetry folded into what dispatch must know now. Ages run on the monotonic clock: no step of the wall clock
makes an old value young."""

from dataclasses import dataclass, field
from datetime import datetime

from optimizer.billing import Billing
from optimizer.dispatch import Moment
from schemas.messages import Telemetry
from schemas.site import Site

LATE = 60.0
"""Seconds by which a measurement may lag its arrival before it counts as old; clocks differ by less."""
PCS_SILENT = 5.0
DC_TO_AC = 0.95
"""The cells deliver the losses, too: of DCL x U so much arrives, as the bridge counts it."""
STOPPED = ("off", "sleeping", "standby")


@dataclass
class Fold:
    """The last believable values of the site's meter, PCS and BMS."""

    site: Site
    billing: Billing
    heard: dict[str, float] = field(default_factory=dict)
    """Monotonic seconds of the last good reading, by device."""
    net: float | None = None
    power: float | None = None
    """W of the PCS."""
    state: str = ""
    """Of the PCS; empty when it does not say."""
    soc: float | None = None
    charge: float | None = None
    discharge: float | None = None

    def hear(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """The next message. What is historical, old, or not good changes nothing."""
        if telemetry.historical or (now - telemetry.at).total_seconds() > LATE:
            return
        if device == self.site.battery.pcs:
            self._hear_pcs(telemetry, mono)
        elif device == self.site.battery.bms:
            self._hear_bms(telemetry, mono)
        elif device == self.site.grid.meter:
            self._hear_meter(telemetry, mono)

    def _hear_pcs(self, telemetry: Telemetry, mono: float) -> None:
        state, power = telemetry.good("state"), telemetry.number("p")
        if isinstance(state, str):
            self.state = state
        if power is not None:
            self.power = power
            self.heard[self.site.battery.pcs] = mono

    def _hear_bms(self, telemetry: Telemetry, mono: float) -> None:
        soc, volts = telemetry.number("soc"), telemetry.number("u")
        ccl, dcl = telemetry.number("ccl"), telemetry.number("dcl")
        # All or nothing: a limit without its voltage is no limit, and dispatch rests when it gets old.
        if soc is None or volts is None or ccl is None or dcl is None:
            return
        self.soc, self.charge, self.discharge = soc, ccl * volts, dcl * volts * DC_TO_AC
        self.heard[self.site.battery.bms] = mono

    def _hear_meter(self, telemetry: Telemetry, mono: float) -> None:
        grid = telemetry.number("p")
        if grid is None:
            return
        self.billing = self.billing.fold(telemetry.at, grid)
        if self.power is not None and self.age(self.site.battery.pcs, mono) <= PCS_SILENT:
            self.net = grid + self.power
            self.heard[self.site.grid.meter] = mono

    def age(self, device: str, mono: float) -> float:
        """Seconds since the last good reading of a device."""
        return mono - self.heard.get(device, float("-inf"))

    def pcs_is_silent(self, mono: float) -> bool:
        """Too long without a reading of the PCS: its own watchdog and the bridge's look after it."""
        poll = self.site.named(self.site.battery.pcs).poll
        return self.age(self.site.battery.pcs, mono) > PCS_SILENT * max(1.0, poll)

    def moment(self, now: datetime, mono: float, last: float) -> Moment:
        return Moment(
            now=now,
            net=self.net,
            meter_age=self.age(self.site.grid.meter, mono),
            soc=self.soc,
            charge=self.charge,
            discharge=self.discharge,
            bms_age=self.age(self.site.battery.bms, mono),
            last=last,
        )
