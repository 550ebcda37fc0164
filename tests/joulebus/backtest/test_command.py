"""The command as people call it: the docs' own example, its files, its exit codes."""

import csv
import json
import re
import shlex
from datetime import datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest

from joulebus.cli import main
from tests.joulebus.backtest.files import lines, rows, write

DOCS = Path(__file__).parents[3] / "docs" / "backtest.md"
KEYS = {
    "cost_no_battery_eur", "cost_eur", "cost_perfect_foresight_eur", "share_of_perfect_foresight", "energy_cost_eur",
    "demand_cost_eur", "wear_cost_eur", "monthly_peaks_kw", "equivalent_full_cycles", "solve_ms_p50", "solve_ms_p99",
    "repairs",
}  # fmt: skip


def example() -> list[str]:
    """The arguments that stand in the docs."""
    found = re.search(r"^joulebus (backtest .*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None
    return shlex.split(found.group(1).replace("\\\n", " "))


def test_the_docs_example_on_a_file_of_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data.csv", lines(rows(21)))
    assert main(example()) == 0

    out = tmp_path / "result"
    found = json.loads((out / "result.json").read_text())
    assert found.keys() >= KEYS
    assert list(found["strategies"]) == ["plan", "lp", "self-consumption"]
    _sums_agree(found)
    _trace_agrees(out / "trace.csv", found)
    page = (out / "report.html").read_text(encoding="utf-8")
    _page_is_whole(page)
    _page_says_the_same(page, found)
    said = capsys.readouterr()
    assert "perfect foresight" in said.out
    assert "plan: 2 of 2 days" in said.err


def _sums_agree(found: dict[str, float]) -> None:
    parts = ("energy_cost_eur", "demand_cost_eur", "wear_cost_eur", "other_cost_eur")
    assert found["cost_eur"] == pytest.approx(
        sum(found[one] for one in parts) - found["end_energy_value_eur"], abs=1e-3
    )
    none, perfect = found["cost_no_battery_eur"], found["cost_perfect_foresight_eur"]
    share = (none - found["cost_eur"]) / (none - perfect)
    assert found["share_of_perfect_foresight"] == pytest.approx(share, abs=1e-4)
    assert 0 < share <= 1
    assert found["solve_ms_p50"] <= found["solve_ms_p99"]


def _trace_agrees(path: Path, found: dict[str, dict[str, float]]) -> None:
    with path.open(newline="", encoding="utf-8") as file:
        trace = list(csv.DictReader(file))
    assert list(trace[0]) == ["timestamp_utc", "load_kw", "pv_kw", "battery_kw", "grid_kw", "soc_percent", "reason"]
    assert len(trace) == 192
    times = [datetime.fromisoformat(one["timestamp_utc"]) for one in trace]
    assert times == [times[0] + number * timedelta(minutes=15) for number in range(192)]
    assert trace[0]["timestamp_utc"] == "2025-03-20T23:00:00Z"  # midnight in Berlin
    for one in trace:
        load, pv, battery, grid = (float(one[name]) for name in ("load_kw", "pv_kw", "battery_kw", "grid_kw"))
        assert grid == pytest.approx(load - pv - battery, abs=3e-4)
        assert one["reason"]
    assert max(float(one["grid_kw"]) for one in trace) == pytest.approx(found["monthly_peaks_kw"]["2025-03"], abs=1e-3)


def _page_is_whole(page: str) -> None:
    opened: list[str] = []

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, _attrs: object) -> None:
            opened.append(tag)

    Tags().feed(page)
    assert opened.count("svg") >= 7
    assert "script" not in opened
    assert "link" not in opened
    assert "img" not in opened
    assert not re.search(r"(src|href)=", page)
    assert "What dispatch saw" in page
    assert "The worst day" in page
    assert "A usual day" in page


def _page_says_the_same(page: str, found: dict[str, float]) -> None:
    """What is called saved, and what is left, are the numbers and the signs of the terminal and of result.json."""
    row = re.search(r"<tr><td>plan</td>(.*?)</tr>", page)
    assert row is not None
    cells = [float(one.replace(",", "")) for one in re.findall(r"<td>([^<]*)</td>", row.group(1))]
    names = ("cost", "energy_cost", "demand_cost", "other_cost", "wear_cost", "saved", "end_energy_value")
    assert cells[: len(names)] == pytest.approx([found[f"{one}_eur"] for one in names], abs=0.006)
    assert f"saved <b>{found['saved_eur']:,.0f} EUR</b>" in page


SHORT = ["--battery-kw", "50", "--battery-kwh", "100", "--from", "2025-03-05", "--days", "1", "--timezone", "UTC"]


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--data", "nothing.csv"], 1, "nothing.csv: there is no such file"),
        (["--strategy", "magic"], 2, "magic"),
        (["--timezone", "Mars"], 2, "'Mars' is no time zone"),
        (["--from", "1999-01-01"], 2, "lies outside of data.csv"),
        (["--days", "0"], 2, "--days 0"),
        (["--out", "data.csv"], 2, "--out data.csv: cannot be written"),
        (["--site", "nowhere.toml"], 1, "nowhere.toml"),
    ],
)
def test_what_cannot_be_used_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    more: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data.csv", lines(rows(3)))
    assert main(["backtest", "--data", "data.csv", *SHORT, "--out", "out", *more]) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not (tmp_path / "out" / "result.json").exists()


def test_a_battery_of_zero_costs_what_none_costs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "data.csv", lines(rows(3)))
    assert main(["backtest", "--data", "data.csv", *SHORT, "--out", "out", "--battery-kwh", "0"]) == 0
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    assert found["cost_eur"] == found["cost_no_battery_eur"] == found["cost_perfect_foresight_eur"]
    assert found["share_of_perfect_foresight"] is None
    assert any("0.2 per kWh is assumed" in one for one in found["notes"])


def test_of_a_site_file_with_its_tariff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tariff covers half of the week: the dearest price holds in the other half, counted."""
    site = Path(__file__).parents[2] / "one_battery.toml"
    text = re.sub(r"^tariff = .*$", "", site.read_text(encoding="utf-8"), flags=re.MULTILINE)
    (tmp_path / "site.toml").write_text('tariff = "tariff.toml"\n' + text, encoding="utf-8")
    (tmp_path / "tariff.toml").write_text(
        '[[import.period]]\nprice = 0.3\ndays = ["mon", "tue"]\n[demand]\nprice = 12\n', encoding="utf-8"
    )
    write(tmp_path / "data.csv", lines(rows(6)))
    monkeypatch.chdir(tmp_path)
    wish = ["--site", "site.toml", "--data", "data.csv", "--from", "2025-03-05", "--days", "2", "--out", "out"]
    assert main(["backtest", *wish, "--strategy", "self-consumption"]) == 0
    found = json.loads((tmp_path / "out" / "result.json").read_text())
    assert found["repairs"]["import_hours_without_a_price_in_the_tariff_taken_at_the_worst"] == 192
    assert found["demand_cost_eur"] == pytest.approx(12 * found["monthly_peaks_kw"]["2025-03"], abs=1e-3)
