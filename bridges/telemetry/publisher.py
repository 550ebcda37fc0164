"""Samples on their way out: kept on disk in small groups, sent live first, and again until they are confirmed."""

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import aiomqtt

from bridges.telemetry.outbox import AGAIN, Outbox
from bridges.telemetry.outbox_rows import Key, Row
from bridges.telemetry.send_window import SendWindow
from runtime.bus import LARGEST, Bus
from runtime.part import Part
from schemas.messages import Archived, Cause, Telemetry, Value
from schemas.topics import TELEMETRY
from schemas.units import Quality, utc_now

HISTORICAL = 10.0
"""Seconds after which a sample is sent as history: alarms and dispatch then leave it alone."""

WINDOW = 0.002
"""Seconds in which samples gather for one commit: two hundred commits a second would cost more than the readings."""

CHECKPOINT = 5.0
"""Seconds between two checkpoints of the outbox."""

TOLD = 3600.0
"""Seconds for which it is told that a file was set aside; what nobody acknowledged stays with the alarm."""

FULL = 60.0
"""Seconds after the last sample was given up in which the outbox counts as full."""

BACKLOG = 60.0
"""Seconds of samples that may wait to be confirmed: one that is sent again has had six chances."""

STEP_BACK = timedelta(seconds=1)
"""A clock that went back farther than this was set; less is how time servers correct it."""

_LIVE, _LATE = b'"historical":false', b'"historical":true'


class Publisher:
    """The sending side of a bridge. Down first, then out: the newest sample at once, whatever still waits."""

    def __init__(self, part: Part, spool: Outbox, clock: Callable[[], datetime] = utc_now) -> None:
        self.part, self.spool = part, spool
        self.bus: Bus | None = None
        """The connection, while there is one."""
        self.pace = SendWindow()
        self._clock = clock
        self._last = clock()
        self._fresh: list[Row] = []
        self._confirmed: list[tuple[str, str, list[tuple[int, int]]]] = []
        self._due = False
        self._unkept = 0
        """Samples that were sent and could not be kept."""
        self._full_until = float("-inf")
        self._aside = ("", 0.0)
        """Which file was set aside, and since when that is told."""
        part.counts["dropped_samples"] = spool.dropped

    @property
    def trouble(self) -> str:
        """What is wrong with the outbox, in words for people (the cause is `outbox`); empty when nothing is."""
        full = "the outbox is full or nobody takes its samples: the oldest go"
        return "; ".join(filter(None, [self.spool.trouble, full if _now() < self._full_until else ""]))

    def put(self, device: str, values: dict[str, Value], quality: Mapping[str, Quality]) -> Telemetry:
        """Make a sample of what was read now; it leaves with the next group."""
        return self.put_from(self._now(), device, values, quality)

    def put_from(
        self, moment: datetime, device: str, values: dict[str, Value], quality: Mapping[str, Quality]
    ) -> Telemetry:
        """The same of what was read at an earlier moment."""
        at = min(moment, self._now())
        sample = Telemetry.model_construct(  # checked already: every value comes out of the codec
            at=at, epoch=self.spool.epoch, seq=self.spool.next(device), values=values, quality=dict(quality)
        )
        key = (sample.epoch, device, sample.seq)
        self._fresh.append(Row(key, at.timestamp(), sample.model_dump_json().encode()))
        self._soon()
        return sample

    def confirm(self, device: str, archived: Archived) -> None:
        """The archive has some samples."""
        self._confirmed.append((device, archived.epoch, archived.ranges))
        self._soon()

    def dropped(self, device: str) -> list[tuple[datetime, datetime]]:
        """The hours of which samples were given up because the outbox was full: first and last of each stretch."""
        hours = self.spool.dropped_hours.get(device, ())
        return [(_hour(first), _hour(last)) for first, last in hours]

    def flush(self) -> None:
        """Write the group down and send it. A full disk loses the proof of delivery, not the live values."""
        self._due = False
        fresh, self._fresh = self._fresh, []
        confirmed, self._confirmed = self._confirmed, []
        if confirmed:  # first: it makes room
            self.part.counts["confirmed_samples"] += self.spool.confirm(confirmed)
        if fresh and self.spool.keep(fresh, sent=self.bus is not None):
            self.part.counts["samples"] += len(fresh)
            self.part.succeeded()
            self._send_all(fresh, kept=True)
        elif fresh:
            self._unkept += len(fresh)
            self._send_all(self._nameless(fresh), kept=False)
        self._tell()

    async def send_backlog(self, bus: Bus) -> None:
        """What waits, oldest first and in windows, so that the newest samples always find the line free."""
        self.pace = SendWindow()
        while bus is self.bus:
            room = self.pace.past - bus.unconfirmed
            window = self.spool.backlog(_now(), room) if room > 0 else []
            old = self._clock().timestamp() - HISTORICAL
            for row in window:
                self._post(row.key, row.body if row.at > old else row.body.replace(_LIVE, _LATE, 1), kept=True)
            self.spool.mark_sent(window)
            await asyncio.sleep(0.02 if window or room <= 0 else AGAIN / 10)

    async def look_after(self) -> None:
        """Say how far we are behind, and keep the outbox tidy."""
        while True:
            wall = self._clock().timestamp()
            self.spool.mend()
            self.spool.give_up_unserved(wall)
            oldest = self.spool.oldest()
            self.part.lag = 0.0 if oldest is None else max(0.0, wall - oldest)
            self._tell()
            self._tell_backlog()
            with contextlib.suppress(sqlite3.Error):  # the next one will do; a full disk is said by who writes
                await asyncio.to_thread(self.spool.checkpoint)
            await asyncio.sleep(CHECKPOINT)

    def close(self) -> None:
        self.flush()
        self.spool.close()

    def _now(self) -> datetime:
        """The wall clock; it never goes back within an epoch, so that order and time of samples agree."""
        now = self._clock()
        if now < self._last - STEP_BACK:
            self.flush()
            if self.spool.renew():
                self.part.log.warning("the clock was set back by %s: a new epoch begins", self._last - now)
                self._last = now
        self._last = max(self._last, now)
        return self._last

    def _soon(self) -> None:
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(WINDOW, self.flush)

    def _tell(self) -> None:
        """What became of the samples, and since when the outbox is in trouble."""
        now = _now()
        if self.spool.dropped > self.part.counts["dropped_samples"]:
            self._full_until = now + FULL
        if self.spool.file.aside != self._aside[0]:
            self._aside = (self.spool.file.aside, now)
        elif now - self._aside[1] > TOLD:
            self.spool.file.aside = ""
        self.part.counts["dropped_samples"] = self.spool.dropped
        self.part.counts["lost_samples"] = self._unkept + self.spool.lost

    def _tell_backlog(self) -> None:
        """Also while it is sent at full speed after an outage: what the archive does not have yet it does not have."""
        # of n samples the oldest is n - 1 polls old at least; what waits under other names is nobody's reading any more
        late = [device.poll * (self.spool.waiting[device.name] - 1) for device in self.part.site.devices]
        if max(late, default=0.0) > BACKLOG:
            whose = "archive" if self.part.site.archive else "broker"
            words = f"more than {BACKLOG:.0f} s of samples wait for the word of the {whose}"
            self.part.causes.add(Cause.BACKLOG, words)
        else:
            self.part.causes.clear(Cause.BACKLOG, words="no samples wait any more")

    def _nameless(self, rows: list[Row]) -> list[Row]:
        """In an epoch of their own: the numbers of samples that were not kept are given again."""
        epoch = secrets.token_hex(8)
        return [
            Row((epoch, *row.key[1:]), row.at, row.body.replace(row.key[0].encode(), epoch.encode(), 1)) for row in rows
        ]

    def _send_all(self, rows: list[Row], *, kept: bool) -> None:
        for row in rows:
            self._post(row.key, row.body, kept=kept)

    def _post(self, key: Key, body: bytes, *, kept: bool) -> None:
        if self.bus is None:
            return
        if len(body) > LARGEST:
            self._refuse(key, len(body), kept=kept)
            return
        if kept and self.bus.unconfirmed >= self.pace.newest:
            return  # what is kept goes out later
        with contextlib.suppress(aiomqtt.MqttError):
            began, pace = _now(), self.pace
            confirmed = self.bus.post(TELEMETRY.at(site=self.part.site.site, device=key[1]), body)
            confirmed.add_done_callback(lambda done: pace.confirmed(began, _now()) if _answered(done) else None)
            if kept:
                self.spool.sent(key, began)
            if kept and not self.part.site.archive:
                confirmed.add_done_callback(lambda done: self._accepted(done, key))

    def _refuse(self, key: Key, size: int, *, kept: bool) -> None:
        """The broker would cut the connection, again and again, and nothing else would get through."""
        epoch, device, seq = key
        if not self.part.counts["too_large_samples"]:
            self.part.log.warning("a sample of %s has %d bytes: more than %d cannot be sent", device, size, LARGEST)
        self.part.counts["too_large_samples"] += 1
        if kept:
            self.spool.sent(key, _now())  # nobody tries it again until it is forgotten
            self.confirm(device, Archived(epoch=epoch, ranges=[(seq, seq)]))

    def _accepted(self, done: "asyncio.Future[int]", key: Key) -> None:
        """Without an archive the broker's word is all there is."""
        epoch, device, seq = key
        if _answered(done) and done.result() < 0x80:
            self.confirm(device, Archived(epoch=epoch, ranges=[(seq, seq)]))


def _now() -> float:
    """The loop's clock: the monotonic one, or the virtual one of a story."""
    return asyncio.get_running_loop().time()


def _hour(number: int) -> datetime:
    return datetime.fromtimestamp(number * 3600, UTC)


def _answered(done: "asyncio.Future[int]") -> bool:
    return not done.cancelled() and done.exception() is None
