"""What each kind of device shows of the physics, and what it obeys."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from math import hypot

from schemas.messages import Value
from schemas.profile import Profile
from schemas.site import Device, Site
from schemas.troubles import Trouble
from schemas.units import Kind
from simulator.battery import CELLS
from simulator.image import Image, Wish
from simulator.pcs import Order, State
from simulator.plant import Pv
from simulator.world import World

PF_LOAD = 0.25
"""var per W: the reactive power of the load."""


@dataclass
class Role:
    """A device of the site, seen from behind its registers."""

    world: World
    device: Device
    profile: Profile
    now: Callable[[], datetime]

    def values(self) -> dict[str, Value]:
        """Every quantity of the kind; the profile picks those it has registers for."""
        self.world.advance(self.now())
        return self.shown()

    def shown(self) -> dict[str, Value]:
        """The same at the instant the world stands at."""
        return {"model_name": f"{self.profile.model} (simulated)", "serial": f"SIM-{self.device.name}"}

    def obey(self, wish: Wish) -> None:
        """Most devices are only read."""

    def heard(self, *, write: bool) -> None:
        """Most devices have no watchdog."""

    def flags(self, active: Iterable[str]) -> dict[str, Value]:
        """The names that are set, each in the point that has its bit."""
        names = set(active)
        return {
            point: [flag for flag in spec.flags.values() if flag in names]
            for point, spec in self.profile.points.items()
            if spec.flags is not None
        }

    def phases(self, p: float, q: float) -> dict[str, Value]:
        """Three equal phases."""
        shown: dict[str, Value] = {"f": self.world.frequency, "p": p, "q": q, "s": hypot(p, q)}
        shown["pf"] = p / hypot(p, q) if p or q else 1.0
        for phase, u in enumerate(self.world.voltages, 1):
            i = hypot(p, q) / 3 / u
            shown |= {f"u_l{phase}n": u, f"i_l{phase}": i, f"p_l{phase}": p / 3, f"q_l{phase}": q / 3}
        shown["i"] = sum(hypot(p, q) / 3 / u for u in self.world.voltages)
        return shown


FEEDS = {"any": (), "write": ("watchdog",), "setpoint": ("p_set", "q_set")}
"""Which wishes feed a watchdog; one of `any` is fed by every request."""


@dataclass
class PcsRole(Role):
    """The inverter of the battery."""

    asked: dict[str, float] = field(default_factory=dict)
    """Its setpoints, as far as they wait for their enable register."""
    enabled: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        if self.profile.watchdog is None:
            self.world.plant.pcs.timeout = 0.0

    def shown(self) -> dict[str, Value]:
        pcs, battery = self.world.plant.pcs, self.world.plant.battery
        running = pcs.state is State.RUNNING
        active = {
            "grid_connection_allowed": True,
            "derating": pcs.derating,
            "alert": pcs.timed_out,
            "ems_timeout": pcs.timed_out,
            "dc_over_current": pcs.state is State.FAULT,
        }
        return {
            **super().shown(),
            **self.phases(pcs.p, pcs.q),
            **self.flags(name for name, on in active.items() if on),
            "state": pcs.state.value,
            "grid_state": "islanded" if pcs.forming else "connected" if running else "disconnected",
            "p_set": pcs.p_set,
            "p_set_state": "enabled" if "p_set" in self.enabled else "disabled",
            "hb_device": self.world.at.timestamp() // 1 % 0x10000,
            "q_set": pcs.q_set,
            "dc_p": pcs.dc,
            "dc_u": battery.voltage,
            "dc_i": battery.current,
            "e_dc_charge": battery.charged,
            "e_dc_discharge": battery.discharged,
            "t_heatsink": 28 + 35 * (pcs.p / pcs.rated) ** 2,
            "ems_timeout": pcs.timeout,
        }

    def obey(self, wish: Wish) -> None:
        self.world.advance(self.now())
        pcs = self.world.plant.pcs
        name, _, switch = wish.name.partition(":")
        if name in self.profile.commands and self.profile.commands[name].enable is not None:
            wish = self._enabled(name, wish, switch=bool(switch))
        match wish.name:
            case "p_set" if self.world.faults.has(self.device.name, "refuses_setpoint"):
                pass
            case "p_set" if pcs.state is State.RUNNING:
                pcs.p_set = wish.value
            case "q_set" if pcs.state is State.RUNNING:
                pcs.q_set = wish.value
            case "watchdog":
                pcs.timeout = wish.value
            case "start" | "stop" | "standby" | "reset":
                pcs.order(Order(wish.name))
            case "grid_following" | "grid_forming" if pcs.state is not State.RUNNING:
                pcs.forming = wish.name == "grid_forming"
        dog = self.profile.watchdog
        if dog is not None and wish.name in FEEDS[dog.fed_by]:
            pcs.heard()
        self.world.advance(self.now())

    def _enabled(self, name: str, wish: Wish, *, switch: bool) -> Wish:
        """A setpoint counts while its enable register holds 1, whichever was written first."""
        if switch:
            (self.enabled.add if wish.value == 1 else self.enabled.discard)(name)
        else:
            self.asked[name] = wish.value
        return Wish(name, self.asked.get(name, 0.0) if name in self.enabled else 0.0)

    def heard(self, *, write: bool) -> None:  # noqa: ARG002  # what is written shows in `obey`
        dog = self.profile.watchdog
        if dog is not None and dog.fed_by == "any":
            self.world.advance(self.now())  # first what happened while nobody asked
            self.world.plant.pcs.heard()


class BmsRole(Role):
    """The battery as its BMS reports it."""

    def heard(self, *, write: bool) -> None:  # noqa: ARG002  # any request will do
        self.world.advance(self.now())
        self.world.plant.unheard = 0.0

    def shown(self) -> dict[str, Value]:
        battery = self.world.plant.battery
        (low, high), (cold, hot) = battery.cell_volts, battery.cell_degrees
        work = "holding" if abs(battery.current) < 0.5 else "discharging" if battery.current > 0 else "charging"
        return {
            **super().shown(),
            **self.flags(self.alarms(low, high, cold, hot)),
            "work_state": work,
            "contactor": "closed" if self.world.plant.connected else "open",
            "ems_timeout": self.world.plant.timeout,
            "hb_device": self.world.at.timestamp() // 1 % 0x10000,
            "soc": battery.soc,
            "soh": 99.0,
            "u": battery.voltage,
            "i": battery.current,
            "t": battery.temperature,
            "ccl": battery.ccl,
            "dcl": battery.dcl,
            "u_charge_max": CELLS * 3.55,
            "u_discharge_min": CELLS * 2.90,
            "cell_u_min": low,
            "cell_u_max": high,
            "cell_u_avg": (low + high) / 2,
            "cell_u_min_id": 17.0,
            "cell_u_max_id": 203.0,
            "cell_t_min": cold,
            "cell_t_max": hot,
            "cycles": float(int(battery.discharged / battery.energy)),
            "e_remaining": battery.stored,
            "e_charge_total": battery.charged,
            "e_discharge_total": battery.discharged,
        }

    def obey(self, wish: Wish) -> None:
        self.world.advance(self.now())
        if wish.name in ("start", "stop"):
            self.world.plant.connected = wish.name == "start"
        elif wish.name == "watchdog":
            self.world.plant.timeout = wish.value
        self.world.advance(self.now())

    @staticmethod
    def alarms(low: float, high: float, cold: float, hot: float) -> set[str]:
        """LFP limits: warning 3.60/2.80 V and 45 degC, protection 3.65/2.50 V and 55 degC."""
        named = {
            "cell_high_voltage_warning voltage_warning": high >= 3.60,
            "cell_over_voltage_protection voltage_protection": high >= 3.65,
            "cell_low_voltage_warning voltage_warning": low <= 2.80,
            "cell_under_voltage_protection voltage_protection": low <= 2.50,
            "charge_high_temperature_warning discharge_high_temperature_warning temperature_warning": hot >= 45,
            "charge_over_temperature_protection temperature_protection": hot >= 55,
            "discharge_over_temperature_protection": hot >= 55,
            "charge_low_temperature_warning temperature_warning": cold <= 0,
        }
        return {name for names, on in named.items() if on for name in names.split()}


class MeterRole(Role):
    """The grid connection point, positive importing."""

    def shown(self) -> dict[str, Value]:
        plant = self.world.plant
        p, q, energies = plant.grid, PF_LOAD * plant.load - plant.pcs.q, (plant.e_import, plant.e_export)
        if self.world.faults.has(self.device.name, "inverted"):
            p, q, energies = -p, -q, energies[::-1]
        return {**super().shown(), **self.phases(p, q), "e_import": energies[0], "e_export": energies[1]}


class PvRole(Role):
    """A PV inverter."""

    @property
    def plant(self) -> Pv:
        return self.world.plant.pv[self.device.name]

    def shown(self) -> dict[str, Value]:
        pv = self.plant
        at_night = pv.available < 0.001 * pv.rated
        state = "sleeping" if at_night else "throttled" if pv.curtailed else "running"
        return {
            "maker": "joulebus",
            **super().shown(),
            **self.phases(pv.p, 0.0),
            **self.flags(()),
            "state": state,
            "dc_p": pv.p / 0.98,
            "dc_u": 0.0 if at_night else 650.0,
            "dc_i": pv.p / 0.98 / 650,
            "e_inj_total": pv.energy,
            "t_cab": 24 + 18 * pv.p / pv.rated,
            "t_heatsink": 25 + 40 * pv.p / pv.rated,
            "p_max_inj": pv.rated,
            "s_max": pv.apparent,
            "p_limit_pct": pv.limit_pct,
            "p_limit_state": "enabled" if pv.limited else "disabled",
        }

    def obey(self, wish: Wish) -> None:
        self.world.advance(self.now())
        match wish.name:
            case "p_limit_pct":
                self.plant.limit_pct = wish.value
            case "p_limit_pct:enable":
                self.plant.limited = wish.value == 1


ROLES: dict[Kind, type[Role]] = {Kind.PCS: PcsRole, Kind.BMS: BmsRole, Kind.METER: MeterRole, Kind.PV: PvRole}


def cast(world: World, now: Callable[[], datetime]) -> dict[str, Role]:
    """The role of every device of the site. Raises Trouble for one that has none."""
    roles = {}
    for device in world.site.device:
        profile = world.site.profiles[device.name]
        _check(world.site, device, profile.kind)
        roles[device.name] = ROLES[profile.kind](world, device, profile, now)
    return roles


def image_of(site: Site, device: Device) -> Image:
    """The registers of a device of the site."""
    rated = device.rated_power or 0.0
    apparent = device.rated_apparent_power or rated
    return Image(site.profiles[device.name], rated=rated, apparent=apparent, unit=device.unit)


def _check(site: Site, device: Device, kind: Kind) -> None:
    if kind not in ROLES:
        raise Trouble(f"device {device.name!r}: a {kind} cannot be simulated, only {', '.join(ROLES)}")
    only = {Kind.PCS: site.battery.pcs, Kind.BMS: site.battery.bms}.get(kind)
    if only is not None and device.name != only:
        raise Trouble(f"device {device.name!r}: the simulated site has one battery, and its {kind} is {only!r}")
