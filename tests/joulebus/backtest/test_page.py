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
from joulebus.backtest.site import Flags, Terms, of_site
from joulebus.backtest.walk import idle, walk
from joulebus.cli import main
from joulebus.past import Wish, remember
from runtime.database import engine
from runtime.history import History
from runtime.money_rows import MoneyDay, told
from schemas.site import Site
from schemas.site_file import load_site

TARIFF = """
currency = "EUR"
demand = { price = 0.2 }
[[import.period]]
price = 0.10
start = "00:00"
end = "06:00"
[[import.period]]
price = 0.30
[[export.period]]
price = 0.25
"""
END = datetime.fromisoformat("2026-06-12T00:00+02:00")
LATER = END + timedelta(minutes=20)
APART = 0.10
"""By which part of the saving the two may differ: where powers cost the same, a watt of rounding chooses another."""
DAYS = ("2026-06-10", "2026-06-11")
"""Lived by the plan from midnight to midnight, with two days and more to learn from."""


async def ledger(url: str, site: Site) -> list[MoneyDay]:
    """What the archive makes of its telemetry, as it does while it runs."""
    database = engine(url)
    try:
        await Roller(database, site, Store(database, lambda _: None)).roll(LATER)
        accounts = Accounts(database, site, dict)
        while await accounts.write(LATER):
            pass
        return await History(database).money_days(site.site, END - timedelta(days=4), END)
    finally:
        await database.dispose()


def played(data: Path, day: str, terms: Terms) -> tuple[float, float]:
    """What a day costs without the battery and with it: as the command has it, without its perfect foresight."""
    span = prepare(data, day, 1, terms.zone, lambda _: terms).span
    traces = idle(len(span.played)), walk(span, "plan", lambda _: None)
    rests, lived = (outcome(span, one).money.paid for one in traces)
    return rests, lived


@pytest.mark.slow
def test_the_saving_of_a_day_on_the_page_is_that_of_its_backtest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's own past, which the plan has lived, in the archive; played anew from the SoC and the peaks there were,
    in a world that answers as it did."""
    path = tmp_path / "site.toml"
    text = (Path(__file__).parents[2] / "one_battery.toml").read_text(encoding="utf-8")
    path.write_text('tariff = "tariff.toml"\n' + "\n".join(
        line for line in text.splitlines() if not line.startswith("tariff")
    ), encoding="utf-8")  # fmt: skip
    (tmp_path / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    site, url = load_site(path), f"sqlite+aiosqlite:///{tmp_path / 'archive.db'}"
    wish = Wish(site, path, END - timedelta(days=4), END, {"JOULEBUS_STATE": str(tmp_path)})
    remember(url, wish, tmp_path / "memory.json")
    days = {one.day: one for one in asyncio.run(ledger(url, site))}
    monkeypatch.setenv("JOULEBUS_DATABASE", url)
    last, out = max(DAYS), tmp_path / "out"
    asked = ["backtest", "--archive", "--site", str(path), "--from", last, "--days", "1", "--out", str(out)]
    assert main(asked) == 0
    for name in DAYS:
        day, page = days[name], told(days[name])
        assert (page["quarters"], page["compared"], page["saved"]) == (96, 96, day.saved)
        rests, lived = played(out / "data.csv", name, of_site(path, Flags(), {}))
        assert day.saved is not None
        assert day.saved > 10
        assert rests == pytest.approx(day.paid + day.saved, abs=0.001)
        assert rests - lived == pytest.approx(day.saved, rel=APART), name
    found = json.loads((out / "result.json").read_text())
    assert found["saved_eur"] == pytest.approx(rests - lived, abs=0.001)
