"""Flexible loads in a site file: what cannot work is refused at its place, with what would be right."""

import re
from pathlib import Path

import pytest

from schemas.site_file import load_site
from schemas.troubles import Trouble
from tests.consumers.test_load_desk import METER, SITE, TARIFF

GOOD = 'device = "one"\nfallback = "on"\n'
BAND = 'comfort = { point = "t", low = 18, high = 22, time_constant = 8, rest = 5, per_kw = 2 }\n'
DUE = 'energy = 20e3\ndeadline = "20:00"\n'


def site(folder: Path, load: str, devices: str = SITE) -> Path:
    (folder / "profiles").mkdir()
    (folder / "profiles" / "dimmable.toml").write_text(METER, encoding="utf-8")
    (folder / "tariff.toml").write_text(TARIFF, encoding="utf-8")
    (folder / "site.toml").write_text(f"{devices}[[load]]\n{load}", encoding="utf-8")
    return folder / "site.toml"


@pytest.mark.parametrize(
    "load", [GOOD + BAND, GOOD + DUE, GOOD + "sheds = true\n", GOOD + DUE + 'point = "level_pct"\n']
)
def test_a_load_that_can_work(tmp_path: Path, load: str) -> None:
    found = load_site(site(tmp_path, load))
    point = found.load[0].told_by(found.profiles["one"])
    assert found.profiles["one"].commands[point].fallback == (100.0 if point == "level_pct" else 1.0), "the site file's"
    assert found.profiles["two"].commands[point].fallback == 0.0, "the profile's"


WRONG = {
    "no purpose": (GOOD, "nothing says what it is for: give `comfort`, `energy` with `deadline`, or `sheds = true`"),
    "two purposes": (GOOD + BAND + DUE, "give `comfort` or `energy`, not both"),
    "energy for ever": (GOOD + "energy = 1e3\n", "`energy` and `deadline` go together"),
    "days of nothing": (GOOD + BAND + 'days = ["mon"]\n', "`days` are those of a `deadline`"),
    "no fallback": ('device = "one"\nsheds = true\n', "fallback"),
    "a clock with a zone": (GOOD + 'energy = 1e3\ndeadline = "20:00Z"\n', "is no time of the clock"),
    "an empty band": (GOOD + BAND.replace("18", "30"), "low = 30 must be less than high = 22"),
    "half a model": (
        GOOD + BAND.replace(", rest = 5", ""),
        "give `time_constant`, `rest` and `per_kw` of a temperature",
    ),
    "two models": (GOOD + BAND.replace("rest", "per_kwh = 3, rest"), "give `time_constant`, `rest` and `per_kw`"),
    "no effect": (GOOD + BAND.replace("per_kw = 2", "per_kw = 0"), "the load would move nothing"),
    "a device nobody knows": (GOOD.replace("one", "won") + DUE, "device 'won'"),
    "a meter": (GOOD.replace("one", "grid") + DUE, 'a device whose profile has kind = "load" is needed'),
    "a point nobody knows": (GOOD + BAND.replace('"t"', '"temp"'), "comfort.point 'temp' of device 'one'"),
    "a point that is a state": (GOOD + BAND.replace('"t"', '"control_loc"'), "is no number"),
    "a sensor nobody knows": (GOOD + BAND.replace("{ ", '{ device = "hall", '), "comfort.device 'hall'"),
    "no such command": (GOOD + DUE + 'point = "p_set"\n', "cannot be told p_set; it can be told: level_pct, switch"),
    "a dimmed switch": (GOOD + DUE + 'flexibility = "dimmable"\n', "switch takes on and off only"),
    "the least of a switch": (GOOD + DUE + "least = 30\n", "it is that of a dimmable load"),
    "beyond its register": (GOOD + DUE + "on = 5\noff = 0\n", "switch goes from 0 to 1, and on is 5"),
    "on without off": (GOOD + DUE + "on = 1\n", "`on` and `off` go together"),
    "on that is off": (GOOD + DUE + "on = 1\noff = 1\n", "are two values"),
    "one load twice": (GOOD + DUE + "[[load]]\n" + GOOD + DUE, "is given twice"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_cannot_work_is_refused(tmp_path: Path, name: str) -> None:
    load, words = WRONG[name]
    with pytest.raises(Trouble, match=re.escape(words)) as told:
        load_site(site(tmp_path, load))
    assert "load" in str(told.value)


def test_a_load_without_a_rating_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="needs rated_power"):
        load_site(site(tmp_path, GOOD + DUE, SITE.replace(", rated_power = 10e3", "")))


def test_the_example_of_the_page_works(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    page = (root / "docs" / "loads.md").read_text(encoding="utf-8")
    example, thermometer = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "thermometer.toml").write_text(thermometer, encoding="utf-8")
    text = (root / "site.toml").read_text(encoding="utf-8")
    (tmp_path / "tariff.toml").write_text((root / "tariff.toml").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "site.toml").write_text(f"{text}\n{example}", encoding="utf-8")
    found = load_site(tmp_path / "site.toml")
    safe = [found.profiles[one.device].commands[one.told_by(found.profiles[one.device])].fallback for one in found.load]
    assert safe == [0.0] * 5, "the demo's two; on by a relay that opens, off, and normal operation"
