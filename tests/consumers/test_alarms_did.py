"""An alarm says what control does about it: the interlocks that act, and what they do."""

# ruff: noqa: E501  # one alarm a line reads as a table

from datetime import UTC, datetime

import pytest

from bridges.control.interlock_rules import shipped
from consumers.alarms.did import ALL, LOCKS, OF_THE_PCS, SAYS, did
from schemas.interlock import DERATES, Effect
from schemas.messages import DeviceState, DeviceStatus

NOON = datetime(2026, 6, 21, 10, 0, tzinfo=UTC)


def acting(derated: dict[str, float] | None = None, **effects: str) -> DeviceStatus:
    """A PCS; `a__b="zero+stop"` is interlock a-b."""
    found = {name.replace("__", "-"): words.split("+") for name, words in effects.items()}
    return DeviceStatus(at=NOON, state=DeviceState.DEGRADED, interlocks=found, derated=derated or {})


@pytest.mark.parametrize(
    ("rule", "device", "statuses", "says"),
    [
        ("cell_temperature_low", "bms", {"pcs": acting(cell_freezes__bms="block_charge")}, "Charging is blocked (interlock cell_freezes-bms)."),
        ("cell_temperature_low", "bms2", {"pcs": acting(cell_freezes__bms="block_charge")}, ""),
        ("mine", "bms", {"pcs": acting(mine__bms="block_discharge+block_start")}, "Discharging is blocked; it is not started (interlock mine-bms)."),
        ("mine", "bms", {"pcs": acting({"mine-bms": 30.0}, mine__bms="derate_discharge+block_charge+block_start")}, "Charging is blocked; discharging is limited to 30 % of the rated power; it is not started (interlock mine-bms)."),
        ("mine", "bms", {"pcs": acting(mine__bms="stop+zero+block_start")}, "The battery is stopped (interlock mine-bms)."),
        ("cell_voltage_too_high", "bms", {"pcs": acting(cell_over_voltage__bms="block_charge", cell_over_voltage_stays__bms="stop")}, "The battery is stopped (interlock cell_over_voltage_stays-bms)."),
        ("cell_temperature_spread", "bms", {"pcs": acting({"cells_unevenly_warm-bms": 50.0}, cells_unevenly_warm__bms="derate")}, "Charging and discharging are limited to 50 % of the rated power (interlock cells_unevenly_warm-bms)."),
        ("cell_voltage_high", "bms", {"pcs": acting({"cell_nearly_overcharged-bms": 2.0}, cell_nearly_overcharged__bms="derate_charge")}, "Charging is limited to 2 % of the rated power (interlock cell_nearly_overcharged-bms)."),
        ("contactor_stuck", "bms", {"pcs": acting(contactor_stuck__bms="lock_out", contactor_welded__bms="lock_out")}, "The battery is stopped and locked out (interlocks contactor_stuck-bms, contactor_welded-bms)."),
        ("cell_temperature_low", "bms", {"pcs": acting(cell_freezes__bms="block_charge"), "pcs2": acting(cell_freezes__bms="block_charge")}, "Charging is blocked (interlock cell_freezes-bms)."),
        ("bms_silent", "bms", {"pcs": acting(cell_freezes__bms="block_charge", contactor_open__bms="zero", door__pcs="zero+block_start")}, "The power is held at 0 (interlock contactor_open-bms)."),
        ("bms_silent", "bms", {"pcs": acting(a__bms="block_charge", b__bms="block_discharge", c__bms="block_charge")}, "Charging is blocked (interlocks a-bms, c-bms). Discharging is blocked (interlock b-bms)."),
        ("bms_silent", "bms", {"pcs": acting(a__bms="zero", b__bms="zero+block_start")}, "The power is held at 0 (interlock a-bms). The power is held at 0; it is not started (interlock b-bms)."),
        ("bms_silent", "bms", {"pcs": acting(a__bms="stop", b__bms="lock_out", c__bms="stop", d__bms="zero")}, "The battery is stopped and locked out (interlock b-bms)."),
        ("bms_silent", "bms", {"pcs": acting(None, **{f"{one}__bms": "stop" for one in "abcdef"})}, "The battery is stopped (interlocks a-bms, b-bms, c-bms and 3 more)."),
        ("pcs_interlock", "pcs", {"pcs": acting(fire__inputs="lock_out"), "pcs2": acting(door__pcs2="zero+block_start")}, "The battery is stopped and locked out (interlock fire-inputs)."),
        ("pcs_interlock", "pcs", {}, ""),
        ("cell_temperature_low", "bms", {"pcs": acting(cell_freezes__bms="melts")}, ""),
        ("soc_low", "bms", {"pcs": acting()}, ""),
    ],
)  # fmt: skip
def test_what_it_says(rule: str, device: str, statuses: dict[str, DeviceStatus], says: str) -> None:
    assert did(rule, device, statuses) == says


def test_the_table_names_interlocks_that_there_are_and_each_effect_has_words() -> None:
    rules = {rule.name for rule in shipped()}
    assert {lock for locks in LOCKS.values() for lock in locks} <= rules
    assert not (ALL | OF_THE_PCS) & LOCKS.keys()
    assert {one for effects in SAYS for one in effects} == set(Effect)
    assert all(("{share" in words) == bool(effects & set(DERATES)) for effects, words in SAYS.items())
