"""All alarms of a site, like the panel on a control room's wall: what is heard goes in, changes come out."""

from collections.abc import Iterable, Mapping
from math import inf

from consumers.alarms.board import NORMAL, Board, Changes
from consumers.alarms.catalog import EVERY_SERVICE, for_device
from consumers.alarms.did import did
from consumers.alarms.expression.scope import SITE_PLACE, Place
from consumers.alarms.expression.topmost import Look
from consumers.alarms.latest import Latest
from consumers.alarms.places import Places
from consumers.alarms.reading import ACTION, CAUSES, LINK, MESSAGES
from consumers.alarms.rules import Now
from consumers.alarms.states import OVER
from consumers.alarms.watches import own_place
from schemas.messages import (
    Action,
    Alarm,
    AlarmRequest,
    Cause,
    DeviceState,
    DeviceStatus,
    ServiceStatus,
    Telemetry,
    Value,
)
from schemas.register import BITES
from schemas.site_alarm import AlarmRule


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
        each device is, on a site with several. Raises Wrong for a condition that is none."""
        places = places or Places()
        self._board = Board(rules, places, batteries or {}, now)
        self._watches = self._board.watches
        self._scope = places.scope
        self._latest = Latest(places.scope, now.steady)
        self._services = {rule.name: rule for rule in services}
        self._met: set[str] = set()
        self._causes: dict[Place, list[str]] = {}
        """What was said last, of each device and part."""
        self._unsure: set[Place] = set()
        """Of those, what nobody can see now."""

    def shown(self) -> dict[str, Alarm]:
        """Every alarm that is not normal."""
        return self._board.shown()

    def restore(self, stored: Mapping[str, Alarm], now: Now) -> None:
        """Go on from what we said before we were stopped; alarms whose rule is gone are left out."""
        for name, alarm in stored.items():
            if self._services.get(name.removesuffix(f"-{alarm.device}")) is not None:
                self._meet(alarm.device)
            rule = self._board.rules.get(name)
            if rule is None or alarm.state is NORMAL:
                continue
            self._board.restore(name, alarm, now)
            if rule.point == CAUSES and rule.contains and self._board.memories[name].active:
                place = own_place(alarm.device, CAUSES) if name in self._board.parts else (alarm.device, CAUSES)
                self._causes.setdefault(place, []).append(rule.contains)

    def open_actions(self) -> dict[str, Action]:
        """Of each device, the one that an alarm says was not followed and that may come true yet."""
        shown = [one for one in self.shown().values() if one.state not in OVER]
        return {one.device: one.action for one in shown if one.action is not None and one.point == ACTION}

    def deaf(self, now: Now) -> None:
        """We were not there until now (a frozen process): nobody's silence counts."""
        self._latest.deaf(now.steady)

    def unheard(self, begin: float, end: float, most: float = inf) -> None:
        """The broker delivered nothing in between, on the steady clock: nobody's silence grew in that time; of one
        silence by not more than `most` seconds."""
        self._latest.heard_nothing(begin, end, most)

    def hear(self, device: str, telemetry: Telemetry, now: Now) -> Changes:
        """A device's points. What is historical, or of bad quality, neither raises nor clears."""
        if telemetry.historical:
            return []
        answers = self._latest.hear(device, telemetry, now.steady)
        looked, doubted = self._watches.heard(device, telemetry)
        return self._look(looked, doubted, now, answers=device if answers else "")

    def note(
        self,
        device: str,
        point: str,
        word: str,
        now: Now,
        reason: str = "",
        *,
        action: Action | None = None,
        command: str = "",
    ) -> Changes:
        """A device seen from outside: its link, or the outcome of a command. A word holds until the next one. `reason`:
        why it is said, for people; `action`: what was not followed; `command`: whose outcome it is."""
        if point in MESSAGES:
            self._latest.say(device, point, str(word), command)
        else:
            self._latest.tell(device, point, str(word))
        looks = self._looks((device, point), now)
        wrong = {name for name, look in looks.items() if look.wrong and self._speaks(name)}
        meant = {name for name in wrong if point not in MESSAGES or self._watches.speaks_of(name, word)}
        self._board.reasons.explain(meant, looks.keys() - wrong, reason, action)
        changes = self._judge(looks, now) + self._doubt(self._watches.doubted([(device, point)]), now)
        offline = word == DeviceState.OFFLINE
        return changes + (self._board.reach(device, now, offline=offline) if point == LINK else [])

    def note_causes(self, device: str, causes: list[str], now: Now, reason: str = "", *, sure: bool) -> Changes:
        """Why a device is not as it should be; `reason`: the same for people.

        Not `sure`: nobody can see it now. What is not named then neither raises nor clears.
        """
        self._latest.left_alone(device, now.steady, self._unread(device) if Cause.LEFT_ALONE in causes else 0.0)
        return self._note_causes((device, CAUSES), causes, now, reason, sure=sure)

    def _unread(self, device: str) -> float:
        """Seconds for which its bridge may leave it alone: one that died meanwhile excuses it no longer."""
        profile = self._scope.devices.get(device)
        dog = None if profile is None else profile.watchdog
        return 0.0 if dog is None else BITES * dog.seconds + self._scope.poll(device)

    def note_service(self, service: str, said: ServiceStatus, now: Now) -> Changes:
        """A part of joulebus says how it is, or its last will does."""
        self._meet(service)
        self._latest.tell_service(service, "state", said.state)
        self._latest.tell_service(service, "lag", said.lag)
        changes = self._tell([own_place(service, "state"), own_place(service, "lag")], now)
        sure = said.state == "online"
        return changes + self._note_causes(own_place(service, CAUSES), said.causes, now, "", sure=sure)

    def tell_site(self, values: Mapping[str, Value | None], now: Now) -> Changes:
        """Values of the site, by their names."""
        for name, value in values.items():
            self._latest.tell_site(name, value)
        return self._tell([(SITE_PLACE, name) for name in values], now)

    def tell_device(self, device: str, words: Mapping[str, Value | None], now: Now) -> Changes:
        """Words of a device that it does not say itself, by their names."""
        for word, value in words.items():
            self._latest.tell(device, word, value)
        return self._tell([(device, word) for word in words], now)

    def request(self, name: str, wish: AlarmRequest, now: Now) -> Changes:
        """A person's answer. Raises Refusal."""
        return self._board.request(name, wish, now)

    def hidden_by(self, name: str) -> str:
        """What else is not shown while an alarm is shelved, in words; empty for nothing."""
        return self._board.hidden_by(name)

    def note_control(self, statuses: Mapping[str, DeviceStatus], now: Now) -> Changes:
        """What control does about the alarms whose condition is there, as the status of each device says it."""
        rules = {name: self._board.rules[name] for name, one in self._board.memories.items() if one.active}
        return self._board.do({name: did(rule.name, str(rule.device), statuses) for name, rule in rules.items()}, now)

    def tick(self, now: Now) -> Changes:
        """Time has passed: judges silence, goes on with delays, ends what has an end. Once a second."""
        doubted = [*self._watches.meaning, *self._board.meaningless]  # what is known of a device that fell silent ends
        changes = self._look(self._watches.timed, doubted, now)
        return changes + self._board.tick(lambda name: self._see(name, now), lambda name: self._knows(name, now), now)

    def _knows(self, name: str, now: Now) -> bool:
        """What a bridge said that is not there any more nobody sees now."""
        unseen = not self._unsure.isdisjoint(self._watches.of[name].condition.reads)
        return not unseen and self._see(name, now).wrong is not None

    def _look(self, names: Iterable[str], doubted: Iterable[str], now: Now, answers: str = "") -> Changes:
        """`answers`: a device that does, whatever was said of its link. What is over is judged before anything that
        suppressed it lets it go: it would be raised for no time."""
        looks = {name: self._see(name, now) for name in names}
        over = {name: look for name, look in reversed(looks.items()) if look.wrong is False}
        changes = self._judge(over, now)
        if answers:
            changes += self._board.reach(answers, now, offline=False)
        changes += self._doubt(doubted, now)
        return changes + self._judge({name: look for name, look in looks.items() if name not in over}, now)

    def _tell(self, places: list[Place], now: Now) -> Changes:
        return self._look(self._watches.told(places), self._watches.doubted(places), now)

    def _doubt(self, names: Iterable[str], now: Now) -> Changes:
        changes: Changes = []
        for name in names:
            changes += self._board.doubt(name, now, meaningless=self._watches.means_nothing(name, self._latest, now))
        return changes

    def _see(self, name: str, now: Now) -> Look:
        return self._watches.look(name, self._latest, now, active=self._board.memories[name].active)

    def _looks(self, place: Place, now: Now) -> dict[str, Look]:
        return {name: self._see(name, now) for name in self._watches.told([place])}

    def _judge(self, looks: Mapping[str, Look], now: Now) -> Changes:
        changes: Changes = []
        for name, look in looks.items():
            changes += self._board.judge(name, look, now)
        return changes

    def _speaks(self, name: str) -> bool:
        return bool(self._watches.of[name].speaks)

    def _note_causes(self, place: Place, causes: list[str], now: Now, reason: str, *, sure: bool) -> Changes:
        self._latest.tell(*place, [str(cause) for cause in causes])
        (self._unsure.discard if sure else self._unsure.add)(place)
        looks = self._looks(place, now)
        named = {name for name, look in looks.items() if look.wrong and self._speaks(name)}
        self._board.reasons.explain(named, looks.keys() - named if sure else (), reason)
        if not sure:
            before = self._causes.get(place)
            known = None if before is None and not causes else [*dict.fromkeys([*causes, *(before or ())])]
            self._latest.tell(*place, known)
            looks = self._looks(place, now)
            causes = known or []
        self._causes[place] = causes
        return self._judge(looks, now) + self._doubt(self._watches.doubted([place]), now)

    def _meet(self, service: str) -> None:
        """The rules of a part of joulebus."""
        if service in self._met:
            return
        self._met.add(service)
        mine = [rule for rule in self._services.values() if rule.device in (EVERY_SERVICE, service)]
        named = {f"{rule.name}-{service}": for_device(rule, service) for rule in mine}
        self._board.add({name: rule for name, rule in named.items() if name not in self._board.rules}, service)
