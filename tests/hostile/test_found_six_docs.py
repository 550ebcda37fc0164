"""What an operator, an integrator and a BI engineer were told that is not so, each working from the documents alone."""

import asyncio
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.archive.chain.sealing import seal
from consumers.archive.growth import Measured, Rate, forecast
from consumers.archive.migrate import migrate
from consumers.archive.money.evidence import Witness
from joulebus.cli import main
from runtime.database import engine
from schemas.site_retention import Retention
from schemas.units import utc_now
from tests.bridges.conftest import DEMO
from tests.consumers.test_archive_money import accounts, measure, quarter, site_of
from tests.consumers.test_archive_rollups import NOON
from tests.consumers.test_archive_sealing import keep, spoken
from tests.consumers.test_dispatch_desk import plant_site
from tests.joulebus.test_check import SITE, Check


def test_the_forecast_counts_rows_that_are_closed_within_the_hour_once() -> None:
    """To the integrator: the demo was said to need 111 GB, 90 of them rows that leave their table within the hour."""
    told = {"command": Rate(51_840, 600), "journal": Rate(155_520, 320), "run": Rate(518, 4000)}
    bounds = {one.table: one.bound for one in forecast(told, Retention(), {})}
    assert bounds["command"] + bounds["journal"] < bounds["run"] / 10
    half_an_hour = {"journal": Measured(rows=3240, size=2_000_000, last_day=3240)}
    (line,) = forecast({"journal": Rate(155_520, 320)}, Retention(), half_an_hour)
    assert line.rows_per_day == 155_520, "those that are closed are no more counted, and come as before"


def test_a_day_on_which_devices_were_silent_makes_no_bound_smaller() -> None:
    """To the integrator: `never more than` was said of a day of five-minute samples, 70 times below what polls make."""
    told = {"telemetry": Rate(777_600, 500)}
    (line,) = forecast(
        told, Retention(raw_days=90), {"telemetry": Measured(rows=12_000, size=6_000_000, last_day=2754)}
    )
    assert line.rows_per_day == 777_600


def test_what_needs_no_broker_asks_for_no_password_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the integrator: with one set of variables for all parts, as documented, there was no way to migrate."""
    variables = tmp_path / "variables"
    variables.write_text(
        f"JOULEBUS_BROKER=mqtt://{{role}}@127.0.0.1:1\nJOULEBUS_BROKER_PASSWORD_FILE={tmp_path}/{{role}}\n"
        f"JOULEBUS_DATABASE=sqlite+aiosqlite:///{tmp_path}/archive.db\n"
    )
    monkeypatch.delenv("JOULEBUS_DATABASE", raising=False)
    assert main(["migrate", "--env", str(variables)]) == 0
    assert main(["money", "--env", str(variables), "--site", str(DEMO)]) == 1
    assert "nothing is priced yet" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["money", "gaps"])
@pytest.mark.parametrize("days", ["0", "-3", "99999999", "nan"])
def test_days_that_nobody_can_look_back_are_refused(
    command: str, days: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the operator: 0 days were `100 % complete`, and many were a traceback."""
    with pytest.raises(SystemExit, match="2"):
        main([command, f"--days={days}"])
    assert "--days: " in capsys.readouterr().err


FLAT = "import.period = [{ price = 0.2 }]\n"
LAYERS = (
    '[[import.layer]]\nname = "grid fee"\nperiod = [{ price = 0.16, start = "17:00" }, { price = 0.08 }]\n'
    '[[import.layer]]\nname = "levies"\nprice = 0.05\n[[import.layer]]\nname = "VAT"\npercent = 19.0\n'
)
MARKET = "import.day_ahead = { topic = true, times = 1.02, plus = 0.1 }\n"


@pytest.mark.parametrize(
    ("tariff", "code", "says"),
    [
        (FLAT, 0, r"import +0\.2 EUR per kWh\n"),
        (FLAT + LAYERS, 0, r"import +0\.3927 to 0\.4879 EUR per kWh: periods \+ grid fee \+ levies 0\.05 \+ VAT"),
        (MARKET + LAYERS, 0, r"market price \* 1\.02 \+ 0\.1 \+ grid fee \+ levies 0\.05 \+ VAT 19 %, in EUR"),
        (FLAT + "import.day_ahead.topic = true\n", 0, r"import\.period: they count for nothing beside import\.day"),
        ('import.layer = [{ name = "VAT", percent = 19.0 }]\n', 0, r"import\.layer\.0\.percent: 19 % of nothing"),
        (FLAT + LAYERS.replace("levies", "Grid Fee"), 0, r"layer\.1\.name: another layer is called 'Grid Fee', too"),
        (MARKET.replace("1.02", "0.19"), 0, r"times: 0\.19 is a factor: for 19 % upon the market price write 1\.19"),
        (MARKET.replace("1.02", "19"), 0, r"times: 19 is a factor: for 19 % upon the market price write 1\.19"),
        (FLAT + "demand.contract = { power = 9, penalty = 5 }\n", 0, r"demand +per kW and month, .*, 5 for each kW"),
        (FLAT.replace("0.2", "0,2"), 1, r"tariff\.toml: not valid TOML: .* line 1.*; a number has a point .*: 0\.2"),
        ("[[import.period]]\nprice = 0,2\n", 1, r"not valid TOML: .*; a number has a point and no comma: 0\.2"),
        (FLAT.replace("0.2", '"0,2"'), 1, r"import\.period\.0\.price: needs a number with a point, .* quotes: 0\.2"),
        ('currency = "euro"\n' + FLAT, 1, r"tariff\.toml:1: currency: needs the three capital letters .*, such as EUR"),
        (FLAT + "[demand]\nprice = 3\nprice = 4\n", 1, r"a key stands here for the second time \(at line 4"),
    ],
    ids=["flat", "layers", "market", "both", "of nothing", "two of a name", "a part of 1", "in %", "contract",
         "comma", "comma alone", "quoted comma", "euro", "key twice"],
)  # fmt: skip
def test_an_operator_s_tariff_is_read_aloud_and_her_mistakes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tariff: str, code: int, says: str
) -> None:
    """To the operator: docs/tariffs.md said that check says what it has read, and it said nothing of a kWh."""
    done, said = Check(tmp_path, capsys).of(SITE, tariff)
    assert done == code, said
    assert re.search(says, said), said


def test_a_peak_that_was_hardly_seen_is_not_counted_as_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """To the operator: a week of which one quarter of an hour was seen had saved 337 EUR of demand, and no word said
    that the peak of the other 672 is not known."""
    url, now = f"sqlite+aiosqlite:///{tmp_path}/archive.db", utc_now()
    migrate(url)
    monkeypatch.setenv("JOULEBUS_DATABASE", url)
    site = site_of(tmp_path, "import.period = [{ price = 0.2 }]\ndemand.price = 15\n")
    last = datetime.fromtimestamp(now.timestamp() // 900 * 900, UTC) - timedelta(minutes=30)

    async def fill() -> None:
        database = engine(url)
        await measure(database, quarter(last, grid=8e3, battery=12e3))
        await measure(database, quarter(last - timedelta(minutes=15), grid=80e3, seconds=180.0))
        await accounts(database, site).write(now)
        await database.dispose()

    asyncio.run(fill())
    assert main(["money", "--site", str(tmp_path / "site.toml")]) == 0
    assert "demand: 0.0% of its windows were seen" in capsys.readouterr().out
    site_of(tmp_path, "import.period = [{ price = 0.2 }]\n")
    assert main(["money", "--site", str(tmp_path / "site.toml")]) == 0
    assert "of its windows were seen" not in capsys.readouterr().out, "nothing is paid by the kW"


async def test_why_it_was_not_as_planned_is_known_when_the_commands_are_closed(tmp_path: Path) -> None:
    """To the operator: half an hour later each command stands in a closed segment, and a quarter
    that dispatch steered came dearer as `a device, the plan or the broker was silent` or `unknown`."""
    url = f"sqlite+aiosqlite:///{tmp_path}/archive.db"
    await asyncio.to_thread(migrate, url)
    database, site = engine(url), plant_site(tmp_path)
    pcs = {"site": "plant", "device": "pcs1"}
    orders = [replace(one, place=pcs) for one in spoken(1, 440)]

    async def told() -> tuple[Any, dict[str, float]]:
        async with database.connect() as connection:
            witness = Witness(connection, site)
            return await witness._commanded(NOON), dict(await witness._limited(NOON))

    await keep(database, orders)
    before = await told()
    assert before[0][0] is not None
    for minutes in (40, 80):
        await seal(database, "plant", NOON + timedelta(minutes=minutes))
        assert await told() == before
    await database.dispose()
