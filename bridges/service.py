"""The bridge: reads devices, keeps each sample until it is archived, and lets commands through the guard.

The control loop never waits for broker, disk or archive: reading and guarding run beside the connection.
"""

import asyncio
import contextlib
import sqlite3
import time
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

from bridges.board import Board
from bridges.control import Control, Say
from bridges.device import Field
from bridges.modbus import Declined, Line, Unreachable
from bridges.quality import judge
from bridges.spool import AGAIN, Key, Spool
from runtime.bus import Bus, Heard, Refused
from runtime.part import Part
from schemas.messages import Archived, DeviceState, DeviceStatus, Outcome, Telemetry, Value
from schemas.topics import ARCHIVED, COMMAND, DEVICE_STATUS, META, OUTCOME, TELEMETRY
from schemas.troubles import Trouble
from schemas.units import utc_now

HISTORICAL = 10.0
"""Seconds after which a sample is sent as history: alarms and dispatch then leave it alone."""

LONGEST_PAUSE = 10.0
"""Seconds between two tries at a silent device, so that it does not hold up the others on its line."""


async def run(part: Part, only: list[str] | None = None) -> None:
    """Serve the site's devices, or only some of them, until told to stop."""
    bridge = Bridge(part, _devices(part, only))
    part.patience = None  # a site without a broker must be read and guarded all the same
    try:
        await part.run(bridge.work, bridge.read_all)
    finally:
        bridge.close()


def _devices(part: Part, only: list[str] | None) -> list[Field]:
    known = [device.name for device in part.site.device]
    for name in only or []:
        if name not in known:
            raise Trouble.unknown(f"device {name!r}", name, known)
    battery, grid = part.site.battery, part.site.grid
    if only and battery.pcs in only and not {battery.bms, grid.meter} <= set(only):
        raise Trouble(f"the bridge of {battery.pcs} must also serve {battery.bms} and {grid.meter}: it guards by them")
    lines: dict[str, Line] = {}
    fields = []
    for device in part.site.device:
        if only and device.name not in only:
            continue
        line = lines.setdefault(device.address, Line(device.address, *device.endpoint))
        profile = part.site.profiles[device.name]
        fields.append(Field(device, profile, line, writable=part.site.mode == "control" and bool(profile.commands)))
    return fields


@dataclass
class Bridge:
    """All devices of one process."""

    part: Part
    fields: list[Field]
    board: Board = field(default_factory=Board)
    bus: Bus | None = None
    """The connection, while there is one."""

    def __post_init__(self) -> None:
        self.site = self.part.site.site
        self.spool = Spool(self.part.settings.state / f"outbox-{self.site}-{self.part.name}.db")
        self.controls = {
            one.device.name: Control(one, self.part.site, self.board, self._sayer(one.device.name))
            for one in self.fields
        }
        self._said: dict[str, DeviceStatus] = {}

    async def read_all(self) -> None:
        """Read every device on its own raster; none waits for another."""
        async with asyncio.TaskGroup() as group:
            for one in self.fields:
                group.create_task(self._poll(one), name=f"bridge.{one.device.name}.poll")

    async def work(self, bus: Bus) -> None:
        """While there is a connection: introduce the devices, send what waits, take commands and confirmations."""
        self.bus = bus
        self.spool.forget_sent()
        try:
            for one in self.fields:
                await bus.say(META, one.meta(), site=self.site, device=one.device.name)
                if one.device.name in self._said:
                    await bus.say(DEVICE_STATUS, self._said[one.device.name], site=self.site, device=one.device.name)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._send_backlog(bus), name="bridge.backlog")
                async for batch in bus.listen(*self._addresses()):
                    bus.ack(batch)
                    for heard in batch:
                        self._take(heard, group)
        finally:
            self.bus = None

    def close(self) -> None:
        for one in self.fields:
            one.line.close()
        self.spool.close()

    # reading -----------------------------------------------------------------------------------

    async def _poll(self, one: Field) -> None:
        """Read a device for ever, on a fixed raster: a slow answer does not shift the next reading."""
        period, start, turn = one.device.poll, time.monotonic(), 0
        while True:
            await self._cycle(one)
            if one.failures:
                pause = min(period * 2 ** min(one.failures - 1, 8), max(period, LONGEST_PAUSE))
                await asyncio.sleep(pause)
            turn = max(turn + 1, int((time.monotonic() - start) / period))
            await asyncio.sleep(start + turn * period - time.monotonic())

    async def _cycle(self, one: Field) -> None:
        known = bool(one.points)
        try:
            values = await one.read()
        except (Unreachable, Declined) as wrong:
            one.failures += 1
            one.reason = str(wrong)
            self.part.counts["failed_readings"] += 1
            if one.failures >= 2:
                one.forget()
                await self._tell(one, DeviceState.OFFLINE, str(wrong))
            return
        one.failures, one.reason = 0, ""
        sample = self._sample(one, values)
        self.board.note(one.device.name, sample, time.monotonic())
        self._publish(one.device.name, sample)
        if not known and self.bus is not None:
            with contextlib.suppress(aiomqtt.MqttError):  # its models are known only now
                await self.bus.say(META, one.meta(), site=self.site, device=one.device.name)
        bad = ", ".join(f"{point} {quality}" for point, quality in sample.quality.items())
        await self._tell(one, DeviceState.DEGRADED if bad else DeviceState.ONLINE, bad)
        await self.controls[one.device.name].tick()

    def _sample(self, one: Field, values: dict[str, Value]) -> Telemetry:
        return Telemetry(
            at=utc_now(),
            epoch=self.spool.epoch,
            seq=self.spool.next(one.device.name),
            values=values,
            quality=judge(values, one.profile),
        )

    def _publish(self, device: str, sample: Telemetry) -> None:
        """Down first, then out: the newest sample at once, whatever still waits."""
        try:
            body = self.spool.keep(device, sample)
        except sqlite3.Error as wrong:
            self.part.counts["lost_samples"] += 1
            self.part.detail = f"the outbox cannot be written: {wrong}"
            return
        self.part.counts["samples"] += 1
        self.part.counts["dropped_samples"] = self.spool.dropped
        self.part.succeeded()
        self._post((sample.epoch, device, sample.seq), body)

    async def _tell(self, one: Field, state: DeviceState, reason: str) -> None:
        """Say a device's state when it changes."""
        said = self._said.get(one.device.name)
        if said is not None and (said.state, said.reason) == (state, reason):
            return
        if said is None or said.state != state:
            log = self.part.log.info if state is DeviceState.ONLINE else self.part.log.warning
            log("%s is %s%s", one.device.name, state.value, f": {reason}" if reason else "")
        status = DeviceStatus(at=utc_now(), state=state, reason=reason)
        self._said[one.device.name] = status
        if self.bus is not None:
            with contextlib.suppress(aiomqtt.MqttError):  # said again with the next connection
                await self.bus.say(DEVICE_STATUS, status, site=self.site, device=one.device.name)

    # sending -----------------------------------------------------------------------------------

    def _post(self, key: Key, body: bytes) -> None:
        if self.bus is None:
            return
        with contextlib.suppress(aiomqtt.MqttError):
            confirmed = self.bus.post(TELEMETRY.at(site=self.site, device=key[1]), body)
            self.spool.sent(key, time.monotonic())
            if not self.part.site.archive:
                confirmed.add_done_callback(lambda done: self._accepted(done, key))

    def _accepted(self, done: "asyncio.Future[int]", key: Key) -> None:
        """Without an archive the broker's word is all there is."""
        epoch, device, seq = key
        if not done.cancelled() and done.exception() is None and done.result() < 0x80:
            self.spool.confirm(device, epoch, [(seq, seq)])

    async def _send_backlog(self, bus: Bus) -> None:
        """What waits, oldest first and in windows, so that the newest samples always find the line free."""
        while True:
            window = self.spool.backlog(time.monotonic())
            for key, body in window:
                self._post(key, _late(body))
            self.part.lag = float(len(self.spool))
            await asyncio.sleep(0.05 if window else AGAIN / 10)
            if bus is not self.bus:
                return

    # hearing -----------------------------------------------------------------------------------

    def _addresses(self) -> list[str]:
        names = [one.device.name for one in self.fields]
        return [topic.at(site=self.site, device=name) for topic in (COMMAND, ARCHIVED) for name in names]

    def _take(self, heard: Heard[Any], group: asyncio.TaskGroup) -> None:
        device = heard.place["device"]
        if heard.topic is ARCHIVED and isinstance(heard.message, Archived):
            confirmed = self.spool.confirm(device, heard.message.epoch, heard.message.ranges)
            self.part.counts["confirmed_samples"] += confirmed
        elif heard.topic is COMMAND:
            self.part.counts["commands"] += 1
            group.create_task(self.controls[device].obey(heard), name=f"bridge.{device}.command")

    def _sayer(self, device: str) -> Say:
        async def say(outcome: Outcome) -> None:
            self.part.counts[f"outcomes_{outcome.state.value}"] += 1
            if self.bus is None:
                return
            with contextlib.suppress(aiomqtt.MqttError, Refused):
                await self.bus.say(OUTCOME, outcome, site=self.site, device=device)

        return say


def _late(body: bytes) -> bytes:
    """The payload of a kept sample, marked as history when it is no longer live."""
    sample = Telemetry.model_validate_json(body)
    if (utc_now() - sample.at).total_seconds() <= HISTORICAL:
        return body
    return sample.model_copy(update={"historical": True}).model_dump_json().encode()
