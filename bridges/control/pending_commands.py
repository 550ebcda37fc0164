"""The commands of one device that hold, and what is said of each. Pure: the table of `command_life` decides.

At most one of each kind: `values`, `limit` (of the network operator) and `action`. A deadline belongs to its own kind:
an action prolongs no setpoint.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from bridges.control.command_history import Arrival
from bridges.control.command_life import DONE, ENDED, NEXT, PROVEN, Event, Stage
from bridges.control.guard import Holder, Refusal, is_limit
from schemas.messages import Cause, Command, Limited, Outcome, OutcomeState

Kind = Literal["values", "limit", "action"]


def kind_of(command: Command) -> Kind:
    """What a command is about."""
    return "action" if command.action else "limit" if is_limit(command) else "values"


def refused(name: str, no: Refusal, command: Command | None, at: datetime) -> Outcome:
    """What is said of a command that is not obeyed; `name` is its id, as far as it can be read."""
    return Outcome(
        id=name, at=at, state=no.state, requested=dict(command.values) if command else {},
        action=command.action if command else None, source=command.source if command else "", cause=no.cause,
        reason=no.reason,
    )  # fmt: skip


@dataclass
class Pending:
    """One command that holds."""

    command: Command
    deadline: float
    since: float
    """When it was taken; both times are of the monotonic clock."""
    stage: Stage = Stage.TAKEN
    applied: dict[str, float] = field(default_factory=dict)
    limited: list[Limited] = field(default_factory=list)
    held: str = ""
    """Why the interlocks among them hold, in words."""


@dataclass
class PendingCommands:
    """`wall` is the clock that outcomes bear."""

    wall: Callable[[], datetime]
    open: dict[Kind, Pending] = field(default_factory=dict)
    said: list[Outcome] = field(default_factory=list)
    """Outcomes that wait to be told: after the write they speak of, never before."""

    def take(self, arrival: Arrival, now: float) -> Pending:
        """It is obeyed from now on; it supersedes the open one of its kind."""
        kind = kind_of(arrival.command)
        self.event(kind, Event.NEWER, f"by {arrival.command.id}", Cause.NEWER_COMMAND)
        pending = self.open[kind] = Pending(arrival.command, arrival.deadline, now)
        return pending

    def refuse(self, name: str, no: Refusal, command: Command | None = None) -> None:
        """One that is not obeyed; `name` is its id, as far as it can be read."""
        self.said.append(refused(name, no, command, self.wall()))

    def leave(self, reason: str) -> None:
        """Nobody will prove what is still open; what was proven stands."""
        for kind, one in [*self.open.items()]:
            if one.stage not in PROVEN:
                self.event(kind, Event.RAN_OUT, reason, Cause.STOPPING)

    def event(
        self,
        kind: Kind,
        event: Event,
        reason: str = "",
        cause: Cause | None = None,
        measured: Mapping[str, float] | None = None,
    ) -> None:
        """Something happened to the open command of a kind, if there is one."""
        pending = self.open.get(kind)
        if pending is None:
            return
        pending.stage, said = NEXT[pending.stage, event]
        if said is not None:
            self.said.append(self._outcome(pending, said, reason, cause, measured or {}))
        if pending.stage in ENDED or (kind == "action" and pending.stage in DONE):
            del self.open[kind]

    def run_out(self, now: float, words: str) -> bool:
        """Ends what has run out; True when the values did: the device goes to its fallback."""
        late: list[Kind] = [kind for kind, pending in self.open.items() if now >= pending.deadline]
        for kind in late:
            if kind == "action":  # it is judged by what it comes to, not by how long its word was valid
                continue
            reason = f"no newer command came; {words}" if kind == "values" else "the signal is lost: its limit holds on"
            self.event(kind, Event.RAN_OUT, reason, Cause.NO_COMMAND)
        return "values" in late

    @property
    def holder(self) -> Holder | None:
        """Who steers the device by values. A limit holds nothing: others steer within it."""
        pending = self.open.get("values")
        if pending is None:
            return None
        return Holder(pending.command.authority, pending.command.source, pending.deadline)

    def tell(self) -> list[Outcome]:
        """What is to be said now; each once."""
        said, self.said = self.said, []
        return said

    def _outcome(
        self, pending: Pending, state: OutcomeState, reason: str, cause: Cause | None, measured: Mapping[str, float]
    ) -> Outcome:
        command = pending.command
        return Outcome(
            id=command.id, at=self.wall(), state=state, requested=dict(command.values), applied=dict(pending.applied),
            measured=dict(measured), limited_by=list(pending.limited), action=command.action, source=command.source,
            cause=cause, reason=reason,
        )  # fmt: skip
