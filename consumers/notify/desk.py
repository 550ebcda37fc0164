"""What is heard of alarms becomes messages in the outbox. Pure; `kept` is all that must outlive the process."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from consumers.notify.diary import Diary
from consumers.notify.escalation import SILENT, Case, Escalation, Notice
from consumers.notify.flood import Entry, Post
from consumers.notify.outbox import Outbox, Outgoing
from consumers.notify.reach import Reach
from consumers.notify.words import MOST_LISTED, Text, Words
from runtime.ack_link import ASKS
from schemas.messages import Alarm, AlarmClass, AlarmPriority, AlarmState
from schemas.messages.notified import Told
from schemas.units import Instant

SET_BACK = timedelta(seconds=2)
"""A clock that goes back by more was set."""

Raises = Sequence[tuple[str, datetime]]
"""Alarms, and since when they are raised."""
Link = Callable[[Raises, str, datetime, bool], str | None]
"""Acknowledges these raises as that person; given the moment it is made, and whether it must be short."""


class Kept(BaseModel):
    """On disk. A field that an older one does not know is left alone."""

    model_config = ConfigDict(extra="ignore")

    number: int = 0
    """Of the last message."""
    clock: Instant | None = None
    """When this was so."""
    alarms: dict[str, Alarm] = {}
    cases: list[Case] = []
    posts: dict[str, Post] = {}
    waiting: list[Outgoing] = []
    hears_service: bool = False
    """The access list of the broker lets us hear whether the alarm service is there; one of an older joulebus does
    not."""


@dataclass
class Desk:
    """Of one site."""

    reach: Reach
    words: Words
    link: Link
    number: int = 0
    posts: dict[str, Post] = field(default_factory=dict)
    outbox: Outbox = field(default_factory=Outbox)
    diary: Diary = field(default_factory=Diary)
    changed: bool = False
    """Something that must be kept is new."""
    clock: datetime | None = None
    """At the last look."""
    hears_service: bool = False
    """It was heard of the alarm service whether it is there."""

    def __post_init__(self) -> None:
        self.escalation = Escalation(self.reach)

    # --- what happens -----------------------------------------------------------------------------

    def hear(self, name: str, alarm: Alarm | None, now: datetime) -> None:
        """What an alarm says of itself; None when it is normal."""
        if self.escalation.alarms.get(name) != alarm:
            self.changed = True
        self._post(self.escalation.hear(name, alarm, now), now)

    def doubt(self, known: set[str]) -> None:
        """All that the broker keeps was heard."""
        self.escalation.doubt(known)

    def forget(self, now: datetime) -> None:
        """What it still does not speak of is normal."""
        self._post(self.escalation.forget(now), now)

    def alone(self) -> None:
        """There is no broker: chains go on by what was known last."""
        self.escalation.doubt({*self.escalation.alarms})

    def silent(self, words: str, now: datetime) -> None:
        """There is no broker: who else could tell anybody."""
        alarm = Alarm(
            at=now, since=now, state=AlarmState.UNACKNOWLEDGED, active=True, priority=AlarmPriority.HIGH,
            alarm_class=AlarmClass.SYSTEM, device="notify", point="link", text=words,
            cause="there is no connection to the broker: no alarm of the site reaches anybody",
            consequence="The site is read and guarded by its bridges alone; no message tells of an alarm.",
            response="Look at the machine of the broker and at the network. The page may be out as well.",
        )  # fmt: skip
        if SILENT not in self.escalation.alarms:
            self.hear(SILENT, alarm, now)

    def heard_again(self, now: datetime) -> None:
        """The broker is back."""
        before = self.escalation.alarms.get(SILENT)
        if before is not None:
            self.hear(SILENT, before.model_copy(update={"state": AlarmState.NORMAL, "at": now}), now)

    def tick(self, now: datetime) -> None:
        """What is due now."""
        if self.clock is not None and self.clock - now > SET_BACK:
            self._shift(self.clock - now)
        self.clock = now
        before = {*self.escalation.unreached}
        self._post(self.escalation.tick(now), now)
        self.diary.nobody(self.escalation.unreached - before, now)
        for channel, post in self.posts.items():
            if entries := post.ripe(self.reach.notify.digest, now, lambda who: self.reach.quiet(who, now)):
                cases = [(one.alarm, one.chain) for one in entries]
                urgent = any(one.why == "urgent" for one in entries)
                about = About("digest", [one.alarm for one in entries], _each(one.person for one in entries), cases)
                self._send(channel, self._digest(entries, now), about, now, urgent=urgent)

    def _shift(self, back: timedelta) -> None:
        """The clock was set back: nobody waits longer for that."""
        self.changed = True
        self.escalation.shift(back)
        self.outbox.shift(back)
        for post in self.posts.values():
            post.shift(back)

    def arrived(self, message: Outgoing, now: datetime) -> None:
        self.outbox.arrived(message, now)
        self.diary.of(message, "sent", now)
        self.changed = True

    def failed(self, message: Outgoing, why: str, now: datetime) -> bool:
        """The next step of its chains is taken at once, where it has another channel. Whether it was given up."""
        again = message.tries > 0  # then the next step was taken already
        known = again and message.why == why
        given_up = self.outbox.failed(message, why, now)
        if given_up or not known:
            self.diary.of(message, "given_up" if given_up else "failed", now, why)
        failing = {*self.outbox.failing()}
        for name, chain in [] if again else message.cases:
            self.escalation.hurry(name, chain, failing, now)
        self.changed = True
        return given_up

    # --- what is kept -----------------------------------------------------------------------------

    @property
    def kept(self) -> Kept:
        cases = [*self.escalation.cases.values()]
        return Kept(
            number=self.number,
            clock=self.clock,
            alarms=self.escalation.alarms,
            cases=cases,
            posts=self.posts,
            waiting=self.outbox.waiting,
            hears_service=self.hears_service,
        )

    def restore(self, kept: Kept) -> None:
        """Go on where the process before ended. What is for channels that are no more is dropped."""
        channels = {one.name for one in self.reach.notify.channels}
        self.number, self.clock, self.hears_service = kept.number, kept.clock, kept.hears_service
        self.escalation.alarms = {**kept.alarms}
        self.escalation.cases = {(one.alarm, one.chain): one for one in kept.cases}
        people = {one.name for one in self.reach.notify.person}
        for name, post in kept.posts.items():
            if name in channels:
                post.held = [one for one in post.held if one.person in people]
                self.posts[name] = post
        self.outbox.waiting = [one for one in kept.waiting if one.channel in channels]
        for one in kept.waiting:
            if one.channel not in channels:
                self.diary.of(one, "given_up", kept.clock or one.made, "the site file has no such channel any more")

    # --- from a notice to a message ---------------------------------------------------------------

    def _post(self, notices: Iterable[Notice], now: datetime) -> None:
        known = {one.name for one in self.reach.notify.channels}  # an alarm may outlive a channel that it was told by
        told: dict[tuple[str, str, str], tuple[Notice, list[str]]] = {}
        # behind one channel, who is awake hears it before it would wait for who sleeps
        for one in sorted(notices, key=lambda notice: notice.quiet):
            self.changed = True
            for channel in (name for name in one.told.channels if name in known):
                # two chains or two people behind one channel: it is told there once
                told.setdefault((channel, one.name, one.kind), (one, []))[1].append(one.told.person)
        for (channel, _, _), (one, people) in told.items():
            self._offer(channel, one, _each(people), now)

    def _offer(self, channel: str, notice: Notice, people: list[str], now: datetime) -> None:
        post = self.posts.setdefault(channel, Post())
        alarm, person = notice.alarm, notice.told.person
        over = notice.kind == "over"
        unsaid = over and post.waits(notice.name, alarm.since)
        why = "flood" if unsaid else post.takes(notice, self.reach.notify.digest, now)
        if why is not None:
            if not over and not post.waits(notice.name, alarm.since):
                self.diary.waits(notice.name, people, channel, why, now)
            before = next((one for one in post.held if unsaid and one.alarm == notice.name), None)
            line = self.words.line(notice.name, alarm)
            post.hold(
                Entry(
                    alarm=notice.name, since=alarm.since, chain=notice.chain, person=person, priority=alarm.priority,
                    line=before.line if before else line, why=before.why if before else why, at=now, over=over,
                )
            )  # fmt: skip
            return
        text = self.words.over(notice.name, alarm) if over else self._raised(notice, now)
        says: Told = "raised" if notice.kind == "alarm" else notice.kind
        about = About(says, [notice.name], people, [] if over else [(notice.name, notice.chain)])
        self._send(channel, text, about, now, urgent=notice.urgent)

    def _raised(self, notice: Notice, now: datetime) -> Text:
        link = short = None
        if notice.name != SILENT:
            raised, person = [(notice.name, notice.alarm.since)], notice.told.person
            link, short = (self.link(raised, person, now, must) for must in (False, True))
        explains = self.escalation.consequences(notice.name)
        again = notice.kind == "again"
        return self.words.alarm(notice.name, notice.alarm, explains, link, again=again, short_link=short)

    def _digest(self, entries: Sequence[Entry], now: datetime) -> Text:
        """Its link is for what it writes out and nobody has acknowledged: no raise that comes later is among them."""
        alarms = self.escalation.alarms
        there = ((one, alarms.get(one.alarm)) for one in entries[:MOST_LISTED] if one.alarm != SILENT)
        raised = [
            (one.alarm, one.since) for one, alarm in there if alarm and alarm.since == one.since and alarm.state in ASKS
        ]
        raised = list(dict.fromkeys(raised))
        link = self.link(raised, entries[0].person, now, True) if raised else None
        return self.words.digest(entries, alarms, link, len(raised))

    def _send(self, channel: str, text: Text, about: "About", now: datetime, *, urgent: bool = False) -> None:
        self.number += 1
        self.changed = True
        name = f"{now:%Y%m%dT%H%M%S}-{self.number}"
        message = Outgoing(
            id=name, channel=channel, made=now, due=now, title=text.title, body=text.body, short=text.short,
            urgent=urgent, cases=about.cases, alarms=about.alarms, people=about.people, says=about.says,
        )  # fmt: skip
        for one in self.outbox.put([message]):
            self.diary.of(one, "given_up", now, "too many wait for this channel")


class About(NamedTuple):
    """What a message is about, and for whom."""

    says: Told
    alarms: list[str]
    people: list[str]
    cases: list[tuple[str, str]]
    """Alarms and chains that its failure hurries."""


def _each(names: Iterable[str]) -> list[str]:
    """Once, in their order."""
    return list(dict.fromkeys(names))
