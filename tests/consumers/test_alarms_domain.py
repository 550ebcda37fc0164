# ruff: noqa: E501  # a table
"""The shipped alarms against the 32 that a battery site needs: which rule covers which, where it differs and why."""

import pytest

from consumers.alarms.catalog import load_catalog
from schemas.messages import AlarmPriority
from schemas.site_alarm import AlarmRule

TRIP = None
"""For the off-delay of one that latches: it is over when somebody resets it, and ours is short."""

WANTED = [
    # id, rule, condition, class, priority, on, off, where it ends, latched
    ("bms_cell_ov_warn", "cell_voltage_high", "cell_u_max > 3.6", "equipment", "medium", 20, 20, 3.52, False),
    ("bms_cell_ov_trip", "cell_voltage_too_high", "cell_u_max > 3.65", "safety", "critical", 5, TRIP, 3.5, True),
    ("bms_cell_uv_warn", "cell_voltage_low", "cell_u_min < 2.8", "equipment", "medium", 10, 10, 3.075, False),
    ("bms_cell_uv_trip", "cell_voltage_too_low", "cell_u_min < 2.5", "safety", "critical", 5, TRIP, 2.9, True),
    ("bms_cell_spread", "cell_voltage_spread", "cell_u_spread > 0.3", "equipment", "low", 300, 300, 0.25, False),
    ("bms_temp_high_warn", "cell_temperature_high", "cell_t_max > 45", "equipment", "medium", 30, 60, 42, False),
    ("bms_temp_high_trip", "cell_temperature_too_high", "cell_t_max > 55", "safety", "critical", 5, TRIP, 50, True),
    ("bms_temp_low_charge", "cell_temperature_low", "cell_t_min < 0", "equipment", "medium", 30, 60, 2, False),
    ("bms_temp_spread", "cell_temperature_spread", "cell_t_spread > 10", "equipment", "low", 300, 300, 8, False),
    ("bms_temp_rise", "cell_temperature_rise", "rate(cell_t_max, 60 s) >= 0.1 K/s", "safety", "critical", 0, TRIP, None, True),
    ("bms_insulation_low", "insulation_low", "riso_per_volt < 500 Ohm/V", "equipment", "high", 10, 60, None, False),
    ("bms_insulation_trip", "insulation_too_low", "riso_per_volt < 100 Ohm/V", "safety", "critical", 2, TRIP, None, True),
    ("bms_soc_low", "soc_low", "soc < 8", "process", "low", 30, 60, 10, False),
    ("bms_comm_lost", "bms_silent", "silent 5 s", "system", "high", 5, 5, None, False),
    ("bms_limit_exceeded", "current_limit_exceeded", "i > 1.05 * dcl + 2 A or -i > 1.05 * ccl + 2 A", "safety", "high", 3, 10, None, False),
    ("bms_contactor_stuck", "contactor_stuck", "contactor is stuck", "safety", "critical", 1, TRIP, None, True),
    ("pcs_fault", "pcs_fault", "state is fault", "equipment", "high", 1, 5, None, True),
    ("pcs_comm_lost", "pcs_silent", "silent 5 s", "system", "high", 5, 5, None, False),
    ("pcs_setpoint_deviation", "pcs_not_obeyed", "causes has not_obeyed", "equipment", "medium", 10, 10, None, False),
    ("pcs_temp_high", "pcs_heatsink_hot", "t_heatsink > 85", "equipment", "medium", 30, 60, 80, False),
    ("grid_lost", "pcs_islanded", "grid_state is islanded", "process", "high", 1, 5, None, False),
    ("meter_comm_lost", "meter_silent", "silent 5 s", "system", "high", 5, 5, None, False),
    ("meter_sign_suspect", "meter_polarity", "causes has meter_polarity", "system", "high", 60, TRIP, None, True),
    ("peak_limit_risk", "peak_risk", "projected(max(p, 0 W), 15 min) > site.peak_target", "process", "high", 10, 30, None, False),
    ("peak_limit_exceeded", "peak_exceeded", "site.window_closed > 1.01 * site.target_closed", "process", "high", 0, TRIP, None, False),
    ("cmd_rejected", "pcs_command_refused", "outcome is refused", "system", "medium", 0, 10, None, False),
    ("cmd_timeout", "pcs_command_unanswered", "unanswered > 2 s", "system", "high", 0, 10, None, False),
    ("optimizer_stale", "plan_stale", "site.plan_age > 3 min", "system", "medium", 0, 10, None, False),
    ("broker_lost", "broker_lost", "causes has broker_lost", "system", "high", 10, 10, None, False),
    ("clock_drift", "clock_drift", "abs(clock_offset) > 0.5 s", "system", "low", 60, 60, None, False),
    ("archive_backlog", "archive_backlog", "causes has backlog", "system", "medium", 30, 60, None, False),
    ("dimming_active", "dimming_active", "has(site.limits, 'dso')", "process", "low", 0, 5, None, False),
]  # fmt: skip

DIFFERS = {
    (
        "bms_cell_spread",
        "current",
    ): "0.1 C is of the site: by the energy of its battery, or a tenth of ccl and dcl; judged there alone",
    ("bms_comm_lost", "on"): "`silent` waits the 5 s itself",
    ("pcs_comm_lost", "on"): "`silent` waits the 5 s itself",
    ("meter_comm_lost", "on"): "`silent` waits the 5 s itself",
    ("bms_soc_low", "limit"): "2 % below soc_min: at soc_min itself it would come each evening, by plan",
    (
        "pcs_setpoint_deviation",
        "on",
    ): "the bridge compares, with the dead time of this PCS, and waits before it says so",
    (
        "grid_lost",
        "state",
    ): "`disconnected` is also said by a PCS that is off; grid forming that was asked for is meant",
    ("meter_sign_suspect", "on"): "the bridge counts steps of the battery, and waits before it says so",
    ("cmd_rejected", "on"): "a refusal that the next command mends tells an operator nothing",
    ("optimizer_stale", "class"): "it is the site's energy that suffers; whether optimize runs is `service_down`",
}


def condition(rule: AlarmRule) -> str:
    if rule.when is not None:
        return rule.when
    if rule.silent is not None:
        return f"silent {rule.silent:g} s"
    if rule.above is not None:
        return f"{rule.point} > {rule.above:g}"
    if rule.below is not None:
        return f"{rule.point} < {rule.below:g}"
    return f"{rule.point} is {rule.equals}" if rule.equals is not None else f"{rule.point} has {rule.contains}"


def shipped(name: str) -> AlarmRule:
    """Of the chemistry of the table: LFP."""
    (rule,) = [
        one for one in load_catalog().every if one.name == name and (not one.chemistry or "lfp" in one.chemistry)
    ]
    return rule


@pytest.mark.parametrize("row", WANTED, ids=lambda row: row[0])
def test_the_catalogue_covers(row: tuple[str, str, str, str, str, float, float | None, float | None, bool]) -> None:
    known, name, wanted, whose, priority, on, off, clear, latched = row
    rule = shipped(name)
    assert condition(rule) == wanted
    assert (known, "class") in DIFFERS or rule.class_ == whose
    assert rule.priority == priority
    assert (known, "on") in DIFFERS or rule.on_delay == on
    assert (known, "off") in DIFFERS or (rule.off_delay == off if off is not TRIP else rule.off_delay <= 60)
    assert clear is None or rule.clear == pytest.approx(clear)
    assert rule.latched == latched


def test_all_of_them() -> None:
    assert len({row[0] for row in WANTED}) == 32
    assert {known for known, _ in DIFFERS} <= {row[0] for row in WANTED}


def test_how_the_priorities_are_spread() -> None:
    """ISA-18.2 means about 5 % critical, 15 % high and 80 % below; an operator who sees only `high` sees none."""
    rules = {rule.name: rule.priority for rule in load_catalog().every}
    share = {one: sum(p is one for p in rules.values()) / len(rules) for one in AlarmPriority}
    assert share[AlarmPriority.CRITICAL] <= 0.09
    assert share[AlarmPriority.HIGH] <= 0.22
    assert share[AlarmPriority.MEDIUM] + share[AlarmPriority.LOW] >= 0.70
