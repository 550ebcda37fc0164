"""The example of docs/forecast.md is one that `joulebus check` calls good; a mistake in it is said with its place."""

import json
import re
from pathlib import Path

import pytest

from tests.joulebus.test_check import SITE, Check, check

__all__ = ["check"]

PAGE = (Path(__file__).parents[2] / "docs" / "forecast.md").read_text(encoding="utf-8")
(EXAMPLE,) = re.findall(r"^```toml\n# site\.toml\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
ROOF = json.dumps(
    {
        "forecasts": [
            {"pv_estimate": 24.0, "period_end": "2026-06-21T12:30:00Z", "period": "PT30M"},
            {"pv_estimate": 30.5, "period_end": "2026-06-21T13:00:00Z", "period": "PT30M"},
        ]
    }
)


def test_the_example_is_good_and_what_each_tells_is_said(check: Check) -> None:
    (check.folder / "roof.json").write_text(ROOF, encoding="utf-8")
    code, said = check.of(SITE + EXAMPLE)
    assert code == 0, said
    assert "forecast   roof, of pv: roof.json: 2026-06-21 14:00 to 2026-06-21 15:00, up to 30.5 kW\n" in said
    assert "forecast   production, of load: on ems/v1/works/forecast/production/powers\n" in said


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('name = "production"', 'name = "roof"', r"forecast\.1\.name: forecast 'roof' is given twice"),
        ('file = "roof.json"', "", r"forecast\.0: .*give either `file` or `topic = true`, not both and not neither"),
        ("topic = true", 'topic = true\nfile = "a.csv"', r"forecast\.1: .*give either `file` or `topic = true`"),
        (
            'format = "solcast"',
            "",
            r"forecast\.0: .*give `format` with `file`: solcast, forecast\.solar, open-meteo, csv",
        ),
        ('format = "solcast"', 'format = "csv"', r'roof\.json: is written as solcast, .*write format = "solcast"'),
        ('of = "pv"', 'of = "load"', r"solcast tells of PV and of no load: write a csv"),
        ('"roof.json"', '"gone.json"', r"forecast\.0\.file: .*gone\.json does not exist"),
        (
            "24.0",
            '"x"',
            r"forecast\.0\.file: roof\.json: forecasts\.0\.pv_estimate: 'x' is no power: a number is needed",
        ),
    ],
)
def test_what_is_mistyped_is_said_with_its_place(check: Check, old: str, new: str, says: str) -> None:
    (check.folder / "roof.json").write_text(ROOF.replace(old, new), encoding="utf-8")
    assert old in EXAMPLE + ROOF
    code, said = check.of(SITE + EXAMPLE.replace(old, new))
    assert code != 0
    assert re.search(says, said), said


def test_pv_that_nobody_has_is_no_forecast_of_it(check: Check) -> None:
    (check.folder / "roof.json").write_text(ROOF, encoding="utf-8")
    without = SITE[: SITE.index('[[device]]\nname = "pv"')]
    assert "forecast.0.of: forecast 'roof' is of pv, and the site has none" in check.of(without + EXAMPLE)[1]
