"""The device's own watchdog and our heartbeat, given in each cycle; and the device left alone when it must bite."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from bridges.control.setpoint_writer import Put, Result, SetpointWriter
from bridges.control.watchdog_care import LEFT_ALONE, Care, WatchdogCare
from bridges.fieldbus.contract import Declined, FieldDevice, Unreachable
from schemas.topics import COMMAND_TTL

log = logging.getLogger("bridge")


@dataclass
class DeviceCare:
    """Times of the monotonic clock."""

    device: FieldDevice
    writer: SetpointWriter
    counts: Counter[str]
    watchdog: WatchdogCare = field(init=False)
    _beaten: float = float("-inf")
    _unwritten: float | None = None
    """Since when something could not be written."""

    def __post_init__(self) -> None:
        self.watchdog = WatchdogCare(self.device.watchdog if self.device.writable else None)

    async def give(self, now: float) -> None:
        """What is due now. A device that declines it is read and steered all the same."""
        heart = self.device.heartbeat
        try:
            if heart is not None and now - self._beaten >= heart:
                self._beaten = now
                await self.device.beat()
            match self.watchdog.due(now):
                case Care.ARM:
                    await self.device.arm()
                    self.watchdog.armed(now, await self.device.armed())
                    self._count()
                case Care.LOOK:
                    self.watchdog.looked(now, await self.device.armed())
                case Care.FEED:
                    await self.writer.again()
                    self.watchdog.fed = now
                    self._count()
                case Care.NOTHING:
                    pass
        except Declined as no:
            self.watchdog.failed(now, str(no))
        except Unreachable:
            pass  # the next cycle tries again

    def wrote(self, results: Mapping[str, Result], now: float, *, astray: bool = False) -> None:
        """Power that cannot be taken back for longer than a command lives: the device is not read either, and its
        watchdog must bite. `astray`: it confirms the writes, and its registers hold more all the same."""
        if not astray and not any(one.put is Put.FAILED and one.stands for one in results.values()):
            self._unwritten = None
            return
        self._unwritten = now if self._unwritten is None else self._unwritten
        if now - self._unwritten > COMMAND_TTL and self.watchdog.let_it_bite(now):
            log.error("%s: %s", self.device.name, LEFT_ALONE)
            self._unwritten = None  # then it is read and tried anew: one that must be found first is found
            self.writer.out_of_sight()

    def _count(self) -> None:
        self.counts[f"fed_{self.device.name}".replace("-", "_")] += 1
