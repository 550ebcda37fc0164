"""Which devices a bridge serves: all of the site, or some that can be guarded without the others."""

from collections.abc import Sequence

from bridges.control.interlock_rules import rules_for
from bridges.fieldbus.contract import FieldDevice
from bridges.fieldbus.modbus.site_lines import modbus_devices
from runtime.part import Part
from schemas.troubles import Trouble


def devices(part: Part, only: list[str] | None = None) -> Sequence[FieldDevice]:
    """The site's devices on their lines; those with one address share one. Raises Trouble for an unknown name."""
    known = [device.name for device in part.site.device]
    for name in only or []:
        if name not in known:
            raise Trouble.unknown(f"device {name!r}", name, known)
    site = part.site
    served = set(only or known)
    parts = {name for one in site.devices for name in one.members}
    if parts & served and (missing := ", ".join(sorted(parts - served))):
        raise Trouble(f"the bridge of {', '.join(sorted(parts & served))} must also serve {missing}: it adds them up")
    for unit in site.units:
        # the limits at the grid connection hold for all batteries together: one bridge guards them
        needed = {*unit.racks, site.grid.meter, *site.pcs, *(lock.device for lock in rules_for(site, unit))}
        needed = {part for name in needed for part in site.named(name).members or (name,)}
        if unit.pcs in served and (missing := ", ".join(sorted(needed - served))):
            raise Trouble(f"the bridge of {unit.pcs} must also serve {missing}: it guards by them")
    return modbus_devices(part.site, only or (), shared=True)
