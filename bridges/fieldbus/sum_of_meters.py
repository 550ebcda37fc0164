"""Several meters of one grid connection as one device: nobody can write to it, and it is read by reading them."""

# ruff: noqa: ARG002  # what the contract of a device has besides reading means nothing here

import asyncio
from collections.abc import Collection, Hashable, Mapping, Sequence

from bridges.fieldbus.contract import Declined, FieldDevice, Reading, Watchdog, Writable, Written
from bridges.fieldbus.summed import Rounds
from schemas.messages import Action, Meta, PointMeta, Value
from schemas.profile import Profile
from schemas.site import Site
from schemas.site_device import Device
from schemas.units import Kind

NOT_ONE = "it is the sum of several meters, and takes no commands"


def with_sums(site: Site, devices: Sequence[FieldDevice]) -> list[FieldDevice]:
    """These devices of a site, and the sum of its grid meters where all of them are among these."""
    by_name = {one.name: one for one in devices}
    return [
        *devices,
        *(
            SumOfMeters(one, site.profiles[one.name], [by_name[name] for name in one.members])
            for one in site.devices
            if one.members and by_name.keys() >= set(one.members)
        ),
    ]


class SumOfMeters:
    """The bridge, that reads each of them anyway, adds up what it has read: see `bridges.telemetry.sum_reader`."""

    kind = Kind.METER
    rated_power = rated_apparent_power = 0.0
    writable = False
    watchdog: Watchdog | None = None
    heartbeat: float | None = None

    def __init__(self, device: Device, profile: Profile, members: Sequence[FieldDevice]) -> None:
        self.name, self.poll, self.members = device.name, device.poll, members
        self.place: Hashable = device.name  # it is asked nothing itself
        self._profile = profile
        self.points: Collection[str] = profile.points
        self.commands: Mapping[str, Writable] = {}
        self.actions: Collection[Action] = ()
        self.rounds = Rounds({one.name: one.poll for one in members}, profile.points)

    async def read(self) -> Reading:
        """Each of them, now."""
        return self._added(await asyncio.gather(*(one.read() for one in self.members)))

    async def look(self, *points: str) -> Reading:
        return self._added(await asyncio.gather(*(one.look(*points) for one in self.members)))

    def _added(self, readings: Sequence[Reading]) -> Reading:
        for one, reading in zip(self.members, readings, strict=True):
            self.rounds.hear(one.name, reading.values, {}, reading.began)
        found = self.rounds.add_up()
        return Reading(found.values, found.began)

    async def write(self, name: str, value: float, *, anew: bool = False) -> Written:
        raise Declined(NOT_ONE)

    async def reverts(self, name: str) -> float | None:
        return None

    async def act(self, action: Action) -> None:
        raise Declined(NOT_ONE)

    async def arm(self) -> None:
        """It has no watchdog."""

    async def armed(self) -> bool | None:
        return None

    async def beat(self) -> None:
        """It wants none."""

    def step(self, name: str) -> float:
        return 0.0

    def beside(self, name: str, value: float) -> list[str]:
        return []

    def held(self, name: str, value: float, seen: Mapping[str, Value]) -> float | None:
        return None

    def forget(self) -> None:
        """Each of them is looked for by itself."""

    def meta(self) -> Meta:
        return Meta(
            kind=self.kind,
            make=self._profile.make,
            model=f"the sum of {' and '.join(one.name for one in self.members)}",
            profile="sum",
            points={name: PointMeta(unit=point.unit) for name, point in self._profile.points.items()},
        )

    def close(self) -> None:
        """The lines are theirs."""
