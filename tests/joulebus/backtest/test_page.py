"""The saving of a day on the page of the demo, and the one that a backtest of the same day comes to."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from consumers.archive.money.accounts import Accounts
from consumers.archive.roller import Roller
from consumers.archive.store import Store
from joulebus.backtest.prepare import prepare
from joulebus.backtest.result import outcome
from joulebus.backtest.site import Flags, of_site
from joulebus.backtest.walk import as_it_ran, idle
from joulebus.cli import main
from joulebus.past import Wish, remember
from runtime.database import engine
from runtime.history import History
from runtime.money_rows import MoneyDay, told
from schemas.site import Site
from schemas.site_file import load_site

TARIFF = """
currency = "EUR"
demand = { price = 5 }
[[import.period]]
price = 0.10
start = "00:00"
end = "06:00"
[[import.period]]
price = 0.30
[[export.period]]
price = 0.08
"""
START, END = datetime.fromisoformat("2026-06-10T00:00+02:00"), datetime.fromisoformat("2026-06-11T12:00+02:00")
LATER = END + timedelta(minutes=20)
RULE, PLAN = "2026-06-10", "2026-06-11"
"""A day that a simple rule has lived, and one that the plan has lived until noon: what it charged is paid for."""
SAME = 0.0005
"""By which part page and backtest may differ over what ran: two bills of the same quarters, by other code."""
NEAR = 0.01
"""By which part a plan that is made anew may: where powers cost the same, a watt of rounding chooses another."""


async def ledger(url: str, site: Site) -> dict[str, MoneyDay]:
    """What the archive makes of its telemetry, as it does while it runs."""
    database = engine(url)
    try:
        await Roller(database, site, Store(database, lambda _: None)).roll(LATER)
        accounts = Accounts(database, site, dict)
        while await accounts.write(LATER):
            pass
        return {one.day: one for one in await History(database).money_days(site.site, START, END)}
    finally:
        await database.dispose()


@pytest.mark.slow
def test_the_saving_of_a_day_on_the_page_is_that_of_its_backtest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's own past in the archive; its days billed as they ran, and played anew from the SoC and the peaks there
    were, in a world that answers as it did."""
    path = tmp_path / "site.toml"
    text = (Path(__file__).parents[2] / "one_battery.toml").read_text(encoding="utf-8")
    path.write_text('tariff = "tariff.toml"\n' + "\n".join(
        line for line in text.splitlines() if not line.startswith("tariff")
    ), encoding="utf-8")  # fmt: skip
    (tmp_path / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    site, url = load_site(path), f"sqlite+aiosqlite:///{tmp_path / 'archive.db'}"
    remember(url, Wish(site, path, START, END, {"JOULEBUS_STATE": str(tmp_path)}), tmp_path / "memory.json")
    days, terms, out = asyncio.run(ledger(url, site)), of_site(path, Flags(), {}), tmp_path / "out"
    monkeypatch.setenv("JOULEBUS_DATABASE", url)
    assert main(["backtest", "--archive", "--site", str(path), "--from", PLAN, "--days", "1", "--out", str(out)]) == 0
    for name, quarters in ((RULE, 96), (PLAN, 48)):
        day, page = days[name], told(days[name])
        assert (page["quarters"], page["compared"], page["saved"]) == (quarters, quarters, day.saved)
        assert day.saved is not None
        assert abs(day.saved) > 5
        span = prepare(out / "data.csv", name, 1, terms.zone, lambda _: terms).span
        trace = as_it_ran(span)
        assert trace is not None
        rests, ran = (outcome(span, one).money.paid for one in (idle(quarters), trace))
        assert rests == pytest.approx(day.paid + day.saved, abs=0.001)
        assert rests - ran == pytest.approx(day.saved, rel=SAME), name
    found = json.loads((out / "result.json").read_text())
    assert found["as_it_ran"]["saved_eur"] == pytest.approx(days[PLAN].saved, rel=SAME)
    assert found["saved_eur"] == pytest.approx(days[PLAN].saved, rel=NEAR)
