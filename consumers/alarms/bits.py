"""The bits in which devices tell their alarms: each becomes an alarm of its own, named by its bit. Pure.

A profile names the bits of its points `alarms`, `alarms_2`...; a bit that it does not name is not read.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence

from consumers.alarms.fit import is_alarms, meant
from consumers.alarms.reading import ALARMS
from schemas.messages import AlarmClass, AlarmPriority
from schemas.profile import Profile
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
        frozenset({"protection", "trip", "fault", "short", "arc", "ground", "isolation", "insulation"})
        | {"epo", "emergency", "fuse", "damage"},
    ),
)
"""Words in the name of a bit, and what they make of it; the first that fits. A warning of a limit is no trip, and
`over` and `under` are no more than the device says of its level: a grid's voltage comes and goes by itself."""
CLASSES: tuple[tuple[AlarmClass, frozenset[str]], ...] = (
    (
        AlarmClass.SAFETY,
        frozenset(
            {"arc", "ground", "grounding", "isolation", "insulation", "adhesion", "epo", "emergency", "residual"}
        ),
    ),
    (AlarmClass.SYSTEM, frozenset({"communication", "timeout"})),
)
MOST_PLACES = 2
"""In which a bit of one name is told to stand."""
RESPOND = {AlarmPriority.CRITICAL: 600.0, AlarmPriority.HIGH: 1800.0}
"""Seconds. A contactor that is welded leaves the battery on whatever else fails, as `contactor_stuck` says; at one of
high priority the device has protected itself already, and what is lost is its power."""


def expanded(rule: AlarmRule, site: Site, own: Sequence[AlarmRule], known: Collection[str]) -> Iterator[AlarmRule]:
    """A rule for any flag of `alarms` as one for each flag of each device of its kind. `own`: the rules of the site
    file, which take the place of those for the same flag; `known`: rules that there are by name."""
    for device in site.devices:
        if site.profiles[device.name].kind is rule.kind:
            taken = {one.contains for one in own if is_alarms(one.point) and meant(one, site, device)}
            yield from of_device(rule, device.name, site.profiles[device.name], taken, known)


def of_device(
    rule: AlarmRule, device: str, profile: Profile, taken: Collection[str | None], known: Collection[str]
) -> Iterator[AlarmRule]:
    """The same of one device. A bit that is called as another rule has `bit` in its name."""
    registers = {name: [*(one.flags or {}).values()] for name, one in profile.points.items() if is_alarms(name)}
    several = Counter(flag for flags in registers.values() for flag in dict.fromkeys(flags))
    for flag in several:
        if flag not in taken:
            point = ALARMS if several[flag] > 1 else next(name for name, flags in registers.items() if flag in flags)
            yield _named(rule, device, flag, point, where(profile, flag), known)


def _named(  # noqa: PLR0917  # the bit, its name and its place
    rule: AlarmRule, device: str, flag: str, point: str, place: str, known: Collection[str]
) -> AlarmRule:
    name = f"{rule.kind}_{flag}"
    words = {*flag.split("_")}
    priority = next((one for one, those in PRIORITIES if those & words), rule.priority)
    if rule.priority is AlarmPriority.LOW and priority is AlarmPriority.HIGH:
        priority = AlarmPriority.MEDIUM  # of a meter or of PV: nobody is in danger, and the battery goes on
    return rule.model_copy(
        update={
            "name": f"{rule.kind}_bit_{flag}" if name in known else name,
            "device": device,
            "kind": None,
            "point": point,
            "contains": flag,
            "priority": priority,
            "latched": priority is AlarmPriority.CRITICAL,
            "class_": next((one for one, those in CLASSES if those & words), rule.class_),
            "time_to_respond": RESPOND.get(priority),
            "cause": rule.cause.replace(NAMED, f"the alarm “{in_words(flag)}”"),
            "response": f"{rule.response} It is {place}.",
        }
    )


def where(profile: Profile, flag: str) -> str:
    """Its bit and its word, as the manual of the device has them."""
    found = [
        f"bit {bit} of {name}, register {point.register_}" + f" of model {point.model}" * (point.model is not None)
        for name, point in profile.points.items()
        if is_alarms(name)
        for bit, one in (point.flags or {}).items()
        if one == flag
    ]
    return " and ".join(found[:MOST_PLACES]) + " and others" * (len(found) > MOST_PLACES)


def together(words: str) -> str:
    """Words of a rule that looks at all flags at once; its value names them."""
    return words.replace(NAMED, "alarms of its own")


def in_words(flag: str) -> str:
    """`cell_over_voltage_alarm` as people write it."""
    return flag.replace("_", " ")
