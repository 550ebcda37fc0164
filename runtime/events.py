"""What a part says and the archive must not miss: said at once, and kept until the archive has committed it.

Who listens live hears it where it always was. The copy for the archive goes to a topic of its own, again and again
until it is confirmed: nobody obeys what is said there. What outsiders say has no such copy; the archive hears it live.
"""

import asyncio
import contextlib
import sqlite3
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiomqtt
from pydantic import BaseModel, ValidationError

from runtime.bus import Bus, Refused
from runtime.causes import Causes
from runtime.event_outbox import EventOutbox, Row
from runtime.machine import boot
from schemas.messages import Archived, Cause
from schemas.topics import SERVICE_ARCHIVED, SERVICE_EVENT, SERVICE_STATUS, M, Topic
from schemas.units import utc_now

KEPT = "events"
ON_THE_WAY = 20
"""Events the broker may owe an acknowledgement for at once: the newest readings must find the line free."""

LOOK, TIDY = 1.0, 5.0
"""Seconds between two looks for what is late, and between two checkpoints of the file."""

QUIET = {*SERVICE_STATUS.writers} - {*SERVICE_EVENT.writers}
"""Parts that say nothing for the archive; one with a name of its own is a bridge."""

SHOWN = 600.0
"""Seconds a file that was set aside, or one that is full, is a trouble."""

Said = tuple[Topic[Any], BaseModel | None, dict[str, str]]
"""Topic, message (None clears a retained topic) and place."""


class Events:
    """Of one part. Before `open` nothing is kept: a site without an archive needs nothing else."""

    def __init__(self, site: str, service: str, counts: Counter[str], causes: Causes) -> None:
        self.place = {"site": site, "service": service}
        self.bus: Bus | None = None
        """The connection, while there is one."""
        self._counts, self._causes = counts, causes
        self._outbox: EventOutbox | None = None
        self._news = asyncio.Event()
        self._on_the_way = 0

    def open(self, folder: Path) -> None:
        """Keep what is said from now on. A folder that cannot be written to costs the copies, not the words."""
        if self.place["service"] not in QUIET:
            self._outbox = EventOutbox(folder / f"events-{self.place['site']}-{self.place['service']}.db", boot())
            self._say_trouble(self._outbox)

    async def say(self, topic: Topic[M], message: M | None, *, expiry: float | None = None, **place: str) -> None:
        """As Bus.say while there is a connection, and kept for the archive in any case.

        Raises what Bus.say raises, and nothing without a connection.
        """
        self._keep([(topic, message, place)])
        if self.bus is not None:
            await self.bus.say(topic, message, expiry=expiry, **place)

    async def say_all(self, said: Sequence[Said]) -> None:
        """Several, heard in this order: the broker is waited for once, behind the last of them. Raises as `say`."""
        self._keep(said)
        if self.bus is not None:
            packed = [(topic.at(**place), _packed(message), topic.retain) for topic, message, place in said]
            await self.bus.send_all(packed)

    def post(self, topic: Topic[M], message: M | None, **place: str) -> None:
        """The same without waiting for the broker. Raises ValueError when it is too large to send."""
        self._keep([(topic, message, place)])
        if self.bus is not None:
            with contextlib.suppress(aiomqtt.MqttError):
                self.bus.post(topic.at(**place), _packed(message), retain=topic.retain)

    async def send(self, bus: Bus) -> None:
        """While there is a connection: the archive gets what it has not confirmed."""
        if self._outbox is None:
            return
        self._outbox.forget_sent()
        self._on_the_way = 0
        self._causes.clear(Cause.BROKER_REFUSES, about=KEPT)
        try:
            async with bus.aside(SERVICE_ARCHIVED.at(**self.place), self._confirmed):
                while True:
                    self._news.clear()
                    self._send_due(bus, self._outbox)
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(LOOK):
                            await self._news.wait()
        except Refused as wrong:  # then it is never confirmed; the rest of the part goes on
            self._causes.add(Cause.BROKER_REFUSES, str(wrong), about=KEPT)

    async def look_after(self) -> None:
        """For ever: keep the file tidy. Beside the loop's work, because it waits for the disk."""
        while True:
            await asyncio.sleep(TIDY)
            if (outbox := self._outbox) is not None:
                outbox.file.mend()
                self._say_trouble(outbox)
                with contextlib.suppress(sqlite3.Error):  # the next one will do
                    await asyncio.to_thread(outbox.file.checkpoint)

    def close(self) -> None:
        if self._outbox is not None:
            self._outbox.close()
        self._outbox = None

    def _keep(self, said: Sequence[Said]) -> None:
        outbox = self._outbox
        events = [(topic.at(**place), _packed(message)) for topic, message, place in said if message is not None]
        if outbox is None or not events:
            return
        if not outbox.keep(utc_now(), events):
            self._counts["lost_events"] += len(events)
        if outbox.dropped > self._counts["dropped_events"]:
            self._counts["dropped_events"] = outbox.dropped
            words = f"{outbox.file.path} is full: the oldest events are given up"
            self._causes.add(Cause.OUTBOX, words, about="full", seconds=SHOWN)
        self._say_trouble(outbox)
        self._news.set()

    def _say_trouble(self, outbox: EventOutbox) -> None:
        if outbox.file.aside:  # it is only something to look at in the folder
            self._causes.add(Cause.OUTBOX, outbox.file.aside, about="set aside", seconds=SHOWN)
            outbox.file.aside = ""
        if words := outbox.file.trouble:
            self._causes.add(Cause.OUTBOX, words, about=KEPT)
        else:
            self._causes.clear(Cause.OUTBOX, about=KEPT, words="what is said is kept for the archive again")

    def _send_due(self, bus: Bus, outbox: EventOutbox) -> None:
        with contextlib.suppress(aiomqtt.MqttError):  # said by the link
            while (room := ON_THE_WAY - self._on_the_way) > 0:
                rows = outbox.due(time.monotonic(), room)
                if not rows:
                    return
                for row in rows:
                    self._post(bus, outbox, row)

    def _post(self, bus: Bus, outbox: EventOutbox, row: Row) -> None:
        try:
            answered = bus.post(SERVICE_EVENT.at(**self.place), row.body())
        except ValueError:  # no broker takes it, and it would be tried for ever
            self._counts["too_large_events"] += 1
            outbox.confirm(row.epoch, [(row.seq, row.seq)], time.monotonic())
            return
        self._on_the_way += 1
        answered.add_done_callback(lambda _: self._answered(bus))

    def _answered(self, bus: Bus) -> None:
        if bus is self.bus:
            self._on_the_way -= 1
            if self._on_the_way < ON_THE_WAY // 2:
                self._news.set()

    def _confirmed(self, _: str, payload: bytes) -> None:
        with contextlib.suppress(ValidationError):
            said = Archived.model_validate_json(payload)
            if self._outbox is not None:
                self._counts["confirmed_events"] += self._outbox.confirm(said.epoch, said.ranges, time.monotonic())
                self._say_trouble(self._outbox)
                self._news.set()


def _packed(message: BaseModel | None) -> bytes:
    return b"" if message is None else message.model_dump_json().encode()
