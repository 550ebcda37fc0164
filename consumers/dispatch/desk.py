"""What dispatch sends now: to each battery nothing, a setpoint, or a start or a stop. Pure: both clocks are arguments.

One mode, one plan and one decision for the site. Who does what:

- `moment` folds what is heard, `billed_peaks` knows what a peak costs;
- `asked` hears persons, `site_mode` knows who steers and who is locked out, `commands_sent` what became of commands;
- `battery_desk` knows which batteries take part, `optimizer.dispatch` decides, `sharing` shares the power among them;
- `pv_desk`, `load_desk`, `reactive_desk` and `rules_desk` each steer their own, beside the batteries.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import inf

from consumers.dispatch.asked import Asked
from consumers.dispatch.balance_watch import BalanceWatch
from consumers.dispatch.battery_desk import BatteryDesk
from consumers.dispatch.billed_peaks import BilledPeaks
from consumers.dispatch.commands_sent import CommandsSent
from consumers.dispatch.doing import NO_BATTERY, Doing, asides, detail
from consumers.dispatch.feed_in import feed_in, stores
from consumers.dispatch.grid_limits import GridLimits
from consumers.dispatch.grid_mode import told as told_mode
from consumers.dispatch.grid_signals import GridSignals
from consumers.dispatch.instruction import Instruction, rest
from consumers.dispatch.kept import Kept, Stored, begin_in, keepable
from consumers.dispatch.limit_watch import LimitWatch
from consumers.dispatch.load_desk import LoadDesk
from consumers.dispatch.load_strain import LoadStrain
from consumers.dispatch.modes import Control, expire
from consumers.dispatch.moment import Fold
from consumers.dispatch.own_lockouts import begin_each, complaints
from consumers.dispatch.plan_use import plan_held
from consumers.dispatch.plans import Plans
from consumers.dispatch.pv_desk import PvDesk
from consumers.dispatch.reactive_desk import ReactiveDesk
from consumers.dispatch.rules_desk import RulesDesk
from consumers.dispatch.sharing import divide_cells, held, last_power, ratings, shares
from consumers.dispatch.site_mode import SiteMode
from consumers.dispatch.verdicts import Verdicts
from optimizer.dispatch import Wanted, ahead, current_step, decide
from optimizer.grid_bounds import narrowed
from optimizer.reserve_now import bounds as reserved
from schemas.messages import Action, ControlRequest, Mode, Outcome, Plan, PlanHeld, RequestOutcome, Telemetry
from schemas.site import Site


@dataclass
class Desk:
    """All that dispatch remembers of its site."""

    site: Site
    fold: Fold
    batteries: dict[str, BatteryDesk]
    """By the name of their PCS."""
    pv: PvDesk
    limits: GridLimits
    signals: GridSignals
    plans: Plans = field(default_factory=Plans)
    peaks: BilledPeaks = field(init=False)
    mode: SiteMode = field(init=False)
    commands: CommandsSent = field(init=False)
    asked: Asked = field(init=False)
    reactive: ReactiveDesk = field(init=False)
    watch: LimitWatch = field(init=False)
    rules: RulesDesk = field(init=False)
    balance: BalanceWatch = field(init=False)
    loads: LoadDesk = field(init=False)
    strain: LoadStrain = field(init=False)
    doing: Doing = field(default_factory=Doing)
    ahead: float = inf
    """W that a billed peak leaves the batteries to draw before PV that is curtailed gives them."""
    unreserved: float = inf
    """W that the batteries may give without what is kept in reserve: a load gives way before that."""
    detail: str = ""

    def __post_init__(self) -> None:
        self.reactive, self.watch = ReactiveDesk(self.site), LimitWatch(self.site)
        self.balance, self.rules = BalanceWatch(self.site), RulesDesk(self.site)
        self.loads = LoadDesk.of(self.site)
        self.peaks, self.mode = BilledPeaks(self.site, self.fold), SiteMode(self.batteries)
        self.strain = LoadStrain(self.site, self.fold, self.limits, self.peaks)
        self.commands = CommandsSent(self.mode, Verdicts(len(self.batteries) > 1))
        self.asked = Asked(self.mode, self.commands, self.site.mode == "read_only")

    @classmethod
    def of(cls, site: Site) -> "Desk":
        fold = Fold.of(site)
        batteries = {one.pcs: BatteryDesk.of(site, one, fold.batteries[one.pcs]) for one in site.units}
        return cls(site, fold, batteries, PvDesk.of(site), GridLimits(site), GridSignals(site.grid.signal))

    @property
    def control(self) -> Control | None:
        """The mode that holds; None before this run has begun."""
        return self.mode.control

    @control.setter
    def control(self, control: Control | None) -> None:
        self.mode.control = control

    # from one run to the next --------------------------------------------------------------------

    def begin(self, file: Stored, broker: Stored, now: datetime, mono: float) -> None:
        """Go on where the last run ended, in the safer mode of the two that were kept."""
        control, kept = begin_in(file, broker, now, mono), file.kept
        begun = begin_each(kept, broker.mode, self.site.units)
        self.control, self.mode.left_over = control, begun.left_over
        since = max(0.0, (now - kept.at).total_seconds()) if kept else 0.0
        for pcs, one in self.batteries.items():
            one.begin(begun.batteries[pcs], mono, since)
        if kept is not None:
            self.peaks.begin(kept)
            self.asked.requests.remember(kept.requests)
            self.rules.begin(kept.rules, now, mono)
            self.loads.begin(kept.loads, mono, since)
        self._see_plan(None if broker.mode is None else broker.mode.plan, now)
        self.mode.lock_if_all_out(control, now)
        self.asked.requests.begin((self.control or control).mode, mono)

    def keep(self, now: datetime, mono: float) -> Kept | None:
        """What the next run must know; None before this one has begun."""
        if self.control is None:
            return None
        ends = self.control.ends
        steers = {
            "at": now,
            "mode": self.control.mode,
            "lease": None if ends is None else max(0.0, ends - mono),
            "batteries": self.mode.left_over | {pcs: one.keep(mono) for pcs, one in self.batteries.items()},
        }
        return keepable(steers, {
            "peak": lambda: self.peaks.peak,
            "peaks": lambda: dict(self.peaks.others),
            "requests": lambda: list(self.asked.requests.seen),
            "rules": lambda: self.rules.keep(now),
            "loads": lambda: self.loads.keep(mono),
            "windows": lambda: self.peaks.keep(now),
        })  # fmt: skip

    # what is heard -------------------------------------------------------------------------------

    def read(self, device: str, telemetry: Telemetry, now: datetime, mono: float) -> None:
        """A device of the site was read. What does not tell of now changes nothing."""
        if not self.fold.hear(device, telemetry, now, mono):
            return
        self.peaks.fill(now)  # of the window this reading stands in it may be known more since before the last restart
        self.reactive.hear(device, telemetry, mono)
        self.watch.hear(device, telemetry, mono)
        self.balance.hear(device, telemetry, mono)
        self.reactive.listen(device, telemetry, mono)
        self.pv.hear(device, telemetry, mono)
        self.loads.hear(device, telemetry, now, mono)
        self.signals.hear(device, telemetry, mono)
        self.rules.hear(device, telemetry, mono)

    def hear(self, request: ControlRequest, now: datetime, mono: float, *, retained: bool = False) -> RequestOutcome:
        """A person asks; gives the answer."""
        before, said = self.control, self.asked.hear(request, now, mono, retained=retained)
        if self.control is not None and self.control is not before and self.control.mode.mode is Mode.AUTO:
            self.reactive.sign.forget()
        return said

    def sends(self, name: str, pcs: str, instruction: Instruction) -> None:
        """It goes out to a PCS, a PV inverter or a load, under this id."""
        if pcs in self.loads.seen:
            self.loads.sends(name, pcs)
        elif pcs in self.pv.seen:
            self.pv.sends(name, pcs)
        else:
            self.commands.sends(name, pcs, instruction)

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
        return self.commands.hear(outcome, now, mono)

    def _see_plan(self, before: PlanHeld | None, now: datetime) -> Plan | None:
        """The plan that holds now; whether it is followed is noted."""
        plan, billed = self.plans.at(now), self.peaks.demand is not None
        self.mode.plan = plan_held(plan, self.plans.latest, now, before, self.site.zone, peak=billed)
        return plan

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
        plan = self._see_plan(self.mode.plan, now)
        self.rules.look(mode.mode, plan, self.fold.batteries.values(), now, mono)
        for one in self.batteries.values():
            if mode.mode is not Mode.LOCKOUT and one.out is None:
                one.lockout.over()
            one.starts.see(one.seen.state(mono), mono)
        if sent := self.asked.grid_mode.next(self.batteries, mono):
            self.doing = self._by_hand(sent)
        else:
            match mode.mode:
                case Mode.LOCAL:
                    sent, self.doing = {}, Doing(f"{mode.who} steers at the device; nothing is sent")
                case Mode.LOCKOUT:
                    sent, self.doing = self.mode.stop(mono), Doing() if self.batteries else Doing(NO_BATTERY)
                case _:
                    sent = self._steer(self.control, now, mono)
        said = [detail(self.doing, mode.mode, [*self.batteries.values()], mono), *complaints(self.mode.left_over)]
        sent = self.reactive.add(sent, mono)
        said += self.rules.complaints()
        self.detail = "; ".join(filter(None, (*said, self.reactive.trouble, *self.reactive.complaints(mono))))
        return self.commands.gives(sent)

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
        mode, shared = self.control.mode.mode, self.doing.shared
        mine = [one for pcs, one in self.batteries.items() if mode is Mode.AUTO and pcs in shared]
        draws = {name: one.power for name, one in self.loads.seen.items() if not one.silent(mono)}
        strain = self.strain.look(plan, mine, now, mono, most=self.unreserved, loads=draws)
        found = self.loads.instruct(plan, strain, mode, now, mono)
        self.detail = "; ".join(filter(None, (self.detail, *self.loads.complaints())))
        return found

    def _by_hand(self, sent: Mapping[str, Instruction]) -> Doing:
        """A grid mode that a person asked for."""
        ((pcs, order),) = sent.items()
        self.batteries[pcs].why = ""
        return Doing(told_mode(order.request), action=order.action)

    def _steer(self, control: Control, now: datetime, mono: float) -> dict[str, Instruction]:
        sent, able = self.mode.taking_part(control, now, mono)
        self.doing = Doing() if self.batteries else Doing(NO_BATTERY)
        if not able:
            return sent
        wanted, shares = self._decide(control, able, now, mono)
        shared = frozenset(one.pcs for one in able if not one.why and not one.seen.unlimited(mono))
        reason = "; ".join([wanted.reason, *held(wanted, able)])
        self.doing = Doing(reason, wanted.power, wanted.authority, shared=shared, wanted=wanted)
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
        highest = self.peaks.lowest(plan, now)
        each = self.peaks.windows(plan, now, self.site.grid.import_limit)
        rated = ratings(self.site, pool, grid, plan, plan or self.plans.latest, now)
        kept = reserved(rated.keeps, moment.soc or 0.0, rated.battery, rated.rated)
        self.unreserved = min((high for _, high, _ in kept), default=inf)
        wanted = decide(
            rated, moment, mode, billing=billing, step=step, peak=highest, held=each,
            billed=self.peaks.billed(now), wishes=self.rules.wishes,
        )  # fmt: skip
        self.ahead = ahead(each, moment)
        rests = [one for one in able if one.pcs not in {each.pcs for each in pool}]
        for one in rests:
            one.why = f"rests: {one.seen.unlimited(mono)}"
        without = asides(mode.mode, [*self.batteries.values()])
        request = self.mode.serves if mode.mode is Mode.MANUAL else None
        found = shares(wanted, pool, without, request, mono)
        return wanted, found | {one.pcs: rest(one.why, wanted.authority) for one in rests}
