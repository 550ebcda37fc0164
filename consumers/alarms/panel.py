"""All alarms of a site, like the panel on a control room's wall: what is heard goes in, changes come out."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from consumers.alarms.catalog import EVERY_SERVICE, for_device
from consumers.alarms.first_out import SYSTEM, FirstOut, came
from consumers.alarms.places import Places
from consumers.alarms.reading import ACTION, CAUSES, LINK, WORDS, alive, read
from consumers.alarms.remembered import remembered
from consumers.alarms.requests import Refusal, request
from consumers.alarms.rules import Around, Memory, Now, judge, settle
from consumers.alarms.said import SPEAKS, Reasons, Standing, said
from consumers.alarms.silence import Silence
from consumers.alarms.states import OVER
from consumers.alarms.suppression import Suppression
from schemas.messages import (
    Action,
    Alarm,
    AlarmRequest,
    AlarmState,
    Cause,
    DeviceState,
    ServiceStatus,
    Telemetry,
    Value,
)
from schemas.site_alarm import AlarmRule

SETTLING = 10.0
"""Seconds after a restart for which what was suppressed stays so: what suppressed it has to be heard again first."""

Changes = list[tuple[str, Alarm]]
NORMAL = AlarmState.NORMAL


class Panel:
    def __init__(
        self,
        rules: Mapping[str, AlarmRule],
        services: Iterable[AlarmRule],
        now: Now,
        batteries: Mapping[str, str] | None = None,
        places: Places | None = None,
    ) -> None:
        """`services`: the rules for parts of joulebus; they begin when a part is first heard of. `batteries`: whose
        each device is, on a site with several."""
        self._batteries, self._places = batteries or {}, places or Places()
        self._rules = {name: self._in_seconds(rule) for name, rule in rules.items()}
        self._services = {rule.name: rule for rule in services}
        self._memories = dict.fromkeys(self._rules, Memory())
        self._of_service: dict[str, list[str]] = {}
        self._parts: set[str] = set()
        self._words: dict[str, Value | None] = {}
        self._reasons, self._first_out, self._silence = Reasons(), FirstOut(), Silence(now.steady)
        self._offline: set[str] = set()
        self._held: set[str] = set()
        self._held_until = now.steady
        self._timed: set[str] = set()
        """Alarms that change when time has passed."""
        self._suppression = Suppression(self._rules, self._is_of_points)
        self._of: dict[str, list[str]] = {}
        for name in self._suppression.parents_first([*self._rules]):
            self._of.setdefault(str(self._rules[name].device), []).append(name)
        self._silences = [name for name, rule in self._rules.items() if rule.seconds]

    def shown(self) -> dict[str, Alarm]:
        """Every alarm that is not normal."""
        return {name: self._alarm(name) for name, memory in self._memories.items() if memory.state is not NORMAL}

    def restore(self, stored: Mapping[str, Alarm], now: Now) -> None:
        """Go on from what we said before we were stopped; alarms whose rule is gone are left out."""
        self._held_until = now.steady + SETTLING
        for name, alarm in stored.items():
            if self._services.get(name.removesuffix(f"-{alarm.device}")) is not None:
                self._meet(alarm.device)
            rule = self._rules.get(name)
            if rule is None or alarm.state is NORMAL:
                continue
            if alarm.reason or alarm.action:
                self._reasons.now[name] = alarm.reason, alarm.action
            memory = self._memories[name] = remembered(rule, alarm, now)
            self._reasons.tell(name, now)
            if memory.ends is not None:
                self._timed.add(name)
            if memory.state is AlarmState.SUPPRESSED:
                self._held.add(name)
            self._first_out.restore(
                name, self._group(name), came(rule, memory.began_at), now.steady,
                first=alarm.first_out, because=alarm.consequence_of,
            )  # fmt: skip

    def open_actions(self) -> dict[str, Action]:
        """Of each device, the one that an alarm says was not followed and that may come true yet."""
        shown = [one for one in self.shown().values() if one.state not in OVER]
        return {one.device: one.action for one in shown if one.action is not None and one.point == ACTION}

    def deaf(self, now: Now) -> None:
        """We heard nothing until now (no broker, a frozen process or broker): nobody's silence counts."""
        self._silence.deaf(now.steady)

    def hear(self, device: str, telemetry: Telemetry, now: Now) -> Changes:
        """A device's points. What is historical, or of bad quality, neither raises nor clears."""
        if telemetry.historical:
            return []
        if device in self._of and alive(telemetry):
            self._silence.heard(device, now.steady)
        changes: Changes = []
        for name in self._of.get(device, ()):
            rule = self._rules[name]
            if not rule.seconds and rule.point not in WORDS:
                changes += self._judge(name, read(telemetry, rule.point), now)
        return changes

    def note(
        self, device: str, point: str, word: str, now: Now, reason: str = "", *, action: Action | None = None
    ) -> Changes:
        """A device seen from outside: its link, or the outcome of a command. A word holds until the next one. `reason`:
        why it is said, for people; `action`: what was not followed."""
        names = [name for name in self._of.get(device, ()) if self._rules[name].point == point]
        wrong = {name for name in names if self._rules[name].equals == word}
        self._reasons.explain(wrong, {*names} - wrong, reason, action)
        changes = self._note(dict.fromkeys(names, word), now)
        return changes + (self._note_link(device, word, now) if point == LINK else [])

    def note_causes(self, device: str, causes: list[str], now: Now, reason: str = "", *, sure: bool) -> Changes:
        """Why a device is not as it should be; `reason`: the same for people.

        Not `sure`: nobody can see it now. What is not named then neither raises nor clears.
        """
        words = self._causes(self._of.get(device, ()), causes, sure=sure)
        named = self._named(words, causes)
        self._reasons.explain(named, words.keys() - named if sure else (), reason)
        return self._note(words, now)

    def note_service(self, service: str, said: ServiceStatus, now: Now) -> Changes:
        """A part of joulebus says how it is, or its last will does."""
        self._meet(service)
        names = self._of_service.get(service, ())
        words: dict[str, Value | None] = {name: said.state for name in names if self._rules[name].point == "state"}
        return self._note(words | self._causes(names, said.causes, sure=said.state == "online"), now)

    def request(self, name: str, wish: AlarmRequest, now: Now) -> Changes:
        """A person's answer. Raises Refusal."""
        rule = self._rules.get(name)
        if rule is None:
            raise Refusal(Cause.UNKNOWN, f"there is no alarm {name}")
        explained = self._explained(name) is not None
        return self._keep(name, request(rule, self._memories[name], wish, now, suppressed=explained), now)

    def tick(self, now: Now, heard: float | None = None) -> Changes:
        """Time has passed: judges silence, goes on with delays, ends what has an end. Once a second.

        `heard`: until when, on the steady clock, the broker was proven to deliver; until now when left out.
        """
        self._silence.pass_time(now.steady if heard is None else heard)
        changes: Changes = []
        for name in self._silences:
            changes += self._judge(name, self._age(name), now)
        for name in [*self._timed, *self._reasons.now]:
            changes += self._judge(name, self._words.get(name), now)
        if self._held and now.steady >= self._held_until:
            held, self._held = self._held, set()
            changes += self._resettle(held, now)
        return changes

    def _in_seconds(self, rule: AlarmRule) -> AlarmRule:
        """Polls without a word as seconds of silence."""
        if rule.no_data is None:
            return rule
        seconds = rule.no_data * self._places.polls.get(str(rule.device), 1.0)
        return rule.model_copy(update={"no_data": None, "silent": seconds})

    def _is_of_points(self, name: str) -> bool:
        rule = self._rules[name]
        return rule.point not in WORDS and name not in self._parts

    def _note(self, words: Mapping[str, Value | None], now: Now) -> Changes:
        self._words |= words
        changes: Changes = []
        for name, word in words.items():
            changes += self._judge(name, word, now)
        return changes

    def _note_link(self, device: str, word: str, now: Now) -> Changes:
        away = word == DeviceState.OFFLINE
        if away == (device in self._offline):
            return []
        (self._offline.add if away else self._offline.discard)(device)
        return self._resettle(self._suppression.by_link.get(device, ()), now)

    def _age(self, name: str) -> Value | None:
        """Of the telemetry, in s. As long as we could not have heard it, nobody knows."""
        rule = self._rules[name]
        age = self._silence.age(str(rule.device))
        return age if self._silence.known(str(rule.device)) or age > (rule.silent or 0.0) else None

    def _judge(self, name: str, reading: Value | None, now: Now) -> Changes:
        rule, memory = self._rules[name], self._memories[name]
        return self._keep(name, judge(rule, memory, reading, now, self._around(name, rule, now)), now)

    def _around(self, name: str, rule: AlarmRule, now: Now) -> Around:
        device = str(rule.device)
        explained = self._explained(name) is not None
        if rule.seconds:
            return Around(age=self._silence.since(device, now.steady), suppressed=explained)
        if name in self._words:  # a word holds until the next one
            return Around(suppressed=explained)
        return Around(gap=self._places.gap(device, rule.point), suppressed=explained)

    def _explained(self, name: str) -> str | None:
        """The alarm that suppresses it, or nothing where that is no alarm; None when it stands for itself."""
        for parent in self._suppression.parents(name):
            memory = self._memories[parent]
            if memory.active and memory.state is not AlarmState.OUT_OF_SERVICE:
                return parent
        device = str(self._rules[name].device)
        away = device in self._offline and name in self._suppression.by_link.get(device, ())
        return "" if away or name in self._held else None

    def _resettle(self, names: Iterable[str], now: Now) -> Changes:
        """What suppresses them has come or gone."""
        changes: Changes = []
        for name in names:
            explained = self._explained(name) is not None
            changes += self._keep(name, settle(self._rules[name], self._memories[name], now, suppressed=explained), now)
        return changes

    def _keep(self, name: str, memory: Memory, now: Now) -> Changes:
        before, self._memories[name] = self._memories[name], memory
        (self._timed.add if memory.turning is not None or memory.ends is not None else self._timed.discard)(name)
        same = (before.state, before.until, before.active, before.comment)
        if same == (memory.state, memory.until, memory.active, memory.comment):
            return self._renew([name], now) if self._has_news(name, memory, now) else []
        if memory.state is before.state:
            self._memories[name] = memory = replace(memory, at=now.wall)
        others = self._lead(name, before, memory, now)
        changes = self._say(name, now)
        if memory.state is NORMAL:
            self._memories[name] = replace(memory, value=None, began=None, comment="")
            self._first_out.forget(name)
        changes += self._renew(others, now)
        out = AlarmState.OUT_OF_SERVICE
        if before.active != memory.active or (before.state is out) != (memory.state is out):
            changes += self._resettle(self._suppression.children(name), now)
        return changes

    def _lead(self, name: str, before: Memory, memory: Memory, now: Now) -> set[str]:
        """Keeps the first-out of its group; the others that are explained anew."""
        group = self._group(name)
        if before.active and not memory.active:
            self._first_out.returned(name, group, now.steady)
        if memory.state is before.state:
            return set()
        if memory.state is AlarmState.UNACKNOWLEDGED:
            return self._first_out.raised(name, group, came(self._rules[name], memory.began_at), now.steady)
        return self._first_out.taken_away(name, group) if memory.state is AlarmState.SUPPRESSED else set()

    def _has_news(self, name: str, memory: Memory, now: Now) -> bool:
        """An alarm whose cause is there stands for another action now, or for another reason."""
        standing = memory.active and memory.turning is None and self._rules[name].point in SPEAKS
        return standing and self._reasons.is_news(name, now)

    def _renew(self, names: Iterable[str], now: Now) -> Changes:
        """What stands in the same state for something else now."""
        changes: Changes = []
        for name in names:
            if self._memories[name].state is not NORMAL:
                self._memories[name] = replace(self._memories[name], at=now.wall)
                changes += self._say(name, now)
        return changes

    def _say(self, name: str, now: Now) -> Changes:
        self._reasons.tell(name, now)
        return [(name, self._alarm(name))]

    def _meet(self, service: str) -> None:
        """The rules of a part of joulebus."""
        known = len(self._rules)
        for rule in self._services.values():
            name = f"{rule.name}-{service}"
            if name not in self._rules and rule.device in (EVERY_SERVICE, service):
                self._rules[name], self._memories[name] = for_device(rule, service), Memory()
                self._of_service.setdefault(service, []).append(name)
                self._parts.add(name)
        if len(self._rules) > known:
            self._suppression = Suppression(self._rules, self._is_of_points)

    def _causes(self, names: Iterable[str], causes: list[str], *, sure: bool) -> dict[str, Value | None]:
        names = [name for name in names if self._rules[name].point == CAUSES]
        named = self._named(names, causes)
        return {name: causes if sure or name in named else None for name in names}

    def _named(self, names: Iterable[str], causes: list[str]) -> set[str]:
        """The alarms that look for one of these causes."""
        wrong = (*causes, "*" if causes else "")
        return {name for name in names if (rule := self._rules[name]).point == CAUSES and rule.contains in wrong}

    def _group(self, name: str) -> str:
        rule = self._rules[name]
        own = SYSTEM if name in self._parts else self._places.groups.get(str(rule.device), str(rule.device))
        return rule.group or own

    def _alarm(self, name: str) -> Alarm:
        rule, memory, device = self._rules[name], self._memories[name], str(self._rules[name].device)
        reason, action = self._reasons.why(name)
        suppressed = memory.state is AlarmState.SUPPRESSED
        standing = Standing(
            battery=self._batteries.get(device),
            unit=self._places.unit(device, rule.point),
            group=self._group(name),
            service=name in self._parts,
            first_out=self._first_out.marked(name),
            consequence_of=(suppressed and self._explained(name)) or self._first_out.because(name),
            reason=reason,
            action=action,
            did=self._reasons.did.get(name, ""),
        )
        return said(rule, memory, standing)
