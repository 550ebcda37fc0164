"""The names in a site file: each device has its own, and whoever names a device names one that is there. Pure."""

from collections.abc import Iterator, Sequence
from functools import cache
from zoneinfo import available_timezones

from schemas.interlock import InterlockRule
from schemas.site_batteries import Place, roles
from schemas.site_battery import Battery
from schemas.site_device import Device
from schemas.site_grid import Grid

Named = tuple[Place, str, str | None]
"""The place in the file, how a sentence begins, and the device that is named there."""

time_zones = cache(available_timezones)
"""The IANA names this machine knows; they are files, and listing them takes longer than reading a site file."""


def known_zone(time_zone: str) -> str:
    """The name itself. Raises ValueError for one that no clock knows."""
    if time_zone not in time_zones():
        raise ValueError(f"{time_zone!r} is not an IANA name such as Europe/Berlin")
    return time_zone


def given_twice(names: Sequence[str]) -> Iterator[tuple[Place, str]]:
    """Devices with the name of one before."""
    for number, name in enumerate(names):
        if name in names[:number]:
            words = f"device {name!r} is given {names.count(name)} times; each needs a name of its own"
            yield ("device", number, "name"), words


def named_by_file(grid: Grid, batteries: Sequence[Battery], devices: Sequence[Device]) -> list[Named]:
    """Those that must be devices of the file."""
    return [
        *((("grid", "meter"), "", name) for name in grid.meters),
        *roles(batteries),
        *((("device", n, "behind"), f"device {one.name} ", one.behind) for n, one in enumerate(devices)),
        *((("grid", "signal", n, "device"), "grid.signal ", one.device) for n, one in enumerate(grid.signal)),
    ]


def named_by_interlocks(interlocks: Sequence[InterlockRule]) -> list[Named]:
    """Those that may be the sum of the grid's meters, too."""
    return [(("interlock", n, "device"), f"interlock {one.name} ", one.device) for n, one in enumerate(interlocks)]


def unknown(named: Sequence[Named], devices: Sequence[Device]) -> Iterator[tuple[Place, str]]:
    """Each that is not there, and which are."""
    known = sorted(one.name for one in devices)
    for place, who, name in named:
        if name is not None and name not in known:
            yield place, f"{who}names device {name!r}; there is: {', '.join(known)}"
