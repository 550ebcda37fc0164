"""One device as it is read: on a fixed raster, judged, kept, and known to all who decide by it."""

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from bridges.fieldbus.contract import Declined, Doubt, FieldDevice, Reading, Unreachable
from bridges.telemetry.critical import lacking
from bridges.telemetry.latest_values import LatestValues, lasts
from bridges.telemetry.publisher import Publisher
from bridges.telemetry.quality import Judge, stand_in
from bridges.telemetry.standing_doubts import Doubted, StandingDoubts
from bridges.telemetry.standstill import flows
from schemas.messages import Cause, Telemetry
from schemas.rack import RackMap
from schemas.site import Site
from schemas.site_powers import rated_through, through_the_site
from schemas.units import Kind, Quality

LONGEST_PAUSE = 10.0
"""Seconds between two tries at a silent device, so that it does not hold up the others on its line."""
SILENT = 2
"""Readings in a row without an answer after which a device is offline."""
PCS_AGE = 5.0
"""Seconds for which the PCS' power tells whether current flows through the battery."""
TOLD = (Cause.CRITICAL_POINT, Cause.FROZEN, Cause.DOUBTED_VALUES, Cause.MISSING_POINTS)
"""What is told of a reading, the worst first."""
LINKS = {Cause.MISSING_POINTS: "{0}: {1}"}


@dataclass(eq=False)
class DeviceReader:
    """Reads one device for ever. Times are of the event loop's clock."""

    device: FieldDevice
    site: Site
    latest: LatestValues
    outgoing: Publisher
    failures: int = 0
    """Readings in a row without an answer."""
    known: bool = False
    """It was read since it was found."""
    wrong: str = ""
    """Why the last try had no answer; empty when it had one."""
    last: tuple[Telemetry, float] | None = None
    """The last sample, and when its reading was begun."""
    told: list[Doubt] = field(default_factory=list)
    """What was wrong with it."""
    judge: Judge = field(init=False)
    doubts: StandingDoubts = field(init=False)

    def __post_init__(self) -> None:
        site, name = self.site, self.device.name
        mine = site.battery_of(name)
        energy = mine.energy / len(mine.racks) if mine is not None and name in mine.racks else None
        self._rack = RackMap.of(site.profiles[name])
        self.doubts = StandingDoubts(self.device.poll)
        power = rated_through(site, name)
        self.judge = Judge(site.profiles[name], power, energy, self.device.poll, through_the_site(site))

    async def poll(self, phase: float, cycle: Callable[[], Awaitable[None]]) -> None:
        """Call `cycle` on a fixed raster: a slow answer does not shift the next reading."""
        clock = asyncio.get_running_loop().time
        period, start, turn = self.device.poll, clock() + phase, 0
        while True:
            await asyncio.sleep(start + turn * period - clock())
            await cycle()
            if self.failures:
                pause = min(period * 2 ** min(self.failures - 1, 8), max(period, LONGEST_PAUSE))
                await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            turn = max(turn + 1, int((clock() - start) / period))

    async def read(self) -> tuple[float, list[Doubt]]:
        """Read it once, and keep the sample: when that was begun, and what is wrong with the values.

        Raises Unreachable or Declined.
        """
        try:
            reading = await self.device.read()
        except (Unreachable, Declined) as wrong:
            self.failures += 1
            self.wrong = str(wrong)
            if self.failures >= SILENT:
                self.known = False
                self.device.forget()
            raise
        self.failures, self.wrong = 0, ""
        sample = self._sample(reading)
        self.latest.note(self.device.name, sample, reading.began)
        found = [*self._lacking(sample), *_doubted(reading, sample, self.device.kind), *self._changed(reading)]
        self.last, self.told = (sample, reading.began), _said(self.doubts.see(found, reading.began))
        return reading.began, self.told

    def _sample(self, reading: Reading) -> Telemetry:
        name = self.device.name
        current = name in self.site.bms and not self._is_out() and self._current_flows()
        quality = self.judge.judge(reading.values, reading.raw, reading.began, current=current)
        values = reading.values
        if instead := self.site.named(name).substitute:
            values, quality = stand_in(values, quality, instead)
        return self.outgoing.put(name, values, quality)

    def _is_out(self) -> bool:
        """A rack that is not connected: nothing moves in it while current flows through the others."""
        name = self.device.name
        return self._rack.is_out(lambda point: self.latest.said(name, point, math.inf, math.inf))

    def _current_flows(self) -> bool:
        """Through its battery, as the PCS measures it: a BMS that stands still meanwhile is frozen."""
        mine = self.site.battery_of(self.device.name)
        if mine is None:
            return False
        now = asyncio.get_running_loop().time()
        powers = [
            self.latest.number(one.name, "p", now, lasts(one.poll, PCS_AGE)) for one in map(self.site.named, mine.pcs)
        ]
        known = [power for power in powers if power is not None]
        return flows(sum(known) if known else None, self.site.rated(mine))

    def _changed(self, reading: Reading) -> list[Doubted]:
        """What is counted by these must be mended by a person."""
        return [Doubted(Cause.DOUBTED_VALUES, *one) for one in self.judge.changed(reading.began).items()]

    def _lacking(self, sample: Telemetry) -> list[Doubted]:
        """Points without which nobody can guard; of the meters that is the grid's."""
        if self.device.kind is Kind.METER and self.device.name not in self.site.grid.meters:
            return []
        more = self._rack.points if self.device.name in self.site.racks else ()
        found = lacking(self.device.kind, sample.values, sample.quality, more)
        return [Doubted(Cause.CRITICAL_POINT, point, why) for point, why in found.items()]


def _doubted(reading: Reading, sample: Telemetry, kind: Kind) -> list[Doubted]:
    """What is wrong with the values themselves."""
    frozen = all(quality is Quality.FROZEN for quality in sample.quality.values())
    cause = Cause.FROZEN if frozen else Cause.DOUBTED_VALUES
    return [
        *(Doubted(cause, point, _why(point, quality, sample, kind)) for point, quality in sample.quality.items()),
        *(Doubted(Cause.MISSING_POINTS, point, why) for point, why in reading.declined.items()),
    ]


def _why(point: str, quality: Quality, sample: Telemetry, kind: Kind) -> str:
    value = sample.values.get(point)
    if kind is Kind.LOAD and point == "p" and quality is Quality.IMPLAUSIBLE and isinstance(value, float) and value < 0:
        return "is below 0: a load only takes power, so its meter is the wrong way round or it is no load"
    return quality.value


def _said(found: Collection[Doubted]) -> list[Doubt]:
    """One sentence for each cause."""
    return [
        (
            cause,
            ", ".join(LINKS.get(cause, "{0} {1}").format(one.point, one.why) for one in found if one.cause is cause),
        )
        for cause in TOLD
        if any(one.cause is cause for one in found)
    ]
