"""A simulated site in virtual time, with its devices as a bridge has them: every value comes out of registers."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from bridges.fieldbus.contract import Reading
from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.device import ModbusDevice
from schemas.messages import Action
from schemas.profiles import load_profile
from schemas.site import Site
from simulator.bess import Bess
from simulator.service import SimulatedSite
from simulator.wire import Wire
from tests.simulator.conftest import NOON
from tests.virtual import loop


@dataclass
class Rig:
    """Who asks the site and switches its faults."""

    simulated: SimulatedSite
    devices: dict[str, ModbusDevice]
    met: set[str] = field(default_factory=set)

    @property
    def bess(self) -> Bess:
        return self.simulated.world.plant.first

    def on(self, fault: str, size: float | None = None) -> None:
        self.simulated.faults.on(fault, size)

    def off(self, fault: str) -> None:
        self.simulated.faults.off(fault)

    def line(self, device: str) -> Wire:
        return self.simulated.wire(self.simulated.site.named(device).address)

    async def read(self, device: str) -> Mapping[str, Any]:
        """All fast points in one cycle."""
        return _values(await self.devices[device].read())

    async def look(self, device: str, point: str) -> Any:
        """One point, now. None when the device does not tell it."""
        await self._meet(device)
        return _values(await self.devices[device].look(point)).get(point)

    async def _meet(self, device: str) -> None:
        """A bridge reads a device before it does anything else with it."""
        if device not in self.met:
            await self.devices[device].read()
            self.met.add(device)

    async def until(self, device: str, point: str, *values: str, seconds: float = 200.0) -> float:
        """Seconds until a device says one of these. Raises TimeoutError."""
        began = loop().time()
        async with asyncio.timeout(seconds):
            while await self.look(device, point) not in values:  # noqa: ASYNC110  # a device tells nothing unasked
                await asyncio.sleep(0.05)
        return loop().time() - began

    async def tell(self, device: str = "pcs", **values: float) -> None:
        """Write setpoints."""
        await self._meet(device)
        for name, value in values.items():
            await self.devices[device].write(name, value)

    async def act(self, device: str, action: Action) -> None:
        await self._meet(device)
        await self.devices[device].act(action)

    def address(self, device: str, point: str) -> tuple[int, int, int]:
        """Function, start and number of the registers of a point."""
        image = self.simulated.devices[device].image
        spec = image.profile.points[point]
        return spec.function or image.profile.function, image.address(spec.register_, spec.model), spec.count

    async def words(self, device: str, point: str) -> list[int]:
        """The registers of a point as they are."""
        return await self.line(device).read(1, *self.address(device, point))


def _values(found: object) -> Mapping[str, Any]:
    """Of a reading, whatever its shape."""
    return found.values if isinstance(found, Reading) else cast("Mapping[str, Any]", found)


@asynccontextmanager
async def rig(site: Site, *faults: str, profiles: Mapping[str, str] | None = None, **change: Any) -> AsyncIterator[Rig]:
    """`profiles`: of some devices, in place of the demo's. `change`: of the simulated site."""
    other = site.model_copy()
    other.__dict__["profiles"] = site.profiles | {
        name: load_profile(profile).rated(site.named(name).rated_power) for name, profile in (profiles or {}).items()
    }
    given: dict[str, Any] = {"start": NOON, "sockets": False} | change
    async with SimulatedSite(other, faults, **given) as simulated:
        devices = {
            device.name: ModbusDevice(
                device,
                simulated.site.profiles[device.name],
                cast("Connection", simulated.wire(device.address)),
                writable=True,
            )
            for device in simulated.site.device
        }
        yield Rig(simulated, devices)
