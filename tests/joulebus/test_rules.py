"""`joulebus rules` and `joulebus rules try`, and what `joulebus check` says of a rule, as a person types it."""

import asyncio
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args
from zoneinfo import ZoneInfo

import pytest

from joulebus.cli import main
from optimizer.rules.judge import PROPOSING, State
from runtime.database import engine
from schemas.site_rules import Quantity, Then
from tests.consumers.test_archive_money import measure, quarter
from tests.consumers.test_dispatch_desk import plant_site
from tests.joulebus.test_check import SITE, Check
from tests.joulebus.test_check import check as check  # noqa: PLC0414  # a fixture

TARIFF = """
import.period = [{ price = 0.20 }]
export.period = [{ price = 0.05 }]
demand = { price = 10.0 }
"""
RULE = """
[[rule]]
name = "cap"
when = [{ device = "grid", point = "p", above = 50e3 }]
then = { import_limit = 40e3 }
"""
ROOT = Path(__file__).parents[2]
MIDNIGHT = datetime(2026, 6, 10, tzinfo=ZoneInfo("Europe/Berlin"))

# what check says -----------------------------------------------------------------------------------


def ruled(more: str, name: str = "cap", then: str = "import_limit = 40e3", rest: str = "") -> str:
    return f'\n[[rule]]\nname = "{name}"\nwhen = [{{ {more} }}]\nthen = {{ {then} }}\n{rest}\n'


GRID = 'device = "grid", point = "p", above = 50e3'


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (ruled('device = "grid", point = "p", abov = 3'),
         "rule.0.when.0.abov: rule 'cap': unknown key; did you mean 'above'?"),
        (ruled('device = "gird", point = "p", above = 3e3'),
         "rule.0.when.0.device: rule 'cap': device 'gird' does not exist; did you mean 'grid'?"),
        (ruled('device = "grid", point = "pw", above = 3e3'),
         "rule.0.when.0.point: rule 'cap': point 'pw' of grid does not exist; did you mean"),
        (ruled('device = "grid", point = "p", unit = "kW", above = 400'),
         "rule.0.when.0.unit: rule 'cap': 'kW' does not fit: p of grid is in W; write above = 400000 and unit = 'W'"),
        (ruled('quantity = "soc", unit = "W", above = 40'), "'W' does not fit: soc is in %; write unit = '%'"),
        (ruled('device = "pcs", point = "state", above = 3'),
         "rule.0.when.0.above: rule 'cap': state of pcs is no number; give equals"),
        (ruled('device = "pcs", point = "state", equals = "runing"'),
         "state 'runing' of state of pcs does not exist; did you mean 'running'?"),
        (ruled('device = "grid", point = "p", equals = "on"'), "p of grid has no states; give above, below or between"),
        (ruled('device = "bms", point = "soc", above = 140'),
         "rule.0.when.0.above: rule 'cap': it would never hold: the profile believes soc of bms from 0 to 100"),
        (ruled('device = "grid", above = 3'), "`point` is missing"),
        (ruled('quantity = "soc", above = 3, below = 4'),
         "give exactly one of above, below, between; given: above, below"),
        (ruled('quantity = "soc", cheapest = 3'), "give exactly one of above, below, between; given: cheapest"),
        (ruled('quantity = "soc", between = [40, 30]'), "the lower limit comes first"),
        (ruled('quantity = "soc", above = 40, clear = 50'), "`clear` lies on the wrong side of the limit"),
        (ruled('hours = { start = "11:00", end = "25:00" }'),
         "rule.0.when.0.hours.end: rule 'cap': '25:00' is no time of the clock"),
        (ruled('hours = { start = "11:00" }, hold = 5'), "`hold` goes with a point or a quantity"),
        (ruled('dates = ["12-32"]'), "'12-32' is no holiday: write it such as"),
        (ruled('mode = "auto", quantity = "soc", above = 3'), "give exactly one of `device` with `point`"),
        (ruled(GRID, then=""), "it proposes nothing: give one or more of import_limit"),
        (ruled(GRID, then="import_limt = 3"),
         "rule.0.then.import_limt: rule 'cap': unknown key; did you mean 'import_limit'?"),
        (ruled(GRID, then="power = 5e3, grid_target = 0"),
         "give `grid_target` or `power`: one battery cannot follow both"),
        (ruled(GRID, then="import_limit = 600e3"),
         "rule.0.then.import_limit: rule 'cap': 600000 limits nothing: grid.import_limit is 500000"),
        (ruled(GRID, then="soc_min = 95"), "95 lies outside of the battery's own 10 to 90 %"),
        (ruled(GRID, then="reserve = 170e3"), "170000 Wh is more than the 160000 Wh that the batteries may hold"),
        (ruled(GRID, then="power = 101e3"), "101000 W is more than the 100000 W of the batteries"),
        (ruled(GRID, then="grid_target = -101e3"),
         "-101000 lies outside of what the grid connection may carry, -100000 to 500000 W"),
        (ruled(GRID, rest='until = { at = "13:00", after = 3 }'), "give either `after` in seconds or `at`"),
        (ruled(GRID, rest="off = 0"), "rule.0.off: rule 'cap':"),
        (ruled(GRID) + ruled(GRID), "rule.1.name: rule 'cap': another rule before it is called so"),
        (ruled(GRID, "a", "power = 1e3") + ruled('quantity = "soc", above = 50', "b", "grid_target = 0"),
         "rule.1.priority: rule 'b': power = 1000 and grid_target = 0 contradict each other, and rule 'a' has"),
        (ruled(GRID, "a", "soc_min = 70") + ruled('quantity = "soc", above = 50', "b", "soc_max = 60"),
         "soc_min = 70 and soc_max = 60 contradict each other"),
        (ruled(GRID, "a", "power = 1e3", 'until = { after = 60 }')
         + ruled('device = "grid", point = "p", below = 40e3', "b", "power = 0"),
         "power = 1000 and power = 0 contradict each other"),
    ],
    ids=lambda text: text[-48:],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_its_place_and_what_would_be_right(check: Check, rules: str, says: str) -> None:
    code, said = check.of(SITE + rules)
    assert code == 1
    assert says in said, said
    assert f"site.toml:{len(SITE.splitlines()) + 2}" in said or "site.toml:4" in said, "with its line"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('quantity = "soc", above = 60', 'quantity = "soc", below = 60'),
        ('device = "grid", point = "p", above = 60e3', 'device = "grid", point = "p", between = [0, 60e3]'),
        ('hours = { start = "06:00", end = "11:00" }', 'hours = { start = "11:00", end = "06:00" }'),
        ('hours = { days = ["sat", "sun"] }', 'hours = { days = ["mon", "fri"] }'),
        ('hours = { months = [1, 2] }', "hours = { months = [7] }"),
        ('device = "pcs", point = "state", equals = "running"', 'device = "pcs", point = "state", equals = "off"'),
    ],
)  # fmt: skip
def test_targets_that_never_meet_do_not_contradict_each_other(check: Check, one: str, other: str) -> None:
    code, said = check.of(SITE + ruled(one, "a", "power = 1e3") + ruled(other, "b", "power = -1e3"))
    assert (code, "2 rules" in said) == (0, True), said


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('quantity = "soc", above = 60, clear = 50', 'quantity = "soc", below = 60'),
        ('hours = { start = "06:00", end = "12:00" }', 'hours = { start = "11:00", end = "14:00" }'),
        ('hours = { days = ["sun"] }', 'hours = { days = ["holiday"] }'),
        ('hours = { start = "22:00", end = "06:00", days = ["sat"] }', 'hours = { start = "05:00", days = ["sun"] }'),
    ],
)  # fmt: skip
def test_targets_that_may_meet_do(check: Check, one: str, other: str) -> None:
    code, said = check.of(SITE + ruled(one, "a", "power = 1e3") + ruled(other, "b", "power = -1e3"))
    assert (code, "contradict each other" in said) == (1, True), said


@pytest.mark.parametrize(
    "rules", ["rule = 5", 'rule = ["x"]', "rule = [{}]", 'rule = { name = "a" }', "rule = [{ name = 7 }]"]
)
def test_whatever_stands_there_keeps_no_site_from_being_steered(tmp_path: Path, rules: str) -> None:
    site = plant_site(tmp_path, more=rules + "\n")
    assert (site.rules, bool(site.wrong_rules)) == ([], True)
    assert all(place.startswith("rule.0") for place, _ in site.wrong_rules)


def test_kilowatts_typed_for_watts_are_a_warning(check: Check) -> None:
    code, said = check.of(SITE + ruled('device = "grid", point = "p", above = 50', then="import_limit = 40"))
    assert code == 0
    assert "warning: rule.0.then.import_limit: rule 'cap': 40 is in W: for 40 kW write 40000" in said
    assert "warning: rule.0.when.0.above: rule 'cap': 50 is in W: for 50 kW write 50000" in said


@pytest.mark.parametrize(
    ("when", "then", "rest", "warned"),
    [
        ('quantity = "import", above = 400e3', "import_limit = 380e3", "", True),
        ('device = "grid", point = "p", above = 400e3', "import_limit = 380e3", "", True),
        ('quantity = "import", above = 400e3', "grid_target = 400e3", "", True),
        ('quantity = "export", above = 50e3', "export_limit = 20e3", "", True),
        ('quantity = "import", above = 400e3, clear = 300e3', "import_limit = 380e3", "", False),
        ('quantity = "import", above = 400e3', "import_limit = 380e3", "until = { after = 900 }", False),
        ('quantity = "import", above = 300e3', "import_limit = 380e3", "", False),
        ('quantity = "soc", above = 40', "import_limit = 380e3", "", False),
    ],
)
def test_a_rule_that_undoes_its_own_condition_is_a_warning(
    check: Check, when: str, then: str, rest: str, warned: bool
) -> None:
    code, said = check.of(SITE + ruled(when, then=then, rest=rest))
    assert (code, "undoes what it waits for" in said) == (0, warned), said
    assert ("warning: rule.0.when.0: rule 'cap'" in said) == warned


# rules in words, and over the past -----------------------------------------------------------------


@pytest.fixture
def folder(sqlite_archive: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A site with four hours of an archive: 30 kW drawn, and 80 kW in the third hour; the battery rests at 50 %."""
    monkeypatch.setenv("JOULEBUS_DATABASE", sqlite_archive)
    plant_site(tmp_path, tariff=TARIFF)
    with (tmp_path / "site.toml").open("a", encoding="utf-8") as file:
        file.write(RULE)

    async def fill() -> None:
        database = engine(sqlite_archive)
        begin = MIDNIGHT.astimezone(ZoneInfo("UTC"))
        each = [quarter(begin + n * timedelta(minutes=15), grid=80e3 if n // 4 == 2 else 30e3) for n in range(16)]
        await measure(database, *each)
        await database.dispose()

    asyncio.run(fill())
    return tmp_path


def said_of(folder: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = main(["rules", *words, "--site", str(folder / "site.toml")])
    found = capsys.readouterr()
    return code, found.out + found.err


SPAN = ("--from", "2026-06-10", "--to", "2026-06-10T04:00")


def test_rules_in_words(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    says = "rule `cap`: when grid.p above 50 kW: import limit 40 kW; priority 0\n"
    assert said_of(folder, capsys) == (0, says)


def test_what_a_rule_would_have_done(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first quarter of 80 kW is known when it is over: from 2:15 to 3:15 the rule holds, and for three quarters 40
    kW come out of the battery: 30 kWh at 0.20 less, and 0.02 of wear a kWh; 31.58 kWh are missing in it. The peak of
    the first quarter stays."""
    code, said = said_of(folder, capsys, "try", *SPAN)
    assert code == 0, said
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert lines[0] == "2026-06-10 00:00 to 2026-06-10 04:00, by means of a quarter of an hour"
    assert "held once, 1.2 h in all" in lines
    assert "2026-06-10 02:15 to 03:30: grid.p 80 kW > 50 kW" in lines
    assert "the batteries would have done otherwise meanwhile: 30.0 kWh, 40.0 kW at most" in lines
    assert "drawn 170.0 kWh 140.0 kWh" in lines
    assert "most drawn 80.0 kW 80.0 kW, in the mean of a quarter of an hour" in lines
    assert "the batteries would hold 31.6 kWh less at the end" in lines
    assert "it would have cost 0.92 EUR more:" in lines, "-6.00 + 0.60 + 31.58 x 0.20"
    assert "energy -6.00, wear +0.60, energy that is then missing +6.32" in lines
    assert "demand +0.00, as if the billed period began and ended with this time" in lines
    assert "demand: highest mean of 15 min that is billed: 80.0 kW, then 80.0 kW" in lines


def test_rules_of_another_file_and_one_of_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It keeps the hour of 80 kW at 50 kW from its begin: the peak is 30 kW less, at 10 a kW."""
    other = folder / "other.toml"
    other.write_text(
        '[[rule]]\nname = "third"\nwhen = [{ hours = { start = "02:00", end = "03:00" } }]\nthen = { power = 30e3 }\n'
        '[[rule]]\nname = "dear"\nwhen = [{ quantity = "price_import", above = 0.1 }]\nthen = { soc_min = 60 }\n',
        encoding="utf-8",
    )
    code, said = said_of(folder, capsys, "try", *SPAN, "--file", str(other), "--rule", "third")
    assert (code, "dear" in said) == (0, False)
    assert "2026-06-10 02:00 to 03:00: from 02:00 to 03:00" in said
    assert "demand -300.00" in said
    assert "80.0 kW, then 50.0 kW" in said
    code, said = said_of(folder, capsys, "try", *SPAN, "--file", str(other))
    assert "held once, 4.0 h in all" in said
    assert "batteries would have done otherwise meanwhile: 0.0 kWh" in said, "of both: the energy is kept"
    code, said = said_of(folder, capsys, "try", *SPAN, "--file", str(other), "--rule", "thrid")
    assert (code, "rule 'thrid' does not exist; did you mean 'third'?" in said) == (2, True)


def test_of_what_the_archive_does_not_have_nothing_is_told(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = said_of(folder, capsys, "try", "--from", "2026-06-11", "--to", "2026-06-12")
    assert code == 0
    assert "never held" in said
    assert "was unknown for 24.0 h: nobody knew grid.p above 50 kW" in said
    assert "what it would have cost is not told: the power of the grid or of the batteries is not known" in said


def test_without_prices_the_money_is_not_told_and_all_else_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    market = 'import.day_ahead = { file = "prices.csv" }\nexport.period = [{ price = 0.05 }]\n'
    (folder / "tariff.toml").write_text(market, encoding="utf-8")
    code, said = said_of(folder, capsys, "try", *SPAN)
    assert code == 0, said
    assert "drawn 170.0 kWh 140.0 kWh" in " ".join(said.split())
    assert "what it would have cost is not told: " in said
    assert "prices.csv" in said


def test_a_wrong_rule_is_not_tried_and_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (folder / "site.toml").open("a", encoding="utf-8") as file:
        file.write(RULE.replace('name = "cap"', 'name = "bad"').replace('"p"', '"q9"'))
    code, said = said_of(folder, capsys, "try", *SPAN)
    assert code == 1
    assert "rule.1.when.0.point: rule 'bad': point 'q9' of grid does not exist" in said
    code, said = said_of(folder, capsys)
    assert (code, "rule `cap`: when" in said, "rule 'bad'" in said) == (1, True, True)


def test_the_rules_of_the_page_run_at_the_shipped_site(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The example of docs/rules.md, and every state and key in its tables."""
    page = (ROOT / "docs/rules.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    shipped = (ROOT / "site.toml").read_text(encoding="utf-8").replace("tariff.toml", str(ROOT / "tariff.toml"))
    path = tmp_path / "site.toml"
    path.write_text(f"{shipped}\n{example}", encoding="utf-8")
    assert main(["check", str(path)]) == 0
    found = capsys.readouterr().out
    assert "3 rules" in found
    assert "rule '" not in found, "no warning about one"
    assert main(["rules", "--site", str(path)]) == 0
    says = "rule `cheap`: when the price of import among the 2 cheapest hours of the day and the SoC below 80 %"
    assert says in capsys.readouterr().out
    for name in (*State, *Then.model_fields, *get_args(Quantity)):
        assert f"`{name}`" in page or f'"{name}"' in page, name
    for state in State:
        assert re.search(rf"^\| `{state}` .*\| {'yes' if state in PROPOSING else 'no'} \|$", page, re.MULTILINE), state
