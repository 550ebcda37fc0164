"""The numbers of a backtest, as result.json has them, and its trace as a CSV."""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from joulebus.backtest.prepare import Prepared
from joulebus.backtest.score import Money, carried, given, money, monthly_peaks
from joulebus.backtest.walk import Span, Trace
from optimizer.record import QUARTER

SAW = (
    "Each quarter hour dispatch saw the mean of its own load less PV, as it does live on the integral of the running "
    "window; a plan saw the quarters that were over, and prices as far as they were known."
)
ONLY_SMALL = 0.005
"""Money below which there was nothing to save."""


@dataclass(frozen=True)
class Outcome:
    """One strategy with its money."""

    trace: Trace
    money: Money
    peaks: dict[str, float]
    cycles: float


def outcome(span: Span, trace: Trace) -> Outcome:
    """What a trace costs."""
    battery = span.terms.battery
    through = float(given(span.played, trace.battery).sum())
    spent = through / 4 / battery.efficiency / battery.energy if battery else 0.0
    made = span.before.idle if trace.strategy == "none" else span.before.made
    paid = money(span.terms, span.played, trace.battery, trace.gained(battery), made)
    return Outcome(trace, paid, monthly_peaks(span.terms, span.played, trace.battery), spent)


def share(none: float, cost: float, perfect: float) -> float | None:
    """How much of what perfect foresight saves was saved; None where there was nothing to save."""
    return None if none - perfect < ONLY_SMALL else (none - cost) / (none - perfect)


def document(  # what came out, and how near to the least perfect foresight is
    ready: Prepared,
    none: Outcome,
    perfect: Outcome,
    played: Sequence[Outcome],
    gap: float = 0.0,
    *,
    exact: bool = True,
    ran: Outcome | None = None,
) -> dict[str, Any]:
    """As result.json has it; the first strategy stands at the top. `gap`: money by which perfect foresight may be above
    the least; `ran`: what the battery did."""
    span, first = ready.span, played[0]
    each = {one.trace.strategy: _facts(one, none, perfect) for one in played}
    return {
        "strategy": first.trace.strategy,
        **_facts(first, none, perfect),
        "cost_no_battery_eur": _cents(none.money.total),
        "cost_perfect_foresight_eur": _cents(perfect.money.total),
        "perfect_foresight_bound": "exact" if exact else "relaxed",
        "perfect_foresight_gap_eur": _cents(gap),
        "monthly_peaks_no_battery_kw": _rounded(none.peaks),
        "monthly_peaks_perfect_foresight_kw": _rounded(perfect.peaks),
        **span.before.facts(),
        "currency": span.terms.tariff.currency,
        "from": f"{span.played.start:%Y-%m-%dT%H:%M:%SZ}",
        "to": f"{span.played.end:%Y-%m-%dT%H:%M:%SZ}",
        "quarters": len(span.played),
        "history_days": round(ready.history, 2),
        "timezone": span.terms.zone.key,
        "prices_known": span.terms.known,
        "replan_minutes": int(span.terms.replan.total_seconds()) // 60,
        "phase_minutes": int(span.terms.phase.total_seconds()) // 60,
        "dispatch_saw": SAW,
        "repairs": dict(sorted(ready.repairs.items())),
        "warnings": ready.warnings,
        "notes": ready.notes,
        "strategies": each,
        "as_it_ran": _facts(ran, none, perfect) if ran else None,
    }


def _facts(one: Outcome, none: Outcome, perfect: Outcome) -> dict[str, Any]:
    paid, solve = one.money, one.trace.milliseconds
    saved = share(none.money.total, paid.total, perfect.money.total)
    return {
        "cost_eur": _cents(paid.total),
        "share_of_perfect_foresight": None if saved is None else round(saved, 5),
        "energy_cost_eur": _cents(paid.energy),
        "demand_cost_eur": _cents(paid.demand),
        "wear_cost_eur": _cents(paid.wear),
        "other_cost_eur": _cents(paid.other),
        "end_energy_value_eur": _cents(paid.stored),
        "saved_eur": _cents(none.money.paid - paid.paid),
        "monthly_peaks_kw": _rounded(one.peaks),
        "equivalent_full_cycles": round(one.cycles, 3),
        "solve_ms_p50": round(float(np.percentile(solve, 50)), 2) if solve else None,
        "solve_ms_p99": round(float(np.percentile(solve, 99)), 2) if solve else None,
        "plans": len(solve),
        "plans_refused": one.trace.refused,
    }


def _cents(amount: float) -> float:
    return round(amount, 4) + 0.0


def _rounded(peaks: dict[str, float]) -> dict[str, float]:
    return {month: round(power, 3) for month, power in peaks.items()}


def write(folder: Path, found: dict[str, Any], span: Span, first: Trace) -> None:
    """result.json and trace.csv."""
    (folder / "result.json").write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    grid = carried(span.terms, span.played, first.battery)
    given = span.played.load - first.battery - grid  # PV: less than there was where the export limit curtails it
    columns = [span.played.load, given, first.battery, grid]
    rows = zip(*(one.tolist() for one in columns), first.soc.tolist(), first.reasons, strict=True)
    with (folder / "trace.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["timestamp_utc", "load_kw", "pv_kw", "battery_kw", "grid_kw", "soc_percent", "reason"])
        for i, (load, pv, battery, power, soc, reason) in enumerate(rows):
            at = span.played.start + i * QUARTER
            kilowatts = [f"{one / 1000 + 0.0:.4f}" for one in (load, pv, battery, power)]
            out.writerow([f"{at:%Y-%m-%dT%H:%M:%SZ}", *kilowatts, f"{soc:.3f}", reason])
