"""How long one plan of 192 steps takes, and how far from the exact answer it is where everything is known."""

from dataclasses import replace
from pathlib import Path
from time import perf_counter
from zoneinfo import ZoneInfo

import numpy as np

from benchmarks.optimizer_places import Place
from joulebus.backtest.meters import meters
from joulebus.backtest.planner import Planner
from joulebus.backtest.prepare import prepare
from joulebus.backtest.site import Flags, of_flags
from joulebus.backtest.walk import Span
from optimizer.bill import cost
from optimizer.outlook import Outlook
from optimizer.plan import plan
from optimizer.policy import solve
from optimizer.program import CHARGE, DISCHARGE, build
from optimizer.program import solve as solve_program
from optimizer.record import QUARTER

HOURS = 48.0
NEARLY = 1.0
"""W of spread: a load that is as good as known, for the policy."""


def plans(path: Path, place: Place, count: int) -> dict[str, float]:
    """Milliseconds of `optimizer.plan.plan` with a peak, wear and an error of the forecast, and the gaps in parts of
    the exact cost. Taken each 17 hours, so that each hour of the day is among them."""
    flags = Flags(battery_kw=place.kw, battery_kwh=place.kwh, demand_eur_per_kw=15, timezone=place.zone)
    days = max(3, count * 17 // 24 + 4)
    span = prepare(path, place.begin, days, ZoneInfo(place.zone), lambda priced: of_flags(flags, priced)).span
    assert span.terms.battery is not None  # the places have one
    planner = Planner(span.terms, span.terms.battery, span.found, span.prices, certain=False)
    times, gaps, policy_gaps = list[float](), list[float](), list[float]()
    for number in range(min(count, (len(span.played) - 192) // 68)):
        outlook = _outlook(span, planner, 68 * number)
        if number == 0:
            plan(outlook)  # machine code is made
        begun = perf_counter()
        plan(outlook)
        times.append(1000 * (perf_counter() - begun))
        known = _known(span, outlook, 68 * number)
        exact = _exact(known)
        gaps.append(_gap(plan(known).cost, exact))
        policy_gaps.append(_gap(cost(known, solve(replace(known, spread=np.full(192, NEARLY))).walk().power), exact))
    return {
        "solve_ms_p50": round(float(np.percentile(times, 50)), 2),
        "solve_ms_p99": round(float(np.percentile(times, 99)), 2),
        "gap_to_exact": round(float(np.mean(gaps)), 6),
        "policy_gap_to_exact": round(float(np.mean(policy_gaps)), 6),
    }


def _outlook(span: Span, planner: Planner, quarter: int) -> Outlook:
    """48 h of it as it is forecast, with a battery that is half full."""
    at = span.played.start + quarter * QUARTER
    return planner.outlook(at, 50.0, meters(span.terms.charged, span.terms.zone, span.played.start), HOURS)


def _known(span: Span, outlook: Outlook, quarter: int) -> Outlook:
    """The same hours as they came."""
    mine = slice(quarter, quarter + 192)
    return replace(outlook, load=span.played.load[mine], pv=span.played.pv[mine], spread=0.0)


def _exact(known: Outlook) -> float:
    """The least cost, by the linear program."""
    program = build(known)
    x, _ = solve_program(program)
    return cost(known, 1000 * (program.part(x, DISCHARGE) - program.part(x, CHARGE)))


def _gap(found: float, exact: float) -> float:
    return (found - exact) / max(abs(exact), 1e-9)
