"""The bridge: reads devices, keeps each sample until it is archived, and lets commands through the guard.

Reading and control never wait for broker, disk or archive: they run beside the connection. Each device has tasks of its
own; one that fails begins anew and holds up no other.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bridges.control import unknown_device
from bridges.control.controller import Controller
from bridges.control.site_limits import SiteLimits
from bridges.control.watchdog_care import LEFT_ALONE
from bridges.control.write_log import WriteLog
from bridges.controllers import controllers
from bridges.device_statuses import DeviceStatuses
from bridges.fieldbus.contract import Declined, FieldDevice, Unreachable
from bridges.fieldbus.sum_of_meters import SumOfMeters, with_sums
from bridges.served import devices
from bridges.telemetry.counter_memory import CounterMemory
from bridges.telemetry.latest_values import LatestValues
from bridges.telemetry.outbox import Outbox
from bridges.telemetry.publisher import Publisher
from bridges.telemetry.reader import SILENT, DeviceReader
from bridges.telemetry.sum_reader import SumReader
from runtime.bus import Bus
from runtime.guarded import Guarded
from runtime.heard import Heard
from runtime.memory import Memory
from runtime.part import Part
from runtime.stored import leftovers
from schemas.messages import Archived, Cause, DeviceState, DeviceStatus, Outcome
from schemas.topics import ARCHIVED, COMMAND, CONTROL_LIMITS, DEVICE_STATUS, META, OUTCOME, Topic
from schemas.units import utc_now

SPREAD, STEP = 1.0, 0.04
"""Seconds over which the first readings are spread, and in steps of how many: not all devices are read at once, and
those that are share a commit."""

LOOK = 5.0
"""Seconds between two looks at the files of this part."""

KEPT = 60.0
"""Seconds between two times that the counters are written down."""

AGAIN = 1.0
"""Seconds until a device's task that failed begins anew."""


async def run(part: Part, only: list[str] | None = None) -> None:
    """Serve the site's devices, or only some of them, until told to stop."""
    part.patience = None  # a site without a broker must be read and guarded all the same
    opened: list[Bridge] = []
    found = devices(part, only)

    def begin() -> None:
        opened.append(Bridge(part, found))

    async def work(bus: Bus) -> None:
        await opened[0].work(bus)

    async def serve() -> None:
        await opened[0].serve()

    try:
        await part.run(work, serve, begin=begin)
    finally:
        for bridge in opened:
            bridge.close()


@dataclass
class Bridge:
    """All devices of one process."""

    part: Part
    devices: Sequence[FieldDevice]
    latest: LatestValues = field(default_factory=LatestValues)

    def __post_init__(self) -> None:
        self.site = self.part.site.site
        self.devices = with_sums(self.part.site, self.devices)
        state = self.part.settings.state
        self.outgoing = Publisher(self.part, Outbox(state / f"outbox-{self.site}-{self.part.name}.db"))
        self.write_log = WriteLog(state / f"writes-{self.site}-{self.part.name}.db")
        self.outgoing.spool.serve(one.name for one in self.devices)
        self.readers = {
            one.name: DeviceReader(one, self.part.site, self.latest, self.outgoing)
            for one in self.devices
            if not isinstance(one, SumOfMeters)
        }
        memory = Memory(state / f"sum-{self.site}-{self.part.name}.json")
        summed = next((one for one in self.devices if isinstance(one, SumOfMeters)), None)
        self.sum = None if summed is None else SumReader.of(summed, self.readers, self.latest, self.outgoing, memory)
        """Of the grid meters, where they are several."""
        self.counters = CounterMemory(
            Memory(state / f"counters-{self.site}-{self.part.name}.json"),
            {name: one.judge.counters for name, one in self.readers.items()},
            {device.name: device.profile for device in self.part.site.device},
        )
        self.counters.recall(utc_now().timestamp())
        self.controls: dict[str, Controller] = {}
        self.limits = SiteLimits(self.part.site, Memory(state / f"limits-{self.site}-{self.part.name}.json"))
        self.limits.recall()
        self._guarded = Guarded(self.part.log, self.part.counts)
        self._cleared = False
        self.statuses = DeviceStatuses(self.part, self.outgoing.dropped)

    @property
    def said(self) -> dict[str, DeviceStatus]:
        """What was said last of each device."""
        return self.statuses.said

    async def serve(self) -> None:
        """Read and control every device; none waits for another."""
        self.controls = controllers(
            self.part, self.devices, self.latest, limits=self.limits, log=self.write_log, sayer=self._sayer
        )
        async with asyncio.TaskGroup() as group:
            group.create_task(self.outgoing.look_after(), name="bridge.outbox")
            group.create_task(self._look_at_files(), name="bridge.files")
            group.create_task(self._keep_counters(), name="bridge.counters")
            for name, reader in self.readers.items():
                cycle = functools.partial(self._cycle_and_sum, reader)
                self._start(group, f"{name}.poll", functools.partial(reader.poll, self._phase(reader), cycle))
            for name, control in self.controls.items():
                if control.takes_commands:
                    self._start(group, f"{name}.control", control.run)

    def _phase(self, reader: DeviceReader) -> float:
        """Seconds until a device is read first: those of one place at the same moment, as are meters that add up."""
        added = self.sum.readers if self.sum is not None else ()
        mates: Sequence[DeviceReader] = added if reader in added else [reader]
        places = [*dict.fromkeys(one.place for one in self.devices)]
        number = places.index(mates[0].device.place)
        phase = number / len(places) * min(SPREAD, *(one.device.poll for one in mates))
        return phase - phase % STEP

    async def _look_at_files(self) -> None:
        """What is wrong with what we keep is a trouble of this part."""
        while True:
            for about, words in (("samples", self.outgoing.trouble), ("writes", self.write_log.trouble)):
                if words:
                    self.part.causes.add(Cause.OUTBOX, words, about=about)
                else:
                    self.part.causes.clear(Cause.OUTBOX, about=about, words=f"the file of the {about} is well again")
            await asyncio.sleep(LOOK)

    async def _keep_counters(self) -> None:
        while True:
            await asyncio.sleep(KEPT)
            await asyncio.to_thread(self.counters.keep, utc_now().timestamp())

    def _start(self, group: asyncio.TaskGroup, name: str, job: Callable[[], Awaitable[None]]) -> None:
        group.create_task(self._keep_up(name, job), name=f"bridge.{name}")

    async def _keep_up(self, name: str, job: Callable[[], Awaitable[None]]) -> None:
        """One device's task fails alone, and begins anew."""
        while True:
            try:
                await job()
            except Exception:  # what nobody has thought of must end neither the guard nor the other devices
                self.part.counts["failed_tasks"] += 1
                self.part.log.exception("%s has failed and begins anew", name)
            await asyncio.sleep(AGAIN)

    async def work(self, bus: Bus) -> None:
        """While there is a connection: introduce the devices, send what waits, take commands and confirmations."""
        self.outgoing.bus = bus
        self.outgoing.spool.forget_sent()
        try:
            for one in self.devices:
                await self._introduce(bus, one)
            async with asyncio.TaskGroup() as group:
                group.create_task(self.outgoing.send_backlog(bus), name="bridge.backlog")
                group.create_task(self._clear_leftovers(bus), name="bridge.leftovers")
                async for batch in bus.listen(*self._addresses()):
                    bus.ack(batch)
                    for heard in batch:
                        with self._guarded(heard):
                            self._take(heard)
        finally:
            self.outgoing.bus = None

    async def _clear_leftovers(self, bus: Bus) -> None:
        """What the broker kept of devices that the site file has no more: a renamed one would stay `online` for ever.
        Raises Refused."""
        if self._cleared:
            return
        known = {device.name for device in self.part.site.devices}
        topics: tuple[Topic[Any], ...] = (META, DEVICE_STATUS)
        for topic in topics:
            for name in await leftovers(bus, topic, site=self.site) - known:
                await bus.say(topic, None, site=self.site, device=name)
                self.part.log.info("the %s of %s is cleared: the site file has no such device", topic.name, name)
        self._cleared = True

    async def _introduce(self, bus: Bus, one: FieldDevice) -> None:
        """A word that is too large for the broker is left out: the readings go on. Raises Refused."""
        try:
            await bus.say(META, one.meta(), site=self.site, device=one.name)
            if one.name in self.said:
                await bus.say(DEVICE_STATUS, self.said[one.name], site=self.site, device=one.name)
        except ValueError as wrong:
            self.part.log.warning("not said: %s", wrong)

    @property
    def bus(self) -> Bus | None:
        """The connection, while there is one."""
        return self.outgoing.bus

    def close(self) -> None:
        for one in self.devices:
            one.close()
        self.counters.keep(utc_now().timestamp())
        self.outgoing.close()
        self.write_log.close()

    # reading -----------------------------------------------------------------------------------

    async def _cycle_and_sum(self, one: DeviceReader) -> None:
        await self._cycle(one)
        if self.sum is not None and one.device.name in self.sum.names and self.sum.due():
            await self._cycle(self.sum)

    async def _cycle(self, one: DeviceReader | SumReader) -> None:
        name = one.device.name
        control, before = self.controls[name], one.known
        if control.left_alone:
            self.statuses.tell(name, DeviceState.OFFLINE, [(Cause.LEFT_ALONE, LEFT_ALONE)], control)
            return
        try:
            began, doubts = await one.read()
        except (Unreachable, Declined) as wrong:
            self._missed(one, wrong)
            return
        one.known = True
        if not before:  # its models are known only now
            self.statuses.say(META, one.device.meta(), name)
        control.read(began)
        self._wake(name)
        troubles = [*self.statuses.troubles(name, self.controls), *doubts]
        degraded = any(cause is not Cause.MISSING_POINTS for cause, _ in troubles)  # what a model lacks is no trouble
        self.statuses.tell(name, DeviceState.DEGRADED if degraded else DeviceState.ONLINE, troubles, control)

    def _missed(self, one: DeviceReader | SumReader, wrong: Unreachable | Declined) -> None:
        self.part.counts["failed_readings"] += 1
        if one.failures < SILENT:
            return
        control = self.controls[one.device.name]
        control.silent()
        cause = Cause.DECLINED if isinstance(wrong, Declined) else Cause.NO_ANSWER
        troubles = [(cause, str(wrong)), *self.statuses.troubles(one.device.name, self.controls)]
        self.statuses.tell(one.device.name, DeviceState.OFFLINE, troubles, control)

    def _wake(self, name: str) -> None:
        """A battery decides by its BMS, by the grid meter and by what its interlocks look at, too."""
        for control in self.controls.values():
            if control.battery is not None and name in control.battery.watches:
                control.wake()

    # hearing -----------------------------------------------------------------------------------

    def _addresses(self) -> list[str]:
        names = [one.name for one in self.devices]
        # of several bridges the first hears all: what is sent to no device of the site is answered, and once
        heard = ["+"] if self.part.site.device[0].name in names else names
        commands = [COMMAND.at(site=self.site, device=name) for name in heard]
        # samples of a device that was renamed are taken by its old name, too
        waiting = dict.fromkeys([*names, *self.outgoing.spool.devices()])
        limits = CONTROL_LIMITS.at(site=self.site)
        return [*commands, limits, *(ARCHIVED.at(site=self.site, device=name) for name in waiting)]

    def _take(self, heard: Heard[Any]) -> None:
        if heard.topic is CONTROL_LIMITS:
            self.limits.hear(heard.message)
            for control in self.controls.values():
                control.wake()
            return
        device = heard.place["device"]
        if heard.topic is ARCHIVED and isinstance(heard.message, Archived):
            self.outgoing.confirm(device, heard.message)
        elif heard.topic is COMMAND and device in self.controls:
            self.part.counts["commands"] += 1
            self.controls[device].hear(heard)
        elif heard.topic is COMMAND and device not in (known := [one.name for one in self.part.site.devices]):
            self._sayer(device)(unknown_device.answer(device, known, heard, utc_now()))

    def _sayer(self, device: str) -> Callable[[Outcome], None]:
        def say(outcome: Outcome) -> None:
            self.part.counts[f"outcomes_{outcome.state.value}"] += 1
            self.statuses.say(OUTCOME, outcome, device)

        return say
