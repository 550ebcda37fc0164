"""What is said of an alarm: the message an operator reads. Pure."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from consumers.alarms.reading import ACTION, CAUSES, LINK, OUTCOME
from consumers.alarms.requests import offered
from consumers.alarms.rules import Memory, Now
from schemas.messages import Action, Alarm, AlarmState, Value
from schemas.printable import printable
from schemas.site_alarm import AlarmRule

CALM = 30.0
"""Seconds between two words on why an alarm stands: a reason that comes and goes says it no more often."""
NUMBER = re.compile(r"\d+(\.\d+)?")
"""A reason with other numbers is the same reason: it counts seconds, or tells a power."""
SPEAKS = {LINK: "Its status", CAUSES: "Its status", ACTION: "Its outcome", OUTCOME: "Its outcome"}
"""Words of a device whose reason stands in the text of an alarm."""
TELEMETRY = "telemetry"
"""The point of an alarm about silence: its value is the age of that."""

REMAINS = {
    AlarmState.RETURNED: "Acknowledge it.",
    AlarmState.LATCHED_UNACKNOWLEDGED: "Acknowledge it, then reset it when its cause is put right.",
    AlarmState.LATCHED: "Reset it when its cause is put right.",
}
"""What is still asked of an operator when an alarm is over."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What an alarm stands for beside its own state."""

    battery: str | None = None
    """Which one it is about, where the site has several."""
    unit: str = ""
    group: str = ""
    service: bool = False
    """It is about a part of joulebus."""
    first_out: bool = False
    consequence_of: str = ""
    reason: str = ""
    action: Action | None = None
    did: str = ""


@dataclass
class Reasons:
    """Why the devices' bridges say what the alarms see, and what was said of it."""

    now: dict[str, tuple[str, Action | None]] = field(default_factory=dict)
    """Of an alarm, why its device's bridge said the word that is wrong, and of which action."""
    did: dict[str, str] = field(default_factory=dict)
    """Of an alarm, what control does about it."""
    _told: dict[str, tuple[str, Action | None, float]] = field(default_factory=dict)
    """Of a shown alarm, the same as it was said last, and when on the steady clock."""

    def explain(self, wrong: Iterable[str], right: Iterable[str], reason: str, action: Action | None = None) -> None:
        """What is wrong by the last word, and what is over and not said any more."""
        self.now |= dict.fromkeys(wrong, (printable(reason), action))
        for name in right:
            self.now.pop(name, None)

    def why(self, name: str) -> tuple[str, Action | None]:
        return self.now.get(name, ("", None))

    def tell(self, name: str, now: Now) -> None:
        self._told[name] = *self.why(name), now.steady

    def is_news(self, name: str, now: Now) -> bool:
        """It stands for another action now, or for another reason."""
        reason, action = self.why(name)
        told, of, when = self._told.get(name, ("", None, now.steady))
        another = NUMBER.sub("#", reason) != NUMBER.sub("#", told)
        return action is not of or (another and now.steady - when >= CALM)


def said(rule: AlarmRule, memory: Memory, standing: Standing) -> Alarm:
    """The message."""
    cause = f"{rule.device}: {rule.cause or _called(rule)}" if standing.service else rule.cause
    return Alarm(
        at=memory.at,
        state=memory.state,
        active=memory.active,
        priority=rule.priority,
        alarm_class=rule.class_,
        device=str(rule.device),
        point=TELEMETRY if rule.seconds else rule.point,
        text=_text(rule, memory, standing, cause),
        cause=cause,
        consequence=rule.consequence,
        response=rule.response,
        time_to_respond=rule.time_to_respond,
        condition=condition(rule, standing.unit),
        unit="s" if rule.seconds else standing.unit,
        battery=standing.battery,
        action=standing.action,
        reason=standing.reason,
        did=standing.did,
        value=_shown(memory.value),
        limit=limit(rule),
        silent=rule.seconds,
        latched=rule.latched,
        began=memory.began,
        since=memory.since,
        group=standing.group,
        first_out=standing.first_out,
        consequence_of=standing.consequence_of,
        shelved_until=memory.until if memory.state is AlarmState.SHELVED else None,
        out_until=memory.until if memory.state is AlarmState.OUT_OF_SERVICE else None,
        requests=offered(rule, memory),
        by=memory.by,
        why=memory.why,
        comment=memory.comment,
    )


def _text(rule: AlarmRule, memory: Memory, standing: Standing, cause: str) -> str:
    """What is over never tells anybody what to do against it. What is degraded is known by the reason alone: an
    interlock is named there."""
    whose = f"Battery {standing.battery}: " if standing.battery else ""
    if not memory.active:
        over = f"It is over: {cause or _called(rule)}"
        return whose + " ".join(filter(None, (_sentence(over), REMAINS.get(memory.state, ""))))
    told = f"{SPEAKS.get(rule.point, 'Its status')}: {standing.reason}" if standing.reason else ""
    return whose + " ".join(filter(None, (cause, rule.consequence, rule.response, told, standing.did)))


def _sentence(words: str) -> str:
    return words if words.endswith((".", "!", "?")) else f"{words}."


def _called(rule: AlarmRule) -> str:
    """The rule's name, for who has written no cause."""
    return rule.name.replace("_", " ")


def condition(rule: AlarmRule, unit: str = "") -> str:
    """When it is raised, as an expression."""
    given, behind = limit(rule), f" {unit}" if unit else ""
    if rule.when is not None:
        return rule.when
    if rule.seconds:
        return f"no telemetry for {given:g} s" if isinstance(given, float) else "no telemetry"
    if rule.equals is not None:
        return f"{rule.point} == '{given}'"
    if rule.contains is not None:
        return f"has({rule.point})" if given == "*" else f"has({rule.point}, '{given}')"
    return f"{rule.point} {'>' if rule.above is not None else '<'} {given:g}{behind}"


def limit(rule: AlarmRule) -> float | str | None:
    """Where it becomes wrong; of a silence in s."""
    conditions = (rule.above, rule.below, rule.equals, rule.contains, rule.silent)
    return next((limit for limit in conditions if limit is not None), None)


def _shown(value: Value | None) -> float | str | None:
    """Flags as one text; cut, because a list as long as a message would make an alarm that cannot be said."""
    if isinstance(value, list):
        value = ", ".join(value)
    return printable(value) if isinstance(value, str) else value
