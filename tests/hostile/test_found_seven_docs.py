"""What an operator, an integrator and a newcomer were told of plans that is not so, each from the documents alone."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from consumers.archive.growth import Source, rates
from consumers.dispatch.account import account
from consumers.optimize.service import EVERY
from joulebus.difference import more
from joulebus.explain import when
from joulebus.pages import topics
from optimizer.dispatch import decide
from schemas.messages import Why
from schemas.site_file import load_site
from schemas.troubles import Trouble
from schemas.units import utc_now
from schemas.why import WhyCode
from tests.bridges.conftest import DEMO
from tests.consumers.test_dispatch_rules import schedule, story
from tests.joulebus.test_check import SITE, Check, check
from tests.optimizer.outlooks import NOON
from tests.optimizer.test_dispatch import AUTO, MOMENT, QUIET, RATINGS
from tests.optimizer.test_grid_target import step_of

DOCS = Path(__file__).parents[2] / "docs"
__all__ = ["check"]  # a fixture

DEVICE = """
[[device]]
name = "pump"
profile = "relay_e1214"
address = "tcp://192.0.2.9:502"
rated_power = 7_500
"""
PUMP = f"""{DEVICE}
[[load]]
device = "pump"
fallback = "off"
deadline = "06:00"
"""
NIGHT = 'hours = [{ start = "20:00", end = "06:00" }]\n'


def test_the_forecast_of_the_archive_knows_how_often_a_plan_is_made() -> None:
    """To the integrator: a plan each five minutes of 40 kB was reckoned with; it comes each minute, packed."""
    plans = rates([Source(1440, 3)], 1, 0, server=False)["plan"]
    assert plans.rows == 86_400 / EVERY
    assert 5_300 < plans.size < 16_000, "measured: 5.3 kB of a plan of 36 h, on whole pages"
    longer = rates([Source(1440, 3)], 1, 0, server=False, steps=576)["plan"]
    assert longer.size > 2 * plans.size, "48 h in steps of 5 minutes"


def test_what_dispatch_does_has_its_reason_for_programs(tmp_path: Path) -> None:
    """To the SCADA engineer: `why` of control/dispatch was promised beside `reason`, and was always empty."""
    one = story(tmp_path, "")
    why = [Why(code="rests_spread", price=0.2)]
    one.desk.plans.hear(schedule(one, why=why), one.now)
    one.hear_all(grid=80e3)
    said = account(one.desk, one.desk.instruct(one.now, one.second), one.now, one.second)
    assert said is not None
    assert said.why == why


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (PUMP + "energy = 30\n", "load.0.energy: load 'pump': 30 is in Wh: for 30 kWh write 30000"),
        (PUMP + "energy = 300e3\n" + NIGHT, "300 kWh take 40 h at 7.5 kW, and until a deadline there are 10 h"),
        (PUMP + "energy = 200e3\n", "200 kWh take 26.7 h at 7.5 kW, and until a deadline there are 24 h"),
        ("[carbon]\nintensity = 0.38\n", "carbon.intensity: 0.38 is in g per kWh: of 0.38 kg write 380"),
        (
            '[[rule]]\nname = "a"\nwhen = [{ quantity = "price_import", below = 20 }]\nthen = { power = -1e4 }\n',
            "rule.0.when.0.below: rule 'a': 20 is in EUR per kWh: of 20 cents write 0.2",
        ),
        (
            '[[rule]]\nname = "a"\nwhen = [{ quantity = "soc", below = 0.8 }]\nthen = { power = -1e4 }\n',
            "rule.0.when.0.below: rule 'a': 0.8 is in %: for 80 % write 80",
        ),
    ],
)
def test_another_unit_is_said(check: Check, more: str, says: str) -> None:
    """To the newcomer: kWh for Wh, kg for g, cents for EUR, parts of one for %: `check` called them good."""
    code, said = check.of(SITE + more)
    assert (code, says in said, "warning" in said) == (0, True, True), said


def test_a_load_that_can_be_is_said_and_not_doubted(check: Check) -> None:
    """To the newcomer: of reserves `check` said what it has read, of loads nothing."""
    code, said = check.of(SITE + PUMP + "energy = 75e3\n" + NIGHT)
    assert (code, "warning" in said) == (0, False), said
    assert "load       pump: 75 kWh until 06:00, touched in its hours only; off when nobody tells it anything" in said


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (
            '[[rule]]\nname = "a"\nwhen = [{ hours = { start = 08:00 } }]\n',
            'a time of the clock stands in quotes: "08:00"',
        ),
        ('[[reserve]]\nname = "a"\nup = 9e3\nminutes = 15\nhours = { start = "08:00" }\n', "needs a list: [{ ... }]"),
        (
            '[[rule]]\nname = "a"\nwhen = [{ quantity = "soc", below = 80 }]\nthen = { power = -1_000_000 }\n',
            "-1000000 W is more than the 100000 W of the batteries",
        ),
        ('[carbon]\nfile = "co2.csv"\n', "co2.csv does not exist"),
    ],
)
def test_what_would_be_right_is_said_in_plain_words(check: Check, more: str, says: str) -> None:
    """To the newcomer: a parser's words, double brackets for an inline table, 1e+06 W, an errno."""
    code, said = check.of(SITE + more)
    assert (code, says in said, "Errno" in said) == (1, True, False), said


def test_each_code_of_a_reason_stands_in_the_topics() -> None:
    """To the SCADA engineer: the codes of `why` were said to stand in a Python file; and some that nobody ever said."""
    told = topics()
    assert [code for code in WhyCode if f"| `{code}` |" not in told] == []
    assert (
        "| `covers_load` | covers the load; *price* *currency*/kWh now[, it pays from *limit* *currency*/kWh] |" in told
    )


def test_a_load_that_is_covered_for_its_price_holds_no_peak_of_two_kilowatts() -> None:
    """To the operator: where a policy leaves 2 of 20 kW to the grid, `holds 2.09 kW mean; 15 EUR/kW` was said."""
    policy = [(-189e3, -189e3), (43e3, 41.3e3), (66e3, 0.0)]
    why, covers = [Why(code="covers_load", price=0.11, limit=0.10)], "covers the load; 0.11 EUR/kWh now"
    step = step_of(policy, cap=500e3, power=20e3, load=20e3, why=why, reason=covers)
    got = decide(RATINGS, replace(MOMENT, now=NOON, net=20e3), AUTO, billing=QUIET, step=step, peak=395e3)
    assert got.reason == covers
    peak = step.model_copy(update={"why": [Why(code="holds_peak", value=2e3, per="month")]})
    got = decide(RATINGS, replace(MOMENT, now=NOON, net=20e3), AUTO, billing=QUIET, step=peak, peak=395e3)
    assert got.reason.startswith("holds "), "where the peak is what it is for, that is said"


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            "2026-10-25T02:30",
            "comes twice, as the clocks are changed then; write 2026-10-25T00:30Z or 2026-10-25T01:30Z",
        ),
        ("2026-03-29T02:30", "never comes, as the clocks are changed then"),
    ],
)
def test_explain_takes_no_time_that_is_no_one_moment(given: str, says: str) -> None:
    """To the operator: in the night when the clocks are set back the first of two hours was told, without a word."""
    site = load_site(DEMO)
    assert site.time_zone == "Europe/Berlin"
    with pytest.raises(Trouble, match=re.escape(says)):
        when(given, site, utc_now())
    assert when(f"{given}+02:00", site, utc_now()).utcoffset() == timedelta(0)
    assert when("2026-10-24T02:30", site, utc_now()).hour == 0


@pytest.mark.parametrize(
    ("value", "says"), [(-6.144, "6.14 EUR less"), (0.92, "0.92 EUR more"), (-0.001, "0.00 EUR more")]
)
def test_what_is_less_is_said_so(value: float, says: str) -> None:
    """To the operator: `worth -1.95 EUR more than before`, `it would have cost -6.14 EUR`."""
    assert more(value, "EUR") == says


@pytest.mark.parametrize("night", [datetime(2025, 10, 25, 20, tzinfo=UTC), datetime(2025, 3, 29, 20, tzinfo=UTC)])
def test_the_way_from_an_export_to_a_backtest_does_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, night: datetime
) -> None:
    """To the newcomer: no export is UTC at the begin of the interval in kW, and nothing said how it gets there."""
    monkeypatch.chdir(tmp_path)
    begins = [night + n * timedelta(minutes=15) for n in range(40)]
    ends = [(one + timedelta(minutes=15)).astimezone(ZoneInfo("Europe/Berlin")) for one in begins]
    lines = ["Zeit;Verbrauch kWh", *(f"{one:%d.%m.%Y %H:%M};{n},25" for n, one in enumerate(ends))]
    (tmp_path / "export.csv").write_text("\n".join(lines) + "\n", encoding="cp1252")
    said = (DOCS / "backtest.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    exec(said.split("```python\n")[1].split("```")[0], names)  # noqa: S102  # what the document tells people to run
    names["run"]("export.csv", "data.csv")
    told = (tmp_path / "data.csv").read_text(encoding="utf-8").split()
    assert told == [
        "timestamp_utc,load_kw",
        *(f"{one:%Y-%m-%dT%H:%M:%SZ},{4 * n + 1.0}" for n, one in enumerate(begins)),
    ]
