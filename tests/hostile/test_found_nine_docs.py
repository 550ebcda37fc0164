"""What a stranger's CSV and flags were played as, found by reading docs/backtest.md alone."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from joulebus.cli import main
from tests.joulebus.test_check import SITE, Check
from tests.joulebus.test_check import check as check  # noqa: PLC0414  # a fixture

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)
HEAD = "timestamp_utc,load_kw,pv_kw"
FLAGS = [
    "--from",
    "2026-03-03",
    "--strategy",
    "none",
    "--battery-kw",
    "100",
    "--battery-kwh",
    "200",
    "--timezone",
    "UTC",
]
SAYS_NOTHING = ""
ABSENT = 'import.day_ahead = { file = "none.csv" }\nexport.period = [{ price = 8 }]\n'


def rows(load: Callable[[int], str], head: str = HEAD, pv: str = "0", days: int = 2) -> str:
    times = (f"{BEGIN + i * timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}" for i in range(96 * days))
    return "\n".join([head, *(f"{at},{load(i)},{pv}" for i, at in enumerate(times))]) + "\n"


def site(kilowatts: float, pv: str = "0") -> str:
    return rows(lambda i: f"{kilowatts * (1 + i % 7 / 10):.1f}", pv=pv)


@pytest.mark.parametrize(
    ("text", "flags", "says"),
    [
        (site(50), "", SAYS_NOTHING),
        (site(50_000), "", "are load_kw and pv_kw in W? Then divide them by 1000"),
        (site(500), "--import-limit-kw 20", "times the import limit of 20 kW"),
        (site(50, pv="90000"), "", "is it in W, and the load in kW? Then divide it by 1000"),
        (rows(lambda i: "65535" if i == 130 else "50"), "", "65,535.0 at 2026-03-03T08:30Z"),
        (site(50), "--battery-kw 100000", "--battery-kw is in kW"),
        (site(50), "--battery-kwh 200000", "2e+03 hours at 100 kW"),
        (site(50), "--import-price 20", "of 20 cents write 0.2, of 20 per MWh 0.02"),
        (site(50), "--demand-eur-per-kw 180", 'a price per kW and year is written with per = "year"'),
        (site(50), "--wear-eur-per-kwh 2", "of 2 cents write 0.02"),
        (site(50), "--soc-min 0.1", "of a part of 1 write 10"),
        (site(50), "--days 40", "--days 40: the file has 1.0 days from 2026-03-03 on"),
        # what is right, and large or dear
        (site(2_000), "", SAYS_NOTHING),
        (site(9_000), "--battery-kw 3000 --battery-kwh 6000 --demand-eur-per-kw 22", SAYS_NOTHING),
        (site(50, pv="900"), "--import-price 0.9 --days 1", SAYS_NOTHING),
        (rows(lambda i: "90" if i % 96 in (32, 33) else "0.4"), "", SAYS_NOTHING),
    ],
)
def test_what_can_hardly_be_meant_is_played_and_said_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, flags: str, says: str
) -> None:
    """W in load_kw gave a share of .03 and a cost of a million, with a note that ended in a number."""
    (tmp_path / "data.csv").write_text(text)
    out = tmp_path / "out"
    assert main(["backtest", "--data", str(tmp_path / "data.csv"), "--out", str(out), *FLAGS, *flags.split()]) == 0
    told, found = capsys.readouterr().out, json.loads((out / "result.json").read_text())
    assert (len(found["warnings"]), says in "".join(found["warnings"])) == (int(bool(says)), True), found["warnings"]
    assert told.startswith("WARNING: ") is bool(says)
    assert ('class="odd"' in (out / "report.html").read_text()) is bool(says)


@pytest.mark.parametrize(
    ("text", "flags", "says"),
    [
        (
            rows(lambda _: "59,519"),
            "",
            "row 2: there are 4 cells; give each row the 3 cells of the header: write decimals",
        ),
        (rows(lambda i: '"1,234"' if i % 3 else "987"), "", "'1,234', beside '987': are the commas those of thousands"),
        (rows(lambda i: '"1,2"' if i % 3 else "9.5"), "", "'1,2', beside '9.5'"),
        (
            site(50),
            "--import-price 1e300",
            "--import-price 1e+300: no kWh costs that: write a price per kWh such as 0.20",
        ),
        (site(50), "--demand-eur-per-kw 1e300", "--demand-eur-per-kw 1e+300: a price per kW and month"),
    ],
)
def test_what_has_two_meanings_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, flags: str, says: str
) -> None:
    """Decimal commas between commas were read as 59 kW of load and 519 kW of PV, with a share of 1.000."""
    (tmp_path / "data.csv").write_text(text)
    given = ["backtest", "--data", str(tmp_path / "data.csv"), "--out", str(tmp_path / "out"), *FLAGS, *flags.split()]
    assert main(given) == (2 if flags else 1)
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("load", ['"59,519"', '"60,5"', "60"])
def test_decimal_commas_in_quotes_and_a_comma_at_the_end_are_read(tmp_path: Path, load: str) -> None:
    (tmp_path / "data.csv").write_text(rows(lambda _: load, pv="0,"))
    assert main(["backtest", "--data", str(tmp_path / "data.csv"), "--out", str(tmp_path / "out"), *FLAGS]) == 0


def test_a_price_file_that_is_not_there_hides_no_other_finding(check: Check) -> None:
    """To the integrator: he put the file right and came again for each of the next three."""
    rule = '[[rule]]\nname = "dear"\nwhen = "price_import > 0.3"\nthen = { power = -1000 }\n'
    code, said = check.of(SITE.replace("rated_power = 100_000", "rated_power = 100") + rule, tariff=ABSENT)
    assert code != 0
    for words in ("none.csv does not exist", "100 is in W: for 100 kW write 100000", "of 8 cents write 0.08"):
        assert words in said, said
    assert "'price_import > 0.3' is no list of conditions; write each as a table, such as when = [{ quantity" in said


@pytest.mark.parametrize(("days", "title"), [(1, "03 March 2026 to 03 March 2026"), (2, "to 04 March 2026")])
def test_a_report_ends_on_its_last_day_and_shows_each_day_once(tmp_path: Path, days: int, title: str) -> None:
    """Two days had three dates, and the same day stood there as the worst and as a usual one."""
    (tmp_path / "data.csv").write_text(rows(lambda i: f"{50 + i % 9}", days=3))
    given = ["--data", str(tmp_path / "data.csv"), "--out", str(tmp_path), *FLAGS, "--days", str(days)]
    assert main(["backtest", *given]) == 0
    page = (tmp_path / "report.html").read_text()
    assert f">{('1 day', '2 days')[days - 1]}, " in page
    assert (title in page, [page.count(f"day, {day:02} March 2026") for day in (3, 4)]) == (True, [1, days - 1])
