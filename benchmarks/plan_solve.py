"""How long one plan takes to solve: peak, wear, CO2, taper and three reserves, by horizon and step, on one core.

`OMP_NUM_THREADS=1 python -m benchmarks.plan_solve --json` prints one line; CPU time in ms. `odd` are prices at random
each quarter of an hour with six demands, where feeding in often pays more than drawing costs.
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from optimizer.outlook import Outlook, step_starts
from optimizer.program import build, solve
from optimizer.reserves import kept, with_reserves
from optimizer.storage import Storage
from optimizer.taper import Taper
from optimizer.windows import Charge
from schemas.site_grid import Grid
from schemas.site_reserves import Reserve
from schemas.tariff import Demand

NOON = datetime(2026, 6, 10, 10, 0, tzinfo=UTC)
CELLS = tuple(Taper(*one) for one in ((0, 1e5, 2e4), (10, 1e5, 1e5), (85, 1e5, 1e5), (95, 4e4, 1e5), (100, 8e3, 1e5)))
RESERVES = [
    Reserve.model_validate({"name": "fcr", "up": 20e3, "down": 20e3, "minutes": 30}),
    Reserve.model_validate(
        {"name": "response", "up": 50e3, "minutes": 60, "hours": [{"start": "17:00", "end": "20:00"}]}
    ),
]
SIZES = ((24, 15), (36, 15), (48, 15), (24, 5), (48, 5))


def site(seed: int, hours: float, minutes: int) -> Outlook:
    """A day's load with noise, PV, prices of two tides a day."""
    random, starts = np.random.default_rng(seed), step_starts(NOON, hours, minutes)
    clock, n = np.arange(len(starts)) * minutes / 60, len(starts)
    buy = 0.2 + 0.08 * np.sin((clock - 2) / 12 * 2 * np.pi) + random.normal(0, 0.01, n)
    bare = Outlook(
        starts=starts,
        load=80e3 + 60e3 * np.maximum(0, np.sin((clock - 3) / 24 * 2 * np.pi)) + random.normal(0, 8e3, n),
        pv=np.maximum(0, 90e3 * np.sin((clock + 4) / 24 * 2 * np.pi)),
        buy=buy,
        sell=buy - 0.12,
        soc=50.0,
        battery=Storage(200e3, taper=CELLS),
        grid=Grid.model_validate({"meter": "grid", "import_limit": 300e3, "export_limit": 300e3}),
        rated=100e3,
        zone=ZoneInfo("Europe/Berlin"),
        charges=[Charge(Demand(price=15.0))],
        minutes=minutes,
        carbon=0.03,
    )
    return with_reserves(bare, kept(bare, RESERVES, 60.0))


def odd(seed: int, hours: float, minutes: int) -> Outlook:
    """Prices at random, six demands."""
    plain, random = site(seed, hours, minutes), np.random.default_rng(seed)
    prices = (random.uniform(low, high, len(plain.starts)) for low, high in ((-0.1, 0.5), (-0.1, 0.4)))
    demands = [Charge(Demand(name=f"d{n}", price=5.0 + 3 * n, minutes=(15, 30, 60)[n % 3])) for n in range(6)]
    return replace(plain, charges=demands, buy=next(prices), sell=next(prices))


def _timed(made: Callable[[int, float, int], Outlook], size: tuple[float, int], runs: int) -> Iterator[float]:
    for seed in range(runs):
        look = made(seed, *size)
        began = time.process_time()
        solve(build(look))
        yield 1000 * (time.process_time() - began)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    parser.add_argument("--runs", type=int, default=20)
    wish = parser.parse_args()
    found = dict[str, float]()
    for size in SIZES:
        p50, p99 = np.percentile([*_timed(site, size, wish.runs)], [50, 99])
        found |= {f"{size[0]}h_{size[1]}min_p50": round(p50, 1), f"{size[0]}h_{size[1]}min_p99": round(p99, 1)}
    p50, p99 = np.percentile([*_timed(odd, (48, 15), wish.runs)], [50, 99])
    found |= {"odd_p50": round(p50, 1), "odd_p99": round(p99, 1)}
    print(json.dumps(found) if wish.json else "\n".join(f"{name:<16} {value}" for name, value in found.items()))


if __name__ == "__main__":
    main()
