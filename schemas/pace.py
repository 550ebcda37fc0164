"""Whether a site's batteries can be steered at the pace its devices are read at. Pure."""

from collections.abc import Collection

from schemas.site import Site
from schemas.site_device import POLLS
from schemas.topics import COMMAND_TTL

FAST = 2.0
"""Seconds: dispatch commands each 2 s, and a loop is as fast as its slowest reading."""


def too_slow(site: Site) -> list[str]:
    """What is read too seldom for a closed loop, in sentences that say what would be right."""
    if site.mode == "read_only":
        return []
    late = "limits at the grid are followed {:g} s late, and a meter that fails is noticed late"
    rows = [(meter, FAST, late.format(meter.poll)) for meter in map(site.named, site.grid.meters)]
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
        rows += [
            (pcs, dog.seconds / POLLS, f"its own watchdog bites after {dog.seconds:g} s, and one request may be lost")
            for pcs in map(site.named, one.pcs)
            if (dog := site.profiles[pcs.name].watchdog)
        ]
    return [
        f"device {device.name}: a poll of {device.poll:g} s is too slow to steer the battery by ({why}); "
        f"{most:g} s or less would be right"
        for device, most, why in rows
        if device.poll > most
    ]


def late_interlocks(site: Site, judged: Collection[str]) -> list[str]:
    """Devices of no battery whose interlocks come late: a fire is no sooner seen than its detector is read. `judged`:
    the devices that interlocks look at."""
    named = {site.grid.meter, *site.grid.meters, *site.pcs, *site.bms}  # `too_slow` tells of these
    return [
        f"device {device.name}: a poll of {device.poll:g} s: its interlocks act up to {device.poll:g} s late; "
        f"{FAST:g} s or less would be right"
        for device in site.device
        if device.name in judged and device.name not in named and device.poll > FAST and site.mode != "read_only"
    ]


def late_silences(site: Site) -> list[str]:
    """Alarms of the site file that are raised later than they say, because the device is read too seldom."""
    return [
        f"alarm {rule.name}: device {device.name} is read each {device.poll:g} s, so its silence is raised after "
        f"{POLLS * device.poll:g} s, not {rule.silent:g}; a poll of {rule.silent / POLLS:g} s would be right"
        for rule in site.alarms
        for device in site.devices
        if rule.silent is not None and rule.silent < POLLS * device.poll
        if rule.device == device.name or rule.kind is site.profiles[device.name].kind
    ]
