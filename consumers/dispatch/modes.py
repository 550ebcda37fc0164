"""Who steers the battery: auto, manual, local or lockout, as a table. What is not written here is refused."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from consumers.dispatch.moment import STOPPED
from schemas.messages import ControlMode, ControlRequest, Mode

NEXT: dict[Mode, frozenset[Mode]] = {
    Mode.AUTO: frozenset({Mode.AUTO, Mode.MANUAL, Mode.LOCAL, Mode.LOCKOUT}),
    Mode.MANUAL: frozenset({Mode.AUTO, Mode.MANUAL, Mode.LOCAL, Mode.LOCKOUT}),
    Mode.LOCAL: frozenset({Mode.AUTO, Mode.LOCAL, Mode.LOCKOUT}),
    Mode.LOCKOUT: frozenset({Mode.AUTO, Mode.LOCKOUT}),
}
"""From which mode one may ask for which."""

OLDEST = timedelta(seconds=30)
"""A request that took longer to arrive was meant for another moment."""
AHEAD = timedelta(seconds=5)
"""A request from later than now has a wrong clock, and its lease would end at a wrong time."""
LONGEST = timedelta(hours=24)
"""A lease; who wants more asks again."""


@dataclass(frozen=True)
class Control:
    """The mode, and when the last request that was followed was made."""

    mode: ControlMode
    asked: datetime | None = None
    refusal: str = ""
    """Why the last request was not followed."""


def begin(now: datetime, kept: ControlMode | None = None) -> Control:
    """How dispatch starts: in the mode the broker kept for it, else in auto."""
    if kept is not None:
        return Control(kept, kept.at)
    return Control(ControlMode(at=now, mode=Mode.AUTO, who="dispatch", why="started"))


def ask(control: Control, request: ControlRequest, now: datetime, *, retained: bool = False) -> Control:
    """What becomes of a request: the new mode, or the old one with a refusal in words."""
    refusal = _untimely(control, request, now, retained) or _forbidden(control.mode, request, now)
    if refusal or request.mode is None:
        return replace(control, refusal=refusal or "it asks for no mode")
    # Lockout has no end but a named request; auto needs none.
    lease = request.until if request.mode in (Mode.MANUAL, Mode.LOCAL) else None
    mode = ControlMode(
        at=now, mode=request.mode, who=request.who.strip(), why=request.why, power=request.power, until=lease
    )
    return Control(mode, request.at)


def act(
    control: Control,
    request: ControlRequest,
    now: datetime,
    *,
    state: str,
    able: Collection[str],
    retained: bool = False,
) -> Control:
    """What becomes of a wish for a grid mode: the same mode, with a refusal in words or none.

    `state` is the PCS', `able` what its profile can be told.
    """
    held, who = control.mode, request.who.strip()
    refusal = _untimely(control, request, now, retained)
    if not refusal and not who:
        refusal = "the request does not say who asks"
    elif not refusal and held.mode is Mode.LOCAL:
        refusal = f"{held.who} steers at the device; nothing is sent"
    elif not refusal and held.mode is Mode.MANUAL and held.who != who:
        refusal = f"manual is held by {held.who}"
    elif not refusal and request.action not in able:
        refusal = f"the PCS knows no {request.action}"
    elif not refusal and state not in STOPPED:
        refusal = f"the grid mode changes only at rest, the PCS is {state or 'silent'}: ask for a lockout first"
    return replace(control, refusal=refusal, asked=control.asked if refusal else request.at)


def expire(control: Control, now: datetime) -> Control:
    """Back to auto when the lease has ended."""
    mode = control.mode
    if mode.until is None or now < mode.until:
        return control
    why = f"the lease of {mode.who} ended"
    return replace(control, mode=ControlMode(at=now, mode=Mode.AUTO, who="dispatch", why=why))


def lock(control: Control, why: str, now: datetime) -> Control:
    """Nobody steers until a person has looked: only a named request ends it."""
    return replace(control, mode=ControlMode(at=now, mode=Mode.LOCKOUT, who="dispatch", why=why[:500]))


def _untimely(control: Control, request: ControlRequest, now: datetime, retained: bool) -> str:
    if retained:
        return "a retained request is never followed: it may be of any age"
    if now - request.at > OLDEST:
        return f"the request is {(now - request.at).total_seconds():.0f} s old"
    if request.at - now > AHEAD:
        return f"the request comes from {(request.at - now).total_seconds():.0f} s ahead: check the clock"
    if control.asked is not None and request.at <= control.asked:
        return "an equal or later request was followed already"
    return ""


def _forbidden(held: ControlMode, request: ControlRequest, now: datetime) -> str:
    who = request.who.strip()
    if not who:
        return "the request does not say who asks"
    if request.mode is not None and request.mode not in NEXT[held.mode]:
        return f"{held.mode} goes to {' or '.join(sorted(NEXT[held.mode]))}, not to {request.mode}"
    if request.until is not None and request.until <= now:
        return "the lease has ended already"
    if request.until is not None and request.until - now > LONGEST:
        return f"a lease lasts at most {LONGEST.total_seconds() / 3600:.0f} h"
    foreign = held.mode in (Mode.MANUAL, Mode.LOCAL) and held.who != who
    if foreign and request.mode is not Mode.LOCKOUT:
        until = f" until {held.until:%H:%M}Z" if held.until else ""
        return f"{held.mode} is held by {held.who}{until}: only {held.who} may end it, or a lockout"
    return ""
