"""The registers of one device that we write: what they were told, what they hold, and how often they may be written."""

import contextlib
import math
import sqlite3
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from bridges.control.guard import PERCENT
from bridges.control.read_back import Ownership, Verdict
from bridges.control.write_budget import Budget, allowance
from bridges.control.write_log import WriteLog
from bridges.fieldbus.modbus.device import ModbusDevice
from bridges.fieldbus.modbus.direction import beside
from bridges.telemetry.latest_values import LatestValues
from schemas.messages import Value
from schemas.profile import Setpoint

IN_FLIGHT = 2.0
"""Seconds a cycle of readings may take at most: what was noted later than that after a write began after it."""


@dataclass
class SetpointWriter:
    """Everything that is written to a device's commands goes through here."""

    device: ModbusDevice
    counts: Counter[str]
    wear: WriteLog | None = None
    """Remembers beyond a restart."""

    def __post_init__(self) -> None:
        self.commands: dict[str, Setpoint] = {}
        self._registers: dict[str, tuple[str, float]] = {}
        """The profile's own name of a setpoint, and what one W or var is in its unit."""
        for name, setpoint in self.device.profile.commands.items():
            self._add(name, setpoint)
        self.owned = {point: Ownership(at=time.monotonic()) for point in self.commands}
        self.budgets = {
            point: Budget(allowance(setpoint, self.device.scale(point))) for point, setpoint in self.commands.items()
        }
        for point, budget in self.budgets.items():
            if self.wear is not None and budget.allowed.kept:
                budget.recall(self.wear.ages(self.device.device.name, point, time.time()), time.monotonic())

    def _add(self, name: str, setpoint: Setpoint) -> None:
        """One in percent of the rating becomes one in W or var."""
        point, device = PERCENT.get(name, name), self.device.device
        rated = self.device.scale(point)
        factor = 1.0
        if name in PERCENT:
            factor = 100 / ((device.rated_apparent_power or rated) if point == "q_set" else rated)
            per_unit = 1 / factor / rated
            update = {key: getattr(setpoint, key) * per_unit for key in ("low", "high", "deadband")}
            fallback = None if setpoint.fallback is None else setpoint.fallback * per_unit
            update |= {"fallback": fallback, "scale": setpoint.scale / factor}
            setpoint = setpoint.model_copy(update=update)
        self.commands[point], self._registers[point] = setpoint, (name, factor)

    @property
    def applied(self) -> dict[str, float]:
        """What was written last, by point."""
        return {point: one.value for point, one in self.owned.items() if one.value is not None}

    def step(self, point: str) -> float:
        """By how much the register's value can move; 0 where the device scales it by itself."""
        setpoint = self.commands[point]
        fine = setpoint.scale_register is not None or setpoint.type.startswith("f")
        return 0.0 if fine else abs(setpoint.scale)

    async def put(self, point: str, value: float, *, urgent: bool, cyclic: bool) -> str:
        """Write a value that is worth it; gives why it waits. Raises Unreachable, Declined or struct.error.

        What is `urgent` makes the site safer: no budget holds it up.
        """
        owned, budget = self.owned[point], self.budgets[point]
        change = float("inf") if owned.value is None or owned.astray else abs(value - owned.value)
        if change == 0 or not (urgent or budget.worth(change)):
            return ""
        if not urgent and (why := budget.wait(time.monotonic(), cyclic=cyclic)):
            self.counts[f"writes_held_back_{self._label(point)}"] += 1
            return why
        row = self._spend(point)
        times = await self._write(point, value)
        owned.wrote(value, time.monotonic())
        for _ in range(times - 1):
            self._spend(point)
        if not times:
            self._spare(point, row)
        self.counts[f"writes_{self._label(point)}"] += 1
        return ""

    def _spend(self, point: str) -> int:
        """Counted before it is done: a bridge that dies in between may have written. Gives the row on disk."""
        self.budgets[point].spend(time.monotonic())
        if self.wear is None or not self.budgets[point].allowed.kept:
            return 0
        try:
            return self.wear.note(self.device.device.name, point, time.time())
        except sqlite3.Error:  # a full disk must hold up nothing that makes the site safer
            self.counts["writes_not_kept"] += 1
            return 0

    def _spare(self, point: str, row: int) -> None:
        self.budgets[point].spare()
        if row and self.wear is not None:
            with contextlib.suppress(sqlite3.Error):
                self.wear.retract(row)

    async def again(self) -> None:
        """Every setpoint as it is, for a watchdog that wants it so. Raises Unreachable, Declined or struct.error."""
        for point, value in self.applied.items():
            await self._write(point, value, anew=True)

    async def _write(self, point: str, value: float, *, anew: bool = False) -> int:
        return (await self.device.write(point, value, anew=anew)).times

    @property
    def names(self) -> list[str]:
        """Of the points in which the registers can be read back."""
        applied = self.applied.items()
        return [name for point, value in applied for name in (self._registers[point][0], *self._beside(point, value))]

    def out_of_sight(self) -> None:
        """The device was silent for a while."""
        for one in self.owned.values():
            one.out_of_sight()

    def read_back(self, seen: Mapping[str, Value], began: float) -> dict[str, Verdict]:
        """What a reading that began at `began` says of our registers."""
        found = {}
        for point, one in self.owned.items():
            name, factor = self._registers[point]
            holds = seen.get(name)
            if isinstance(holds, float) and one.at < began:
                # In another mode the amount means nothing, however right it is.
                astray = one.value is not None and any(
                    seen.get(beside, shown) != shown for beside, shown in self._beside(point, one.value).items()
                )
                found[point] = one.judge(math.inf if astray else holds / factor, self.tolerance(point))
        return found

    def _beside(self, point: str, value: float) -> dict[str, Value]:
        """What else must be read while the device follows: the mode of a setpoint that has one, its companions."""
        name, factor = self._registers[point]
        return beside(self.device.profile, self.device.profile.commands[name], value * factor)

    def held(self, point: str, seen: Mapping[str, Value]) -> float:
        """What a reading shows in the register of a point, in the point's unit."""
        name, factor = self._registers[point]
        holds = seen.get(name)
        return holds / factor if isinstance(holds, float) else float("nan")

    def noted(self, board: LatestValues, now: float) -> dict[str, Verdict]:
        """The same by the cyclic readings."""
        device = self.device.device
        seen: dict[str, Value] = {}
        for point, one in self.owned.items():
            age = min(1.5 * device.poll, now - one.at - IN_FLIGHT)
            for name in (self._registers[point][0], *self._beside(point, one.value or 0.0)):
                holds = board.said(device.name, name, now, age)
                if age > 0 and holds is not None:
                    seen[name] = holds
        return self.read_back(seen, now)

    def tolerance(self, point: str) -> float:
        """Two values of the register that are this near are the same."""
        return max(abs(self.commands[point].scale), 1e-3 * self.device.scale(point))

    def _label(self, point: str) -> str:
        return f"{self.device.device.name}_{point}".replace("-", "_")
