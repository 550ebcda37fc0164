"""Each example of docs/reserves.md is one that `joulebus check` calls good, and that a plan is made and kept with."""

import re
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import pytest

from joulebus.cli import main
from optimizer.equipped import equipped
from optimizer.outlook import step_starts
from optimizer.plan import plan
from optimizer.reserves import with_reserves
from optimizer.storage import together
from optimizer.verify import verify
from schemas.site import Site
from schemas.site_file import load_site
from tests.joulebus.test_check import SITE, TARIFF
from tests.optimizer.outlooks import outlook

PAGE = (Path(__file__).parents[2] / "docs" / "reserves.md").read_text(encoding="utf-8")
EXAMPLES = dict(re.findall(r"^```toml\n# site\.toml\n# (.*?)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
EXAMPLES["taper"] = "".join(f"{line}\n" for line in re.findall(r"^    (taper = .*)$", PAGE, re.MULTILINE))
NAMES = [one.partition(":")[0] for one in EXAMPLES]


def site_of(folder: Path, example: str) -> Site:
    text = SITE.replace("fallback = 0\n", f"fallback = 0\n{example}") if example.startswith("taper") else SITE + example
    (folder / "site.toml").write_text(text, encoding="utf-8")
    (folder / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    return load_site(folder / "site.toml")


@pytest.mark.parametrize("example", EXAMPLES.values(), ids=NAMES)
def test_an_example_is_checked_and_planned_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], example: str
) -> None:
    site = site_of(tmp_path, example)
    assert main(["check", str(tmp_path / "site.toml")]) == 0
    assert "warning" not in capsys.readouterr().out
    bare = outlook(site.plan.hours, step_minutes=site.plan.step_minutes, soc=60.0, battery=together(site.battery))
    look, every = equipped(bare, site, [(site.battery[0], 60.0)], allowed=(80e3, 100e3))
    full = with_reserves(look, every)
    assert verify(plan(full), full) == []
    assert len(full.starts) == site.plan.hours * 60 / site.plan.step_minutes


def test_the_page_has_an_example_of_each_key() -> None:
    keys = ("taper", "backup_minutes", "up", "down", "minutes", "hours", "first", "price", "step_minutes")
    assert [key for key in keys if f"{key} = " not in "".join(EXAMPLES.values())] == []
    assert len(EXAMPLES) == PAGE.count("```toml") + 1


def test_what_a_site_declares_comes_into_its_outlook(tmp_path: Path) -> None:
    site = site_of(
        tmp_path,
        dedent("""
        [plan]
        backup_minutes = 30
        [[reserve]]
        name = "fcr"
        up = 20_000
        minutes = 15
        [carbon]
        intensity = 400.0
        price = 100.0
        """),
    )
    bare = replace(outlook(24), battery=together(site.battery))
    look, every = equipped(bare, site, [(site.battery[0], 50.0)], allowed=(30e3, float("inf")))
    assert [one.name for one in every] == ["backup", "fcr"]
    assert look.carbon == pytest.approx(0.04)
    assert look.most_charge[0] == 30e3
    assert look.ramp == 20e3
    assert with_reserves(look, every).floors[0] == pytest.approx(20e3 + (25e3 + 5e3) / 0.95)
    assert len(step_starts(look.now, site.plan.hours, site.plan.step_minutes)) == 144


WRONG = [
    ('[[reserve]]\nname = "fcr"\nup = 150_000\nminutes = 15\n', "reserve 'fcr': 150 kW up are more than the 100 kW"),
    (
        '[[reserve]]\nname = "fcr"\nup = 90_000\ndown = 90_000\nminutes = 60\n',
        "need 180.2 kWh, and the batteries have 160",
    ),
    ('[[reserve]]\nname = "fcr"\nminutes = 15\n', "reserve 'fcr' keeps nothing: give `up` or `down` in W, or both"),
    ('[[reserve]]\nname = "backup"\nup = 9e3\nminutes = 15\n', "'backup' is what plan.backup_minutes is called"),
    ('[[reserve]]\nname = "a"\nup = 9e3\nminutes = 15\n' * 2, "two reserves are called 'a'"),
    ('[[reserve]]\nname = "a"\nup = 9e3\n', "reserve.0.minutes: is missing"),
    ('[[reserve]]\nname = "a"\nup = -9e3\nminutes = 15\n', "up: "),
    ('[[reserve]]\nname = "a"\nup = 9e3\nminutes = 15\nfirst = 2026-05-02\nlast = 2026-05-01\n', "is before `first`"),
    ("[plan]\nhours = 12\n", "plan.hours"),
    ("[plan]\nstep_minutes = 10\n", "plan.step_minutes"),
    ("[plan]\nbackup_minute = 10\n", "did you mean 'backup_minutes'?"),
    ("[carbon]\nintensity = 380\nprice = -1\n", "carbon.price"),
    ("taper = [{ soc = 90 }, { soc = 80, charge = 20 }]\n", "taper: the SoC of 80 follows 90: write them rising"),
    ("taper = [{ soc = 90, charge = 0.5 }]\n", "charge = 0.5 is in %: for 50 % of the rated power write 50"),
]


@pytest.mark.parametrize(("written", "says"), WRONG, ids=[says for _, says in WRONG])
def test_what_cannot_be_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str, says: str) -> None:
    text = SITE.replace("fallback = 0\n", f"fallback = 0\n{written}") if written.startswith("taper") else SITE + written
    (tmp_path / "site.toml").write_text(text, encoding="utf-8")
    (tmp_path / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    assert main(["check", str(tmp_path / "site.toml")]) != 0
    said = capsys.readouterr().err
    assert says in said
    assert re.search(r"site\.toml:\d+", said), said


ODD = [
    ("[plan]\nbackup_minutes = 1\n", "plan.backup_minutes: 1 is in minutes: for 1 h write 60"),
    ('[[reserve]]\nname = "a"\nup = 20\nminutes = 15\n', "reserve.0.up: reserve a: 20 is in W: for 20 kW write 20000"),
    (
        '[[reserve]]\nname = "a"\nup = 9e3\nminutes = 15\nlast = 2020-01-01\n',
        "2020-01-01 is over, it is offered no more",
    ),
    ('[[reserve]]\nname = "a"\nup = 9e3\nminutes = 15\nhours = [{ days = [] }]\n', "is offered in no hour of a week"),
    (
        '[[reserve]]\nname = "a"\nup = 60_000\nminutes = 15\n[[reserve]]\nname = "b"\nup = 60_000\nminutes = 15\n',
        "120 kW up are more than the 100 kW of all PCS",
    ),
    (
        '[[reserve]]\nname = "a"\nup = 50_000\nminutes = 100\n[[reserve]]\nname = "b"\nup = 50_000\nminutes = 100\n',
        "they need 175.4 kWh, and the batteries have 160.0 kWh",
    ),
]


@pytest.mark.parametrize(("written", "says"), ODD, ids=[says for _, says in ODD])
def test_what_can_hardly_be_meant_is_a_warning(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], written: str, says: str
) -> None:
    site_of(tmp_path, written)
    assert main(["check", str(tmp_path / "site.toml")]) == 0
    said = capsys.readouterr().out
    assert re.search(rf"warning: .*{re.escape(says)}", said), said
