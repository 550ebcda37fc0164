"""What control does about an alarm, in words for people: which interlocks act, and what they do. Pure.

A bridge says in the status of each PCS which interlocks act (`interlocks`). Which of them belong to an alarm stands
here, in one table: those of the alarm's own name, as an alarm with `effect` has it, and those that judge the same.
"""

from collections.abc import Mapping

from schemas.interlock import Effect
from schemas.messages import DeviceStatus

LOCKS: dict[str, tuple[str, ...]] = {
    "cell_voltage_high": ("cell_nearly_overcharged", "charge_alarm"),
    "cell_voltage_too_high": (
        "cell_over_voltage",
        "cell_over_voltage_stays",
        "cell_full",
        "over_voltage_protection",
        "over_voltage_stays",
    ),
    "cell_voltage_low": ("cell_empty", "discharge_alarm"),
    "cell_voltage_too_low": ("cell_under_voltage", "cell_dead", "under_voltage_protection"),
    "cell_voltage_spread": ("cells_apart",),
    "cell_temperature_high": ("cell_warm", "temperature_alarm"),
    "cell_temperature_too_high": ("cell_too_hot", "temperature_protection"),
    "cell_temperature_low": ("cell_freezes", "too_cold_to_charge", "too_cold_to_discharge"),
    "cell_temperature_spread": ("cells_unevenly_warm", "temperature_alarm"),
    "cell_temperature_rise": ("cell_heats_up",),
    "insulation_low": ("insulation_alarm",),
    "insulation_too_low": ("insulation_fault",),
    "soc_low": ("discharge_alarm",),
    "contactor_stuck": ("contactor_welded", "contactor_error"),
    "bms_fault": ("bms_failed",),
    "pcs_heatsink_hot": ("pcs_hot",),
    "pcs_local": ("local",),
    "current_limit_exceeded": ("charge_limit_passed", "discharge_limit_passed"),
}
"""Of a rule of the alarms, the interlocks of the same device that act on the same, beside the one of its own name."""

ALL = frozenset(
    {"bms_silent", "bms_degraded", "bms_frozen", "bms_critical_point_missing", "pcs_silent", "pcs_degraded"}
)
"""Alarms of a device that is not known: each interlock that looks at it may act."""
OF_THE_PCS = frozenset({"pcs_interlock"})
"""Of all that act on the PCS, whatever device they look at."""

SAYS: dict[frozenset[Effect], str] = {
    frozenset({Effect.LOCK_OUT}): "The battery is stopped and locked out",
    frozenset({Effect.STOP}): "The battery is stopped",
    frozenset({Effect.ZERO}): "The power is held at 0",
    frozenset({Effect.BLOCK_CHARGE, Effect.BLOCK_DISCHARGE}): "Charging and discharging are blocked",
    frozenset({Effect.BLOCK_CHARGE}): "Charging is blocked",
    frozenset({Effect.BLOCK_DISCHARGE}): "Discharging is blocked",
    frozenset({Effect.DERATE}): "Charging and discharging are limited to {share:g} % of the rated power",
    frozenset({Effect.DERATE_CHARGE}): "Charging is limited to {share:g} % of the rated power",
    frozenset({Effect.DERATE_DISCHARGE}): "Discharging is limited to {share:g} % of the rated power",
    frozenset({Effect.BLOCK_START}): "It is not started",
}
"""The strongest first: what holds at 0 says nothing of what it leaves."""
COVERED: dict[Effect, set[Effect]] = {
    Effect.LOCK_OUT: set(Effect),
    Effect.STOP: set(Effect),
    Effect.ZERO: set(Effect) - {Effect.BLOCK_START},
}
"""What is not said beside one of these: it goes without saying."""
NAMED = 3
"""Interlocks are named of one effect; more are counted. A silent BMS makes ten act, and a person reads none of them."""


def did(rule: str, device: str, statuses: Mapping[str, DeviceStatus]) -> str:
    """Sentences such as "Charging is blocked (interlock cell_freezes-bms)."; empty while nothing acts.

    `rule` and `device`: of the alarm. `statuses`: the last word on each device of the site, by name.
    """
    told: dict[str, list[str]] = {}
    effects: dict[str, set[Effect]] = {}
    for status in _of(rule, device, statuses):
        for name, acts in status.interlocks.items():
            if rule in OF_THE_PCS or _belongs(name, rule, device):
                words = _words(acts, status.derated.get(name))
                names = told.setdefault(words, [])
                names += [] if name in names else [name]
                effects.setdefault(words, set()).update(_known(acts))
    said, covered = list[str](), set[Effect]()
    for words in sorted((words for words in told if words), key=_rank):
        if not effects[words] <= covered:
            said.append(f"{words} ({_named(told[words])}).")
        covered.update(*(COVERED.get(one, ()) for one in effects[words]))
    return " ".join(said)


def _named(names: list[str]) -> str:
    """Of one alone by its name; of many the first, and how many more."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"interlock{'s'[: len(names) > 1]} {', '.join(names[:NAMED])}{more}"


def _of(rule: str, device: str, statuses: Mapping[str, DeviceStatus]) -> list[DeviceStatus]:
    if rule not in OF_THE_PCS:
        return [*statuses.values()]
    return [statuses[device]] if device in statuses else []


def _belongs(name: str, rule: str, device: str) -> bool:
    lock = name.removesuffix(f"-{device}")
    return lock != name and (rule in ALL or lock == rule or lock in LOCKS.get(rule, ()))


def _words(effects: list[str], share: float | None) -> str:
    """Of one interlock; empty for effects that only a newer bridge knows."""
    left, said = _known(effects), list[str]()
    for what, words in SAYS.items():
        if what <= left:
            left = left.difference(what, *(COVERED.get(one, ()) for one in what))
            told = words.format(share=share or 0.0)
            said.append(told if not said else told[0].lower() + told[1:])
    return "; ".join(said)


def _known(effects: list[str]) -> set[Effect]:
    return {Effect(one) for one in effects if one in set(Effect)}


def _rank(words: str) -> int:
    return next((n for n, says in enumerate(SAYS.values()) if words.startswith(says.partition("{")[0])), len(SAYS))
