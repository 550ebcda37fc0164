"""One device under control: obeys commands within the limits, proves that they were obeyed, and falls back.

The clock of every deadline is monotonic: a step of the wall clock neither keeps a command alive nor kills it.
"""

import asyncio
import logging
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bridges.board import Board
from bridges.device import Field
from bridges.guard import AFTER, Ledger, Post, identity, refusal
from bridges.limits import Limit, Situation, clamp, limits, reported
from bridges.modbus import Declined, Unreachable
from runtime.bus import Heard
from schemas.messages import Action, Command, Limited, Outcome, OutcomeState
from schemas.site import Site
from schemas.topics import COMMAND_TTL
from schemas.units import utc_now

METER_AGE = 5.0
"""Seconds after which a measured power is too old to steer by."""

SETTLING = 10.0
"""Seconds the measured power may take to follow before a command counts as not obeyed."""

GLANCES = (0.0, 0.02, 0.05, 0.1, 0.2, 0.4)
"""Pauses in s between looks at a device that has just been told something."""

log = logging.getLogger("bridge")
Say = Callable[[Outcome], Awaitable[None]]


@dataclass
class Pending:
    """A command that is applied and not yet proven."""

    command: Command
    since: float
    applied: dict[str, float] = field(default_factory=dict)
    limited: list[Limited] = field(default_factory=list)
    final: bool = False
    """Nothing but the device's own time stands between the setpoint and the wish (no ramp of ours)."""


@dataclass
class Control:
    """The writing side of one device."""

    device: Field
    site: Site
    board: Board
    say: Say
    ledger: Ledger = field(default_factory=Ledger)
    wanted: dict[str, float] = field(default_factory=dict)
    applied: dict[str, float] = field(default_factory=dict)
    pending: Pending | None = None
    last: Command | None = None
    deadline: float = field(default_factory=lambda: time.monotonic() + COMMAND_TTL)
    """Monotonic time at which the last command dies; a bridge that starts gives the sender one ttl."""
    fallen: bool = False
    _moved: float = field(default_factory=time.monotonic)
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        return self.device.device.name

    @property
    def steers_battery(self) -> bool:
        return self.name == self.site.battery.pcs

    async def obey(self, heard: Heard[Command]) -> None:
        """Take a command from the broker; every one gets an outcome."""
        command = heard.message
        if command is None:
            await self._refuse(identity(heard.payload), OutcomeState.REFUSED, f"not valid: {heard.fault or 'empty'}")
            return
        profile = self.device.profile
        post = Post(
            sorted(profile.commands), sorted(profile.actions), self.site.command_sources, not self.device.writable
        )
        no = refusal(command, heard.retained, post, self.ledger, utc_now())
        if no is not None:
            await self._refuse(command.id, no.state, no.reason, command)
            return
        async with self._turn:
            await self._take(command)
        await self._glance()

    async def tick(self) -> None:
        """After each reading: follow the limits, go on ramping, prove, or fall back."""
        if not self.device.writable or not self.device.online:
            return
        async with self._turn:
            if time.monotonic() >= self.deadline and not self.fallen:
                await self._fall_back()
            await self._follow()
            await self._prove_or_give_up()

    async def _take(self, command: Command) -> None:
        if self.pending is not None and self.pending.command.values != command.values:
            await self._say(self.pending, OutcomeState.SUPERSEDED, f"by {command.id}")
        self.ledger.remember(command)
        self.deadline = time.monotonic() + (command.until - utc_now()).total_seconds()
        self.last, self.fallen = command, False
        self.pending = Pending(command, time.monotonic())
        try:
            if command.action is not None:
                await self.device.act(command.action)
            else:
                self.wanted = dict(command.values)
                await self._write_all(self.pending)
        except (Unreachable, Declined, struct.error) as wrong:
            failed, self.pending = self.pending, None
            await self._say(failed, OutcomeState.FAILED, str(wrong))
            return
        await self._say(self.pending, OutcomeState.APPLIED)

    async def _write_all(self, pending: Pending) -> None:
        """Clamp and write every wanted point."""
        pending.limited, pending.final = [], True
        for point, wish in self.wanted.items():
            allowed, steps = clamp(wish, self._limits(point))
            pending.limited += reported(point, steps)
            pending.final &= not any(source == "battery:ramp" for source, _, _ in steps)
            await self._write(point, allowed)
            pending.applied[point] = allowed

    async def _write(self, point: str, value: float) -> None:
        await self.device.write(point, value)
        self.applied[point] = value
        self._moved = time.monotonic()

    def _limits(self, point: str) -> list[Limit]:
        setpoint = self.device.profile.commands[point]
        scale = self.device.scale(point)
        own = Limit(f"{self.name}:range", setpoint.low * scale, setpoint.high * scale)
        return [own, *limits(self._situation())] if point == "p_set" and self.steers_battery else [own]

    def _situation(self) -> Situation:
        now, battery, grid = time.monotonic(), self.site.battery, self.site.grid
        device, rated = self.device.device, self.device.device.rated_power or 0.0
        stale = battery.ccl_stale_after
        measured = self.board.fresh(self.name, "p", now, METER_AGE)
        return Situation(
            rated_power=rated,
            apparent_power=device.rated_apparent_power or rated,
            reactive_power=self.applied.get("q_set", 0.0),
            voltage=self.board.fresh(battery.bms, "u", now, stale),
            charge_current=self.board.fresh(battery.bms, "ccl", now, stale),
            discharge_current=self.board.fresh(battery.bms, "dcl", now, stale),
            soc=self.board.fresh(battery.bms, "soc", now, stale),
            soc_min=battery.soc_min,
            soc_max=battery.soc_max,
            grid=self.board.fresh(grid.meter, "p", now, METER_AGE),
            battery=measured,
            import_limit=grid.import_limit,
            export_limit=grid.export_limit,
            last=self.applied.get("p_set", measured or 0.0),
            ramp=battery.ramp * min(now - self._moved, 2.0),
        )

    async def _follow(self) -> None:
        """The limits move while a command holds, a ramp goes on, and a device that was switched off forgets."""
        for point, wish in self.wanted.items():
            allowed, steps = clamp(wish, self._limits(point))
            moved = abs(allowed - self.applied.get(point, allowed + 1)) > 1e-3 * self.device.scale(point)
            if not moved and not self._forgotten(point):
                continue
            try:
                await self._write(point, allowed)
            except (Unreachable, Declined, struct.error) as wrong:
                log.warning("%s: %s could not be written: %s", self.name, point, wrong)
                return
            if self.pending is not None:
                self.pending.applied[point] = allowed
                self.pending.limited = reported(point, steps)
                self.pending.final = not any(source == "battery:ramp" for source, _, _ in steps)

    def _forgotten(self, point: str) -> bool:
        """The register no longer holds what was written: a power cycle, or somebody else."""
        if point not in self.applied:
            return False
        holds = self.board.fresh(self.name, point, time.monotonic(), 1.5 * self.device.device.poll)
        return holds is not None and not self._same(point, holds)

    def _same(self, point: str, holds: float) -> bool:
        """Equal within the resolution of the register."""
        step = abs(self.device.profile.commands[point].scale) if point in self.device.profile.points else 0.0
        return abs(holds - self.applied[point]) <= max(step, 1e-3 * self.device.scale(point))

    async def _glance(self) -> None:
        """Look at once, and a few times more: a good device follows in milliseconds."""
        for pause in GLANCES:
            await asyncio.sleep(pause)
            if await self._prove_or_give_up(look=True):
                return

    async def _prove_or_give_up(self, look: bool = False) -> bool:
        """True when nothing is left to prove."""
        pending = self.pending
        if pending is None:
            return True
        try:
            seen = await self.device.look("p", "state", *pending.applied) if look else {}
        except (Unreachable, Declined):
            return True
        if self.pending is not pending:  # proven, or followed by another, while we looked
            return True
        mismatch = next(
            (p for p in pending.applied if isinstance(v := seen.get(p), float) and not self._same(p, v)), None
        )
        if mismatch is not None:
            self.pending = None
            reason = f"the register of {mismatch} reads back {seen[mismatch]} instead of {pending.applied[mismatch]}"
            await self._say(pending, OutcomeState.FAILED, reason)
            return True
        power = seen.get("p") if look else self.board.fresh(self.name, "p", time.monotonic(), METER_AGE)
        if pending.command.action is not None:
            return await self._prove_action(pending, str(seen.get("state", "")), look)
        return await self._prove_power(pending, power if isinstance(power, float) else None)

    async def _prove_power(self, pending: Pending, power: float | None) -> bool:
        target = pending.applied.get("p_set")
        tolerance = max(0.02 * (self.device.device.rated_power or 0.0), 1000.0)
        obeyed = target is None or (power is not None and abs(power - target) <= tolerance)
        measured = {"p": power} if power is not None else {}
        if obeyed and pending.final:
            self.pending = None
            await self._say(pending, OutcomeState.VERIFIED, measured=measured)
            return True
        if time.monotonic() - pending.since > SETTLING and pending.final:
            self.pending = None
            reason = f"the register holds {target} W, the measured power stays at {power} W"
            await self._say(pending, OutcomeState.NOT_OBEYED, reason, measured=measured)
            return True
        return False

    async def _prove_action(self, pending: Pending, state: str, look: bool) -> bool:
        action = pending.command.action
        wanted = AFTER.get(action) if action is not None else None
        if not look and "state" in self.device.profile.points:
            try:
                state = str((await self.device.look("state")).get("state", ""))
            except (Unreachable, Declined):
                return False
        proven = (
            state != "fault" if action is Action.RESET else state == wanted or "state" not in self.device.profile.points
        )
        if not proven and time.monotonic() - pending.since <= SETTLING:
            return False
        self.pending = None
        if proven:
            await self._say(pending, OutcomeState.VERIFIED, state)
        else:
            await self._say(pending, OutcomeState.NOT_OBEYED, f"its state is {state!r} instead of {wanted!r}")
        return True

    async def _fall_back(self) -> None:
        """No valid command is left: ramp to what was declared safe."""
        self.fallen = True
        for point, setpoint in self.device.profile.commands.items():
            scale = self.device.scale(point)
            own = None if setpoint.fallback is None else setpoint.fallback * scale
            safe = self.site.battery.fallback if point == "p_set" and self.steers_battery else own
            if safe is None:
                self.wanted.pop(point, None)
            else:
                self.wanted[point] = safe
        words = ", ".join(f"{point} to {value:g}" for point, value in self.wanted.items())
        if words:
            log.warning("%s: no valid command is left; %s", self.name, words)
        if self.last is not None:
            ended = Pending(self.last, 0.0, dict(self.wanted))
            await self._say(ended, OutcomeState.EXPIRED, f"no newer command came; {words}")
        self.pending = None

    async def _refuse(self, id_: str, state: OutcomeState, reason: str, command: Command | None = None) -> None:
        requested = dict(command.values) if command else {}
        source = command.source if command else ""
        await self.say(Outcome(id=id_, at=utc_now(), state=state, requested=requested, source=source, reason=reason))

    async def _say(
        self, pending: Pending, state: OutcomeState, reason: str = "", measured: dict[str, float] | None = None
    ) -> None:
        await self.say(
            Outcome(
                id=pending.command.id,
                at=utc_now(),
                state=state,
                requested=dict(pending.command.values),
                applied=dict(pending.applied),
                measured=measured or {},
                limited_by=list(pending.limited),
                action=pending.command.action,
                source=pending.command.source,
                reason=reason,
            )
        )
