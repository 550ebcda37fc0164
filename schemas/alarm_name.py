"""What the alarms of a site are called: a rule's name and a device's, and no two the same. Pure."""

from collections.abc import Collection
from typing import Annotated

from pydantic import Field

from schemas.units import NAME

LONGEST_ALARM = 193
"""Letters: a rule of 64, should all of them be hyphens that are doubled, a hyphen, and a device of 64."""

AlarmName = Annotated[str, Field(pattern=NAME, max_length=LONGEST_ALARM)]


def alarm_name(rule: str, device: str, taken: Collection[str] = ()) -> str:
    """`<rule>-<device>`; where that is taken (`a-b` of `c` beside `a` of `b-c`), each hyphen of the rule is doubled."""
    name = f"{rule}-{device}"
    while name in taken and "-" in rule:
        rule = rule.replace("-", "--")
        name = f"{rule}-{device}"
    return name


def alarm_names(pairs: Collection[tuple[str, str]], taken: Collection[str] = ()) -> dict[tuple[str, str], str]:
    """The name of each rule and device; of two that collide, the rule with fewer hyphens is called as it always is."""
    names: dict[tuple[str, str], str] = {}
    used = set(taken)
    for rule, device in sorted(pairs, key=lambda pair: (pair[0].count("-"), pair)):
        names[rule, device] = alarm_name(rule, device, used)
        used.add(names[rule, device])
    return names
