"""The saving of a day on the page of the demo, and the one that a backtest of the same day comes to."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from consumers.archive.money.accounts import Accounts
from consumers.archive.roller import Roller
from consumers.archive.store import Store
from joulebus.cli import main
from joulebus.past import Wish, remember
from runtime.database import engine
from runtime.history import History
from runtime.money_rows import MoneyDay, told
from schemas.site import Site
from schemas.site_file import load_site

TARIFF = """
currency = "EUR"
demand = { price = 3 }
[[import.period]]
price = 0.10
start = "00:00"
end = "06:00"
[[import.period]]
price = 0.60
start = "17:00"
end = "21:00"
[[import.period]]
price = 0.25
[[export.period]]
price = 0.05
"""
END = datetime.fromisoformat("2026-06-11T00:20+02:00")
DAY = "2026-06-10"
"""Lived by the plan from midnight to midnight."""


async def ledger(url: str, site: Site) -> list[MoneyDay]:
    """What the archive makes of its telemetry, as it does while it runs."""
    database = engine(url)
    try:
        await Roller(database, site, Store(database, lambda _: None)).roll(END)
        accounts = Accounts(database, site, dict)
        while await accounts.write(END):
            pass
        return await History(database).money_days(site.site, END - timedelta(days=4), END)
    finally:
        await database.dispose()


def test_the_saving_of_a_day_on_the_page_is_that_of_its_backtest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The demo's own past, which the plan has lived, in the archive; played anew from the SoC and the peaks there were.
    The two are told apart by what the model of a backtest does not know: the own supply of a PCS, and its losses by
    power."""
    path = tmp_path / "site.toml"
    text = (Path(__file__).parents[2] / "one_battery.toml").read_text(encoding="utf-8")
    path.write_text('tariff = "tariff.toml"\n' + "\n".join(
        line for line in text.splitlines() if not line.startswith("tariff")
    ), encoding="utf-8")  # fmt: skip
    (tmp_path / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    site, url = load_site(path), f"sqlite+aiosqlite:///{tmp_path / 'archive.db'}"
    wish = Wish(site, path, END - timedelta(days=3), END, {"JOULEBUS_STATE": str(tmp_path)})
    remember(url, wish, tmp_path / "memory.json")
    days = {one.day: one for one in asyncio.run(ledger(url, site))}
    page = told(days[DAY])
    assert (page["quarters"], page["compared"]) == (96, 96)

    monkeypatch.setenv("JOULEBUS_DATABASE", url)
    asked = ["backtest", "--archive", "--site", str(path), "--from", DAY, "--days", "1", "--out", str(tmp_path / "out")]
    assert main(asked) == 0
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    print(page, {k: found[k] for k in found if k not in ("notes", "strategies", "repairs")}, days[DAY])
    assert found["cost_no_battery_eur"] == pytest.approx(days[DAY].paid + page["saved"], rel=1e-3)
    assert page["saved"] > 10
    assert found["saved_eur"] == pytest.approx(page["saved"], rel=0.01)
