"""The commands of one device that are obeyed and not yet proven, and what is said of each."""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from bridges.control.guard import AFTER
from bridges.control.verification import doubt
from bridges.fieldbus.modbus.connection import Declined, Unreachable
from bridges.fieldbus.modbus.device import ModbusDevice
from schemas.messages import METER_SIGN_SUSPECT, Cause, Command, Limited, Outcome, OutcomeState, Value
from schemas.units import utc_now

SETTLING = 10.0
"""Seconds the measured power may take to follow before a command counts as not obeyed."""

Say = Callable[[Outcome], Awaitable[None]]


@dataclass
class Pending:
    """A command that is obeyed and not yet proven."""

    command: Command
    since: float
    applied: dict[str, float] = field(default_factory=dict)
    limited: list[Limited] = field(default_factory=list)
    final: float | None = None
    """Since when nothing but the device's own time stands between the setpoint and the wish (no ramp of ours)."""
    said: bool = False
    """That it is applied."""


@dataclass
class PendingCommands:
    """At most one open command of each kind: `values`, `limit` or `action`."""

    device: ModbusDevice
    rated: float
    say: Say
    open: dict[str, Pending] = field(default_factory=dict)

    async def enter(self, kind: str, command: Command) -> Pending:
        """A new command; it supersedes the open one of its kind."""
        if kind in self.open:
            await self.close(kind, OutcomeState.SUPERSEDED, f"by {command.id}")
        pending = self.open[kind] = Pending(command, time.monotonic())
        return pending

    async def close(
        self, kind: str, state: OutcomeState, reason: str = "", measured: dict[str, float] | None = None
    ) -> None:
        """The last word on a command."""
        await self.tell(self.open.pop(kind), state, reason, measured)

    async def prove(self, seen: Mapping[str, Value], began: float, *, switching: bool) -> None:
        """By the measured power, or the state. A command that came after the look is not judged by it.

        `switching`: a start or a stop is on its way and judges itself.
        """
        for kind, pending in [*self.open.items()]:
            if pending.since > began or self.open.get(kind) is not pending:
                continue
            if kind != "action":
                await self._prove_power(kind, pending, seen)
            elif not switching:
                await self._prove_action(pending, seen)

    async def _prove_power(self, kind: str, pending: Pending, seen: Mapping[str, Value]) -> None:
        if pending.final is None:
            return
        against = doubt(pending.applied, seen, self.rated)
        if against and time.monotonic() - pending.final <= SETTLING:
            return
        measured = {point: value for point in ("p", "q") if isinstance(value := seen.get(point), float)}
        proven = OutcomeState.LIMITED if pending.limited else OutcomeState.VERIFIED
        await self.close(kind, OutcomeState.NOT_OBEYED if against else proven, against, measured)

    async def _prove_action(self, pending: Pending, seen: Mapping[str, Value]) -> None:
        action = pending.command.action
        if action is None:
            return
        point, obeyed = AFTER[action]
        speaks = point in self.device.profile.points
        if speaks and point not in seen:
            try:
                seen = await self.device.look(point)
            except (Unreachable, Declined):
                return
        says = str(seen.get(point, ""))
        proven = not speaks or obeyed(says)
        late = time.monotonic() - pending.since > SETTLING
        if self.open.get("action") is not pending or not (proven or late):
            return  # followed by another while we looked, or still on its way
        reason = says if proven else f"after {action.value} its {point} is {says!r}"
        await self.close("action", OutcomeState.VERIFIED if proven else OutcomeState.NOT_OBEYED, reason)

    async def refuse(self, name: str, state: OutcomeState, reason: str, command: Command | None = None) -> None:
        """A command that is not obeyed; `name` is its id, as far as it can be read."""
        requested = dict(command.values) if command else {}
        source = command.source if command else ""
        cause = Cause.METER_POLARITY if reason.startswith(METER_SIGN_SUSPECT) else None
        await self.say(
            Outcome(id=name, at=utc_now(), state=state, requested=requested, source=source, cause=cause, reason=reason)
        )

    async def tell(
        self, pending: Pending, state: OutcomeState, reason: str = "", measured: dict[str, float] | None = None
    ) -> None:
        """What has become of a command so far."""
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
                cause=Cause.NOT_OBEYED if state is OutcomeState.NOT_OBEYED else None,
                reason=reason,
            )
        )
