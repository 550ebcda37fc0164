"""The simulated site as it runs: its Modbus servers and its clock."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Self

from schemas.site import Device as SiteDevice
from schemas.site import Site
from schemas.troubles import Trouble
from schemas.units import utc_now
from simulator.device import Device, Endpoint, Written
from simulator.faults import Faults
from simulator.past import lived
from simulator.roles import cast, image_of
from simulator.wire import Wire
from simulator.world import World, new_world

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
    """

    def __init__(
        self,
        site: Site,
        faults: Iterable[str] = (),
        seed: int = 0,
        *,
        soc: float = 50.0,
        ramp: float | None = None,
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
        self.world = _first_world(site, self._begin, past, seed=seed, soc=soc, ramp=ramp)
        self.faults.set(faults)
        self.written: deque[Written] = deque(maxlen=100_000)
        self.devices = self._devices()
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
            units = {device.unit: self.devices[device.name] for device in self.site.device if device.address == address}
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

    async def serve(self) -> None:
        """Runs until it is cancelled. Raises Trouble when an address cannot be used."""
        async with self:
            for device in self.site.device:
                log.info("%s answers at %s, unit %d", device.name, device.address, device.unit)
            await self._ticking

    def _devices(self) -> dict[str, Device]:
        roles = cast(self.world, self.now)
        return {
            device.name: Device(device.name, image_of(self.site, device), roles[device.name], self.faults, self.written)
            for device in self.site.device
        }

    def _endpoints(self) -> list[tuple[Endpoint, list[SiteDevice]]]:
        shared: dict[str, list[SiteDevice]] = {}
        for device in self.site.device:
            shared.setdefault(device.address, []).append(device)
        found = []
        for address, members in shared.items():
            host, port = members[0].endpoint
            units = {member.unit: self.devices[member.name] for member in members}
            rtu = address.startswith("rtu+tcp://")
            found.append((Endpoint(host, 0 if self._free_ports else port, units, rtu=rtu), members))
        return found

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


def _first_world(site: Site, begin: datetime, past: timedelta, *, seed: int, soc: float, ramp: float | None) -> World:
    world = new_world(site, begin, soc=soc, ramp=ramp, seed=seed)
    older = world
    if past:
        for older in lived(site, begin - past, begin, seed=seed):  # noqa: B007  # only where it ends matters
            pass
    world.plant.recall(older.plant.remember())
    return world


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
