"""The Modbus devices of a site on their lines: those behind one endpoint share one, however its address is spelled."""

import functools
from collections import defaultdict
from collections.abc import Collection, Sequence

from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.connections import Connections
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.fieldbus.modbus.timing import strictest
from bridges.fieldbus.modbus.unit import Unit
from schemas.address import parse_address
from schemas.site import Site
from schemas.site_device import Device


def modbus_devices(
    site: Site, only: Collection[str] = (), *, watched: bool = False, shared: bool = False
) -> list[ModbusDevice]:
    """All devices, or `only` some. `watched`: none is ever written to, whatever the site file says. `shared`: those of
    one unit, each in cycles of its own, share what is read in the same round."""
    served = [device for device in site.device if not only or device.name in only]
    wires: defaultdict[str, list[Device]] = defaultdict(list)
    for device in served:
        wires[parse_address(device.address).wire].append(device)
    units = {device.name: unit for together in wires.values() for device, unit in _units(site, together)}
    found = []
    for device in served:
        profile, unit = site.profiles[device.name], units[device.name]
        writable = site.mode == "control" and not watched and bool(profile.commands or profile.actions)
        found.append(ModbusDevice(device, profile, unit.line, writable=writable, unit=unit, shares=shared))
    return found


def _units(site: Site, together: Sequence[Device]) -> list[tuple[Device, Unit]]:
    """The devices at one endpoint, and the unit of each on their line."""
    line = _line(site, together)
    units = {number: Unit(number, line) for number in {device.unit for device in together}}
    return [(device, units[device.unit]) for device in together]


def _line(site: Site, together: Sequence[Device]) -> Connection | Connections:
    """In as many connections as all of them bear."""
    address, timings = together[0].address, [site.profiles[device.name].line for device in together]
    number = functools.reduce(strictest, timings).connections or 1
    serial = parse_address(address).scheme == "rtu"
    line = Connection(address) if number == 1 or serial else Connections(address, number)
    for device, timing in zip(together, timings, strict=True):
        line.expect(device.unit, timing)
    return line
