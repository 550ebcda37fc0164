"""An alarm's rule in words: when it comes and goes, what it means, what to do. Pure."""

from collections.abc import Iterator

from runtime.alarm_words import lasting, number
from schemas.messages import Alarm
from schemas.site_alarm import AlarmRule

Line = tuple[str, str]


def rule_words(rule: AlarmRule | None, one: Alarm | None) -> Iterator[Line]:
    """What the rule says today; where it is gone, what the alarm's own last message does."""
    if rule is not None:
        unit = one.unit if one is not None else ""
        yield "raised", f"{condition(rule, unit)}{_for(rule.on_delay)}"
        yield "over", f"{_over(rule, unit)}{_for(rule.off_delay)}"
        yield (
            "priority",
            f"{rule.priority}, about {rule.class_}{', latching: it stays until it is reset' * rule.latched}",
        )
        if rule.suppressed_by:
            yield "suppressed", f"while {' or '.join(rule.suppressed_by)} is active"
        if rule.suppress_when:
            yield "suppressed", f"while {rule.suppress_when}"
        if rule.effect:
            yield "control", f"does {', '.join(map(str, rule.effect))} while it is active"
    elif one is not None:
        yield "raised", f"{one.condition or one.point} (its rule is gone from the site file)"
        yield "priority", f"{one.priority}, about {one.alarm_class}"
    said = rule if rule is not None else one
    if said is None:
        return
    for name, text in (("cause", said.cause), ("follows", said.consequence), ("to do", said.response)):
        if text:
            yield name, text
    if said.time_to_respond is not None:
        yield "time", f"{lasting(said.time_to_respond)} to respond"


def condition(rule: AlarmRule, unit: str = "") -> str:
    """When it is wrong."""
    if rule.when is not None:
        return rule.when
    if rule.no_data is not None:
        return f"no telemetry for {rule.no_data:g} polls"
    if rule.silent is not None:
        return f"no telemetry for {lasting(rule.silent)}"
    return f"{rule.point} {_limit(rule, unit)}"


def _limit(rule: AlarmRule, unit: str) -> str:
    if rule.equals is not None:
        return f"is {rule.equals}"
    if rule.contains is not None:
        return f"contains {'any' if rule.contains == '*' else rule.contains}"
    if rule.above is not None:
        return f"above {number(rule.above, unit)}"
    return f"below {number(rule.below or 0.0, unit)}"


def _over(rule: AlarmRule, unit: str) -> str:
    if rule.clear is not None:
        way = "at or below" if rule.above is not None else "at or above"
        return f"{rule.point} {way} {number(round(rule.clear, 9), unit)}"
    return "telemetry again" if rule.seconds else "not so"


def _for(seconds: float) -> str:
    return f", for {lasting(seconds)}" if seconds else ", at once"
