"""The bridge: reads devices, keeps each sample until it is archived, and lets commands through the guard.

The control loop never waits for broker, disk or archive: reading and guarding run beside the connection.
"""

import asyncio
import random
import time
from dataclasses import dataclass, field
from typing import Any

import aiomqtt

from bridges.control.controller import Controller
from bridges.control.pending_commands import Say
from bridges.control.write_log import WriteLog
from bridges.fieldbus.modbus.connection import Connection, Declined, Unreachable
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.telemetry.latest_values import LatestValues
from bridges.telemetry.outbox import Outbox
from bridges.telemetry.publisher import Publisher
from bridges.telemetry.quality import Judge, stand_in
from runtime.bus import Bus
from runtime.heard import Heard
from runtime.part import Part
from schemas.messages import METER_SIGN_SUSPECT, Archived, Cause, DeviceState, DeviceStatus, Outcome
from schemas.site import Site
from schemas.topics import ARCHIVED, COMMAND, DEVICE_STATUS, META, OUTCOME, M, Topic
from schemas.troubles import Trouble
from schemas.units import Quality, utc_now

LONGEST_PAUSE = 10.0
"""Seconds between two tries at a silent device, so that it does not hold up the others on its line."""

SPREAD, STEP = 1.0, 0.04
"""Seconds over which the first readings are spread, and in steps of how many: not all devices are read at once, and
those that are share a commit."""


async def run(part: Part, only: list[str] | None = None) -> None:
    """Serve the site's devices, or only some of them, until told to stop."""
    bridge = Bridge(part, devices(part, only))
    part.patience = None  # a site without a broker must be read and guarded all the same
    try:
        await part.run(bridge.work, bridge.read_all)
    finally:
        bridge.close()


def devices(part: Part, only: list[str] | None = None) -> list[ModbusDevice]:
    """The site's devices on their lines; those with one address share one. Raises Trouble for an unknown name."""
    known = [device.name for device in part.site.device]
    for name in only or []:
        if name not in known:
            raise Trouble.unknown(f"device {name!r}", name, known)
    battery, grid = part.site.battery, part.site.grid
    if only and battery.pcs in only and not {battery.bms, grid.meter} <= set(only):
        raise Trouble(f"the bridge of {battery.pcs} must also serve {battery.bms} and {grid.meter}: it guards by them")
    lines: dict[str, Connection] = {}
    fields = []
    for device in part.site.device:
        if only and device.name not in only:
            continue
        line = lines.get(device.address) or lines.setdefault(device.address, Connection(device.address))
        profile = part.site.profiles[device.name]
        writable = part.site.mode == "control" and bool(profile.commands or profile.actions)
        fields.append(ModbusDevice(device, profile, line, writable=writable))
    return fields


@dataclass
class Bridge:
    """All devices of one process."""

    part: Part
    fields: list[ModbusDevice]
    board: LatestValues = field(default_factory=LatestValues)

    def __post_init__(self) -> None:
        self.site = self.part.site.site
        spool = Outbox(self.part.settings.state / f"outbox-{self.site}-{self.part.name}.db")
        self.outgoing = Publisher(self.part, spool)
        self.wear = WriteLog(self.part.settings.state / f"writes-{self.site}-{self.part.name}.db")
        bms = next((one for one in self.fields if one.device.name == self.part.site.battery.bms), None)
        self.controls = {
            one.device.name: Controller(
                one,
                self.part.site,
                self.board,
                self._sayer(one.device.name),
                counts=self.part.counts,
                key=self.part.settings.command_key,
                wear=self.wear,
                battery=bms if one.device.name == self.part.site.battery.pcs else None,
            )
            for one in self.fields
        }
        self._judges = {one.device.name: Judge(one.profile, _most_power(self.part.site, one)) for one in self.fields}
        self._said: dict[str, DeviceStatus] = {}

    async def read_all(self) -> None:
        """Read every device on its own raster; none waits for another."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.outgoing.look_after(), name="bridge.outbox")
            for number, one in enumerate(self.fields):
                phase = number / len(self.fields) * min(one.device.poll, SPREAD)
                group.create_task(self._poll(one, phase - phase % STEP), name=f"bridge.{one.device.name}.poll")

    async def work(self, bus: Bus) -> None:
        """While there is a connection: introduce the devices, send what waits, take commands and confirmations."""
        self.outgoing.bus = bus
        self.outgoing.spool.forget_sent()
        try:
            for one in self.fields:
                await self._introduce(bus, one)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.outgoing.send_backlog(bus), name="bridge.backlog")
                async for batch in bus.listen(*self._addresses()):
                    bus.ack(batch)
                    for heard in batch:
                        self._take(heard, group)
        finally:
            self.outgoing.bus = None

    async def _introduce(self, bus: Bus, one: ModbusDevice) -> None:
        """A word that is too large for the broker is left out: the readings go on. Raises Refused."""
        name = one.device.name
        try:
            await bus.say(META, one.meta(), site=self.site, device=name)
            if name in self._said:
                await bus.say(DEVICE_STATUS, self._said[name], site=self.site, device=name)
        except ValueError as wrong:
            self.part.log.warning("not said: %s", wrong)

    @property
    def bus(self) -> Bus | None:
        """The connection, while there is one."""
        return self.outgoing.bus

    def close(self) -> None:
        for one in self.fields:
            one.line.close()
        self.outgoing.close()
        self.wear.close()

    # reading -----------------------------------------------------------------------------------

    async def _poll(self, one: ModbusDevice, phase: float) -> None:
        """Read a device for ever, on a fixed raster: a slow answer does not shift the next reading."""
        period, start, turn = one.device.poll, time.monotonic() + phase, 0
        while True:
            await asyncio.sleep(start + turn * period - time.monotonic())
            await self._cycle(one)
            if one.failures:
                pause = min(period * 2 ** min(one.failures - 1, 8), max(period, LONGEST_PAUSE))
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            turn = max(turn + 1, int((time.monotonic() - start) / period))

    async def _cycle(self, one: ModbusDevice) -> None:
        known = bool(one.points)
        try:
            values = await one.read()
        except (Unreachable, Declined) as wrong:
            one.failures += 1
            one.reason = str(wrong)
            self.part.counts["failed_readings"] += 1
            if one.failures >= 2:
                one.forget()
                cause = Cause.DECLINED if isinstance(wrong, Declined) else Cause.NO_ANSWER
                self._tell(one, DeviceState.OFFLINE, str(wrong), [cause])
            return
        one.failures, one.reason = 0, ""
        now = time.monotonic()
        quality = self._judges[one.device.name].judge(values, one.raw, now)
        if one.device.substitute:
            values, quality = stand_in(values, quality, one.device.substitute)
        sample = self.outgoing.put(one.device.name, values, quality)
        self.board.note(one.device.name, sample, now)
        if not known:  # its models are known only now
            self._say(META, one.meta(), one.device.name)
        bad = ", ".join(f"{point} {quality}" for point, quality in sample.quality.items())
        causes = [
            Cause.FROZEN if quality == Quality.FROZEN else Cause.DOUBTED_VALUES for quality in sample.quality.values()
        ]
        if suspect := self._doubt(one.device.name):
            bad, causes = suspect, [Cause.METER_POLARITY, *causes]
        self._tell(one, DeviceState.DEGRADED if bad else DeviceState.ONLINE, bad, causes)
        await self.controls[one.device.name].tick()

    def _doubt(self, device: str) -> str:
        """Why a device is not believed, although it answers."""
        control = self.controls.get(self.part.site.battery.pcs)
        suspect = device == self.part.site.grid.meter and control is not None and control.suspicion
        return f"{METER_SIGN_SUSPECT}: {suspect}" if suspect else ""

    def _tell(self, one: ModbusDevice, state: DeviceState, reason: str, causes: list[Cause]) -> None:
        """Say a device's state when it changes, and when samples of another hour were given up."""
        said, dropped = self._said.get(one.device.name), self.outgoing.dropped(one.device.name)
        names = [str(cause) for cause in dict.fromkeys(causes)]
        known = (said.state, said.causes, said.reason, said.dropped) if said is not None else None
        if known == (state, names, reason, dropped):
            return
        if said is None or said.state != state:
            log = self.part.log.info if state is DeviceState.ONLINE else self.part.log.warning
            log("%s is %s%s", one.device.name, state.value, f": {reason}" if reason else "")
        status = DeviceStatus(at=utc_now(), state=state, causes=names, reason=reason, dropped=dropped)
        self._said[one.device.name] = status
        self._say(DEVICE_STATUS, status, one.device.name)

    def _say(self, topic: Topic[M], message: M, device: str) -> None:
        """Without waiting for the broker: it may be frozen, and the reading goes on. What a new connection must
        know is said again when it is made."""
        if self.bus is None:
            return
        body = message.model_dump_json().encode()
        try:
            self.bus.post(topic.at(site=self.site, device=device), body, retain=topic.retain)
        except ValueError as wrong:
            self.part.log.warning("not said: %s", wrong)
        except aiomqtt.MqttError:
            pass

    # hearing -----------------------------------------------------------------------------------

    def _addresses(self) -> list[str]:
        names = [one.device.name for one in self.fields]
        return [topic.at(site=self.site, device=name) for topic in (COMMAND, ARCHIVED) for name in names]

    def _take(self, heard: Heard[Any], group: asyncio.TaskGroup) -> None:
        device = heard.place["device"]
        if heard.topic is ARCHIVED and isinstance(heard.message, Archived):
            self.outgoing.confirm(device, heard.message)
        elif heard.topic is COMMAND:
            self.part.counts["commands"] += 1
            group.create_task(self.controls[device].obey(heard), name=f"bridge.{device}.command")

    def _sayer(self, device: str) -> Say:
        async def say(outcome: Outcome) -> None:
            self.part.counts[f"outcomes_{outcome.state.value}"] += 1
            self._say(OUTCOME, outcome, device)

        return say


def _most_power(site: Site, one: ModbusDevice) -> float | None:
    """W that can go through a device, by the ratings in the site file."""
    if one.device.rated_power is not None:
        return one.device.rated_apparent_power or one.device.rated_power
    if one.device.name == site.grid.meter:
        return max(site.grid.import_limit, site.grid.export_limit)
    if one.device.name == site.battery.bms:
        return site.named(site.battery.pcs).rated_power
    return None
