"""The bits in which devices tell their alarms: each becomes an alarm of its own, named by its bit. Pure.

A profile names the bits of its points `alarms`, `alarms_2`...; a bit that it does not name is not read.
"""

from collections import Counter
from collections.abc import Collection, Iterator

from consumers.alarms.fit import is_alarms
from consumers.alarms.reading import ALARMS
from schemas.messages import AlarmClass, AlarmPriority
from schemas.site import Site
from schemas.site_alarm import AlarmRule

NAMED = "{flag}"
"""Stands in the words of a rule for the bit's."""

PRIORITIES: tuple[tuple[AlarmPriority, frozenset[str]], ...] = (
    (AlarmPriority.CRITICAL, frozenset({"adhesion"})),
    (AlarmPriority.LOW, frozenset({"warning", "derated", "derating"})),
    (AlarmPriority.MEDIUM, frozenset({"alarm", "alert"})),
    (
        AlarmPriority.HIGH,
        frozenset({"protection", "trip", "fault", "over", "under", "short", "arc", "ground", "isolation", "insulation"})
        | {"epo", "emergency", "fuse", "damage"},
    ),
)
"""Words in the name of a bit, and what they make of it; the first that fits. A warning of a limit is no trip."""
CLASSES: tuple[tuple[AlarmClass, frozenset[str]], ...] = (
    (
        AlarmClass.SAFETY,
        frozenset(
            {"arc", "ground", "grounding", "isolation", "insulation", "adhesion", "epo", "emergency", "residual"}
        ),
    ),
    (AlarmClass.SYSTEM, frozenset({"communication", "timeout"})),
)
RESPOND = {AlarmPriority.CRITICAL: 600.0, AlarmPriority.HIGH: 1800.0}
"""Seconds. A contactor that is welded leaves the battery on whatever else fails, as `contactor_stuck` says; at one of
high priority the device has protected itself already, and what is lost is its power."""


def expanded(rule: AlarmRule, site: Site, known: Collection[str]) -> Iterator[AlarmRule]:
    """A rule for any flag of `alarms` as one for each flag of each device of its kind.

    `known`: rules that there are by name; a bit that is called as one of these has the kind's name before it twice.
    """
    own = {rule.contains for rule in site.alarms if is_alarms(rule.point)}
    for device in site.devices:
        profile = site.profiles[device.name]
        if profile.kind is not rule.kind:
            continue
        registers = {name: [*(one.flags or {}).values()] for name, one in profile.points.items() if is_alarms(name)}
        several = Counter(flag for flags in registers.values() for flag in dict.fromkeys(flags))
        for flag in several.keys() - own:
            point = ALARMS if several[flag] > 1 else next(name for name, flags in registers.items() if flag in flags)
            yield _named(rule, device.name, flag, point, known)


def _named(rule: AlarmRule, device: str, flag: str, point: str, known: Collection[str]) -> AlarmRule:
    name = f"{rule.kind}_{flag}"
    words = flag.split("_")
    priority = next((one for one, those in PRIORITIES if those & {*words}), rule.priority)
    return rule.model_copy(
        update={
            "name": f"{rule.kind}_bit_{flag}" if name in known else name,
            "device": device,
            "kind": None,
            "point": point,
            "contains": flag,
            "priority": priority,
            "class_": next((one for one, those in CLASSES if those & {*words}), rule.class_),
            "latched": priority is AlarmPriority.CRITICAL,
            "time_to_respond": RESPOND.get(priority),
            "cause": rule.cause.replace(NAMED, f"the alarm “{in_words(flag)}”"),
        }
    )


def in_words(flag: str) -> str:
    """`cell_over_voltage_alarm` as people write it."""
    return flag.replace("_", " ")
