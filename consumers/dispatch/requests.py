"""Which requests are followed at all, before it is looked at what they want. Pure: both clocks are arguments.

A lockout is taken from anybody at any time. Everything else has an order: per person, and only as long as one request
can be late. No mark of a wall clock stays: a clock that was wrong once would shut everybody out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from schemas.messages import Cause, ControlMode, ControlRequest, Mode

TOLERANCE = 30.0
"""Seconds: a request that is older was meant for another moment; a clock that is further ahead is wrong."""
REMEMBERED = 200


@dataclass(frozen=True)
class Refusal:
    """Why a request is not followed: for programs, and in words."""

    cause: Cause
    reason: str


@dataclass(frozen=True)
class _Followed:
    at: datetime
    mono: float


@dataclass
class Requests:
    """Those that were followed."""

    seen: dict[str, None] = field(default_factory=dict)
    """What names each, the oldest first."""
    newest: dict[str, _Followed] = field(default_factory=dict)
    """The last of each person."""
    locked: _Followed | None = None
    """The last lockout, by our own clock: who did not know of it may not end it."""

    def untimely(self, request: ControlRequest, now: datetime, mono: float, *, retained: bool) -> Refusal | None:
        """Why not now, or None."""
        if retained:
            return Refusal(
                Cause.RETAINED, "a retained request is never followed, it may be years old: send it without retain"
            )
        if request.mode is Mode.LOCKOUT:
            return None
        who, late = request.who.strip(), (now - request.at).total_seconds()
        checks = (
            (late > TOLERANCE, Cause.EXPIRED, f"the request is {late:.0f} s old"),
            (-late > TOLERANCE, Cause.CLOCK_SKEW, f"the request comes from {-late:.0f} s ahead: check the clock"),
            (
                name(request) in self.seen,
                Cause.DUPLICATE,
                "this request was followed already: give a new one an id of its own",
            ),
            (
                _before(request, self.newest.get(who), mono),
                Cause.OUT_OF_ORDER,
                f"a later request of {who} was followed already",
            ),
            (_before(request, self.locked, mono), Cause.OUT_OF_ORDER, "it was made before the lockout: ask again"),
        )
        return next((Refusal(cause, reason) for wrong, cause, reason in checks if wrong), None)

    def follow(self, request: ControlRequest, now: datetime, mono: float) -> None:
        """It is going to be followed."""
        self.remember([name(request)])
        # a person whose clock is ahead is not held to it
        self.newest[request.who.strip()] = _Followed(min(request.at, now), mono)
        while len(self.newest) > REMEMBERED:
            del self.newest[next(iter(self.newest))]
        if request.mode is Mode.LOCKOUT:
            self.locked = _Followed(now, mono)

    def begin(self, held: ControlMode, mono: float) -> None:
        """The last run ended in this mode: who did not know of its lockout then does not know of it now."""
        if held.mode is Mode.LOCKOUT:
            self.locked = _Followed(held.at, mono)

    def remember(self, names: Iterable[str]) -> None:
        """These were followed."""
        self.seen |= dict.fromkeys(names)
        while len(self.seen) > REMEMBERED:
            del self.seen[next(iter(self.seen))]


def name(request: ControlRequest) -> str:
    """What tells a request from all others: its id, or all that it says."""
    said = (
        request.at.isoformat(),
        request.mode,
        request.action,
        request.battery,
        request.power,
        request.until,
        request.who,
    )
    return request.id or "|".join(str(one) for one in said)


def _before(request: ControlRequest, followed: _Followed | None, mono: float) -> bool:
    """Made before one that was followed, and overtaken by it. By more than a request can be late: a clock was set."""
    if followed is None or mono - followed.mono > TOLERANCE:
        return False
    return 0 < (followed.at - request.at).total_seconds() <= TOLERANCE
