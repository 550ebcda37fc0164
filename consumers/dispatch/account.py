"""What dispatch does now and why, of the site and of each battery, as everybody may read it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.desk import Desk
from consumers.dispatch.doing import asides
from consumers.dispatch.instruction import Instruction
from consumers.dispatch.own_lockouts import complaints
from consumers.dispatch.reasons import whys
from consumers.dispatch.sharing import own_reason
from schemas.messages import BatteryDispatch, ControlDispatch, ControlMode, Mode, Why

STEERED = (Mode.AUTO, Mode.MANUAL)
"""Where one battery can stand aside while others work."""


def account(desk: Desk, sent: Mapping[str, Instruction], now: datetime, mono: float) -> ControlDispatch | None:
    """After `Desk.instruct`, which gave what is sent, by PCS. None before this run has begun."""
    if desk.control is None:
        return None
    doing, mode, each = desk.doing, desk.control.mode, [*desk.batteries.values()]
    reason = doing.reason or _reason(mode, each)
    aside = [] if doing.action or mode.mode not in STEERED or len(each) < 2 else asides(mode.mode, each)
    return ControlDispatch(
        at=now,
        mode=mode.mode,
        read_only=desk.site.mode == "read_only",
        power=doing.power,
        authority=doing.authority,
        action=doing.action,
        reason="; ".join([reason, *aside, *complaints(desk.mode.left_over)]),
        why=[] if doing.wanted is None else [*doing.wanted.whys],
        batteries={one.battery.name: _battery(desk, one, sent.get(one.pcs), reason, (now, mono)) for one in each},
        pv=dict(desk.pv.told),
        curtailed=desk.pv.reason,
        loads=dict(desk.loads.told),
        pv_reactive={one.name: desk.reactive.told[one.name] for one in desk.site.pv if one.name in desk.reactive.told},
        rules=desk.rules.told,
        rules_hold=desk.rules.holding,
    )


def undecided(desk: Desk, why: str, now: datetime) -> ControlDispatch | None:
    """Nothing is sent, because `Desk.instruct` has failed."""
    if desk.control is None:
        return None
    names = [one.battery.name for one in desk.batteries.values()]
    return ControlDispatch(
        at=now,
        mode=desk.control.mode.mode,
        read_only=desk.site.mode == "read_only",
        reason=why,
        batteries=dict.fromkeys(names, BatteryDispatch(takes_part=False, reason=why)),
    )


def _battery(
    desk: Desk, one: BatteryDesk, sent: Instruction | None, reason: str, at: tuple[datetime, float]
) -> BatteryDispatch:
    (now, mono), doing = at, desk.doing
    action, shares = None if sent is None else sent.action, one.pcs in doing.shared
    if sent is not None and doing.wanted is not None and shares and len(doing.shared) > 1:
        reason = own_reason(one, doing.wanted, sent.counted, mono)
    return BatteryDispatch(
        takes_part=shares,
        power=None if sent is None or action is not None else sent.wanted.power,
        reactive_power=None if sent is None else sent.reactive,
        action=action,
        reason=one.why or reason,
        why=_whys(desk, one.pcs, sent, now),
        locked_out="" if one.out is None else one.out.why,
        complaint=one.complains(mono),
    )


def _whys(desk: Desk, pcs: str, sent: Instruction | None, now: datetime) -> list[Why]:
    """Of the power that it is told; empty where it is told none, or a number is too large for a message."""
    if sent is None or sent.action is not None:
        return []
    try:
        return whys(desk, pcs, sent, now)
    except ValueError:
        return []


def _reason(mode: ControlMode, batteries: Sequence[BatteryDesk]) -> str:
    """Where nothing is decided for the site as a whole."""
    if mode.mode is Mode.LOCKOUT:
        return ": ".join(filter(None, (f"lockout by {mode.who}", mode.why.strip())))
    return batteries[0].why if len(batteries) == 1 else "no battery can be steered"
