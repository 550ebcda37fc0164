"""What the optimizer keeps of the money that perfect foresight would save, on sites whose data are public.

    python -m benchmarks.optimizer --json                       # four sites, two tariffs, a year each
    python -m benchmarks.optimizer --days 28 --sites monash_building1 --strategy plan,lp,price-rule

Each site is played by `joulebus backtest` on a CSV, as anybody would. The folder of the data is --data or
JOULEBUS_BENCHMARK_DATA; without it `../shared/data` beside this repository. Demand: 15 EUR/kW and month upon prices by
time of use; day-ahead: DE-LU prices of the same season, weekday and local hour.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from benchmarks.optimizer_dispatch import measure as dispatched
from benchmarks.optimizer_places import SITES
from benchmarks.optimizer_plans import plans

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "data"
PRICES = "prices/de_lu_60min_2020_2023.csv.gz"
AGO = 364
"""Days: 52 weeks, so that weekday and season stay."""


class Job(NamedTuple):
    """A run."""

    name: str
    tariff: str
    phase: int
    """Minutes past the hour at which a plan is made."""


TARIFFS = ("demand", "day-ahead")


def by_use(local: pd.DatetimeIndex) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Prices per kWh by time of use: drawn and fed in."""
    hour, summer, weekend = local.hour, (local.month >= 6) & (local.month <= 10), local.day_of_week >= 5
    evening, night = (hour >= 16) & (hour < 21), (hour < 6) | (weekend & (hour < 14))
    else_ = np.where(night, 0.10, np.where(summer, 0.12, 0.13))
    return np.where(evening, np.where(summer, 0.22, 0.18), else_), np.full(len(local), 0.04)


def day_ahead(local: pd.DatetimeIndex, folder: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Market prices at the same local clock, as few whole years on as the market's file needs."""
    market = pd.read_csv(folder / PRICES, parse_dates=["timestamp_utc"]).set_index("timestamp_utc")["price_eur_per_mwh"]
    clock = local.tz_localize(None)
    on = timedelta(days=AGO)
    wanted = clock
    while wanted.min() < pd.Timestamp("2020-01-02"):
        wanted += on
    there = wanted.tz_localize("Europe/Berlin", ambiguous=True, nonexistent="shift_forward").tz_convert("UTC")
    price = market.reindex(there, method="ffill").to_numpy() / 1000
    return price + 0.10, np.maximum(price - 0.005, 0.0)


def csv_of(name: str, tariff: str, folder: Path, out: Path) -> Path:
    """The site's data with the tariff's prices beside them."""
    place = SITES[name]
    frame = pd.read_csv(folder / place.file, usecols=["timestamp_utc", "load_kw", "pv_kw"])
    local = pd.DatetimeIndex(pd.to_datetime(frame["timestamp_utc"], utc=True)).tz_convert(ZoneInfo(place.zone))
    buy, sell = by_use(local) if tariff == "demand" else day_ahead(local, folder)
    frame["pv_kw"] *= place.pv
    frame["import_price_eur_per_kwh"], frame["export_price_eur_per_kwh"] = buy.round(5), sell.round(5)
    path = out / f"{name}-{tariff}.csv"
    frame.to_csv(path, index=False)
    return path


def backtest(job: Job, path: Path, out: Path, wish: argparse.Namespace) -> dict[str, Any]:
    """result.json of one run, with the seconds it took."""
    place = SITES[job.name]
    demand = ["--demand-eur-per-kw", "15"] if job.tariff == "demand" else ["--prices-known", "day-ahead"]
    command = [
        sys.executable, "-m", "joulebus.cli", "backtest", "--data", str(path), "--from", place.begin,
        "--days", str(wish.days), "--battery-kw", str(place.kw), "--battery-kwh", str(place.kwh),
        "--timezone", place.zone, "--strategy", wish.strategy,
        "--phase-minutes", str(job.phase), "--out", str(out), *demand,
    ]  # fmt: skip
    begun = perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # ours
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, Any] = json.loads((out / "result.json").read_text())
    return found | {"seconds": perf_counter() - begun}


def run(wish: argparse.Namespace) -> dict[str, Any]:
    """All runs, how long one plan takes, and what dispatch makes of one-second data."""
    shares: dict[str, dict[str, Any]] = {tariff: {} for tariff in wish.tariffs}
    with tempfile.TemporaryDirectory() as made, ThreadPoolExecutor(wish.jobs) as pool:
        folder = Path(made)
        waiting = []
        for tariff in wish.tariffs:
            for name in wish.sites:
                path = csv_of(name, tariff, wish.data, folder)
                for phase in wish.phases:
                    out = folder / f"{name}-{tariff}-{phase}"
                    waiting.append((tariff, name, pool.submit(backtest, Job(name, tariff, phase), path, out, wish)))
        for tariff, name, future in waiting:
            shares[tariff].setdefault(name, []).append(future.result())
            print(_line(tariff, name, shares[tariff][name][-1]), file=sys.stderr, flush=True)
        first = csv_of(wish.sites[0], wish.tariffs[0], wish.data, folder)
        measured = plans(first, SITES[wish.sites[0]], wish.plans)
    found = _document(shares, measured)
    return found | ({"dispatch": dispatched(wish.data, wish.dispatch_days)} if wish.dispatch_days else {})


def _line(tariff: str, name: str, found: dict[str, Any]) -> str:
    each = ", ".join(f"{one} {facts['share_of_perfect_foresight']}" for one, facts in found["strategies"].items())
    return f"{tariff}, {name}: {each} ({found['seconds']:.0f} s)"


def _document(shares: dict[str, dict[str, Any]], measured: dict[str, float]) -> dict[str, Any]:
    by_strategy: dict[str, Any] = {}
    for tariff, names in shares.items():
        for name, runs in names.items():
            for strategy in runs[0]["strategies"]:
                parts = [one["strategies"][strategy]["share_of_perfect_foresight"] for one in runs]
                known = [part for part in parts if part is not None]
                place = by_strategy.setdefault(strategy, {}).setdefault(tariff, {})
                place[name] = round(fmean(known), 4) if known else None
    for tariffs in by_strategy.values():
        for names in tariffs.values():
            known = [part for part in names.values() if part is not None]
            names["mean"] = round(fmean(known), 4) if known else None
    first = next(iter(by_strategy))
    seconds = [one["seconds"] for names in shares.values() for runs in names.values() for one in runs]
    return {
        "share": by_strategy[first],
        "strategies": by_strategy,
        "phases": sorted(
            {one["phase_minutes"] for names in shares.values() for runs in names.values() for one in runs}
        ),
        "seconds_a_run_max": round(max(seconds), 1),
        **measured,
    }


def listed(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    """Reads several with commas."""
    return lambda text: [kind(one) for one in text.split(",")]


def wish_of(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizer", description=__doc__.split("\n", 1)[0])
    at = os.environ.get("JOULEBUS_BENCHMARK_DATA")
    parser.add_argument("--data", type=Path, default=Path(at) if at else DATA, metavar="DIR")
    parser.add_argument("--sites", type=listed(str), default=list(SITES), metavar="A,B", help=", ".join(SITES))
    parser.add_argument("--tariffs", type=listed(str), default=list(TARIFFS), metavar="A,B", help=", ".join(TARIFFS))
    parser.add_argument(
        "--phases", type=listed(int), default=[0, 20, 40], metavar="0,20,40", help="minutes past the hour; mean"
    )
    parser.add_argument("--strategy", default="plan", metavar="A,B")
    parser.add_argument("--days", type=int, default=364)
    parser.add_argument("--plans", type=int, default=100, help="of 192 steps that are timed [100]")
    parser.add_argument("--dispatch-days", type=int, default=2, help="of seconds, of each site; 0 leaves them out [2]")
    parser.add_argument("--jobs", type=int, default=1, help="runs at the same time [1]")
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    wish = parser.parse_args(arguments)
    for given, known in ((wish.sites, SITES), (wish.tariffs, TARIFFS)):
        if unknown := [one for one in given if one not in known]:
            parser.error(f"{', '.join(unknown)}: there is {', '.join(known)}")
    if not (wish.data / PRICES).is_file():
        parser.error(f"{wish.data} has no {PRICES}: name the folder of the data with --data")
    return wish


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all and print."""
    wish = wish_of(arguments)
    found = run(wish)
    if wish.json:
        print(json.dumps(found))
        return 0
    for strategy, tariffs in found["strategies"].items():
        for tariff, names in tariffs.items():
            print(f"{strategy:<18}{tariff:<11}" + "  ".join(f"{name} {part}" for name, part in names.items()))
    print(f"a plan of 192 steps: {found['solve_ms_p50']:.1f} ms, 99 %: {found['solve_ms_p99']:.1f} ms")
    print(
        f"gap to the exact program: {found['gap_to_exact']:.2%}, of the policy alone {found['policy_gap_to_exact']:.2%}"
    )
    for name, value in found.get("dispatch", {}).items():
        print(f"dispatch, {name}: {value}")
    print(f"the longest run took {found['seconds_a_run_max']:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
