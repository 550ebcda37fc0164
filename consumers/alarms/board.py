"""The states of all alarms of a site: which are shown, which explains which, and what is said of each. Pure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from consumers.alarms.expression.topmost import Look
from consumers.alarms.first_out import SYSTEM, FirstOut, came
from consumers.alarms.places import Places
from consumers.alarms.remembered import remembered
from consumers.alarms.requests import Refusal, request
from consumers.alarms.rules import Around, Memory, Now, follow, settle
from consumers.alarms.said import Reasons, Standing, said
from consumers.alarms.suppression import Belief, Suppression, also_hidden, hides
from consumers.alarms.watches import Watches, compiled
from schemas.messages import Alarm, AlarmRequest, AlarmState, Cause
from schemas.site_alarm import AlarmRule

SETTLING = 10.0
"""Seconds after a restart for which what was suppressed stays so: what suppressed it has to be heard again first."""

Changes = list[tuple[str, Alarm]]
NORMAL, OUT, SHELVED = AlarmState.NORMAL, AlarmState.OUT_OF_SERVICE, AlarmState.SHELVED


class Board:
    def __init__(self, rules: Mapping[str, AlarmRule], places: Places, batteries: Mapping[str, str], now: Now) -> None:
        """`batteries`: whose each device is, on a site with several. Raises Wrong for a condition that is none."""
        self._batteries, self._places = batteries, places
        self.rules: dict[str, AlarmRule] = {}
        self.memories: dict[str, Memory] = {}
        self.watches, self.reasons, self._first_out = Watches(), Reasons(), FirstOut()
        self.parts: set[str] = set()
        """Alarms about parts of joulebus."""
        self._offline: set[str] = set()
        self.meaningless: set[str] = set()
        """Alarms whose `suppress_when` holds, as far as it is known."""
        self._held: set[str] = set()
        self._held_until = now.steady
        self._timed: set[str] = set()
        """Alarms that change when time has passed."""
        self._suppression, self._belief = Suppression({}, {}), Belief()
        self.add(rules)

    def add(self, rules: Mapping[str, AlarmRule], service: str = "") -> None:
        """`service`: the part of joulebus whose rules they are."""
        scope = self._places.scope
        for name, rule in rules.items():
            of = scope.of_service(service) if service else scope.of(str(rule.device))
            self.rules[name], self.memories[name] = rule, Memory()
            self.watches.add(name, compiled(rule, of))
            if service:
                self.parts.add(name)
        if service and self._suppression.grow(rules, self.rules, self.watches.of):
            self.watches.order(self._suppression.parents_first([*rules]), behind=True)
        else:
            self._suppression = Suppression(self.rules, self.watches.of)
            self.watches.order(self._suppression.parents_first([*self.rules]))

    def shown(self) -> dict[str, Alarm]:
        """Every alarm that is not normal."""
        return {name: self._alarm(name) for name, memory in self.memories.items() if memory.state is not NORMAL}

    def restore(self, name: str, alarm: Alarm, now: Now) -> None:
        """Go on from what we said before we were stopped."""
        self._held_until = now.steady + SETTLING
        if alarm.reason or alarm.action:
            self.reasons.now[name] = alarm.reason, alarm.action
        if alarm.did:
            self.reasons.did[name] = alarm.did
        memory = self.memories[name] = remembered(self.rules[name], alarm, now)
        self.reasons.tell(name, now)
        self._belief.stands(name, active=memory.active)
        if memory.ends is not None:
            self._timed.add(name)
        if memory.state is AlarmState.SUPPRESSED:
            self._held.add(name)
            self._belief.explained(name, alarm.consequence_of)
        first, because = alarm.first_out, alarm.consequence_of
        began = came(self.rules[name], memory.began_at)
        self._first_out.restore(name, self._group(name), began, now.steady, first=first, because=because)

    def request(self, name: str, wish: AlarmRequest, now: Now) -> Changes:
        """A person's answer. Raises Refusal."""
        rule = self.rules.get(name)
        if rule is None:
            raise Refusal(Cause.UNKNOWN, f"there is no alarm {name}")
        suppressed = self._explained(name) is not None
        return self._keep(name, request(rule, self.memories[name], wish, now, suppressed=suppressed), now)

    def hidden_by(self, name: str) -> str:
        """What an operator is told who shelves an alarm: what else is not shown then. Empty for none."""
        rule, children = self.rules[name], self._suppression.children(name)
        mine = [child for child in children if hides(rule, self.rules[child])]
        now = [
            one for one in mine if self.memories[one].state is AlarmState.SUPPRESSED and self._explained(one) == name
        ]
        return also_hidden(now, len(mine))

    def judge(self, name: str, look: Look, now: Now) -> Changes:
        """What a look at its condition changes."""
        memory, watched = self.memories[name], self.watches.of[name]
        if not look.wrong and memory.state is NORMAL and memory.turning is None:
            return []  # so are nearly all of them
        age = look.value if watched.silence and isinstance(look.value, float) else 0.0
        around = Around(gap=watched.gap, age=age, suppressed=self._explained(name) is not None, steady=watched.steady)
        return self._keep(name, follow(self.rules[name], memory, look, now, around), now)

    def tick(self, look: Callable[[str], Look], known: Callable[[str], bool], now: Now) -> Changes:
        """Ends what has an end, goes on with delays, and says why what stands does so. `known`: whether anybody knows
        how the condition of an alarm is now."""
        changes: Changes = []
        for name in self._belief.look(lambda one: not self._suppression.children(one) or known(one), now.steady):
            changes += self._resettle(self._suppression.children(name), now)
        for name in [*self._timed, *self.reasons.now]:
            if self.watches.of[name].held:
                changes += self.judge(name, look(name), now)
        changes += self._resettle([name for name in self._timed if self.memories[name].ends is not None], now)
        if self._held and now.steady >= self._held_until:
            held, self._held = self._held, set()
            changes += self._resettle(held, now)
        return changes

    def reach(self, device: str, now: Now, *, offline: bool) -> Changes:
        """Whether its bridge reaches a device."""
        if offline == (device in self._offline):
            return []
        (self._offline.add if offline else self._offline.discard)(device)
        return self._resettle(self._suppression.by_link.get(device, ()), now)

    def doubt(self, name: str, now: Now, *, meaningless: bool) -> Changes:
        """Whether what its rule says in `suppress_when` holds."""
        if meaningless == (name in self.meaningless):
            return []
        (self.meaningless.add if meaningless else self.meaningless.discard)(name)
        return self._resettle([name], now)

    def do(self, did: Mapping[str, str], now: Now) -> Changes:
        """What control does about alarms, in words; of one that is not named nothing any more."""
        before, self.reasons.did = self.reasons.did, {name: words for name, words in did.items() if words}
        changed = [name for name in {**before, **self.reasons.did} if before.get(name) != self.reasons.did.get(name)]
        return self._renew([name for name in changed if name in self.memories], now)

    def _explained(self, name: str) -> str | None:
        """The alarm that suppresses it, or nothing where that is no alarm; None when it stands for itself."""
        for parent in self._suppression.parents(name):
            memory = self.memories[parent]
            if not memory.active or memory.state is OUT or not self._belief.holds(parent, name):
                continue
            if memory.state is not SHELVED or hides(self.rules[parent], self.rules[name]):
                return parent
        if name in self._held or (name in self.meaningless and not self._suppression.protects(name)):
            return ""
        device = str(self.rules[name].device)
        return "" if device in self._offline and name in self._suppression.by_link.get(device, ()) else None

    def _resettle(self, names: Iterable[str], now: Now) -> Changes:
        """What suppresses them has come or gone."""
        changes: Changes = []
        for name in names:
            suppressed = self._explained(name) is not None
            changes += self._keep(name, settle(self.rules[name], self.memories[name], now, suppressed=suppressed), now)
        return changes

    def _keep(self, name: str, memory: Memory, now: Now) -> Changes:
        before, self.memories[name] = self.memories[name], memory
        (self._timed.add if memory.turning is not None or memory.ends is not None else self._timed.discard)(name)
        if memory.state is AlarmState.SUPPRESSED or before.state is AlarmState.SUPPRESSED:
            explained = self._explained(name) if memory.state is AlarmState.SUPPRESSED else None
            self._belief.explained(name, explained)
        same = (before.state, before.until, before.active, before.comment)
        if same == (memory.state, memory.until, memory.active, memory.comment):
            return self._renew([name], now) if self._has_news(name, memory, now) else []
        if memory.state is before.state:
            self.memories[name] = memory = replace(memory, at=now.wall)
        others = self._lead(name, before, memory, now)
        changes = self._say(name, now)
        if memory.state is NORMAL:
            self.memories[name] = replace(memory, value=None, limit=None, began=None, comment="")
            self._first_out.forget(name)
        changes += self._renew(others, now)
        self._belief.stands(name, active=memory.active)
        if before.active != memory.active or {before.state, memory.state} & {OUT, SHELVED}:
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
            return self._first_out.raised(name, group, came(self.rules[name], memory.began_at), now.steady)
        return self._first_out.taken_away(name, group) if memory.state is AlarmState.SUPPRESSED else set()

    def _has_news(self, name: str, memory: Memory, now: Now) -> bool:
        """An alarm whose cause is there stands for another action now, or for another reason."""
        standing = memory.active and memory.turning is None and self.watches.of[name].speaks
        return bool(standing) and self.reasons.is_news(name, now)

    def _renew(self, names: Iterable[str], now: Now) -> Changes:
        """What stands in the same state for something else now."""
        changes: Changes = []
        for name in names:
            if self.memories[name].state is not NORMAL:
                self.memories[name] = replace(self.memories[name], at=now.wall)
                changes += self._say(name, now)
        return changes

    def _say(self, name: str, now: Now) -> Changes:
        self.reasons.tell(name, now)
        return [(name, self._alarm(name))]

    def _group(self, name: str) -> str:
        rule = self.rules[name]
        own = SYSTEM if name in self.parts else self._places.groups.get(str(rule.device), str(rule.device))
        return rule.group or own

    def _alarm(self, name: str) -> Alarm:
        rule, memory = self.rules[name], self.memories[name]
        reason, action = self.reasons.why(name)
        parent = self._explained(name) if memory.state is AlarmState.SUPPRESSED else None
        standing = Standing(
            self.watches.of[name],
            battery=self._batteries.get(str(rule.device)),
            group=self._group(name),
            service=name in self.parts,
            first_out=self._first_out.marked(name),
            consequence_of=parent or self._first_out.because(name),
            reason=reason,
            action=action,
            did=self.reasons.did.get(name, ""),
        )
        return said(rule, memory, standing)
