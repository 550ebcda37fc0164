"""The notify consumer: tells people of alarms, also that there is no broker."""

import asyncio
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from consumers.notify.desk import Desk, Kept, Raises
from consumers.notify.outbox import Outgoing
from consumers.notify.reach import Reach
from consumers.notify.record import Record
from consumers.notify.sender import Sender, address_of
from consumers.notify.trial import Refusal, Trials, begun, ended, message, refused
from consumers.notify.voice import Voice
from consumers.notify.words import Words, ack_url
from runtime.ack_link import Claim, ListClaim, make_list_token, make_token, mark
from runtime.bus import Bus
from runtime.cancelled import to_its_end
from runtime.end_mark import up_to_mark
from runtime.guarded import Guarded
from runtime.heard import Heard
from runtime.part import Part
from schemas.messages import Cause, NotifyOutcome, NotifyRequest, ServiceStatus
from schemas.site import Site
from schemas.site_notify import Notify
from schemas.topics import ALARM, NOTIFY_OUTCOME, NOTIFY_REQUEST, NOTIFY_TOLD, SERVICE_STATUS
from schemas.troubles import Trouble
from schemas.units import utc_now

WITHOUT_BROKER = 60.0
"""Seconds without a connection until people are told."""
SETTLED = 30.0
"""Seconds after which an alarm that the broker does not keep is over: a broker that lost it hears it again by then."""
TURN = 0.5
"""Seconds between two looks at what is due."""
LAST = 5.0
"""Seconds for what is on its way when the process is told to end: what is not heard of by then is sent again."""


async def run(part: Part) -> None:
    """Tell people until stopped. Without a [notify] in the site file there is nobody to tell."""
    part.patience = None  # who should tell that the broker is away must not end because it is
    if part.site.notify is None:
        part.detail = "the site file has no [notify]: nobody is told"
        await part.run(_idle)
        return
    senders, wrong = senders_of(part.site, part.settings.channels)
    for name, why in wrong.items():
        part.causes.add(Cause.NOTIFY_FAILS, f"channel {name} is not used: {why}", about=f"channel {name}")
    teller = Teller(part, part.site.notify, senders, wrong)
    await part.run(teller.work, teller.look, *(teller.delivery(one) for one in senders.values()), begin=teller.begin)


async def _idle(_: Bus) -> None:
    await asyncio.Event().wait()


def senders_of(site: Site, env: Mapping[str, str]) -> tuple[dict[str, Sender], dict[str, str]]:
    """The channels of a site that can be used; of the others why not."""
    if site.notify is None:
        return {}, {}
    senders: dict[str, Sender] = {}
    wrong = dict(site.notify.wrong_channels)
    for channel in site.notify.channels:
        try:
            senders[channel.name] = Sender(channel, address_of(channel, site, env))
        except Trouble as trouble:
            wrong[channel.name] = str(trouble)
    return senders, wrong


class Teller:
    """Between the desk and the world. Each change is on the disk before anything comes of it."""

    def __init__(self, part: Part, notify: Notify, senders: Mapping[str, Sender], wrong: Mapping[str, str]) -> None:
        self.part, self.notify, self.senders, site = part, notify, senders, part.site
        reach = Reach.of(site, wrong)
        assert reach is not None, "the site has [notify]"  # noqa: S101  # asked by `run`
        page = notify.page if notify.page is None else notify.page.rstrip("/")
        self.desk = Desk(reach, Words(site.title or site.site, site.zone, page), self._link)
        self.unusable = wrong
        self.trials = Trials(notify)
        self.record = Record(part.settings.state / f"notify-{site.site}.json")
        self.guarded = Guarded(part.log, part.counts)
        self.turn = asyncio.Lock()
        self.news = asyncio.Event()
        self.connected = False
        self.voice = Voice()
        self.lost = self.since = time.monotonic()
        """Since when there is no connection, and since when there is one."""

    def begin(self) -> None:
        """Go on where the process before ended; called once the state folder is ours."""
        kept, trouble = self.record.read()
        if trouble:
            self.part.log.warning("%s", trouble)
        self.desk.restore(kept)

    # --- what is heard ----------------------------------------------------------------------------

    async def work(self, bus: Bus) -> None:
        """One connection. First all that the broker keeps, so that what is over is known; then what comes."""
        address = ALARM.at(site=self.part.site.site)
        stored = await up_to_mark(bus, self.part, address)
        self.connected, self.since, self.voice = True, time.monotonic(), Voice()
        try:
            async with self.turn:
                now = utc_now()
                self._hear(stored, now)
                self.desk.doubt(self.voice.spoken)
                self.desk.heard_again(now)
                await self._settle(now)
            async with asyncio.TaskGroup() as group:
                service = SERVICE_STATUS.at(site=self.part.site.site, service="alarms")
                async for batch in bus.listen(address, NOTIFY_REQUEST.at(site=self.part.site.site), service):
                    async with self.turn:
                        self._hear(batch, utc_now())
                        await self._settle(utc_now())
                    for heard in batch:
                        if heard.topic is NOTIFY_REQUEST:
                            group.create_task(self._try(heard), name="notify.test")
                    bus.ack(batch)
                    self.part.succeeded()
        finally:
            self.connected, self.lost = False, time.monotonic()

    def _hear(self, batch: list[Heard[Any]], now: datetime) -> None:
        for heard in batch:
            if heard.topic is SERVICE_STATUS:
                self._hear_service(heard.message)
            if heard.topic is not ALARM:
                continue
            with self.guarded(heard):
                if heard.fault:
                    self.part.counts["unreadable"] += 1
                else:
                    self.voice.hear(heard.place["alarm"], there=heard.message is not None)
                    self.desk.hear(heard.place["alarm"], heard.message, now)

    def _hear_service(self, status: ServiceStatus | None) -> None:
        """Who speaks for the alarms: once it is back, it has a while to speak of those that are not over."""
        there = status is not None and status.state == "online"
        if there and not self.voice.there:
            self.desk.doubt(self.voice.spoken)
            self.since = time.monotonic()
        self.voice.there = there
        if status is not None and not self.desk.hears_service:
            self.desk.hears_service = self.desk.changed = True

    async def look(self) -> None:
        """What is due by the clock, with a broker or without one."""
        while True:
            async with self.turn:
                now, mono = utc_now(), time.monotonic()
                if self.connected and mono - self.since > SETTLED:
                    if self.voice.there or not self.desk.hears_service:
                        self.desk.forget(now)
                    else:
                        self.desk.alone()  # nobody can say that it is over: chains go on
                if not self.connected and mono - self.lost > WITHOUT_BROKER:
                    self.desk.alone()
                    self.desk.silent(f"No connection to the broker since {mono - self.lost:.0f} s.", now)
                if self.connected or mono - self.lost > WITHOUT_BROKER:
                    await self._settle(now)
            await asyncio.sleep(TURN)

    async def _settle(self, now: datetime) -> None:
        """What has become due, and all of it onto the disk before it is sent."""
        self.desk.tick(now)
        for one in self.desk.diary.take():  # before the record: who is killed between says it twice and not never
            self.part.events.post(NOTIFY_TOLD, one, site=self.part.site.site)
        if self.desk.changed:
            self.desk.changed = not await self._keep(self.desk.kept)
            self.news.set()
        self._tell()

    async def _keep(self, kept: Kept) -> bool:
        """With a disk that is full it goes on all the same: it is worse to tell nobody than to tell twice."""
        try:
            await to_its_end(asyncio.to_thread(self.record.write, kept.model_dump_json().encode()), LAST)
        except OSError as wrong:
            words = f"{self.record.path} cannot be written: {wrong.strerror}; after a restart people are told again"
            self.part.causes.add(Cause.OUTBOX, words, about="record")
            return False
        self.part.causes.clear(Cause.OUTBOX, about="record", words=f"{self.record.path} is written again")
        return True

    # --- what is sent -----------------------------------------------------------------------------

    def delivery(self, sender: Sender) -> Any:  # noqa: ANN401  # a job that begins when it is called
        """The job of one channel: a server that hangs holds up no other."""

        async def deliver() -> None:
            while True:
                message = self.desk.outbox.next(sender.channel.name, utc_now())
                if message is None:
                    await self._news()
                else:
                    await to_its_end(self._send(sender, message), LAST)

        return deliver

    async def _news(self) -> None:
        self.news.clear()
        try:
            async with asyncio.timeout(TURN):
                await self.news.wait()
        except TimeoutError:
            return

    async def _send(self, sender: Sender, message: Outgoing) -> None:
        async with self.turn:  # on the disk by now
            pass
        why = await sender.send(message)
        async with self.turn:
            now, name = utc_now(), sender.channel.name
            if not why:
                self.desk.arrived(message, now)
                self.part.succeeded()
                self.part.log.info("%s is told by %s (%s)", message.title, name, message.id)
            elif self.desk.failed(message, why, now):
                self.part.log.error("%s was given up after a day: %s does not take it: %s", message.id, name, why)
            await self._settle(now)

    # --- what is tried ----------------------------------------------------------------------------

    async def _try(self, heard: Heard[NotifyRequest]) -> None:
        """A test that somebody asks for: the answer at once, and what each server said."""
        if heard.retained and not heard.payload:
            return  # one that was retained is taken back
        try:
            names = self.trials.channels(heard, utc_now(), time.monotonic())
        except Refusal as why:
            said = refused(heard, why, utc_now())
            self.part.log.warning("refused a test for %s: %s", said.who or "somebody", said.reason)
            self._answer(said)
            return
        wish = heard.message
        assert wish is not None, "`channels` has looked"  # noqa: S101
        self._answer(begun(wish, names, utc_now()))
        self.trials.under_way.update(names)
        try:
            answers = await asyncio.gather(*(self._tried(name) for name in names))
        finally:
            self.trials.under_way.difference_update(names)
        said = ended(wish, dict(zip(names, answers, strict=True)), utc_now())
        self.part.log.info("a test for %s: %s", said.who, said.reason)
        self._answer(said)

    async def _tried(self, name: str) -> str:
        """Empty when the server took it."""
        sender = self.senders.get(name)
        if sender is None:
            return self.unusable.get(
                name, "its table in the site file is wrong: `joulebus check` says what would be right"
            )
        return await sender.send(message(self.desk.words, name, utc_now()))

    def _answer(self, said: NotifyOutcome) -> None:
        self.part.events.post(NOTIFY_OUTCOME, said, site=self.part.site.site)

    def _tell(self) -> None:
        """In the status, from where the alarms hear it."""
        failing, outbox = self.desk.outbox.failing(), self.desk.outbox
        for name in self.senders:
            if why := failing.get(name):
                words = f"channel {name} does not take its messages: {why}"
                self.part.causes.add(Cause.NOTIFY_FAILS, words, about=f"sends {name}")
            else:
                self.part.causes.clear(Cause.NOTIFY_FAILS, about=f"sends {name}", words=f"channel {name} works again")
        if unreached := self.desk.escalation.unreached:
            names = ", ".join(sorted({name for name, _ in unreached})[:3])
            self.part.causes.add(Cause.NOTIFY_FAILS, f"nobody is on call for {names}", about="nobody")
        else:
            self.part.causes.clear(Cause.NOTIFY_FAILS, about="nobody", words="somebody is on call again")
        self.part.counts.update({name: outbox.counts[name] - self.part.counts[name] for name in outbox.counts})
        self.part.counts["waiting"] = len(outbox.waiting)
        self.part.counts["collected"] = sum(len(post.held) for post in self.desk.posts.values())

    def _link(self, raised: Raises, person: str, now: datetime, short: bool) -> str | None:  # as Link
        """None where there is no page, or no key to sign with."""
        key, page, site = self.part.settings.ack_key, self.notify.page, self.part.site.site
        if key is None or page is None:
            return None
        until = now + timedelta(hours=self.notify.link_hours)
        if short or len(raised) != 1:
            marks = tuple(mark(site, name, since) for name, since in raised)
            return ack_url(page, make_list_token(ListClaim(person, until, marks), key, site))
        name, since = raised[0]
        return ack_url(page, make_token(Claim(site=site, alarm=name, since=since, person=person, until=until), key))
