"""What devices of a site file must agree on where they share a line, and where they share a unit. Pure."""

from collections.abc import Collection, Iterator, Sequence

from schemas.address import parse_address
from schemas.site_device import Device

Place = tuple[str | int, ...]


def clashes(devices: Sequence[Device]) -> Iterator[tuple[Place, str]]:
    """Where an address cannot be meant, and what would be right."""
    first: dict[str, Device] = {}
    seen: dict[tuple[str, int, str], list[Device]] = {}
    for number, device in enumerate(devices):
        where = parse_address(device.address)
        line = first.setdefault(where.wire, device)
        same = seen.setdefault((where.wire, device.unit, device.profile), [])
        if parse_address(line.address).settings != where.settings:
            words = (
                f"device {device.name!r} and device {line.name!r} share {where.wire} with different settings, "
                f"{device.address} and {line.address}: give both the same"
            )
        else:
            words = _twice(device, same)
        if words:
            yield ("device", number, "address"), words
        if device.line is not None and (device.line.connections or 1) > 1 and where.scheme == "rtu":
            words = (
                f"connections = {device.line.connections}: {where.wire} is a serial line, which has one master; leave"
            )
            yield ("device", number, "line"), f"{words} it out, or give the gateway's address, tcp://192.0.2.10:502"
        same.append(device)


def _twice(device: Device, same: Collection[Device]) -> str:
    """One unit may be several devices, but not the same one twice. `same`: of its unit and profile."""
    for other in same:
        if None in (other.instance, device.instance):
            return (
                f"device {device.name!r} and device {other.name!r} share {device.address} unit {device.unit} and "
                f"profile {device.profile}; give one of them another address, unit or profile, or both an instance "
                "(1, 2...), where the unit has its SunSpec models several times"
            )
        if other.instance == device.instance:
            return (
                f"device {device.name!r} and device {other.name!r} are both instance {device.instance} of "
                f"{device.profile} at {device.address} unit {device.unit}; give one of them another"
            )
    return ""
