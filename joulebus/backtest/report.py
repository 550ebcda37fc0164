"""report.html: what was played, what it cost, and the days that tell why. One file, nothing fetched. Pure."""

from datetime import date
from html import escape
from typing import Any

import numpy as np

from joulebus.backtest.charts import bars, lines, lying
from joulebus.backtest.play import Backtest
from joulebus.backtest.prepare import Prepared
from joulebus.backtest.result import Outcome
from joulebus.backtest.score import carried
from joulebus.backtest.walk import Span
from optimizer.record import QUARTER

STYLE = """
:root{color-scheme:light dark;--ink:#1c2326;--dim:#66757c;--line:#d9e0e3;--a:#9aa7ad;--b:#0b7a75;--c:#d98e04;
--back:#fff}
@media(prefers-color-scheme:dark){:root{--ink:#e6ecee;--dim:#93a3aa;--line:#344146;--a:#75858c;--b:#3fb8ae;
--c:#eeb54a;--back:#14191b}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back);max-width:760px;margin:2rem auto;
padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}p.big{font-size:1.25rem}
svg{width:100%;height:auto}svg text{font-size:11px;fill:var(--dim)}
.grid{stroke:var(--line)}.level{stroke:var(--dim);stroke-dasharray:5 4}
.s0{fill:var(--a);background:var(--a)}.s1{fill:var(--b);background:var(--b)}.s2{fill:var(--c);background:var(--c)}
.l0,.l1,.l2{fill:none;stroke-width:2}.l0{stroke:var(--a);background:var(--a)}
.l1{stroke:var(--b);background:var(--b)}.l2{stroke:var(--c);background:var(--c)}
.legend{margin:.2rem 0;color:var(--dim);font-size:.85rem}.legend span{margin-right:1.2em}
.legend i{display:inline-block;width:.9em;height:.9em;margin-right:.4em}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{text-align:right;padding:.25rem .4rem;border-bottom:1px solid var(--line)}
th:first-child,td:first-child{text-align:left}th{color:var(--dim);font-weight:500}
.odd{border-left:4px solid var(--c);padding:.3rem .8rem;font-weight:600}
.dim{color:var(--dim);font-size:.9rem}.wide{overflow-x:auto}
"""

PAGE = "as the page and <code>joulebus money</code> count it: without what is left in it at the end"


def report(ready: Prepared, found: Backtest, written: dict[str, Any]) -> str:
    """The whole page. `written`: as result.json has it."""
    span, first, money = ready.span, found.played[0], escape(written["currency"])
    name = first.trace.strategy
    zone = span.terms.zone
    begin, last = span.played.start.astimezone(zone), (span.played.end - QUARTER).astimezone(zone)
    parts = [
        f"<h1>Backtest: {begin:%d %B %Y} to {last:%d %B %Y}</h1>",
        *(f'<p class="odd">{escape(one)}</p>' for one in written["warnings"]),
        _summary(written, money),
        "<h2>What it cost</h2>",
        lying(_costs(found), money),
        _table(found, written),
        "<h2>Highest mean import of each month</h2>",
        bars(
            [month[2:] for month in found.none.peaks],
            {"without battery": [*found.none.peaks.values()], name: _of(first.peaks, found.none.peaks),
             "perfect foresight": _of(found.perfect.peaks, found.none.peaks)},
            "kW",
        ),
        "<h2>The bill of each month</h2>",
        bars(
            [month[2:] for month, _ in found.none.money.months],
            {"without battery": [paid for _, paid in found.none.money.months],
             name: [paid for _, paid in first.money.months],
             "perfect foresight": [paid for _, paid in found.perfect.money.months]},
            money,
        ),
        *(_day(span, first, found.perfect, day, words) for day, words in _days(span, first, found.perfect)),
        "<h2>What dispatch saw</h2>",
        f"<p>{escape(written['dispatch_saw'])}</p>",
        _said(written),
    ]  # fmt: skip
    title = "joulebus backtest"
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>'
    body = f"<body>{''.join(parts)}</body>"
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head>{body}</html>\n'


def _summary(written: dict[str, Any], money: str) -> str:
    saved, left, part = (written[name] for name in ("saved_eur", "end_energy_value_eur", "share_of_perfect_foresight"))
    of = "there was nothing to save" if part is None else f"{part:.0%} of what perfect foresight would have saved"
    at_end = (
        f"energy worth {abs(left):,.0f} {money} {'is left' if left >= 0 else 'is missing'} in the battery at the end"
    )
    ran = written["as_it_ran"]
    page = f"<p>As it ran the battery saved {ran['saved_eur']:,.2f} {money}, {PAGE}.</p>" if ran else ""
    return (
        f'<p class="big"><b>{escape(written["strategy"])}</b> {"saved" if saved >= 0 else "cost"} '
        f"<b>{abs(saved):,.0f} {money}</b>{'' if saved >= 0 else ' more than no battery'}, and {at_end}: {of}.</p>"
        f'<p class="dim">{_count(written["quarters"] / 96)}, {_count(written["history_days"])} of history, clock of '
        f"{escape(written['timezone'])}; "
        f"{written['equivalent_full_cycles']:.0f} equivalent full cycles.</p>{page}"
    )


def _count(days: float) -> str:
    return f"{days:.0f} day{'' if round(days) == 1 else 's'}"


def _costs(found: Backtest) -> dict[str, float]:
    each = {one.trace.strategy: one.money.total for one in found.played if one.trace.strategy != "none"}
    if found.ran:
        each["as it ran"] = found.ran.money.total
    return {"no battery": found.none.money.total, **each, "perfect foresight": found.perfect.money.total}


def _table(found: Backtest, written: dict[str, Any]) -> str:
    none = found.none.money.paid
    rows = [_row("no battery", found.none, none, None), *(
        _row(one.trace.strategy, one, none, written["strategies"][one.trace.strategy]["share_of_perfect_foresight"])
        for one in found.played
    )]  # fmt: skip
    if found.ran:
        rows.append(_row("as it ran", found.ran, none, written["as_it_ran"]["share_of_perfect_foresight"]))
    rows.append(_row("perfect foresight", found.perfect, none, 1.0))
    names = ("", "total", "energy", "demand", "other", "wear", "saved", "left at the end", "cycles", "share")
    head = "".join(f"<th>{name}</th>" for name in names)
    return f'<div class="wide"><table><tr>{head}</tr>{"".join(rows)}</table></div>'


def _row(name: str, one: Outcome, none: float, part: float | None) -> str:
    """`none` is what was paid without a battery. What is left has the sign of the terminal: `total` deducts it."""
    paid = one.money
    numbers = (paid.total, paid.energy, paid.demand, paid.other, paid.wear, none - paid.paid, paid.stored)
    cells = "".join(f"<td>{number + 0.0:,.2f}</td>" for number in numbers)
    said = "" if part is None else f"{part:.3f}"
    return f"<tr><td>{escape(name)}</td>{cells}<td>{one.cycles:.0f}</td><td>{said}</td></tr>"


def _of(peaks: dict[str, float], months: dict[str, float]) -> list[float]:
    return [peaks.get(month, 0.0) for month in months]


def _days(span: Span, first: Outcome, perfect: Outcome) -> list[tuple[date, str]]:
    """The day that was farthest above what perfect foresight lets through in its month, and one in the middle."""
    grid = carried(span.terms, span.played, first.trace.battery) / 1000
    highest = dict[date, float]()
    for at, power in zip(span.played.instants, grid.tolist(), strict=True):
        day = at.astimezone(span.terms.zone).date()
        highest[day] = max(highest.get(day, 0.0), power)
    beyond = {day: power - perfect.peaks.get(f"{day:%Y-%m}", 0.0) for day, power in highest.items()}
    worst = max(beyond, key=lambda day: (beyond[day], day))
    others = sorted(highest.keys() - {worst}, key=lambda day: (highest[day], day))
    if not others:
        return [(worst, "The day")]
    usual = others[len(others) // 2]
    return [(worst, "The worst day"), (usual, "A usual day")]


def _day(span: Span, first: Outcome, perfect: Outcome, day: date, words: str) -> str:
    zone = span.terms.zone
    mine = [i for i, at in enumerate(span.played.instants) if at.astimezone(zone).date() == day]
    part, grid = slice(mine[0], mine[-1] + 1), carried(span.terms, span.played, first.trace.battery)
    months = f"{day:%Y-%m}"
    level = perfect.peaks.get(months)
    series = {
        "load less PV": (span.played.net[part] / 1000).tolist(),
        "grid": (grid[part] / 1000).tolist(),
        "battery (discharging above 0)": (first.trace.battery[part] / 1000).tolist(),
    }
    told = None if level is None else (level, "peak of the month with perfect foresight")
    highest = int(np.argmax(grid[part]))
    at = (span.played.start + (mine[0] + highest) * QUARTER).astimezone(zone)
    return (
        f"<h2>{words}: {day:%A, %d %B %Y}</h2>{lines(series, 'kW', level=told)}"
        f"{lines({'state of charge': first.trace.soc[part].tolist()}, '%', height=120)}"
        f'<p class="dim">Highest at {at:%H:%M}: {escape(first.trace.reasons[mine[highest]])}</p>'
    )


def _said(written: dict[str, Any]) -> str:
    notes = [f"<li>{escape(one)}</li>" for one in written["notes"]]
    mended = [f"<li>{escape(name.replace('_', ' '))}: {count}</li>" for name, count in written["repairs"].items()]
    if not notes and not mended:
        return "<h2>What was repaired</h2><p>Nothing had to be.</p>"
    return f"<h2>What was assumed and repaired</h2><ul>{''.join(notes + mended)}</ul>"
