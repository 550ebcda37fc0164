"""The alarms consumer: listens to the site, says what is wrong, takes the operators' answers."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import aiomqtt

from consumers.alarms import reading
from consumers.alarms.actions import Actions
from consumers.alarms.answer import answer
from consumers.alarms.beside import Beside
from consumers.alarms.board import Changes
from consumers.alarms.broker_away import BrokerAway
from consumers.alarms.catalog import load_catalog, watched, whose
from consumers.alarms.delivery import Delivery
from consumers.alarms.figures.live import Live
from consumers.alarms.figures.telling import tell
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from consumers.alarms.record import Record, together
from consumers.alarms.rules import Now
from consumers.alarms.site_values import HEARD
from runtime.bus import Bus, Refused
from runtime.guarded import Guarded
from runtime.heard import Heard
from runtime.part import Part
from schemas.messages import (
    Alarm,
    AlarmRequest,
    AlarmState,
    Cause,
    DeviceState,
    DeviceStatus,
    Outcome,
    OutcomeState,
    ServiceStatus,
    Telemetry,
)
from schemas.printable import printable
from schemas.topics import (
    ALARM,
    ALARM_MAINTENANCE,
    ALARM_OUTCOME,
    ALARM_REQUEST,
    DEVICE_STATUS,
    OUTCOME,
    SERVICE_STATUS,
    TELEMETRY,
    Topic,
)
from schemas.units import utc_now

MARK = "end-of-stored"
"""An alarm that does not exist. Its clearing, heard back, follows everything the broker had stored."""
LONGEST_READ = 20.0
"""Seconds for that."""
PROOF = 0.5
"""Seconds between two questions to the broker whether it delivers."""


async def run(part: Part) -> None:
    """Judge alarms until stopped. What is not normal stands in the broker and on our disk, and is read back."""
    catalog = load_catalog()
    rules, refused = watched(part.site, catalog)
    for place, words in refused:
        part.causes.add(Cause.ALARM_RULE, f"{place} in the site file is refused: {words}", about=place)
    panel = Panel(rules, catalog.services, _now(), whose(part.site.battery), Places.of(part.site))
    record = Record(part.settings.state / f"alarms-{part.site.site}.json")
    desk = _Desk(part, panel, record)
    await part.run(desk.work, desk.away.watch)


class _Desk:
    """Between the panel and the broker. One change after the other: they must be heard in their order."""

    def __init__(self, part: Part, panel: Panel, record: Record) -> None:
        self.part, self.panel, self.record, self.site = part, panel, record, part.site.site
        self.actions, self.delivery = Actions(), Delivery(time.monotonic())
        self.beside = Beside(part.site, part.settings.state, _now())
        self.statuses: dict[str, DeviceStatus] = {}
        self.figures = Live(part.settings.state / f"alarm-figures-{self.site}.json", part.site.alarm_operators)
        self.restored = False
        self.guarded = Guarded(part.log, part.counts)
        self.turn = asyncio.Lock()
        self.away = BrokerAway(part, self._judge_ourselves)

    async def work(self, bus: Bus) -> None:
        """One connection. The first takes over what is stored; later ones correct what is stored."""
        self.away.over()
        stored = await _stored(bus, self.site)
        self.beside.deaf()
        if not self.restored:
            self.panel.deaf(_now())
            ours, trouble = await asyncio.to_thread(self.record.read)
            if trouble:
                self.part.log.warning("%s", trouble)
            self.panel.restore(together(ours, stored), _now())
            self.actions.open |= self.panel.open_actions()
            if trouble := await asyncio.to_thread(self.figures.begin, self.panel.shown(), utc_now()):
                self.part.log.warning("%s", trouble)
            self.restored = True
        async with self.turn:
            await self._record()
            await self._correct(bus, stored)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick(bus), name="alarms.tick")
            group.create_task(self._listen(bus), name="alarms.listen")
            group.create_task(self._prove(bus), name="alarms.prove")
            group.create_task(tell(bus, self.part, self.figures), name="alarms.figures")

    async def _listen(self, bus: Bus) -> None:
        known = (TELEMETRY, DEVICE_STATUS, OUTCOME, SERVICE_STATUS, ALARM_REQUEST, ALARM_MAINTENANCE)
        topics: tuple[Topic[Any], ...] = (*known, *HEARD)
        async for batch in bus.listen(*(topic.at(site=self.site) for topic in topics)):
            for heard in batch:
                with self.guarded(heard):
                    async with self.turn:
                        await self._hear(bus, heard)
            bus.ack(batch)
            self.part.succeeded()

    async def _tick(self, bus: Bus) -> None:
        while True:
            await asyncio.sleep(1)
            async with self.turn:
                now = _now()
                if (missed := self.delivery.missed(now.steady)) is not None:
                    self.panel.unheard(*missed, self.delivery.most)
                    self.beside.unheard(*missed, self.delivery.most)
                changes = [*self.beside.tell(self.panel, now), *self.panel.tick(now)]
                await self._say(bus, changes + self.panel.note_control(self.statuses, now))

    async def _prove(self, bus: Bus) -> None:
        """Ask the broker something that changes nothing: what it has for us comes before its answer."""
        while True:
            await bus.while_connected(bus.unsubscribe(ALARM.at(site=self.site, alarm=MARK)))
            self.delivery.answered(time.monotonic())
            await asyncio.sleep(PROOF)

    async def _hear(self, bus: Bus, heard: Heard[Any]) -> None:
        if heard.fault:
            self.part.counts["unreadable"] += 1
        if heard.topic in (ALARM_REQUEST, ALARM_MAINTENANCE):
            await self._answer(bus, heard)
        else:
            try:
                self.beside.hear(heard.message, _now(), heard.place.get("device", ""))
            except OSError as wrong:
                self.part.log.warning("who was told to form an island cannot be kept: %s", wrong.strerror)
            await self._say(bus, self._judge(heard))

    def _judge(self, heard: Heard[Any]) -> Changes:
        device = heard.place.get("device", "")
        match heard.message:
            case Telemetry() as telemetry:
                if not telemetry.historical:
                    self.part.lag = max(0.0, (utc_now() - telemetry.at).total_seconds())
                arrived = self._note_action(device, self.actions.see(device, telemetry))
                return [*arrived, *self.panel.hear(device, telemetry, _now())]
            case DeviceStatus(state=state, causes=causes, reason=reason) as status:
                self.statuses[device] = status
                changes = self.panel.note(device, reading.LINK, state, _now(), reason)
                sure = state is not DeviceState.OFFLINE
                return [*changes, *self.panel.note_causes(device, causes, _now(), reason, sure=sure)]
            case Outcome(state=state) as outcome:
                ended = self._note_action(device, self.actions.hear(device, outcome), outcome.reason, outcome.id)
                why, action = outcome.reason, outcome.action
                said = self.panel.note(device, reading.OUTCOME, state, _now(), why, action=action, command=outcome.id)
                return [*ended, *said]
            case ServiceStatus() as said if heard.place["service"] != self.part.name or said.state == "online":
                return self.panel.note_service(heard.place["service"], said, _now())
        return []  # our own last will among them: it was said of the one before us

    def _note_action(self, device: str, word: OutcomeState | None, reason: str = "", command: str = "") -> Changes:
        if word is None:
            return []
        action = self.actions.open.get(device)
        return self.panel.note(device, reading.ACTION, word, _now(), reason, action=action, command=command)

    async def _answer(self, bus: Bus, heard: Heard[AlarmRequest]) -> None:
        """First what it changes, then what became of it: who reads the answer finds the alarm as it says."""
        given = answer(self.panel, heard, _now())
        if given is None:
            return
        name, said = heard.place["alarm"], given.outcome
        if said.followed:
            why = printable(heard.message.why) if heard.message else ""
            self.part.log.info("%s of %s by %s: %s", said.wish, name, said.who, why or "no reason given")
        else:
            self.part.counts["refused"] += 1
            asked = f"{said.wish} of {name} by {said.who}" if said.wish else f"a request to {name}"
            self.part.log.warning("refused %s: %s", asked, said.reason)
        await self._say(bus, given.changes)
        await self.part.events.say(ALARM_OUTCOME, said, site=self.site, alarm=name)

    async def _judge_ourselves(self) -> None:
        """Also without a connection: then it is written down, and said with the next one."""
        async with self.turn:
            if self.restored:
                bus, changes = self.part.events.bus, self.panel.note_service(self.part.name, self.part.status(), _now())
                with suppress(aiomqtt.MqttError, Refused):
                    await self._say(bus, changes)

    async def _record(self) -> None:
        """Before the broker is told: what it confirms it may forget."""
        try:
            await asyncio.to_thread(self.record.write, self.panel.shown())
        except OSError as wrong:
            self.part.counts["unrecorded"] += 1
            self._tell(f"{self.record.path} cannot be written: {wrong.strerror}")
        else:
            self._tell("")

    def _tell(self, trouble: str) -> None:
        """One line when the disk is lost, one when it is back."""
        if trouble:
            self.part.causes.add(Cause.OUTBOX, f"alarms are kept by the broker alone: {trouble}", about="record")
        else:
            words = f"alarms are written to {self.record.path} again"
            self.part.causes.clear(Cause.OUTBOX, about="record", words=words)

    async def _say(self, bus: Bus | None, changes: Changes) -> None:
        if changes:
            await self._record()
        for name, alarm in changes:
            if alarm.state is AlarmState.UNACKNOWLEDGED and alarm.at == alarm.since:  # not one that has a new reason
                self.part.counts["raised"] += 1
            self.part.log.info("%s is %s (%s)", name, alarm.state, alarm.value)
            await self._publish(bus, name, alarm)
        self.part.counts["active"] = len(self.panel.shown())

    async def _correct(self, bus: Bus, stored: Mapping[str, Alarm]) -> None:
        """What was lost while we or the broker were away, and what a changed rule left behind."""
        shown = self.panel.shown()
        for name, alarm in shown.items():
            if stored.get(name) != alarm:
                await self._publish(bus, name, alarm)
        for name in stored.keys() - shown.keys():
            over = stored[name].model_copy(update={"state": AlarmState.NORMAL, "at": utc_now()})
            await self._publish(bus, name, over)
        self.part.counts["active"] = len(shown)

    async def _publish(self, bus: Bus | None, name: str, alarm: Alarm) -> None:
        """Subscribers hear `normal` once, then the topic is empty: who comes later sees only what is not normal."""
        self.figures.hear(name, alarm)
        await self.part.events.say(ALARM, alarm, site=self.site, alarm=name)
        if alarm.state is AlarmState.NORMAL and bus is not None:
            await bus.say(ALARM, None, site=self.site, alarm=name)


async def _stored(bus: Bus, site: str) -> dict[str, Alarm]:
    """Our own alarms as the broker keeps them."""
    try:
        async with asyncio.timeout(LONGEST_READ), asyncio.TaskGroup() as group:
            marking = group.create_task(_mark(bus, site), name="alarms.mark")
            stored = await _until_mark(bus, site)
            marking.cancel()
    except TimeoutError:
        address = ALARM.at(site=site)
        raise Refused(f"{address}: the broker does not send back what we said there: see the access list") from None
    await bus.unsubscribe(ALARM.at(site=site))
    return stored


async def _until_mark(bus: Bus, site: str) -> dict[str, Alarm]:
    stored: dict[str, Alarm] = {}
    async for batch in bus.listen(ALARM.at(site=site)):
        bus.ack(batch)
        stored |= {heard.place["alarm"]: heard.message for heard in batch if heard.message is not None}
        if any(heard.place["alarm"] == MARK for heard in batch):
            break
    return stored


async def _mark(bus: Bus, site: str) -> None:
    """Again and again: one that was sent before we were subscribed is not heard."""
    while True:
        await asyncio.sleep(0.05)
        await bus.say(ALARM, None, site=site, alarm=MARK)
        await asyncio.sleep(0.5)


def _now() -> Now:
    return Now(time.monotonic(), utc_now())
