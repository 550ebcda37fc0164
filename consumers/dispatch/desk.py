"""What dispatch sends now: to each battery nothing, a setpoint, or a start or a stop. Pure: both clocks are arguments.

One mode, one plan and one decision for the site; `battery_desk` knows which batteries take part, `optimizer.split`
shares the power among them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from consumers.dispatch.answers import answer, complaint, in_words, later, watched
from consumers.dispatch.balance_watch import BalanceWatch
from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.doing import NO_BATTERY, Doing, asides, detail
from consumers.dispatch.feed_in import feed_in, stores
from consumers.dispatch.grid_limits import GridLimits
from consumers.dispatch.grid_mode import GridMode
from consumers.dispatch.grid_mode import told as told_mode
from consumers.dispatch.grid_signals import GridSignals
from consumers.dispatch.held_windows import filled
from consumers.dispatch.instruction import Instruction, rest
from consumers.dispatch.kept import Kept, KeptBattery, Stored, begin_in
from consumers.dispatch.limit_watch import LimitWatch
from consumers.dispatch.load_desk import LoadDesk, Strain, strained
from consumers.dispatch.modes import Control, ask, begin, expire, lock
from consumers.dispatch.moment import Fold
from consumers.dispatch.outcomes import OF_A_BATTERY, SAID, Effect, effect
from consumers.dispatch.own_lockouts import begin_each, complaints, outs_of, told
from consumers.dispatch.plans import Plans, binding, held, peak, planned
from consumers.dispatch.pv_desk import PvDesk
from consumers.dispatch.reactive_desk import ReactiveDesk
from consumers.dispatch.requests import Refusal, Requests, name
from consumers.dispatch.rules_desk import RulesDesk
from consumers.dispatch.sharing import divide_cells, last_power, ratings, shares
from consumers.dispatch.verdicts import Verdicts
from optimizer.demand import charged
from optimizer.dispatch import Wanted, ahead, current_step, decide
from optimizer.grid_bounds import narrowed
from optimizer.site_billing import billed_peak
from schemas.billing import Billing
from schemas.messages import Action, Cause, ControlMode, ControlRequest, Mode, Outcome, Plan, RequestOutcome, Telemetry
from schemas.site import Site
from schemas.tariff import Demand

METER_FRESH = 5.0
"""Seconds a reading of the grid meter tells of now."""
SETTLED = 60.0
"""Seconds before the end of a billing window from which no load is switched for it: its mean is as good as made."""
REMEMBERED = 100
"""Commands of each battery whose outcomes are still waited for."""


@dataclass
class Desk:
    """All that dispatch remembers of its site."""

    site: Site
    fold: Fold
    batteries: dict[str, BatteryDesk]
    """By the name of their PCS."""
    verdicts: Verdicts
    pv: PvDesk
    limits: GridLimits
    signals: GridSignals
    control: Control | None = None
    plans: Plans = field(default_factory=Plans)
    requests: Requests = field(default_factory=Requests)
    grid_mode: GridMode = field(default_factory=GridMode)
    serves: ControlRequest | None = None
    """The request whose mode holds; none after a restart."""
    reactive: ReactiveDesk = field(init=False)
    watch: LimitWatch = field(init=False)
    rules: RulesDesk = field(init=False)
    balance: BalanceWatch = field(init=False)
    loads: LoadDesk = field(init=False)
    left_over: dict[str, KeptBattery] = field(default_factory=dict)
    """Lockouts of batteries that are in the site file no more."""
    sent: dict[str, tuple[str, Instruction]] = field(default_factory=dict)
    """To which PCS, by id, the oldest first."""
    demand: Demand | None = None
    """Why a peak costs something; None also while the tariff cannot be read."""
    peak: float | None = None
    """W, the peak of the month or year as it was planned or billed last."""
    told: Billing | None = None
    """What the site is billed so far, by the last word of it: its peaks hold until their periods end."""
    doing: Doing = field(default_factory=Doing)
    ahead: float = inf
    """W that a billed peak leaves the batteries to draw before PV that is curtailed gives them."""
    detail: str = ""

    def __post_init__(self) -> None:
        self.reactive, self.watch = ReactiveDesk(self.site), LimitWatch(self.site)
        self.balance, self.rules = BalanceWatch(self.site), RulesDesk(self.site)
        self.loads = LoadDesk.of(self.site)

    @classmethod
    def of(cls, site: Site) -> "Desk":
        fold = Fold.of(site)
        batteries = {one.pcs: BatteryDesk.of(site, one, fold.batteries[one.pcs]) for one in site.units}
        return cls(
            site,
            fold,
            batteries,
            Verdicts(len(batteries) > 1),
            PvDesk.of(site),
            GridLimits(site),
            GridSignals(site.grid.signal),
            demand=site.demand,
        )

    def bill(self, demand: Demand | None) -> None:
        """The tariff can be read now."""
        self.demand = demand
        self.fold.bill(demand)

    # from one run to the next --------------------------------------------------------------------

    def begin(self, file: Stored, broker: Stored, now: datetime, mono: float) -> None:
        """Go on where the last run ended, in the safer mode of the two that were kept."""
        self.control, kept = begin_in(file, broker, now, mono), file.kept
        begun = begin_each(kept, broker.mode, self.site.units)
        self.left_over, since = begun.left_over, max(0.0, (now - kept.at).total_seconds()) if kept else 0.0
        for pcs, one in self.batteries.items():
            one.begin(begun.batteries[pcs], mono, since)
        if kept is not None:
            self.peak = kept.peak
            self.requests.remember(kept.requests)
            self.rules.begin(kept.rules, now, mono)
            self.loads.begin(kept.loads, mono, since)
        self._lock_if_all_out(self.control, now)
        self.requests.begin(self.control.mode, mono)

    def keep(self, now: datetime, mono: float) -> Kept | None:
        """What the next run must know; None before this one has begun."""
        if self.control is None:
            return None
        ends = self.control.ends
        return Kept(
            at=now,
            mode=self.control.mode,
            lease=None if ends is None else max(0.0, ends - mono),
            batteries=self.left_over | {pcs: one.keep(mono) for pcs, one in self.batteries.items()},
            peak=self.peak,
            requests=list(self.requests.seen),
            rules=self.rules.keep(now),
            loads=self.loads.keep(mono),
        )

    def hear_billing(self, billing: Billing | None, now: datetime) -> None:
        """What is billed so far, as the archive has it. Of a window that runs it may know more than was heard here."""
        self.told = billing
        self._fill(now)

    def _fill(self, now: datetime) -> None:
        if self.told is not None:
            self.fold.billing = filled(self.fold.billing, self.told, now)
            self.fold.windows = self.fold.windows.filled(self.told, now)

    def read(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """A device of the site was read. What does not tell of now changes nothing."""
        if self.fold.hear(device, telemetry, now, mono):
            self.reactive.hear(device, telemetry, mono)
            self.watch.hear(device, telemetry, mono)
            self._fill(now)  # of the window this reading stands in it may be known more since before the last restart
        self.balance.hear(device, telemetry, mono)
        self.reactive.listen(device, telemetry, mono)
        self.pv.hear(device, telemetry, mono)
        self.loads.hear(device, telemetry, now, mono)
        self.signals.hear(device, telemetry, mono)
        self.rules.hear(device, telemetry, mono)

    # what persons want, and what becomes of it ---------------------------------------------------

    def hear(self, request: ControlRequest, now: datetime, mono: float, *, retained: bool = False) -> RequestOutcome:
        """A person asks; gives the answer."""
        held = self.control or begin(now)
        no = self.requests.untimely(request, now, mono, retained=retained)
        if no is not None:
            return answer(request, no, now)
        if not self.batteries and (request.action is not None or request.mode is Mode.MANUAL):
            no = Refusal(Cause.UNKNOWN, NO_BATTERY)
        elif request.action is not None:
            no = self.grid_mode.ask(held, request, self.batteries, mono)
        else:
            asked = ask(held, request, now, mono)
            if isinstance(asked, Refusal):
                no = asked
            else:
                self._turn(held, asked, request, mono)
        if no is None:
            self.requests.follow(request, now, mono)
        return answer(request, no, now, watched(request) if self.site.mode == "read_only" else "")

    def _turn(self, held: Control, asked: Control, request: ControlRequest, mono: float) -> None:
        """Another mode holds, by the word of a person."""
        self.control, self.serves, self.grid_mode = asked, request, GridMode()
        locked = held.mode.mode is Mode.LOCKOUT
        if asked.mode.mode is Mode.AUTO:
            self.left_over = {}
            self.reactive.sign.forget()
        for one in self.batteries.values():
            match asked.mode.mode:
                case Mode.AUTO | Mode.MANUAL:
                    one.asked(asked.mode, mono)
                case Mode.LOCAL:
                    one.starts.taken()
                    one.why = ""
            if asked.mode.mode is Mode.LOCKOUT:
                one.lockout.undo = None
                self.verdicts.awaits(request, one.battery.name)
            elif locked or (one.out is not None and asked.mode.mode is Mode.AUTO):
                one.undo(held.mode if locked else None)
                # what is still said of commands from before was settled by that person
                self.sent = {key: sent for key, sent in self.sent.items() if sent[0] != one.pcs}

    def sends(self, name: str, pcs: str, instruction: Instruction) -> None:
        """It goes out to a PCS, a PV inverter or a load, under this id."""
        if pcs in self.loads.seen:
            self.loads.sends(name, pcs)
            return
        if pcs in self.pv.seen:
            self.pv.sends(name, pcs)
            return
        self.sent[name] = pcs, instruction
        self.verdicts.sends(self.batteries[pcs].battery.name, instruction)
        while len(self.sent) > REMEMBERED * len(self.batteries):
            del self.sent[next(iter(self.sent))]

    def has_sent(self, pcs: str, instruction: Instruction, mono: float) -> None:
        """The broker has it."""
        if pcs in self.pv.seen or pcs in self.loads.seen:
            return
        if instruction.action in (None, Action.STOP):
            self.fold.load.told(pcs, mono, instruction.counted)
        self.batteries[pcs].has_sent(instruction, mono)

    def hear_outcome(self, outcome: Outcome, now: datetime, mono: float) -> RequestOutcome | None:
        """The bridge says what became of a command; gives what a person is told about it."""
        self.pv.hear_outcome(outcome, mono)
        self.loads.hear_outcome(outcome, mono)
        if outcome.id not in self.sent or self.control is None:
            return None
        pcs, instruction = self.sent[outcome.id]
        followed, request, one = SAID[outcome.state], instruction.request, self.batteries[pcs]
        if request is not None and request.mode is not None and request is not self.serves:
            request = None  # another mode holds: what its last command comes to is no answer to it
        one.hear_limits(outcome, mono)
        self._weigh(outcome, one, self.control, now, mono)
        if instruction.action is Action.RESET:
            one.resets.hear(outcome.state)
        ran_out = len(self.batteries) > 1 and one.ran_out(outcome, instruction)
        one.unlatch(outcome, self.control.mode, mono)
        if request is None or followed is None or ran_out:
            return None
        self.verdicts.keep({name(asked) for _, sent in self.sent.values() if (asked := sent.request or self.serves)})
        without = [each.battery.name for each in self.batteries.values() if each.is_settled(self.control.mode, mono)]
        reason = self.verdicts.hear(request, one.battery.name, in_words(outcome), followed=followed, without=without)
        return None if reason is None else later(request, outcome, reason, followed=followed, now=now)

    def _weigh(self, outcome: Outcome, one: BatteryDesk, control: Control, now: datetime, mono: float) -> None:
        words = complaint(outcome)
        match effect(outcome.cause, control.mode.mode):
            case Effect.LOCK if outcome.cause in OF_A_BATTERY:
                self._take_out(one, outcome.cause or "", words, now)
            case Effect.LOCK:
                self._lock(control, outcome.cause or "", words, now)
            case Effect.SAY:
                one.complaint = words, mono
            case Effect.NONE if SAID[outcome.state]:
                one.complaint = ("", mono)

    def _take_out(self, one: BatteryDesk, cause: str, why: str, now: datetime) -> None:
        """A battery is locked out for what it did; without any other the site is."""
        if self.control is None or one.out is not None:
            return
        one.out = lock(self.control, cause, why, now).mode
        self._lock_if_all_out(self.control, now)

    def _lock_if_all_out(self, control: Control, now: datetime) -> None:
        last = max((one.out for one in self.batteries.values() if one.out), key=lambda out: out.at, default=None)
        every = all(one.out is not None for one in self.batteries.values())
        if last is not None and every and control.mode.mode is not Mode.LOCKOUT:
            self._lock(control, last.cause or "", last.why, now)

    def _lock(self, control: Control, cause: str, why: str, now: datetime) -> None:
        self.control, self.serves = lock(control, cause, why, now), None

    def said(self) -> ControlMode | None:
        """The mode that holds, and who is out; None before this run has begun."""
        return None if self.control is None else told(self.control.mode, self.outs)

    @property
    def outs(self) -> dict[str, ControlMode]:
        """The lockouts of batteries, by name."""
        outs = {one.battery.name: one.out for one in self.batteries.values() if one.out is not None}
        return outs_of(self.left_over) | outs

    # what is sent --------------------------------------------------------------------------------

    def instruct(self, now: datetime, mono: float) -> dict[str, Instruction]:
        """What to send now, by PCS; `doing` and `detail` say what is done and why."""
        if self.control is None:
            return {}
        self.limits.signal(self.signals.words(now, mono))
        self.watch.look(self.limits.bounds(now), mono)
        self.balance.look(mono)
        self.control = expire(self.control, now, mono)
        mode = self.control.mode
        self.rules.look(mode.mode, self.plans.at(now), self.fold.batteries.values(), now, mono)
        for one in self.batteries.values():
            if mode.mode is not Mode.LOCKOUT and one.out is None:
                one.lockout.over()
            one.starts.see(one.seen.state(mono), mono)
        if sent := self.grid_mode.next(self.batteries, mono):
            self.doing = self._by_hand(sent)
        else:
            match mode.mode:
                case Mode.LOCAL:
                    sent, self.doing = {}, Doing(f"{mode.who} steers at the device; nothing is sent")
                case Mode.LOCKOUT:
                    sent = self._stop(mono)
                case _:
                    sent = self._steer(self.control, now, mono)
        said = [detail(self.doing, mode.mode, [*self.batteries.values()], mono), *complaints(self.left_over)]
        sent = self.reactive.add(sent, mono)
        said += self.rules.complaints()
        self.detail = "; ".join(filter(None, (*said, self.reactive.trouble, *self.reactive.complaints(mono))))
        return self._sent(sent)

    def limit_pv(self, sent: Mapping[str, Instruction], now: datetime, mono: float) -> dict[str, Instruction]:
        """What to send now to PV inverters, after `instruct` gave what is sent to the batteries. Whoever steers those:
        what is fed in is limited in each mode."""
        if self.control is None:
            return {}
        plan, mode = self.plans.at(now), self.control.mode.mode
        step = current_step(plan, max(now, plan.at)) if plan else None
        powers = {pcs: order.counted for pcs, order in sent.items() if order.action is None}
        batteries = stores(self.batteries.values(), self.doing.shared, mode, self.ahead, mono)
        found = self.pv.instruct(
            feed_in(self.rules.narrowed(self.limits.said(now), now), step), batteries, powers, mono
        )
        self.detail = "; ".join(filter(None, (self.detail, self.pv.reason, *self.pv.complaints(mono))))
        return self.reactive.beside(found)

    def steer_loads(self, now: datetime, mono: float) -> dict[str, Instruction]:
        """What to send now to flexible loads, after the batteries and the PV."""
        if self.control is None or not self.loads.seen:
            return {}
        plan = self.plans.at(now)
        found = self.loads.instruct(plan, self._strain(plan, now, mono), self.control.mode.mode, now, mono)
        self.detail = "; ".join(filter(None, (self.detail, *self.loads.complaints(mono))))
        return found

    def _strain(self, plan: Plan | None, now: datetime, mono: float) -> Strain:
        """How near the grid connection and the windows that are billed are to what may be."""
        fresh = mono - self.fold.meter_heard <= self.site.named(self.site.grid.meter).stale_after(METER_FRESH)
        mine = [one for one in self.batteries.values() if one.pcs in self.doing.shared]
        steered = self.control is not None and self.control.mode.mode is Mode.AUTO
        spare = sum(max(0.0, one.room(mono).high - (one.seen.power or 0.0)) for one in mine) if steered else 0.0
        most = self.limits.bounds(now).import_limit
        each = self.fold.windows.held(self.fold.billing, held(self._peaks(plan, now), most))
        peaks = [(one.room(now, peak), f"the {one.how.per}'s peak") for one, peak in each if one.left(now) > SETTLED]
        return strained(self.fold.billing.power if fresh else None, spare, [(most, "the import limit"), *peaks])

    def _sent(self, sent: dict[str, Instruction]) -> dict[str, Instruction]:
        for pcs, one in self.batteries.items():
            order = sent.get(pcs)
            one.last = order.counted if order is not None and order.action is None else None
            if order is None or order.request is None:
                self.verdicts.aside(one.battery.name)
        return sent

    def _by_hand(self, sent: Mapping[str, Instruction]) -> Doing:
        """A grid mode that a person asked for."""
        ((pcs, order),) = sent.items()
        self.batteries[pcs].why = ""
        return Doing(told_mode(order.request), action=order.action)

    def _stop(self, mono: float) -> dict[str, Instruction]:
        """The lockout of the site: every battery rests and stops."""
        sent, self.doing = dict[str, Instruction](), Doing() if self.batteries else Doing(NO_BATTERY)
        for pcs, one in self.batteries.items():
            order, one.why = one.lockout.next(one.look(mono), mono, self.serves)
            sent |= {} if order is None else {pcs: order}
        return sent

    def _steer(self, control: Control, now: datetime, mono: float) -> dict[str, Instruction]:
        sent, able = dict[str, Instruction](), list[BatteryDesk]()
        for pcs, one in self.batteries.items():
            aside = one.aside(control.mode, mono, self.serves)
            one.why = "" if aside is None else aside.why
            if aside is None:
                able.append(one)
                continue
            sent |= {} if aside.sent is None else {pcs: aside.sent}
            if aside.locks:
                self._take_out(one, Cause.TRIPPED, aside.locks, now)
        self.doing = Doing() if self.batteries else Doing(NO_BATTERY)
        if not able:
            return sent
        wanted, shares = self._decide(control, able, now, mono)
        shared = frozenset(one.pcs for one in able if not one.why and not one.seen.unlimited(mono))
        self.doing = Doing(wanted.reason, wanted.power, wanted.authority, shared=shared, wanted=wanted)
        return sent | shares

    def _decide(
        self, control: Control, able: Sequence[BatteryDesk], now: datetime, mono: float
    ) -> tuple[Wanted, dict[str, Instruction]]:
        """One power for all that can be steered, and the share of each. Who does not know its limits rests."""
        pool = [one for one in able if not one.seen.unlimited(mono)] or able[:1]
        divide_cells(pool, [*self.batteries.values()])
        plan, billing, mode = self.plans.at(now), self.fold.billing, control.mode
        step = current_step(plan, max(now, plan.at)) if plan else None
        moment = self.fold.moment([one.seen for one in pool], now, mono, last_power(pool), self.pv.sun(mono), step)
        grid = narrowed(self.site.grid, self.limits.bounds(now), moment.net)
        peaks = self._peaks(plan, now)
        highest = binding(peaks, now, self.site.zone, self.site.grid.import_limit)
        each = self.fold.windows.held(billing, held(peaks, self.site.grid.import_limit))
        wanted = decide(
            ratings(self.site, pool, grid, plan, plan or self.plans.latest, now),
            moment,
            mode,
            billing=billing,
            step=step,
            peak=highest,
            held=each,
            billed=self._billed(now),
            wishes=self.rules.wishes,
        )
        self.ahead = ahead(each, moment)
        rests = [one for one in able if one.pcs not in {each.pcs for each in pool}]
        for one in rests:
            one.why = f"rests: {one.seen.unlimited(mono)}"
        without = asides(mode.mode, [*self.batteries.values()])
        request = self.serves if mode.mode is Mode.MANUAL else None
        found = shares(wanted, pool, without, request, mono)
        return wanted, found | {one.pcs: rest(one.why, wanted.authority) for one in rests}

    def _peak(self, plan: Plan | None, now: datetime) -> float | None:
        """W that no billing window should pass: of the demands that count now, the lowest."""
        return binding(self._peaks(plan, now), now, self.site.zone, self.site.grid.import_limit)

    def _billed(self, now: datetime) -> float:
        """W of the first demand's peak that cost nothing more."""
        if self.demand is None:
            return 0.0
        billed = max(self.fold.billing.peak, billed_peak(self.told, self.demand, now, self.site.zone))
        return held([(self.demand, billed)], self.site.grid.import_limit)[self.demand.name]

    def _peaks(self, plan: Plan | None, now: datetime) -> list[tuple[Demand, float | None]]:
        """W of each demand."""
        if self.demand is None:
            return []
        zone, how = self.site.zone, charged(self.demand)
        billed = max(self.fold.billing.peak, billed_peak(self.told, self.demand, now, zone))
        self.peak = peak(plan, self.peak, billed, now, zone, how)
        found: list[tuple[Demand, float | None]] = [(self.demand, self.peak)]
        for one in self.site.demands[1:]:
            billed = max(self.fold.windows.measured(one), billed_peak(self.told, one, now, zone))
            found.append((one, planned(plan, one, billed, now, zone)))
        return found
