"""The inverter of a battery, as it is seen from its registers."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from schemas.messages import Value
from simulator.bess import Bess
from simulator.pcs import Pcs
from simulator.roles.role import Role
from simulator.states import Order, State
from simulator.wishes import Wish

FEEDS = {"any": (), "write": ("watchdog",), "setpoint": ("p_set", "q_set", "q_set_pct")}
"""Which wishes feed a watchdog; one of `any` is fed by every request."""
SHOWS: dict[State, tuple[str, ...]] = {
    State.OFF: ("off",),
    State.PRECHARGE: ("precharge", "starting", "off", "standby"),
    State.STANDBY: ("standby", "off"),
    State.OBSERVING: ("starting", "standby", "off"),
    State.STARTING: ("starting", "standby", "off"),
    State.RUNNING: ("running",),
    State.STOPPING: ("stopping", "running"),
    State.FAULT: ("fault",),
}
"""The names a state may have in a map, the best one first."""
ALARMS: dict[str, tuple[str, ...]] = {
    "over_current": ("dc_over_current", "over_current", "output_over_load"),
    "dc_under_voltage": ("dc_input_under_voltage", "dc_low_voltage", "dc_under_volt", "dc_disconnect"),
    "dc_start_failed": ("dc_soft_start_failed", "dc_bus_start_failed", "start_failed"),
    "islanding": ("island", "ac_under_voltage", "ac_under_volt", "grid_disconnect", "grid_loss", "active_islanding"),
    "overload": ("output_over_load", "inverter_over_load"),
}
"""The names an alarm may have in a map; all that are known are set."""


@dataclass
class PcsRole(Role):
    """It obeys setpoints, and its own watchdog."""

    @property
    def bess(self) -> Bess:
        return self.world.plant.bess[self.device.name]

    @property
    def pcs(self) -> Pcs:
        return self.bess.pcs

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.profile.watchdog is None:
            self.pcs.timeout = 0.0

    def shown(self) -> dict[str, Value]:
        pcs, battery = self.pcs, self.bess.battery
        running = pcs.state is State.RUNNING
        active = {
            "grid_connection_allowed": True,
            "derating": pcs.derating,
            "alert": pcs.timed_out,
            "ems_timeout": pcs.timed_out,
            **dict.fromkeys(ALARMS.get(pcs.why, ()), True),
        }
        return {
            **super().shown(),
            **self.phases(pcs.p, pcs.q, alive=self.world.plant.lit),
            **self.flags(name for name, on in active.items() if on),
            **self.named("state", *SHOWS[pcs.state]),
            "grid_state": "islanded" if pcs.forming else "connected" if running else "disconnected",
            **self.named("control_loc", "local" if pcs.local else "remote"),
            "p_set": pcs.p_set,
            "p_set_state": "enabled" if "p_set" in self.enables.on else "disabled",
            "hb_device": self.world.at.timestamp() // 1 % 0x10000,
            "q_set": pcs.q_set,
            "q_set_pct": 100 * pcs.q_set / pcs.apparent,
            "q_set_state": "enabled" if "q_set" in self.enables.on else "disabled",
            "dc_p": pcs.dc,
            "dc_u": self.bess.voltage,
            "dc_i": self.bess.current,
            "e_dc_charge": battery.charged,
            "e_dc_discharge": battery.discharged,
            "t_heatsink": 28 + 35 * (pcs.p / pcs.rated) ** 2,
            "ems_timeout": pcs.timeout,
            **self._cells(),
            **self._sun(),
        }

    def _cells(self) -> dict[str, Value]:
        """What a hybrid tells of the cells behind it."""
        battery = self.bess.battery
        return {
            "soc": battery.soc,
            "ccl": battery.ccl,
            "dcl": battery.dcl,
            "p_max_abs": battery.ccl * battery.voltage,
            "p_max_inj": battery.dcl * battery.voltage,
        }

    def _sun(self) -> dict[str, Value]:
        """Of the PV behind a hybrid, and of both together."""
        inputs, pv = self.profile.pv_points, self.world.plant.pv.get(self.device.name)
        if pv is None:
            return {}
        return {**dict.fromkeys(inputs, pv.p / len(inputs)), "ac_p": self.pcs.p + pv.p}

    def take(self, wish: Wish) -> None:
        pcs = self.pcs
        counts = pcs.state is State.RUNNING or pcs.keeps
        value = wish.value if wish.name in self.enables.on or wish.name not in self.enables.names else 0.0
        match wish.name:
            case "p_set" if "refuses_setpoint" in self.on:
                pass
            case "p_set" if counts:
                pcs.p_set = value
            case "q_set" if counts:
                pcs.q_set = value
            case "q_set_pct" if counts:
                pcs.q_set = value * pcs.apparent / 100
            case "watchdog":
                pcs.timeout = wish.value
            case "start" | "stop" | "standby" | "reset":
                pcs.order(Order(wish.name))
            case "grid_following" | "grid_forming" if pcs.state is not State.RUNNING:
                pcs.forming = wish.name == "grid_forming"
        dog = self.profile.watchdog
        if dog is not None and wish.name in FEEDS[dog.fed_by]:
            pcs.heard()

    def heard(self, *, write: bool) -> None:  # noqa: ARG002  # what is written shows in `take`
        dog = self.profile.watchdog
        if dog is not None and dog.fed_by == "any":
            self.world.advance(self.now())  # first what happened while nobody asked
            self.pcs.heard()

    def suffer(self, on: Mapping[str, float]) -> None:
        super().suffer(on)
        pcs = self.pcs
        pcs.stuck = "stuck" in on
        pcs.deaf = pcs.stuck or "ignores_setpoint" in on
        pcs.share = (-1.0 if "reversed" in on else 1.0) * on.get("half", 1.0)
        pcs.dead_time = on.get("late", 0.0)
        pcs.slowest = pcs.rated * on["slow_ramp"] / 100 if "slow_ramp" in on else inf
        pcs.keeps, pcs.blind = "keeps_setpoint" in on, "no_limits" in on
        pcs.local = "local" in on or "local_ignores" in on
        if "foreign_write" in on:
            pcs.p_set = on["foreign_write"]
        if self.once(on, "forgets"):
            pcs.forget()
        if self.once(on, "panel_stop"):
            pcs.order(Order.STOP)
        if self.once(on, "panel_reset"):
            pcs.order(Order.RESET)
        if self.once(on, "device_reset"):
            self._reset()
        if "trip" in on:
            pcs.order(Order.TRIP)

    def _reset(self) -> None:
        self.pcs.reboot()
        self.image.reset()
        self.enables.on.clear()
        self.enables.asked.clear()
        self.enables.held.clear()
