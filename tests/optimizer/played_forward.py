"""A site played forward in quarter hours: plan from what was measured, decide as dispatch does, bill what was drawn."""

import csv
import gzip
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.demand import Charged, period
from optimizer.dispatch import Moment, Ratings, current_step, decide
from optimizer.forecast.model import Model, learn
from optimizer.lowest_peak import usual_peak
from optimizer.outlook import QUARTER, Outlook, step_starts
from optimizer.plan import plan
from optimizer.record import Record
from optimizer.running_window import RunningWindow
from optimizer.storage import Storage
from schemas.messages import ControlMode, Mode, Plan
from schemas.site_grid import Grid
from schemas.tariff import Demand
from tests.optimizer.outlooks import charge

WEEKS = timedelta(days=14)

Measured = Sequence[tuple[datetime, float, float]]
"""Quarter hours, oldest first: start, load and PV in W."""


def measured(path: Path, first: datetime, last: datetime, sun: float = 1.0) -> Measured:
    """The rows of a recording between two instants; what is missing is the quarter before."""
    found: list[tuple[datetime, float, float]] = []
    load = pv = 0.0
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            at = datetime.fromisoformat(row["timestamp_utc"])
            if first <= at < last:
                load = 1000 * float(row["load_kw"]) if row["load_kw"] else load
                pv = 1000 * sun * float(row["pv_kw"]) if row["pv_kw"] else pv
                found.append((at, load, pv))
    return found


@dataclass
class Loop:
    """A battery behind a meter."""

    rows: Measured
    zone: ZoneInfo
    price: float
    """Per kW and period."""
    how: Charged
    battery: Storage = field(default_factory=lambda: Storage(200e3))
    rated: float = 100e3
    sure: float = 1.0
    """Of the usual peak of the last weeks."""
    replan: timedelta = timedelta(hours=1)
    soc: float = 50.0
    billed: dict[datetime, float] = field(default_factory=dict)
    """W by period."""
    discharged: float = 0.0
    """Wh"""
    cost: float = 0.0
    """Of energy and wear; with `demands`, all of the bill."""
    plan: Plan | None = None
    model: Model | None = None

    def run(self, begin: datetime) -> None:
        """Through all rows from an instant on; those before are its past."""
        for number, (at, load, pv) in enumerate(self.rows):
            if at < begin:
                continue
            if self.plan is None or at >= self.plan.at + self.replan:
                past = [row for row in self.rows[max(0, number - 14 * 96) : number] if row[0] >= at - WEEKS]
                self.plan = plan(self._outlook(at, past))
            self._quarter(at, load, pv)

    def _outlook(self, now: datetime, past: Measured) -> Outlook:
        starts = step_starts(now, 36.0)
        nets = [(at, load - pv) for at, load, pv in past]
        clocks = [at.astimezone(self.zone).hour for at in starts]
        record = Record(past[0][0], *(np.array([row[column] for row in past]) for column in (1, 2)))
        if self.model is None or now >= self.model.at + timedelta(days=1):
            self.model = learn(record, now, self.zone, before=self.model)
        ahead = self.model.ahead(record, starts)
        return Outlook(
            starts=starts,
            load=ahead.load,
            pv=ahead.pv,
            buy=np.array([price(clock) for clock in clocks]),
            sell=np.full(len(starts), 0.05),
            soc=self.soc,
            battery=self.battery,
            grid=Grid(meter=["grid"], import_limit=1e6, export_limit=1e6),
            rated=self.rated,
            zone=self.zone,
            charges=[
                charge(
                    now,
                    demand=self.price,
                    how=self.how,
                    billed=self.billed.get(period(now, self.zone, self.how)[0], 0.0),
                    expected=self.sure * usual_peak(nets, QUARTER, self.zone, self.battery, self.rated),
                )
            ],
        )

    def _quarter(self, at: datetime, load: float, pv: float) -> None:
        """Dispatch knows the mean of the quarter, and keeps it below the peak of the plan if it can."""
        assert self.plan is not None
        assert self.plan.peak is not None
        of = period(at, self.zone, self.how)[0]
        net, before = load - pv, self.billed.get(of, 0.0)
        holding = self.plan.model_copy(update={"until": at + QUARTER})
        both, energy = self.battery.efficiency, self.battery.energy
        out = max(0.0, (self.soc - self.battery.soc_min) / 100 * energy * both * 4)
        into = max(0.0, (self.battery.soc_max - self.soc) / 100 * energy / both * 4)
        wanted = decide(
            Ratings(self.battery, Grid(meter=["grid"], import_limit=1e6, export_limit=1e6), self.rated),
            Moment(at, net, 0.0, self.soc, into, out),
            ControlMode(mode=Mode.AUTO, at=at, who="", why=""),
            billing=RunningWindow(self.zone, demand(self.how)),
            step=current_step(holding, at),
            peak=max(self.plan.peak, before),
        ).power
        power = min(max(wanted, -into, -self.rated), out, self.rated)
        self.soc -= (power / both if power > 0 else power * both) / 4 / energy * 100
        grid = net - power
        self.billed[of] = max(before, grid)
        self.discharged += max(power, 0.0) / 4
        hour = at.astimezone(self.zone).hour
        self.cost += (max(grid, 0.0) * price(hour) - max(-grid, 0.0) * 0.05 + max(power, 0.0) * 0.02) / 4000

    @property
    def demands(self) -> float:
        return self.price * sum(self.billed.values()) / 1000


def demand(how: Charged) -> Demand:
    """A component that is charged so."""
    begins = {"year_begins": how.begins} if how.per == "year" else {}
    return Demand.model_validate({"price": 1.0, "per": how.per, **begins})


def price(hour: int) -> float:
    """Of a drawn kWh."""
    return 0.10 if hour < 6 else 0.24 if 16 <= hour < 21 else 0.16
