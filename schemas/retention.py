"""How long each table of the archive is kept: every one has a class, and a class is a key of the site file.

A table that stands in no line here is a mistake: a test compares schemas/tables with the lines.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from schemas.site_retention import Retention

YEAR = 365.25


@dataclass(frozen=True)
class Keeping:
    """`key`: of `[retention]`, empty where nothing makes a table grow. `at`: the column that says how old a row is."""

    key: str
    holds: str
    at: str = "at"


KEEPING: dict[str, Keeping] = {
    "telemetry": Keeping("raw_days", "samples as they were measured"),
    "dirty": Keeping("raw_days", "rollups still to make: without their samples nothing can be made"),
    "rollup_1m": Keeping("minute_days", "means per minute"),
    "rollup_15m": Keeping("years", "quarter-hours"),
    "rollup_1h": Keeping("years", "hours"),
    "flow": Keeping("years", "energy flows"),
    "load_energy": Keeping("years", "energy of the loads"),
    "energy": Keeping("years", "energy of the devices"),
    "money": Keeping("years", "what quarters of an hour cost"),
    "money_day": Keeping("years", "what days cost"),
    "unpriced": Keeping("years", "quarters of an hour whose cost is still to make"),
    "gap": Keeping("years", "the ledger of what is missing"),
    "plan": Keeping("years", "plans: all for `plan_days`, then the first of each hour"),
    "command": Keeping("action_days", "commands"),
    "outcome": Keeping("action_days", "what became of them"),
    "journal": Keeping("action_days", "the chain over both"),
    "segment": Keeping("action_days", "closed pieces of the chain; their heads stay for ever"),
    "run": Keeping("action_days", "commands and outcomes of closed pieces"),
    "alarm": Keeping("event_years", "alarms"),
    "device_status": Keeping("event_years", "what was said of a device"),
    "control": Keeping(
        "event_years", "modes, requests, limits, market prices that were said, who was told of which alarm"
    ),
    "quarantine": Keeping("doubt_days", "samples with an impossible time", at="received"),
    "dead_letter": Keeping("doubt_days", "messages nobody could read", at="received"),
    "horizon": Keeping("", "one row a site: from when on it keeps its telemetry"),
}
"""By the name of the table."""


def days(kept: Retention, key: str) -> float:
    """How many days a class is kept; 0 for ever."""
    years = {"years": kept.years, "event_years": kept.years if kept.event_years is None else kept.event_years}
    if key in years:
        return YEAR * years[key]
    return float(getattr(kept, key)) if key else 0.0


def oldest(kept: Retention, table: str, now: datetime) -> datetime | None:
    """From when on the rows of a table are kept; None for ever. KeyError for a table without a class."""
    span = days(kept, KEEPING[table].key)
    return now - timedelta(days=span) if span else None


def kept_words(kept: Retention) -> str:
    """How long what is kept, for people."""
    spans = [
        ("samples", "raw_days"), ("minutes", "minute_days"), ("quarter-hours, hours and energies", "years"),
        ("commands", "action_days"), ("all plans", "plan_days"), ("alarms", "event_years"),
    ]  # fmt: skip
    return ", ".join(f"{what} {_span(days(kept, key))}" for what, key in spans)


def _span(count: float) -> str:
    if not count:
        return "for ever"
    return f"{count / YEAR:.0f} years" if count % YEAR == 0 else f"{count:.0f} days"


def thinned(kept: Retention, now: datetime) -> datetime | None:
    """Of each hour before this the first plan is kept; None where all are."""
    return now - timedelta(days=kept.plan_days) if kept.plan_days else None
