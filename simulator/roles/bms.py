"""A battery as its BMS reports it."""

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.messages import Value
from simulator.battery import CELLS
from simulator.bess import Rack
from simulator.bms import Bms
from simulator.roles.role import Role
from simulator.states import Contact, Turn
from simulator.wishes import Wish

CONTACTOR: dict[Contact, str] = {
    Contact.OPEN: "open",
    Contact.PRECHARGE: "precharge",
    Contact.CLOSED: "closed",
    Contact.OPENING: "closed",
}
"""What its feedback says."""
STATE: dict[Contact, str] = {
    Contact.OPEN: "disconnected",
    Contact.PRECHARGE: "initializing",
    Contact.CLOSED: "connected",
    Contact.OPENING: "connected",
}
TRIPS: dict[str, str] = {
    "over_voltage": "cell_over_voltage_protection voltage_protection over_volt_alarm over_voltage_protection",
    "under_voltage": "cell_under_voltage_protection voltage_protection under_volt_alarm under_voltage_protection",
    "over_temperature": "charge_over_temperature_protection temperature_protection over_temp_alarm",
    "charge_over_current": "charge_over_current_protection current_protection over_charge_current_alarm",
    "discharge_over_current": "discharge_over_current_protection current_protection over_discharge_current_alarm",
    "by itself": "system_error_protection other_alarm",
}
"""The names a trip may have in a map."""
WELDED = "contactor_adhesion relay_error contactor_error"


@dataclass
class BmsRole(Role):
    """It opens and closes its contactor, and trips."""

    @property
    def rack(self) -> Rack:
        return self.world.of_bms(self.device.name)

    @property
    def bms(self) -> Bms:
        return self.rack.bms

    def heard(self, *, write: bool) -> None:  # noqa: ARG002  # any request will do
        self.world.advance(self.now())
        self.bms.unheard = 0.0

    def shown(self) -> dict[str, Value]:
        battery, contact = self.rack.battery, self.rack.contactor.state
        low, high, cold, hot = battery.worst
        work = "holding" if abs(battery.current) < 0.5 else "discharging" if battery.current > 0 else "charging"
        return {
            **super().shown(),
            **self.flags(self.alarms(low, high, cold, hot)),
            "work_state": work,
            **self.named("contactor", CONTACTOR[contact]),
            **self.named("state", *(["fault"] if self.bms.tripped else []), STATE[contact]),
            **self.named("control_loc", "local" if self.on.keys() & {"local", "local_ignores"} else "remote"),
            "ems_timeout": self.bms.timeout,
            "hb_device": self.world.at.timestamp() // 1 % 0x10000,
            "soc": battery.soc,
            "soh": battery.soh,
            "u": battery.voltage,
            "i": battery.current,
            "t": battery.temperature,
            "ccl": 0.0 if self.bms.tripped else battery.ccl,
            "dcl": 0.0 if self.bms.tripped else battery.dcl,
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

    def take(self, wish: Wish) -> None:
        match wish.name:
            case "start":
                if "reset" not in self.profile.actions:
                    self.bms.reset()  # such a map has one order for both
                self.rack.contactor.turn(Turn.CLOSE)
            case "stop":
                self.rack.contactor.turn(Turn.OPEN)
            case "reset":
                self.bms.reset()
            case "watchdog":
                self.bms.timeout = wish.value

    def suffer(self, on: Mapping[str, float]) -> None:
        super().suffer(on)
        battery, contactor = self.rack.battery, self.rack.contactor
        battery.extra_kelvin = on.get("hot", 0.0)
        battery.extra_volts = on.get("cell_high", 0.0)
        battery.less_volts = on.get("cell_low", 0.0)
        contactor.welded = "contactor_welded" in on
        contactor.dead = "precharge_fails" in on
        if "trips" in on:
            self.bms.trip("by itself")
        if self.once(on, "panel_reset"):
            self.bms.reset()
            contactor.turn(Turn.CLOSE)

    def alarms(self, low: float, high: float, cold: float, hot: float) -> set[str]:
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
            TRIPS.get(self.bms.tripped, ""): True,
            WELDED: self.rack.contactor.stuck,
        }
        return {name for names, on in named.items() if on for name in names.split()}
