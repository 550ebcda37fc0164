"""All alarms of a site, like the panel on a control room's wall: what is heard goes in, changes come out."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from consumers.alarms.catalog import EVERY_SERVICE, for_device
from consumers.alarms.reading import ACTION, CAUSES, LINK, OUTCOME, WORDS, alive, read
from consumers.alarms.rules import Memory, Now, Refusal, judge, request, transitions
from schemas.messages import Action, Alarm, AlarmRequest, AlarmState, Cause, ServiceStatus, Telemetry, Value
from schemas.printable import printable
from schemas.site_alarm import AlarmRule

FLOOD = 120.0
"""Seconds. The first alarm after so long a calm is the first-out: what comes behind it is probably its consequence.
Longer than a silence needs, after its own alarm, to become an interlock: a point that is read in turn is fresh for
60 s, and interlocks wait for another 10 or 60 s before what is not known acts."""

CALM = 30.0
"""Seconds between two words on why an alarm stands: a reason that comes and goes says it no more often."""
NUMBER = re.compile(r"\d+(\.\d+)?")
"""A reason with other numbers is the same reason: it counts seconds, or tells a power."""

SPEAKS = {LINK: "Its status", CAUSES: "Its status", ACTION: "Its outcome", OUTCOME: "Its outcome"}
"""Words of a device whose reason stands in the text of an alarm."""

Changes = list[tuple[str, Alarm]]


class Panel:
    def __init__(
        self,
        rules: Mapping[str, AlarmRule],
        services: Iterable[AlarmRule],
        now: Now,
        batteries: Mapping[str, str] | None = None,
    ) -> None:
        """`services`: the rules for parts of joulebus; they begin when a part is first heard of. `batteries`: whose
        each device is, on a site with several."""
        self._batteries = batteries or {}
        self._rules = dict(rules)
        self._services = {rule.name: rule for rule in services}
        self._memories = dict.fromkeys(self._rules, Memory())
        self._of: dict[str, list[str]] = {}
        self._of_service: dict[str, list[str]] = {}
        for name, rule in self._rules.items():
            self._of.setdefault(str(rule.device), []).append(name)
        self._words: dict[str, Value | None] = {}
        self._reasons: dict[str, tuple[str, Action | None]] = {}
        """Of an alarm, why its device's bridge said the word that is wrong, and of which action."""
        self._told: dict[str, tuple[str, Action | None, float]] = {}
        """Of a shown alarm, the same as it was said last, and when on the steady clock."""
        self._first_out: set[str] = set()
        self._last_raised = float("-inf")
        self._listening = now.steady
        self._alive: dict[str, float] = {}

    def shown(self) -> dict[str, Alarm]:
        """Every alarm that is not normal."""
        return {
            name: self._alarm(name) for name, memory in self._memories.items() if memory.state is not AlarmState.NORMAL
        }

    def restore(self, stored: Mapping[str, Alarm], now: Now) -> None:
        """Go on from what we said before we were stopped; alarms whose rule is gone are left out."""
        for name, alarm in stored.items():
            if self._services.get(name.removesuffix(f"-{alarm.device}")) is not None:
                self._meet(alarm.device)
            rule = self._rules.get(name)
            if rule is None or alarm.state is AlarmState.NORMAL:
                continue
            if alarm.reason or alarm.action:
                self._reasons[name] = alarm.reason, alarm.action
            self._memories[name] = _remembered(rule, alarm, now)
            self._told[name] = alarm.reason, alarm.action, now.steady
            self._last_raised = now.steady
            if alarm.first_out:
                self._first_out.add(name)

    def open_actions(self) -> dict[str, Action]:
        """Of each device, the one that an alarm says was not followed and that may come true yet."""
        over = (AlarmState.RETURNED, AlarmState.LATCHED)
        shown = [one for one in self.shown().values() if one.state not in over]
        return {one.device: one.action for one in shown if one.action is not None and one.point == ACTION}

    def deaf(self, now: Now) -> None:
        """We heard nothing until now (no broker, a frozen process): nobody else's silence counts."""
        self._listening = now.steady
        self._alive.clear()

    def hear(self, device: str, telemetry: Telemetry, now: Now) -> Changes:
        """A device's points. What is historical, or of bad quality, neither raises nor clears."""
        if telemetry.historical:
            return []
        if device in self._of and alive(telemetry):
            self._alive[device] = now.steady
        points = {name: rule.point for name in self._of.get(device, ()) if (rule := self._rules[name]).silent is None}
        return self._judge({n: read(telemetry, point) for n, point in points.items() if point not in WORDS}, now)

    def note(
        self, device: str, point: str, word: str, now: Now, reason: str = "", *, action: Action | None = None
    ) -> Changes:
        """A device seen from outside: its link, or the outcome of a command. A word holds until the next one. `reason`:
        why it is said, for people; `action`: what was not followed."""
        names = [name for name in self._of.get(device, ()) if self._rules[name].point == point]
        wrong = {name for name in names if self._rules[name].equals == word}
        self._explain(wrong, {*names} - wrong, reason, action)
        return self._note(dict.fromkeys(names, word), now)

    def note_causes(self, device: str, causes: list[str], now: Now, reason: str = "", *, sure: bool) -> Changes:
        """Why a device is not as it should be; `reason`: the same for people.

        Not `sure`: nobody can see it now. What is not named then neither raises nor clears.
        """
        words = self._causes(self._of.get(device, ()), causes, sure=sure)
        named = self._named(words, causes)
        self._explain(named, words.keys() - named if sure else (), reason)
        return self._note(words, now)

    def note_service(self, service: str, said: ServiceStatus, now: Now) -> Changes:
        """A part of joulebus says how it is, or its last will does."""
        self._meet(service)
        names = self._of_service.get(service, ())
        words: dict[str, Value | None] = {name: said.state for name in names if self._rules[name].point == "state"}
        return self._note(words | self._causes(names, said.causes, sure=said.state == "online"), now)

    def request(self, name: str, wish: AlarmRequest, now: Now) -> Changes:
        """An operator's answer. Raises Refusal."""
        rule = self._rules.get(name)
        if rule is None:
            raise Refusal(Cause.UNKNOWN, f"there is no alarm {name}")
        return self._keep(name, request(rule, self._memories[name], wish, now), now)

    def tick(self, now: Now) -> Changes:
        """Time has passed: judges silence, goes on with delays, ends shelving. Once a second."""
        readings: dict[str, Value | None] = {name: self._age(rule, now) for name, rule in self._rules.items()}
        return self._judge(readings | self._words, now)

    def _explain(self, wrong: Iterable[str], right: Iterable[str], reason: str, action: Action | None = None) -> None:
        """What is wrong by the last word, and what is over and not said any more."""
        self._reasons |= dict.fromkeys(wrong, (printable(reason), action))
        for name in right:
            self._reasons.pop(name, None)

    def _note(self, words: Mapping[str, Value | None], now: Now) -> Changes:
        self._words |= words
        return self._judge(words, now)

    def _age(self, rule: AlarmRule, now: Now) -> Value | None:
        """Of the telemetry, in s. As long as we could not have heard it, nobody knows."""
        if rule.silent is None or rule.device is None:
            return None
        age = now.steady - self._alive.get(rule.device, self._listening)
        return age if rule.device in self._alive or age > rule.silent else None

    def _judge(self, readings: Mapping[str, Value | None], now: Now) -> Changes:
        changes: Changes = []
        for name, reading in readings.items():
            changes += self._keep(name, judge(self._rules[name], self._memories[name], reading, now), now)
        return changes

    def _keep(self, name: str, memory: Memory, now: Now) -> Changes:
        before, self._memories[name] = self._memories[name], memory
        if (before.state, before.shelved_until) != (memory.state, memory.shelved_until):
            if memory.state is AlarmState.UNACKNOWLEDGED:
                self._raised(name, now)
        elif self._has_news(name, memory, now):
            self._memories[name] = replace(memory, at=now.wall)
        else:
            return []
        alarm = self._alarm(name)
        self._told[name] = alarm.reason, alarm.action, now.steady
        if memory.state is AlarmState.NORMAL:
            self._memories[name] = replace(memory, value=None)
            self._first_out.discard(name)
        return [(name, alarm)]

    def _has_news(self, name: str, memory: Memory, now: Now) -> bool:
        """An alarm whose cause is there stands for another action now, or for another reason."""
        if not memory.active or memory.turning is not None or self._rules[name].point not in SPEAKS:
            return False
        reason, action = self._why(name)
        told, of, when = self._told.get(name, ("", None, now.steady))
        another = NUMBER.sub("#", reason) != NUMBER.sub("#", told)
        return action is not of or (another and now.steady - when >= CALM)

    def _why(self, name: str) -> tuple[str, Action | None]:
        """The reason that its bridge gives, and the action that was not followed."""
        return self._reasons.get(name, ("", None))

    def _raised(self, name: str, now: Now) -> None:
        if now.steady - self._last_raised >= FLOOD:
            self._first_out.add(name)
        else:
            self._first_out.discard(name)
        self._last_raised = now.steady

    def _meet(self, service: str) -> None:
        """The rules of a part of joulebus."""
        for rule in self._services.values():
            name = f"{rule.name}-{service}"
            if name not in self._rules and rule.device in (EVERY_SERVICE, service):
                self._rules[name], self._memories[name] = for_device(rule, service), Memory()
                self._of_service.setdefault(service, []).append(name)

    def _causes(self, names: Iterable[str], causes: list[str], *, sure: bool) -> dict[str, Value | None]:
        names = [name for name in names if self._rules[name].point == CAUSES]
        named = self._named(names, causes)
        return {name: causes if sure or name in named else None for name in names}

    def _named(self, names: Iterable[str], causes: list[str]) -> set[str]:
        """The alarms that look for one of these causes."""
        wrong = (*causes, "*" if causes else "")
        return {name for name in names if (rule := self._rules[name]).point == CAUSES and rule.contains in wrong}

    def _alarm(self, name: str) -> Alarm:
        rule, memory = self._rules[name], self._memories[name]
        reason, action = self._why(name)
        battery = self._batteries.get(str(rule.device))
        return Alarm(
            at=memory.at,
            state=memory.state,
            priority=rule.priority,
            device=str(rule.device),
            point=rule.point,
            text=_text(rule, battery, reason),
            battery=battery,
            action=action,
            reason=reason,
            value=_shown(memory.value),
            limit=_limit(rule),
            silent=rule.silent is not None,
            latched=rule.latched,
            since=memory.since,
            first_out=name in self._first_out,
            shelved_until=memory.shelved_until,
            by=memory.by,
            why=memory.why,
        )


def _text(rule: AlarmRule, battery: str | None, reason: str) -> str:
    """Of several batteries it names its own. What is degraded is known by the reason alone: an interlock is named
    there."""
    whose = f"Battery {battery}: " if battery else ""
    told = f"{SPEAKS[rule.point]}: {reason}" if reason else ""
    return whose + " ".join(part for part in (rule.cause, rule.consequence, rule.response, told) if part)


def _shown(value: Value | None) -> float | str | None:
    """Flags as one text; cut, because a list as long as a message would make an alarm that cannot be said."""
    if isinstance(value, list):
        value = ", ".join(value)
    return printable(value) if isinstance(value, str) else value


def _limit(rule: AlarmRule) -> float | str | None:
    conditions = (rule.above, rule.below, rule.equals, rule.contains, rule.silent)
    return next(limit for limit in conditions if limit is not None)


def _remembered(rule: AlarmRule, alarm: Alarm, now: Now) -> Memory:
    """A state that the rule does not know any more becomes `returned`: an operator looks at it."""
    known = {state for state, _ in transitions(rule)}
    state = alarm.state if alarm.state in known else AlarmState.RETURNED
    left = (alarm.shelved_until - now.wall).total_seconds() if alarm.shelved_until else None
    shelved = state is AlarmState.SHELVED
    return Memory(
        state=state,
        active=state in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED),
        value=alarm.value,
        at=alarm.at,
        since=alarm.since,
        shelved_until=alarm.shelved_until if shelved else None,
        shelf_ends=now.steady + (left or 0.0) if shelved else None,
        by=alarm.by,
        why=alarm.why,
    )
