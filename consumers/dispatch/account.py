"""What dispatch does now and why, of the site and of each battery, as everybody may read it. Pure."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.desk import Desk
from consumers.dispatch.instruction import Instruction
from schemas.messages import BatteryDispatch, ControlDispatch, ControlMode, Mode


def account(desk: Desk, sent: Mapping[str, Instruction], now: datetime, mono: float) -> ControlDispatch | None:
    """After `Desk.instruct`, which gave what is sent, by PCS. None before this run has begun."""
    if desk.control is None:
        return None
    doing, mode, each = desk.doing, desk.control.mode, [*desk.batteries.values()]
    reason = doing.reason or _reason(mode, each)
    return ControlDispatch(
        at=now,
        mode=mode.mode,
        read_only=desk.site.mode == "read_only",
        power=doing.power,
        authority=doing.authority,
        action=doing.action,
        reason=reason,
        batteries={
            one.battery.name: _battery(one, sent.get(one.pcs), mono, shares=one.pcs in doing.shared, reason=reason)
            for one in each
        },
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


def _battery(one: BatteryDesk, sent: Instruction | None, mono: float, *, shares: bool, reason: str) -> BatteryDispatch:
    action = None if sent is None else sent.action
    return BatteryDispatch(
        takes_part=shares,
        power=None if sent is None or action is not None else sent.wanted.power,
        action=action,
        reason=one.why or reason,
        locked_out="" if one.out is None else one.out.why,
        complaint=one.complains(mono),
    )


def _reason(mode: ControlMode, batteries: Sequence[BatteryDesk]) -> str:
    """Where nothing is decided for the site as a whole."""
    if mode.mode is Mode.LOCKOUT:
        return ": ".join(filter(None, (f"lockout by {mode.who}", mode.why.strip())))
    return batteries[0].why if len(batteries) == 1 else "no battery can be steered"
