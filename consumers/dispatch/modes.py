"""Who steers the battery: auto, manual, local or lockout, as a table. What is not written here is refused. Pure."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consumers.dispatch import lease
from consumers.dispatch.requests import Refusal
from schemas.grid_modes import barred
from schemas.messages import Cause, ControlMode, ControlRequest, Mode

NEXT: dict[Mode, frozenset[Mode]] = {
    Mode.AUTO: frozenset({Mode.AUTO, Mode.MANUAL, Mode.LOCAL, Mode.LOCKOUT}),
    Mode.MANUAL: frozenset({Mode.AUTO, Mode.MANUAL, Mode.LOCAL, Mode.LOCKOUT}),
    Mode.LOCAL: frozenset({Mode.AUTO, Mode.LOCAL, Mode.LOCKOUT}),
    Mode.LOCKOUT: frozenset({Mode.AUTO, Mode.LOCKOUT}),
}
"""From which mode one may ask for which."""
LENT = frozenset({Mode.MANUAL, Mode.LOCAL})
"""What a person holds, and gives back when the lease ends. Lockout has no end but a named request; auto needs none."""
NOBODY = "somebody"
"""Who locks out without a name: it is no moment to ask for one."""


@dataclass(frozen=True)
class Control:
    """The mode, and the monotonic time at which its lease ends."""

    mode: ControlMode
    ends: float | None = None


def begin(now: datetime) -> Control:
    """How dispatch starts where nothing was kept."""
    return Control(ControlMode(at=now, mode=Mode.AUTO, who="dispatch", why="started"))


def ask(control: Control, request: ControlRequest, now: datetime, mono: float) -> Control | Refusal:
    """What becomes of a timely request for a mode: the new mode, or why not."""
    if request.mode is None:
        return Refusal(Cause.INVALID, "it asks for no mode")
    if (no := _forbidden(control.mode, request, now)) is not None:
        return no
    held, lent = control.mode, request.mode in LENT
    seconds = lease.wanted(request, now) if lent else None
    locked_before = request.mode is Mode.LOCKOUT and held.mode is Mode.LOCKOUT
    mode = ControlMode(
        at=now,
        mode=request.mode,
        who=request.who.strip() or NOBODY,
        why=request.why,
        cause=held.cause if locked_before else None,  # what has to be reset at its end stays known
        power=request.power,
        until=None if seconds is None else now + timedelta(seconds=seconds),
    )
    return Control(mode, None if seconds is None else mono + seconds)


def act(control: Control, request: ControlRequest, pcs: str, *, state: str, able: Collection[str]) -> Refusal | None:
    """Why a timely wish for a grid mode is not followed. `pcs`: whose PCS it is; `state` is its state, `able` what its
    profile can be told."""
    who = request.who.strip()
    if not who:
        return Refusal(Cause.INVALID, "the request does not say who asks")
    no = barred(request.action, pcs, control.mode, state=state, able=able, who=who)
    return None if no is None else Refusal(*no)


def expire(control: Control, now: datetime, mono: float) -> Control:
    """Back to auto when the lease has ended."""
    if control.ends is None or mono < control.ends:
        return control
    why = f"the lease of {control.mode.who} ended"
    return Control(ControlMode(at=now, mode=Mode.AUTO, who="dispatch", why=why))


def lock(control: Control, cause: str, why: str, now: datetime) -> Control:
    """Nobody steers until a person has looked: only a named request ends it."""
    mode = ControlMode(at=now, mode=Mode.LOCKOUT, who="dispatch", cause=cause, why=why[:500])
    return replace(control, mode=mode, ends=None)


def _forbidden(held: ControlMode, request: ControlRequest, now: datetime) -> Refusal | None:
    if request.mode is Mode.LOCKOUT:
        return None
    who, seconds = request.who.strip(), lease.wanted(request, now)
    longer = request.until is not None and request.until - request.at > lease.LONGEST
    until = f" until {held.until:%H:%M}Z" if held.until else ""
    checks = (
        (not who, Cause.INVALID, "the request does not say who asks"),
        (
            request.mode not in NEXT[held.mode],
            Cause.WRONG_STATE,
            f"{held.mode} goes to {' or '.join(sorted(NEXT[held.mode]))}, not to {request.mode}",
        ),
        (seconds is not None and seconds <= 0, Cause.EXPIRED, "the lease has ended already"),
        (longer, Cause.TOO_LONG, f"a lease lasts at most {lease.LONGEST.total_seconds() / 3600:.0f} h"),
        (
            held.mode in LENT and held.who != who,
            Cause.AUTHORITY,
            f"{held.mode} is held by {held.who}{until}: only {held.who} may end it, or a lockout",
        ),
    )
    return next((Refusal(cause, reason) for wrong, cause, reason in checks if wrong), None)
