"""The devices of a site, as a commissioning speaks to them: by the contract of a field device, whatever they speak."""

from bridges.fieldbus.contract import FieldDevice
from bridges.fieldbus.modbus.site_lines import modbus_devices
from bridges.fieldbus.sum_of_meters import with_sums
from schemas.site import Site


def field_devices(site: Site) -> dict[str, FieldDevice]:
    """Every device by its name, on the lines of the site. Nothing is written before `writable` is set."""
    return {device.name: device for device in with_sums(site, modbus_devices(site, watched=True))}
