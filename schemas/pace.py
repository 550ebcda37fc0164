"""Whether a site's batteries can be steered at the pace its devices are read at. Pure."""

from schemas.site import Site
from schemas.site_parts import POLLS
from schemas.topics import COMMAND_TTL

FAST = 2.0
"""Seconds: dispatch commands each 2 s, and a loop is as fast as its slowest reading."""


def too_slow(site: Site) -> list[str]:
    """What is read too seldom for a closed loop, in sentences that say what would be right."""
    if site.mode == "read_only":
        return []
    meter = site.named(site.grid.meter)
    late = f"limits at the grid are followed {meter.poll:g} s late, and a meter that fails is noticed late"
    rows = [(meter, FAST, late)]
    for one in site.battery:
        stale = one.ccl_stale_after
        rows += [
            (pcs, FAST, f"a command that ends is noticed up to {COMMAND_TTL + 2 * pcs.poll:g} s later")
            for pcs in map(site.named, one.pcs)
        ]
        rows += [
            (bms, stale / POLLS, f"its limits count for {bms.stale_after(stale):g} s after it fell silent")
            for bms in map(site.named, one.racks)
        ]
    return [
        f"device {device.name}: a poll of {device.poll:g} s is too slow to steer the battery by ({why}); "
        f"{most:g} s or less would be right"
        for device, most, why in rows
        if device.poll > most
    ]
