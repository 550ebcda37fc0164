"""The devices of a site, as a commissioning speaks to them: by the contract of a field device, whatever they speak."""

import struct
import time
from collections.abc import Awaitable, Collection, Mapping
from typing import TypeVar

from bridges.control.guard import PERCENT
from bridges.fieldbus.contract import Declined, FieldDevice, Reading, Unreachable, Watchdog, Writable, Written
from bridges.fieldbus.modbus import connection as modbus
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.fieldbus.modbus.direction import beside
from schemas.messages import Action, Meta, Value
from schemas.profile import Setpoint
from schemas.site import Site
from schemas.units import Kind

T = TypeVar("T")


def field_devices(site: Site) -> dict[str, FieldDevice]:
    """Every device by its name, on the lines of the site. Nothing is written before `writable` is set."""
    lines: dict[str, modbus.Connection] = {}
    found: dict[str, FieldDevice] = {}
    for device in site.device:
        line = lines.get(device.address) or lines.setdefault(device.address, modbus.Connection(device.address))
        found[device.name] = Field(ModbusDevice(device, site.profiles[device.name], line))
    return found


class Field:
    """A ModbusDevice under the contract of a field device: names and units of joulebus, its two exceptions."""

    def __init__(self, device: ModbusDevice) -> None:
        site, profile = device.device, device.profile
        self._device = device
        self.name: str = site.name
        self.kind: Kind = profile.kind
        self.poll: float = site.poll
        self.rated_power: float = site.rated_power or 0.0
        self.rated_apparent_power: float = site.rated_apparent_power or self.rated_power
        self.points: Collection[str] = tuple(profile.points)
        self.actions: Collection[Action] = [Action(name) for name in profile.actions]
        dog, heart = profile.watchdog, profile.heartbeat
        self.watchdog: Watchdog | None = Watchdog(dog.seconds, dog.fed_by) if dog else None
        self.heartbeat: float | None = heart.every if heart else None
        self._keys = {PERCENT.get(key, key): key for key in profile.commands}
        self.commands: Mapping[str, Writable] = {name: self._writable(name) for name in self._keys}

    @property
    def writable(self) -> bool:
        return self._device.writable

    @writable.setter
    def writable(self, may: bool) -> None:
        self._device.writable = may

    async def read(self) -> Reading:
        began = time.monotonic()
        return Reading(await _asked(self._device.read()), began)

    async def look(self, *points: str) -> Reading:
        if not self._device.points:
            await _asked(self._device.connect())
        began = time.monotonic()
        return Reading(await _asked(self._device.look(*points)), began)

    async def write(self, name: str, value: float, *, anew: bool = False) -> Written:
        if not self.writable:
            raise Declined("this site is only watched: nothing is ever written")
        if not self._device.points:
            await _asked(self._device.connect())
        times = await _asked(self._device.write(self._keys[name], value * self._factor(name), anew=anew))
        return Written(time.monotonic(), times)

    async def act(self, action: Action) -> None:
        await _asked(self._device.act(action))

    async def arm(self) -> None:
        await _asked(self._device.arm_watchdog())

    async def armed(self) -> bool | None:
        return None

    async def beat(self) -> None:
        await _asked(self._device.beat())

    def step(self, name: str) -> float:
        setpoint = self._setpoint(name)
        fine = setpoint.scale_register is not None or setpoint.type.startswith("f")
        return 0.0 if fine else abs(setpoint.scale) / self._factor(name)

    def beside(self, name: str, value: float) -> list[str]:
        shown = {self._keys[name]} & self._device.profile.points.keys()
        return [*shown, *beside(self._device.profile, self._setpoint(name), value * self._factor(name))]

    def held(self, name: str, value: float, seen: Mapping[str, Value]) -> float | None:
        wanted = beside(self._device.profile, self._setpoint(name), value * self._factor(name))
        if any(seen.get(point, shows) != shows for point, shows in wanted.items()):
            return float("inf")
        amount = seen.get(self._keys[name])
        return amount / self._factor(name) if isinstance(amount, float) else None

    def forget(self) -> None:
        self._device.forget()

    def meta(self) -> Meta:
        return self._device.meta()

    def close(self) -> None:
        self._device.line.close()

    def _setpoint(self, name: str) -> Setpoint:
        return self._device.profile.commands[self._keys[name]]

    def _factor(self, name: str) -> float:
        """One W or var is so much in the setpoint's unit."""
        if self._keys[name] not in PERCENT:
            return 1.0
        return 100.0 / (self.rated_apparent_power if name == "q_set" else self.rated_power)

    def _writable(self, name: str) -> Writable:
        setpoint = self._setpoint(name)
        unit = self.rated_power if self._keys[name] in ("p_set", "q_set") else 1.0 / self._factor(name)
        return Writable(name, setpoint.low * unit, setpoint.high * unit, None, wears=setpoint.memory == "eeprom")


async def _asked(asking: Awaitable[T]) -> T:
    """What a device says. Raises Unreachable or Declined, and nothing else."""
    try:
        return await asking
    except modbus.Unreachable as silent:
        raise Unreachable(str(silent)) from silent
    except modbus.Declined as no:
        raise Declined(str(no), no.code) from no
    except struct.error as wrong:
        raise Declined(str(wrong)) from wrong
