"""`joulebus backtest`: its flags, its progress, its files."""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from joulebus.backtest.flags import STRATEGIES
from joulebus.backtest.play import play
from joulebus.backtest.prepare import USUAL_DAYS, Prepared, begin_of, end_of, prepare
from joulebus.backtest.report import report
from joulebus.backtest.result import document, write
from joulebus.backtest.site import AS_LIVE, HOURLY, Flags, Terms, of_flags, of_site, zone_of
from schemas.troubles import Usage

LONGEST = 20 * 366
"""Days."""
BAR = 40
"""Characters."""


def run(parsed: argparse.Namespace, env: Mapping[str, str]) -> int:
    """0 when all is written. Raises Trouble where the input is not usable."""
    strategies = strategies_of(parsed.strategy)
    if parsed.replan_minutes is None:
        parsed.replan_minutes = AS_LIVE if parsed.archive else HOURLY
    flags = Flags(**{one.name: getattr(parsed, one.name) for one in fields(Flags)})
    if parsed.days is not None and not 1 <= parsed.days <= LONGEST:
        raise Usage(f"--days {parsed.days}: write 1 to {LONGEST}")
    folder = _folder(parsed.out)
    terms = of_site(parsed.site, flags, env) if parsed.site else None
    zone = terms.zone if terms else zone_of(flags.timezone or "UTC", "--timezone")

    def terms_for(priced: tuple[bool, bool]) -> Terms:
        return terms or of_flags(flags, priced)

    data = _archived(parsed, zone, folder, env) if parsed.archive else parsed.data
    ready = prepare(data, parsed.start, parsed.days, zone, terms_for)
    found = play(ready, strategies, Progress(ready, strategies))
    written = document(ready, found.none, found.perfect, found.played, found.gap, exact=found.exact, ran=found.ran)
    write(folder, written, ready.span, found.played[0].trace)
    (folder / "report.html").write_text(report(ready, found, written), encoding="utf-8")
    _say(written, folder)
    return 0


def _archived(parsed: argparse.Namespace, zone: ZoneInfo, folder: Path, env: Mapping[str, str]) -> Path:
    """data.csv out of the archive, beside what comes of it."""
    from joulebus.backtest.archive import write as write_archive  # noqa: PLC0415  # loads the driver of a database
    from runtime.settings import read_settings, without_broker  # noqa: PLC0415
    from schemas.site_file import load_site  # noqa: PLC0415

    if parsed.site is None:
        raise Usage("--archive: of which site? Give its file with --site")
    site, url = load_site(parsed.site), read_settings("archive", without_broker(env)).database
    start = begin_of(parsed.start, zone)
    end, path = end_of(start, parsed.days or USUAL_DAYS, zone), folder / "data.csv"
    count = asyncio.run(write_archive(url, site, start, end, path))
    print(f"{path}: {count} quarters of an hour out of the archive", file=sys.stderr)
    return path


def strategies_of(given: str) -> list[str]:
    """By their names, each once. Raises Trouble."""
    names = list(
        dict.fromkeys(one.strip().replace(" ", "-").replace("_", "-") for one in given.split(",") if one.strip())
    )
    for name in names:
        if name not in STRATEGIES:
            raise Usage.unknown(f"--strategy {name}", name, STRATEGIES)
    if not names:
        raise Usage(f"--strategy is empty: write one or more of {', '.join(STRATEGIES)}, with commas")
    return names


def _folder(path: Path) -> Path:
    """Where it is written, asked before a minute is spent."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            pass
    except OSError as wrong:
        raise Usage(f"--out {path}: cannot be written: {wrong.strerror}: name a folder of your own") from None
    return path


class Progress:
    """A bar on a terminal; a line a month where nobody watches."""

    def __init__(self, ready: Prepared, strategies: Sequence[str]) -> None:
        self.count, self.strategies = len(ready.span.played), list(strategies)
        self.terminal = sys.stderr.isatty()
        self.every = max(1, self.count // 200) if self.terminal else 96 * 30

    def __call__(self, strategy: str, quarter: int) -> None:
        over = quarter + 1
        if over % self.every and over != self.count:
            return
        done = over / self.count
        if not self.terminal:
            print(f"{strategy}: {over // 96} of {self.count // 96} days", file=sys.stderr, flush=True)
            return
        bar = "#" * round(BAR * done)
        end = "\n" if over == self.count else ""
        print(f"\r{strategy:<18}[{bar:<{BAR}}] {done:4.0%}", end=end, file=sys.stderr, flush=True)


def _say(found: dict[str, Any], folder: Path) -> None:
    for words in found["warnings"]:
        print(f"WARNING: {words}")
    currency = found["currency"]
    print(
        f"{'':<18}{'cost ' + currency:>14}{'energy':>12}{'demand':>12}{'wear':>10}{'saved':>11}{'left':>9}{'share':>8}"
    )
    print(f"{'no battery':<18}{found['cost_no_battery_eur']:>14.2f}")
    for name, one in found["strategies"].items():
        _say_one(name, one)
    if found["as_it_ran"]:
        _say_one("as it ran", found["as_it_ran"])
    print(f"{'perfect foresight':<18}{found['cost_perfect_foresight_eur']:>14.2f}")
    for words in found["notes"]:
        print(f"note: {words}")
    for words, count in found["repairs"].items():
        print(f"repaired: {words.replace('_', ' ')}: {count}")
    print(f"written to {folder}{os.sep}: result.json, trace.csv, report.html")


def _say_one(name: str, one: dict[str, Any]) -> None:
    share = one["share_of_perfect_foresight"]
    parts = f"{one['energy_cost_eur']:>12.2f}{one['demand_cost_eur']:>12.2f}{one['wear_cost_eur']:>10.2f}"
    beside = f"{one['saved_eur']:>11.2f}{one['end_energy_value_eur']:>9.2f}"
    print(f"{name:<18}{one['cost_eur']:>14.2f}{parts}{beside}{'-' if share is None else f'{share:.3f}':>8}")
