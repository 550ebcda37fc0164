"""The registers of one device that we write: what they were told, what they hold, and how often they may be written.

Each point is written on its own: one that is declined holds up no other.
"""

import math
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from bridges.control.limits import settle
from bridges.control.read_back import ReadBack, Verdict
from bridges.control.renewal import Renewal
from bridges.control.write_budget import WriteBudget, counted
from bridges.control.write_log import WriteLog
from bridges.fieldbus.contract import Declined, FieldDevice, Unreachable
from schemas.messages import Cause, Value
from schemas.units import Kind

BY_HAND = 3600.0
"""Seconds for which a load is left as somebody has switched it at the device: he knows why, and goes home some time."""


FEW = 10
"""Steps of a register that takes a choice and no amount."""


class Put(StrEnum):
    """What became of a value."""

    HELD = "held"  # nothing to do: it stands there, or is not worth a write
    WRITTEN = "written"
    WAITS = "waits"  # for the write budget
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Result:
    """Of one value, with the reason in words."""

    put: Put
    reason: str = ""
    cause: Cause | None = None
    stands: bool = False
    """More power than is wanted now stands in the register, or may stand there."""


@dataclass
class SetpointWriter:
    """Everything that is written to a device's commands goes through here. `now` is the monotonic clock."""

    device: FieldDevice
    counts: Counter[str]
    log: WriteLog | None = None
    """Remembers beyond a restart."""
    points: dict[str, ReadBack] = field(default_factory=dict)
    budgets: dict[str, WriteBudget] = field(default_factory=dict)
    renewals: dict[str, Renewal] = field(default_factory=dict)
    failing: dict[str, Result] = field(default_factory=dict)
    """Points whose last write did not succeed."""
    reached: float | None = None
    """When a write was confirmed last."""
    hands: dict[str, float] = field(default_factory=dict)
    """Points of a load that somebody has moved at the device, and until when they are left so."""

    def recall(self, now: float) -> None:
        """What earlier bridges wrote to registers that wear."""
        for point, one in self.device.commands.items():
            self.points.setdefault(point, ReadBack(at=now))
            budget = self.budgets.setdefault(point, WriteBudget(one))
            self.renewals.setdefault(point, Renewal(one))
            if self.log is None or not self._kept(point):
                continue
            budget.recall(self.log.ages(self.device.name, point, time.time()), now)
            if not self.log.known:  # nobody knows what was written: the day counts as used
                budget.recall([0.0] * one.per_day, now)

    @property
    def applied(self) -> dict[str, float]:
        """What was written last, by point."""
        return {point: one.value for point, one in self.points.items() if one.value is not None}

    async def put(self, point: str, value: float, now: float, *, urgent: bool, cyclic: bool) -> Result:
        """Write a value that is worth it. What is `urgent` makes the site safer: no budget holds it up, but that of a
        cell that wears where it narrows nothing."""
        if (left := self.hands.get(point, now) - now) > 0:
            words = f"somebody has switched it at the device: it is left so for another {left / 60:.0f} min"
            return Result(Put.WAITS, words, Cause.FOREIGN_WRITE)
        told, budget = self.points[point], self.budgets[point]
        fresh = told.value is None or value != told.value
        mistaken = [math.inf] if told.holds is not None and not math.isfinite(told.holds) else []
        urgent = urgent and budget.hurries(value, [*self._standing(point), *mistaken])
        urgent = urgent or (told.astray and self._seen_beyond(point, value))
        if not (fresh or told.astray) or not (urgent or told.astray or self._worth(point, value)):
            return Result(Put.HELD)
        if budget.resting(now) and not (urgent and value != budget.tried):
            return self.failing.get(point) or Result(
                Put.WAITS, "it was not held, and is tried again later", Cause.NOT_HELD
            )
        if not urgent and (why := budget.wait(now, cyclic=cyclic)):
            self.counts[f"writes_held_back_{self._label(point)}"] += 1
            return Result(Put.WAITS, why, Cause.WRITE_BUDGET)
        astray = told.astray and not fresh
        budget.begin(value, now)
        result = await self._put(point, value, now)
        if result.put is Put.WRITTEN and astray:
            budget.missed(now)
        return result

    def at_once(
        self, point: str, value: float, now: float, *, urgent: bool, cyclic: bool, flickers: bool = False
    ) -> float:
        """What may be written now: a cell that may not be turned round yet is brought to rest first. One that must give
        way beyond its budget to a limit that `flickers` gives way by more than is asked."""
        budget, standing = self.budgets[point], self._standing(point)
        if not (urgent and standing and budget.allowed.wears and budget.wait(now, cyclic=cyclic)):
            return value
        if budget.hurries(value, standing):
            return value if not flickers else settle(budget.gives_way(value), self.device.step(point), [])
        return 0.0 if any(one * value < 0 for one in standing) else value

    def _worth(self, point: str, value: float) -> bool:
        held = self.points[point].value
        return held is None or self.budgets[point].worth(abs(value - held))

    def _seen_beyond(self, point: str, value: float) -> bool:
        """The register was seen to hold more than is wanted, whoever wrote it: no budget holds that up."""
        holds = self.points[point].holds
        return holds is not None and math.isfinite(holds) and abs(holds) > abs(value) + self.tolerance(point)

    def stands_at(self, point: str, value: float) -> bool:
        """It was told this value, or one so near that another write is not worth it."""
        held = self.points[point].value
        near = held is not None and abs(value - held) <= self.tolerance(point)
        return near or (held is not None and not self._worth(point, value))

    def _stands(self, point: str, value: float) -> bool:
        return any(abs(one) > abs(value) + self.tolerance(point) for one in self._standing(point))

    def _standing(self, point: str) -> list[float]:
        """What may stand in the register now."""
        told = self.points[point]
        return [one for one in (told.value, told.holds, told.maybe) if one is not None and math.isfinite(one)]

    async def again(self) -> Result:
        """Every setpoint as it is, for a watchdog that wants it so."""
        for point, value in self.applied.items():
            try:
                await self.device.write(point, value, anew=True)
            except (Unreachable, Declined) as wrong:
                return _failed(wrong)
        return Result(Put.WRITTEN)

    async def renew(self, point: str, now: float) -> None:
        """Write again what is still wanted and its device would take back. Raises Unreachable or Declined."""
        renewal, told = self.renewals[point], self.points[point]
        one = self.device.commands[point]
        if told.value is None or told.value == one.fallback or not (told.proven or one.unseen):
            return
        if renewal.look_due(now):
            renewal.says(await self.device.reverts(point), now)
        if not renewal.due(told.at, now) or self.budgets[point].wait(now, cyclic=False):
            return
        row = self._spend(point, now)
        written = await self.device.write(point, told.value, anew=True)
        told.wrote(told.value, written.at)
        if not written.times:
            self._spare(point, row)
        self.counts[f"renewed_{self._label(point)}"] += 1

    def not_renewed(self) -> dict[str, str]:
        """The points that the device will take back, each with why they are not renewed."""
        applied = self.applied.items()
        away = [point for point, value in applied if value != self.device.commands[point].fallback]
        return {point: words for point in away if (words := self.renewals[point].trouble)}

    async def _put(self, point: str, value: float, now: float) -> Result:
        row, budget = self._spend(point, now), self.budgets[point]
        try:
            written = await self.device.write(point, value)
        except Declined as no:
            self._spare(point, row)
            budget.missed(now)
            self.failing[point] = _failed(no, stands=self._stands(point, value))
            return self.failing[point]
        except Unreachable as silent:  # it may have been written all the same
            budget.missed(now)
            stands = self._stands(point, value)  # the value itself may stand there, and that is what is wanted
            self.points[point].lost(value)
            self.failing[point] = _failed(silent, stands=stands)
            return self.failing[point]
        self.failing.pop(point, None)
        if self.device.commands[point].unseen:  # nobody will see it arrive
            budget.arrived()
        self.points[point].wrote(value, written.at)
        self.reached = written.at
        for _ in range(written.times - 1):
            self._spend(point, now)
        if not written.times:
            self._spare(point, row)
        self.counts[f"writes_{self._label(point)}"] += 1
        return Result(Put.WRITTEN)

    def _spend(self, point: str, now: float) -> int:
        """Counted before it is done: a bridge that dies in between may have written. Gives the row on disk."""
        self.budgets[point].spend(now)
        if self.log is None or not self._kept(point):
            return 0
        row = self.log.note(self.device.name, point, time.time())
        if row is None:  # a full disk must hold up nothing that makes the site safer
            self.counts["writes_not_kept"] += 1
        return row or 0

    def _spare(self, point: str, row: int) -> None:
        self.budgets[point].spare()
        if row and self.log is not None:
            self.log.retract(row)

    def _kept(self, point: str) -> bool:
        """Whether its writes count beyond a restart."""
        return counted(self.device.commands[point])

    def out_of_sight(self) -> None:
        """The device was silent for a while."""
        for one in self.points.values():
            one.out_of_sight()
        for renewal in self.renewals.values():
            renewal.forget()

    def beside(self) -> list[str]:
        """The points that show whether everything is held."""
        return [name for point, value in self.applied.items() for name in self.device.beside(point, value)]

    def judge(self, point: str, seen: Mapping[str, Value], now: float) -> tuple[Verdict, float] | None:
        """What a reading that began after our write says of a register, and what it holds; None: it says nothing."""
        told = self.points[point]
        holds = None if told.value is None else self.device.held(point, told.value, seen)
        if holds is None:
            return None
        if now < self.hands.get(point, now):
            told.holds = holds
            if abs(holds - (told.value or 0.0)) > self.tolerance(point):
                return None
            del self.hands[point]  # and somebody has put it back
        was_proven = told.proven
        verdict = told.judge(holds, self.tolerance(point))
        told.holds = holds
        lapsed = abs(holds) <= self.tolerance(point) and self.renewals[point].reverts is not None
        moved = was_proven and told.astray and math.isfinite(holds) and not lapsed
        if moved and self.device.kind is Kind.LOAD:
            self.hands[point] = now + BY_HAND
            return Verdict.FOREIGN, holds
        if verdict is Verdict.FORGOTTEN and math.isinf(holds):
            early = self.renewals[point].fell(told.at, now, seen_each=self.device.poll)
            verdict = Verdict.FOREIGN if early else verdict
        if verdict is Verdict.HOLDS:
            self.budgets[point].arrived(now - told.at)
        return verdict, holds

    def tolerance(self, point: str) -> float:
        """Two values of the register that are this near are the same."""
        scale = self.device.rated_power if point in ("p_set", "q_set") else 1.0
        one, step = self.device.commands[point], self.device.step(point)
        choice = (
            one.high - one.low < FEW * step
        )  # a switch, or the states of a heat pump: each value means another thing
        return max(step / 2 if choice else step, 1e-3 * scale)

    def stands(self, wanted: Mapping[str, float]) -> bool:
        """A device that confirms what it does not take: a register is seen to hold more than it was told, again and
        again."""
        return any(self.budgets[point].tries > 1 and self._seen_beyond(point, value) for point, value in wanted.items())

    def worn(self, now: float) -> list[str]:
        """The points that are spared: they rest at 0."""
        return [point for point, one in self.budgets.items() if one.worn(now)]

    def hurry(self) -> None:
        """No time is left for pauses between two tries."""
        for budget in self.budgets.values():
            budget.arrived()

    def _label(self, point: str) -> str:
        return f"{self.device.name}_{point}".replace("-", "_")


def _failed(wrong: Unreachable | Declined, *, stands: bool = False) -> Result:
    cause = Cause.DECLINED if isinstance(wrong, Declined) else Cause.NO_ANSWER
    return Result(Put.FAILED, str(wrong), cause, stands)
