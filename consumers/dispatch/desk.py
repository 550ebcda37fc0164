"""What dispatch sends now: nothing, a setpoint, or a start or a stop. Pure: both clocks are arguments."""

from dataclasses import dataclass, field
from datetime import datetime

from consumers.dispatch.modes import Control, act, ask, begin, expire, lock
from consumers.dispatch.moment import STOPPED, Fold
from consumers.dispatch.resets import Advice, Resets
from optimizer.billing import Billing
from optimizer.dispatch import Ratings, Wanted, decide
from schemas.messages import METER_SIGN_SUSPECT, Action, Authority, ControlMode, ControlRequest, Mode, Plan
from schemas.site import Site

BETWEEN = ("starting", "stopping", "precharge")
FIRST_AGAIN, LONGEST_AGAIN = 10.0, 300.0
EMPTYING = 10.0
"""Seconds a battery under load may take to come to rest before it is stopped."""


@dataclass
class Attempts:
    """Something that is tried again, later each time: contactors and soft-start resistors wear."""

    count: int = 0
    next: float = 0.0

    def due(self, mono: float) -> bool:
        """Whether to try now; counts as tried."""
        if mono < self.next:
            return False
        self.next = mono + min(FIRST_AGAIN * 2**self.count, LONGEST_AGAIN)
        self.count += 1
        return True


@dataclass
class Order:
    """One command before it gets its id and its times."""

    wanted: Wanted
    action: Action | None = None


@dataclass
class Desk:
    """All that dispatch remembers of its site."""

    site: Site
    fold: Fold
    ratings: Ratings
    control: Control | None = None
    plan: Plan | None = None
    last: float | None = None
    """W, the setpoint sent last."""
    starts: Attempts = field(default_factory=Attempts)
    stops: Attempts = field(default_factory=Attempts)
    resets: Resets = field(default_factory=Resets)
    released: ControlMode | None = None
    """The lockout that a person has just ended."""
    locked: float | None = None
    """Monotonic seconds since lockout holds."""
    asked: ControlRequest | None = None
    """A grid mode that a person wants now."""
    detail: str = ""

    @classmethod
    def of(cls, site: Site) -> "Desk":
        demand = site.demand
        pcs, meter = site.named(site.battery.pcs), site.named(site.grid.meter)
        ratings = Ratings(site.battery, site.grid, pcs.rated_power or 0.0, meter.poll)
        return cls(site, Fold(site, Billing(site.zone, demand.minutes if demand else 15)), ratings)

    def order(self, now: datetime, mono: float) -> Order | None:
        """What to send now; `detail` says what is done and why."""
        if self.control is None:
            return None
        self.control = expire(self.control, now)
        mode = self.control.mode
        if mode.mode is not Mode.LOCKOUT:
            self.locked, self.stops = None, Attempts()
        if (asked := self._asked()) is not None:
            self.last, self.detail = None, asked.wanted.reason
            return asked
        match mode.mode:
            case Mode.LOCAL:
                order, said = None, f"{mode.who} steers at the device; nothing is sent"
            case Mode.LOCKOUT:
                order, said = self._lock(mono)
            case _:
                order, said = self._steer(now, mono)
        self.last = order.wanted.power if order and order.action is None else None
        self.detail = f"{mode.mode}: {said}"
        return order

    def hear(self, request: ControlRequest, now: datetime, *, retained: bool = False) -> str:
        """A person asks; gives why it is not followed."""
        held = self.control or begin(now)
        if request.action is None:
            self.control = ask(held, request, now, retained=retained)
        else:
            able = self.site.profiles[self.site.battery.pcs].actions
            self.control = act(held, request, now, state=self.fold.state, able=able, retained=retained)
        if not self.control.refusal:
            self.asked = request if request.action is not None else None
            if held.mode.mode is Mode.LOCKOUT and request.mode not in (None, Mode.LOCKOUT):
                self.release(held.mode)
        return self.control.refusal

    def _asked(self) -> Order | None:
        """Once: who wants it again asks again."""
        request, self.asked = self.asked, None
        if request is None or self.fold.state not in STOPPED:
            return None
        reason = f"{request.action} by {request.who.strip()}: {request.why.strip()}"
        return Order(Wanted(0.0, reason[:500], Authority.OPERATOR), request.action)

    def distrust(self, reason: str, now: datetime) -> None:
        """The bridge closes no loop over this meter: a person has to look."""
        if self.control is not None and self.control.mode.mode not in (Mode.LOCKOUT, Mode.LOCAL):
            self.control = lock(self.control, reason, now)

    def release(self, lockout: ControlMode) -> None:
        """A named person has ended it: what it was for is reset."""
        self.released = lockout

    def _release(self, mono: float) -> Order | None:
        lockout, self.released = self.released, None
        if lockout is None or self.control is None:
            return None
        if self.fold.state != "fault" and not lockout.why.startswith(METER_SIGN_SUSPECT):
            return None
        self.resets.done(mono)
        reason = f"lockout ended by {self.control.mode.who} {self.control.mode.why}".strip()
        return Order(Wanted(0.0, reason[:500], Authority.OPERATOR), Action.RESET)

    def _tripped(self, now: datetime, mono: float) -> Order | None:
        assert self.control is not None  # noqa: S101  # told by order()
        advice = self.resets.advise(self.fold.state, mono)
        if advice is Advice.RESET and self._can(Action.RESET):
            reason = "the PCS has tripped: its one automatic reset"
            return Order(Wanted(0.0, reason, Authority.SELF_CONSUMPTION), Action.RESET)
        if advice is Advice.LOCK:
            self.control = lock(self.control, "the PCS has tripped again after its automatic reset", now)
        return None

    def _steer(self, now: datetime, mono: float) -> tuple[Order | None, str]:
        assert self.control is not None  # noqa: S101  # told by order()
        if self.fold.pcs_is_silent(mono):
            return None, f"{self.site.battery.pcs} is silent; nothing is sent"
        if (reset := self._release(mono) or self._tripped(now, mono)) is not None:
            return reset, reset.wanted.reason
        state = self.fold.state
        if state in STOPPED and self._can(Action.START):
            if not self.starts.due(mono):
                return None, f"waits for {self.site.battery.pcs} to start (attempt {self.starts.count})"
            authority = Authority.OPERATOR if self.control.mode.mode is Mode.MANUAL else Authority.SELF_CONSUMPTION
            return Order(Wanted(0.0, f"the PCS is {state}", authority), Action.START), "starts the PCS"
        if state not in STOPPED and state not in BETWEEN:
            self.starts = Attempts()
        if state == "fault" or state in BETWEEN:
            return self._rest(f"rests: the PCS is {state}", Authority.SELF_CONSUMPTION)
        last = self.last if self.last is not None else self.fold.power or 0.0
        moment = self.fold.moment(now, mono, last)
        wanted = decide(self.ratings, moment, self.plan, self.fold.billing, self.control.mode)
        return Order(wanted), f"{wanted.power / 1000:.1f} kW, {wanted.reason}"

    def _lock(self, mono: float) -> tuple[Order | None, str]:
        """First 0, then stop; no more once the PCS says that it stands."""
        if self.fold.state == "fault":
            return None, "the PCS has tripped"
        if self.fold.state in STOPPED:
            return None, "the PCS is stopped"
        moving = self.fold.power is None or abs(self.fold.power) > 0.02 * self.ratings.rated
        if self.locked is None or (moving and mono - self.locked < EMPTYING):
            self.locked = mono if self.locked is None else self.locked
            return self._rest("lockout: rests before the stop", Authority.OPERATOR)
        again = self.fold.state or not self.stops.count
        if self._can(Action.STOP) and again and self.stops.due(mono):
            return Order(Wanted(0.0, "lockout", Authority.OPERATOR), Action.STOP), "stops the PCS"
        return self._rest("lockout: rests", Authority.OPERATOR)

    def _rest(self, reason: str, authority: Authority) -> tuple[Order, str]:
        return Order(Wanted(0.0, reason, authority)), reason

    def _can(self, action: Action) -> bool:
        return action.value in self.site.profiles[self.site.battery.pcs].actions
