"""What dispatch must know now. What is known of the site is folded by `optimizer.situation`, for optimize and for us;
here are the loop over the meter and the billing windows that each second counts in. Pure: both clocks are arguments."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from consumers.dispatch.battery_seen import BatterySeen
from consumers.dispatch.held_windows import HeldWindows
from optimizer.dispatch import Moment
from optimizer.running_step import RunningStep
from optimizer.running_window import RunningWindow
from optimizer.shared_load import Member, SharedLoad
from optimizer.site_load import SiteLoad
from optimizer.situation.ages import PCS_SILENT
from optimizer.situation.cells import CellsSeen
from optimizer.situation.heard import number
from optimizer.situation.site_seen import SiteSeen
from optimizer.storage import soc
from schemas.messages import Step, Telemetry
from schemas.site import Site
from schemas.tariff import Demand

ON_ITS_WAY = 1.0
"""Seconds from a command that is sent until the bridge has written it, at most in good order."""


@dataclass(frozen=True, slots=True)
class Sun:
    """What is known of PV while it is curtailed, in W."""

    net: float | None = None
    """That the grid would carry if the batteries rested, told from the PV as it is read now: no late meter is waited
    for; None while the meter tells it as well."""
    spare: float | None = None
    """As in `Moment`."""


NO_SUN = Sun()


@dataclass
class Fold:
    """The site as it was last heard, and what dispatch makes of it."""

    site: Site
    seen: SiteSeen
    """What is known of its devices, as optimize knows it."""
    billing: RunningWindow
    """Of the first demand."""
    load: SharedLoad
    """What the site takes beside its batteries."""
    batteries: dict[str, BatterySeen]
    """By the name of their PCS."""
    windows: HeldWindows = field(default_factory=HeldWindows)
    """Of the other demands."""
    running: RunningStep = field(default_factory=RunningStep)
    """The net load and the batteries' power in the plan's step so far, as each decision saw them."""

    @classmethod
    def of(cls, site: Site) -> "Fold":
        meter, seen = site.named(site.grid.meter), SiteSeen.of(site)
        batteries = {one.pcs: BatterySeen.of(seen, one) for one in site.units}
        dead_time = max((one.dead_time for one in site.battery), default=0.0) + ON_ITS_WAY
        silent = max((one.pcs_silent for one in batteries.values()), default=PCS_SILENT)
        ages = meter.stale_after(PCS_SILENT), silent
        load = SharedLoad(SiteLoad(site.rated_power, dead_time, *ages, known_delay=meter.late))
        for pcs, one in batteries.items():
            load.members[pcs] = Member(one.rated, site.named(pcs).poll, one.battery.fallback, 0.0)
        billing = RunningWindow(site.zone, site.demand, meter.poll)
        return cls(site, seen, billing, load, batteries, HeldWindows.of(site))

    def bill(self, demand: Demand | None) -> None:
        """The tariff can be read now."""
        self.billing, self.windows = self.billing.of(demand), HeldWindows.of(self.site)

    @property
    def cells(self) -> dict[str, CellsSeen]:
        """By the name of their battery."""
        return self.seen.cells

    @property
    def meter_heard(self) -> float:
        """Monotonic seconds of the last good reading."""
        return self.seen.heard(self.site.grid.meter)

    def hear(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> bool:
        """The next message; whether it tells of now. What is not good changes nothing."""
        if not self.seen.hear(device, telemetry, mono):
            return False
        power = number(telemetry, "p")
        if device in self.batteries:
            self.batteries[device].hear_pcs(telemetry, mono)
            if power is not None:
                self.load.read(device, mono, power)
                self.load.gather()
        elif device == self.site.grid.meter and power is not None:
            self._hear_meter(power, now, mono)
        return True

    def _hear_meter(self, grid: float, now: datetime, mono: float) -> None:
        # by our own clock: the meter's bridge may have another one, and the bill is made by the true time
        self.billing, self.windows = self.billing.fold(now, grid), self.windows.fold(now, grid)
        self.load.meter(mono, grid)

    def moment(  # noqa: PLR0917  # who, when, and what is known besides: they read well in a row
        self,
        able: Sequence[BatterySeen],
        now: datetime,
        mono: float,
        last: float,
        sun: Sun = NO_SUN,
        step: Step | None = None,
    ) -> Moment:
        """As those see it that can be steered, at least one. What the other batteries give is load less; what they
        charge with no battery covers, but the billed peak and the import limit reckon with it. `last`: W wanted of
        them before. `sun`: what is known of PV that is curtailed. `step`: of the plan, that holds now."""
        mine = {one.battery.pcs for one in able}
        aside = [one.power or 0.0 for pcs, one in self.batteries.items() if pcs not in mine]
        net, charging = self.load.value if sun.net is None else sun.net, -sum(min(power, 0.0) for power in aside)
        if net is not None:
            net -= sum(max(power, 0.0) for power in aside)
            surplus = min(charging, max(-net, 0.0))  # that they store is not there any more
            net, charging = net + surplus, charging - surplus
            given, imported = sum(one.power or 0.0 for one in able), self.billing.imported(now)
            self.running = self.running.fold(now, net, given, step, imported)
        one, age = able[0], mono - self.meter_heard
        unsure = self.load.load.doubt.off(60.0 * self.billing.minutes)
        if len(able) == 1:
            own = one.soc, one.charge, one.discharge, mono - one.bms_heard
            limiter = "the BMS", one.narrowed_by
            return Moment(now, net, age, *own, last, charging, sun.spare, limiter, unsure, self.running)
        rooms = [each.room() for each in able]
        charge, discharge = -sum(room.low for room in rooms), sum(room.high for room in rooms)
        charged = soc([each.battery for each in able], [room.soc for room in rooms])
        limiter = _limiter(able, charging=True), _limiter(able, charging=False)
        return Moment(
            now, net, age, charged, charge, discharge, 0.0, last, charging, sun.spare, limiter, unsure, self.running
        )


def _limiter(able: Sequence[BatterySeen], *, charging: bool) -> str:
    """What ends the power of several batteries in this direction; with their names where it is not the same."""
    each = {one.battery.name: one.limiter(charging=charging) for one in able}
    same = len(set(each.values())) == 1
    return next(iter(each.values())) if same else ", ".join(f"{what} of {name}" for name, what in each.items())
