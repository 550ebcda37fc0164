"""What the planner of a backtest knows at an instant, and the plan it makes of it: the code that runs live."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import isnan
from time import perf_counter

from joulebus.backtest.data import Quarters, record_of
from joulebus.backtest.meters import Meter
from joulebus.backtest.prices import Prices
from joulebus.backtest.site import Terms
from optimizer.dispatch import current_step
from optimizer.forecast.model import Model, learn
from optimizer.lowest_peak import LATELY, alone, daily_peaks, expected_peak
from optimizer.outlook import Outlook, step_starts
from optimizer.plan import VALID, plan
from optimizer.policy import Policy, solve
from optimizer.program import Unsolved
from optimizer.record import QUARTER, Record
from optimizer.shortage import AHEAD
from optimizer.storage import Storage
from optimizer.verify import verify
from optimizer.windows import Charge
from schemas.messages import Plan, Step
from schemas.tariff_demand import Demand

CHECKED = timedelta(hours=7)
"""Live the second check looks at each plan. In a year that would take as long as all policies: here at one in seven,
so that each hour of the day comes round."""
HORIZON = AHEAD.total_seconds() / 3600
"""Hours."""


@dataclass
class Planner:
    """Of one strategy in one run. Live a plan comes each few minutes, with a table of answers for the state of charge
    and the peak of that moment; here the program is solved by the hour, and asked for its table each quarter."""

    terms: Terms
    battery: Storage
    found: Quarters
    """All that is in the file; only what is over at an instant is ever looked at."""
    prices: Prices
    certain: bool
    """The forecast is taken for the truth: the linear program alone."""
    check: Callable[[Plan, Outlook], Sequence[str]] = verify
    """The second check: what is wrong with a plan."""
    milliseconds: list[float] = field(default_factory=list)
    """Of each solution."""
    refused: int = 0
    """Plans in which the second check found something wrong, and hours without an answer of the solver."""
    policy: Policy | None = None
    latest: Plan | None = None
    checked: Plan | None = None
    """The last one that was good."""
    _day: date | None = None
    _model: Model | None = None
    _daily: list[list[float]] = field(default_factory=list)
    _usual: list[float] = field(default_factory=list)

    def renew(self, at: datetime, soc: float, meters: Sequence[Meter]) -> None:
        """Solves anew; the last solution goes on where there is none, or where the second check finds something wrong.
        `soc` in %."""
        outlook = self.outlook(at, soc, meters)
        begun = perf_counter()
        try:
            policy = None if self.certain else solve(outlook)
            if policy is not None and not self._held_at_peaks and not self._due(at):
                self.policy = policy
            elif not self._wrong(made := plan(outlook, policy=policy), outlook):
                self.checked, self.policy = made, policy
                self.latest = made if self.certain or self._held_at_peaks else None
        except Unsolved:
            self.refused += 1
        self.milliseconds.append(1000 * (perf_counter() - begun))

    @property
    def _held_at_peaks(self) -> bool:
        """Dispatch holds windows at the peaks of the plan: of all but quarter hours of the first demand, for which the
        policy has a cap."""
        return any(number or one.minutes != 15 or one.sliding for number, one in enumerate(self.terms.charged))

    def _due(self, at: datetime) -> bool:
        """Whether the second check looks at this one."""
        return self.checked is None or at - self.checked.at >= CHECKED

    def _wrong(self, made: Plan, outlook: Outlook) -> bool:
        wrong = bool(self.check(made, outlook))
        self.refused += wrong
        return wrong

    def step(self, at: datetime, soc: float, meters: Sequence[Meter]) -> Step | None:
        """The step of a quarter, for what is known at its begin; None where no valid plan has one."""
        if self.certain or self.policy is None:
            return current_step(self.latest, at)
        number = (at - self.policy.outlook.now) // QUARTER
        if not 0 <= number < VALID // QUARTER:
            return None
        state = self.policy.model.state
        name = None if state is None else state.charge.component.name
        billed = next((one.peak(at) for one in meters if one.component.name == name), 0.0)
        return self.policy.step(number, soc, billed)

    def outlook(self, at: datetime, soc: float, meters: Sequence[Meter], hours: float = HORIZON) -> Outlook:
        """What is known at an instant of the next hours."""
        terms = self.terms
        starts = step_starts(at, hours)
        record = record_of(self.found).until(at)
        model = self._learned(record, at, meters)
        ahead = model.ahead(record, starts)  # of the quarter that begins nothing is known
        first = (at - self.prices.start) // QUARTER
        buy, sell = self.prices.seen(first, len(starts))
        return Outlook(
            starts=starts,
            load=ahead.load,
            pv=ahead.pv,
            buy=buy,
            sell=sell,
            soc=soc,
            battery=self.battery,
            grid=terms.grid,
            rated=terms.rated,
            zone=terms.zone,
            currency=terms.tariff.currency,
            charges=[
                Charge(
                    one.component,
                    dict(one.peaks),
                    usual,
                    one.so_far(at),
                    daily,
                    alone(record, one.component, terms.zone, at),
                )
                for one, usual, daily in zip(meters, self._usual, self._daily, strict=True)
            ],
            curtails=terms.curtails,
            spread=0.0 if self.certain else ahead.spread,
        )

    def _learned(self, record: Record, at: datetime, meters: Sequence[Meter]) -> Model:
        """Once a local day: the forecast, and the peak that each of the last days could have been held at."""
        terms, today = self.terms, at.astimezone(self.terms.zone).date()
        if self._model is None or today != self._day:
            self._day = today
            self._model = learn(record, at, terms.zone, terms.tariff.days_off, self._model)
            self._daily = [
                daily_peaks(record, self.battery, terms.rated, one.component, terms.zone, at) for one in meters
            ]
            self._usual = [self._reached(record.last(LATELY), one.component, at) for one in meters]
        return self._model

    def _reached(self, record: Record, component: Demand, at: datetime) -> float:
        """W of peak that a usual one of the last days reaches whatever is done."""
        nets = enumerate((record.load - record.pv).tolist())
        known = ((record.start + number * QUARTER, net) for number, net in nets if not isnan(net))
        return expected_peak(known, component, component.minutes, self.terms.zone, self.battery, self.terms.rated, at)
