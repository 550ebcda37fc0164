"""The Modbus devices of a site on their lines: those behind one endpoint share one, however its address is spelled."""

from collections.abc import Collection

from bridges.fieldbus.modbus.connection import Connection
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.fieldbus.modbus.unit import Unit
from schemas.address import parse_address
from schemas.site import Site


def modbus_devices(
    site: Site, only: Collection[str] = (), *, watched: bool = False, shared: bool = False
) -> list[ModbusDevice]:
    """All devices, or `only` some. `watched`: none is ever written to, whatever the site file says. `shared`: those of
    one unit, each in cycles of its own, share what is read in the same round."""
    lines: dict[str, Connection] = {}
    units: dict[tuple[str, int], Unit] = {}
    found = []
    for device in site.device:
        if only and device.name not in only:
            continue
        profile = site.profiles[device.name]
        wire = parse_address(device.address).wire
        if wire not in lines:
            lines[wire] = Connection(device.address)
        lines[wire].expect(device.unit, profile.line)
        writable = site.mode == "control" and not watched and bool(profile.commands or profile.actions)
        unit = units.setdefault((wire, device.unit), Unit(device.unit, lines[wire]))
        found.append(ModbusDevice(device, profile, lines[wire], writable=writable, unit=unit, shares=shared))
    return found
