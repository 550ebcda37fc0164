"""The mode that holds for the site, and which of its batteries are out alone. Pure: both clocks are arguments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.instruction import Instruction
from consumers.dispatch.kept import KeptBattery
from consumers.dispatch.modes import Control, lock
from consumers.dispatch.own_lockouts import outs_of, told
from schemas.messages import Cause, ControlMode, ControlRequest, Mode, PlanHeld


@dataclass
class SiteMode:
    """Who steers."""

    batteries: Mapping[str, BatteryDesk]
    """By the name of their PCS."""
    control: Control | None = None
    """None before this run has begun."""
    serves: ControlRequest | None = None
    """The request whose mode holds; none after a restart."""
    plan: PlanHeld | None = None
    """Whether the plan is followed, as it was seen last."""
    left_over: dict[str, KeptBattery] = field(default_factory=dict)
    """Lockouts of batteries that are in the site file no more."""

    def take_out(self, one: BatteryDesk, cause: str, why: str, now: datetime) -> None:
        """A battery is locked out for what it did; without any other the site is."""
        if self.control is None or one.out is not None:
            return
        one.out = lock(self.control, cause, why, now).mode
        self.lock_if_all_out(self.control, now)

    def lock_if_all_out(self, control: Control, now: datetime) -> None:
        """Where no battery is left the site is locked out, for the last one's cause."""
        last = max((one.out for one in self.batteries.values() if one.out), key=lambda out: out.at, default=None)
        every = all(one.out is not None for one in self.batteries.values())
        if last is not None and every and control.mode.mode is not Mode.LOCKOUT:
            self.lock(control, last.cause or "", last.why, now)

    def lock(self, control: Control, cause: str, why: str, now: datetime) -> None:
        """The site is locked out by itself."""
        self.control, self.serves = lock(control, cause, why, now), None

    def said(self) -> ControlMode | None:
        """The mode that holds, who is out, and whether the plan is followed; None before this run has begun."""
        if self.control is None:
            return None
        steered = self.control.mode.mode is Mode.AUTO and bool(self.batteries)
        return told(self.control.mode, self.outs, self.plan if steered else None)

    @property
    def outs(self) -> dict[str, ControlMode]:
        """The lockouts of batteries, by name."""
        outs = {one.battery.name: one.out for one in self.batteries.values() if one.out is not None}
        return outs_of(self.left_over) | outs

    # what each battery does by it ----------------------------------------------------------------

    def stop(self, mono: float) -> dict[str, Instruction]:
        """The lockout of the site: every battery rests and stops."""
        sent = dict[str, Instruction]()
        for pcs, one in self.batteries.items():
            order, one.why = one.lockout.next(one.look(mono), mono, self.serves)
            sent |= {} if order is None else {pcs: order}
        return sent

    def taking_part(
        self, control: Control, now: datetime, mono: float
    ) -> tuple[dict[str, Instruction], list[BatteryDesk]]:
        """What those are sent that get no share, and those that do."""
        sent, able = dict[str, Instruction](), list[BatteryDesk]()
        for pcs, one in self.batteries.items():
            aside = one.aside(control.mode, mono, self.serves)
            one.why = "" if aside is None else aside.why
            if aside is None:
                able.append(one)
                continue
            sent |= {} if aside.sent is None else {pcs: aside.sent}
            if aside.locks:
                self.take_out(one, Cause.TRIPPED, aside.locks, now)
        return sent, able
