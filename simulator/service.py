"""The simulated site as it runs: its Modbus servers and its clock."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Self

from schemas.site import Site
from schemas.site_battery import Battery
from schemas.site_device import Device as SiteDevice
from schemas.troubles import Trouble
from schemas.units import utc_now
from simulator.build import Condition
from simulator.device import Device, Endpoint, Written
from simulator.faults import Faults
from simulator.past import lived
from simulator.roles.cast import cast, images_of
from simulator.sensors import Sensors
from simulator.states import INSTANT, Times
from simulator.unit import SeveralDevices
from simulator.wire import Wire
from simulator.world import Around, World, new_world

TICK = 0.1
"""Seconds between two steps of the physics; requests make steps of their own."""
REMEMBER = 1.0
"""Seconds between two notes of the counters."""

log = logging.getLogger("joulebus.simulator")


class SimulatedSite:
    """Every device of a site file, answering at its address. `async with` runs it, `serve` runs it for ever.

    `faults` may be switched while it runs. `past` lives through that time first, `memory` keeps counters and SoC over a
    restart. With `free_ports` each address of the site gets a free port: see `site`. Without `sockets` nothing
    listens, and `wire` leads to the devices: all of it then lives on the time of the event loop, which may be virtual.

    As it stands its devices are ideal: they measure exactly and start at once. `noisy` blurs all that is measured,
    `times` says how long things take. `batteries` in place of those of the site file, any number, and `conditions` of
    them (by the names of their PCS) in place of `soc`; `around` in place of the recorded load and sun.
    """

    def __init__(
        self,
        site: Site,
        faults: Iterable[str] = (),
        seed: int = 0,
        *,
        soc: float = 50.0,
        batteries: Sequence[Battery] = (),
        conditions: Mapping[str, Condition] | None = None,
        ramp: float | None = None,
        times: Times = INSTANT,
        noisy: bool = False,
        around: Around | None = None,
        start: datetime | None = None,
        past: timedelta = timedelta(),
        memory: Path | None = None,
        free_ports: bool = False,
        sockets: bool = True,
    ) -> None:
        self.site, self._free_ports, self._sockets = site, free_ports, sockets
        self._memory = memory
        self._begin, self._zero, self._now_is_now = start or utc_now(), 0.0, start is None
        self._clock: Callable[[], float] = lambda: self._zero
        batteries = batteries or site.battery
        found = {one.pcs[0]: Condition(soc) for one in batteries} | dict(conditions or {})
        self.world = new_world(
            site, self._begin, batteries=batteries, conditions=found, ramp=ramp, times=times, around=around, seed=seed
        )
        if past:
            _live(self.world, past)
        self.faults.set(faults)
        self.written: deque[Written] = deque(maxlen=100_000)
        self.devices = self._devices(noisy=noisy)
        self._wires: dict[str, Wire] = {}
        self._running = AsyncExitStack()
        if memory and memory.is_file():
            self._recall(memory)

    @property
    def faults(self) -> Faults:
        return self.world.faults

    def now(self) -> datetime:
        """The site's time: it goes with the event loop once it runs, whatever is done to the wall clock."""
        return self._begin + timedelta(seconds=self._clock() - self._zero)

    def wire(self, address: str) -> Wire:
        """The line to the devices of one address of the site file, without sockets; the same one for all of them."""
        if address not in self._wires:
            units = self._units([device for device in self.site.device if device.address == address])
            self._wires[address] = Wire(units, rtu=not address.startswith("tcp://"))
        return self._wires[address]

    async def __aenter__(self) -> Self:
        began = utc_now() if self._now_is_now else self.now()
        self._clock = asyncio.get_running_loop().time
        self._begin, self._zero = began, self._clock()
        async with AsyncExitStack() as opening:
            for endpoint, members in self._endpoints() if self._sockets else ():
                await opening.enter_async_context(endpoint)
                self._moved(members, endpoint.port)
            self._ticking = asyncio.create_task(self._ticks(), name="simulator:ticks")
            opening.push_async_callback(_end, self._ticking)
            self._running = opening.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()
        self._remember()

    async def serve(self, listening: Callable[[], None] = lambda: None) -> None:
        """Runs until it is cancelled; `listening` is called when all devices answer.

        Raises Trouble when an address cannot be used.
        """
        async with self:
            listening()
            for device in self.site.device:
                log.info("%s answers at %s, unit %d", device.name, device.address, device.unit)
            await self._ticking

    def _devices(self, *, noisy: bool) -> dict[str, Device]:
        images = images_of(self.site)
        roles = cast(self.world, self.now, images)
        made = {}
        for name, role in roles.items():
            senses = Sensors(
                role.profile,
                most_power(self.site, name),
                partial(self.faults.of, name),
                Random(f"{self.world.seed} {name}"),
                noisy=noisy,
                used_up=partial(_used_up, self.faults, name),
            )
            made[name] = Device(name, images[name], role, self.faults, self.written, senses)
        return made

    def _endpoints(self) -> list[tuple[Endpoint, list[SiteDevice]]]:
        shared: dict[str, list[SiteDevice]] = {}
        for device in self.site.device:
            shared.setdefault(device.address, []).append(device)
        found = []
        for address, members in shared.items():
            host, port = members[0].endpoint
            units = self._units(members)
            rtu = address.startswith("rtu+tcp://")
            found.append((Endpoint(host, 0 if self._free_ports else port, units, rtu=rtu), members))
        return found

    def _units(self, members: Iterable[SiteDevice]) -> dict[int, Device | SeveralDevices]:
        """By number; one that is several devices answers for all of them."""
        found: dict[int, list[Device]] = {}
        for member in members:
            found.setdefault(member.unit, []).append(self.devices[member.name])
        return {unit: SeveralDevices(several) if several[1:] else several[0] for unit, several in found.items()}

    def _moved(self, members: list[SiteDevice], port: int) -> None:
        """The site file with the port that is really used."""
        names = {member.name for member in members}
        self.site = self.site.model_copy(
            update={
                "device": [
                    d.model_copy(update={"address": f"{d.address.rpartition(':')[0]}:{port}"}) if d.name in names else d
                    for d in self.site.device
                ]
            }
        )

    async def _ticks(self) -> None:
        due, note = self._clock(), 0.0
        while True:
            self.world.advance(self.now())
            if (note := note + TICK) >= REMEMBER:
                note = 0.0
                self._remember()
            now = self._clock()
            due = max(due + TICK, now - 1.0)  # no drift; after a pause no burst of ticks either
            await asyncio.sleep(max(0.0, due - now))

    def _remember(self) -> None:
        if self._memory is None:
            return
        fresh = self._memory.with_suffix(".new")
        fresh.write_text(json.dumps(self.world.plant.remember()), encoding="utf-8")
        fresh.replace(self._memory)

    def _recall(self, memory: Path) -> None:
        try:
            kept = {str(name): float(value) for name, value in json.loads(memory.read_text(encoding="utf-8")).items()}
        except (OSError, ValueError, AttributeError, TypeError) as wrong:
            raise Trouble(f"{memory}: not a memory of the simulator ({wrong}); take it away to begin anew") from wrong
        self.world.plant.recall(kept)


def _live(world: World, past: timedelta) -> None:
    """The world is what it is after that time."""
    older = world
    for older in lived(world.site, world.at - past, world.at, seed=world.seed, batteries=world.batteries):  # noqa: B007  # only where it ends matters
        pass
    world.plant.recall(older.plant.remember())


def _used_up(faults: Faults, device: str, fault: str) -> None:
    faults.off(f"{device}:{fault}")


def most_power(site: Site, device: str) -> float:
    """W that a device's powers are measured in the range of."""
    grid = max(site.grid.import_limit, site.grid.export_limit)
    return grid if device in site.grid.meters else site.named(device).rated_power or 0.0


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
