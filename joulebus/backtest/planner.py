"""What the planner of a backtest knows at an instant, and the plan it makes of it: the code that runs live."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from time import perf_counter

import numpy as np

from joulebus.backtest.data import Quarters, record_of
from joulebus.backtest.meters import Meter
from joulebus.backtest.prices import Prices
from joulebus.backtest.site import Terms
from optimizer.forecast import load_ahead, pv_ahead
from optimizer.lowest_peak import usual_peak
from optimizer.outlook import Outlook, Vector, step_starts
from optimizer.plan import plan
from optimizer.program import Unsolved
from optimizer.record import QUARTER, Record
from optimizer.shortage import AHEAD
from optimizer.verify import verify
from optimizer.windows import Charge
from schemas.messages import Plan

HORIZON = AHEAD.total_seconds() / 3600
"""Hours."""
PAST = timedelta(days=14)


@dataclass
class Planner:
    """Of one strategy in one run."""

    terms: Terms
    found: Quarters
    """All that is in the file; only what is over at an instant is ever looked at."""
    prices: Prices
    certain: bool
    """The forecast is taken for the truth: the linear program alone."""
    milliseconds: list[float] = field(default_factory=list)
    """Of each plan."""
    refused: int = 0
    """Plans in which the second check found something wrong, and hours without an answer of the solver."""
    _day: date | None = None
    _expected: list[float] = field(default_factory=list)

    def plan(self, at: datetime, soc: float, meters: Sequence[Meter]) -> Plan | None:
        """The plan of an instant; None where none was good enough to be published. `soc` in %."""
        outlook = self.outlook(at, soc, meters)
        begun = perf_counter()
        try:
            made = plan(outlook)
        except Unsolved:
            self.refused += 1
            return None
        self.milliseconds.append(1000 * (perf_counter() - begun))
        if verify(made, outlook):
            self.refused += 1
            return None
        return made

    def outlook(self, at: datetime, soc: float, meters: Sequence[Meter]) -> Outlook:
        """What is known at an instant."""
        terms, battery = self.terms, self.terms.battery
        assert battery is not None  # nobody plans without one
        starts = step_starts(at, HORIZON)
        record = record_of(self.found).until(at)
        load, pv, spread = self._forecast(record, starts)
        first = (at - self.prices.start) // QUARTER
        buy, sell = self.prices.seen(first, len(starts))
        self._learn(record, at, meters)
        return Outlook(
            starts=starts,
            load=load,
            pv=pv,
            buy=buy,
            sell=sell,
            soc=soc,
            battery=battery,
            grid=terms.grid,
            rated=terms.rated,
            zone=terms.zone,
            currency=terms.tariff.currency,
            charges=[
                Charge(one.component, dict(one.peaks), expected, one.so_far(at))
                for one, expected in zip(meters, self._expected, strict=True)
            ],
            curtails=terms.curtails,
            spread=0.0 if self.certain else spread,
        )

    def _forecast(self, record: Record, starts: Sequence[datetime]) -> tuple[Vector, Vector, Vector | float]:
        """Load, PV and the error of their difference, W."""
        past = record.last(PAST)
        times = [past.start + i * QUARTER for i in range(len(past))]
        load, pv = ([(at, one) for at, one in zip(times, values.tolist(), strict=True) if one == one] for values in (past.load, past.pv))  # fmt: skip  # nan differs from itself
        most = max((one for _, one in pv), default=0.0)
        return (
            load_ahead(load, _present(record.load), starts, self.terms.zone, self.terms.tariff.days_off),
            pv_ahead(pv, _present(record.pv), starts, most),
            0.0,
        )

    def _learn(self, record: Record, at: datetime, meters: Sequence[Meter]) -> None:
        """Once a local day: the peak that a usual day reaches whatever is done."""
        today = at.astimezone(self.terms.zone).date()
        if today == self._day or self.terms.battery is None:
            return
        self._day = today
        past = record.last(PAST)
        net = [
            (past.start + i * QUARTER, one)
            for i, one in enumerate((past.load - past.pv).tolist())
            if one == one  # noqa: PLR0124  # nan differs from itself
        ]
        self._expected = [
            usual_peak(net, QUARTER, self.terms.zone, self.terms.battery, self.terms.rated) for _ in meters
        ]


def _present(values: Vector) -> float | None:
    """The last quarter that is over."""
    return None if not len(values) or np.isnan(values[-1]) else float(values[-1])
