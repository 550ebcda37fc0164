"""What an alarm rule can look at: the points of a device, and some things that are seen from outside of it."""

from enum import StrEnum

from schemas.messages import Cause, DeviceState, OutcomeState, Telemetry

LINK, OUTCOME, ACTION, CAUSES = "link", "outcome", "action", "causes"
WORDS: dict[str, tuple[str, type[StrEnum]]] = {
    LINK: ("equals", DeviceState),
    OUTCOME: ("equals", OutcomeState),
    ACTION: ("equals", OutcomeState),
    CAUSES: ("contains", Cause),
}
"""What every device has, with the condition that judges it and the words it may say. `link`: what the bridge says of
the device; `outcome`: of its last command; `action`: of its last start, stop, reset or grid mode; `causes`: why it is
not as it should be. Parts of joulebus have `causes`, too."""

MESSAGES = frozenset({OUTCOME, ACTION})
"""Words that are messages: the same word once more is another one."""

INSTEAD = {
    point: f'is no more: write point = "{CAUSES}" and contains = "{cause}"'
    for point, cause in (("doubt", Cause.METER_POLARITY), ("detail", Cause.CLOCK_QUARANTINE))
}
"""Points of former rules, which were read out of sentences, and what to write for them."""

ALARMS = "alarms"
"""Many devices spread their alarms over registers: profiles call these alarms, alarms_2, alarms_3..."""


def alive(telemetry: Telemetry) -> bool:
    """Whether it shows that the device answers now."""
    return not telemetry.historical and any(point not in telemetry.quality for point in telemetry.values)
