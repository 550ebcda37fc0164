"""What the points of devices are called for people: one table, from the point's name. Pure.

The name itself stays what programs use: in topics, in the archive and in rules.
"""

import re
from functools import lru_cache

from schemas.units import Kind

KINDS: dict[Kind, str] = {
    Kind.PCS: "battery inverter",
    Kind.BMS: "battery",
    Kind.METER: "meter",
    Kind.PV: "PV inverter",
    Kind.LOAD: "load",
    Kind.SENSOR: "sensor",
}
"""What a device is."""

CANONICAL: dict[str, str] = {
    r"(.*_)?p(_l[123]|_set|_max_inj|_max_abs)?|dc_p": "W",
    r"q(_l[123]|_set)?": "var",
    r"s(_l[123]|_max)?": "VA",
    r"f": "Hz",
    r"u(_l[123]n|_l12|_l23|_l31|_charge_max|_discharge_min)?|dc_u|cell_u_(max|min|avg)": "V",
    r"i(_l[123])?|dc_i|ccl|dcl": "A",
    r"soc|soh|p_limit_pct|throttle_pct": "%",
    r"t|t_.*|cell_t_(max|min)": "degC",
    r"e_.*": "Wh",
    r"eq_(import|export)": "varh",
    r"riso(_pos|_neg)?": "kOhm",
}
"""Names with one meaning everywhere in joulebus have one unit everywhere: alarms and limits rely on it."""

PHASE = r"(l\d+n?)"
LABELS: dict[str, str] = {
    # power
    "p": "Power",
    f"p_{PHASE}": "Power {}",
    "ac_p": "AC power",
    f"ac_p_{PHASE}": "AC power {}",
    "grid_p": "Grid power",
    f"grid_p_{PHASE}": "Grid power {}",
    "load_p": "Load power",
    f"load_p_{PHASE}": "Load power {}",
    "pv_p": "PV power",
    "pv_p_(\\d+)": "PV power of input {}",
    f"pv_p_{PHASE}": "PV power {}",
    f"pv_in_p_{PHASE}": "PV power at the input {}",
    "ct_p": "Power at the current clamps",
    "q": "Reactive power",
    f"q_{PHASE}": "Reactive power {}",
    "s": "Apparent power",
    f"s_{PHASE}": "Apparent power {}",
    "pf": "Power factor",
    # limits and ratings
    "p_rated": "Rated power",
    "p_max_inj": "Most power given",
    "p_max_abs": "Most power taken",
    "p_discharge_max": "Discharge power limit",
    "p_charge_max": "Charge power limit",
    "s_max": "Most apparent power",
    "e_rated": "Energy when full",
    "e_remaining": "Energy left",
    "p_limit_pct": "Power limit",
    "p_limit_state": "Power limit in force",
    "p_limit_memory": "Power limit kept in",
    "throttle_pct": "Throttled to",
    "throttle_src": "Throttled by",
    "feed_in_limited": "Feed-in limited",
    # setpoints as the device has them
    "p_set": "Power told",
    "p_set_least": "Least power told",
    "p_set_mode": "How power is told",
    "p_set_state": "Power setpoint in force",
    "p_set_target": "Power setpoint ends by",
    "p_set_pct": "Power told of the rating",
    "grid_p_set": "Grid power told",
    "q_set": "Reactive power told",
    "q_set_mode": "How reactive power is told",
    "q_set_state": "Reactive setpoint in force",
    "q_set_pct": "Reactive power told of the rating",
    "pf_set": "Power factor told",
    "pf_set_state": "Power factor in force",
    # voltage, current, frequency
    "f": "Frequency",
    "grid_f": "Grid frequency",
    "u": "Voltage",
    f"u_{PHASE}": "Voltage {}",
    f"grid_u_{PHASE}": "Grid voltage {}",
    "u_bus": "DC bus voltage",
    "u_link": "DC link voltage",
    "i": "Current",
    f"i_{PHASE}": "Current {}",
    "dc_u": "DC voltage",
    "dc_i": "DC current",
    "dc_p": "DC power",
    r"dc_?(u|i|p)_(\d+)": "DC {} of input {}",
    r"dc(\d+)_(u|i|p)": "DC input {} {}",
    "thd_u": "Voltage distortion (THD)",
    # the battery
    "soc": "State of charge",
    "soc_min": "Lowest state of charge",
    "soc_max": "Highest state of charge",
    "soh": "State of health",
    "ccl": "Charge current limit",
    "dcl": "Discharge current limit",
    "u_charge_max": "Charge voltage limit",
    "u_discharge_min": "Discharge voltage limit",
    "cell_u_max": "Highest cell voltage",
    "cell_u_min": "Lowest cell voltage",
    "cell_u_avg": "Mean cell voltage",
    r"cell_u_(\d+)": "Voltage of cell {}",
    "cell_u_max_id": "Cell of the highest voltage",
    "cell_u_min_id": "Cell of the lowest voltage",
    "cell_t_max": "Highest cell temperature",
    "cell_t_min": "Lowest cell temperature",
    r"cell_t_(\d+)": "Temperature of cell {}",
    "cell_t_max_id": "Cell of the highest temperature",
    "cell_t_min_id": "Cell of the lowest temperature",
    "riso": "Insulation",
    "riso_pos": "Insulation of plus",
    "riso_neg": "Insulation of minus",
    "contactor": "Contactor",
    "cycles": "Cycles",
    "balancing_cells": "Cells balancing",
    "needs_charge": "Wants to be charged",
    "strings_total": "Strings",
    "strings_connected": "Strings connected",
    r"rack_soc_(\d+)": "State of charge of rack {}",
    r"rack_i_(\d+)": "Current of rack {}",
    r"rack_cell_u_max_(\d+)": "Highest cell voltage of rack {}",
    r"rack_cell_u_min_(\d+)": "Lowest cell voltage of rack {}",
    r"rack_out_(\d+)": "Rack {} in service",
    # energy
    "e_import": "Energy imported",
    "e_export": "Energy exported",
    "eq_import": "Reactive energy drawn",
    "eq_export": "Reactive energy fed in",
    "e_inj_total": "Energy given",
    "e_abs_total": "Energy taken",
    "e_charge_total": "Energy charged",
    "e_discharge_total": "Energy discharged",
    "e_dc_charge": "Energy charged at DC",
    "e_dc_discharge": "Energy discharged at DC",
    "e_load": "Energy of the load",
    "e_pv_total": "Energy of the PV",
    # temperature
    "t": "Temperature",
    r"t_(\d+)": "Temperature {}",
    "t_amb": "Air temperature",
    "t_battery": "Battery temperature",
    "t_cab": "Cabinet temperature",
    "t_heatsink": "Heatsink temperature",
    "t_igbt": "Switch temperature (IGBT)",
    # states
    "state": "State",
    "status": "Status",
    "run_state": "State of operation",
    "work_state": "Charging state",
    "battery_state": "Battery state",
    "inverter_state": "Inverter state",
    "cluster_state": "Cluster state",
    "grid_state": "Grid connection",
    "grid_mode": "Grid mode",
    "control_loc": "Steered from",
    "remote": "Remote control",
    "default_mode": "Mode when untold",
    "ems_mode": "Working mode",
    "ac_charge_policy": "Charging from AC",
    "grid_charge": "Charging from the grid",
    "flow": "Power flow",
    "source": "AC source",
    "meter_status": "Its meter",
    "alarm_level": "Alarm level",
    "alarms": "Device alarms",
    r"alarms_(\d+)": "Device alarms {}",
    "alarms_battery": "Battery alarms",
    r"alarms_rack_(\d+)": "Alarms of rack {}",
    "fault_code": "Fault code",
    # watchdogs
    "hb_device": "Heartbeat",
    "watchdog": "Watchdog time",
    "watchdog_status": "Watchdog",
    "command_timeout": "Command timeout",
    "ems_timeout": "Control timeout",
    "forced_period": "Forced time",
    # switched loads and sensors
    "switch": "Switch",
    "sg_ready": "SG Ready state",
    "inputs": "Inputs that are on",
    r"inputs_(\d+)": "Inputs that are on {}",
    "inputs_count": "Count of inputs",
    "outputs": "Outputs that are on",
    r"outputs_(\d+)": "Outputs that are on {}",
    "outputs_count": "Count of outputs",
    r"counter_(\d+)": "Counter {}",
    r"input_p_(\d+)": "Power of input {}",
    r"input_u_(\d+)": "Voltage of input {}",
    r"input_i_(\d+)": "Current of input {}",
    r"input_t_(\d+)": "Temperature of input {}",
    r"e_input_(\d+)": "Energy of input {}",
    r"input_state_(\d+)": "State of input {}",
    r"input_name_(\d+)": "Name of input {}",
    # the nameplate
    "maker": "Maker",
    "model_name": "Model",
    "serial": "Serial number",
}
"""By the whole name of a point, or a pattern of it whose groups fill the braces; the first that fits holds."""

PARTS = {"u": "voltage", "i": "current", "p": "power"}
SHORT = {"soc": "SoC", "pv": "PV", "ac": "AC", "dc": "DC", "vpp": "VPP", "ram": "RAM", "eeprom": "EEPROM"}
"""Words of a name that people write otherwise."""
SWITCHED = frozenset({"switch", "needs_charge"})
"""Points whose 0 is off and whose 1 is on."""


def known(point: str) -> str | None:
    """What the table calls it; None for a name that it does not have."""
    for pattern, label in LABELS.items():
        if (found := re.fullmatch(pattern, point)) is not None:
            return label.format(*(_part(group) for group in found.groups()))
    return None


@lru_cache(maxsize=4096)
def label(point: str) -> str:
    """What people call it: by the table; a point of somebody's own profile by the words of its name."""
    found = known(point) or in_words(point)
    return found[:1].upper() + found[1:]


def _part(group: str) -> str:
    """`l1n` is L1-N and `l12` is L1-L2."""
    if (phase := re.fullmatch(r"l(\d)(\d|n)?", group)) is not None:
        first, second = phase.groups()
        return f"L{first}" + ("" if second is None else "-N" if second == "n" else f"-L{second}")
    return PARTS.get(group, group)


def in_words(name: str) -> str:
    """A name of a state, a flag or a quality in words: `soc_protection` is `SoC protection`."""
    return " ".join(SHORT.get(word, word) for word in name.split("_"))


def switched(point: str, value: float) -> str | None:
    """`on` or `off` for what is switched; None for a number."""
    return {0.0: "off", 1.0: "on"}.get(value) if point in SWITCHED else None


def unit_of(point: str) -> str | None:
    """The unit for people of a name that has one meaning everywhere; None of another."""
    unit = next((unit for pattern, unit in CANONICAL.items() if re.fullmatch(pattern, point)), None)
    return "°C" if unit == "degC" else unit
