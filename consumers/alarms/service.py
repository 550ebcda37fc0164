"""The alarms consumer: listens to the site, says what is wrong, takes the operators' answers."""

import asyncio
import time
from collections import deque
from contextlib import suppress
from math import inf
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
from consumers.alarms.in_force import together
from consumers.alarms.panel import Panel
from consumers.alarms.places import Places
from consumers.alarms.rules import Now
from consumers.alarms.site_values import HEARD
from consumers.alarms.telling import Telling
from runtime.bus import Bus, Refused
from runtime.guarded import Guarded
from runtime.heard import Heard
from runtime.part import Part
from schemas.messages import (
    Alarm,
    AlarmRequest,
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
TOGETHER = 0.003
"""Seconds in which changes are collected before they are written: about as long as a disk takes for that."""
PROOF = 0.5
"""Seconds between two questions to the broker whether it delivers."""


async def run(part: Part) -> None:
    """Judge alarms until stopped. What is not normal stands in the broker and on our disk, and is read back."""
    catalog = load_catalog()
    rules, refused = watched(part.site, catalog)
    for place, words in refused:
        part.causes.add(Cause.ALARM_RULE, f"{place} in the site file is refused: {words}", about=place)
    panel = Panel(rules, catalog.services, _now(), whose(part.site.battery), Places.of(part.site))
    part.patience = inf  # who tells that the broker is away must not end because it is; a wrong password is told
    desk = _Desk(part, panel)
    await part.run(desk.work, desk.away.watch, desk.look_after, begin=desk.begin)


class _Desk:
    """Between the panel and the broker. One change after the other: they must be heard in their order."""

    def __init__(self, part: Part, panel: Panel) -> None:
        self.part, self.panel, self.site = part, panel, part.site.site
        self.actions, self.delivery = Actions(), Delivery(time.monotonic())
        self.beside = Beside(part.site, part.settings.state, _now())
        self.statuses: dict[str, DeviceStatus] = {}
        self.figures = Live(part.settings.state / f"alarm-figures-{self.site}.json", part.site.alarm_operators)
        self.telling = Telling(part, self.figures)
        self.counting = self.restored = False
        """Whether the figures have begun, and whether what the broker had stored was taken over."""
        self.guarded = Guarded(part.log, part.counts)
        self.turn = asyncio.Lock()
        self.away = BrokerAway(part, self._judge_ourselves)

    def begin(self) -> None:
        """Go on where the process before ended, with a broker or without one; called once the state folder is ours."""
        self.panel.restore(self.telling.begin(), _now())

    async def look_after(self) -> None:
        """For ever, also without a connection."""
        await self.telling.look_after(self._take_late)

    async def _take_late(self, found: dict[str, Alarm]) -> None:
        """What the run before knew, from a disk that came late. What we know of an alarm ourselves holds."""
        async with self.turn:
            self.part.log.warning("the record of the run before came late: %s", ", ".join(sorted(found)))
            shown = self.panel.shown()
            self.panel.restore({name: one for name, one in found.items() if name not in shown}, _now())
            now_shown = self.panel.shown()
            with suppress(aiomqtt.MqttError, Refused):
                await self.telling.say([(name, now_shown[name]) for name in found if name in now_shown])

    async def work(self, bus: Bus) -> None:
        """One connection. The first takes over what is stored; later ones correct what is stored."""
        self.away.over()
        stored = await _stored(bus, self.site)
        self.beside.deaf()
        async with self.turn:
            if not self.restored:
                self.panel.deaf(_now())
                shown = self.panel.shown()
                known = together(shown, stored)
                self.panel.restore({name: one for name, one in known.items() if shown.get(name) != one}, _now())
                self.actions.open |= self.panel.open_actions()
                self.restored = True
                await self._count()
            await self.telling.correct(self.panel.shown(), stored)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._tick(), name="alarms.tick")
            group.create_task(self._listen(bus), name="alarms.listen")
            group.create_task(self._prove(bus), name="alarms.prove")
            group.create_task(tell(bus, self.part, self.figures), name="alarms.figures")

    async def _count(self) -> None:
        """The figures begin with what is not normal."""
        if not self.counting:
            self.counting = True
            if trouble := await asyncio.to_thread(self.figures.begin, self.panel.shown(), utc_now()):
                self.part.log.warning("%s", trouble)

    async def _listen(self, bus: Bus) -> None:
        known = (TELEMETRY, DEVICE_STATUS, OUTCOME, SERVICE_STATUS, ALARM_REQUEST, ALARM_MAINTENANCE)
        topics: tuple[Topic[Any], ...] = (*known, *HEARD)
        async for batch in bus.listen(*(topic.at(site=self.site) for topic in topics)):
            waiting = deque(batch)
            while waiting:
                async with self.turn:
                    await self._hear_some(waiting)
                await asyncio.sleep(0)  # others have their turn
            bus.ack(batch)
            self.part.succeeded()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(1)
            async with self.turn:
                now = _now()
                if (missed := self.delivery.missed(now.steady)) is not None:
                    self.panel.unheard(*missed, self.delivery.most)
                    self.beside.unheard(*missed, self.delivery.most)
                changes = [*self.beside.tell(self.panel, now), *self.panel.tick(now)]
                await self.telling.say(changes + self.panel.note_control(self.statuses, now))

    async def _prove(self, bus: Bus) -> None:
        """Ask the broker something that changes nothing: what it has for us comes before its answer."""
        while True:
            await bus.while_connected(bus.unsubscribe(ALARM.at(site=self.site, alarm=MARK)))
            self.delivery.answered(time.monotonic())
            await asyncio.sleep(PROOF)

    async def _hear_some(self, waiting: deque[Heard[Any]]) -> None:
        """The oldest of what waits: what several messages change is written and said together, in its order. A request
        is answered behind what was heard before it."""
        changes: Changes = []
        heard, end = waiting[0], time.monotonic() + TOGETHER
        while waiting and time.monotonic() < end:
            heard = waiting.popleft()
            with self.guarded(heard):
                if heard.fault:
                    self.part.counts["unreadable"] += 1
                if heard.topic in (ALARM_REQUEST, ALARM_MAINTENANCE):
                    before, changes = changes, []
                    await self.telling.say(before)
                    await self._answer(heard)
                else:
                    changes += self._hear(heard)
        with self.guarded(heard):
            await self.telling.say(changes)

    def _hear(self, heard: Heard[Any]) -> Changes:
        try:
            self.beside.hear(heard.message, _now(), heard.place.get("device", ""))
        except OSError as wrong:
            self.part.log.warning("who was told to form an island cannot be kept: %s", wrong.strerror)
        return self._judge(heard)

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

    async def _answer(self, heard: Heard[AlarmRequest]) -> None:
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
        await self.telling.say(given.changes)
        await self.part.events.say(ALARM_OUTCOME, said, site=self.site, alarm=name)

    async def _judge_ourselves(self) -> None:
        """Also without a connection: then it is written down, and said with the next one."""
        async with self.turn:
            changes = self.panel.note_service(self.part.name, self.part.status(), _now())
            if changes:
                await self._count()
            with suppress(aiomqtt.MqttError, Refused):
                await self.telling.say(changes)


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
