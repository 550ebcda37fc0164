"""What dispatch sends now: nothing, a setpoint, or a start or a stop. Pure: both clocks are arguments."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from consumers.dispatch.answers import answer, later
from consumers.dispatch.instruction import Instruction, action, rest
from consumers.dispatch.kept import Kept, Stored, begin_in
from consumers.dispatch.lockout import Lockout, Seen
from consumers.dispatch.modes import Control, act, ask, begin, expire, lock
from consumers.dispatch.moment import BETWEEN, STOPPED, Fold
from consumers.dispatch.outcomes import SAID, Effect, effect
from consumers.dispatch.plans import Plans
from consumers.dispatch.requests import Refusal, Requests, name
from consumers.dispatch.resets import LOCKOUTS, Advice, Resets
from consumers.dispatch.starts import Attempts, Starts
from optimizer.dispatch import Ratings, current_step, decide
from optimizer.tariff import month
from schemas.messages import Action, Authority, Cause, ControlRequest, Mode, Outcome, Plan, RequestOutcome
from schemas.site import Site

METER_FRESH = 2.5
"""Seconds a reading of the grid meter steers, where it is read each second or more often."""
REMEMBERED = 100
"""Commands whose outcomes are still waited for."""
TOLD = 60.0
"""Seconds what the bridge complains of stands in the detail."""


@dataclass
class Desk:
    """All that dispatch remembers of its site."""

    site: Site
    fold: Fold
    ratings: Ratings
    starts: Starts
    control: Control | None = None
    plans: Plans = field(default_factory=Plans)
    last: float | None = None
    """W, the setpoint sent last."""
    resets: Resets = field(default_factory=Resets)
    lockout: Lockout = field(default_factory=Lockout)
    requests: Requests = field(default_factory=Requests)
    wish: ControlRequest | None = None
    """A grid mode that a person wants now."""
    serves: ControlRequest | None = None
    """The request whose mode holds; none after a restart."""
    told: set[tuple[str, bool]] = field(default_factory=set)
    """Which later answers the asker of a request has got. It outlives its mode: outcomes of its commands still come."""
    sent: dict[str, Instruction] = field(default_factory=dict)
    """By id, the oldest first."""
    peak: float | None = None
    """W, the month's peak as it was planned or billed last."""
    complaint: tuple[str, float] = ("", 0.0)
    """What the bridge says of our commands, and when it did."""
    detail: str = ""

    @classmethod
    def of(cls, site: Site) -> "Desk":
        pcs, meter, bms = (site.named(name) for name in (site.battery.pcs, site.grid.meter, site.battery.bms))
        fresh, allowed = meter.stale_after(METER_FRESH), bms.stale_after(site.battery.ccl_stale_after)
        ratings = Ratings(site.battery, site.grid, pcs.rated_power or 0.0, fresh, allowed)
        return cls(site, Fold.of(site), ratings, Starts(site.battery.start))

    # from one run to the next --------------------------------------------------------------------

    def begin(self, file: Stored, broker: Stored, now: datetime, mono: float) -> None:
        """Go on where the last run ended, in the safer mode of the two that were kept."""
        self.control = begin_in(file, broker, now, mono)
        self.requests.begin(self.control.mode, mono)
        kept = file.kept
        if kept is None:
            return
        since = max(0.0, (now - kept.at).total_seconds())
        self.lockout.undo, self.peak = kept.to_reset, kept.peak
        self.starts.why, self.starts.ran = kept.may_start, kept.ran
        self.starts.attempts = Attempts(kept.starts[0], mono + kept.starts[1])
        self.lockout.stops = Attempts(kept.stops[0], mono + kept.stops[1])
        if kept.reset is not None:
            self.resets.outcome, self.resets.tried = kept.reset[0], mono - kept.reset[1] - since
        self.requests.remember(kept.requests)

    def keep(self, now: datetime, mono: float) -> Kept | None:
        """What the next run must know; None before this one has begun."""
        if self.control is None:
            return None
        ends, tried = self.control.ends, self.resets.tried
        starts, stops = self.starts.attempts, self.lockout.stops
        return Kept(
            at=now,
            mode=self.control.mode,
            lease=None if ends is None else max(0.0, ends - mono),
            to_reset=self.lockout.undo,
            may_start=self.starts.why,
            ran=self.starts.ran,
            starts=(starts.count, max(0.0, starts.next - mono)),
            stops=(stops.count, max(0.0, stops.next - mono)),
            reset=None if tried is None else (self.resets.outcome, max(0.0, mono - tried)),
            peak=self.peak,
            requests=list(self.requests.seen),
        )

    # what persons want, and what becomes of it ---------------------------------------------------

    def hear(self, request: ControlRequest, now: datetime, mono: float, *, retained: bool = False) -> RequestOutcome:
        """A person asks; gives the answer."""
        held = self.control or begin(now)
        no = self.requests.untimely(request, now, mono, retained=retained)
        if no is not None:
            return answer(request, no, now)
        if request.action is not None:
            able = self.site.profiles[self.site.battery.pcs].actions
            no = act(held, request, state=self.fold.state(mono), able=able)
            self.wish = None if no else request
        else:
            asked = ask(held, request, now, mono)
            if isinstance(asked, Refusal):
                no = asked
            else:
                self._turn(held, asked, request)
        if no is None:
            self.requests.follow(request, now, mono)
        return answer(request, no, now)

    def _turn(self, held: Control, asked: Control, request: ControlRequest) -> None:
        """Another mode holds, by the word of a person."""
        self.control, self.serves, self.wish = asked, request, None
        match asked.mode.mode:
            case Mode.AUTO | Mode.MANUAL:
                self.starts.asked(asked.mode.who)
            case Mode.LOCAL:
                self.starts.taken()
        if held.mode.mode is Mode.LOCKOUT:
            self.lockout.undo = None if asked.mode.mode is Mode.LOCKOUT else held.mode
            self.sent.clear()  # what is still said of commands from before was settled by that person
            self.complaint = ("", 0.0)

    def sends(self, name: str, instruction: Instruction) -> None:
        """It goes out under this id."""
        self.sent[name] = instruction
        while len(self.sent) > REMEMBERED:
            del self.sent[next(iter(self.sent))]

    def has_sent(self, instruction: Instruction, mono: float) -> None:
        """The broker has it: only now there was a setpoint, a stop, or a reset."""
        if instruction.action in (None, Action.STOP):
            self.fold.load.told(mono, instruction.wanted.power)
        if instruction.action is Action.STOP:
            self.starts.stopped(mono)
        elif instruction.action is Action.RESET:
            self.resets.done(mono)
            self.starts.reset()
            self.lockout.undo = None

    def hear_outcome(self, outcome: Outcome, now: datetime, mono: float) -> RequestOutcome | None:
        """The bridge says what became of a command; gives what a person is told about it."""
        instruction = self.sent.get(outcome.id)
        if instruction is None or self.control is None:
            return None
        followed, request = SAID[outcome.state], instruction.request
        if request is not None and request.mode is not None and request is not self.serves:
            request = None  # another mode holds: what its last command comes to is no answer to it
        self._weigh(outcome, self.control, now, mono)
        if followed is False and instruction.action is Action.RESET:
            self.resets.refused()
        if request is None or followed is None:
            return None
        key = (name(request), followed)
        if key in self.told:
            return None
        awaited = {name(one.request) for one in self.sent.values() if one.request is not None}
        self.told = {one for one in self.told if one[0] in awaited} | {key}
        return later(request, outcome, followed=followed, now=now)

    def _weigh(self, outcome: Outcome, control: Control, now: datetime, mono: float) -> None:
        words = f"{outcome.cause}: {outcome.reason}"
        match effect(outcome.cause, control.mode.mode):
            case Effect.LOCK:
                self.control = lock(control, outcome.cause or "", words, now)
                self.serves = None
            case Effect.SAY:
                self.complaint = words, mono
            case Effect.NONE if SAID[outcome.state]:
                self.complaint = ("", mono)

    # what is sent --------------------------------------------------------------------------------

    def instruct(self, now: datetime, mono: float) -> Instruction | None:
        """What to send now; `detail` says what is done and why."""
        if self.control is None:
            return None
        self.control = expire(self.control, now, mono)
        mode = self.control.mode
        if mode.mode is not Mode.LOCKOUT:
            self.lockout.over()
        self.starts.see(self.fold.state(mono), mono)
        if (wished := self._wished(mono)) is not None:
            self.last, self.detail = None, wished.wanted.reason
            return wished
        match mode.mode:
            case Mode.LOCAL:
                instruction, said = None, f"{mode.who} steers at the device; nothing is sent"
            case Mode.LOCKOUT:
                instruction, said = self.lockout.next(self._seen(mono), mono, self.serves)
            case _:
                instruction, said = self._steer(self.control, now, mono)
        self.last = instruction.wanted.power if instruction and instruction.action is None else None
        words, when = self.complaint
        self.detail = f"{mode.mode}: {said}" + (f"; {words}" if words and mono - when < TOLD else "")
        return instruction

    def _wished(self, mono: float) -> Instruction | None:
        """A grid mode, once: who wants it again asks again."""
        request, self.wish = self.wish, None
        if request is None or request.action is None or self.fold.state(mono) not in STOPPED:
            return None
        why = f"{request.action} by {request.who.strip()}: {request.why.strip()}"
        return action(Action(request.action), why, Authority.OPERATOR, request)

    def _steer(self, control: Control, now: datetime, mono: float) -> tuple[Instruction | None, str]:
        pcs, state = self.site.battery.pcs, self.fold.state(mono)
        if self.fold.pcs_is_silent(mono):
            return None, f"{pcs} is silent; nothing is sent"
        if (reset := self.lockout.reset(state, control.mode) or self._tripped(control, state, now, mono)) is not None:
            return reset, reset.wanted.reason
        manual = control.mode.mode is Mode.MANUAL
        if state in STOPPED and self._can(Action.START):
            return self._start(state, Authority.OPERATOR if manual else Authority.SELF_CONSUMPTION, mono)
        if state == "fault" or state in BETWEEN:
            why = f"rests: the PCS is {state}"
            return rest(why, Authority.SELF_CONSUMPTION), why
        moment = self.fold.moment(now, mono, self.last if self.last is not None else self.fold.power or 0.0)
        plan, billing = self.plans.at(now), self.fold.billing
        step, peak = (current_step(plan, max(now, plan.at)) if plan else None), self._peak(plan, now)
        wanted = decide(self.ratings, moment, control.mode, billing=billing, step=step, peak=peak)
        request = self.serves if manual else None
        return Instruction(wanted, request=request), f"{wanted.power / 1000:.1f} kW, {wanted.reason}"

    def _start(self, state: str, authority: Authority, mono: float) -> tuple[Instruction | None, str]:
        pcs = self.site.battery.pcs
        if not self.starts.may:
            who = "it was not we who stopped it (a person, its supply or an interlock)"
            return None, f"{pcs} is {state}, and {who}: start it at its panel, or ask for auto"
        if not self.starts.attempts.due(mono):
            return None, f"waits for {pcs} to start (attempt {self.starts.attempts.count})"
        # who asked for this mode learns whether it could be started
        return action(Action.START, f"the PCS is {state}", authority, self.serves), "starts the PCS"

    def _tripped(self, control: Control, state: str, now: datetime, mono: float) -> Instruction | None:
        advice = self.resets.advise(state, mono, able=self._can(Action.RESET))
        if advice is Advice.RESET:
            return action(Action.RESET, "the PCS has tripped: its one automatic reset", Authority.SELF_CONSUMPTION)
        if advice in LOCKOUTS:
            self.control, self.serves = lock(control, Cause.TRIPPED, LOCKOUTS[advice], now), None
        return None

    def _peak(self, plan: Plan | None, now: datetime) -> float | None:
        """W that no billing window should pass. Without a plan of this month the last one goes on, also into a new
        month: it is the best guess of what this site needs."""
        if self.site.demand is None:
            return None
        billed = self.fold.billing.peak
        if plan is not None and plan.peak is not None and self._same_month(plan.at, now):
            self.peak = max(plan.peak, billed)
        elif billed > (self.peak or 0.0):
            self.peak = billed
        return None if self.peak is None else min(self.peak, self.site.grid.import_limit)

    def _same_month(self, one: datetime, other: datetime) -> bool:
        near = abs(one - other) < timedelta(days=31)  # far ones may lie beyond the calendar of a time zone
        return near and month(one, self.site.zone) == month(other, self.site.zone)

    def _seen(self, mono: float) -> Seen:
        speaks = "state" in self.site.profiles[self.site.battery.pcs].points
        power = None if self.fold.pcs_is_silent(mono) else self.fold.power
        return Seen(self.fold.state(mono), power, self.ratings.rated, speaks, self._can(Action.STOP))

    def _can(self, what: Action) -> bool:
        return what.value in self.site.profiles[self.site.battery.pcs].actions
