"""Each alarm of IEC practice that asks for an action has the interlock that takes it, with its limit, its delay and its
latch; where it has none, something else acts, and this says what."""

from dataclasses import dataclass

import pytest

from bridges.control.interlock_cause import Interlock
from bridges.control.interlock_rules import shipped
from bridges.control.interlock_state import IMPOSES, State
from bridges.control.interlocks import Memory, judge
from schemas.interlock import Effect, points_of
from schemas.messages import Value
from schemas.profiles import load_profile
from schemas.units import Kind

PCS = load_profile("sinexcel_pws2")
STATES = ("closed", "open", "stuck", "running", "standby", "fault")


@dataclass(frozen=True)
class Asked:
    """What the catalogue asks for."""

    lock: str
    shows: dict[str, Value]
    """At the limit: from there on it acts, or a step of the register beyond."""
    delay: float
    does: Effect
    latched: bool = False
    left: float = 100.0
    """% of the rated power, where it derates."""
    kind: Kind = Kind.BMS


ROWS: dict[str, list[Asked] | str] = {
    "bms_cell_ov_warn": [Asked("cell_nearly_overcharged", {"cell_u_max": 3.601}, 20, Effect.DERATE_CHARGE, left=2)],
    "bms_cell_ov_trip": [
        Asked("cell_over_voltage", {"cell_u_max": 3.651}, 5, Effect.BLOCK_CHARGE, latched=True),
        Asked("cell_over_voltage_stays", {"cell_u_max": 3.651}, 10, Effect.STOP, latched=True),
    ],
    "bms_cell_uv_warn": [Asked("cell_empty", {"cell_u_min": 2.799}, 10, Effect.BLOCK_DISCHARGE)],
    "bms_cell_uv_trip": [
        Asked("cell_under_voltage", {"cell_u_min": 2.499}, 5, Effect.BLOCK_DISCHARGE, latched=True),
        Asked("cell_dead", {"cell_u_min": 2.399}, 5, Effect.STOP, latched=True),
    ],
    "bms_cell_spread": "nobody is hurt: an operator balances the cells",
    "bms_temp_high_warn": [Asked("cell_warm", {"cell_t_max": 45.1}, 30, Effect.DERATE, left=50)],
    "bms_temp_high_trip": [Asked("cell_too_hot", {"cell_t_max": 55.0}, 5, Effect.STOP, latched=True)],
    "bms_temp_low_charge": [Asked("cell_freezes", {"cell_t_min": 0.0}, 30, Effect.BLOCK_CHARGE)],
    "bms_temp_spread": [
        Asked("cells_unevenly_warm", {"cell_t_max": 30.0, "cell_t_min": 20.0}, 300, Effect.DERATE, left=50)
    ],
    "bms_temp_rise": [
        Asked("cell_heats_up", {"cell_t_max": 32.0}, 6, Effect.STOP, latched=True)  # 5 s behind the second reading
    ],  # one reading is no rise
    "bms_insulation_low": [Asked("insulation_low", {"riso": 399.0, "u": 800.0}, 10, Effect.BLOCK_START)],
    "bms_insulation_trip": [Asked("insulation_too_low", {"riso": 79.0, "u": 800.0}, 2, Effect.STOP, latched=True)],
    "bms_soc_low": "the limit battery:soc blocks the discharge at soc_min",
    "bms_comm_lost": [Asked("bms_silent", {}, 60, Effect.STOP)],  # and bms:missing holds it at 0 long before
    "bms_limit_exceeded": [
        Asked("charge_limit_passed", {"i": -106.0, "ccl": 100.0}, 10, Effect.BLOCK_CHARGE),
        Asked("discharge_limit_passed", {"i": 106.0, "dcl": 100.0}, 10, Effect.BLOCK_DISCHARGE),
    ],
    "bms_contactor_stuck": [Asked("contactor_stuck", {"contactor": "stuck"}, 1, Effect.LOCK_OUT, latched=True)],
    "pcs_fault": [Asked("pcs_fault", {"state": "fault"}, 1, Effect.ZERO, kind=Kind.PCS)],  # dispatch resets it once
    "pcs_comm_lost": "nothing can be told to it: its own watchdog acts",
    "pcs_setpoint_deviation": "the cause not_obeyed of its status; dispatch gives the rest to others",
    "pcs_temp_high": [Asked("pcs_hot", {"t_heatsink": 85.1}, 30, Effect.DERATE, left=50, kind=Kind.PCS)],
    "grid_lost": "the PCS trips, or forms the island that a person has asked for",
    "meter_comm_lost": "the limit meter:missing holds it at 0",
    "meter_sign_suspect": "the limit loop:meter_polarity, until a person resets",
    "peak_limit_risk": "dispatch discharges and sheds loads",
    "peak_limit_exceeded": "dispatch raises the peak that it keeps",
    "cmd_rejected": "dispatch tells it again, and the fallback holds",
    "cmd_timeout": "dispatch tells it again each 2 s; then the fallback holds",
    "optimizer_stale": "dispatch goes by self-consumption",
    "broker_lost": "the bridge brings it to its fallback when the command runs out",
    "clock_drift": "commands are dated by the monotonic clock",
    "archive_backlog": "the outbox lies on the disk",
    "dimming_active": "the limit of the network operator itself",
}
"""By the ids of the catalogue: the interlocks, or why there is none."""
CASES = [(row, asked) for row, rows in ROWS.items() if not isinstance(rows, str) for asked in rows]
CALM: dict[str, Value] = {
    "cell_u_max": 3.3, "cell_u_min": 3.3, "cell_t_max": 25.0, "cell_t_min": 24.0, "riso": 5_000.0, "u": 800.0, "i": 0.0,
    "ccl": 100.0, "dcl": 100.0, "contactor": "closed", "state": "running", "t_heatsink": 40.0,
}  # fmt: skip


def lock_of(asked: Asked) -> Interlock:
    """Of a device that has every point."""
    rule = next(one for one in shipped() if (one.name, one.kind) == (asked.lock, asked.kind) and one.contains is None)
    points = {name: next(iter(PCS.points.values())) for name in CALM}
    having = PCS.model_copy(update={"points": points})
    return Interlock(rule.name, rule, "it", points_of(rule, having), STATES, left=1_000.0 * (rule.derate or 0.0))


@pytest.mark.parametrize(("row", "asked"), CASES, ids=[f"{row}-{asked.lock}" for row, asked in CASES])
def test_what_the_catalogue_asks_for_is_done_in_time(row: str, asked: Asked) -> None:
    lock, wanted = lock_of(asked), IMPOSES[asked.does].of(1_000.0 * asked.left)
    says = judge([lock], Memory(), lambda _, point: CALM[point], -15.0)
    for second in range(-14, 1):
        says = judge([lock], says.memory, lambda _, point: CALM[point], float(second))
    shown: dict[str, Value] = CALM | asked.shows

    def seen(_: str, point: str) -> Value | None:
        return shown[point] if asked.shows else None

    for second in range(1, round(asked.delay) + 2):
        says = judge([lock], says.memory, seen, float(second))
    assert says.low >= wanted.low
    assert says.high <= wanted.high
    assert says.start <= wanted.start
    assert (says.stop, says.lockout) >= (wanted.stop, wanted.lockout)
    for second in range(1000, 2000, 10):
        says = judge([lock], says.memory, lambda _, point: CALM[point], float(second))
    assert [one.state for one in says.acting] == ([State.LATCHED] if asked.latched else []), row
