"""The flags of `joulebus backtest`: without what plays it, which loads for a second."""

import argparse
from pathlib import Path

from joulebus.shipped_sites import site_file

STRATEGIES = ("none", "self-consumption", "price-rule", "lp", "plan")


def options(parser: argparse.ArgumentParser) -> None:
    """The flags. Those of the site take the place of what the site file says."""
    parser.add_argument("--site", type=site_file, metavar="FILE", help="site file; without it the flags say all")
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--data", type=Path, metavar="CSV", help="timestamp_utc, load_kw, pv_kw, prices")
    given.add_argument(
        "--archive", action="store_true", help="what the site's own archive has, from the SoC and the peaks it had"
    )
    parser.add_argument("--env", type=Path, metavar="FILE", help="variables as KEY=VALUE lines: of the archive")
    parser.add_argument(
        "--from", dest="start", required=True, metavar="DAY", help="first local day; rows before are learned from"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="result.json, trace.csv, report.html")
    parser.add_argument("--days", type=int, help="[364, or what the file has]")
    parser.add_argument("--strategy", default="plan", metavar="A,B", help=f"of {', '.join(STRATEGIES)} [plan]")
    numbers = {
        "--battery-kw": "power of the battery",
        "--battery-kwh": "energy between 0 and 100 %%",
        "--efficiency": "of one direction [0.95]",
        "--soc-min": "%% [10]",
        "--soc-max": "%% [90]",
        "--wear-eur-per-kwh": "of each kWh discharged [0.02]",
        "--demand-eur-per-kw": "of the highest quarter hour of each month [none]",
        "--import-price": "per kWh, where the CSV has no import_price_eur_per_kwh",
        "--export-price": "per kWh, where the CSV has no export_price_eur_per_kwh",
        "--import-limit-kw": "of the grid connection [none]",
        "--export-limit-kw": "of the grid connection [none]",
    }
    for name, words in numbers.items():
        parser.add_argument(name, type=_number, metavar="X", help=words)
    parser.add_argument("--timezone", metavar="ZONE", help="such as Europe/Berlin [the site's, or UTC]")
    parser.add_argument("--prices-known", choices=["all", "day-ahead"], help="day-ahead: tomorrow's from 13 o'clock on")
    parser.add_argument("--replan-minutes", type=int, metavar="MINUTES", help="15, 30, 45 or 60 [60; of an archive 15]")
    parser.add_argument("--phase-minutes", type=int, default=0, metavar="MINUTES", help="past the hour, of a plan [0]")


def _number(text: str) -> float:
    value = float(text.replace(",", "."))
    if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124  # nan differs from itself
        raise ValueError
    return value


_number.__name__ = "number"  # as argparse names it
