"""The batteries of a site file: one or several, each with devices of its own; what is wrong is said with its key."""

from pathlib import Path

import pytest

from joulebus.commission.command import units_of
from joulebus.commission.walk import alone
from schemas.site import Site
from schemas.site_file import load_site
from schemas.troubles import Trouble

ROOT = Path(__file__).parents[2]
TWO = ROOT / "site.toml"
ONE = ROOT / "tests" / "one_battery.toml"


def written(folder: Path, old: str, new: str, *, file: Path = TWO) -> Path:
    """A site file with something changed."""
    text = file.read_text(encoding="utf-8").replace('"../tariff.toml"', '"tariff.toml"')
    assert old in text
    path = folder / "site.toml"
    path.write_text(text.replace(old, new), encoding="utf-8")
    (folder / "tariff.toml").write_text((ROOT / "tariff.toml").read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_a_single_one_may_be_written_as_a_table() -> None:
    assert "[battery]" in ONE.read_text(encoding="utf-8")
    (one,) = load_site(ONE).battery
    assert (one.name, one.pcs, one.energy) == ("battery", ["pcs"], 200e3)


def test_several_have_names_devices_and_sums() -> None:
    site = load_site(TWO)
    assert [one.name for one in site.battery] == ["hall", "yard"]
    owners = [site.battery_of(name) for name in ("pcs", "bms", "pcs2", "bms2", "meter", "pv")]
    assert [one and one.name for one in owners] == ["hall", "hall", "yard", "yard", None, None]
    assert (site.pcs, site.bms, site.rated_power) == (["pcs", "pcs2"], ["bms", "bms2"], 192e3)


WRONG = {
    "a device that is not there": (
        'pcs = "pcs2"', 'pcs = "pcs3"', ":24: battery.1.pcs: battery 'yard': names device 'pcs3'; there is:",
    ),
    "one bms in two": (
        'bms = "bms2"', 'bms = "bms"',
        ":25: battery.1.bms: battery 'yard': device 'bms' is the bms of battery 'hall' already",
    ),
    "one pcs in two": (
        'pcs = "pcs2"', 'pcs = "pcs"',
        ":24: battery.1.pcs: battery 'yard': device 'pcs' is the pcs of battery 'hall' already",
    ),
    "a pcs for a bms": (
        'bms = "bms2"', 'bms = "pv"', ":25: battery.1.bms: battery 'yard': device 'pv' is a pv, a bms is needed",
    ),
    "one name twice": (
        'name = "yard"', 'name = "hall"',
        ":23: battery.1.name: 'hall' is the name of another battery, too; each needs its own, such as name = \"yard\"",
    ),
    "no name": (
        'name = "yard"\n', "",
        ":22: battery.1.name: the battery of 'pcs2' has none; of several each needs its own, such as name = \"yard\"",
    ),
    "no name of the first": (
        'name = "hall"\n', "",
        ":13: battery.0.name: the battery of 'pcs' has none; of several each needs its own, such as name = \"hall\"",
    ),
    "no energy": ("energy = 130_000\n", "", ":22: battery.1.energy: battery 'yard': energy is missing"),
    "no energy of the first": ("energy = 200_000 ", "# ", ":13: battery.0.energy: battery 'hall': energy is missing"),
    "a key that is none": (
        "efficiency = 0.96", "eficiency = 0.96",
        ":28: battery.1.eficiency: battery 'yard': unknown key; did you mean 'efficiency'?",
    ),
    "a value that cannot be": (
        "efficiency = 0.96", "efficiency = 96",
        ":28: battery.1.efficiency: battery 'yard': input should be less than or equal to 1",
    ),
    "words for a number": (
        "efficiency = 0.96", 'wear = "low"', ":28: battery.1.wear: battery 'yard': input should be a valid number",
    ),
    "a name that is none": (
        'name = "yard"', 'name = "The Yard"', ":23: battery.1.name: battery 'The Yard': a name holds only a-z, 0-9",
    ),
    "a nameless one": (
        'name = "yard"\n', "soc_min = 101\n", ":23: battery.1.soc_min: battery 2 of 2: input should be less than",
    ),
    "a name that is a number": (
        'name = "yard"', "name = 2", ":23: battery.1.name: battery 2 of 2: name needs text in quotes: \"2\"",
    ),
    "no range": (
        "efficiency = 0.96", "soc_min = 95.0",
        ":28: battery.1.soc_min: battery 'yard': soc_min 95 must be below soc_max 90",
    ),
    "no range below": (
        "efficiency = 0.96", "soc_max = 5",
        ":28: battery.1.soc_max: battery 'yard': soc_min 10 must be below soc_max 5",
    ),
}  # fmt: skip


@pytest.mark.parametrize("mistake", WRONG)
def test_what_is_wrong_is_said_with_its_key(tmp_path: Path, mistake: str) -> None:
    old, new, words = WRONG[mistake]
    with pytest.raises(Trouble) as wrong:
        load_site(written(tmp_path, old, new))
    assert words in str(wrong.value)


def test_each_battery_without_a_name_is_told_another_one(tmp_path: Path) -> None:
    path = written(tmp_path, 'name = "hall"\n', "")
    path.write_text(path.read_text(encoding="utf-8").replace('name = "yard"\n', ""), encoding="utf-8")
    with pytest.raises(Trouble) as wrong:
        load_site(path)
    assert [name in str(wrong.value) for name in ('such as name = "hall"', 'such as name = "yard"')] == [True, True]


def test_a_pcs_of_no_battery_is_refused_with_the_lines_to_write(tmp_path: Path) -> None:
    """Fault 10: it had no limits and no fallback."""
    text = TWO.read_text(encoding="utf-8")
    second = text[text.index("[[battery]]             #") : text.index("[[device]]")]
    with pytest.raises(Trouble) as wrong:
        load_site(written(tmp_path, second, ""))
    said = str(wrong.value)
    assert ":34: device.2: device 'pcs2': a pcs of no battery would have no limits and no fallback" in said
    assert '[[battery]] with name = "pcs2", pcs = "pcs2", bms = "bms2", energy = <Wh>' in said


WATCHED = """
site = "watched"
tariff = "tariff.toml"
grid = { meter = "meter", import_limit = 50e3, export_limit = 50e3 }
device = [
    { name = "meter", profile = "janitza_umg96rme", address = "tcp://127.0.0.1:502" },
    { name = "sun", profile = "sunspec_pv", address = "tcp://127.0.0.1:503", rated_power = 10e3 },
]
"""
LOCK = """
[[interlock]]
name = "x"
kind = "meter"
point = "p"
above = 1
off = 5
effect = ["zero"]
"""
HYBRID = """
site = "hybrid"
tariff = "tariff.toml"
grid = {{ meter = "meter", import_limit = 50e3, export_limit = 50e3 }}
battery = {{ {battery}, energy = 10e3 }}
device = [
    {{ name = "meter", profile = "janitza_umg96rme", address = "tcp://127.0.0.1:502" }},
    {{ name = "a", profile = "{profile}", address = "tcp://127.0.0.1:503", rated_power = 10e3 }},
    {{ name = "b", profile = "{profile}", address = "tcp://127.0.0.1:504", rated_power = 30e3 }},
]
"""


def made(folder: Path, text: str) -> Site:
    path = folder / "site.toml"
    path.write_text(text, encoding="utf-8")
    return load_site(path)


def test_a_site_may_have_no_battery(tmp_path: Path) -> None:
    site = made(tmp_path, WATCHED)
    assert (site.battery, site.units, site.pcs, site.rated_power) == ([], [], [], 0.0)
    with pytest.raises(Trouble, match=r"interlock.0: acts on a battery, and the site has none: take it out"):
        made(tmp_path, WATCHED + LOCK)


def test_one_battery_of_several_pcs_and_racks_has_a_unit_for_each_pcs() -> None:
    site = load_site(ROOT / "tests" / "racks.toml")
    (battery,) = site.battery
    assert (site.pcs, site.bms, site.rated(battery)) == (["pcs", "pcs2"], ["bms", "bms2"], 192e3)
    assert [site.battery_of(name) for name in ("pcs", "pcs2", "bms", "bms2")] == [battery] * 4
    one, other = site.units
    assert (one.name, other.name, one.of, one.beside) == ("battery-pcs", "battery-pcs2", "battery", ["pcs2"])
    assert one.energy + other.energy == pytest.approx(100e3)
    assert one.ramp / other.ramp == pytest.approx(100 / 92), "by its rated power"


@pytest.mark.parametrize(("profile", "sun"), [
    ("goodwe_et", ["pv_p_1", "pv_p_2"]), ("sungrow_sh", ["pv_p"]), ("huawei_sun2000_luna", ["pv_p"]),
])  # fmt: skip
def test_a_hybrid_speaks_for_its_cells_and_its_sun(tmp_path: Path, profile: str, sun: list[str]) -> None:
    text = HYBRID.format(battery='pcs = "a"', profile=profile)
    site = made(tmp_path, text.replace(text[text.index('    { name = "b"') : text.rindex("]")], ""))
    assert site.racks == ["a"]
    assert site.pv_points == [("a", point) for point in sun]


REFUSED = {
    "cells of which nobody knows how full they are": (
        "kaco_gridsave", 'pcs = "a"', "battery.0.pcs: device 'a': profile kaco_gridsave has no point soc: nobody would",
    ),
    "cells of which nobody knows what they may do": (
        "sunspec_storage_701", 'pcs = "a"',
        "nobody would know what the cells may do; give charge_limit and discharge_limit (W), or name its bms",
    ),
    "two pcs on cells that nobody watches": (
        "goodwe_et", 'pcs = ["a", "b"]',
        "devices 'a' and 'b' have no bms that says what they may take from the same cells; name it, or give each",
    ),
    "one pcs twice": (
        "goodwe_et", 'pcs = ["a", "a"]', "device 'a' is the pcs of battery 'battery' already: a device belongs to one",
    ),
    "no pcs": ("goodwe_et", "pcs = []", "battery.0.pcs: is empty; give at least one"),
    "a pcs that nobody names": ("goodwe_et", 'pcs = "a"', 'name = "b", pcs = "b", energy = <Wh>'),
}  # fmt: skip


@pytest.mark.parametrize("mistake", REFUSED)
def test_what_cannot_be_steered_is_never_good(tmp_path: Path, mistake: str) -> None:
    profile, battery, words = REFUSED[mistake]
    with pytest.raises(Trouble) as wrong:
        made(tmp_path, HYBRID.format(battery=battery, profile=profile))
    assert words in str(wrong.value)


def test_a_pcs_that_takes_no_power_is_watched_or_refused(tmp_path: Path) -> None:
    profile = (ROOT / "bridges" / "profiles" / "goodwe_et.toml").read_text(encoding="utf-8")
    (tmp_path / "profiles").mkdir()
    own = tmp_path / "profiles" / "mute.toml"
    own.write_text(profile[: profile.index("[commands]")], encoding="utf-8")
    text = HYBRID.format(battery='pcs = "a"', profile="mute")
    text = text.replace(text[text.index('    { name = "b"') : text.rindex("]")], "")
    with pytest.raises(Trouble, match=r"battery.0.pcs: device 'a': profile mute takes no p_set: nobody could steer it"):
        made(tmp_path, text)
    assert made(tmp_path, 'mode = "read_only"\n' + text).mode == "read_only"


def test_a_battery_may_be_called_like_a_device(tmp_path: Path) -> None:
    assert load_site(written(tmp_path, 'name = "yard"', 'name = "pcs2"')).battery[1].name == "pcs2"


def test_a_commissioning_is_of_each_battery_as_if_there_were_no_other() -> None:
    site = load_site(TWO)
    assert [unit.name for unit in units_of(site, None)] == ["hall", "yard"]
    (unit,) = units_of(site, "yard")
    assert [one.name for one in alone(site, unit).battery] == ["yard"]
    one = load_site(ONE)
    assert alone(one, one.units[0]).battery == one.battery
    with pytest.raises(Trouble, match="battery 'yart' does not exist; did you mean 'yard'"):
        units_of(site, "yart")
