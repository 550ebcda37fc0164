"""The priority of a shipped rule: how bad what comes is, and how long somebody has to avert it (ISA-18.2). Pure."""

from collections.abc import Mapping
from enum import StrEnum

from schemas.messages import AlarmPriority

SOON, HOUR = 900.0, 3600.0
"""Seconds to respond within which it is urgent, and pressing."""


class Severity(StrEnum):
    """What comes when nobody does anything, behind all that acts by itself."""

    PEOPLE = "somebody may be hurt, or it may burn"
    LASTING = "what cannot be won back: equipment is damaged or stands, a peak is billed, a limit at the grid is broken"
    BLIND = "nobody sees or steers a device any more"
    LOSS = "energy, money or history is lost as long as it lasts"
    NOTICE = "nothing is lost yet, or somebody does it on purpose"


C, H, M, L = AlarmPriority.CRITICAL, AlarmPriority.HIGH, AlarmPriority.MEDIUM, AlarmPriority.LOW
MATRIX: Mapping[Severity, tuple[AlarmPriority, AlarmPriority, AlarmPriority]] = {
    Severity.PEOPLE: (C, H, M),
    Severity.LASTING: (H, H, M),
    Severity.BLIND: (H, M, M),
    Severity.LOSS: (M, M, M),
    Severity.NOTICE: (L, L, L),
}
"""Within a quarter of an hour, within an hour, and later."""

_NAMES = {
    Severity.PEOPLE: """
        cell_voltage_too_high cell_voltage_too_low cell_temperature_too_high cell_temperature_rise insulation_too_low
        contactor_stuck insulation_low fire_detected emergency_stop_pressed
        sensor_insulation_too_low""",
    Severity.LASTING: """
        current_limit_exceeded bms_fault pcs_fault pcs_islanded pcs_off_grid meter_polarity peak_risk peak_exceeded
        grid_limit_not_held cell_voltage_high cell_voltage_low cell_temperature_high cell_temperature_low
        pcs_heatsink_hot""",
    Severity.BLIND: """
        bms_silent pcs_silent meter_silent pcs_command_unanswered pcs_action_not_obeyed pcs_action_failed broker_lost
        bms_frozen meter_frozen bms_critical_point_missing pcs_critical_point_missing meter_critical_point_missing
        pcs_left_alone broker_refuses certificate_ends notify_fails rule_refused effect_refused""",
    Severity.LOSS: """
        bms_alarm pcs_alarm pcs_interlock pcs_command_refused pcs_command_failed pcs_not_obeyed pcs_not_held
        pcs_reversed pcs_foreign_write pcs_watchdog_not_armed pcs_swinging pcs_worn pv_fault pv_not_obeyed pv_not_held
        pv_foreign_write pv_watchdog_not_armed pv_worn service_down second_instance clock_step outbox_damaged
        not_archived archive_backlog database_away disk_filling archive_upkeep tariff_unreadable no_plan plan_stale
        prices_missing balance_implausible clock_quarantine""",
    Severity.NOTICE: """
        soc_low cell_voltage_spread cell_temperature_spread bms_degraded pcs_degraded meter_degraded load_degraded
        sensor_degraded load_silent sensor_silent pv_silent load_frozen meter_alarm pv_alarm sensor_alarm pcs_local
        clock_drift plan_fails prices_end dimming_active""",
}
SEVERITY: Mapping[str, Severity] = {name: severity for severity, names in _NAMES.items() for name in names.split()}
"""Of each shipped rule, by its name."""


def priority(severity: Severity, time_to_respond: float | None) -> AlarmPriority:
    """`time_to_respond` in s; None where there is more than an hour, or nothing to avert."""
    urgent, pressing, later = MATRIX[severity]
    if time_to_respond is None or time_to_respond > HOUR:
        return later
    return urgent if time_to_respond <= SOON else pressing
