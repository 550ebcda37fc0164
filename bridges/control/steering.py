"""What a device is told in each cycle: decide, write each point on its own, tell what that is to the open commands."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bridges.control.battery_control import BatteryControl
from bridges.control.command_life import Event
from bridges.control.device_care import DeviceCare
from bridges.control.device_memory import DeviceMemory
from bridges.control.feed_in_safe import FeedInSafe
from bridges.control.grid_limit import LIMIT, GridLimit
from bridges.control.guard import closes_loop
from bridges.control.pending_commands import Kind, Pending, PendingCommands
from bridges.control.power_control import Decision, Now, Targets, decide, fallback, limit_chain, waiting
from bridges.control.proof import Proof
from bridges.control.setpoint_writer import Put, Result, SetpointWriter
from bridges.control.targets import Standing, Wishes, fallen, found, register
from bridges.fieldbus.contract import Declined, Doubt, FieldDevice, Unreachable
from schemas.messages import Cause, Limited

LEAVING = 3.5
"""Seconds a device has to go to its fallback along its ramp when the bridge ends in good order."""

log = logging.getLogger("bridge")


@dataclass
class Steering:
    """Of one device. Times of the monotonic clock."""

    device: FieldDevice
    writer: SetpointWriter
    wishes: Wishes
    pending: PendingCommands
    grid_limit: GridLimit
    kept: DeviceMemory
    care: DeviceCare
    proof: Proof
    battery: BatteryControl | None
    feed_in: FeedInSafe
    cycle: float
    """Seconds between two of them at most."""
    _told: dict[str, str] = field(default_factory=dict)
    """Points that cannot be written, and why, as the log has it."""

    async def steer(self, *, in_fallback: bool) -> bool:
        """Once; True when something was written."""
        now = self._now()
        targets = self.wishes.targets(now, self._standing(in_fallback=in_fallback))
        decision = self.decide(targets)
        results = await self.write(decision)
        self._tell(decision, results)
        self.proof.ramping = decision.ramping
        self.care.wrote(results, self._now(), astray=self.writer.stands(decision.values))
        if self.battery is not None:
            values = self.pending.open.get("values")
            authority = None if values is None else values.command.authority
            closed = values is None or closes_loop(values.command)
            wish = None if closed else targets.values.get("p_set")
            self.battery.decided(decision, closed=closed, wish=wish, now=self._now(), authority=authority)
        return any(one.put is Put.WRITTEN for one in results.values())

    def fallback(self) -> dict[str, float]:
        """What is declared safe. A point that no bridge ever moved is left as its installer set it."""
        power = None if self.battery is None else self.battery.battery.fallback
        safe = fallback(self.device.commands, power)
        ours = self.kept.away | ({"p_set"} if self.battery is not None else set())
        return {point: value for point, value in safe.items() if point in ours} | self.feed_in.safe(self.device.name)

    def _standing(self, *, in_fallback: bool) -> Standing:
        return Standing(
            safe=self.fallback(),
            fallback=in_fallback,
            rests=self.battery is not None and self.battery.must_rest,
            percent=self.grid_limit.limit(self._now()) if LIMIT in self.device.commands else None,
        )

    def decide(self, targets: Targets) -> Decision:
        """What each point is to be told now."""
        now, device = self._now(), self.device
        percent, authority = self.grid_limit.limit(now), self.grid_limit.strongest(now)
        source = "dso:limit" if authority is None else f"{authority.value}:limit"
        chains = {
            point: limit_chain(self.device.name, one, percent, source, device.rated_apparent_power)
            for point, one in device.commands.items()
        }
        if self.battery is not None and "p_set" in chains:
            reactive = max(abs(q) for q in (self.writer.applied.get("q_set", 0.0), targets.values.get("q_set", 0.0)))
            wears, held = device.commands["p_set"].wears, self.writer.applied.get("p_set")
            chains["p_set"] += self.battery.limits(
                now, reactive, targets.values.get("pf_set"), self.grid_limit, self.cycle, wears=wears, held=held
            )
            power, unread = self.battery.inputs.power(now), self.battery.unread(now)
            known = [limit for limit in chains["p_set"] if limit.source not in unread]
            targets = found(targets, power, self.writer.applied, known, device.rated_power)
        worn = frozenset(self.writer.worn(now))
        steps = {point: device.step(point) for point in device.commands}
        decision = decide(targets, Now(chains, self.writer.applied, steps, worn, device.rated_apparent_power))
        if self.battery is not None:
            self.battery.claims(decision, now)
        return decision

    async def write(self, decision: Decision) -> dict[str, Result]:
        """Each value on its own: one that is declined holds up no other."""
        results: dict[str, Result] = {}
        narrowed = {one.point for one in decision.limited_by}
        for point, value in decision.values.items():
            fresh, urgent = point in self.wishes.fresh, point in decision.urgent
            p, q = results.get("p_set"), self.writer.applied.get("q_set", 0.0)
            if point == "q_set" and p is not None and p.stands and abs(value) > abs(q):
                # The S-circle was shared out for the p that is wanted; the one that stands leaves no room.
                results[point] = Result(Put.WAITS, f"p_set is not down yet: {p.reason}", p.cause)
                continue
            safe = self.device.commands[point].fallback
            if value != safe:  # before it is written: its answer may be lost
                self.kept.told(point, value, safe)
            results[point] = await self._put(
                point, value, urgent=urgent, cyclic=not fresh, flickers=point in decision.flickering
            )
            if results[point].put in (Put.HELD, Put.WRITTEN):  # one that a limit has narrowed is still to be told
                (self.wishes.fresh.add if point in narrowed else self.wishes.fresh.discard)(point)
        self._note_failures(results)
        return results

    async def _put(self, point: str, value: float, *, urgent: bool, cyclic: bool, flickers: bool) -> Result:
        now = self._now()
        power = self.writer.at_once(point, value, now, urgent=urgent, cyclic=cyclic, flickers=flickers)
        result = await self.writer.put(point, power, now, urgent=urgent, cyclic=cyclic)
        if result.put is Put.HELD:
            with contextlib.suppress(Unreachable, Declined):  # what falls is seen, and written as any other value
                await self.writer.renew(point, now)
        if result.put is Put.WRITTEN:
            self.kept.told(point, power, self.device.commands[point].fallback)
            if point == "p_set" and self.battery is not None:
                self.battery.told(self._now(), power)
        if power != value and result.put in (Put.HELD, Put.WRITTEN):
            return Result(Put.WAITS, f"it gives way to {power:g} until {value:g} may be written", Cause.WRITE_BUDGET)
        return result

    def _tell(self, decision: Decision, results: Mapping[str, Result]) -> None:
        """What the writes of this cycle are to the open commands."""
        applied = self.writer.applied
        waits = [point for point, one in results.items() if one.cause is Cause.WRITE_BUDGET]
        limited = [*decision.limited_by, *waiting({point: decision.values[point] for point in waits}, applied)]
        values, limit = self.pending.open.get("values"), self.pending.open.get("limit")
        if values is not None:
            named = {register(point, self.device.commands) for point in values.command.values}
            values.applied = {point: value for point, value in applied.items() if point in named}
            values.limited = [one for one in limited if register(one.point, self.device.commands) in named]
            values.held = "" if self.battery is None else self.battery.interlocks.why(values.limited)
            self._report("values", {point: one for point, one in results.items() if point in named | {LIMIT}})
        if limit is not None:
            self._tell_limit(limit, limited)
        self._report("limit", results)

    def _tell_limit(self, limit: Pending, limited: Sequence[Limited]) -> None:
        """A limit of a device that has no register for it holds in our own decision."""
        wanted = limit.command.values[LIMIT]
        if LIMIT not in self.device.commands:
            limit.applied = {LIMIT: wanted}
            return
        limit.applied = {point: value for point, value in self.writer.applied.items() if point == LIMIT}
        there = self.writer.stands_at(LIMIT, wanted)
        limit.limited = [] if there else [one for one in limited if one.point == LIMIT]

    def _report(self, kind: Kind, results: Mapping[str, Result]) -> None:
        if kind not in self.pending.open:
            return
        failed = [one for one in results.values() if one.put is Put.FAILED]
        waits = [one for one in results.values() if one.put is Put.WAITS]
        if failed:
            self.pending.event(kind, Event.WRITE_FAILED, "; ".join(one.reason for one in failed), failed[0].cause)
        elif waits:
            self.pending.event(kind, Event.HELD_BACK, waits[0].reason, waits[0].cause)
        else:
            self.pending.event(kind, Event.WRITTEN)

    def _note_failures(self, results: Mapping[str, Result]) -> None:
        """One line when a point cannot be written, one when it can again."""
        for point, one in results.items():
            if one.put is Put.FAILED and self._told.get(point) != one.reason:
                self._told[point] = one.reason
                log.warning("%s: %s cannot be written: %s", self.device.name, point, one.reason)
            elif one.put is not Put.FAILED and point in self._told and point not in self.writer.failing:
                del self._told[point]
                log.info("%s: %s can be written again", self.device.name, point)

    @property
    def troubles(self) -> list[Doubt]:
        """What is wrong with what it is told, the worst first."""
        found: list[Doubt] = [
            (one.cause or Cause.DECLINED, f"{point} cannot be written: {one.reason}")
            for point, one in self.writer.failing.items()
        ]
        found += [(Cause.NOT_HELD, f"{point} does not hold what it is told") for point in self.proof.not_held]
        if self.proof.obedience.words:
            found.append((Cause.NOT_OBEYED, self.proof.obedience.words))
        found += [(Cause.NOT_HELD, f"{point} {words}") for point, words in self.writer.not_renewed().items()]
        worn = "was written too often and rests at 0 until its write budget allows more"
        found += [(Cause.WORN, f"{point} {worn}") for point in self.writer.worn(self._now())]
        if why := self.care.watchdog.trouble:
            found.append((Cause.WATCHDOG, f"its watchdog is not armed: {why}"))
        if self.kept.trouble:
            found.append((Cause.OUTBOX, self.kept.trouble))
        if self.proof.foreign:
            found.append((Cause.FOREIGN_WRITE, self.proof.foreign))
        return found

    # the end -----------------------------------------------------------------------------------

    async def leave(self) -> None:
        """Nobody steers it any more: fallback first, unless it is to hold and its watchdog is armed."""
        try:
            async with asyncio.timeout(LEAVING + 1.0):
                if self.battery is not None and self.battery.battery.on_stop == "hold" and await self.device.armed():
                    return
                await self._to_fallback()
        except (TimeoutError, Unreachable, Declined) as wrong:
            log.warning("%s may not be at its fallback: %s", self.device.name, str(wrong) or "it took too long")
        except Exception:  # a mistake of ours in the decision: what is declared safe needs none
            log.exception("%s cannot be decided for: it is told what is safe", self.device.name)
            await self._plainly()

    async def _to_fallback(self) -> None:
        """Along its ramp, as far as the time allows. Raises Unreachable, Declined."""
        ends = self._now() + LEAVING
        safe = self.fallback()
        if self.battery is not None and not await self._ends_alone():
            safe["p_set"] = 0.0  # nobody will guard it, and it has no watchdog that would end it
        self.writer.hurry()
        self.wishes.fresh |= set(safe)
        words = ", ".join(f"{point} to {value:g}" for point, value in safe.items())
        self.pending.event("values", Event.RAN_OUT, f"the bridge ends in good order; {words}", Cause.STOPPING)
        while True:
            decision = self.decide(fallen(safe, safe, self.device.commands))
            results = await self.write(decision)
            # What only widens waits for its budget: the next bridge brings it there.
            there = all(
                one.put in (Put.HELD, Put.WRITTEN) or one.cause in (Cause.WRITE_BUDGET, Cause.FOREIGN_WRITE)
                for one in results.values()
            )
            if there and not decision.ramping:
                return
            if not there:  # an answer was lost: as often as the time allows
                self.writer.hurry()
            if self.battery is not None:
                self.battery.decided(decision, closed=False, wish=None, now=self._now())
                if self._now() > ends:
                    self.battery.jump()
            await asyncio.sleep(0.2)

    async def _plainly(self) -> None:
        """To what is declared safe, without a decision."""
        safe = self.fallback() | ({"p_set": 0.0} if self.battery is not None else {})
        for point, value in safe.items():
            await self.writer.put(point, value, self._now(), urgent=True, cyclic=False)

    async def _ends_alone(self) -> bool:
        """Whether its own watchdog ends its power when we are gone."""
        try:
            return bool(await self.device.armed())
        except (Unreachable, Declined):
            return False

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
