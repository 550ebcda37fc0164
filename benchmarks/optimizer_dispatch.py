"""How well dispatch holds a billed peak, second by second: `python -m benchmarks.optimizer_dispatch --json`.

Days of measured sites, made seconds (`one_second`), with the very code that runs live: the running window, the load
estimated from two meters that are late, a decision each two seconds. The plan is a policy that holds the peak the
battery could just have held in that month. Against it: a battery that clamps the grid's power at that peak at once,
without delay or error, as one without knowledge of windows does.
"""

import argparse
import csv
import gzip
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.one_second import QUARTER, Vector, one_second
from optimizer.dispatch import Moment, Ratings, decide
from optimizer.lowest_peak import lowest_peak
from optimizer.running_step import RunningStep
from optimizer.running_window import RunningWindow
from optimizer.site_load import SiteLoad
from optimizer.storage import Storage
from schemas.messages import ControlMode, Mode, Step
from schemas.site_grid import Grid
from schemas.tariff import Demand

DATA = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
TICK, DEAD, RAMP = 2, 1, 0.2
"""Seconds between two decisions, and from a setpoint until the PCS begins; share of its rating it moves in a second."""
METER_LATE = 1
"""Seconds."""
SLACK = 1.02
"""Of the lowest peak that the battery could have held in a month: the peak of the plan."""
NEAR = 0.9
"""Of that peak: days that do not come so near to it need no battery, nor do their seconds."""
REFILL = 0.9
"""Of that peak: the battery is charged as long as the grid carries less."""
QUARTER_HOUR = timedelta(seconds=QUARTER)


class Site(NamedTuple):
    """Measured, and the battery that is put there."""

    file: str
    zone: str
    rated: float
    """W."""
    energy: float
    """Wh."""
    sun: float
    first: str
    """Of the days that are tried."""


SITES = (
    Site("ucsd/student_services", "America/Los_Angeles", 100e3, 200e3, 1.0, "2019-01-01"),
    Site("ucsd/east_campus", "America/Los_Angeles", 50e3, 100e3, 1.0, "2019-01-01"),
    Site("ucsd/trade_street", "America/Los_Angeles", 100e3, 200e3, 1.0, "2017-09-19"),
    Site("monash/building1", "Australia/Melbourne", 10e3, 20e3, 2.0, "2019-03-05"),
    Site("simbench/g1_a", "Europe/Berlin", 100e3, 200e3, 1.0, "2016-03-01"),
)


class Day(NamedTuple):
    """96 quarter hours in W, and the peak of the plan."""

    site: Site
    begin: datetime
    load: Vector
    pv: Vector
    peak: float


@dataclass
class Result:
    """Of some days."""

    held: int = 0
    """Windows at or below the peak that the battery could have held there, and all of those."""
    could: int = 0
    given: float = 0.0
    """Wh by dispatch, and by the clamp."""
    clamped: float = 0.0
    least: float = 0.0
    """Wh that were needed at least: of the means of the windows, known beforehand."""
    beyond: list[float] = field(default_factory=list)
    """W of the peak passed in windows that could have been held."""
    seconds: list[float] = field(default_factory=list)
    """Of each decision."""

    def told(self) -> dict[str, float]:
        """The figures by name."""
        return {
            "energy_less_at_best_percent": round(100 * (1 - self.least / self.clamped), 1) if self.clamped else 0.0,
            "windows_could_be_held": self.could,
            "windows_held_share": round(self.held / self.could, 5) if self.could else 1.0,
            "energy_less_than_clamp_percent": round(100 * (1 - self.given / self.clamped), 1) if self.clamped else 0.0,
            "worst_beyond_peak_kw": round(max(self.beyond, default=0.0) / 1000, 3),
            "decision_us_p50": round(1e6 * quantiles(self.seconds, n=100)[49], 1),
            "decision_us_p99": round(1e6 * quantiles(self.seconds, n=100)[98], 1),
        }


def days(site: Site, data: Path, count: int) -> Iterator[Day]:
    """So many days that come near the peak their month could have been held at, evenly over a year."""
    rows = _rows(data / f"{site.file}.csv.gz", site)
    zone, battery, peaks = ZoneInfo(site.zone), Storage(site.energy), dict[int, float]()
    begin = datetime.fromisoformat(site.first).replace(tzinfo=zone)
    each = [(begin + timedelta(days=number)).astimezone(UTC) for number in range(364)]
    whole = {day: row for day in each if (row := _day(rows, day)) is not None}
    found = list[Day]()
    for day, (load, pv) in whole.items():
        month = day.astimezone(zone).month
        mine = [one for one in whole if one.astimezone(zone).month == month]
        peak = peaks[month] if month in peaks else peaks.setdefault(month, SLACK * _lowest(mine, whole, battery, site))
        if float(np.max(load - pv)) > NEAR * peak > 0:
            found.append(Day(site, day, load, pv, peak))
    yield from found[:: max(1, len(found) // count)][:count]


def _day(rows: Mapping[datetime, tuple[float, float]], day: datetime) -> tuple[Vector, Vector] | None:
    """W of load and PV of a whole day."""
    each = [rows.get(day + quarter * QUARTER_HOUR) for quarter in range(96)]
    known = [one for one in each if one is not None]
    return (np.array([load for load, _ in known]), np.array([pv for _, pv in known])) if len(known) == 96 else None


def _lowest(
    month: Sequence[datetime], whole: Mapping[datetime, tuple[Vector, Vector]], battery: Storage, site: Site
) -> float:
    """W: of a month."""
    nets = [
        (day + quarter * QUARTER_HOUR, float(net))
        for day in month
        for quarter, net in enumerate(whole[day][0] - whole[day][1])
    ]
    return lowest_peak(nets, QUARTER_HOUR, battery, site.rated)


def _rows(path: Path, site: Site) -> dict[datetime, tuple[float, float]]:
    """W by quarter hour; what is missing is not there."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return {
            datetime.fromisoformat(row["timestamp_utc"]): (
                1000 * float(row["load_kw"]), 1000 * site.sun * float(row["pv_kw"] or 0.0)
            )
            for row in csv.DictReader(lines)
            if row["load_kw"]
        }  # fmt: skip


def policy(peak: float, rated: float) -> list[tuple[float, float]]:
    """Hold the peak, and be full before the next one."""
    low = REFILL * peak
    return [(low - rated, -rated), (low, 0.0), (peak, 0.0), (peak + rated, rated)]


def play(day: Day, seed: int, into: Result, restless: float = 1.0) -> None:
    """A day in seconds, from an hour before it comes near the peak until an hour after: dispatch, and the clamp."""
    near = np.flatnonzero(day.load - day.pv > NEAR * day.peak)
    first, last = max(0, int(near[0]) - 4), int(near[-1]) + 5
    day = day._replace(begin=day.begin + first * QUARTER_HOUR, load=day.load[first:last], pv=day.pv[first:last])
    load, pv = one_second(day.load, day.pv, seed, restless)
    net = load - pv
    _clamp(day, net, into)
    into.least += float(np.sum(np.maximum(day.load - day.pv - day.peak, 0.0))) * QUARTER / 3600
    means, socs = _dispatched(day, net, into)
    battery, hours = Storage(day.site.energy), QUARTER / 3600
    for quarter, mean in enumerate(means):
        needed = float(np.mean(net[quarter * QUARTER : (quarter + 1) * QUARTER])) - day.peak
        most = (socs[quarter] - battery.soc_min) / 100 * battery.energy * battery.efficiency / hours
        if needed <= min(day.site.rated, most):
            into.could += 1
            into.held += mean <= day.peak
            into.beyond.append(max(0.0, mean - day.peak))


def _clamp(day: Day, net: Vector, into: Result) -> None:
    """What a battery gives that holds the power itself at the peak."""
    cells, low = Cells(day.site), REFILL * day.peak
    for power in net:
        wanted = power - day.peak if power > day.peak else min(power - low, 0.0)
        given = cells.give(min(max(wanted, -day.site.rated), day.site.rated))
        into.clamped += max(given, 0.0) / 3600


class Cells:
    """The energy of a battery, full in the beginning."""

    def __init__(self, site: Site) -> None:
        self.battery = Storage(site.energy)
        self.soc = self.battery.soc_max

    def give(self, power: float) -> float:
        """One second; gives the power in W that there was."""
        one, wh = self.battery, self.battery.energy / 100
        most = (self.soc - one.soc_min) * wh * one.efficiency * 3600
        least = (self.soc - one.soc_max) * wh / one.efficiency * 3600
        power = min(max(power, least), most)
        self.soc -= (power / one.efficiency if power > 0 else power * one.efficiency) / 3600 / wh
        return power


def _dispatched(day: Day, net: Vector, into: Result) -> tuple[list[float], list[float]]:
    """W by window that the grid carried, and the SoC at its begin."""
    plant, means, socs = Plant(day), list[float](), list[float]()
    for second, power in enumerate(net):
        if second % QUARTER == 0:
            socs.append(plant.cells.soc)
            means.append(0.0)
        grid = plant.second(second, float(power))
        means[-1] += max(grid, 0.0) / QUARTER
        into.given += max(plant.power, 0.0) / 3600
        if second % TICK == 0:
            began = time.perf_counter()
            plant.decide(second)
            into.seconds.append(time.perf_counter() - began)
    return means, socs


class Plant:
    """A PCS and a meter that are late, and dispatch's memory of them."""

    def __init__(self, day: Day) -> None:
        site = day.site
        self.day, self.cells, self.power = day, Cells(site), 0.0
        self.told = [0.0] * (DEAD + 1)
        self.grids = [0.0] * (METER_LATE + 1)
        self.load = SiteLoad(site.rated, known_delay=float(METER_LATE))
        self.window = RunningWindow(ZoneInfo(site.zone), Demand(price=15.0))
        self.step = RunningStep()
        limits = Grid(meter=["grid"], import_limit=1e7, export_limit=1e7)
        self.ratings = Ratings(Storage(site.energy), limits, site.rated)
        self.mode = ControlMode(at=day.begin, mode=Mode.AUTO, who="", why="")
        self.policy, self.last = policy(day.peak, site.rated), 0.0

    def second(self, second: int, net: float) -> float:
        """The physics, and what meter and PCS show of it; gives the grid's power in W."""
        way, room = self.told.pop(0) - self.power, RAMP * self.day.site.rated
        self.told.append(self.told[-1])
        self.power = self.cells.give(self.power + min(max(way, -room), room))
        self.grids = [*self.grids[1:], net - self.power]
        self.window = self.window.fold(self.day.begin + timedelta(seconds=second), self.grids[0])
        self.load.battery(float(second), self.power)
        self.load.meter(float(second), self.grids[0])
        return self.grids[-1]

    def decide(self, second: int) -> None:
        """As the desk of dispatch does."""
        now = self.day.begin + timedelta(seconds=second)
        net, step = self.load.value(float(second)), self._step(now)
        if net is not None:
            self.step = self.step.fold(now, net, self.power, step, self.window.imported(now))
        most = self.day.site.rated
        seen = Moment(now, net, 0.5, self.cells.soc, most, most, 0.5, self.last, running=self.step)
        self.last = decide(self.ratings, seen, self.mode, billing=self.window, step=step, peak=self.day.peak).power
        self.told[-1] = self.last
        self.load.told(float(second), self.last)

    def _step(self, now: datetime) -> Step:
        begin = self.day.begin + (now - self.day.begin) // QUARTER_HOUR * QUARTER_HOUR
        return Step.model_construct(
            at=begin, seconds=float(QUARTER), power=0.0, soc=50.0, grid=0.0, load=0.0, pv=0.0, price_import=0.13,
            price_export=0.04, marginal_value=0.12, cap=self.day.peak, policy=self.policy, reason="",
        )  # fmt: skip


def measure(data: Path = DATA, count: int = 2, sites: Sequence[Site] = SITES) -> dict[str, float]:
    """The figures of all sites together, by name: with the noise of offices, and with twice as much (`industry_`)."""
    each = [(11 + number, day) for number, site in enumerate(sites) for day in days(site, data, count)]
    found = dict[str, float]()
    for name, restless in (("", 1.0), ("industry_", 2.0)):
        result = Result()
        for seed, day in each:
            play(day, seed, result, restless)
        found |= {name + key: value for key, value in result.told().items()}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--days", type=int, default=2, help="of each site")
    chosen = parser.parse_args()
    found = measure(chosen.data, chosen.days)
    print(json.dumps(found) if chosen.json else "\n".join(f"{name:<40} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
