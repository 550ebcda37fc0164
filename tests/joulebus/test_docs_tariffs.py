"""Each tariff of docs/tariffs.md is one that `joulebus check` calls good, and that a plan is made for."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from consumers.optimize.past import Past
from consumers.optimize.think import think
from joulebus.cli import main
from optimizer.tariff import Series
from tests.consumers.test_dispatch_desk import plant_site
from tests.consumers.test_optimize_pure import NOON, told

PAGE = (Path(__file__).parents[2] / "docs" / "tariffs.md").read_text(encoding="utf-8")
TARIFFS = re.findall(r"^```toml\n# tariff\.toml\n(# .*?\n.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
HOURS = [NOON - timedelta(days=1) + timedelta(hours=hour) for hour in range(96)]
MARKET = [-0.02 if at.hour in (11, 12) else 0.08 for at in HOURS]


@pytest.mark.parametrize("tariff", TARIFFS, ids=[one.partition("\n")[0].strip("# ") for one in TARIFFS])
def test_a_tariff_of_the_page_is_checked_and_planned_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tariff: str
) -> None:
    rows = (f"{at:%Y-%m-%dT%H:%M:%SZ},{1000 * price}" for at, price in zip(HOURS, MARKET, strict=True))
    (tmp_path / "prices.csv").write_text("\n".join(["timestamp_utc,price_eur_per_mwh", *rows]), encoding="utf-8")
    site = plant_site(tmp_path, tariff=tariff)
    code = main(["check", str(tmp_path / "site.toml")])
    said = capsys.readouterr()
    assert code == 0, said.err
    assert not re.search(r"warning: (demand|import\.period|import\.layer|reactive|fixed|minimum)", said.out + said.err)
    for name in (one.name for one in site.prices.components):
        assert re.search(rf"^  {re.escape(name)} .* per kW and ", said.out, re.MULTILINE), said.out
    series = {place: Series(HOURS, MARKET) for place in site.prices.markets}
    plan, wrong, _ = think(told(site), Past(site), series, NOON, 0.0)
    assert wrong == []
    assert plan.peaks.keys() == {one.name for one in site.prices.components}


def test_the_page_has_an_example_of_each_kind() -> None:
    assert len(TARIFFS) == PAGE.count("```toml") == 7
    words = ("layer", "percent", "unpaid", "hours", "ratchet", "known", "contract", "penalty", "floor", "sliding")
    assert [word for word in (*words, "reactive", "fixed", "minimum") if word not in "".join(TARIFFS)] == []
