"""What steers each device of a bridge, made when its loop runs."""

import asyncio
from collections.abc import Callable, Sequence

from bridges.control.battery_control import BatteryControl
from bridges.control.controller import Controller
from bridges.control.grid_connection import GridConnection
from bridges.control.interlock_rules import without_effect
from bridges.control.site_limits import SiteLimits
from bridges.control.write_log import WriteLog
from bridges.fieldbus.contract import FieldDevice
from bridges.telemetry.latest_values import LatestValues
from runtime.memory import Memory
from runtime.part import Part
from schemas.messages import Cause, Outcome


def controllers(
    part: Part,
    devices: Sequence[FieldDevice],
    latest: LatestValues,
    *,
    limits: SiteLimits,
    log: WriteLog,
    sayer: Callable[[str], Callable[[Outcome], None]],
) -> dict[str, Controller]:
    """One for each device, by its name; `sayer` gives what says the outcomes of a device. Needs the running loop:
    deadlines are of its clock."""
    site, by_name = part.site, {one.name: one for one in devices}
    limits.clock = asyncio.get_running_loop().time
    limits.heard = limits.clock()
    found, connection = {}, GridConnection(site, latest, limits)
    for one in devices:
        battery, mine = None, site.unit_of(one.name)
        if mine is not None:
            kept = Memory(part.settings.state / f"interlocks-{site.site}-{one.name}.json")
            racks = [by_name[name] for name in mine.racks if name in by_name and name != one.name]
            battery = BatteryControl(mine, site, one, racks, latest, kept, connection=connection)
        found[one.name] = Controller(
            one,
            site,
            latest,
            sayer(one.name),
            battery=battery,
            counts=part.counts,
            key=part.settings.command_key,
            log=log,
            limits=limits,
            memory=Memory(part.settings.state / f"control-{site.site}-{one.name}.json"),
        )
    if any(one.battery is not None for one in found.values()):
        for words in without_effect(site):
            part.causes.add(Cause.ALARM_EFFECT, words, about=words)
    return found
